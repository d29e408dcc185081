//! Rule D-05: a policy that counts and cannot be read denies, and one that does not count does not.

use camgate::engine::PolicyBody;
use serde_json::json;

use crate::support::account::{Files, Versions, build};

/// An account in which `broken` cannot be read, and what is wrong with the cases.
fn faults(cases: &serde_json::Value) -> Vec<String> {
    let account = json!({
        "owner_uin": 12345678, "app_id": 1250000001, "apps": [{"sdkappid": 1400000001, "name": "a"}],
        "sub_accounts": [
            {"uin": 100000000011_u64, "name": "direct", "kind": "sub_user",
             "policies": ["all", "broken"]},
            {"uin": 100000000012_u64, "name": "group", "kind": "sub_user",
             "policies": ["all"], "groups": ["ops"]},
            {"uin": 100000000013_u64, "name": "bound", "kind": "sub_user", "policies": ["all"],
             "boundary": "broken"},
            {"uin": 100000000014_u64, "name": "denied", "kind": "sub_user",
             "policies": ["all", "broken", "deny"]},
            {"uin": 100000000015_u64, "name": "free", "kind": "sub_user", "policies": ["all"]}
        ],
        "groups": [{"name": "ops", "policies": ["broken"]}]
    });
    let policy = |effect: &str| {
        json!({"version": "2.0",
               "statement": [{"effect": effect, "action": "*", "resource": "*"}]})
    };
    let mut files = Files::new();
    for (path, value) in [
        ("account.json", account),
        ("policies/all.json", policy("allow")),
        ("policies/broken.json", policy("allow")),
        ("policies/deny.json", policy("deny")),
        ("cases/unreadable.json", json!({ "cases": cases })),
    ] {
        files.insert(path.to_owned(), value.to_string().into_bytes());
    }
    let built = build(&files, &Versions::new()).unwrap().changed(|input| {
        let broken = input.policies.iter_mut().find(|policy| &*policy.name == "broken").unwrap();
        broken.body = PolicyBody::Unreadable("the record is cut short".to_owned());
    });
    built.run().1
}

#[test]
fn decide_unreadable_policy_denies() {
    // rule D-05
    let app = "qcs::im::uin/12345678:sdkappid/1400000001";
    let case = |who: &[&str], expect: serde_json::Value| {
        json!({"name": "unreadable", "principals": who, "resources": [app, "*"],
               "actions": ["im:DescribeConfInfo", "im:DescribeIMAppList"], "expect": expect})
    };
    let error = json!({"outcome": "deny", "reason": "error"});
    let explicit = json!({"outcome": "deny", "reason": "explicit_deny", "policy": "deny"});
    let cases = json!([
        case(&["direct", "group", "bound"], error),
        case(&["denied"], explicit),
        case(&["free", "root"], json!("allow")),
    ]);
    assert_eq!(faults(&cases), Vec::<String>::new());
    let wrong = json!([case(&["direct"], json!("allow"))]);
    assert_eq!(faults(&wrong).len(), 4);
}
