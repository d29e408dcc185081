//! Batches and streams answer as single questions do, whatever is in them and in which order.
//!
//! The pools are small, so that entries differ in one thing only: the context, the spelling, the
//! willingness to filter. An answer that leaks from one entry into another shows here.

use camgate::service::proto as pb;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::{APPS, ROOT, TestServer, app};

const POLICY: &str = r#"{
  "version": "2.0",
  "statement": [
    {"effect": "allow", "action": "im:*", "resource": "*",
     "condition": {"ip_equal": {"qcs:ip": "10.0.0.0/8"}}},
    {"effect": "deny", "action": "im:Set*", "resource": "*",
     "condition": {"string_equal": {"stage": ["生产"]}}},
    {"effect": "deny", "action": "im:DescribeIMAppList",
     "resource": "qcs::im::uin/12345678:sdkappid/1400000001"}
  ]
}"#;

/// A uin; the sub-account's is put in later, because it is not known here.
const ALICE: u64 = 0;

fn question() -> impl Strategy<Value = pb::CheckRequest> {
    let uins = prop::sample::select(vec![ALICE, ALICE, ROOT, 4_711]);
    let actions = prop::sample::select(vec![
        "im:DescribeConfInfo",
        "name/im:SetConfInfo",
        "im:setConfInfo",
        "im:DescribeIMAppList",
        "no action",
    ]);
    let resources =
        prop::sample::select(vec!["*".to_owned(), app(APPS[0]), app(APPS[1]), String::new()]);
    let ips = prop::sample::select(vec!["", "10.1.2.3", "8.8.8.8", "nowhere"]);
    let stages = prop::sample::select(vec!["", "生产", "测试"]);
    (uins, actions, resources, ips, stages, any::<bool>()).prop_map(
        |(uin, action, resource, ip, stage, accepts_filter)| {
            let text = |text: &str| pb::ContextValues {
                values: vec![pb::ContextValue {
                    value: Some(pb::context_value::Value::Text(text.to_owned())),
                }],
            };
            let given = [("qcs:ip", ip), ("stage", stage)];
            let given = given.into_iter().filter(|(_, value)| !value.is_empty());
            pb::CheckRequest {
                principal: Some(pb::Principal {
                    id: Some(pb::principal::Id::Uin(uin)),
                    owner_uin: 0,
                }),
                action: action.to_owned(),
                resource,
                context: given.map(|(key, value)| (key.to_owned(), text(value))).collect(),
                consistency: None,
                accepts_filter,
            }
        },
    )
}

/// An answer without what no two answers share: a decision, or a code and a message.
fn essence(answer: pb::BatchCheckEntry) -> Result<pb::Decision, (u32, String)> {
    match answer.result.unwrap() {
        pb::batch_check_entry::Result::Decision(decision) => {
            Ok(pb::Decision { decision_id: String::new(), ..decision })
        }
        pb::batch_check_entry::Result::Error(error) => Err((error.code, error.message)),
    }
}

async fn single(
    server: &mut TestServer,
    question: pb::CheckRequest,
) -> Result<pb::Decision, (u32, String)> {
    match server.authz.check(question).await {
        Ok(answer) => {
            let decision = answer.into_inner().decision.unwrap();
            Ok(pb::Decision { decision_id: String::new(), ..decision })
        }
        Err(status) => {
            Err((u32::try_from(i32::from(status.code())).unwrap(), status.message().to_owned()))
        }
    }
}

#[test]
fn batches_and_streams_equal_singles() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (server, alice) = runtime.block_on(async {
        let mut server = TestServer::memory().await;
        server.create_account().await;
        let alice = server.create_user("alice").await;
        let policy = server.create_policy("ops", POLICY).await;
        server.attach(policy, alice).await;
        (server, alice)
    });
    let server = std::cell::RefCell::new(server);
    let config = ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() };
    let mut kinds = std::collections::BTreeSet::new();
    let seen = std::cell::RefCell::new(&mut kinds);
    let result = TestRunner::new(config).run(&vec(question(), 1..25), |mut entries| {
        for entry in &mut entries {
            let id = &mut entry.principal.as_mut().unwrap().id;
            if *id == Some(pb::principal::Id::Uin(ALICE)) {
                *id = Some(pb::principal::Id::Uin(alice));
            }
        }
        let mut server = server.borrow_mut();
        runtime.block_on(async {
            let batch = pb::BatchCheckRequest { entries: entries.clone(), consistency: None };
            let batch = server.authz.batch_check(batch).await.unwrap().into_inner().entries;
            let questions = tokio_stream::iter(entries.clone());
            let mut stream = server.authz.stream_check(questions).await.unwrap().into_inner();
            prop_assert_eq!(batch.len(), entries.len());
            for (entry, batched) in entries.into_iter().zip(batch) {
                let expected = single(&mut server, entry).await;
                let streamed = stream.message().await.unwrap().unwrap();
                seen.borrow_mut().insert(expected.as_ref().map(|it| it.reason).map_err(|it| it.0));
                prop_assert_eq!(essence(batched), expected.clone());
                prop_assert_eq!(essence(streamed), expected);
            }
            prop_assert!(stream.message().await.unwrap().is_none());
            Ok(())
        })
    });
    result.unwrap();
    // Root, allow, explicit and implicit deny, unknown principal, filter unsupported, refused.
    assert!(kinds.len() >= 7, "{kinds:?}");
    runtime.block_on(server.into_inner().stop());
}
