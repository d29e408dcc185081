//! The load: writers that grant and revoke, askers that hold tokens, and one that swaps two
//! policies in one commit. What they see goes into the history.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use camgate::node::Tokens;
use camgate::service::proto;
use camgate::store::Revision;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::Status;

use crate::history::Event;
use crate::server::{administration, authorization};

/// The account of the grants, and that of the swaps.
pub(crate) const GRANTS: u64 = 12_345_678;
pub(crate) const SWAPS: u64 = 23_456_789;
/// Their apps.
const APPS: [(u64, u64); 2] = [(GRANTS, 1_400_000_001), (SWAPS, 1_400_000_002)];
const LEFT: &str = "im:DescribeConfInfo";
const RIGHT: &str = "im:SetConfInfo";
/// Longest call.
const CALL: Duration = Duration::from_secs(5);

/// What the load is about.
pub(crate) struct Load {
    /// The nodes' addresses; they change when a node is started again.
    pub(crate) nodes: Mutex<Vec<String>>,
    pub(crate) users: Vec<u64>,
    policy: u64,
    swapper: u64,
    /// The folder of the second account, without its one file that changes.
    folder: Vec<proto::FolderFile>,
    account_file: Value,
    /// The last acknowledged token of every user.
    tokens: Mutex<BTreeMap<u64, String>>,
    pub(crate) events: Mutex<Vec<Event>>,
    pub(crate) stop: AtomicBool,
    /// How many events there are: it goes on while this grows.
    pub(crate) progress: watch::Sender<usize>,
    turn: AtomicUsize,
}

/// The revision of a token.
pub(crate) fn revision(token: &str) -> Revision {
    Tokens::like(token).and_then(|it| it.read(token).ok()).unwrap_or_default()
}

/// The one call, or nothing when it takes too long.
async fn call<T>(
    work: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<T, Status> {
    match timeout(CALL, work).await {
        Ok(answer) => answer.map(tonic::Response::into_inner),
        Err(_) => Err(Status::deadline_exceeded("the test waited long enough")),
    }
}

fn document(owner_uin: u64, app: u64, action: &str) -> String {
    json!({"version": "2.0", "statement": [{
        "effect": "allow", "action": action,
        "resource": format!("qcs::im::uin/{owner_uin}:sdkappid/{app}"),
    }]})
    .to_string()
}

/// What a principal asks about its account's app.
pub(crate) fn question(uin: u64, owner_uin: u64, action: &str, token: &str) -> proto::CheckRequest {
    let app = APPS.iter().find(|(owner, _)| *owner == owner_uin).unwrap().1;
    let consistency =
        (!token.is_empty()).then(|| proto::Consistency { at_least: token.to_owned() });
    proto::CheckRequest {
        principal: Some(proto::Principal { id: Some(proto::principal::Id::Uin(uin)), owner_uin }),
        action: action.to_owned(),
        resource: format!("qcs::im::uin/{owner_uin}:sdkappid/{app}"),
        consistency,
        ..Default::default()
    }
}

impl Load {
    /// Makes the accounts through one of the nodes.
    pub(crate) async fn prepare(nodes: Vec<String>, users: usize) -> Arc<Self> {
        let mut admin = administration(&nodes[0]);
        for (owner_uin, sdkappid) in APPS {
            let app_id = 1_250_000_000 + owner_uin % 1_000;
            let account = proto::CreateAccountRequest { owner_uin, app_id, options: None };
            call(admin.create_account(account)).await.unwrap();
            let name = "app".to_owned();
            let app = proto::CreateAppRequest { owner_uin, sdkappid, name, ..Default::default() };
            call(admin.create_app(app)).await.unwrap();
        }
        let mut policies = Vec::new();
        for (owner_uin, app, name, action) in [
            (GRANTS, APPS[0].1, "grant", LEFT),
            (SWAPS, APPS[1].1, "left", LEFT),
            (SWAPS, APPS[1].1, "right", RIGHT),
        ] {
            let document = document(owner_uin, app, action);
            let name = name.to_owned();
            let policy =
                proto::CreatePolicyRequest { owner_uin, name, document, ..Default::default() };
            let made = call(admin.create_policy(policy)).await.unwrap();
            policies.push(made.policy.unwrap().policy_id);
        }
        let mut uins = Vec::new();
        for at in 0..=users {
            let owner_uin = if at == users { SWAPS } else { GRANTS };
            let name = format!("用户-{at}");
            let user = proto::CreateSubAccountRequest { owner_uin, name, ..Default::default() };
            let made = call(admin.create_sub_account(user)).await.unwrap();
            uins.push(made.sub_account.unwrap().uin);
        }
        let swapper = uins.pop().unwrap();
        let attach = proto::AttachPolicyRequest {
            owner_uin: SWAPS,
            policy_id: policies[1],
            uin: swapper,
            ..Default::default()
        };
        call(admin.attach_policy(attach)).await.unwrap();
        let export = proto::ExportAccountRequest { owner_uin: SWAPS, consistency: None };
        let mut folder = call(admin.export_account(export)).await.unwrap().files;
        let at = folder.iter().position(|file| file.path == "account.json").unwrap();
        let account_file = serde_json::from_slice(&folder.remove(at).content).unwrap();
        Arc::new(Self {
            nodes: Mutex::new(nodes),
            users: uins,
            policy: policies[0],
            swapper,
            folder,
            account_file,
            tokens: Mutex::default(),
            events: Mutex::default(),
            stop: AtomicBool::new(false),
            progress: watch::Sender::new(0),
            turn: AtomicUsize::new(0),
        })
    }

    /// One node after the other.
    fn node(&self) -> String {
        let nodes = self.nodes.lock().unwrap();
        nodes[self.turn.fetch_add(1, Ordering::Relaxed) % nodes.len()].clone()
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn note(&self, event: Event) {
        self.events.lock().unwrap().push(event);
        self.progress.send_modify(|events| *events += 1);
    }

    /// Grants or revokes through a node.
    pub(crate) async fn write(&self, node: &str, uin: u64, has: bool) -> Result<String, Status> {
        let mut admin = administration(node);
        let (owner_uin, policy_id) = (GRANTS, self.policy);
        let result = if has {
            let attach =
                proto::AttachPolicyRequest { owner_uin, policy_id, uin, ..Default::default() };
            call(admin.attach_policy(attach)).await?.result
        } else {
            let detach =
                proto::DetachPolicyRequest { owner_uin, policy_id, uin, ..Default::default() };
            call(admin.detach_policy(detach)).await?.result
        };
        Ok(result.unwrap_or_default().revision)
    }

    /// Asks a node whether a user has its grant.
    pub(crate) async fn check(
        &self,
        node: &str,
        uin: u64,
        token: &str,
    ) -> Result<proto::Decision, Status> {
        let asked = question(uin, GRANTS, LEFT, token);
        let answer = call(authorization(node).check(asked)).await?;
        Ok(answer.decision.unwrap_or_default())
    }

    /// The one writer of a user.
    async fn writer(self: Arc<Self>, uin: u64) {
        let mut has = false;
        while !self.is_over() {
            has = !has;
            // Until it is acknowledged: what was not may have taken effect all the same.
            let token = loop {
                match self.write(&self.node(), uin, has).await {
                    Ok(token) => break token,
                    Err(_) if self.is_over() => return,
                    Err(_) => tokio::task::yield_now().await,
                }
            };
            self.note(Event::Written { uin, has, revision: revision(&token) });
            self.tokens.lock().unwrap().insert(uin, token);
        }
    }

    async fn asker(self: Arc<Self>) {
        while !self.is_over() {
            let at = self.turn.fetch_add(1, Ordering::Relaxed);
            let uin = self.users[at % self.users.len()];
            let token = self.tokens.lock().unwrap().get(&uin).cloned().unwrap_or_default();
            let Ok(decision) = self.check(&self.node(), uin, &token).await else {
                tokio::task::yield_now().await;
                continue;
            };
            self.note(Event::Checked {
                uin,
                is_allowed: decision.outcome == i32::from(proto::Outcome::Allow),
                revision: revision(&decision.revision),
                token: revision(&token),
            });
        }
    }

    /// Takes one policy away and gives the other, in one commit.
    async fn swap(self: Arc<Self>) {
        let mut is_left = true;
        while !self.is_over() {
            is_left = !is_left;
            let mut account = self.account_file.clone();
            account["sub_accounts"][0]["policies"] =
                json!([if is_left { "left" } else { "right" }]);
            let mut files = self.folder.clone();
            let content = account.to_string().into_bytes();
            files.push(proto::FolderFile { path: "account.json".to_owned(), content });
            let apply =
                proto::ApplyAccountRequest { owner_uin: SWAPS, files, ..Default::default() };
            let _may_fail = call(administration(&self.node()).apply_account(apply)).await;
        }
    }

    async fn swap_asker(self: Arc<Self>) {
        while !self.is_over() {
            let entries = [LEFT, RIGHT].map(|it| question(self.swapper, SWAPS, it, "")).to_vec();
            let batch = proto::BatchCheckRequest { entries, consistency: None };
            let Ok(answer) = call(authorization(&self.node()).batch_check(batch)).await else {
                tokio::task::yield_now().await;
                continue;
            };
            let allowed: Vec<bool> = answer
                .entries
                .into_iter()
                .filter_map(|entry| match entry.result? {
                    proto::batch_check_entry::Result::Decision(it) => {
                        Some(it.outcome == i32::from(proto::Outcome::Allow))
                    }
                    proto::batch_check_entry::Result::Error(_) => None,
                })
                .collect();
            if let [left, right] = allowed[..] {
                self.note(Event::Swapped { left, right });
            }
        }
    }

    /// Everything at once, until it is told to stop.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut tasks = tokio::task::JoinSet::new();
        for uin in self.users.clone() {
            tasks.spawn(Arc::clone(&self).writer(uin));
        }
        for _ in 0..4 {
            tasks.spawn(Arc::clone(&self).asker());
        }
        tasks.spawn(Arc::clone(&self).swap());
        tasks.spawn(Arc::clone(&self).swap_asker());
        tasks.join_all().await;
    }
}
