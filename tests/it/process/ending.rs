//! Ready, then told to end: what is under way is answered, nothing new is taken, status 0.

use std::fs;
use std::future::Future;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::time::{Duration, Instant};
#[cfg(feature = "etcd")]
use std::{net::TcpListener, process::Command, process::Stdio};

use camgate::service::proto;
use proto::authorization_service_client::AuthorizationServiceClient;
use proto::watch_service_client::WatchServiceClient;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_prost::ProstCodec;

use crate::command::Served;
#[cfg(feature = "etcd")]
use crate::command::{command, ran};

const OWNER: u64 = 12_345_678;
/// Longest wait for anything here, on a busy machine.
const TIME_MAX: Duration = Duration::from_secs(30);

const QUESTION: &str = r#"{"subject":{"type":"user","id":"12345678"},"action":{"name":"DescribeConfInfo"},"resource":{"type":"sdkappid","id":"1400000001"}}"#;

/// A request whose body is held back: the server has its head, and waits.
struct Held {
    stream: BufReader<TcpStream>,
}

impl Held {
    fn begin(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(TIME_MAX)).unwrap();
        let mut held = Self { stream: BufReader::new(stream) };
        let head = format!(
            "POST /access/v1/evaluation HTTP/1.1\r\nHost: pdp.test\r\nExpect: 100-continue\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            QUESTION.len()
        );
        held.stream.get_mut().write_all(head.as_bytes()).unwrap();
        // Said when the body is wanted, so the request is under way.
        let mut line = String::new();
        held.stream.read_line(&mut line).unwrap();
        assert_eq!(line, "HTTP/1.1 100 Continue\r\n");
        held.stream.read_line(&mut line).unwrap();
        held
    }

    /// The rest of the request, and what came of it; nothing when it was cut off.
    fn end(mut self) -> String {
        let mut answer = String::new();
        // Either fails when the server has gone.
        if self.stream.get_mut().write_all(QUESTION.as_bytes()).is_ok() {
            let _ = self.stream.read_to_string(&mut answer);
        }
        answer
    }
}

fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(TIME_MAX)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: pdp.test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Waits until nothing listens there any more.
fn until_closed(address: SocketAddr) {
    let started = Instant::now();
    while TcpStream::connect(address).is_ok() {
        assert!(started.elapsed() < TIME_MAX, "it still listens on {address}");
        std::thread::yield_now();
    }
}

/// A client whose question is under way: its head is sent, its message is held back.
struct Client {
    channel: Channel,
    message: mpsc::Sender<proto::CheckRequest>,
    answer: Pin<Box<dyn Future<Output = Result<proto::CheckResponse, Status>>>>,
}

impl Client {
    async fn begin(url: String) -> Self {
        let channel = Channel::from_shared(url).unwrap().connect().await.unwrap();
        let (message, messages) = mpsc::channel(1);
        let mut held = tonic::client::Grpc::new(channel.clone());
        held.ready().await.unwrap();
        // As any unary call looks on the wire, but for the time between its two parts.
        let mut answer: Pin<Box<dyn Future<Output = _>>> = Box::pin(async move {
            let request = Request::new(ReceiverStream::new(messages));
            let path = PathAndQuery::from_static("/camgate.v1.AuthorizationService/Check");
            let codec = ProstCodec::<proto::CheckRequest, proto::CheckResponse>::default();
            held.client_streaming(request, path, codec).await.map(Response::into_inner)
        });
        let mut other = AuthorizationServiceClient::new(channel.clone());
        // Sent after the held one on the same connection, and answered: so that one has arrived.
        tokio::select! {
            biased;
            answer = &mut answer => panic!("{answer:?}"),
            other = other.check(question()) => assert!(other.is_ok(), "{other:?}"),
        }
        Self { channel, message, answer }
    }

    async fn end(self) -> Result<proto::CheckResponse, Status> {
        let Self { channel: _open, message, answer } = self;
        message.send(question()).await.unwrap();
        drop(message);
        answer.await
    }
}

fn question() -> proto::CheckRequest {
    proto::CheckRequest {
        principal: Some(proto::Principal {
            owner_uin: OWNER,
            id: Some(proto::principal::Id::Uin(OWNER)),
        }),
        action: "im:DescribeConfInfo".to_owned(),
        resource: format!("qcs::im::uin/{OWNER}:sdkappid/1400000001"),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_end_it_answers_what_is_under_way_and_takes_nothing_new() {
    let directory = tempfile::tempdir().unwrap();
    let served = Served::start(directory.path(), &["--dev"]);
    let (http, grpc): (_, SocketAddr) = (served.http(), served.address.parse().unwrap());
    assert!(get(http, "/readyz").starts_with("HTTP/1.1 200 "));
    let held = Held::begin(http);
    let client = Client::begin(served.url()).await;
    let service = HealthCheckRequest { service: "camgate.v1.AuthorizationService".to_owned() };
    let mut health = HealthClient::new(client.channel.clone());
    let mut health = health.watch(service).await.unwrap().into_inner();
    assert_eq!(health.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    let mut watch = WatchServiceClient::new(client.channel.clone());
    let request = proto::WatchRequest { owner_uin: OWNER, ..Default::default() };
    let mut watch = watch.watch(request).await.unwrap().into_inner();
    assert!(watch.message().await.unwrap().is_some());

    served.signal();
    assert_eq!(health.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    until_closed(http);
    until_closed(grpc);
    // Who watches is told to go elsewhere.
    let ended = loop {
        match watch.message().await {
            Ok(Some(_)) => {}
            ended => break ended,
        }
    };
    assert_eq!(ended.unwrap_err().code(), Code::Unavailable);
    drop(health);
    let answer = held.end();
    assert!(answer.contains("HTTP/1.1 200 ") && answer.contains("\"decision\":true"), "{answer}");
    let decision = client.end().await.unwrap().decision.unwrap();
    assert_eq!(decision.outcome(), proto::Outcome::Allow);
    let (status, said) = served.wait();
    assert_eq!(status, Some(0), "{said:?}");
    assert!(!said.iter().any(|line| line.contains("cut off")), "{said:?}");
}

#[test]
fn a_second_signal_and_the_limit_cut_off_what_is_under_way() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    fs::write(folder.join("patient.toml"), "drain_seconds = 3600").unwrap();
    fs::write(folder.join("hurried.toml"), "drain_seconds = 0").unwrap();
    for (config, signals, why) in
        [("patient.toml", 2, "told to end once more"), ("hurried.toml", 1, "time for it is over")]
    {
        let served = Served::start(folder, &["--dev", "--config", config]);
        let http = served.http();
        let held = Held::begin(http);
        for _ in 0..signals {
            served.signal();
            until_closed(http);
        }
        let (status, said) = served.wait();
        assert_eq!(status, Some(0), "{config}: {said:?}");
        assert!(said.iter().any(|line| line.contains(why)), "{config}: {said:?}");
        assert_eq!(held.end(), "", "{config}");
    }
}

/// A store that answers only after a while keeps nobody from ending the start.
#[cfg(feature = "etcd")]
#[test]
fn told_to_end_while_it_starts_it_ends() {
    let directory = tempfile::tempdir().unwrap();
    // Accepts, so that the start waits, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let store = format!("etcd:http://{}", silent.local_addr().unwrap());
    let free = ["serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--store", &store];
    let mut program = command(directory.path(), &free);
    let child = program.stderr(Stdio::piped()).spawn().unwrap();
    let _connection = silent.accept().unwrap();
    let pid = child.id().to_string();
    assert!(Command::new("kill").arg(&pid).status().unwrap().success());
    let ended = ran(child.wait_with_output().unwrap());
    assert_eq!(ended.status, 0, "{ended:?}");
    assert!(ended.err.contains("told to end before it was ready"), "{ended:?}");
}
