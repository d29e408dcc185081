//! Freshness, order and wholeness: tokens, batches, streams, and readers beside writers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use camgate::service::proto as pb;
use camgate::store::{MemoryStore, Store};
use tokio_stream::StreamExt;

use super::{ALLOW_ALL, APPS, ROOT, TestServer, app, on_every_store, question};
use crate::support::change_log::whole_log;

fn at_least(mut request: pb::CheckRequest, token: &str) -> pb::CheckRequest {
    request.consistency = Some(pb::Consistency { at_least: token.to_owned() });
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_writers_and_readers_see_their_own_writes() {
    on_every_store(|mut server| async move {
        server.create_account().await;
        let policy = server.create_policy("all", ALLOW_ALL).await;
        let mut users = Vec::new();
        for number in 0..20 {
            users.push(server.create_user(&format!("u{number}")).await);
        }
        let mut tasks = Vec::new();
        for task in 0..200_usize {
            let (mut admin, mut authz) = (server.admin.clone(), server.authz.clone());
            let uin = users[task % users.len()];
            let attach = task % 2 == 0;
            tasks.push(tokio::spawn(async move {
                let result = if attach {
                    let request = pb::AttachPolicyRequest {
                        owner_uin: ROOT,
                        policy_id: policy,
                        uin,
                        ..Default::default()
                    };
                    admin.attach_policy(request).await.unwrap().into_inner().result
                } else {
                    let request = pb::UpdateSubAccountRequest {
                        owner_uin: ROOT,
                        uin,
                        remark: Some(format!("by {task}")),
                        ..Default::default()
                    };
                    admin.update_sub_account(request).await.unwrap().into_inner().result
                };
                let revision = result.unwrap().revision;
                let request = at_least(question(uin, "im:SendMsg", "*"), &revision);
                let decision = authz.check(request).await.unwrap().into_inner().decision.unwrap();
                assert!(decision.revision >= revision, "{} < {revision}", decision.revision);
                if attach {
                    assert_eq!(decision.outcome(), pb::Outcome::Allow, "{uin}");
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        whole_log(&server.node, ROOT).await;
        server
    })
    .await;
}

#[tokio::test]
async fn a_revision_not_reached_is_unavailable_and_a_foreign_token_is_refused() {
    let mut server = TestServer::memory().await;
    server.create_account().await;
    let ahead = server.node.token(camgate::store::Revision(1_000_000));
    let status =
        server.authz.check(at_least(question(ROOT, "im:X", "*"), &ahead)).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unavailable);
    let other = TestServer::memory().await;
    let foreign = other.node.token(camgate::store::Revision(1));
    let long = "x".repeat(9_000);
    for token in [foreign.as_str(), "nonsense", "群组", &long] {
        let request = at_least(question(ROOT, "im:X", "*"), token);
        let status = server.authz.check(request).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument, "{token}");
    }
    other.stop().await;
    server.stop().await;
}

fn questions(alice: u64) -> Vec<pb::CheckRequest> {
    let mut all = Vec::new();
    for uin in [alice, ROOT, 4_711] {
        for action in ["im:RemoveUser", "im:DescribeConfInfo", "trtc:X"] {
            for resource in ["*", &app(APPS[0]), &app(APPS[1]), &app(APPS[2])] {
                all.push(question(uin, action, resource));
            }
        }
    }
    all
}

fn without_id(decision: pb::Decision) -> pb::Decision {
    pb::Decision { decision_id: String::new(), ..decision }
}

async fn prepare(server: &mut TestServer) -> u64 {
    server.create_account().await;
    let alice = server.create_user("alice").await;
    let policy = server.create_policy("ops", super::POLICY).await;
    server.attach(policy, alice).await;
    alice
}

#[tokio::test]
async fn a_batch_equals_its_singles_and_a_bad_entry_fails_alone() {
    let mut server = TestServer::memory().await;
    let alice = prepare(&mut server).await;
    let mut entries = questions(alice);
    entries.insert(3, question(alice, "im:deleteidentifier", "*"));
    entries.insert(7, question(alice, "no action", "*"));
    let mut with_own_token = question(alice, "im:RemoveUser", "*");
    with_own_token.consistency = Some(pb::Consistency::default());
    entries.insert(9, with_own_token);
    let batch = pb::BatchCheckRequest { entries: entries.clone(), consistency: None };
    let answer = server.authz.batch_check(batch).await.unwrap().into_inner();
    assert_eq!(answer.entries.len(), entries.len());
    let mut failed = Vec::new();
    for (place, (entry, answer)) in entries.into_iter().zip(answer.entries).enumerate() {
        match answer.result.unwrap() {
            pb::batch_check_entry::Result::Decision(decision) => {
                let single = server.check(entry).await;
                assert_eq!(without_id(decision), without_id(single), "entry {place}");
            }
            pb::batch_check_entry::Result::Error(error) => {
                assert_eq!(error.code, 3);
                assert!(!error.message.is_empty());
                failed.push(place);
            }
        }
    }
    assert_eq!(failed, [3, 7, 9]);
    let too_many = pb::BatchCheckRequest {
        entries: vec![question(alice, "im:X", "*"); 101],
        consistency: None,
    };
    let status = server.authz.batch_check(too_many).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    assert!(status.message().contains("101") && status.message().contains("100"));
    server.stop().await;
}

#[tokio::test]
async fn a_stream_answers_in_order_past_a_bad_entry() {
    let mut server = TestServer::memory().await;
    let alice = prepare(&mut server).await;
    let mut entries = questions(alice);
    entries.insert(5, question(alice, "im:deleteidentifier", "*"));
    let sent = tokio_stream::iter(entries.clone());
    let mut answers = server.authz.stream_check(sent).await.unwrap().into_inner();
    let mut failed = Vec::new();
    for (place, entry) in entries.into_iter().enumerate() {
        let answer = answers.next().await.unwrap().unwrap();
        match answer.result.unwrap() {
            pb::batch_check_entry::Result::Decision(decision) => {
                let single = server.check(entry).await;
                assert_eq!(without_id(decision), without_id(single), "entry {place}");
            }
            pb::batch_check_entry::Result::Error(error) => {
                assert_eq!(error.code, 3, "{}", error.message);
                failed.push(place);
            }
        }
    }
    assert_eq!(failed, [5]);
    assert!(answers.next().await.is_none());
    server.stop().await;
}

fn folder(allowed: u64) -> Vec<pb::FolderFile> {
    let account = serde_json::json!({
        "owner_uin": ROOT,
        "app_id": super::APP_ID,
        "apps": APPS.iter().map(|id| serde_json::json!({"sdkappid": id, "name": "a"}))
            .collect::<Vec<_>>(),
        "sub_accounts": [{"uin": 100_000_000_011_u64, "name": "alice",
            "policies": [format!("only{allowed}")]}],
    });
    let policy = ALLOW_ALL.replacen('*', "im:SendMsg", 1).replacen('*', &app(allowed), 1);
    vec![
        pb::FolderFile { path: "account.json".to_owned(), content: account.to_string().into() },
        pb::FolderFile { path: format!("policies/only{allowed}.json"), content: policy.into() },
    ]
}

/// Readers ask about both apps in one batch while a folder is flipped between allowing the one and
/// the other: never both, never none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_never_sees_half_a_change() {
    on_every_store(|server| async move {
        let apply = |allowed| pb::ApplyAccountRequest {
            owner_uin: ROOT,
            files: folder(allowed),
            ..Default::default()
        };
        let mut admin = server.admin.clone();
        admin.apply_account(apply(APPS[0])).await.unwrap();
        let is_done = Arc::new(AtomicBool::new(false));
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let (mut authz, is_done) = (server.authz.clone(), Arc::clone(&is_done));
                tokio::spawn(async move {
                    let mut seen = BTreeSet::new();
                    while !is_done.load(Ordering::Relaxed) {
                        let entries = [APPS[0], APPS[1]]
                            .map(|id| question(100_000_000_011, "im:SendMsg", &app(id)));
                        let batch =
                            pb::BatchCheckRequest { entries: entries.into(), consistency: None };
                        let answer = authz.batch_check(batch).await.unwrap().into_inner();
                        let allowed: Vec<bool> = answer
                            .entries
                            .into_iter()
                            .map(|entry| match entry.result.unwrap() {
                                pb::batch_check_entry::Result::Decision(it) => {
                                    it.outcome() == pb::Outcome::Allow
                                }
                                pb::batch_check_entry::Result::Error(it) => panic!("{it:?}"),
                            })
                            .collect();
                        assert_ne!(allowed[0], allowed[1], "half a change is visible");
                        seen.insert(allowed);
                    }
                    seen
                })
            })
            .collect();
        for round in 0..40 {
            admin.apply_account(apply(APPS[(round + 1) % 2])).await.unwrap();
        }
        is_done.store(true, Ordering::Relaxed);
        let mut seen = BTreeSet::new();
        for reader in readers {
            seen.extend(reader.await.unwrap());
        }
        assert_eq!(seen.len(), 2, "the readers saw both folders");
        server
    })
    .await;
}

/// A second node over the same store sees the first one's writes, and waits for them when asked.
#[tokio::test]
async fn another_node_of_the_store_follows() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let settings = camgate::node::NodeSettings::default;
    let mut first = TestServer::start(Arc::clone(&store), None, settings()).await;
    let mut second = TestServer::start(store, None, settings()).await;
    let alice = prepare(&mut first).await;
    let denied = second.outcome(alice, "im:CheckIfIMNewUser", "*").await;
    assert_eq!(denied, pb::Outcome::Deny);
    for round in 0..20 {
        let policy = first.create_policy(&format!("all{round}"), ALLOW_ALL).await;
        let token = first.attach(policy, alice).await;
        let request = at_least(question(alice, "im:CheckIfIMNewUser", "*"), &token);
        assert_eq!(second.check(request).await.outcome(), pb::Outcome::Allow);
        // The two nodes write the same account in turn.
        let request = pb::DetachPolicyRequest {
            owner_uin: ROOT,
            policy_id: policy,
            uin: alice,
            ..Default::default()
        };
        let result = second.admin.detach_policy(request).await.unwrap().into_inner().result;
        let token = result.unwrap().revision;
        let request = at_least(question(alice, "im:CheckIfIMNewUser", "*"), &token);
        assert_eq!(first.check(request).await.outcome(), pb::Outcome::Deny);
    }
    first.stop().await;
    second.stop().await;
}
