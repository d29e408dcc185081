//! Temporary credentials: made, used as principals, and ended (rules D-25, D-26, D-27).

mod ends;
mod makes;
mod uses;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use camgate::authn::tc3::RequestParts;
use camgate::authn::vault::master_key::MasterKey;
use camgate::directory::{
    AttachPolicy, Command, CreateRole, PolicyId, RoleId, SecretId, Target, execute,
};
use camgate::lang::condition::Context;
use camgate::node::{
    AssumeRole, Caller, CallerError, Clock, Credentials, FederationToken, NewKey, Node,
    NodeSettings, Prepared, RoleName, StsError, WhichRole, WriteJob, WriteOptions,
};
use camgate::service::proto as pb;
use camgate::store::{MemoryStore, Revision, Store};

use super::{ALLOW_ALL, APPS, ROOT, TestServer, app};
use crate::cam::client::{Credential, Outgoing, authorization};

/// When the tests begin.
const START_MS: i64 = 1_717_200_000_000;
/// The account of strangers.
const OTHER: u64 = 87_654_321;

/// A clock that moves when it is told to.
#[derive(Debug)]
struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// A server with an account, alice with a key, and a role that trusts her account.
struct World {
    server: TestServer,
    clock: Arc<TestClock>,
    alice: u64,
    key: Credential,
    role: RoleId,
}

fn settings(master: &MasterKey) -> NodeSettings {
    NodeSettings { master_key: Some(master.clone()), ..NodeSettings::default() }
}

fn trust(principal: &str) -> String {
    format!(
        r#"{{"version":"2.0","statement":[{{"effect":"allow","action":"name/sts:AssumeRole",
          "principal":{{"qcs":["{principal}"]}}}}]}}"#
    )
}

fn policy(effect: &str, action: &str) -> String {
    format!(
        r#"{{"version":"2.0","statement":[{{"effect":"{effect}","action":"{action}","resource":"*"}}]}}"#
    )
}

impl World {
    async fn new() -> Self {
        Self::over(Arc::new(MemoryStore::new()), &MasterKey::generate().unwrap()).await
    }

    async fn over(store: Arc<dyn Store>, master: &MasterKey) -> Self {
        let clock = Arc::new(TestClock(AtomicI64::new(START_MS)));
        let mut server =
            TestServer::start_at(store, None, settings(master), Arc::clone(&clock) as _).await;
        server.create_account().await;
        let alice = server.create_user("alice").await;
        let key = new_key(&server.node, ROOT, alice).await;
        let mut world = Self { server, clock, alice, key, role: RoleId(0) };
        world.role = world.role("ops", &trust(&format!("qcs::cam::uin/{ROOT}:root"))).await;
        world
    }

    fn node(&self) -> &Arc<Node> {
        &self.server.node
    }

    async fn role(&self, name: &str, trust: &str) -> RoleId {
        let (name, trust_policy) = (name.to_owned(), trust.as_bytes().to_vec());
        let command = CreateRole { name: name.clone(), trust_policy, ..Default::default() };
        self.apply(ROOT, Command::CreateRole(command)).await;
        let view = self.node().existing_view(ROOT).await.unwrap();
        view.state.role_named(&name).unwrap().id
    }

    async fn apply(&self, owner_uin: u64, command: Command) -> Revision {
        apply(self.node(), owner_uin, command).await
    }

    /// Attaches a new policy to a sub-account or a role.
    async fn grant(&mut self, target: Target, name: &str, document: &str) {
        let id = PolicyId(self.server.create_policy(name, document).await);
        self.apply(ROOT, Command::AttachPolicy(AttachPolicy { policy: id.into(), target })).await;
    }

    /// Alice may assume the role, and the role may do this.
    async fn grant_usual(&mut self, role_document: &str) {
        self.grant(Target::User(self.alice), "may-assume", &policy("allow", "sts:*")).await;
        self.grant(Target::Role(self.role.into()), "of-role", role_document).await;
    }

    async fn caller(&self, credential: &Credential) -> Result<Caller, CallerError> {
        let (clock, node) = (&self.clock, self.node());
        sign_in(node, credential, clock.0.load(Ordering::SeqCst) / 1_000).await
    }

    async fn alice(&self) -> Caller {
        self.caller(&self.key).await.unwrap()
    }

    async fn assume(&self, caller: &Caller, role: RoleId) -> Result<Credentials, StsError> {
        self.node().assume_role(caller, assume(ROOT, role)).await
    }

    /// A session of the role, made by alice.
    async fn session(&self) -> Credentials {
        self.assume(&self.alice().await, self.role).await.unwrap()
    }

    async fn decide(&mut self, token: &str, action: &str) -> pb::Decision {
        self.server.check(question(token, action)).await
    }

    /// Reason and layer, e.g. `allow` or `implicit_deny:session`.
    async fn reason(&mut self, token: &str, action: &str) -> String {
        let decision = self.decide(token, action).await;
        let reason = decision.reason().as_str_name().trim_start_matches("REASON_").to_lowercase();
        let layer = decision.layer().as_str_name().trim_start_matches("LAYER_").to_lowercase();
        if layer == "unspecified" { reason } else { format!("{reason}:{layer}") }
    }

    fn pass_ms(&self, milliseconds: i64) {
        self.clock.0.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

async fn apply(node: &Node, owner_uin: u64, command: Command) -> Revision {
    let job = WriteJob {
        reads: &|state| command.global_reads(state),
        allot_uin: false,
        run: &|input| {
            let executed = execute(input.state, &command, &input.env)?;
            Ok(Prepared {
                changes: executed.changes,
                operations: vec![command.name()],
                answer: Vec::new(),
            })
        },
    };
    node.write(owner_uin, &WriteOptions::default(), &job).await.unwrap().revision
}

async fn new_key(node: &Node, owner_uin: u64, holder: u64) -> Credential {
    let key = node.new_key(owner_uin).unwrap();
    node.add_key(owner_uin, holder, &key, "").await.unwrap();
    Credential { id: key.secret_id.to_string(), secret: key.secret.expose().into(), token: None }
}

fn assume(owner_uin: u64, role: RoleId) -> AssumeRole {
    AssumeRole {
        role: RoleName { owner_uin, which: WhichRole::Id(role.0) },
        session_name: "test-session".to_owned(),
        duration_s: None,
        policy: None,
        external_id: None,
        context: Context::new(),
    }
}

fn federation(policy: &str) -> FederationToken {
    let (name, policy) = ("federated".to_owned(), policy.to_owned());
    FederationToken { name, duration_s: None, policy, context: Context::new() }
}

fn temporary(credentials: &Credentials) -> Credential {
    Credential {
        id: credentials.secret_id.clone(),
        secret: credentials.secret.expose().to_owned(),
        token: Some(credentials.token.clone()),
    }
}

/// Signs a request as the official clients do, and lets the node say who calls.
async fn sign_in(
    node: &Node,
    credential: &Credential,
    timestamp: i64,
) -> Result<Caller, CallerError> {
    let headers = vec![
        ("host".to_owned(), "cam.example.test".to_owned()),
        ("content-type".to_owned(), "application/json".to_owned()),
    ];
    let (method, target, body) = ("POST".to_owned(), "/".to_owned(), b"{}".to_vec());
    let mut request = Outgoing { method, target, headers, body };
    let value = authorization(credential, "sts", timestamp, &request);
    let more = [("authorization", value), ("x-tc-timestamp", timestamp.to_string())];
    request.headers.extend(more.map(|(name, value)| (name.to_owned(), value)));
    let token = credential.token.clone().map(|token| ("x-tc-token".to_owned(), token));
    request.headers.extend(token);
    let headers: Vec<(&str, &[u8])> =
        request.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let parts =
        RequestParts { method: "POST", path: "/", query: "", headers: &headers, body: b"{}" };
    node.authenticate(&parts, "sts").await
}

fn question(token: &str, action: &str) -> pb::CheckRequest {
    let id = Some(pb::principal::Id::SessionToken(token.to_owned()));
    pb::CheckRequest {
        principal: Some(pb::Principal { id, owner_uin: 0 }),
        action: action.to_owned(),
        resource: app(APPS[1]),
        ..Default::default()
    }
}
