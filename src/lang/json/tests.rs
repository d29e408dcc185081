//! Places of values and keys, and the faults of texts that are no JSON.

use super::read::*;
use super::*;
use crate::lang::findings::Findings;
use crate::lang::limits::{POLICY_BYTES_MAX, POLICY_DEPTH_MAX};

fn faults(bytes: &[u8]) -> Vec<(usize, usize, String)> {
    let mut findings = Findings::default();
    for fault in read(bytes).unwrap_err() {
        findings.push(fault);
    }
    let (list, _) = findings.finish(bytes, None);
    list.into_iter().map(|d| (d.line, d.column, d.message)).collect()
}

fn slices<'t>(text: &'t str, node: &Node, out: &mut Vec<&'t str>) {
    out.push(text.get(node.span.start..node.span.end).unwrap());
    match &node.value {
        Value::Array(items) => items.iter().for_each(|item| slices(text, item, out)),
        Value::Object(members) => {
            for member in members {
                out.push(text.get(member.key.span.start..member.key.span.end).unwrap());
                slices(text, &member.node, out);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

// rule L-01
#[test]
fn every_value_and_key_has_its_span() {
    let text = " { \"键\" :[ 1.50e1,true ,\"a\\u4e2d\"] ,\n\"k\":{} , \"k\": null } ";
    let (_, root) = read(text.as_bytes()).unwrap();
    let mut out = Vec::new();
    slices(text, &root, &mut out);
    let expected = [
        text.trim(),
        "\"键\"",
        "[ 1.50e1,true ,\"a\\u4e2d\"]",
        "1.50e1",
        "true",
        "\"a\\u4e2d\"",
        "\"k\"",
        "{}",
        "\"k\"",
        "null",
    ];
    assert_eq!(out, expected);
    let Value::Object(members) = &root.value else { panic!("an object") };
    let Value::Array(items) = &members[0].node.value else { panic!("a list") };
    assert_eq!(items[2].value, Value::String("a中".to_owned()));
    assert_eq!(items[0].value, Value::Number("1.50e1".to_owned()));
}

#[test]
fn paths_name_members_and_elements() {
    let text = r#"{"statement":[{"a":1},{"condition":{"for_any_value:x":{"qcs:ip":["u","v"]}}}]}"#;
    let (_, root) = read(text.as_bytes()).unwrap();
    let at = |needle: &str| {
        let start = text.find(needle).unwrap();
        path_of(&root, Span { start, end: start + needle.len() })
    };
    assert_eq!(at("1"), "statement[0].a");
    assert_eq!(at("\"v\""), "statement[1].condition[\"for_any_value:x\"][\"qcs:ip\"][1]");
    assert_eq!(at("atement"), "statement", "inside a key");
    assert_eq!(at("\"condition\""), "statement[1].condition");
    assert_eq!(path_of(&root, root.span), "");
}

// rule L-01: the place of the first fault
#[test]
fn faults_have_line_and_column() {
    let table: &[(&[u8], usize, usize, &str)] = &[
        (b"", 1, 1, "the text ends while"),
        (b"{\n  \"a\": 1,\n}", 3, 1, "key must be a string"),
        (b"{} x", 1, 4, "trailing characters"),
        (b"{\"\xe4\xb8\xad\": 01}", 1, 8, "invalid number"),
        (b"{'a':1}", 1, 2, "key must be a string"),
        (b"{\"a\":nul}", 1, 9, "expected ident"),
        (b"\xef\xbb\xbf{}", 1, 1, "byte order mark"),
        (b"{\"\xe4\xb8\xad\": \"\xff\"}", 1, 8, "offset 9 is not UTF-8"),
        (b"{\"a\":\n \"\\ud800\"}", 2, 2, "not a JSON string"),
        (b"{\"\\udc00x\":1}", 1, 2, "not a JSON string"),
        (b"{\"a\":\"\x00\"}", 1, 7, "control character"),
        (b"{\"a\":\"\\x\"}", 1, 8, "invalid escape"),
        (b"[1] // c", 1, 5, "trailing characters"),
        (b"{\"a\": NaN}", 1, 7, "expected value"),
    ];
    for (bytes, line, column, message) in table {
        let found = faults(bytes);
        let text = String::from_utf8_lossy(bytes);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].2.contains(message), "{text}: {found:?}");
        assert_eq!((found[0].0, found[0].1), (*line, *column), "{text}: {found:?}");
    }
}

#[test]
fn every_bad_string_is_reported() {
    assert_eq!(faults(br#"{"a":"\ud800","\udfff":["\ud800\u0041"]}"#).len(), 3);
}

// rule L-10
#[test]
fn depth_is_limited_without_recursion() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(nested(POLICY_DEPTH_MAX).as_bytes()).is_ok());
    let found = faults(nested(POLICY_DEPTH_MAX + 1).as_bytes());
    assert!(found[0].2.contains("more than 16 deep"), "{found:?}");
    assert_eq!(found[0].1, POLICY_DEPTH_MAX + 1);
    assert!(faults("[".repeat(10_000).as_bytes())[0].2.contains("more than 16 deep"));
    assert!(faults("{\"a\":".repeat(10_000).as_bytes())[0].2.contains("more than 16 deep"));
    let quoted = format!("\"{}\"", "[".repeat(100));
    assert!(read(quoted.as_bytes()).is_ok(), "brackets in a string are text");
}

// rule L-10
#[test]
fn length_in_bytes_is_limited() {
    let text = |len: usize| format!("{{}}{}", " ".repeat(len - 2));
    assert!(read(text(POLICY_BYTES_MAX).as_bytes()).is_ok());
    let found = faults(text(POLICY_BYTES_MAX + 1).as_bytes());
    assert_eq!(found[0].2, "the text has 65537 bytes; at most 65536 bytes are read");
}

// rule L-10
#[test]
fn white_space_between_tokens_is_not_counted() {
    assert_eq!(significant_chars("{ \"a b\" :\n[ 1 ] }"), "{\"a b\":[1]}".len());
    assert_eq!(significant_chars(r#"{"中\" x": 1}"#), 11);
}
