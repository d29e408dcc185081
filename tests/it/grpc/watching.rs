//! Watching one account: snapshot, deltas, bookmarks, resumption, compaction.

use std::sync::Arc;

use camgate::node::NodeSettings;
use camgate::service::proto as pb;
use camgate::store::{ChangeRetention, MemoryStore};
use pb::watch_response::Event;
use tokio_stream::StreamExt;
use tonic::{Code, Streaming};

use super::{ROOT, TestServer, on_every_store};

async fn next(events: &mut Streaming<pb::WatchResponse>) -> Event {
    events.next().await.unwrap().unwrap().event.unwrap()
}

/// The next event that tells of a change.
async fn next_delta(events: &mut Streaming<pb::WatchResponse>) -> pb::WatchDelta {
    loop {
        match next(events).await {
            Event::Delta(delta) => return delta,
            Event::Bookmark(_) | Event::Presets(_) => {}
            Event::Snapshot(it) => panic!("a second snapshot: {it:?}"),
        }
    }
}

fn names(objects: &[pb::AccountObject]) -> Vec<String> {
    use pb::account_object::Object;
    let name = |object: &pb::AccountObject| match object.object.clone().unwrap() {
        Object::Account(it) => format!("account {}", it.owner_uin),
        Object::SubAccount(it) => format!("user {}", it.name),
        Object::Group(it) => format!("group {}", it.name),
        Object::Policy(it) => format!("policy {}", it.name),
        Object::App(it) => format!("app {}", it.sdkappid),
        Object::Role(it) => format!("role {}", it.name),
    };
    objects.iter().map(name).filter(|name| !name.starts_with("account")).collect()
}

fn watch(after: &str) -> pb::WatchRequest {
    pb::WatchRequest { owner_uin: ROOT, after: after.to_owned() }
}

#[tokio::test]
async fn a_watch_tells_the_state_and_then_every_change() {
    on_every_store(|mut server| async move {
        server.create_account().await;
        let alice = server.create_user("alice").await;
        let mut events = server.watch.watch(watch("")).await.unwrap().into_inner();
        let Event::Snapshot(snapshot) = next(&mut events).await else { panic!("no snapshot") };
        let expected = ["user alice", "app 1400000000", "app 1400000001", "app 1400000002"];
        assert_eq!(names(&snapshot.objects), expected);
        let policy = server.create_policy("ops", super::POLICY).await;
        let delta = next_delta(&mut events).await;
        assert_eq!(names(&delta.put), ["policy ops"]);
        let token = server.attach(policy, alice).await;
        let delta = next_delta(&mut events).await;
        assert_eq!((names(&delta.put), &delta.revision), (vec!["user alice".to_owned()], &token));
        let delete = pb::DeletePolicyRequest {
            owner_uin: ROOT,
            policy_id: policy,
            force: true,
            ..Default::default()
        };
        server.admin.delete_policy(delete).await.unwrap();
        let delta = next_delta(&mut events).await;
        assert_eq!(names(&delta.put), ["user alice"]);
        let gone = pb::ObjectKey { key: Some(pb::object_key::Key::PolicyId(policy)) };
        assert_eq!(delta.removed, [gone]);
        // Resumed from the middle: what came later, and nothing else.
        let mut resumed = server.watch.watch(watch(&token)).await.unwrap().into_inner();
        let delta = next_delta(&mut resumed).await;
        assert_eq!((names(&delta.put), delta.removed.len()), (vec!["user alice".to_owned()], 1));
        drop((events, resumed));
        server
    })
    .await;
}

#[tokio::test]
async fn changes_of_others_are_bookmarks() {
    let settings = NodeSettings { bookmark_interval_ms: 20, ..Default::default() };
    let mut server = TestServer::start(Arc::new(MemoryStore::new()), None, settings).await;
    server.create_account().await;
    let mut events = server.watch.watch(watch("")).await.unwrap().into_inner();
    next(&mut events).await;
    let other = pb::CreateAccountRequest { owner_uin: ROOT + 1, app_id: 7, options: None };
    let other = server.admin.create_account(other).await.unwrap().into_inner();
    // Bookmarks come whether anything happens or not; one of them is at the other's revision.
    let wanted = other.result.unwrap().revision;
    loop {
        let Event::Bookmark(bookmark) = next(&mut events).await else { panic!("no bookmark") };
        if bookmark.revision == wanted {
            break;
        }
    }
    drop(events);
    server.stop().await;
}

#[tokio::test]
async fn a_token_too_old_is_out_of_range() {
    let retention = ChangeRetention { sets_max: 3, bytes_max: 1 << 20 };
    let store = Arc::new(MemoryStore::with_retention(retention));
    let mut server = TestServer::start(store, None, NodeSettings::default()).await;
    server.create_account().await;
    let old = server.node.token(camgate::store::Revision(1));
    for number in 0..5 {
        server.create_user(&format!("u{number}")).await;
    }
    let status = server.watch.watch(watch(&old)).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange);
    let unknown = pb::WatchRequest { owner_uin: 4_711, after: String::new() };
    assert_eq!(server.watch.watch(unknown).await.unwrap_err().code(), Code::NotFound);
    server.stop().await;
}

#[tokio::test]
async fn a_watch_ends_when_the_server_stops() {
    let mut server = TestServer::memory().await;
    server.create_account().await;
    let mut events = server.watch.watch(watch("")).await.unwrap().into_inner();
    next(&mut events).await;
    server.stop().await;
    let status = events.next().await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
}
