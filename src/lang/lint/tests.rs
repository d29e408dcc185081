//! Statements and their lints, as (severity, code, what stands at the place).

use super::*;
use crate::lang::diagnostic::Code;
use crate::lang::test_vocabulary::TestVocabulary;
use crate::lang::validate::check;
use crate::lang::vocabulary::NoVocabulary;

const APP: &str = "qcs::im:::sdkappid/1400000001";

fn lints_of(vocabulary: &dyn Vocabulary, statements: &[String]) -> Vec<String> {
    let text = format!(r#"{{"version":"2.0","statement":[{}]}}"#, statements.join(","));
    let scope = Scope { vocabulary, owner: None, kind: DocumentKind::Identity };
    let checked = check(text.as_bytes(), &scope);
    assert!(checked.policy.is_some(), "{:?}", checked.findings);
    checked
        .findings
        .iter()
        .map(|finding| {
            let Code::Lint(code) = finding.code else { panic!("{finding}") };
            let listed = all().iter().find(|lint| lint.code == code).unwrap();
            assert!(listed.severity <= finding.severity, "no case is worse than the table says");
            assert!(finding.help.is_some(), "{finding}");
            let code = code.strip_prefix("lint.").unwrap();
            let place = text.get(finding.span.start..finding.span.end).unwrap();
            format!("{} {code} {}", finding.severity, place.trim_matches('"'))
        })
        .collect()
}

fn lints(statements: &[String]) -> Vec<String> {
    lints_of(&TestVocabulary::new(), statements)
}

fn statement(effect: &str, action: &str, resource: &str, condition: &str) -> String {
    format!(
        r#"{{"effect":"{effect}","action":"{action}","resource":"{resource}","condition":{{{condition}}}}}"#
    )
}

fn none() -> [String; 0] {
    []
}

#[test]
fn names_that_no_catalog_lists() {
    // rules A-07, A-08
    let of = |effect: &str, action: &str| lints(&[statement(effect, action, "*", "")]);
    assert_eq!(of("deny", "im:RemoveUser"), ["warning unknown-action im:RemoveUser"]);
    assert_eq!(of("deny", "im:Zz*"), ["warning wildcard-matches-nothing im:Zz*"]);
    assert_eq!(of("deny", "trtc:X"), ["warning unknown-service trtc:X"]);
    assert_eq!(of("allow", "permid/1"), ["warning unknown-action-set permid/1"]);
    assert_eq!(of("deny", "permid/280649"), none());
    assert_eq!(of("deny", "name/im:Delete*"), none());
    assert_eq!(
        lints(&[statement("deny", "*", "qcs::imm:::sdkappid/1", "")]),
        [
            "note narrow-resource-operation-action *",
            "warning unknown-service qcs::imm:::sdkappid/1"
        ]
    );
    assert_eq!(lints_of(&NoVocabulary, &[statement("deny", "im:X", APP, "")]), none());
}

#[test]
fn narrow_resource_never_covers_operation_level_actions() {
    // rule R-03
    let of = |action: &str, resource: &str| lints(&[statement("deny", action, resource, "")]);
    let code = "narrow-resource-operation-action";
    assert_eq!(of("im:DescribeBizTypes", APP), [format!("warning {code} im:DescribeBizTypes")]);
    assert_eq!(of("im:DescribeB*", APP), [format!("warning {code} im:DescribeB*")]);
    assert_eq!(of("im:Describe*", APP), [format!("note {code} im:Describe*")]);
    assert_eq!(of("im:Describe*", "*"), none());
    assert_eq!(of("im:DescribeIMAppList", APP), none(), "lists are asked about each app");
}

#[test]
fn conditions_that_read_otherwise_than_they_hold() {
    // rules C-05, C-06, C-07, C-17
    let of = |condition: &str| lints(&[statement("deny", "im:DeleteAccount", "*", condition)]);
    assert_eq!(
        of(r#""ip_equal":{"QCS:ip":"1.1.1.1"}"#),
        ["warning unknown-condition-key-case QCS:ip"]
    );
    assert_eq!(of(r#""string_not_equal":{"k":["a","b"]}"#), ["note negated-multi-value k"]);
    assert_eq!(of(r#""string_not_equal":{"k":["a"]}"#), none());
    assert_eq!(
        of(r#""string_equal":{"qcs:resource_tag":"a&b"}"#),
        ["note missing-quantifier string_equal"]
    );
    assert_eq!(
        of(r#""for_all_value:string_equal":{"qcs:tag":"a&b"}"#),
        ["warning for-all-on-tags for_all_value:string_equal"]
    );
    assert_eq!(of(r#""for_any_value:string_equal":{"qcs:resource_tag":"部门&研发"}"#), none());
}

#[test]
fn key_that_no_request_can_carry() {
    // rule C-03, C-04
    let condition = |operator: &str| format!(r#""{operator}":{{"qcs:request_tag":"a&b"}}"#);
    let of = |effect: &str, action: &str, operator: &str| {
        let operator = format!("for_any_value:{operator}");
        let statement = statement(effect, action, "*", &condition(&operator));
        lints(&[statement]).into_iter().filter(|lint| lint.contains("carried")).collect::<Vec<_>>()
    };
    let lint = |severity: &str| [format!("{severity} condition-key-not-carried qcs:request_tag")];
    assert_eq!(of("allow", "im:*", "string_equal"), lint("warning"));
    assert_eq!(of("allow", "im:*", "string_equal_if_exist"), lint("note"));
    assert_eq!(of("deny", "im:*", "string_not_equal_if_exist"), lint("warning"));
    assert_eq!(of("deny", "im:*", "string_not_equal"), lint("note"));
    assert_eq!(of("deny", "im:DeleteAccount", "string_not_equal"), lint("warning"));
    assert_eq!(of("deny", "im:CreateSecret", "string_not_equal"), none());
}

#[test]
fn grants_of_secrets_are_named() {
    let of = |effect: &str, action: &str| lints(&[statement(effect, action, "*", "")]);
    assert_eq!(of("allow", "*"), ["warning grants-secrets *"]);
    assert_eq!(of("allow", "im:*Secret"), ["warning grants-secrets im:*Secret"]);
    assert_eq!(of("allow", "im:CreateSecret"), ["note grants-secrets im:CreateSecret"]);
    assert_eq!(of("deny", "*"), none());
    assert_eq!(of("allow", "im:Describe*"), none());
    let allow = statement("allow", "im:*", APP, "");
    let deny = |action: &str, resource: &str| statement("deny", action, resource, "");
    let of = |deny: String| {
        let lints = lints(&[allow.clone(), deny]);
        lints.into_iter().filter(|lint| lint.contains("secrets")).collect::<Vec<_>>()
    };
    assert_eq!(of(deny("im:CreateSecret", "*")), ["warning grants-secrets im:*"]);
    assert_eq!(of(deny("im:*Secret*", "*")), ["warning grants-secrets im:*"]);
    assert_eq!(of(deny("*:*", "qcs::im:::*")), none());
    assert_eq!(of(deny("im:*", "qcs::im:::sdkappid/1")), ["warning grants-secrets im:*"]);
    let guarded = statement("allow", "im:*", "*", r#""string_equal":{"k":"v"}"#);
    assert_eq!(lints(&[guarded]), ["note grants-secrets im:*"]);
}

#[test]
fn allow_that_a_deny_covers() {
    // rule D-04
    let allow = |action: &str, resource: &str| statement("allow", action, resource, "");
    let deny = |action: &str, resource: &str| statement("deny", action, resource, "");
    let lint = ["warning shadowed-by-deny allow"];
    let of = |statements: &[String]| {
        lints(statements).into_iter().filter(|lint| lint.contains("shadow")).collect::<Vec<_>>()
    };
    assert_eq!(of(&[allow("im:DescribeConfInfo", APP), deny("im:Describe*", "*")]), lint);
    assert_eq!(of(&[deny("*", "qcs::im:::*"), allow("im:*", APP)]), lint);
    assert_eq!(of(&[allow("im:DescribeConfInfo", "*"), deny("im:Describe*", APP)]), none());
    assert_eq!(of(&[allow("im:*", APP), deny("im:Describe*", "*")]), none());
    let guarded = statement("deny", "*", "*", r#""string_equal":{"k":"v"}"#);
    assert_eq!(of(&[allow("im:DescribeConfInfo", APP), guarded]), none());
}

#[test]
fn lints_are_made_beside_errors() {
    let text = r#"{"version":"2.0","statement":[
        {"effect":"allow","action":["im:RemoveUser","im:"],"resource":"*"}]}"#;
    let scope =
        Scope { vocabulary: &TestVocabulary::new(), owner: None, kind: DocumentKind::Identity };
    let codes: Vec<&str> =
        check(text.as_bytes(), &scope).findings.iter().map(|f| f.code.as_str()).collect();
    assert_eq!(codes, ["lint.unknown-action", "InvalidParameter.ActionError"]);
}

#[test]
fn table_of_lints_is_unique_and_speaks() {
    assert!(all().windows(2).all(|pair| pair[0].code < pair[1].code), "sorted, each once");
    for lint in all() {
        assert!(lint.code.starts_with("lint.") && !lint.help.is_empty(), "{}", lint.code);
    }
}
