//! The policy-test runner: strict case files, honest failures, coverage, and differences.

use camgate::analysis::CaseFile;
use camgate::analysis::diff::{Direction, StatementChange, decision_changes, statement_changes};
use camgate::analysis::{PrincipalRef, requests, run};
use camgate::lang::load;
use serde_json::{Value, json};

use crate::support::account::{Built, Files, Versions, build};

const APP: &str = "qcs::im::uin/12345678:sdkappid/1400000001";

/// alice holds the policy `p`; bob holds nothing.
fn account(policy: &Value, cases: &Value) -> Built {
    let account = json!({
        "owner_uin": 12345678, "app_id": 1250000001,
        "apps": [{"sdkappid": 1400000001, "name": "甲"}, {"sdkappid": 1400000002, "name": "乙"}],
        "sub_accounts": [
            {"uin": 100000000011_u64, "name": "alice", "kind": "sub_user", "policies": ["p"]},
            {"uin": 100000000012_u64, "name": "bob", "kind": "sub_user"}
        ]
    });
    let mut files = Files::new();
    for (path, value) in [
        ("account.json", &account),
        ("policies/p.json", policy),
        ("cases/c.json", &json!({ "cases": cases })),
    ] {
        files.insert(path.to_owned(), value.to_string().into_bytes());
    }
    build(&files, &Versions::new()).unwrap()
}

fn policy(statements: &Value) -> Value {
    json!({"version": "2.0", "statement": statements})
}

fn statement(effect: &str, action: &str, resource: &str) -> Value {
    json!({"effect": effect, "action": action, "resource": resource})
}

fn faults(text: &str) -> Vec<String> {
    let parsed = CaseFile::parse("c", text.as_bytes());
    parsed.map_or_else(|faults| faults.iter().map(ToString::to_string).collect(), |_| Vec::new())
}

#[test]
fn cases_tell_every_fault_with_its_path() {
    let text = r#"{"cases": [
        {"name": "a", "principals": [], "actions": ["im DescribeConfInfo"], "expect": "maybe",
         "who": 1, "name": "b"},
        {"name": 1, "principals": [true, -1], "actions": ["im:A"], "resources": ["qcs:x"],
         "context": {"k": null, "qcs:tag/a": "b"}, "at": "noon", "session": [{"version": "1"}],
         "expect": {"outcome": "allow", "reason": "explicit_deny", "layer": "identity",
                    "statement": 1}},
        {"name": "c", "principals": ["a"], "actions": ["im:A"], "expect": {"error": "no"}},
        {"name": "d", "principals": ["a"], "actions": ["im:A"], "resources": ["qcs:x"],
         "expect": "deny"}
    ], "extra": 1}"#;
    let found = faults(text);
    let has = |start: &str| found.iter().any(|fault| fault.starts_with(&format!("c: {start}")));
    for start in [
        "extra: unknown key",
        "cases[0].who: unknown key",
        "cases[0].name: key `name` comes twice",
        "cases[0].expect: `maybe` is no outcome",
        "cases[1].name: expected a string, found a number",
        "cases[1].principals[0]: expected a string, found a boolean",
        "cases[1].principals[1]: expected a whole number",
        "cases[1].context.k: expected a string, a number",
        "cases[1].at: `noon` is no time",
        "cases[1].session[0]: ",
        "cases[1].expect.reason: `explicit_deny` is no reason of ALLOW",
        "cases[1].expect.layer: ",
        "cases[1].expect.statement: `statement` needs `policy`",
        "cases[2].expect.error: ",
        "cases[3].resources[0]: ",
    ] {
        assert!(has(start), "{start}\n{}", found.join("\n"));
    }
}

#[test]
fn cases_refuse_what_is_no_case_file() {
    for text in ["", "[]", "{", "{}", "null", "{\"cases\": {}}", "\u{feff}{\"cases\": []}"] {
        assert!(!faults(text).is_empty(), "{text}");
    }
    assert_eq!(faults("{\"cases\": []}"), Vec::<String>::new());
    assert_eq!(CaseFile::parse("c", b"{\"cases\": [\xff]}").unwrap_err().len(), 1);
    let names: Vec<String> = (0..101).map(|number| format!("n{number}")).collect();
    let case = json!({"name": "a", "principals": names, "actions": vec!["im:A"; 100],
                      "resources": ["*"], "expect": "deny"});
    let found = faults(&json!({ "cases": [case] }).to_string());
    assert!(found[0].contains("over 10000 requests"), "{found:?}");
    // A request that must be refused may hold what no request may.
    let case = json!({"name": "a", "principals": ["a"], "actions": ["?"], "resources": ["x"],
                      "expect": {"error": "invalid_argument"}});
    assert_eq!(faults(&json!({ "cases": [case] }).to_string()), Vec::<String>::new());
}

#[test]
fn run_failure_tells_the_nearest_misses() {
    let conditional = json!({"effect": "allow", "action": "im:Describe*", "resource": APP,
                             "condition": {"ip_equal": {"qcs:ip": "10.0.0.0/8"}}});
    let policy = policy(&json!([conditional, statement("allow", "im:SetConfInfo", "*")]));
    let case = |context: Value| {
        json!([{"name": "a", "principals": ["alice"], "actions": ["im:DescribeConfInfo"],
                "resources": [APP], "context": context, "expect": "allow"}])
    };
    let (_, faults) = account(&policy, &case(json!({"qcs:ip": "8.8.8.8"}))).run();
    assert_eq!(
        faults,
        [format!(
            "c: a: alice im:DescribeConfInfo {APP}\nexpected ALLOW\n\
             got DENY implicit_deny:identity\n\
             nearest: identity `p` statement 0 on `{APP}` has the condition ip_equal `qcs:ip` \
             [`10.0.0.0/8`], seen `8.8.8.8`"
        )]
    );
    let (_, faults) = account(&policy, &case(json!({}))).run();
    assert!(faults[0].ends_with("seen nothing\nthe context has no `qcs:ip`"), "{}", faults[0]);
}

#[test]
fn run_fails_what_cannot_be_asked() {
    let cases = json!([
        {"name": "nobody", "principals": ["carol"], "actions": ["im:A"], "resources": ["*"],
         "expect": "deny"},
        {"name": "nobody, refused", "principals": ["carol"], "actions": ["im:A"],
         "resources": ["*"], "expect": {"error": "invalid_argument"}},
        {"name": "wrong case", "principals": ["bob"], "actions": ["im:describeconfinfo"],
         "resources": [APP], "expect": "deny"},
        {"name": "decided", "principals": ["bob"], "actions": ["im:DescribeConfInfo"],
         "resources": [APP], "expect": {"error": "invalid_argument"}}
    ]);
    let built = account(&policy(&json!([statement("allow", "*", "*")])), &cases);
    assert_eq!(built.run().1.len(), 4);
}

#[test]
fn run_session_caps() {
    // rule D-10
    let session = |action: &str| policy(&json!([statement("allow", action, "*")]));
    let case = |sessions: Value, expect: Value| {
        json!({"name": "session", "principals": ["alice", "root"], "actions": ["im:SetConfInfo"],
               "resources": [APP], "session": sessions, "expect": expect})
    };
    let capped = json!({"outcome": "deny", "reason": "implicit_deny", "layer": "session"});
    let cases = json!([
        case(json!([session("im:*")]), json!("allow")),
        case(json!([session("im:Describe*")]), capped.clone()),
        case(json!([session("im:*"), session("im:Describe*")]), capped),
    ]);
    let built = account(&policy(&json!([statement("allow", "im:*", "*")])), &cases);
    assert_eq!(built.run().1, Vec::<String>::new());
}

#[test]
fn coverage_counts_statements_and_conditions() {
    let guarded = json!({"effect": "allow", "action": "im:SetConfInfo", "resource": "*",
                         "condition": {"bool_equal": {"k": true}}});
    let policy = policy(&json!([
        statement("allow", "im:Describe*", "*"),
        statement("deny", "im:Export*", "*"),
        guarded
    ]));
    let case = |action: &str, context: Value, expect: &str| {
        json!({"name": action, "principals": ["alice"], "actions": [action], "resources": [APP],
               "context": context, "expect": expect})
    };
    let mut cases = vec![case("im:DescribeConfInfo", json!({}), "allow")];
    cases.push(case("im:SetConfInfo", json!({"k": false}), "deny"));
    let (report, faults) = account(&policy, &json!(cases)).run();
    assert_eq!(faults, Vec::<String>::new());
    let coverage = report.coverage;
    assert_eq!((coverage.statement_percent(), coverage.condition_percent()), (33, 0));
    assert_eq!(coverage.untested().map(|it| it.statement).collect::<Vec<_>>(), [1, 2]);
    let condition = &coverage.statements[2].conditions[0];
    assert_eq!((condition.seen_true, condition.seen_false), (false, true));
    cases.push(case("im:SetConfInfo", json!({"k": true}), "allow"));
    cases.push(case("im:ExportAccount", json!({}), "deny"));
    let (report, _) = account(&policy, &json!(cases)).run();
    let coverage = report.coverage;
    assert_eq!((coverage.statement_percent(), coverage.condition_percent()), (100, 100));
}

#[test]
fn diff_statements_by_meaning() {
    let load = |value: &Value| load(value.to_string().as_bytes()).unwrap();
    let (one, two) = (statement("allow", "name/im:A", "*"), statement("deny", "im:B", "*"));
    let spelled = json!({"resource": ["*"], "action": ["im:A"], "effect": "allow"});
    let before = load(&policy(&json!([one, two])));
    // Spelling and order are no change (rules A-02, L-07, L-12).
    assert_eq!(statement_changes(&before, &load(&policy(&json!([two, spelled])))), []);
    let changes = statement_changes(&before, &load(&policy(&json!([two]))));
    assert!(matches!(&changes[..], [StatementChange::Removed(it)] if it.statement == 0));
    let changes = statement_changes(&before, &load(&policy(&json!([one, two, one]))));
    assert!(matches!(&changes[..], [StatementChange::Added(it)] if it.statement == 2));
    let other = statement("deny", "im:C", "*");
    let changes = statement_changes(&before, &load(&policy(&json!([one, other]))));
    assert!(matches!(&changes[..], [StatementChange::Changed { before, after }]
        if before.text.contains("im:B") && after.text.contains("im:C")));
}

#[test]
fn diff_decisions_by_direction() {
    let cases = json!([
        {"name": "a", "principals": ["alice", "bob"], "actions": ["im:DescribeConfInfo"],
         "resources": [APP], "expect": "allow"},
        {"name": "b", "principals": ["alice"], "actions": ["im:DescribeIMAppList"],
         "accepts_filter": true, "expect": "allow"}
    ]);
    let built =
        |resource: &str| account(&policy(&json!([statement("allow", "im:*", resource)])), &cases);
    let (narrow, wide) = (built("qcs::im:::sdkappid/1400000002"), built("*"));
    let names = |principal: &PrincipalRef| narrow.uin(principal);
    assert_eq!(run(&narrow.snapshot, &names, &narrow.cases).failures().count(), 2);
    let asked: Vec<_> = requests(&narrow.snapshot, &names, &narrow.cases)
        .map(|asked| asked.request.unwrap())
        .collect();
    let directions = |before: &Built, after: &Built| -> Vec<(usize, Direction)> {
        let changes = decision_changes(&before.snapshot, &after.snapshot, &asked);
        changes.iter().map(|it| (it.request, it.direction)).collect()
    };
    assert_eq!(directions(&narrow, &wide), [(0, Direction::Wider), (2, Direction::Wider)]);
    assert_eq!(directions(&wide, &narrow), [(0, Direction::Narrower), (2, Direction::Narrower)]);
    assert_eq!(directions(&narrow, &built(APP)), [(0, Direction::Wider), (2, Direction::Shifted)]);
    assert_eq!(directions(&wide, &wide), []);
}
