//! Shapes and their findings, as (code, path) in document order.

use super::*;

fn check(kind: DocumentKind, text: &str, expected: &[(&str, &str)]) {
    let parsed = parse(text.as_bytes(), kind);
    let found: Vec<(&str, &str)> = parsed
        .findings
        .iter()
        .map(|finding| {
            let code = finding.code.as_str();
            (code.strip_prefix("InvalidParameter.").unwrap(), finding.path.as_str())
        })
        .collect();
    assert_eq!(found, expected, "{text}");
    assert_eq!(parsed.document.is_some(), expected.is_empty(), "{text}");
    for finding in &parsed.findings {
        assert!(text.is_char_boundary(finding.span.start), "{finding:?}");
        assert!(text.is_char_boundary(finding.span.end), "{finding:?}");
    }
}

fn identity(text: &str, expected: &[(&str, &str)]) {
    check(DocumentKind::Identity, text, expected);
}

/// A policy with one statement, given without its braces.
fn statement(members: &str, expected: &[(&str, &str)]) {
    identity(&format!(r#"{{"version":"2.0","statement":[{{{members}}}]}}"#), expected);
}

/// A policy with one statement and this condition.
fn condition(block: &str, expected: &[(&str, &str)]) {
    let head = r#""effect":"allow","action":"*","resource":"*","condition""#;
    statement(&format!("{head}:{block}"), expected);
}

const OK: &str = r#"{"effect":"allow","action":"*","resource":"*"}"#;

#[test]
fn document_that_is_no_object_is_refused() {
    // rule L-01
    for text in ["[]", "\"x\"", "1", "null", "", "{", "{}}"] {
        identity(text, &[("PolicyDocumentError", "")]);
    }
}

#[test]
fn document_keys_are_two_and_stand_once() {
    // rules L-02, L-03, L-04, L-05
    identity("{}", &[("StatementError", ""), ("VersionError", "")]);
    identity(
        &format!(r#"{{"Version":"2.0","Statement":[{OK}]}}"#),
        &[
            ("StatementError", ""),
            ("VersionError", ""),
            ("StatementError", "Version"),
            ("StatementError", "Statement"),
        ],
    );
    identity(
        &format!(r#"{{"version":"2.0","version":"2.0","statement":[{OK}],"statement":[]}}"#),
        &[("VersionError", "version"), ("StatementError", "statement")],
    );
    for version in ["2.0", "\"3.0\"", "\"2012-10-17\"", "null", "[\"2.0\"]", "\"\""] {
        identity(
            &format!(r#"{{"version":{version},"statement":[{OK}]}}"#),
            &[("VersionError", "version")],
        );
    }
    for statement in ["[]", OK, "\"x\"", "null"] {
        identity(
            &format!(r#"{{"version":"2.0","statement":{statement}}}"#),
            &[("StatementError", "statement")],
        );
    }
    identity(
        &format!(r#"{{"version":"2.0","statement":[[], {OK}, 1]}}"#),
        &[("StatementError", "statement[0]"), ("StatementError", "statement[2]")],
    );
}

#[test]
fn statement_parts_are_checked_each_on_its_own() {
    // rules L-02, L-03, L-06, L-07, L-11
    statement(
        "",
        &[
            ("ActionMiss", "statement[0]"),
            ("EffectError", "statement[0]"),
            ("ResourceError", "statement[0]"),
        ],
    );
    statement(
        r#""effect":"Allow","action":[],"resource":{}"#,
        &[
            ("EffectError", "statement[0].effect"),
            ("ActionMiss", "statement[0].action"),
            ("ResourceError", "statement[0].resource"),
        ],
    );
    statement(
        r#""effect":["allow"],"action":["im:A",1,null],"resource":[["*"]]"#,
        &[
            ("EffectError", "statement[0].effect"),
            ("ActionError", "statement[0].action[1]"),
            ("ActionError", "statement[0].action[2]"),
            ("ResourceError", "statement[0].resource[0]"),
        ],
    );
    statement(
        r#""effect":"allow","action":"*","resource":"*","effect":"deny","notaction":"*""#,
        &[("EffectError", "statement[0].effect"), ("StatementError", "statement[0].notaction")],
    );
    statement(
        r#""effect":"allow","action":"*","action":"*","resource":"*","resource":"*""#,
        &[("ActionError", "statement[0].action"), ("ResourceError", "statement[0].resource")],
    );
    statement(
        r#""effect":"allow","action":"*","resource":"*","principal":"*""#,
        &[(
            "PrincipalError", // rule L-08
            "statement[0].principal",
        )],
    );
    statement(
        r#""effect":"allow","action":"*","resource":"*","sid":"中文""#,
        &[("StatementError", "statement[0].sid")],
    );
}

#[test]
fn condition_block_shape() {
    // rules L-03, L-07, C-20
    condition("{}", &[]);
    condition(r#"{"string_equal":{"k":"中","l":["a",1,true]}}"#, &[]);
    let at = "statement[0].condition";
    for block in ["[]", "\"x\"", "null", "1"] {
        condition(block, &[("ConditionError", at)]);
    }
    condition(r#"{"string_equal":{}}"#, &[("ConditionError", &format!("{at}.string_equal"))]);
    condition(r#"{"string_equal":["k"]}"#, &[("ConditionError", &format!("{at}.string_equal"))]);
    condition(
        r#"{"string_equal":{"k":"a","k":"b"},"string_equal":{"m":"c"}}"#,
        &[
            ("ConditionError", &format!("{at}.string_equal.k")),
            ("ConditionError", &format!("{at}.string_equal")),
        ],
    );
    condition(
        r#"{"string_equal":{"qcs:x":[],"k":null,"l":["a",{},[1]]}}"#,
        &[
            ("ConditionContentError", &format!("{at}.string_equal[\"qcs:x\"]")),
            ("ConditionContentError", &format!("{at}.string_equal.k")),
            ("ConditionContentError", &format!("{at}.string_equal.l[1]")),
            ("ConditionContentError", &format!("{at}.string_equal.l[2]")),
        ],
    );
}

#[test]
fn trust_policy_names_principals_and_no_resource() {
    // rule L-08
    let trust = |principal: &str, expected: &[(&str, &str)]| {
        let text = format!(
            r#"{{"version":"2.0","statement":[{{"effect":"allow","action":"sts:AssumeRole"{principal}}}]}}"#
        );
        check(DocumentKind::Trust, &text, expected);
    };
    trust(r#","principal":"*""#, &[]);
    trust(r#","principal":{"qcs":"qcs::cam::uin/1:root","service":["a.b"]}"#, &[]);
    trust("", &[("PrincipalError", "statement[0]")]);
    let at = "statement[0].principal";
    for principal in ["\"x\"", "[]", "{}", "1"] {
        trust(&format!(r#","principal":{principal}"#), &[("PrincipalError", at)]);
    }
    trust(
        r#","principal":{"qcs":[],"QCS":"x","service":[1],"service":"a"}"#,
        &[
            ("PrincipalError", "statement[0].principal.qcs"),
            ("PrincipalError", "statement[0].principal.QCS"),
            ("PrincipalError", "statement[0].principal.service[0]"),
            ("PrincipalError", "statement[0].principal.service"),
        ],
    );
    trust(r#","principal":"*","resource":"*""#, &[("StatementError", "statement[0].resource")]);
}

#[test]
fn wrapper_is_taken_off_and_source_is_the_inner_text() {
    // rules L-09, L-12
    let inner = format!("{{ \"version\" :\"2.0\",\n\"statement\":[{OK}] }}");
    let text = format!("\n{{\"strategyInfo\": {inner} }}");
    let parsed = parse(text.as_bytes(), DocumentKind::Identity);
    assert_eq!(parsed.findings, []);
    assert_eq!(parsed.document.unwrap().source(), inner);
    let padded = format!("\n {inner}\r\n\t");
    let parsed = parse(padded.as_bytes(), DocumentKind::Identity);
    assert_eq!(parsed.document.unwrap().source(), padded);
    let bad = text.replace("2.0", "9.9");
    let finding = &parse(bad.as_bytes(), DocumentKind::Identity).findings[0];
    assert_eq!(bad.get(finding.span.start..finding.span.end), Some("\"9.9\""));
    assert_eq!((finding.line, finding.path.as_str()), (2, "version"));
    identity(&format!(r#"{{"strategyInfo":{inner},"x":1}}"#), &[("PolicyDocumentError", "")]);
    identity(r#"{"strategyInfo":"x"}"#, &[("PolicyDocumentError", "")]);
}

#[test]
fn length_counts_characters_without_white_space() {
    // rule L-10
    let text = |spaces: usize, count: usize| {
        let name = "群".repeat(count);
        format!(
            r#"{{"version":"2.0",{}"statement":[{{"effect":"allow","action":"*","resource":"{name}"}}]}}"#,
            " ".repeat(spaces)
        )
    };
    let rest = text(0, 0).len();
    identity(&text(1000, POLICY_CHARS_MAX - rest), &[]);
    let over = text(0, POLICY_CHARS_MAX - rest + 1);
    identity(&over, &[("PolicyDocumentLengthOverLimit", "")]);
    let message = &parse(over.as_bytes(), DocumentKind::Identity).findings[0].message;
    assert!(message.contains("6145") && message.contains("6144"), "{message}");
}

#[test]
fn help_says_what_to_do() {
    // rule L-11
    let help = |text: &str| {
        let findings = parse(text.as_bytes(), DocumentKind::Identity).findings;
        findings.into_iter().filter_map(|finding| finding.help).collect::<Vec<_>>().join(" | ")
    };
    assert!(help(r#"{"Version":"2.0"}"#).contains("element names are lower case: `version`"));
    let of = |members: &str| help(&format!(r#"{{"version":"2.0","statement":[{{{members}}}]}}"#));
    assert!(of(r#""not_resource":"*""#).contains("widen access"));
    assert!(of(r#""resuorce":"*""#).contains("did you mean `resource`?"));
    assert!(of(r#""effect":"Deny""#).contains("effects are lower case: `deny`"));
}
