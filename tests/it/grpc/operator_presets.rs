//! The operator's own presets: files that appear, change, break and vanish.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use camgate::directory::{Census, OperatorFile, digest};
use camgate::node::{NodeSettings, PolicyFiles, Readiness};
use camgate::service::proto as pb;
use camgate::store::record::{OperatorDigest, encode_operator_digest};
use camgate::store::{Commit, CommitLimits, MemoryStore, Store as _};
use tokio::sync::watch;

use super::{APPS, ROOT, TestServer, app, question};
use crate::support::wrapped_store::WrappedStore;

fn policy(action: &str) -> String {
    super::ALLOW_ALL.replacen('*', action, 1)
}

fn files(dir: &Path) -> PolicyFiles {
    PolicyFiles { patterns: vec![format!("{}/**/*.json", dir.display())] }
}

async fn start(dir: &Path) -> TestServer {
    let settings = NodeSettings { policies_poll_ms: 20, ..Default::default() };
    TestServer::start(Arc::new(MemoryStore::new()), Some(files(dir)), settings).await
}

async fn preset(server: &TestServer, name: &str) -> Option<pb::Policy> {
    let request =
        pb::GetPolicyRequest { owner_uin: ROOT, name: name.to_owned(), ..Default::default() };
    server.admin.clone().get_policy(request).await.ok()?.into_inner().policy
}

/// Whether the preset is listed among what can be attached.
async fn is_offered(server: &TestServer, name: &str) -> bool {
    let request = pb::ListPoliciesRequest {
        owner_uin: ROOT,
        name_contains: name.to_owned(),
        ..Default::default()
    };
    let answer = server.admin.clone().list_policies(request).await.unwrap().into_inner();
    answer.policies.iter().any(|policy| policy.name == name)
}

async fn is_allowed(server: &TestServer, uin: u64, action: &str) -> bool {
    let request = question(uin, action, &app(APPS[0]));
    let answer = server.authz.clone().check(request).await.unwrap().into_inner();
    answer.decision.unwrap().outcome() == pb::Outcome::Allow
}

/// Waits until a report has this word.
async fn reported(readiness: &mut watch::Receiver<Readiness>, word: &str) {
    let is_reported = |now: &Readiness| now.reports.iter().any(|report| report.contains(word));
    let waiting = readiness.wait_for(is_reported);
    let waited = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    assert!(waited.is_ok(), "waited in vain for a report of `{word}`");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_appear_change_break_and_vanish() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("客服.json");
    std::fs::write(&path, policy("im:SendMsg")).unwrap();
    let mut server = start(dir.path()).await;
    server.create_account().await;
    let alice = server.create_user("alice").await;
    let found = preset(&server, "客服").await.unwrap();
    assert_eq!(found.kind(), pb::PolicyKind::OperatorPreset);
    assert!((500_000..1_000_000).contains(&found.policy_id));
    server.attach(found.policy_id, alice).await;
    assert!(is_allowed(&server, alice, "im:SendMsg").await);

    // Read-only through the API.
    let update = pb::UpdatePolicyRequest {
        owner_uin: ROOT,
        policy_id: found.policy_id,
        description: Some("x".to_owned()),
        ..Default::default()
    };
    let status = server.admin.update_policy(update).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::FailedPrecondition);

    // It changes.
    std::fs::write(&path, policy("im:RemoveUser")).unwrap();
    server.node.check_policy_files(&files(dir.path())).await;
    assert!(is_allowed(&server, alice, "im:RemoveUser").await);
    assert!(!is_allowed(&server, alice, "im:SendMsg").await);
    assert_eq!(preset(&server, "客服").await.unwrap().policy_id, found.policy_id);

    // It breaks: the last good content stays in force and is reported.
    std::fs::write(&path, "{").unwrap();
    // Nobody asks here: the node looks by itself.
    let mut readiness = server.node.readiness();
    reported(&mut readiness, "客服").await;
    assert!(is_allowed(&server, alice, "im:RemoveUser").await);
    assert!(readiness.borrow().is_ready());

    // It vanishes while attached: the same.
    std::fs::remove_file(&path).unwrap();
    reported(&mut readiness, "gone").await;
    assert!(is_allowed(&server, alice, "im:RemoveUser").await);

    // It is detached: the node withdraws it by itself, with no file changing.
    let detach = pb::DetachPolicyRequest {
        owner_uin: ROOT,
        policy_id: found.policy_id,
        uin: alice,
        ..Default::default()
    };
    server.admin.detach_policy(detach).await.unwrap();
    let waiting = readiness.wait_for(|now| now.reports.is_empty());
    assert!(tokio::time::timeout(Duration::from_secs(20), waiting).await.is_ok());
    // Whoever comes after that look finds it done.
    server.node.check_policy_files(&files(dir.path())).await;
    assert!(!is_offered(&server, "客服").await);

    // Another one appears.
    std::fs::write(dir.path().join("new.json"), policy("im:*")).unwrap();
    server.node.check_policy_files(&files(dir.path())).await;
    assert!(preset(&server, "new").await.is_some());
    server.stop().await;
}

/// Deleting its user lets go of a preset too.
#[tokio::test]
async fn a_kept_preset_stays_while_one_account_uses_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shared.json");
    std::fs::write(&path, policy("im:SendMsg")).unwrap();
    let mut server = start(dir.path()).await;
    server.create_account().await;
    let policy_id = preset(&server, "shared").await.unwrap().policy_id;
    let users = [server.create_user("alice").await, server.create_user("bob").await];
    for uin in users {
        server.attach(policy_id, uin).await;
    }
    std::fs::remove_file(&path).unwrap();
    let mut readiness = server.node.readiness();
    reported(&mut readiness, "gone").await;
    let delete = |uin| pb::DeleteSubAccountRequest {
        owner_uin: ROOT,
        uin,
        force: true,
        ..Default::default()
    };
    server.admin.delete_sub_account(delete(users[0])).await.unwrap();
    server.node.check_policy_files(&files(dir.path())).await;
    assert!(is_offered(&server, "shared").await);
    assert!(is_allowed(&server, users[1], "im:SendMsg").await);

    server.admin.delete_sub_account(delete(users[1])).await.unwrap();
    server.node.check_policy_files(&files(dir.path())).await;
    assert!(!is_offered(&server, "shared").await);
    server.stop().await;
}

#[tokio::test]
async fn two_files_of_one_name_are_neither() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("sub")).unwrap();
    std::fs::write(dir.path().join("twin.json"), policy("im:*")).unwrap();
    std::fs::write(dir.path().join("sub/twin.json"), policy("im:*")).unwrap();
    let mut server = start(dir.path()).await;
    server.create_account().await;
    assert!(preset(&server, "twin").await.is_none());
    let reports = server.node.readiness().borrow().reports.clone();
    assert!(reports.iter().any(|report| report.contains("twin")), "{reports:?}");
    server.stop().await;
}

#[tokio::test]
async fn patterns_that_are_none_make_the_node_not_ready() {
    let settings = NodeSettings::default();
    let files = PolicyFiles { patterns: vec!["a**b".to_owned()] };
    let server = TestServer::start(Arc::new(MemoryStore::new()), Some(files), settings).await;
    assert!(!server.node.readiness().borrow().is_ready());
    server.stop().await;
}

/// A store of several nodes whose commits hold no more than five changes.
fn small_commits() -> Arc<WrappedStore> {
    let limits = CommitLimits { commit_bytes_max: 1024 * 1024, mutations_max: 5 };
    Arc::new(WrappedStore::with_limits(limits))
}

fn write_many(dir: &Path) -> Vec<OperatorFile> {
    let file = |number: usize| {
        let (name, text) = (format!("多-{number:02}"), policy("im:DescribeConfInfo"));
        std::fs::write(dir.join(format!("{name}.json")), &text).unwrap();
        OperatorFile { name, content: Ok(text.into_bytes()) }
    };
    (0..10).map(file).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_presets_than_a_commit_holds_are_recorded_in_several() {
    let dir = tempfile::tempdir().unwrap();
    let written = write_many(dir.path());
    let store = small_commits();
    let before = store.tries();
    let mut server =
        TestServer::start(store.clone(), Some(files(dir.path())), NodeSettings::default()).await;
    assert!(server.node.readiness().borrow().is_ready());
    // The store's id, and two presets in each of five commits: with them go the digest, the head of
    // the operator's log, and the log's entry.
    assert_eq!(store.tries() - before, 1 + 5);
    server.create_account().await;
    for file in &written {
        assert!(is_offered(&server, &file.name).await, "{}", file.name);
    }
    assert_eq!(server.node.shared().digest, Some(digest(&written)));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_node_has_not_finished_is_finished_by_one_with_the_same_files() {
    let dir = tempfile::tempdir().unwrap();
    let written = write_many(dir.path());
    for (of, is_finished) in [(digest(&written), true), (digest(&[]), false)] {
        let store = small_commits();
        let (digest, census) = (format!("unfinished {of}"), Some(Census::default()));
        let record = encode_operator_digest(&OperatorDigest { digest, census });
        store.commit(Commit::new().put("o!", record)).await.unwrap();
        let mut server =
            TestServer::start(store, Some(files(dir.path())), NodeSettings::default()).await;
        let readiness = server.node.readiness().borrow().clone();
        server.create_account().await;
        assert_eq!(readiness.is_ready(), is_finished, "{readiness:?}");
        for file in &written {
            assert_eq!(is_offered(&server, &file.name).await, is_finished, "{}", file.name);
        }
        server.stop().await;
    }
}
