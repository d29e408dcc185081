//! Decisions allocate nothing. A program of its own, because what counts replaces its allocator.
#![expect(clippy::unwrap_used, reason = "test code: a failure is a failed test")]

use std::sync::Arc;

use camgate::catalog::Catalog;
use camgate::engine::{
    AccountInput, AccountSnapshot, ActionQuery, Attachment, DecisionRef, Outcome, PolicyBody,
    PolicyInput, PrincipalInput, PrincipalKind, PrincipalQuery, Query, ResourceQuery, Via, World,
    decide_into,
};
use camgate::lang;
use camgate::lang::condition::Context;
use camgate::lang::variable::Owner;
use jiff::Timestamp;

const ALICE: u64 = 100_000_000_011;
const OWNER: Owner = Owner { uin: 12_345_678, app_id: 1_250_000_001 };

fn policy(id: u64, statements: &str) -> PolicyInput {
    let json = format!(r#"{{"version":"2.0","statement":[{statements}]}}"#);
    let body = PolicyBody::Valid(Arc::new(lang::load(json.as_bytes()).unwrap()));
    PolicyInput { id, name: "策略".into(), version: 1, body }
}

/// Policies of every kind that the index keeps apart, for Alice, and a boundary.
fn snapshot() -> AccountSnapshot {
    let statements = [
        r#"{"effect":"allow","action":"im:Describe*","resource":"qcs::im::uin/12345678:sdkappid/1400000001"}"#,
        r#"{"effect":"allow","action":["im:AddIdentifier","im:AddGroupMember"],"resource":"qcs::im:::sdkappid/14000*"}"#,
        r#"{"effect":"deny","action":"im:DeleteGroupMember","resource":"qcs::im:::*/1400000002"}"#,
        r#"{"effect":"allow","action":"im:*","resource":"qcs::im:::sdkappid/1400000003","condition":{"ip_equal":{"qcs:ip":"10.0.0.0/8"},"string_equal":{"im:env":["prod","dev"]}}}"#,
        r#"{"effect":"allow","action":"im:*","resource":"*"}"#,
    ];
    let policies: Vec<PolicyInput> =
        (1_000_001..).zip(statements).map(|(id, statement)| policy(id, statement)).collect();
    let attach = |it: &PolicyInput| Attachment { policy_id: it.id, via: Via::Direct };
    let alice = PrincipalInput {
        uin: ALICE,
        kind: PrincipalKind::SubUser,
        attachments: policies.iter().map(attach).collect(),
        boundary: Some(1_000_005),
    };
    let input = AccountInput {
        owner: OWNER,
        revision: 1,
        principals: vec![alice],
        policies,
        apps: Vec::new(),
    };
    let world = World::shipped(Arc::new(Catalog::builtin().clone()), Vec::new());
    AccountSnapshot::build(input, &Arc::new(world), None)
}

fn context(ip: &str) -> Context {
    let mut context = Context::new();
    context.insert("qcs:ip", vec![ip.into()]).unwrap();
    context.insert("im:env", vec!["prod".into()]).unwrap();
    context
}

/// From text to the decision, of which everything is looked at: the outcome, and how many
/// statements made it.
fn ask(snapshot: &AccountSnapshot, context: &Context, uin: &str, what: [&str; 2]) -> (bool, usize) {
    let catalog = snapshot.world().catalog();
    let [action, resource] = what;
    let query = Query {
        principal: PrincipalQuery::find(uin.parse().unwrap(), snapshot),
        action: ActionQuery::parse(action, catalog).unwrap(),
        resource: ResourceQuery::parse(resource).unwrap(),
        context,
        now: Timestamp::UNIX_EPOCH,
        session: &[],
        registered_owner: None,
        granted_by_owner: false,
        accepts_filter: false,
    };
    let mut decision = DecisionRef::of_nobody();
    decide_into(snapshot, query.check(catalog).unwrap(), &mut decision);
    let named = decision.determining().filter(|it| it.policy_name() == "策略").count();
    (decision.outcome() == Outcome::Allow, named)
}

#[test]
fn decisions_allocate_nothing() {
    let snapshot = snapshot();
    let contexts = [Context::new(), context("10.1.2.3"), context("192.0.2.1")];
    let mut outcomes = [0, 0];
    for context in &contexts {
        for uin in ["100000000011", "12345678", "7"] {
            for action in ["im:DescribeConfInfo", "name/im:AddIdentifier", "im:DeleteGroupMember"] {
                for app in [1_400_000_001_u64, 1_400_000_002, 1_400_000_003, 1_400_000_004] {
                    let resource = format!("qcs::im::uin/12345678:sdkappid/{app}");
                    let what = [action, resource.as_str()];
                    // The first question of a set folds it.
                    let expected = ask(&snapshot, context, uin, what);
                    let mut answer = (false, 0);
                    let counted = allocation_counter::measure(|| {
                        answer = ask(&snapshot, context, uin, what);
                    });
                    assert_eq!(answer, expected);
                    assert_eq!(counted.count_total, 0, "{uin} {what:?}: {counted:?}");
                    outcomes[usize::from(answer.0)] += 1;
                }
            }
        }
    }
    assert!(outcomes.iter().all(|count| *count > 10), "{outcomes:?}");
}
