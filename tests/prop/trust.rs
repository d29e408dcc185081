//! Trust policies against the reference reading, on random pairs of policy and caller.

use std::sync::Arc;

use camgate::engine::{
    CallerKind, CompiledPolicy, PolicyBody, PolicyInput, TrustCaller, TrustReason, TrustRequest,
    reference, trusts,
};
use camgate::lang;
use camgate::lang::action::ActionName;
use camgate::lang::document::DocumentKind;
use camgate::lang::variable::Owner;

use crate::generate::{Dice, context, statement, world};
use crate::histogram::Histogram;

/// Pairs of one run.
const PAIRS: u64 = 4_000;
const OWNERS: [Owner; 2] = [
    Owner { uin: 12_345_678, app_id: 1_250_000_001 },
    Owner { uin: 99_999_999, app_id: 1_250_000_009 },
];
const ACTIONS: [&str; 4] = ["name/im:RemoveUser", "im:*", "*", "permid/99"];
const PRINCIPALS: [&str; 10] = [
    "qcs::cam::anyone:anyone",
    "qcs::cam::uin/12345678:root",
    "qcs::cam::uin/99999999:root",
    "qcs::cam::uin/12345678:uin/100000000011",
    "qcs::cam::uin/12345678:uin/12345678",
    "qcs::cam::uin/12345678:groupid/7",
    "qcs::cam::uin/99999999:groupid/8",
    "qcs::cam::uin/12345678:role/4611686018427387904",
    "qcs::cam::uin/12345678:roleName/部门",
    "qcs::cam::uin/12345678:role/100000000011",
];

/// A trust policy: the generator's statements with principals for resources.
fn policy(dice: &mut Dice<'_>) -> PolicyInput {
    if dice.chance(2) {
        let body = PolicyBody::Unreadable("cut short".to_owned());
        return PolicyInput { id: 0, name: "trust".into(), version: 1, body };
    }
    let statements: Vec<String> = (0..1 + dice.below(3))
        .map(|_| {
            let mut text = statement(dice);
            text.actions = vec![dice.pick(&ACTIONS)];
            text.resources = vec!["*"];
            let principal = match dice.below(8) {
                0 => r#""*""#.to_owned(),
                1 => r#"{"service":"cls.cloud.tencent.com"}"#.to_owned(),
                _ => {
                    let names = [dice.pick(&PRINCIPALS), dice.pick(&PRINCIPALS)];
                    format!(r#"{{"qcs":["{}","{}"]}}"#, names[0], names[1])
                }
            };
            text.json().replacen("\"resource\":\"*\"", &format!("\"principal\":{principal}"), 1)
        })
        .collect();
    let json = format!(r#"{{"version":"2.0","statement":[{}]}}"#, statements.join(","));
    let valid = lang::load_as(json.as_bytes(), DocumentKind::Trust)
        .unwrap_or_else(|findings| panic!("the generator wrote {json}: {findings:?}"));
    PolicyInput {
        id: 0,
        name: "trust".into(),
        version: 1,
        body: PolicyBody::Valid(Arc::new(valid)),
    }
}

fn caller(dice: &mut Dice<'_>) -> TrustCaller {
    let owner = dice.pick(&OWNERS);
    let uins = [owner.uin, 100_000_000_011, 100_000_000_012];
    if dice.chance(30) {
        let name = dice.pick(&["部门", "ops"]).to_owned();
        let uin = dice.pick(&[4_611_686_018_427_387_904, 4_611_686_018_427_387_905]);
        return TrustCaller { owner, uin, kind: CallerKind::Role { name } };
    }
    let groups = [7, 8].into_iter().filter(|_| dice.chance(40)).collect();
    TrustCaller { owner, uin: dice.pick(&uins), kind: CallerKind::User { groups } }
}

#[test]
fn trusts_equals_reference() {
    let mut histogram = Histogram::default();
    for seed in 0..PAIRS {
        let mut dice = Dice::from_seed(seed);
        let world = world(&mut dice);
        let policy = policy(&mut dice);
        let request = TrustRequest {
            caller: caller(&mut dice),
            action: ActionName::parse("im:RemoveUser").unwrap(),
            context: context(&mut dice),
            now: "2026-01-31T08:00:00Z".parse().unwrap(),
        };
        let compiled = CompiledPolicy::new(policy.clone(), world.catalog());
        let fast = trusts(&compiled, world.catalog(), &request);
        let plain = reference::trusts(&policy, world.catalog(), &request);
        assert_eq!(fast, plain, "{policy:#?}\n{request:#?}");
        histogram.count(fast.reason.as_str());
        if !fast.errors.is_empty() {
            histogram.count("errors");
        }
        // rule D-23: whoever is trusted is so by a statement.
        assert_eq!(fast.is_trusted(), fast.reason == TrustReason::Trusted);
        assert!(!fast.is_trusted() || !fast.determining.is_empty());
    }
    histogram.print();
    for reached in ["trusted", "explicit_deny", "not_trusted", "unreadable", "errors"] {
        assert!(histogram.get(reached) > 10, "hardly ever: {reached}");
    }
}
