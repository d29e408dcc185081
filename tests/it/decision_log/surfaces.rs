//! Every way to a decision leaves a record with the id of its answer, and no other does.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use camgate::audit::decision_log::{DecisionLogSettings, DecisionRecord};
use camgate::directory::service_caller::{Accounts, Right};
use camgate::node::NodeSettings;
use camgate::service::proto as pb;
use camgate::service::proto::authorization_service_client::AuthorizationServiceClient;
use camgate::store::MemoryStore;
use serde_json::json;
use tokio_stream::StreamExt as _;

use super::decisions;
use crate::access::{Guarded, OTHER, bearer, only, surfaces::post};
use crate::grpc::{ROOT, TestServer};

const APP: &str = "qcs::im::uin/12345678:sdkappid/1400000001";

fn question(uin: u64) -> pb::CheckRequest {
    pb::CheckRequest {
        principal: Some(pb::Principal {
            id: Some(pb::principal::Id::Uin(uin)),
            ..Default::default()
        }),
        action: "im:DescribeConfInfo".to_owned(),
        resource: APP.to_owned(),
        ..Default::default()
    }
}

fn log_in(folder: &tempfile::TempDir) -> (PathBuf, NodeSettings) {
    let file = folder.path().join("decisions.jsonl");
    let decision_log = Some(DecisionLogSettings::new(file.clone()));
    (file, NodeSettings { decision_log, ..NodeSettings::default() })
}

fn by_id(records: Vec<DecisionRecord<'static>>) -> BTreeMap<String, DecisionRecord<'static>> {
    records.into_iter().map(|record| (record.id.to_string(), record)).collect()
}

/// The answer and the record say the same.
fn assert_same(decision: &pb::Decision, record: &DecisionRecord<'_>, surface: &str) {
    assert_eq!(record.surface, surface);
    assert_eq!(record.outcome, decision.outcome().as_str_name().trim_start_matches("OUTCOME_"));
    assert_eq!(record.owner_uin, decision.owner_uin);
    let statements: Vec<_> = record
        .determining
        .iter()
        .map(|it| {
            (it.policy_id, it.policy.to_string(), it.version, u32::try_from(it.statement).unwrap())
        })
        .collect();
    let answered: Vec<_> = decision
        .determining
        .iter()
        .map(|it| (it.policy_id, it.policy_name.clone(), it.policy_version, it.statement))
        .collect();
    assert_eq!(statements, answered);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grpc_answers_are_in_the_log_under_their_ids() {
    let folder = tempfile::tempdir().unwrap();
    let (file, settings) = log_in(&folder);
    let mut server = TestServer::start(Arc::new(MemoryStore::new()), None, settings).await;
    server.create_account().await;
    let alice = server.create_user("alice").await;
    let attach = pb::AttachPolicyRequest {
        owner_uin: ROOT,
        policy_id: 1_002,
        uin: alice,
        ..Default::default()
    };
    server.admin.attach_policy(attach).await.unwrap();

    let mut told: Vec<(pb::Decision, &str)> = Vec::new();
    let mut authz = server.authz.clone();
    for uin in [ROOT, alice, 7] {
        let answer = authz.check(question(uin)).await.unwrap().into_inner();
        told.push((answer.decision.unwrap(), "grpc:Check"));
    }
    let mut entries = vec![question(alice); 2];
    // A bad entry is answered with an error, which is no decision.
    entries.push(pb::CheckRequest { action: "nonsense".to_owned(), ..question(alice) });
    let batch = pb::BatchCheckRequest { entries: entries.clone(), consistency: None };
    let answers = authz.batch_check(batch).await.unwrap().into_inner().entries;
    let decision = |entry: pb::BatchCheckEntry| match entry.result.unwrap() {
        pb::batch_check_entry::Result::Decision(decision) => Some(decision),
        pb::batch_check_entry::Result::Error(_) => None,
    };
    told.extend(answers.into_iter().filter_map(decision).map(|it| (it, "grpc:BatchCheck")));
    assert_eq!(told.len(), 5);
    let mut stream = authz.stream_check(tokio_stream::iter(entries)).await.unwrap().into_inner();
    while let Some(entry) = stream.next().await {
        told.extend(decision(entry.unwrap()).map(|it| (it, "grpc:StreamCheck")));
    }
    let explained = authz.explain(pb::ExplainRequest { check: Some(question(alice)) }).await;
    told.push((explained.unwrap().into_inner().decision.unwrap(), "grpc:Explain"));
    assert!(authz.check(pb::CheckRequest { action: "x".into(), ..question(alice) }).await.is_err());

    // What was answered is in the file, without waiting for anything.
    let records = by_id(decisions(&file));
    assert_eq!(records.len(), told.len(), "one line for each decision, and for nothing else");
    for (decision, surface) in &told {
        assert_same(decision, &records[&decision.decision_id], surface);
    }
    let first = &records[&told[1].0.decision_id];
    assert_eq!((first.action.as_ref(), first.resource.as_ref()), ("im:DescribeConfInfo", APP));
    assert_eq!(first.registered_owner, Some(ROOT));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_caller_is_named_and_who_may_not_ask_leaves_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let (file, settings) = log_in(&folder);
    let server = Guarded::start_with(settings).await;
    let check = server.caller("im-gateway", only(Right::Check)).await;
    let mut elsewhere = only(Right::Check);
    elsewhere.check = Accounts::Only([OTHER].into());
    let elsewhere = server.caller("elsewhere", elsewhere).await;
    let client = |token: &str| {
        AuthorizationServiceClient::with_interceptor(server.channel.clone(), bearer(token))
    };
    let answer = client(&check).check(question(7)).await.unwrap().into_inner().decision.unwrap();
    assert!(client(&elsewhere).check(question(ROOT)).await.is_err());
    assert!(
        AuthorizationServiceClient::new(server.channel.clone()).check(question(7)).await.is_err()
    );
    let body = json!({
        "subject": {"type": "user", "id": "nobody"}, "action": {"name": "im:DescribeConfInfo"},
        "resource": {"type": "qcs", "id": APP}
    });
    let answered = post(&server, "/access/v1/evaluation", &check, &body.to_string()).await;
    let records = by_id(decisions(&file));
    assert_eq!(records.len(), 2, "{records:?}");
    assert_same(&answer, &records[&answer.decision_id], "grpc:Check");
    assert!(records.values().all(|it| it.caller.as_deref() == Some("im-gateway")));
    let authzen = records.values().find(|it| it.surface == "authzen").unwrap();
    assert!(answered.contains(&*authzen.id), "{answered}");
    assert_eq!(authzen.reason, "unknown_principal");
}
