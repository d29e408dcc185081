//! A node that has lost touch with a store that others write: every surface says how old its
//! answers may be, and what cannot say it is silent.

use std::sync::Arc;
use std::time::Duration;

use camgate::node::{AccountEvent, NodeError};
use camgate::store::{Commit, Store as _};

use super::*;
use crate::support::wrapped_store::WrappedStore;

/// Asks until the answer is marked.
async fn marked<T, F: Future<Output = (u64, T)>>(mut ask: impl FnMut() -> F) -> T {
    let asking = async {
        loop {
            let (stale_ms, answer) = ask().await;
            if stale_ms > 0 {
                break answer;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asking).await.unwrap()
}

async fn start(store: &Arc<WrappedStore>) -> Gated {
    let settings = NodeSettings {
        heartbeat_ms: 20,
        stale_after_ms: 200,
        bookmark_interval_ms: 10,
        ..NodeSettings::default()
    };
    let gate = GateSettings { cache_ms: 1_000, ..GateSettings::default() };
    Gated::with(CamServer::start_gate_on(store.clone(), gate, settings).await).await
}

/// Others write, and this node is told nothing.
async fn lose_touch(store: &WrappedStore) {
    store.hold().await;
    store.commit(Commit::new().put("t/elsewhere", "")).await.unwrap();
}

fn principal(uin: u64) -> Option<pb::Principal> {
    Some(pb::Principal { id: Some(pb::principal::Id::Uin(uin)), owner_uin: ROOT })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_surface_says_how_old_its_answers_may_be() {
    let store = Arc::new(WrappedStore::default());
    let mut gated = start(&store).await;
    let params = json!({"SdkAppId": APPS[1]});
    let fresh = gated.call("DescribeConfInfo", params.clone()).await;
    assert_eq!(fresh.set.get("x-camgate-stale-ms"), None);
    assert!(fresh.removed.iter().any(|name| name == "x-camgate-stale-ms"), "{fresh:?}");
    assert_eq!(
        (&fresh.metadata["stale_ms"], &fresh.metadata["cache_ms"]),
        (&json!(0.0), &json!(1000.0))
    );
    lose_touch(&store).await;

    let uin = gated.alice_uin;
    let (action, resource) = ("im:DescribeConfInfo".to_owned(), name(APPS[1]));
    let mut authz = gated.server.authz.clone();
    let check = pb::CheckRequest {
        principal: principal(uin),
        action: action.clone(),
        resource: resource.clone(),
        ..Default::default()
    };
    let decision = marked(|| {
        let (mut authz, check) = (authz.clone(), check.clone());
        async move {
            let decision = authz.check(check).await.unwrap().into_inner().decision.unwrap();
            (decision.stale_ms, decision)
        }
    })
    .await;
    assert_eq!(decision.outcome(), pb::Outcome::Allow);

    // From now on it only grows older, and so do all others.
    let resources = pb::ListResourcesRequest {
        principal: principal(uin),
        action: action.clone(),
        ..Default::default()
    };
    let resources = authz.list_resources(resources).await.unwrap().into_inner();
    assert_eq!(resources.resources.len(), 2);
    let actions = pb::ListActionsRequest {
        principal: principal(uin),
        resource: resource.clone(),
        ..Default::default()
    };
    let actions = authz.list_actions(actions).await.unwrap().into_inner();
    let uins = pb::ListPrincipalsRequest {
        owner_uin: ROOT,
        action: action.clone(),
        resource: resource.clone(),
        ..Default::default()
    };
    let uins = authz.list_principals(uins).await.unwrap().into_inner();
    let nobody = pb::ListResourcesRequest { principal: principal(1), action, ..Default::default() };
    let nobody = authz.list_resources(nobody).await.unwrap().into_inner();
    let ages = [resources.stale_ms, actions.stale_ms, uins.stale_ms, nobody.stale_ms];
    assert!(ages.iter().all(|age| *age >= decision.stale_ms), "{ages:?}");

    let told = gated.call("DescribeConfInfo", params).await;
    assert!(told.is_allowed());
    let age: u64 = told.set["x-camgate-stale-ms"].parse().unwrap();
    assert!(age >= decision.stale_ms, "{told:?}");
    assert_eq!(told.metadata["cache_ms"], json!(0.0), "nobody keeps what is old: {told:?}");

    for (path, more) in [("evaluation", json!({"id": resource})), ("search/resource", json!({}))] {
        let mut about = json!({"type": "qcs"});
        about.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let body = json!({"subject": {"type": "user", "id": uin.to_string()},
            "action": {"name": "im:DescribeConfInfo"}, "resource": about});
        let request = Outgoing {
            method: "POST".into(),
            target: format!("/access/v1/{path}"),
            headers: vec![("Content-Type".into(), "application/json".into())],
            body: body.to_string().into_bytes(),
        };
        let answer = gated.server.root.send(&request).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let answer: Value = serde_json::from_str(&answer.body).unwrap();
        assert!(answer["context"]["stale_ms"].as_u64() >= Some(decision.stale_ms), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_is_silent_while_its_node_does_not_know() {
    let store = Arc::new(WrappedStore::default());
    let gated = start(&store).await;
    let node = Arc::clone(&gated.server.node);
    let mut watch = node.watch(ROOT, None).await.unwrap();
    assert!(matches!(watch.next().await.unwrap(), AccountEvent::Snapshot { .. }));
    assert!(matches!(watch.next().await.unwrap(), AccountEvent::Bookmark { .. }));
    lose_touch(&store).await;
    marked(|| async { (node.age_ms().saturating_sub(200), ()) }).await;
    let refused = node.watch(ROOT, None).await.unwrap_err();
    assert!(matches!(refused, NodeError::Stale { limit_ms: 200, .. }), "{refused}");
    // Thirty bookmarks would have been due.
    let silence = tokio::time::timeout(Duration::from_millis(300), watch.next()).await;
    assert!(silence.is_err(), "{silence:?}");
    store.release().await;
    let event = tokio::time::timeout(Duration::from_secs(20), watch.next()).await.unwrap();
    assert!(matches!(event.unwrap(), AccountEvent::Bookmark { .. }));
    assert!(node.watch(ROOT, None).await.is_ok());
}
