//! The log, sent to a collector: all of it, in order, over restarts, and what cannot be is counted.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use camgate::audit::decision_log::{ForwardCounts, ForwardTo, ForwardVitals, LogMode};
use camgate::service::LogForwarding;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{
    LogsService, LogsServiceServer,
};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, Request, Response, Status};

use super::*;

const WAIT_MAX: Duration = Duration::from_secs(30);

/// A collector that keeps what it is sent, after what it is told to answer first.
#[derive(Debug, Clone)]
struct Collector {
    records: Arc<watch::Sender<Vec<LogRecord>>>,
    first: Arc<Mutex<Vec<Result<i64, Code>>>>,
}

#[tonic::async_trait]
impl LogsService for Collector {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let rejected_log_records = match self.first.lock().unwrap().pop() {
            Some(Err(code)) => return Err(Status::new(code, "不")),
            Some(Ok(rejected)) => rejected,
            None => 0,
        };
        let resources = request.into_inner().resource_logs.into_iter();
        let scopes = resources.flat_map(|it| it.scope_logs);
        let records: Vec<_> = scopes.flat_map(|it| it.log_records).collect();
        self.records.send_modify(|all| all.extend(records));
        let error_message = String::new();
        let partial = ExportLogsPartialSuccess { rejected_log_records, error_message };
        Ok(Response::new(ExportLogsServiceResponse { partial_success: Some(partial) }))
    }
}

impl Collector {
    /// Serves; gives where. The last of `first` is answered first.
    async fn start(first: Vec<Result<i64, Code>>) -> (Self, ForwardTo) {
        let records = Arc::new(watch::Sender::new(Vec::new()));
        let collector = Self { records, first: Arc::new(Mutex::new(first)) };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let service = LogsServiceServer::new(collector.clone());
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        (collector, ForwardTo { endpoint, ca_file: None })
    }

    fn records(&self) -> Vec<LogRecord> {
        self.records.borrow().clone()
    }

    /// The lines that came.
    fn lines(&self) -> Vec<String> {
        self.records().iter().map(|record| text(record.body.as_ref())).collect()
    }

    async fn until(&self, count: usize) {
        let mut records = self.records.subscribe();
        let came = records.wait_for(|records| records.len() >= count);
        let came = tokio::time::timeout(WAIT_MAX, came).await;
        assert!(came.is_ok(), "{:#?}", self.lines());
    }
}

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.clone()) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{other:?}"),
    }
}

fn attribute(record: &LogRecord, key: &str) -> Option<String> {
    let found = record.attributes.iter().find(|it: &&KeyValue| it.key == key)?;
    Some(text(found.value.as_ref()))
}

fn settings(folder: &Path, forward: ForwardTo) -> DecisionLogSettings {
    DecisionLogSettings {
        mode: LogMode::NeverDrop,
        forward: Some(forward),
        ..DecisionLogSettings::new(folder.join("decisions.jsonl"))
    }
}

/// Everything that is in the files, as text.
fn written(file: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for path in log_files(file).unwrap() {
        let bytes = std::fs::read(&path).unwrap();
        let mut text = String::new();
        if path.extension().is_some_and(|it| it == "gz") {
            let mut decoder = flate2::read::MultiGzDecoder::new(&bytes[..]);
            std::io::Read::read_to_string(&mut decoder, &mut text).unwrap();
        } else {
            text = String::from_utf8(bytes).unwrap();
        }
        texts.extend(text.lines().map(str::to_owned));
    }
    texts
}

async fn log(log: &DecisionLog, ids: std::ops::Range<usize>) {
    for id in ids {
        let taken = log.take(record(&format!("{id:06}"))).unwrap();
        log.written(taken).await.unwrap();
    }
}

fn start(settings: &DecisionLogSettings) -> (LogForwarding, Arc<ForwardCounts>) {
    let counts = Arc::<ForwardCounts>::default();
    let forwarding = LogForwarding::start(settings, Arc::clone(&counts)).unwrap().unwrap();
    (forwarding, counts)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_lines_are_sent_as_they_stand_over_files_and_restarts() {
    let (collector, to) = Collector::start(vec![]).await;
    let folder = tempfile::tempdir().unwrap();
    // A file for every few records.
    let settings = DecisionLogSettings { rotate_bytes: 4_096, ..settings(folder.path(), to) };
    let first = open(settings.clone());
    let (forwarding, counts) = start(&settings);
    log(&first, 0..40).await;
    collector.until(40).await;
    first.close();
    forwarding.shut(WAIT_MAX).await;
    let sent = written(&settings.file);
    assert_eq!(collector.lines(), sent);
    assert!(log_files(&settings.file).unwrap().len() > 3, "it was put aside");
    let all = ForwardVitals { sent: sent.len() as u64, ..Default::default() };
    assert_eq!(counts.vitals(), all);
    // What is written while nobody sends is sent by the next one, and nothing twice.
    let second = open(settings.clone());
    log(&second, 40..80).await;
    let (forwarding, counts) = start(&settings);
    log(&second, 80..100).await;
    second.close();
    forwarding.shut(WAIT_MAX).await;
    assert_eq!(collector.lines(), written(&settings.file));
    let rest = collector.lines().len() - sent.len();
    assert_eq!(counts.vitals(), ForwardVitals { sent: rest as u64, ..Default::default() });
    // And each can be found by what it is about.
    let decided = collector.records().into_iter().find(|it| it.attributes.len() > 1).unwrap();
    for (key, value) in [
        ("camgate.decision_id", "000000"),
        ("camgate.owner_uin", "12345678"),
        ("camgate.action", "im:DescribeConfInfo"),
        ("camgate.outcome", "DENY"),
        ("camgate.reason", "explicit_deny"),
    ] {
        assert_eq!(attribute(&decided, key).as_deref(), Some(value), "{decided:?}");
    }
    assert_eq!(decided.time_unix_nano, 1_796_025_600_123_456_000);
    assert_eq!(decided.severity_number, i32::from(SeverityNumber::Info));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_is_caught_up_with() {
    let away = vec![Err(Code::Unavailable), Err(Code::Unauthenticated)];
    let (collector, to) = Collector::start(away).await;
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), to);
    let decisions = open(settings.clone());
    let (forwarding, counts) = start(&settings);
    log(&decisions, 0..10).await;
    collector.until(11).await;
    decisions.close();
    forwarding.shut(WAIT_MAX).await;
    assert_eq!(collector.lines(), written(&settings.file));
    assert_eq!(counts.vitals(), ForwardVitals { sent: 12, ..Default::default() });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_collector_refuses_for_good_is_counted_and_not_sent_again() {
    let (collector, to) = Collector::start(vec![Ok(3), Err(Code::InvalidArgument)]).await;
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), to);
    let decisions = open(settings.clone());
    log(&decisions, 0..600).await;
    decisions.close();
    let (forwarding, counts) = start(&settings);
    collector.until(90).await;
    forwarding.shut(WAIT_MAX).await;
    // One message of 512 was refused, and three of the next; of 602 lines.
    assert_eq!(counts.vitals(), ForwardVitals { sent: 87, refused: 515, missed: 0 });
    assert_eq!(collector.lines(), written(&settings.file)[512..]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_deleted_before_it_was_sent_is_counted_exactly() {
    let (collector, to) = Collector::start(vec![]).await;
    let folder = tempfile::tempdir().unwrap();
    let settings = DecisionLogSettings { rotate_bytes: 4_096, ..settings(folder.path(), to) };
    let first = open(settings.clone());
    // It is known from now on that the log is sent; then nobody sends.
    start(&settings).0.shut(WAIT_MAX).await;
    let before = collector.records().len();
    log(&first, 0..50).await;
    first.close();
    let all = written(&settings.file).len();
    let oldest: Vec<_> = log_files(&settings.file).unwrap().into_iter().take(2).collect();
    oldest.iter().for_each(|file| std::fs::remove_file(file).unwrap());
    let left = written(&settings.file);
    let (forwarding, counts) = start(&settings);
    forwarding.shut(WAIT_MAX).await;
    assert_eq!(collector.lines()[before..], left);
    let (sent, missed) = (left.len() as u64, (all - left.len() - before) as u64);
    assert!(missed > 5, "{missed}");
    assert_eq!(counts.vitals(), ForwardVitals { sent, refused: 0, missed });
    // A log that was taken away is begun anew, and sent from its beginning.
    for file in log_files(&settings.file).unwrap() {
        std::fs::remove_file(file).unwrap();
    }
    let second = open(settings.clone());
    log(&second, 0..1).await;
    let (forwarding, _) = start(&settings);
    second.close();
    forwarding.shut(WAIT_MAX).await;
    assert_eq!(collector.lines()[before + left.len()..], written(&settings.file));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_deleted_before_anything_was_to_be_sent_is_not_missed() {
    let (collector, to) = Collector::start(vec![]).await;
    let folder = tempfile::tempdir().unwrap();
    let settings = DecisionLogSettings { rotate_bytes: 4_096, ..settings(folder.path(), to) };
    let decisions = open(settings.clone());
    log(&decisions, 0..50).await;
    decisions.close();
    std::fs::remove_file(&log_files(&settings.file).unwrap()[0]).unwrap();
    let (forwarding, counts) = start(&settings);
    forwarding.shut(WAIT_MAX).await;
    let left = written(&settings.file);
    assert_eq!(collector.lines(), left);
    let sent = left.len() as u64;
    assert_eq!(counts.vitals(), ForwardVitals { sent, ..Default::default() });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_file_cannot_be_sent() {
    let (_, to) = Collector::start(vec![]).await;
    let device = DecisionLogSettings { file: "/dev/null".into(), ..settings(Path::new("/"), to) };
    let refused = LogForwarding::start(&device, Arc::default()).unwrap_err();
    assert!(refused.to_string().contains("/dev/null"), "{refused}");
}
