//! A node that has lost touch with a store that others write: every surface says how old its
//! answers may be, and what cannot say it is silent.

use std::sync::Arc;
use std::time::Duration;

use camgate::node::{AccountEvent, NodeError};
use camgate::service::proto::authorization_service_client::AuthorizationServiceClient;
use camgate::store::{Commit, Store as _};
use tonic::transport::Channel;

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
    let least = decision.stale_ms;
    searches_say_it(&mut authz, uin, least).await;
    let told = gated.call("DescribeConfInfo", params).await;
    assert!(told.is_allowed());
    let age: u64 = told.set["x-camgate-stale-ms"].parse().unwrap();
    assert!(age >= least, "{told:?}");
    assert_eq!(told.metadata["cache_ms"], json!(0.0), "nobody keeps what is old: {told:?}");

    authzen_says_it(&gated, least).await;
}

async fn searches_say_it(authz: &mut AuthorizationServiceClient<Channel>, uin: u64, least: u64) {
    let (action, resource) = ("im:DescribeConfInfo".to_owned(), name(APPS[1]));
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
    assert!(ages.iter().all(|age| *age >= least), "{ages:?}");
}

async fn authzen_says_it(gated: &Gated, least: u64) {
    let (uin, resource) = (gated.alice_uin, name(APPS[1]));
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
        assert!(answer["context"]["stale_ms"].as_u64() >= Some(least), "{answer}");
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

/// What `/metrics` says, by name; and what `/readyz` says.
async fn measured(gated: &Gated) -> (BTreeMap<String, f64>, u16) {
    let get = |target: &str| Outgoing {
        method: "GET".into(),
        target: target.into(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    let answer = gated.server.root.send(&get("/metrics")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let kind = answer.header("content-type").unwrap();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    assert!(answer.body.ends_with("# EOF\n"), "{answer:?}");
    let lines = answer.body.lines().filter(|line| !line.starts_with('#'));
    let metrics = lines.map(|line| {
        let (name, number) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), number.parse().unwrap())
    });
    (metrics.collect(), gated.server.root.send(&get("/readyz")).await.status)
}

/// Asks until what is measured is so.
async fn until(
    gated: &Gated,
    is_so: impl Fn(&BTreeMap<String, f64>, u16) -> bool,
) -> BTreeMap<String, f64> {
    let asking = async {
        loop {
            let (metrics, ready) = measured(gated).await;
            if is_so(&metrics, ready) {
                break metrics;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asking).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_and_readiness_tell_when_a_node_does_not_know() {
    let store = Arc::new(WrappedStore::default());
    let settings =
        NodeSettings { heartbeat_ms: 20, staleness_max_ms: 300, ..NodeSettings::default() };
    let gate = GateSettings::default();
    let gated = Gated::with(CamServer::start_gate_on(store.clone(), gate, settings).await).await;
    let ready =
        until(&gated, |metrics, ready| ready == 200 && metrics["camgate_ready"] == 1.0).await;
    assert!(
        ready.contains_key(&format!(
            "camgate_build_info{{version=\"{}\"}}",
            env!("CARGO_PKG_VERSION")
        ))
    );
    assert_eq!((ready["camgate_loaded_accounts"], ready["camgate_nodes"]), (2.0, 1.0));
    assert!(ready["camgate_loaded_bytes"] > 0.0 && ready["camgate_snapshot_age_seconds"] < 0.3);
    lose_touch(&store).await;
    // The metrics are read before readiness, so they may be a moment younger.
    let age = "camgate_snapshot_age_seconds";
    let stale = until(&gated, |metrics, ready| ready == 503 && metrics[age] > 0.3).await;
    assert_eq!(stale["camgate_store_revision"], stale["camgate_applied_revision"] + 1.0);
    // Now there is no answer any more, on any surface.
    let mut envoy = gated.server.envoy.clone();
    let outgoing = gated.alice.post(IM, "DescribeConfInfo", &json!({"SdkAppId": APPS[1]}));
    let told = Told::of(envoy.check(seen(&outgoing)).await.unwrap().into_inner());
    assert!(!told.is_allowed(), "{told:?}");
    store.release().await;
    let again =
        until(&gated, |metrics, ready| ready == 200 && metrics["camgate_ready"] == 1.0).await;
    assert_eq!(again["camgate_store_revision"], again["camgate_applied_revision"]);
}
