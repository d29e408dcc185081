//! A server that is asked too much, or by clients that mean no good: whom it sends away, whom it
//! cuts, and who is served all the same.

mod calls;
mod connections;
mod door;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use camgate::catalog::Catalog;
use camgate::node::{Node, NodeSettings, SystemClock};
use camgate::service::proto as pb;
use camgate::service::proto::administration_service_client::AdministrationServiceClient;
use camgate::service::proto::authorization_service_client::AuthorizationServiceClient;
use camgate::service::proto::watch_service_client::WatchServiceClient;
use camgate::service::{GrpcServer, GrpcSettings, HttpServer, HttpSettings, LimitSettings};
use camgate::store::{MemoryStore, Revision};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tonic::transport::Channel;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};

use self::wire::within;

pub(super) const ROOT: u64 = 12_345_678;
pub(super) const CHECK: &str = "/camgate.v1.AuthorizationService/Check";
pub(super) const BATCH: &str = "/camgate.v1.AuthorizationService/BatchCheck";

/// Both ports of one node, with limits.
pub(super) struct Bed {
    node: Arc<Node>,
    pub(super) grpc: SocketAddr,
    pub(super) http: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl Bed {
    /// With an account; whoever waits for a revision waits for as long as it takes.
    pub(super) async fn start(limits: LimitSettings) -> Self {
        let settings = NodeSettings { at_least_wait_ms: 600_000, ..NodeSettings::default() };
        let catalog = Arc::new(Catalog::builtin().clone());
        let store = Arc::new(MemoryStore::new());
        let node = Node::start(store, catalog, Arc::new(SystemClock), None, settings);
        let node = node.await.unwrap();
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let settings = GrpcSettings { limits, ..GrpcSettings::default() };
        let grpc = GrpcServer::bind(Arc::clone(&node), loopback, settings).await.unwrap();
        let settings = HttpSettings { limits, ..HttpSettings::default() };
        let http = HttpServer::bind(Arc::clone(&node), loopback, settings).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let addresses = (grpc.address(), http.address());
        tokio::spawn(async move {
            let until = async {
                let _ = stopped.await;
            };
            grpc.serve_with(http, until, Duration::ZERO).await.unwrap();
        });
        let bed = Self { node, grpc: addresses.0, http: addresses.1, _stop: stop };
        let request =
            pb::CreateAccountRequest { owner_uin: ROOT, app_id: 1_250_000_001, options: None };
        bed.admin().create_account(request).await.unwrap();
        bed
    }

    fn channel(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.grpc)).unwrap().connect_lazy()
    }

    pub(super) fn admin(&self) -> AdministrationServiceClient<Channel> {
        AdministrationServiceClient::new(self.channel())
    }

    pub(super) fn authz(&self) -> AuthorizationServiceClient<Channel> {
        AuthorizationServiceClient::new(self.channel())
    }

    pub(super) fn watch(&self) -> WatchServiceClient<Channel> {
        WatchServiceClient::new(self.channel())
    }

    /// A question that is answered at once.
    pub(super) fn question() -> pb::CheckRequest {
        let id = Some(pb::principal::Id::Uin(ROOT));
        pb::CheckRequest {
            principal: Some(pb::Principal { id, owner_uin: ROOT }),
            action: "im:DescribeConfInfo".to_owned(),
            resource: "*".to_owned(),
            ..pb::CheckRequest::default()
        }
    }

    /// One that waits for a revision which nobody will write: it keeps its place.
    pub(super) fn endless(&self) -> pb::CheckRequest {
        let at_least = self.node.token(Revision(self.node.applied_revision().0 + 1_000));
        pb::CheckRequest { consistency: Some(pb::Consistency { at_least }), ..Self::question() }
    }

    /// Asks endlessly, on a connection of its own, until it is dropped.
    pub(super) async fn occupy(&self) -> Occupied {
        let (mut authz, question) = (self.authz(), self.endless());
        let checks = [("port", "grpc"), ("class", "check")];
        let before = self.metric("calls_under_way", &checks).await;
        let task = tokio::spawn(async move { drop(authz.check(question).await) });
        let is_more = move |count| count > before;
        self.until("a call under way", "calls_under_way", &checks, is_more).await;
        Occupied(task)
    }

    /// Whether a client who asks now is answered.
    pub(super) async fn serves(&self) {
        let answer = within("an answer", self.authz().check(Self::question())).await.unwrap();
        assert_eq!(answer.into_inner().decision.unwrap().outcome(), pb::Outcome::Allow);
    }

    /// Whether everybody who asks how the server is gets an answer.
    pub(super) async fn is_healthy(&self) {
        let request = HealthCheckRequest::default();
        let mut health = HealthClient::new(self.channel());
        let answer = within("gRPC health", health.check(request)).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving);
        for path in ["/healthz", "/readyz", "/metrics"] {
            let answer = self.get(path).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        }
    }

    /// One request of the HTTP port, as text.
    pub(super) async fn get(&self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        self.send(&request).await
    }

    /// One request of the HTTP port, whose answer ends the connection.
    pub(super) async fn send(&self, request: &str) -> String {
        within("an answer of the HTTP port", async {
            let mut stream = TcpStream::connect(self.http).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        })
        .await
    }

    /// A number of `/metrics`, whose line has these labels.
    pub(super) async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let text = self.get("/metrics").await;
        let has = |line: &&str| {
            let wanted =
                |(name, value): &(&str, &str)| line.contains(&format!("{name}=\"{value}\""));
            line.strip_prefix("camgate_").is_some_and(|line| {
                let rest = line.strip_prefix(name).map(|it| it.trim_start_matches("_total"));
                rest.is_some_and(|rest| rest.starts_with('{'))
            }) && labels.iter().all(wanted)
        };
        let line = text.lines().find(has).unwrap_or_else(|| panic!("no {name}: {text}"));
        line.rsplit_once(' ').unwrap().1.parse().unwrap()
    }

    /// Asks `/metrics` until a number is as it must be.
    pub(super) async fn until(
        &self,
        what: &str,
        name: &str,
        labels: &[(&str, &str)],
        is: impl Fn(u64) -> bool,
    ) {
        within(what, async { while !is(self.metric(name, labels).await) {} }).await;
    }

    /// How many connections of a port were cut for a reason.
    pub(super) async fn cut(&self, port: &str, reason: &str) -> u64 {
        self.metric("connections_cut", &[("port", port), ("reason", reason)]).await
    }
}

/// A call that goes on until it is dropped.
pub(super) struct Occupied(tokio::task::JoinHandle<()>);

impl Drop for Occupied {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[test]
fn the_documentation_has_the_limits_that_there_are() {
    let text = crate::support::repo::read("docs/reliability.md");
    // As `{:#?}` writes them, one field a line: what is missing in either is found.
    let written = format!("{:#?}", LimitSettings::default());
    let fields = written.lines().filter_map(|line| line.trim().split_once(": "));
    let mut documented = 0;
    for (key, value) in fields {
        let value = match (key, value.trim_end_matches(',')) {
            ("buffer_bytes_max", "268435456") => "256MiB",
            (_, value) => value,
        };
        let row = format!("| `{key}` | {value} |");
        assert!(text.contains(&row), "no row `{row}`");
        documented += 1;
    }
    assert_eq!(documented, text.lines().filter(|line| line.starts_with("| `")).count());
}
