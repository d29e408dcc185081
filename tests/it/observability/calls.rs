//! Calls of every protocol are counted once, by how they ended.

use camgate::service::envoy::auth::CheckRequest;
use camgate::service::envoy::auth::authorization_client::AuthorizationClient;
use tokio_stream::wrappers::ReceiverStream;

use super::*;

/// How often a call of a method has ended like this.
fn calls(samples: &BTreeMap<String, f64>, method: &str, ending: &str) -> f64 {
    let name = format!("camgate_calls_total{{{method},{ending}}}");
    samples.get(&name).copied().unwrap_or(0.0)
}

const OK: &str = r#"result="ok",code="OK",reason="""#;
const CHECK: &str = r#"surface="grpc",method="Check""#;
const STREAM: &str = r#"surface="grpc",method="StreamCheck""#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grpc_calls_are_counted_by_their_ends() {
    let server = Observed::start().await;
    let before = server.samples().await;
    // What was never called is there, as nothing.
    assert_eq!(before[&format!("camgate_calls_total{{{CHECK},{OK}}}")], 0.0);
    server.create_account().await;
    let mut authz = server.authz();
    for _ in 0..3 {
        authz.check(question(OWNER, "im:DescribeConfInfo")).await.unwrap();
    }
    assert!(authz.check(question(OWNER, "not an action")).await.is_err());
    let consistency = Some(pb::Consistency { at_least: "x".to_owned() });
    let token = pb::CheckRequest { consistency, ..question(OWNER, "im:DescribeConfInfo") };
    assert!(authz.check(token).await.is_err());
    let samples = server.samples().await;
    let ended = |ending: &str| calls(&samples, CHECK, ending);
    assert_eq!(ended(OK), 3.0);
    let reason = "InvalidParameter.ActionError";
    let refused =
        |reason: &str| format!(r#"result="refused",code="INVALID_ARGUMENT",reason="{reason}""#);
    assert_eq!(ended(&refused(reason)), 1.0);
    assert_eq!(ended(&refused("BAD_TOKEN")), 1.0);
    let timed = |part: &str| samples[&format!("camgate_call_duration_seconds_{part}")];
    assert_eq!(timed(&format!("count{{{CHECK}}}")), 5.0);
    assert_eq!(timed(&format!("bucket{{le=\"+Inf\",{CHECK}}}")), 5.0);
    assert!(timed(&format!("sum{{{CHECK}}}")) > 0.0);
    let created = r#"surface="grpc",method="CreateApp""#;
    assert_eq!(calls(&samples, created, OK), 1.0);
    assert_eq!(samples["camgate_store_commit_duration_seconds_count"], 2.0);
    assert!(samples[r#"camgate_cache_lookups_total{cache="index",result="miss"}"#] >= 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_are_counted_while_they_are_open() {
    let server = Observed::start().await;
    server.create_account().await;
    let (questions, asked) = tokio::sync::mpsc::channel(64);
    let stream = server.authz().stream_check(ReceiverStream::new(asked)).await.unwrap();
    let mut answers = stream.into_inner();
    for at in 0..33 {
        let action = if at == 32 { "not an action" } else { "im:DescribeConfInfo" };
        questions.send(question(OWNER, action)).await.unwrap();
        answers.message().await.unwrap().unwrap();
    }
    let open = format!("camgate_open_streams{{{STREAM}}}");
    let samples = server.samples().await;
    assert_eq!((samples[&open], calls(&samples, STREAM, OK)), (1.0, 32.0));
    // The first of every sixteen is timed.
    assert_eq!(samples[&format!("camgate_call_duration_seconds_count{{{STREAM}}}")], 3.0);
    drop(questions);
    assert!(answers.message().await.unwrap().is_none());
    server.until(|samples| samples[&open] == 0.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_calls_are_counted_by_their_ends() {
    let server = Observed::start().await;
    let post = |path: &str, header: &str, body: &str| {
        let length = body.len();
        format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: \
             application/json\r\n{header}Content-Length: {length}\r\n\r\n{body}"
        )
    };
    server.send(&post("/access/v1/evaluation", "", "{}")).await;
    server.send(&post("/", "", "{}")).await;
    let action = "X-TC-Action: DescribeEverything\r\nX-TC-Version: 2019-01-16\r\n";
    server.send(&post("/", action, "{}")).await;
    let known = action.replace("DescribeEverything", "GetUser");
    server.send(&post("/", &known, "{}")).await;
    server.send(&post("/gate/v1/session", "", "{}")).await;
    server.send("GET /gate/v1/forward-auth HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    let mut envoy = AuthorizationClient::new(server.channel.clone());
    envoy.check(CheckRequest::default()).await.unwrap();
    let samples = server.samples().await;
    let of = |surface: &str, method: &str| -> f64 {
        let prefix =
            format!("camgate_calls_total{{surface=\"{surface}\",method=\"{method}\",result=");
        let refused = format!("{prefix}\"refused\"");
        samples.iter().filter(|(name, _)| name.starts_with(&refused)).map(|(_, it)| it).sum()
    };
    assert_eq!(of("authzen", "evaluation"), 1.0);
    // What a client makes up is no label.
    assert_eq!((of("cam_api", "unknown"), of("cam_api", "GetUser")), (2.0, 1.0));
    assert!(!samples.keys().any(|name| name.contains("DescribeEverything")));
    assert_eq!(of("console", "sign_in"), 1.0);
    assert_eq!((of("forward_auth", "check"), of("ext_authz", "check")), (1.0, 1.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_that_fail_are_counted_and_certificates_end_in_time() {
    let server = Observed::start().await;
    let mut stream = TcpStream::connect(server.http).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    server.until(|samples| samples["camgate_tls_handshakes_failed_total"] == 1.0).await;
    let samples = server.samples().await;
    assert!(samples["camgate_tls_handshakes_total"] > 1.0);
    for certificate in ["server", "client_ca"] {
        let name =
            format!("camgate_certificate_remaining_seconds{{certificate=\"{certificate}\"}}");
        assert!(samples[&name] > 3_600.0, "{samples:?}");
    }
    assert!(server.folder.path().exists());
}
