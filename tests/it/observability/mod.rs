//! What an operator sees: metrics and slow calls.

mod calls;
mod documented;
mod packaged;
mod slow;
#[cfg(feature = "otlp")]
mod traces;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use camgate::audit::decision_log::{DecisionLogSettings, ForwardTo};
use camgate::catalog::Catalog;
use camgate::node::{CallObserver, EndedCall, Node, NodeSettings, SpanVitals, SystemClock};
use camgate::service::proto as pb;
use camgate::service::proto::administration_service_client::AdministrationServiceClient;
use camgate::service::proto::authorization_service_client::AuthorizationServiceClient;
use camgate::service::transport::{ClientCertificates, Tls, TlsSettings};
use camgate::service::{GrpcServer, GrpcSettings, HttpServer, HttpSettings, Sampling};
use camgate::store::{MemoryStore, Store};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tonic::transport::Channel;

use crate::support::authority::Authority;

const OWNER: u64 = 12_345_678;
const APP: u64 = 1_400_000_000;

/// Hears of calls and sends nothing.
#[derive(Debug)]
struct Untold;

impl CallObserver for Untold {
    fn ended(&self, _call: &EndedCall<'_>) {}

    fn vitals(&self) -> SpanVitals {
        SpanVitals::default()
    }
}

/// A server with everything that has metrics: a decision log, and TLS on the HTTP port.
struct Observed {
    folder: TempDir,
    authority: Authority,
    channel: Channel,
    http: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl Observed {
    async fn start() -> Self {
        Self::start_on(Arc::new(MemoryStore::new()), NodeSettings::default()).await
    }

    /// With traced calls.
    #[cfg(feature = "otlp")]
    async fn start_traced(spans: Arc<dyn CallObserver>, sampling: Sampling) -> Self {
        let store = Arc::new(MemoryStore::new());
        Self::start_with(store, NodeSettings::default(), spans, Some(sampling)).await
    }

    async fn start_on(store: Arc<dyn Store>, settings: NodeSettings) -> Self {
        Self::start_with(store, settings, Arc::new(Untold), None).await
    }

    async fn start_with(
        store: Arc<dyn Store>,
        settings: NodeSettings,
        observer: Arc<dyn CallObserver>,
        sampling: Option<Sampling>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let forward = ForwardTo { endpoint: "http://127.0.0.1:1".to_owned(), ca_file: None };
        let log = DecisionLogSettings {
            // Nobody sends here; the metrics are there.
            forward: Some(forward),
            ..DecisionLogSettings::new(folder.path().join("decisions.jsonl"))
        };
        let settings = NodeSettings { decision_log: Some(log), ..settings };
        let catalog = Arc::new(Catalog::builtin().clone());
        let node = Node::start(store, catalog, Arc::new(SystemClock), None, settings);
        let node = node.await.unwrap();
        node.observe_calls(observer);
        let authority = Authority::new("camgate's");
        let tls = Tls::load(certificates(&folder, &authority)).unwrap();
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let surfaces = GrpcSettings { sampling, ..GrpcSettings::default() };
        let grpc = GrpcServer::bind(Arc::clone(&node), loopback, surfaces).await.unwrap();
        let surfaces = HttpSettings { tls: Some(tls), sampling, ..HttpSettings::default() };
        let http = HttpServer::bind(node, loopback, surfaces).await.unwrap();
        let (address, http_address) = (grpc.address(), http.address());
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(async move {
            let until = async {
                let _ = stopped.await;
            };
            grpc.serve_with(http, until, Duration::from_secs(1)).await.unwrap();
        });
        let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect_lazy();
        Self { folder, authority, channel, http: http_address, _stop: stop }
    }

    fn authz(&self) -> AuthorizationServiceClient<Channel> {
        AuthorizationServiceClient::new(self.channel.clone())
    }

    /// Makes the account with one app; gives the token of what it wrote.
    async fn create_account(&self) -> String {
        let mut admin = AdministrationServiceClient::new(self.channel.clone());
        let account =
            pb::CreateAccountRequest { owner_uin: OWNER, app_id: 1_250_000_001, options: None };
        admin.create_account(account).await.unwrap();
        let app = pb::CreateAppRequest {
            owner_uin: OWNER,
            sdkappid: APP,
            name: "support".to_owned(),
            ..Default::default()
        };
        admin.create_app(app).await.unwrap().into_inner().result.unwrap().revision
    }

    /// Sends a request to the HTTP port, and gives the whole answer.
    async fn send(&self, request: &str) -> String {
        let mut roots = RootCertStore::empty();
        let authority = self.authority.pem();
        roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let stream = TcpStream::connect(self.http).await.unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        answer(connector.connect(name, stream).await.unwrap(), request).await
    }

    /// What `/metrics` says.
    async fn metrics(&self) -> String {
        let answer =
            self.send("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains("content-type: application/openmetrics-text;"), "{head}");
        assert!(body.ends_with("# EOF\n"), "{body}");
        body.to_owned()
    }

    /// Its samples, by name and labels.
    async fn samples(&self) -> BTreeMap<String, f64> {
        samples(&self.metrics().await)
    }

    /// Its samples, when they are so.
    async fn until(&self, is_so: impl Fn(&BTreeMap<String, f64>) -> bool) {
        let asking = async {
            loop {
                if is_so(&self.samples().await) {
                    break;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), asking).await.unwrap();
    }
}

fn certificates(folder: &TempDir, authority: &Authority) -> TlsSettings {
    let pair = authority.sign("camgate.test");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    TlsSettings {
        certificate_file: write("server.pem", &pair.certificate),
        key_file: write("server.key", &pair.key),
        client_ca_file: Some(write("clients.pem", &authority.pem())),
        client_certificates: ClientCertificates::Optional,
    }
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, number) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), number.parse().unwrap())
        })
        .collect()
}

fn question(uin: u64, action: &str) -> pb::CheckRequest {
    pb::CheckRequest {
        principal: Some(pb::Principal { id: Some(pb::principal::Id::Uin(uin)), owner_uin: OWNER }),
        action: action.to_owned(),
        resource: format!("qcs::im::uin/{OWNER}:sdkappid/{APP}"),
        ..Default::default()
    }
}
