//! The operator's own presets: files that appear, change, break and vanish.

use std::path::Path;
use std::sync::Arc;

use camgate::node::{NodeSettings, PolicyFiles};
use camgate::service::proto as pb;
use camgate::store::MemoryStore;

use super::{APPS, ROOT, TestServer, app, eventually, question};

fn policy(action: &str) -> String {
    format!(
        r#"{{"version":"2.0","statement":[{{"effect":"allow","action":"{action}","resource":"*"}}]}}"#
    )
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

async fn is_allowed(server: &TestServer, uin: u64, action: &str) -> bool {
    let request = question(uin, action, &app(APPS[0]));
    let answer = server.authz.clone().check(request).await.unwrap().into_inner();
    answer.decision.unwrap().outcome() == pb::Outcome::Allow
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
    let shown = &server;
    eventually("the changed file is in force", || async move {
        is_allowed(shown, alice, "im:RemoveUser").await
    })
    .await;
    assert!(!is_allowed(&server, alice, "im:SendMsg").await);
    assert_eq!(preset(&server, "客服").await.unwrap().policy_id, found.policy_id);

    // It breaks: the last good content stays in force and is reported.
    std::fs::write(&path, "{").unwrap();
    let readiness = server.node.readiness();
    let seen = &readiness;
    eventually("the broken file is reported", || async move {
        seen.borrow().reports.iter().any(|report| report.contains("客服"))
    })
    .await;
    assert!(is_allowed(&server, alice, "im:RemoveUser").await);
    assert!(readiness.borrow().is_ready());

    // It vanishes while attached: the same.
    std::fs::remove_file(&path).unwrap();
    eventually("the missing file is reported", || async move {
        seen.borrow().reports.iter().any(|report| report.contains("gone"))
    })
    .await;
    assert!(is_allowed(&server, alice, "im:RemoveUser").await);

    // Another one appears.
    std::fs::write(dir.path().join("new.json"), policy("im:*")).unwrap();
    eventually("the new file is a preset", || async move { preset(shown, "new").await.is_some() })
        .await;
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
