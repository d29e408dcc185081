//! Two accounts with all that decides, and a table of questions about them.

use std::collections::BTreeMap;
use std::sync::Arc;

use camgate::catalog::Catalog;
use camgate::directory::{
    AddToGroup, AttachPolicy, BoundaryTarget, Command, CreateAccount, CreateApp, CreateGroup,
    CreatePolicyVersion, PolicyRef, PutBoundary, SetDefaultPolicyVersion, SubAccountKind, Target,
    VersionNumber, execute,
};
use camgate::engine::{Outcome, Resource};
use camgate::lang::action::ActionName;
use camgate::lang::condition::{Context, ContextValue};
use camgate::lang::variable::Owner;
use camgate::node::{
    Asker, Asking, CheckQuery, Node, NodeError, NodeSettings, PolicyFiles, Prepared, SystemClock,
    WriteJob, WriteOptions, create_caller,
};
use camgate::store::{Commit, Store};

use crate::directory::{create_policy, create_role, create_user};
use crate::support::change_log::trace;

pub(crate) const OWNER: Owner = Owner { uin: 12_345_678, app_id: 1_250_000_001 };
pub(crate) const OTHER: Owner = Owner { uin: 87_654_321, app_id: 1_250_000_002 };
pub(crate) const ALICE: u64 = 100_000_001;
pub(crate) const BOB: u64 = 100_000_002;
pub(crate) const CAROL: u64 = 100_000_003;
pub(crate) const DAVE: u64 = 100_000_004;
pub(crate) const APP: u64 = 1_400_000_001;
pub(crate) const PROD: u64 = 1_400_000_002;
pub(crate) const FOREIGN: u64 = 1_400_000_003;

/// A store's entries, without revisions.
pub(crate) type Contents = BTreeMap<Vec<u8>, Vec<u8>>;

fn document(effect: &str, action: &str, condition: &str) -> String {
    format!(
        r#"{{"version":"2.0","statement":[{{"effect":"{effect}","action":"{action}",
            "resource":"*"{condition}}}]}}"#
    )
}

async fn apply(node: &Node, owner_uin: u64, command: Command) {
    let job = WriteJob {
        reads: &|state| command.global_reads(state),
        allot_uin: false,
        run: &|input| {
            let executed = execute(input.state, &command, &input.env)?;
            let operations = vec![command.name()];
            Ok(Prepared { changes: executed.changes, operations, answer: Vec::new() })
        },
    };
    node.write(owner_uin, &WriteOptions::default(), &job).await.unwrap();
}

pub(crate) async fn start(
    store: Arc<dyn Store>,
    files: Option<PolicyFiles>,
) -> Result<Arc<Node>, NodeError> {
    let catalog = Arc::new(Catalog::builtin().clone());
    let settings = NodeSettings::default();
    Node::start(store, catalog, Arc::new(SystemClock), files, settings).await
}

fn attach(policy: &str, target: Target) -> Command {
    Command::AttachPolicy(AttachPolicy { policy: PolicyRef::from(policy), target })
}

/// Who may what: everybody may use `im` by one policy, and each is kept from something by another
/// kind of record: a group, a boundary, a version, a tag of an app, a preset of the operator.
pub(crate) async fn fill(store: Arc<dyn Store>) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("no-export.json"), document("deny", "im:Export*", "")).unwrap();
    let files = PolicyFiles { patterns: vec![format!("{}/*.json", dir.path().display())] };
    let node = start(Arc::clone(&store), Some(files)).await.unwrap();
    let prod = r#","condition":{"for_any_value:string_equal":{"qcs:resource_tag":"env&prod"}}"#;
    let own = |command| apply(&node, OWNER.uin, command);
    own(Command::CreateAccount(CreateAccount { owner: OWNER })).await;
    for (uin, name) in [(ALICE, "alice"), (BOB, "bob"), (CAROL, "carol")] {
        own(create_user(uin, name, SubAccountKind::SubUser)).await;
    }
    for (name, tag) in [(APP, "test"), (PROD, "prod")] {
        let tags = BTreeMap::from([("env".to_owned(), tag.to_owned())]);
        let app = CreateApp { sdkappid: name, name: tag.to_owned(), tags };
        own(Command::CreateApp(app)).await;
    }
    for (name, document) in [
        ("use", document("allow", "im:*", "")),
        ("no-delete", document("deny", "im:Delete*", "")),
        ("read", document("allow", "im:Describe*", "")),
        ("no-prod", document("deny", "im:*", prod)),
        ("versions", document("deny", "im:Send*", "")),
    ] {
        own(create_policy(name, &document)).await;
    }
    // The first version denies more than the second; the first counts.
    let policy = PolicyRef::from("versions");
    let lax = document("deny", "im:SendNothing*", "").into_bytes();
    own(Command::CreatePolicyVersion(CreatePolicyVersion {
        policy: policy.clone(),
        document: lax,
        set_default: true,
    }))
    .await;
    let version = VersionNumber(1);
    own(Command::SetDefaultPolicyVersion(SetDefaultPolicyVersion { policy, version })).await;
    let (name, remark) = ("kept".to_owned(), String::new());
    own(Command::CreateGroup(CreateGroup { name, remark })).await;
    own(create_role("ops")).await;
    for uin in [ALICE, BOB, CAROL] {
        own(attach("use", Target::User(uin))).await;
        own(attach("no-export", Target::User(uin))).await;
    }
    own(attach("no-delete", Target::Group("kept".into()))).await;
    own(Command::AddToGroup(AddToGroup { group: "kept".into(), uin: ALICE })).await;
    own(attach("no-prod", Target::User(ALICE))).await;
    own(attach("versions", Target::User(CAROL))).await;
    own(attach("use", Target::Role("ops".into()))).await;
    let (target, policy) = (BoundaryTarget::User(BOB), PolicyRef::from("read"));
    own(Command::PutBoundary(PutBoundary { target, policy })).await;
    let others = |command| apply(&node, OTHER.uin, command);
    others(Command::CreateAccount(CreateAccount { owner: OTHER })).await;
    others(create_user(DAVE, "dave", SubAccountKind::SubUser)).await;
    let (name, tags) = ("foreign".to_owned(), BTreeMap::new());
    others(Command::CreateApp(CreateApp { sdkappid: FOREIGN, name, tags })).await;
    others(create_policy("use", &document("allow", "im:Describe*", ""))).await;
    others(attach("use", Target::User(DAVE))).await;
    for name in ["gateway", "billing"] {
        let caller = camgate::directory::service_caller::ServiceCaller {
            name: name.to_owned(),
            ..Default::default()
        };
        create_caller(&*store, &trace(), &caller).await.unwrap();
    }
    node.end();
}

/// Changes that take rights away: whoever shows the account before them shows too much.
pub(crate) async fn narrow(store: Arc<dyn Store>) {
    let node = start(store, None).await.unwrap();
    let own = |command| apply(&node, OWNER.uin, command);
    own(Command::AddToGroup(AddToGroup { group: "kept".into(), uin: CAROL })).await;
    own(attach("no-prod", Target::Group("kept".into()))).await;
    let policy = PolicyRef::from("read");
    let target = BoundaryTarget::User(CAROL);
    own(Command::PutBoundary(PutBoundary { target, policy })).await;
    let (name, tags) = ("new".to_owned(), BTreeMap::new());
    own(Command::CreateApp(CreateApp { sdkappid: FOREIGN + 1, name, tags })).await;
    node.end();
}

/// Everything in a store.
pub(crate) async fn contents(store: &dyn Store) -> Contents {
    let (entries, _) = store.read_prefix(b"").await.unwrap();
    entries.into_iter().map(|entry| (entry.key, entry.value)).collect()
}

/// Puts contents into an empty store.
pub(crate) async fn put_all(store: &dyn Store, contents: &Contents) {
    let commit =
        contents.iter().fold(Commit::new(), |it, (key, value)| it.put(key.clone(), value.clone()));
    store.commit(commit).await.unwrap();
}

/// One question in words.
pub(crate) type Asked = (u64, u64, &'static str, String);

/// All questions: who, in which account, what, on what.
pub(crate) fn questions() -> Vec<Asked> {
    let actions =
        ["im:DescribeConfInfo", "im:SendMsg", "im:DeleteConversation", "im:ExportMessages"];
    let mut resources = vec!["*".to_owned()];
    resources.push(format!("qcs::im:::sdkappid/{APP}"));
    for (account, app) in [
        ("", PROD),
        ("", FOREIGN),
        ("uin/12345678", FOREIGN),
        ("uid/1250000002", PROD),
        ("uid/1250000001", FOREIGN),
    ] {
        resources.push(format!("qcs::im::{account}:sdkappid/{app}"));
    }
    let principals =
        [OWNER.uin, ALICE, BOB, CAROL].map(|uin| (uin, OWNER.uin)).into_iter().chain([
            (OTHER.uin, OTHER.uin),
            (DAVE, OTHER.uin),
            // In no account, and in one that is not theirs.
            (ALICE, OTHER.uin),
            (999, 0),
            // Where they belong is looked up.
            (ALICE, 0),
            (DAVE, 0),
        ]);
    let mut all = Vec::new();
    for (uin, owner_uin) in principals {
        for action in actions {
            all.extend(resources.iter().map(|it| (uin, owner_uin, action, it.clone())));
        }
    }
    all
}

/// The answers to all questions: whether it is allowed, or the error.
pub(crate) async fn answers(node: &Node) -> Vec<(Asked, Result<bool, String>)> {
    let mut answers = Vec::new();
    for asked in questions() {
        let (uin, owner_uin, action, resource) = &asked;
        let mut context = Context::new();
        // What the request says of tags must not count for registered apps.
        let tag = vec![ContextValue::Text("env&test".to_owned())];
        context.insert("qcs:resource_tag", tag).unwrap();
        let owner_uin = Some(*owner_uin).filter(|owner| *owner > 0);
        let query = CheckQuery {
            asker: Asker::Uin { uin: *uin, owner_uin },
            action: ActionName::parse(action).unwrap(),
            resource: Resource::parse(resource).unwrap(),
            context,
            accepts_filter: false,
        };
        let answer = match node.begin(Asking::direct(), None).await {
            Ok(mut batch) => node.check(&mut batch, query).await,
            Err(error) => Err(error),
        };
        let answer = answer.map(|it| it.decision.outcome == Outcome::Allow);
        answers.push((asked, answer.map_err(|error| error.to_string())));
    }
    answers
}
