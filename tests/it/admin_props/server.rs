//! A server with both protocols over one store, whose clock the test moves.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use camgate::authn::password;
use camgate::authn::vault::master_key::MasterKey;
use camgate::catalog::Catalog;
use camgate::directory::{
    AccountState, ChangeHead, Command, PasswordHash, Quotas, SealedSecret, SecretId, UnixMillis,
};
use camgate::node::{Clock, Node, NodeSettings};
use camgate::service::proto as pb;
use camgate::service::proto::administration_service_client::AdministrationServiceClient;
use camgate::service::{ApiSettings, GrpcServer, GrpcSettings, HttpServer, HttpSettings};
use camgate::store::{MemoryStore, Store, key, record};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::Channel;

use super::Outcome;
use super::model::Step;
use crate::cam::client::{CAM, Client};
use crate::cam::new_key;
use crate::directory::{OWNER, secret_id};
use crate::support::change_log::whole_log;

/// The password of every user that has one.
pub(super) const PASSWORD: &str = "Ein-Passwort-7";

/// Small quotas, so that random accounts meet them.
pub(super) fn quotas() -> Quotas {
    Quotas {
        sub_accounts_per_account_max: 6,
        groups_per_account_max: 3,
        groups_per_user_max: 2,
        attachments_per_target_max: 3,
        apps_per_account_max: 2,
        roles_per_account_max: 3,
        versions_per_policy_max: 3,
        ..Quotas::default()
    }
}

/// The master key of every server here, so that one can go on where another stopped.
fn master_key() -> MasterKey {
    static KEY: OnceLock<MasterKey> = OnceLock::new();
    KEY.get_or_init(|| MasterKey::generate().unwrap()).clone()
}

/// A clock that stands until it is moved.
#[derive(Debug)]
struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

pub(super) struct Server {
    pub(super) admin: AdministrationServiceClient<Channel>,
    node: Arc<Node>,
    clock: Arc<SetClock>,
    store: Arc<MemoryStore>,
    address: SocketAddr,
    /// The key of the root, once there is one.
    root: OnceLock<Client>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    /// A server on a store without an account, or with what another one left.
    pub(super) async fn start(store: Arc<MemoryStore>, now: i64) -> Self {
        Self::start_on(Arc::clone(&store) as _, store, now).await
    }

    /// A server on a store that keeps its records in `records`.
    pub(super) async fn start_on(
        store: Arc<dyn Store>,
        records: Arc<MemoryStore>,
        now: i64,
    ) -> Self {
        let catalog = Arc::new(Catalog::builtin().clone());
        let clock = Arc::new(SetClock(AtomicI64::new(now)));
        let settings = NodeSettings {
            master_key: Some(master_key()),
            quotas: quotas(),
            ..NodeSettings::default()
        };
        let node = Node::start(store, catalog, Arc::clone(&clock) as _, None, settings);
        let node = node.await.unwrap();
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let unlimited = ApiSettings { requests_per_second: 0, sts_requests_per_second: 0 };
        let surfaces = HttpSettings { api: unlimited, ..HttpSettings::default() };
        let grpc =
            GrpcServer::bind(Arc::clone(&node), loopback, GrpcSettings::default()).await.unwrap();
        let http = HttpServer::bind(Arc::clone(&node), loopback, surfaces).await.unwrap();
        let (uri, address) = (format!("http://{}", grpc.address()), http.address());
        let channel = Channel::from_shared(uri).unwrap().connect_lazy();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let until = async {
                let _ = stopped.await;
            };
            grpc.serve_with(http, until, Duration::from_secs(10)).await.unwrap();
        });
        let (admin, root) = (AdministrationServiceClient::new(channel), OnceLock::new());
        Self { admin, node, clock, store: records, address, root, stop, task }
    }

    pub(super) fn set_time(&self, now: i64) {
        self.clock.0.store(now, Ordering::SeqCst);
    }

    /// The account and a key of its root, each at its time, as in the model.
    pub(super) async fn set_up(&self) {
        self.clock.0.fetch_add(1, Ordering::SeqCst);
        let (owner_uin, app_id) = (OWNER.uin, OWNER.app_id);
        let request = pb::CreateAccountRequest { owner_uin, app_id, options: None };
        self.admin.clone().create_account(request).await.unwrap();
        self.clock.0.fetch_add(1, Ordering::SeqCst);
        let credential = new_key(&self.node, OWNER.uin, OWNER.uin).await;
        self.use_root(Client { address: self.address, credential });
    }

    /// Signs from now on as another server's root.
    pub(super) fn use_root(&self, root: Client) {
        self.root.set(Client { address: self.address, ..root }).unwrap();
    }

    pub(super) fn root(&self) -> &Client {
        self.root.get().unwrap()
    }

    /// One call of the API by the root, signed at the time of the clock.
    pub(super) async fn call(&self, action: &str, params: Value) -> Outcome {
        let root = self.root();
        let mut request = root.post(CAM, action, &params);
        root.sign(&mut request, CAM.0, self.clock.now().as_second());
        let code = root.send(&request).await.code();
        if code.is_empty() { Ok(()) } else { Err(code) }
    }

    /// The account as it is stored.
    pub(super) async fn state(&self) -> AccountState {
        let prefix = key::account_prefix(OWNER.uin);
        let (entries, _) = self.store.read_prefix(&prefix).await.unwrap();
        record::load_account(OWNER.uin, &entries).unwrap()
    }

    /// The operations of each entry of the change log, after its chain was proved.
    pub(super) async fn log(&self) -> Vec<String> {
        let log = whole_log(&self.node, OWNER.uin).await;
        log.into_iter().map(|(entry, _)| entry.operations.join("+")).collect()
    }

    /// The step with the ids of this server's keys in place of the model's.
    pub(super) async fn known_keys(&self, model: &AccountState, step: &Step) -> Step {
        let state = self.state().await;
        let known = |id: SecretId| {
            let Some(key) = model.access_key(id) else { return id };
            let mut keys = state.access_keys.values();
            keys.find(|it| it.created_at == key.created_at).unwrap().secret_id
        };
        let mut step = step.clone();
        for command in &mut step {
            if let Command::UpdateAccessKey(it) = command {
                it.secret_id = known(it.secret_id);
            }
            if let Command::DeleteAccessKey(it) = command {
                it.secret_id = known(it.secret_id);
            }
        }
        step
    }

    /// Sealed secrets open, stored passwords are the password, and the index has just the keys.
    pub(super) async fn check_secrets(&self) {
        let state = self.state().await;
        let vault = self.node.vault().unwrap();
        for key in state.access_keys.values() {
            vault.open_secret(OWNER.uin, key.secret_id.as_str(), &key.sealed_secret.0).unwrap();
        }
        let hashed = state.sub_accounts.values().find_map(|it| it.profile.password_hash.as_ref());
        assert!(hashed.is_none_or(|hash| password::verify(PASSWORD, &hash.0)));
        let (index, _) = self.store.read_prefix(b"k/").await.unwrap();
        let keys = state.access_keys.keys();
        let keys: Vec<_> =
            keys.map(|id| key::global_key(camgate::directory::GlobalKey::Secret(*id))).collect();
        assert_eq!(index.into_iter().map(|entry| entry.key).collect::<Vec<_>>(), keys);
    }

    /// Stops the server and waits until nothing holds its store.
    pub(super) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
    }
}

/// An account without what random numbers made different.
pub(super) fn normal(state: &AccountState) -> AccountState {
    let mut state = state.clone();
    if let Some(account) = &mut state.account {
        let account = Arc::make_mut(account);
        (account.change_head, account.census) = (ChangeHead::default(), None);
    }
    for user in state.sub_accounts.values_mut() {
        let profile = &mut Arc::make_mut(user).profile;
        profile.password_hash = profile.password_hash.take().map(|_| PasswordHash(String::new()));
    }
    let mut keys: Vec<_> = std::mem::take(&mut state.access_keys).into_values().collect();
    keys.sort_by_key(|key| key.created_at);
    let times: Vec<UnixMillis> = keys.iter().map(|key| key.created_at).collect();
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "each key has its own time");
    for (number, mut key) in (0..).zip(keys) {
        let changed = Arc::make_mut(&mut key);
        changed.secret_id = secret_id(number);
        changed.sealed_secret = SealedSecret(Vec::new().into());
        state.access_keys.insert(changed.secret_id, key);
    }
    state
}
