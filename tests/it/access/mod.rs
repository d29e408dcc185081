//! Service callers: who may call what, on every surface, and until when.

mod command_line;
mod matrix;
mod scopes;
pub(crate) mod surfaces;

use std::collections::BTreeSet;
use std::sync::Arc;

use camgate::catalog::Catalog;
use camgate::directory::service_caller::{Accounts, Right, Rights, ServiceCaller};
use camgate::gate::GateSettings;
use camgate::node::{
    Node, NodeSettings, SystemClock, create_caller, create_token, delete_caller, delete_token,
};
use camgate::service::bearer::Bearer;
use camgate::service::{GrpcServer, GrpcSettings, HttpServer, HttpSettings};
use camgate::store::{MemoryStore, Store};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::oneshot;
use tonic::transport::Channel;

use crate::support::change_log::trace;

pub(crate) const ROOT: u64 = 12_345_678;
pub(crate) const OTHER: u64 = 87_654_321;

/// A server that wants callers to be known, and the store that it is on.
pub(crate) struct Guarded {
    store: Arc<MemoryStore>,
    node: Arc<Node>,
    pub(crate) channel: Channel,
    grpc: SocketAddr,
    http: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl Guarded {
    async fn start() -> Self {
        Self::start_with(NodeSettings::default()).await
    }

    /// As `start`, with settings of the test's.
    pub(crate) async fn start_with(settings: NodeSettings) -> Self {
        let store = Arc::new(MemoryStore::new());
        let catalog = Arc::new(Catalog::builtin().clone());
        let settings = NodeSettings { callers_required: true, ..settings };
        let clock = Arc::new(SystemClock);
        let shared: Arc<dyn Store> = store.clone();
        let node = Node::start(shared, catalog, clock, None, settings).await.unwrap();
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let grpc = GrpcServer::bind(Arc::clone(&node), loopback, GrpcSettings::default());
        let grpc = grpc.await.unwrap();
        let surfaces = HttpSettings { gate: GateSettings::default(), ..HttpSettings::default() };
        let http = HttpServer::bind(Arc::clone(&node), loopback, surfaces).await.unwrap();
        let (address, http_address) = (grpc.address(), http.address());
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(async move {
            let until = async {
                let _ = stopped.await;
            };
            grpc.serve_with(http, until, Duration::from_secs(1)).await.unwrap();
        });
        let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect_lazy();
        Self { store, node, channel, grpc: address, http: http_address, _stop: stop }
    }

    async fn applied(&self) {
        let head = self.store.head().await.unwrap();
        self.node.wait_at_least(Some(head)).await.unwrap();
    }

    /// Registers a caller with a token, and gives the token.
    pub(crate) async fn caller(&self, name: &str, rights: Rights) -> String {
        let caller = ServiceCaller { name: name.to_owned(), rights, ..Default::default() };
        create_caller(&*self.store, &trace(), &caller).await.unwrap();
        self.token(name, None).await.1
    }

    /// Gives a caller one token more: its id, and its text.
    async fn token(&self, name: &str, expires_at_ms: Option<i64>) -> (String, String) {
        let (made, _) =
            create_token(&*self.store, &trace(), name, "测试", expires_at_ms).await.unwrap();
        self.applied().await;
        (made.id.clone(), made.expose().to_owned())
    }

    async fn revoke(&self, name: &str, id: &str) {
        delete_token(&*self.store, &trace(), name, id).await.unwrap();
        self.applied().await;
    }

    async fn delete(&self, name: &str) {
        delete_caller(&*self.store, &trace(), name).await.unwrap();
        self.applied().await;
    }
}

/// One right, everywhere.
pub(crate) fn only(right: Right) -> Rights {
    let mut rights = Rights::default();
    match right {
        Right::Check => rights.check = Accounts::All,
        Right::Explain => rights.explain = Accounts::All,
        Right::Administer => rights.administer = Accounts::All,
        Right::Watch => rights.watch = Accounts::All,
        Right::Operate => rights.operate = true,
    }
    rights
}

/// Every right, in one account.
fn all_in(owner_uin: u64) -> Rights {
    let here = || Accounts::Only(BTreeSet::from([owner_uin]));
    Rights {
        check: here(),
        explain: here(),
        administer: here(),
        watch: here(),
        ..Rights::default()
    }
}

/// Who shows this token.
pub(crate) fn bearer(token: &str) -> Bearer {
    Bearer::new(token).unwrap()
}
