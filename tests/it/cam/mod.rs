//! The CAM API 3.0 and STS over HTTP, in process.

mod attachments;
pub(crate) mod client;
mod described;
mod description;
mod drain;
mod groups;
mod keys;
mod policies;
mod rights;
mod sts;
mod users;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use camgate::authn::vault::master_key::MasterKey;
use camgate::catalog::Catalog;
use camgate::gate::GateSettings;
use camgate::node::{Node, NodeSettings, SystemClock};
use camgate::service::envoy::auth::authorization_client::AuthorizationClient as EnvoyClient;
use camgate::service::proto as pb;
use camgate::service::proto::administration_service_client::AdministrationServiceClient;
use camgate::service::proto::authorization_service_client::AuthorizationServiceClient;
use camgate::service::{ApiSettings, GrpcServer, GrpcSettings, HttpServer, HttpSettings};
use camgate::store::{MemoryStore, Store};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::Channel;

use client::{Client, Credential};

pub(crate) const ROOT: u64 = 12_345_678;
/// Another account.
pub(crate) const OTHER: u64 = 87_654_321;

/// A running server with an account, and a client that signs with its root's key.
pub(crate) struct CamServer {
    pub(crate) node: Arc<Node>,
    pub(crate) root: Client,
    pub(crate) authz: AuthorizationServiceClient<Channel>,
    pub(crate) envoy: EnvoyClient<Channel>,
    pub(crate) admin: AdministrationServiceClient<Channel>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl CamServer {
    pub(crate) async fn start() -> Self {
        let unlimited = ApiSettings { requests_per_second: 0, sts_requests_per_second: 0 };
        Self::start_with(Arc::new(MemoryStore::new()), unlimited).await
    }

    /// A server with a gate of these settings, where a signature counts as often as `node` says.
    pub(crate) async fn start_gate(gate: GateSettings, settings: NodeSettings) -> Self {
        Self::start_gate_on(Arc::new(MemoryStore::new()), gate, settings).await
    }

    pub(crate) async fn start_gate_on(
        store: Arc<dyn Store>,
        gate: GateSettings,
        settings: NodeSettings,
    ) -> Self {
        let api = ApiSettings { requests_per_second: 0, sts_requests_per_second: 0 };
        let surfaces = HttpSettings { api, gate, ..HttpSettings::default() };
        Self::start_surfaces(store, surfaces, settings).await
    }

    pub(crate) async fn start_with(store: Arc<dyn Store>, api: ApiSettings) -> Self {
        let surfaces = HttpSettings { api, ..HttpSettings::default() };
        Self::start_surfaces(store, surfaces, NodeSettings::default()).await
    }

    async fn start_surfaces(
        store: Arc<dyn Store>,
        surfaces: HttpSettings,
        settings: NodeSettings,
    ) -> Self {
        let catalog = Arc::new(Catalog::builtin().clone());
        let master_key = Some(MasterKey::generate().unwrap());
        let settings = NodeSettings { master_key, ..settings };
        let node =
            Node::start(store, catalog, Arc::new(SystemClock), None, settings).await.unwrap();
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let settings = GrpcSettings { gate: surfaces.gate.clone(), ..GrpcSettings::default() };
        let grpc = GrpcServer::bind(Arc::clone(&node), loopback, settings).await.unwrap();
        let http = HttpServer::bind(Arc::clone(&node), loopback, surfaces).await.unwrap();
        let (channel, address) = (format!("http://{}", grpc.address()), http.address());
        let channel = Channel::from_shared(channel).unwrap().connect_lazy();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let until = async {
                let _ = stopped.await;
            };
            grpc.serve_with(http, until, Duration::from_secs(10)).await.unwrap();
        });
        let mut admin = AdministrationServiceClient::new(channel.clone());
        for (owner_uin, app_id) in [(ROOT, 1_250_000_001), (OTHER, 1_250_000_002)] {
            let request = pb::CreateAccountRequest { owner_uin, app_id, options: None };
            admin.create_account(request).await.unwrap();
        }
        let credential = new_key(&node, ROOT, ROOT).await;
        let root = Client { address, credential };
        let authz = AuthorizationServiceClient::new(channel.clone());
        let envoy = EnvoyClient::new(channel);
        Self { node, root, authz, envoy, admin, stop: Some(stop), task }
    }

    /// The root of the other account.
    pub(crate) async fn other(&self) -> Client {
        let credential = new_key(&self.node, OTHER, OTHER).await;
        Client { address: self.root.address, credential }
    }

    /// Stops the server and waits until nothing holds its store.
    pub(crate) async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.task.await.unwrap();
    }
}

/// A key for a holder, made as the server's own set-up does.
pub(crate) async fn new_key(node: &Node, owner_uin: u64, holder: u64) -> Credential {
    let key = node.new_key(owner_uin).unwrap();
    node.add_key(owner_uin, holder, &key, "").await.unwrap();
    let (id, secret) = (key.secret_id.to_string(), key.secret.expose().to_owned());
    Credential { id, secret, token: None }
}
