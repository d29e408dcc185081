//! TLS on both ports: who gets in, who does not, and certificates that change while it runs.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use camgate::catalog::Catalog;
use camgate::directory::service_caller::{Accounts, Rights, ServiceCaller};
use camgate::node::{Node, NodeSettings, SystemClock, create_caller};
use camgate::service::proto as pb;
use camgate::service::proto::administration_service_client::AdministrationServiceClient;
use camgate::service::transport::{ClientCertificates, Tls, TlsSettings};
use camgate::service::{GrpcServer, GrpcSettings, HttpServer, HttpSettings};
use camgate::store::MemoryStore;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};

use crate::command::{Served, offline};
use crate::support::authority::{Authority, Pair};
use crate::support::change_log::trace;

/// A server with certificates in a folder.
struct Secured {
    grpc: SocketAddr,
    http: SocketAddr,
    tls: Arc<Tls>,
    _stop: oneshot::Sender<()>,
}

fn write_pair(folder: &Path, name: &str, pair: &Pair) -> (PathBuf, PathBuf) {
    let (certificate, key) =
        (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    fs::write(&certificate, &pair.certificate).unwrap();
    fs::write(&key, &pair.key).unwrap();
    (certificate, key)
}

fn settings(folder: &Path, server: &Authority, wanted: ClientCertificates) -> TlsSettings {
    let (certificate_file, key_file) = write_pair(folder, "server", &server.sign("camgate.test"));
    let client_ca_file = folder.join("clients.pem");
    fs::write(&client_ca_file, server.pem()).unwrap();
    let client_ca_file = (wanted != ClientCertificates::None).then_some(client_ca_file);
    TlsSettings { certificate_file, key_file, client_ca_file, client_certificates: wanted }
}

async fn start(settings: TlsSettings) -> Secured {
    start_on(Arc::new(MemoryStore::new()), settings, NodeSettings::default()).await
}

async fn start_on(
    store: Arc<MemoryStore>,
    settings: TlsSettings,
    node_settings: NodeSettings,
) -> Secured {
    let catalog = Arc::new(Catalog::builtin().clone());
    let node = Node::start(store, catalog, Arc::new(SystemClock), None, node_settings);
    let node = node.await.unwrap();
    let tls = Tls::load(settings).unwrap();
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let surfaces = GrpcSettings { tls: Some(Arc::clone(&tls)), ..GrpcSettings::default() };
    let grpc = GrpcServer::bind(Arc::clone(&node), loopback, surfaces).await.unwrap();
    let surfaces = HttpSettings { tls: Some(Arc::clone(&tls)), ..HttpSettings::default() };
    let http = HttpServer::bind(node, loopback, surfaces).await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let addresses = (grpc.address(), http.address());
    tokio::spawn(async move {
        let until = async {
            let _ = stopped.await;
        };
        grpc.serve_with(http, until, Duration::from_secs(1)).await.unwrap();
    });
    Secured { grpc: addresses.0, http: addresses.1, tls, _stop: stop }
}

/// Who a client believes, and what it shows.
#[derive(Clone, Copy)]
struct Client<'a> {
    believes: &'a Authority,
    shows: Option<&'a Pair>,
}

impl Client<'_> {
    /// Whether a call of the gRPC port is answered.
    async fn grpc(self, address: SocketAddr) -> Result<(), String> {
        let mut tls =
            ClientTlsConfig::new().ca_certificate(Certificate::from_pem(self.believes.pem()));
        if let Some(pair) = self.shows {
            tls = tls.identity(Identity::from_pem(&pair.certificate, &pair.key));
        }
        let endpoint = Channel::from_shared(format!("https://{address}")).unwrap();
        let channel = endpoint.tls_config(tls).unwrap().connect().await;
        let channel = channel.map_err(|error| format!("{error:?}"))?;
        let mut admin = AdministrationServiceClient::new(channel);
        let listed = admin.list_accounts(pb::ListAccountsRequest::default()).await;
        listed.map(|_| ()).map_err(|status| format!("{status:?}"))
    }

    /// Whether a call of the HTTP port is answered.
    async fn http(self, address: SocketAddr) -> Result<(), String> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.believes.pem().as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots);
        let config = match self.shows {
            Some(pair) => {
                let chain = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
                config.with_client_auth_cert(vec![chain], key).unwrap()
            }
            None => config.with_no_client_auth(),
        };
        let failed = |error: std::io::Error| error.to_string();
        let stream = TcpStream::connect(address).await.map_err(failed)?;
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let mut stream = connector.connect(name, stream).await.map_err(failed)?;
        let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.map_err(failed)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.map_err(failed)?;
        let is_fine = answer.starts_with(b"HTTP/1.1 200");
        if is_fine { Ok(()) } else { Err(String::from_utf8_lossy(&answer).into_owned()) }
    }

    async fn both(self, server: &Secured) -> [Result<(), String>; 2] {
        [self.grpc(server.grpc).await, self.http(server.http).await]
    }
}

async fn is_let_in(client: Client<'_>, server: &Secured) {
    assert_eq!(client.both(server).await, [Ok(()), Ok(())]);
}

async fn is_kept_out(client: Client<'_>, server: &Secured) {
    let both = client.both(server).await;
    assert!(both.iter().all(Result::is_err), "{both:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_a_certificate_is_spoken_to_by_tls_only() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, another) = (Authority::new("ours"), Authority::new("another"));
    let server = start(settings(folder.path(), &ours, ClientCertificates::None)).await;
    is_let_in(Client { believes: &ours, shows: None }, &server).await;
    // One that does not believe the certificate does not go on, one without TLS gets nothing.
    is_kept_out(Client { believes: &another, shows: None }, &server).await;
    let plain = Channel::from_shared(format!("http://{}", server.grpc)).unwrap().connect_lazy();
    let mut admin = AdministrationServiceClient::new(plain);
    assert!(admin.list_accounts(pb::ListAccountsRequest::default()).await.is_err());
    let mut stream = TcpStream::connect(server.http).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // An error is no answer either.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_prove_who_they_are_where_they_must() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, another) = (Authority::new("ours"), Authority::new("another"));
    let (good, stranger) = (ours.sign("gateway.test"), another.sign("gateway.test"));
    let client = |shows| Client { believes: &ours, shows };
    let server = start(settings(folder.path(), &ours, ClientCertificates::Required)).await;
    is_let_in(client(Some(&good)), &server).await;
    is_kept_out(client(None), &server).await;
    is_kept_out(client(Some(&stranger)), &server).await;
    let server = start(settings(folder.path(), &ours, ClientCertificates::Optional)).await;
    is_let_in(client(Some(&good)), &server).await;
    is_let_in(client(None), &server).await;
    // One that is shown must be good, also where none need be.
    is_kept_out(client(Some(&stranger)), &server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_says_which_caller_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let ours = Authority::new("ours");
    let store = Arc::new(MemoryStore::new());
    let rights = Rights { administer: Accounts::All, ..Rights::default() };
    let identities = std::collections::BTreeSet::from(["gateway.test".to_owned()]);
    let name = "gateway".to_owned();
    let caller = ServiceCaller { name, identities, rights, ..ServiceCaller::default() };
    create_caller(&*store, &trace(), &caller).await.unwrap();
    let required = NodeSettings { callers_required: true, ..NodeSettings::default() };
    let settings = settings(folder.path(), &ours, ClientCertificates::Required);
    let server = start_on(store, settings, required).await;
    let (registered, other) = (ours.sign("gateway.test"), ours.sign("other.test"));
    let client = |shows| Client { believes: &ours, shows: Some(shows) };
    assert_eq!(client(&registered).grpc(server.grpc).await, Ok(()));
    // A good certificate of one whom nobody has registered.
    let refused = client(&other).grpc(server.grpc).await.unwrap_err();
    assert!(refused.contains("does not know who calls"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_change_while_it_runs_and_bad_ones_do_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (Authority::new("first"), Authority::new("second"));
    let server = start(settings(folder.path(), &first, ClientCertificates::Required)).await;
    let (of_first, of_second) = (first.sign("a.test"), second.sign("a.test"));
    let old = Client { believes: &first, shows: Some(&of_first) };
    let new = Client { believes: &second, shows: Some(&of_second) };
    is_let_in(old, &server).await;
    assert!(!server.tls.reload().unwrap(), "nothing has changed");
    // Half of a pair, no certificate, an empty list of authorities: the last good ones stay.
    let original = fs::read(folder.path().join("server.key")).unwrap();
    for (name, content) in [
        ("server.key", of_second.key.as_bytes()),
        ("server.key", b"nothing"),
        ("server.pem", b"nothing"),
        ("clients.pem", b""),
    ] {
        let path = folder.path().join(name);
        let before = fs::read(&path).unwrap();
        fs::write(&path, content).unwrap();
        let fault = server.tls.reload().unwrap_err().to_string();
        assert!(fault.contains(name), "{name}: {fault}");
        is_let_in(old, &server).await;
        fs::write(&path, before).unwrap();
    }
    assert_eq!(fs::read(folder.path().join("server.key")).unwrap(), original);
    fs::remove_file(folder.path().join("server.pem")).unwrap();
    assert!(server.tls.reload().unwrap_err().to_string().contains("cannot read"));
    settings(folder.path(), &second, ClientCertificates::Required);
    assert!(server.tls.reload().unwrap());
    is_let_in(new, &server).await;
    is_kept_out(old, &server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_that_does_not_come_holds_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let ours = Authority::new("ours");
    let server = start(settings(folder.path(), &ours, ClientCertificates::None)).await;
    let mut silent = Vec::new();
    for address in [server.grpc, server.http].repeat(100) {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let client = Client { believes: &ours, shows: None };
    let asked = tokio::time::timeout(Duration::from_secs(5), client.both(&server)).await;
    assert_eq!(asked.unwrap(), [Ok(()), Ok(())]);
    drop(silent);
}

#[test]
fn the_program_serves_and_asks_by_tls() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let ours = Authority::new("ours");
    fs::write(folder.join("ca.pem"), ours.pem()).unwrap();
    write_pair(folder, "server", &ours.sign("camgate.test"));
    write_pair(folder, "client", &ours.sign("operator.test"));
    let server = "[tls]\ncertificate_file = \"server.pem\"\nkey_file = \"server.key\"\n\
        client_ca_file = \"ca.pem\"\n";
    fs::write(folder.join("server.toml"), server).unwrap();
    let client = "[client]\nca_file = \"ca.pem\"\n";
    fs::write(folder.join("nobody.toml"), client).unwrap();
    let client = format!("{client}certificate_file = \"client.pem\"\nkey_file = \"client.key\"\n");
    fs::write(folder.join("client.toml"), client).unwrap();
    let served = Served::start(folder, &["--config", "server.toml", "--store", "memory"]);
    assert!(served.said.iter().any(|line| line.contains("https://")), "{:?}", served.said);
    let url = format!("https://{}", served.address);
    let ask = |config: &[&str], url: &str| {
        offline(folder, &[&["account", "list", "--server", url], config].concat())
    };
    let asked = ask(&["--config", "client.toml"], &url);
    assert_eq!(asked.status, 0, "{asked:?}");
    for (config, url, status, part) in [
        (&[][..], url.as_str(), 2, "needs `[client] ca_file`"),
        (&["--config", "nobody.toml"], &url, 3, "certificate"),
        (&["--config", "client.toml"], &served.url(), 3, "asked at `https://`"),
    ] {
        let asked = ask(config, url);
        assert_eq!(asked.status, status, "{config:?}: {asked:?}");
        assert!(asked.err.contains(part), "{config:?}: {asked:?}");
    }
}

#[test]
fn what_cannot_be_served_safely_is_refused_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let ours = Authority::new("ours");
    write_pair(folder, "server", &ours.sign("camgate.test"));
    write_pair(folder, "other", &ours.sign("camgate.test"));
    let write = |name: &str, certificate: &str, key: &str| {
        let text = format!("[tls]\ncertificate_file = \"{certificate}\"\nkey_file = \"{key}\"\n");
        fs::write(folder.join(name), text).unwrap();
    };
    write("good.toml", "server.pem", "server.key");
    write("mixed.toml", "server.pem", "other.key");
    write("missing.toml", "none.pem", "server.key");
    let open = ["--grpc", "0.0.0.0:0", "--http", "0.0.0.0:0", "--store", "memory"];
    for (args, part) in [
        (&["--config", "mixed.toml", "--store", "memory"][..], "cannot use the certificate"),
        (&["--config", "missing.toml", "--store", "memory"], "cannot read `none.pem`"),
        (&["--config", "good.toml", "--dev"], "`dev` and `[tls]`"),
        (&open, "neither TLS nor authentication"),
        // TLS alone says nothing about who calls.
        (&[&open[..], &["--config", "good.toml"]].concat(), "`[callers] required = true`"),
    ] {
        let ran = offline(folder, &[&["serve"], args].concat());
        assert_eq!(ran.status, 2, "{args:?}: {ran:?}");
        assert!(ran.err.contains(part), "{args:?}: {ran:?}");
    }
    let served = Served::start(folder, &[&open[4..], &["--insecure"]].concat());
    assert!(served.said.iter().any(|line| line.contains("may ask and administer")));
}
