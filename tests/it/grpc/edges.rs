//! Statuses that need a difficult store or a stopping server, as a caller meets them.

use std::sync::Arc;

use camgate::node::NodeSettings;
use camgate::service::proto as pb;
use camgate::store::{CommitLimits, Store};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt;

use super::{APP_ID, ROOT, TestServer, question};
use crate::support::change_log::whole_log;
use crate::support::wrapped_store::WrappedStore;

const GROUPS: usize = 20;
const MUTATIONS_MAX: usize = 8;

fn reason(status: &Status) -> String {
    status.get_error_details().error_info().unwrap().reason.clone()
}

fn group(name: &str, request_id: &str) -> pb::CreateGroupRequest {
    let request_id = request_id.to_owned();
    pb::CreateGroupRequest {
        owner_uin: ROOT,
        name: name.to_owned(),
        options: Some(pb::WriteOptions { request_id, ..Default::default() }),
        ..Default::default()
    }
}

async fn create_account(server: &mut TestServer) {
    let request = pb::CreateAccountRequest { owner_uin: ROOT, app_id: APP_ID, options: None };
    server.admin.create_account(request).await.unwrap();
}

async fn group_names(server: &mut TestServer) -> Vec<String> {
    let request = pb::ListGroupsRequest { owner_uin: ROOT, ..Default::default() };
    let answer = server.admin.list_groups(request).await.unwrap().into_inner();
    answer.groups.into_iter().map(|it| it.name).collect()
}

#[tokio::test]
async fn a_plan_too_large_for_one_commit_is_done_in_steps_only_when_asked() {
    let limits = CommitLimits { commit_bytes_max: 64 * 1024, mutations_max: MUTATIONS_MAX };
    let store = Arc::new(WrappedStore::with_limits(limits));
    let settings = NodeSettings::default();
    let mut server = TestServer::start(Arc::clone(&store) as _, None, settings).await;
    create_account(&mut server).await;
    let groups: Vec<_> =
        (0..GROUPS).map(|number| serde_json::json!({"name": format!("g{number:02}")})).collect();
    let account = serde_json::json!({"owner_uin": ROOT, "app_id": APP_ID, "groups": groups});
    let content = account.to_string().into_bytes();
    let apply = |in_steps| pb::ApplyAccountRequest {
        owner_uin: ROOT,
        files: vec![pb::FolderFile { path: "account.json".to_owned(), content: content.clone() }],
        in_steps,
        ..Default::default()
    };
    let status = server.admin.apply_account(apply(false)).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    let details = status.get_error_details();
    assert_eq!(details.error_info().unwrap().metadata["limit"], MUTATIONS_MAX.to_string());
    assert_eq!(group_names(&mut server).await, [""; 0]);

    let before = store.head().await.unwrap().0;
    let answer = server.admin.apply_account(apply(true)).await.unwrap().into_inner();
    assert_eq!(answer.steps.len(), GROUPS, "every step is told once");
    assert!(answer.result.unwrap().changed);
    let commits = usize::try_from(store.head().await.unwrap().0 - before).unwrap();
    assert!((GROUPS.div_ceil(MUTATIONS_MAX)..GROUPS).contains(&commits), "{commits}");
    let names: Vec<_> = (0..GROUPS).map(|number| format!("g{number:02}")).collect();
    assert_eq!(group_names(&mut server).await, names);
    // Each commit has its own entry, the account's creation too.
    assert_eq!(whole_log(&server.node, ROOT).await.len(), commits + 1);
    let again = server.admin.apply_account(apply(true)).await.unwrap().into_inner();
    assert_eq!(again.steps, []);
    server.stop().await;
}

#[tokio::test]
async fn a_write_that_always_meets_a_rival_gives_up_after_the_stated_attempts() {
    let store = Arc::new(WrappedStore::default());
    let settings = NodeSettings { commit_attempts_max: 3, ..Default::default() };
    let mut server = TestServer::start(Arc::clone(&store) as _, None, settings).await;
    create_account(&mut server).await;
    store.set_rival(true);
    let before = store.tries();
    let status = server.admin.create_group(group("ops", "r")).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Aborted, "CONTENDED"));
    assert!(status.message().contains("3 times in a row"), "{}", status.message());
    assert_eq!(store.tries() - before, 3);
    assert_eq!(group_names(&mut server).await, [""; 0]);
    // As the message says: retry. Nothing was kept of the first request.
    store.set_rival(false);
    server.admin.create_group(group("ops", "r")).await.unwrap();
    assert_eq!(group_names(&mut server).await, ["ops"]);
    server.stop().await;
}

#[tokio::test]
async fn a_write_that_does_not_become_visible_in_time_is_stored_all_the_same() {
    let store = Arc::new(WrappedStore::default());
    // A node with time enough makes the account; the hurried one only writes while it must wait.
    let mut patient =
        TestServer::start(Arc::clone(&store) as _, None, NodeSettings::default()).await;
    create_account(&mut patient).await;
    let settings = NodeSettings { visible_wait_ms: 20, ..Default::default() };
    let mut server = TestServer::start(Arc::clone(&store) as _, None, settings).await;
    store.hold().await;
    let before = store.head().await.unwrap();
    let status = server.admin.create_group(group("ops", "r")).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::DeadlineExceeded, "NOT_VISIBLE"));
    assert!(status.message().contains("is stored at revision"), "{}", status.message());
    let stored = store.head().await.unwrap();
    assert_eq!((stored.0, server.node.applied_revision()), (before.0 + 1, before));
    store.release().await;
    server.node.wait_at_least(Some(stored)).await.unwrap();
    assert_eq!(group_names(&mut server).await, ["ops"]);
    // The same request again is answered from the first one.
    let again = server.admin.create_group(group("ops", "r")).await.unwrap().into_inner();
    assert_eq!(again.result.unwrap().revision, server.node.token(stored));
    server.stop().await;
    patient.stop().await;
}

fn assert_stopping(status: &Status) {
    assert_eq!((status.code(), reason(status).as_str()), (Code::Unavailable, "STOPPING"));
}

/// A stream of questions that has its first answer, and the end to ask more at.
async fn ask_in_a_stream(
    server: &mut TestServer,
) -> (mpsc::Sender<pb::CheckRequest>, Streaming<pb::BatchCheckEntry>) {
    let (questions, asked) = mpsc::channel(1);
    questions.send(question(ROOT, "im:SendMsg", "*")).await.unwrap();
    let request = ReceiverStream::new(asked);
    (questions, server.authz.stream_check(request).await.unwrap().into_inner())
}

async fn watch_account(server: &mut TestServer) -> Streaming<pb::WatchResponse> {
    let request = pb::WatchRequest { owner_uin: ROOT, after: String::new() };
    server.watch.watch(request).await.unwrap().into_inner()
}

/// The status that a stream ends with.
async fn last<T>(mut stream: Streaming<T>) -> Status {
    loop {
        if let Err(status) = stream.next().await.unwrap() {
            return status;
        }
    }
}

#[tokio::test]
async fn what_waits_ends_when_the_drain_begins_and_nothing_new_is_taken_after_it() {
    let mut server = TestServer::memory().await;
    create_account(&mut server).await;
    let (questions, mut answers) = ask_in_a_stream(&mut server).await;
    answers.next().await.unwrap().unwrap();
    let mut events = watch_account(&mut server).await;
    events.next().await.unwrap().unwrap();
    server.stop.take().unwrap().send(()).unwrap();
    assert_stopping(&last(answers).await);
    assert_stopping(&last(events).await);
    drop(questions);
    (&mut server.task).await.unwrap();
    let refused = server.authz.check(question(ROOT, "im:SendMsg", "*")).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    let refused = server.admin.create_group(group("late", "r")).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
}

/// Between the beginning of the drain and the end of a connection.
#[tokio::test]
async fn a_stopping_node_takes_no_new_stream() {
    let mut server = TestServer::memory().await;
    create_account(&mut server).await;
    server.node.stop();
    let (_questions, answers) = ask_in_a_stream(&mut server).await;
    assert_stopping(&last(answers).await);
    let events = watch_account(&mut server).await;
    assert_stopping(&last(events).await);
    server.stop().await;
}

#[tokio::test]
async fn a_write_under_way_is_finished_while_draining() {
    let store = Arc::new(WrappedStore::default());
    let mut server =
        TestServer::start(Arc::clone(&store) as _, None, NodeSettings::default()).await;
    create_account(&mut server).await;
    let events = watch_account(&mut server).await;
    store.hold().await;
    let before = store.head().await.unwrap();
    let mut admin = server.admin.clone();
    let write = tokio::spawn(async move { admin.create_group(group("ops", "r")).await });
    while store.head().await.unwrap() == before {
        tokio::task::yield_now().await;
    }
    server.stop.take().unwrap().send(()).unwrap();
    assert_stopping(&last(events).await);
    store.release().await;
    write.await.unwrap().unwrap();
}
