//! The gRPC services, in process, over every store that needs no other server.

mod acceptance;
mod administration;
mod batch_props;
mod consistency;
mod edges;
mod every_record;
mod identities;
mod loading;
mod operator_presets;
mod raw_bytes;
mod searches;
mod sessions;
mod statuses;
mod watching;

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use camgate::catalog::Catalog;
use camgate::node::{Clock, Node, NodeSettings, PolicyFiles, SystemClock};
use camgate::service::proto as pb;
use camgate::service::proto::administration_service_client::AdministrationServiceClient;
use camgate::service::proto::authorization_service_client::AuthorizationServiceClient;
use camgate::service::proto::watch_service_client::WatchServiceClient;
use camgate::service::{GrpcServer, GrpcSettings};
use camgate::store::{MemoryStore, SledStore, Store};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::Channel;

pub(crate) const ROOT: u64 = 12_345_678;
pub(crate) const APP_ID: u64 = 1_250_000_001;
pub(crate) const APPS: [u64; 3] = [1_400_000_000, 1_400_000_001, 1_400_000_002];

/// The policy of the issue.
pub(crate) const POLICY: &str = r#"{
  "version": "2.0",
  "statement": [
    {"effect": "allow", "action": "name/im:*", "resource": [
      "qcs::im::uin/12345678:sdkappid/1400000001",
      "qcs::im::uin/12345678:sdkappid/1400000002"]},
    {"effect": "deny", "action": "name/im:RemoveUser",
     "resource": "qcs::im::uin/12345678:sdkappid/1400000001"}
  ]
}"#;

pub(crate) const ALLOW_ALL: &str =
    r#"{"version":"2.0","statement":[{"effect":"allow","action":"*","resource":"*"}]}"#;
pub(crate) const DENY_ALL: &str =
    r#"{"version":"2.0","statement":[{"effect":"deny","action":"*","resource":"*"}]}"#;

/// A running server with its clients.
pub(crate) struct TestServer {
    pub(crate) node: Arc<Node>,
    pub(crate) address: SocketAddr,
    pub(crate) admin: AdministrationServiceClient<Channel>,
    pub(crate) authz: AuthorizationServiceClient<Channel>,
    pub(crate) watch: WatchServiceClient<Channel>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl TestServer {
    pub(crate) async fn start(
        store: Arc<dyn Store>,
        files: Option<PolicyFiles>,
        settings: NodeSettings,
    ) -> Self {
        Self::start_at(store, files, settings, Arc::new(SystemClock)).await
    }

    /// As `start`, with a clock of the test's.
    pub(crate) async fn start_at(
        store: Arc<dyn Store>,
        files: Option<PolicyFiles>,
        settings: NodeSettings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let catalog = Arc::new(Catalog::builtin().clone());
        let node = Node::start(store, catalog, clock, files, settings).await.unwrap();
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let server =
            GrpcServer::bind(Arc::clone(&node), loopback, GrpcSettings::default()).await.unwrap();
        let address = server.address();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let until = async {
                let _ = stopped.await;
            };
            server.serve(until, Duration::from_secs(10)).await.unwrap();
        });
        let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect_lazy();
        Self {
            node,
            address,
            admin: AdministrationServiceClient::new(channel.clone()),
            authz: AuthorizationServiceClient::new(channel.clone()),
            watch: WatchServiceClient::new(channel),
            stop: Some(stop),
            task,
        }
    }

    pub(crate) async fn memory() -> Self {
        Self::start(Arc::new(MemoryStore::new()), None, NodeSettings::default()).await
    }

    pub(crate) async fn sled(dir: &Path) -> Self {
        let store = SledStore::open(dir).await.unwrap();
        Self::start(Arc::new(store), None, NodeSettings::default()).await
    }

    /// Stops the server and waits until nothing holds its store.
    pub(crate) async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.task.await.unwrap();
    }

    /// Root account 12345678 with its three apps.
    pub(crate) async fn create_account(&mut self) {
        let request = pb::CreateAccountRequest { owner_uin: ROOT, app_id: APP_ID, options: None };
        self.admin.create_account(request).await.unwrap();
        for sdkappid in APPS {
            let request = pb::CreateAppRequest {
                owner_uin: ROOT,
                sdkappid,
                name: format!("应用 {sdkappid}"),
                ..Default::default()
            };
            self.admin.create_app(request).await.unwrap();
        }
    }

    pub(crate) async fn create_user(&mut self, name: &str) -> u64 {
        let request = pb::CreateSubAccountRequest {
            owner_uin: ROOT,
            name: name.to_owned(),
            ..Default::default()
        };
        let answer = self.admin.create_sub_account(request).await.unwrap().into_inner();
        answer.sub_account.unwrap().uin
    }

    pub(crate) async fn create_policy(&mut self, name: &str, document: &str) -> u64 {
        let request = pb::CreatePolicyRequest {
            owner_uin: ROOT,
            name: name.to_owned(),
            document: document.to_owned(),
            ..Default::default()
        };
        self.admin.create_policy(request).await.unwrap().into_inner().policy.unwrap().policy_id
    }

    pub(crate) async fn attach(&mut self, policy_id: u64, uin: u64) -> String {
        let request =
            pb::AttachPolicyRequest { owner_uin: ROOT, policy_id, uin, ..Default::default() };
        let answer = self.admin.attach_policy(request).await.unwrap().into_inner();
        answer.result.unwrap().revision
    }

    pub(crate) async fn detach(&mut self, policy_id: u64, uin: u64) -> String {
        let request =
            pb::DetachPolicyRequest { owner_uin: ROOT, policy_id, uin, ..Default::default() };
        let answer = self.admin.detach_policy(request).await.unwrap().into_inner();
        answer.result.unwrap().revision
    }

    pub(crate) async fn check(&mut self, request: pb::CheckRequest) -> pb::Decision {
        self.authz.check(request).await.unwrap().into_inner().decision.unwrap()
    }

    pub(crate) async fn outcome(&mut self, uin: u64, action: &str, resource: &str) -> pb::Outcome {
        self.check(question(uin, action, resource)).await.outcome()
    }
}

/// A question without context.
pub(crate) fn question(uin: u64, action: &str, resource: &str) -> pb::CheckRequest {
    pb::CheckRequest {
        principal: Some(pb::Principal { id: Some(pb::principal::Id::Uin(uin)), owner_uin: 0 }),
        action: action.to_owned(),
        resource: resource.to_owned(),
        ..Default::default()
    }
}

pub(crate) fn app(sdkappid: u64) -> String {
    format!("qcs::im::uin/{ROOT}:sdkappid/{sdkappid}")
}

/// Runs a test once on each store.
pub(crate) async fn on_every_store<F>(test: impl Fn(TestServer) -> F)
where
    F: Future<Output = TestServer>,
{
    test(TestServer::memory().await).await.stop().await;
    let dir = tempfile::tempdir().unwrap();
    test(TestServer::sled(dir.path()).await).await.stop().await;
}
