//! Texts and their findings, as (code, path), with help where it matters.

use super::*;
use crate::lang::test_vocabulary::TestVocabulary;
use crate::lang::variable::Owner;
use crate::lang::vocabulary::NoVocabulary;

const OWNER: Owner = Owner { uin: 12_345_678, app_id: 1_250_000_001 };

fn findings(kind: DocumentKind, text: &str) -> Vec<Diagnostic> {
    let scope = Scope { vocabulary: &TestVocabulary::new(), owner: Some(OWNER), kind };
    let checked = check(text.as_bytes(), &scope);
    let errors: Vec<Diagnostic> = checked
        .findings
        .into_iter()
        .filter(|finding| matches!(finding.code, crate::lang::diagnostic::Code::Error(_)))
        .collect();
    assert_eq!(checked.policy.is_some(), errors.is_empty(), "{text}");
    errors
}

/// The errors of a one-statement policy as (code, what stands at the place, help).
fn errors(statement: &str) -> Vec<(String, String, String)> {
    let text = format!(r#"{{"version":"2.0","statement":[{statement}]}}"#);
    findings(DocumentKind::Identity, &text)
        .into_iter()
        .map(|finding| {
            let code = finding.code.as_str().replace("InvalidParameter.", "");
            let place = text.get(finding.span.start..finding.span.end).unwrap().to_owned();
            (code, place, finding.help.unwrap_or_default())
        })
        .collect()
}

fn one(statement: &str) -> (String, String, String) {
    let mut found = errors(statement);
    assert_eq!(found.len(), 1, "{statement}: {found:?}");
    found.remove(0)
}

fn action(effect: &str, text: &str) -> String {
    format!(r#"{{"effect":"{effect}","action":["im:DescribeConfInfo","{text}"],"resource":"*"}}"#)
}

#[test]
fn action_faults_have_code_place_and_help() {
    let table = [
        ("im:De?", "ActionError", "only wildcard"),  // rule A-04
        ("actionName/im:X", "ActionError", "name/"), // rule A-02
        ("DescribeConfInfo", "ActionError", "im:DescribeConfInfo"), // rule A-02
        ("IM:X", "ActionServiceNotExist", "`im`"),   // rules A-05, A-06
        ("i*:X", "ActionError", "`*` alone"),        // rule A-06
        ("permid/x", "ActionError", "number"),       // rule A-08
        ("im:${uin}", "ActionError", "variables"),   // rule V-02
        ("im:describeconfinfo", "ActionNotExist", "`im:DescribeConfInfo`"), // rule A-05
        ("name/im:delete*", "ActionNotExist", "`im:DeleteAccount`"), // rule A-05
        ("*:describe*", "ActionNotExist", ", …"),    // rule A-05
        ("im:创建", "ActionError", ""),
    ];
    for (text, code, help) in table {
        let (found_code, place, found_help) = one(&action("allow", text));
        assert_eq!(found_code, code, "{text}");
        assert_eq!(place, format!("\"{text}\""));
        assert!(found_help.contains(help), "{text}: {found_help}");
    }
}

#[test]
fn action_unknown_is_no_error() {
    // rule A-07
    for text in
        ["im:RemoveUser", "im:Zz*", "trtc:Describe*", "xx:y", "*", "name/*:*", "*:Describe*"]
    {
        assert_eq!(errors(&action("deny", text)), [], "{text}");
    }
}

#[test]
fn action_set_unknown_is_refused_in_a_deny_only() {
    // rule A-08
    assert_eq!(errors(&action("allow", "permid/1")), []);
    assert_eq!(errors(&action("deny", "permid/280649")), []);
    assert_eq!(one(&action("deny", "permid/1")).0, "ActionNotExist");
    let text = format!(r#"{{"version":"2.0","statement":[{}]}}"#, action("deny", "permid/1"));
    assert!(load(text.as_bytes()).is_ok(), "a stored deny stays readable");
}

#[test]
fn resource_faults_have_code_place_and_help() {
    let table = [
        ("im", "ResourceQcsError", "e.g."),                 // rule R-01
        ("qcs::im::sdkappid/1", "ResourceQcsError", "`:`"), // rule R-01
        ("qcs:0:im:::x", "ResourceProjectError", "empty"),  // rule R-04
        ("qcs::IM:::x", "ResourceServiceNotExist", "im"),   // rule R-01
        ("qcs::im:GZ::x", "ResourceRegionError", "region"), // rule R-01
        ("qcs::im::uin/x:x", "ResourceUinError", "own account"), // rule R-06
        ("qcs::im::uin/${uin}:x", "ResourceUinError", "last segment"), // rule V-02
        ("qcs::im::uin/99:x", "ResourceUinError", "own account"), // rule R-11
        ("qcs::im::uid/99:x", "ResourceUinError", "own account"), // rule R-11
        ("qcs::im:::", "ResourceContentError", "name the resource"), // rule R-12
        ("qcs::im:::群/${who}", "ResourceContentError", "variable"), // rule V-02
    ];
    for (text, code, help) in table {
        let (found_code, place, found_help) =
            one(&format!(r#"{{"effect":"allow","action":"*","resource":["*","{text}"]}}"#));
        assert_eq!((found_code.as_str(), place), (code, format!("\"{text}\"")), "{text}");
        assert!(found_help.contains(help), "{text}: {found_help}");
    }
    for text in [
        "qcs::im::uin/12345678:sdkappid/1",
        "qcs::im::uid/1250000001:x",
        "qcs::im::uin/*:x",
        "qcs::im::*:x",
        "qcs::im::uin/:x",
        "qcs:::::用户/${uin}/*",
    ] {
        let statement = format!(r#"{{"effect":"deny","action":"*","resource":"{text}"}}"#);
        assert_eq!(errors(&statement), [], "{text}"); // rules R-06, R-11
    }
}

fn condition(block: &str) -> String {
    format!(r#"{{"effect":"allow","action":"*","resource":"*","condition":{{{block}}}}}"#)
}

#[test]
fn condition_faults_have_code_place_and_help() {
    let table = [
        (
            r#""string_equals":{"k":"v"}"#,
            "ConditionTypeError",
            "\"string_equals\"",
            "string_equal`",
        ),
        (
            r#""for_any_value:string_equal_if_exists":{"k":"v"}"#,
            "ConditionTypeError",
            "\"for_any_value:string_equal_if_exists\"",
            "_if_exist`",
        ),
        (r#""null_equal_if_exist":{"k":true}"#, "ConditionTypeError", "", "neither"), // rule C-15
        (r#""string_equal":{"qcs:ip":"1.1.1.1"}"#, "ConditionTypeError", "", ""),     // rule C-16
        (r#""ip_equal":{"qcs:tag/a":"1.1.1.1"}"#, "ConditionTypeError", "", ""),      // rule C-16
        (r#""numeric_equal":{"k":["1","x"]}"#, "ConditionContentError", "\"x\"", ""), // rule C-10
        (r#""numeric_equal":{"k":1e999999}"#, "ConditionContentError", "1e999999", "9999"),
        (r#""string_equal":{"k":1e999999}"#, "ConditionContentError", "1e999999", "digits"),
        (r#""ip_equal":{"qcs:ip":"10.0.0.0/33"}"#, "ConditionContentError", "\"10.0.0.0/33\"", ""),
        (r#""date_equal":{"k":"2022-05-31"}"#, "ConditionContentError", "\"2022-05-31\"", ""),
        (r#""bool_equal":{"k":1}"#, "ConditionContentError", "1", ""), // rule C-12
        (r#""date_equal":{"k":"${uin}"}"#, "ConditionContentError", "", "variables"), // rule V-02
        (r#""string_equal":{"k":"${name}"}"#, "ConditionContentError", "", ""), // rule V-02
        (r#""string_equal":{"":"v"}"#, "ConditionError", "\"\"", ""),
        (r#""string_equal":{" qcs:x":"v"}"#, "ConditionError", "\" qcs:x\"", ""),
        (r#""string_equal":{"${uin}":"v"}"#, "ConditionError", "\"${uin}\"", ""), // rule V-02
    ];
    for (block, code, place, help) in table {
        let (found_code, found_place, found_help) = one(&condition(block));
        assert_eq!(found_code, code, "{block}");
        assert!(place.is_empty() || found_place == place, "{block}: {found_place}");
        assert!(found_help.contains(help), "{block}: {found_help}");
    }
    for block in [
        r#""for_any_value:string_like_if_exist":{"qcs:resource_tag":"部门&研发*"}"#,
        r#""string_equal":{"mfa":"0"},"numeric_equal":{"mfa":0}"#, // rule C-18
        r#""ip_equal":{"qcs:ip":["10.217.182.3/24","::1"]}"#,
        r#""date_less_than":{"qcs:current_time":"2022-05-31 00:00:00"}"#,
        r#""null_equal":{"k":"true","l":false}"#,
        r#""numeric_equal":{"k":"${uin}"}"#,
    ] {
        assert_eq!(errors(&condition(block)), [], "{block}");
    }
}

#[test]
fn all_findings_of_all_statements_come_in_document_order() {
    // rule L-11
    let text = r#"{"version":"2.1","statement":[
        {"effect":"permit","action":"im:a b","resource":"x"},
        17,
        {"effect":"deny","action":"IM:X","resource":"*","condition":{"string_is":{"k":"v"}}}]}"#;
    let found: Vec<String> = findings(DocumentKind::Identity, text)
        .iter()
        .map(|finding| format!("{}:{} {}", finding.line, finding.column, finding.path))
        .collect();
    assert_eq!(
        found,
        [
            "1:12 version",
            "2:19 statement[0].effect",
            "2:37 statement[0].action",
            "2:57 statement[0].resource",
            "3:9 statement[1]",
            "4:35 statement[2].action",
            "4:70 statement[2].condition.string_is",
        ]
    );
}

#[test]
fn trust_principals_are_of_known_forms() {
    // rule L-08
    let trust = |principal: &str| {
        let text = format!(
            r#"{{"version":"2.0","statement":[{{"effect":"allow","action":"name/sts:AssumeRole","principal":{principal}}}]}}"#
        );
        findings(DocumentKind::Trust, &text)
            .iter()
            .map(|finding| finding.code.as_str().replace("InvalidParameter.", ""))
            .collect::<Vec<_>>()
    };
    for good in [
        r#"{"qcs":["qcs::cam::uin/1:root","qcs::cam::uin/1:uin/2","qcs::cam::uin/1:groupid/3"]}"#,
        r#"{"qcs":"qcs::cam::anyone:anyone"}"#,
        r#"{"service":["cls.cloud.tencent.com"]}"#,
        r#"{"federated":["qcs::cam::uin/1:oidc-provider/公司"]}"#,
    ] {
        assert_eq!(trust(good), Vec::<String>::new(), "{good}");
    }
    for bad in ["100", "qcs::im::uin/1:root", "qcs::cam:::root", "qcs::cam::uin/1:uin/*"] {
        assert_eq!(trust(&format!(r#"{{"qcs":"{bad}"}}"#)), ["PrincipalQcsError"], "{bad}");
    }
    for bad in [r#"{"service":"cls"}"#, r#"{"federated":"qcs::cam::uin/1:root"}"#] {
        assert_eq!(trust(bad), ["PrincipalError"], "{bad}");
    }
}

#[test]
fn hostile_size_is_answered_quickly_and_capped() {
    // rule L-11: at most FINDINGS_MAX are listed, the rest is counted
    let entries = vec!["\"im:x\""; 9_000].join(",");
    let text =
        format!(r#"{{"version":"2.0","statement":[{{"effect":"x","action":[{entries}]}}]}}"#);
    let scope =
        Scope { vocabulary: &TestVocabulary::new(), owner: None, kind: DocumentKind::Identity };
    let checked = check(text.as_bytes(), &scope);
    assert!(checked.policy.is_none());
    assert!(checked.findings.len() <= crate::lang::limits::FINDINGS_MAX);
    assert!(checked.findings.iter().any(|f| f.code.as_str() == "InvalidParameter.EffectError"));
    let scope = Scope { vocabulary: &NoVocabulary, ..scope };
    assert_eq!(check(text.as_bytes(), &scope).findings.len(), 3, "length, effect, resource");
}
