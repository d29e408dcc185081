//! Traced calls: their spans arrive at a collector, and one that is away holds up nothing.

use std::sync::Mutex;

use camgate::service::{Sampling, Spans, TraceSettings};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use super::*;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// A collector that keeps what it is sent.
#[derive(Debug, Clone, Default)]
struct Collector {
    messages: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.messages.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    /// Serves; gives its address.
    async fn start() -> (Self, String) {
        let collector = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let service = TraceServiceServer::new(collector.clone());
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        (collector, endpoint)
    }

    fn spans(&self) -> Vec<Span> {
        let messages = self.messages.lock().unwrap();
        let resources = messages.iter().flat_map(|it| &it.resource_spans);
        resources.flat_map(|it| &it.scope_spans).flat_map(|it| it.spans.clone()).collect()
    }

    /// What the service is called.
    fn service(&self) -> BTreeMap<String, String> {
        let messages = self.messages.lock().unwrap();
        let resource = messages[0].resource_spans[0].resource.clone().unwrap();
        texts(&resource.attributes)
    }
}

/// Attributes as texts.
fn texts(
    attributes: &[opentelemetry_proto::tonic::common::v1::KeyValue],
) -> BTreeMap<String, String> {
    let pairs = attributes.iter().map(|it| {
        let value = match it.value.clone().unwrap().value.unwrap() {
            Value::StringValue(text) => text,
            Value::IntValue(number) => number.to_string(),
            Value::DoubleValue(number) => number.to_string(),
            other @ (Value::BoolValue(_)
            | Value::ArrayValue(_)
            | Value::KvlistValue(_)
            | Value::BytesValue(_)
            | Value::StringValueStrindex(_)) => panic!("{other:?}"),
        };
        (it.key.clone(), value)
    });
    pairs.collect()
}

fn settings(endpoint: &str) -> TraceSettings {
    TraceSettings::new(endpoint.to_owned())
}

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{PARENT}-{flags}")
}

/// A check as part of a caller's trace.
fn traced_check(flags: &str) -> Request<pb::CheckRequest> {
    let mut request = Request::new(question(OWNER, "im:DescribeConfInfo"));
    request.metadata_mut().insert("traceparent", traceparent(flags).parse().unwrap());
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_span_of_a_check_has_its_decision_and_its_parent() {
    let (collector, endpoint) = Collector::start().await;
    let spans = Spans::start(&settings(&endpoint)).unwrap();
    let server = Observed::start_traced(spans.clone(), Sampling::new(0.0)).await;
    server.create_account().await;
    let mut authz = server.authz();
    // Neither the caller nor the share wants these to be traced.
    authz.check(question(OWNER, "im:DescribeConfInfo")).await.unwrap();
    authz.check(traced_check("00")).await.unwrap();
    let decided = authz.check(traced_check("01")).await.unwrap();
    let decision = decided.into_inner().decision.unwrap();
    let mut wrong = traced_check("01");
    wrong.get_mut().action = "not an action".to_owned();
    assert!(authz.check(wrong).await.is_err());
    spans.shut(Duration::from_secs(20)).await;
    let found = collector.spans();
    assert_eq!(found.len(), 2, "{found:?}");
    for span in &found {
        let id = span.trace_id.iter().fold(String::new(), |text, it| text + &format!("{it:02x}"));
        let parent = u64::from_be_bytes(span.parent_span_id.clone().try_into().unwrap());
        assert_eq!((id.as_str(), format!("{parent:016x}").as_str()), (TRACE, PARENT));
        assert_eq!((span.name.as_str(), span.kind()), ("grpc/Check", SpanKind::Server));
        assert!(span.end_time_unix_nano > span.start_time_unix_nano);
        assert!(span.span_id != span.parent_span_id && span.span_id.len() == 8);
    }
    assert_ne!(found[0].span_id, found[1].span_id);
    let told = texts(&found[0].attributes);
    let expected = [
        ("camgate.code", "OK"),
        ("camgate.decision_id", decision.decision_id.as_str()),
        ("camgate.decisions", "1"),
        ("camgate.method", "Check"),
        ("camgate.outcome", "ALLOW"),
        ("camgate.owner_uin", "12345678"),
        ("camgate.reason", "root"),
        ("camgate.result", "ok"),
        ("camgate.surface", "grpc"),
    ];
    for (name, value) in expected {
        assert_eq!(told[name], value, "{told:?}");
    }
    // Nothing else but the revision and where it waited.
    let others = told.keys().filter(|name| !expected.iter().any(|(known, _)| known == name));
    for name in others {
        assert!(name == "camgate.revision" || name.starts_with("camgate.waited."), "{told:?}");
    }
    let refused = texts(&found[1].attributes);
    assert_eq!(refused["camgate.code"], "INVALID_ARGUMENT");
    assert_eq!(refused["camgate.error_reason"], "InvalidParameter.ActionError");
    assert!(!refused.contains_key("camgate.decision_id"), "{refused:?}");
    assert_eq!(collector.service()["service.name"], "camgate");
    let samples = server.samples().await;
    assert_eq!(samples["camgate_spans_sent_total"], 2.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_over_http_are_traced_and_begin_traces() {
    let (collector, endpoint) = Collector::start().await;
    let spans = Spans::start(&settings(&endpoint)).unwrap();
    let server = Observed::start_traced(spans.clone(), Sampling::new(1.0)).await;
    let body = format!(
        "{{\"subject\":{{\"type\":\"user\",\"id\":\"{OWNER}\"}},\"action\":{{\"name\":\
         \"DescribeConfInfo\"}},\"resource\":{{\"type\":\"sdkappid\",\"id\":\"{APP}\"}}}}"
    );
    let ask = |headers: &str| {
        format!(
            "POST /access/v1/evaluation HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: \
             application/json\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let answers = [
        server.send(&ask(&format!("traceparent: {}\r\n", traceparent("01")))).await,
        server.send(&ask("")).await,
        server.send(&ask(&format!("traceparent: {}\r\n", traceparent("00")))).await,
    ];
    spans.shut(Duration::from_secs(20)).await;
    let found = collector.spans();
    assert_eq!(found.len(), 2, "{found:?}");
    for (span, answer) in found.iter().zip(&answers) {
        let told = texts(&span.attributes);
        assert_eq!(span.name, "authzen/evaluation");
        assert!(answer.contains(&told["camgate.decision_id"]), "{answer} {told:?}");
    }
    // The first is part of the caller's trace, the second has begun one.
    assert_eq!(found[0].parent_span_id.len(), 8);
    assert!(found[1].parent_span_id.is_empty(), "{:?}", found[1]);
    assert_ne!(found[0].trace_id, found[1].trace_id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_does_not_answer_holds_up_nothing() {
    // It takes connections, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let few = TraceSettings { queue_max: 8, ..settings(&endpoint) };
    let spans = Spans::start(&few).unwrap();
    let server = Observed::start_traced(spans.clone(), Sampling::new(1.0)).await;
    server.create_account().await;
    for _ in 0..40 {
        server.authz().check(traced_check("01")).await.unwrap();
    }
    // Eight are on their way, and eight wait; the account made two more.
    server.until(|samples| samples["camgate_spans_dropped_total"] >= 24.0).await;
    let samples = server.samples().await;
    assert_eq!(samples["camgate_spans_sent_total"], 0.0);
    // The end does not wait for it either.
    let shut = spans.shut(Duration::from_millis(50));
    tokio::time::timeout(Duration::from_secs(20), shut).await.unwrap();
    drop(silent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_that_cannot_be_sent_are_counted() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let spans = Spans::start(&settings(&endpoint)).unwrap();
    let server = Observed::start_traced(spans, Sampling::new(1.0)).await;
    server.create_account().await;
    server.until(|samples| samples["camgate_spans_failed_total"] >= 2.0).await;
    server.authz().check(question(OWNER, "im:DescribeConfInfo")).await.unwrap();
}
