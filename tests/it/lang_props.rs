//! Properties of the language's text side, on random policies, mutilated policies and random bytes.
//!
//! Policies are made as tokens, so that white space can stand wherever JSON allows it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use camgate::catalog::Catalog;
use camgate::lang::action::{ActionForm, ActionPattern};
use camgate::lang::document::DocumentKind;
use camgate::lang::limits::FINDINGS_MAX;
use camgate::lang::resource::{ResourceName, ResourcePattern};
use camgate::lang::valid::{Scope, ValidPolicy};
use camgate::lang::variable::{Owner, Variables};
use camgate::lang::vocabulary::NoVocabulary;
use camgate::lang::{self, diagnostic::Diagnostic};
use proptest::prelude::*;
use proptest::sample::{Index, select};

type Tokens = Vec<String>;

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// A list, or its only entry without brackets (rule L-07).
fn list(entries: Vec<Tokens>, bare: bool) -> Tokens {
    if let ([only], true) = (entries.as_slice(), bare) {
        return only.clone();
    }
    let mut tokens = vec!["[".to_owned()];
    for (index, entry) in entries.into_iter().enumerate() {
        if index > 0 {
            tokens.push(",".to_owned());
        }
        tokens.extend(entry);
    }
    tokens.push("]".to_owned());
    tokens
}

fn object(members: Vec<(String, Tokens)>) -> Tokens {
    let mut tokens = vec!["{".to_owned()];
    for (index, (key, value)) in members.into_iter().enumerate() {
        if index > 0 {
            tokens.push(",".to_owned());
        }
        tokens.extend([quoted(&key), ":".to_owned()]);
        tokens.extend(value);
    }
    tokens.push("}".to_owned());
    tokens
}

fn strings(entries: Vec<String>, bare: bool) -> Tokens {
    list(entries.iter().map(|entry| vec![quoted(entry)]).collect(), bare)
}

fn action() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("*".to_owned()),
        Just("name/*:*".to_owned()),
        "permid/[0-9]{1,9}",
        "(name/)?(\\*|im|cos|[a-z]{1,4}):[A-Za-z*]{1,8}",
    ]
}

fn resource() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("*".to_owned()),
        Just("qcs::im:::用户/${uin}/*".to_owned()),
        "qcs::(im|\\*|):(ap-gz)?:(uin/[1-9]{3}|uin/|uid/7|\\*|):[a-z群*/:${ ]{0,3}[a-z组 \"\\\\]{1,5}"
            .prop_filter("no stray variable", |text| !text.contains("${")),
    ]
}

/// One operator with keys and values that fit it.
fn condition() -> impl Strategy<Value = (String, Tokens)> {
    let prefix = select(vec!["", "for_any_value:", "for_all_value:"]);
    let suffix = select(vec!["", "_if_exist"]);
    let base = prop_oneof![
        (select(vec!["string_equal", "string_not_like", "binary_equal"]), "[a-z群*?$\"\\n]{0,4}")
            .prop_map(|(operator, text)| (operator, quoted(&text.replace("${", "$")))),
        (Just("string_equal_ignore_case"), select(vec!["true", "1.50", "\"${owner_uin}x\""]))
            .prop_map(|(operator, text)| (operator, text.to_owned())),
        (Just("numeric_less_than"), select(vec!["1", "-2.5e3", "\"7\"", "\"${uin}\""]))
            .prop_map(|(operator, text)| (operator, text.to_owned())),
        (Just("ip_not_equal"), select(vec!["\"10.1.2.3/8\"", "\"::1\"", "\"1.2.3.4\""]))
            .prop_map(|(operator, text)| (operator, text.to_owned())),
        (Just("bool_equal"), select(vec!["true", "\"false\""]))
            .prop_map(|(operator, text)| (operator, text.to_owned())),
        (Just("date_equal"), Just("\"2022-05-31 00:00:00\""))
            .prop_map(|(operator, text)| (operator, text.to_owned())),
    ];
    (prefix, base, suffix, "[a-z部]{1,3}:[a-z门]{1,3}", 1..4_usize, any::<bool>()).prop_map(
        |(prefix, (base, value), suffix, key, count, bare)| {
            let values = list(vec![vec![value]; count], bare);
            (format!("{prefix}{base}{suffix}"), object(vec![(key, values)]))
        },
    )
}

fn statement() -> impl Strategy<Value = Tokens> {
    (
        select(vec!["allow", "deny"]),
        prop::collection::vec(action(), 1..4),
        prop::collection::vec(resource(), 1..4),
        prop::collection::btree_map(condition(), Just(()), 0..3),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(effect, actions, resources, conditions, bare, effect_last)| {
            let mut operators: Vec<(String, Tokens)> = conditions.into_keys().collect();
            operators.dedup_by(|one, other| one.0 == other.0);
            let mut members = vec![
                ("action".to_owned(), strings(actions, bare)),
                ("resource".to_owned(), strings(resources, bare)),
                ("condition".to_owned(), object(operators)),
            ];
            let at = if effect_last { members.len() } else { 0 };
            members.insert(at, ("effect".to_owned(), vec![quoted(effect)]));
            object(members)
        })
}

/// The text of a policy and, when it is wrapped, of the bare document inside.
fn policy() -> impl Strategy<Value = (String, String)> {
    let spaces = prop::collection::vec(select(vec!["", "", " ", "\n", "\t", "\r\n  "]), 8..9);
    (prop::collection::vec(statement(), 1..4), spaces, any::<bool>()).prop_map(
        |(statements, spaces, wrapped)| {
            let tokens = object(vec![
                ("version".to_owned(), vec![quoted("2.0")]),
                ("statement".to_owned(), list(statements, false)),
            ]);
            let mut inner = String::new();
            for (index, token) in tokens.iter().enumerate() {
                if index > 0 {
                    inner.push_str(spaces[index % spaces.len()]);
                }
                inner.push_str(token);
            }
            let text = if wrapped {
                format!("\n{{\"strategyInfo\" :{}{inner} }}", spaces[0])
            } else {
                format!("{}{inner}{}", spaces[1], spaces[2])
            };
            (text, inner)
        },
    )
}

/// What a policy means: its effects, action forms, resources and conditions, in order.
fn meaning(policy: &ValidPolicy) -> Vec<impl PartialEq + std::fmt::Debug + use<>> {
    let forms = |actions: &[ActionPattern]| {
        actions.iter().map(|action| action.form().clone()).collect::<Vec<ActionForm>>()
    };
    let statements = policy.statements().iter();
    statements
        .map(|statement| {
            (
                statement.effect(),
                forms(statement.actions()),
                statement.resources().to_vec(),
                statement.conditions().to_vec(),
            )
        })
        .collect()
}

const RESOURCE_PAIR: &str =
    "(\\*|qcs::(im|\\*|i\\*)?:(gz|\\*)?:(uin/1|uid/7|\\*|uin/)?:[aB*/]{0,3}(\\$\\{uin\\}|a|\\*))";

/// Two patterns of one shape, often with the second made by filling a star of the first.
fn pattern_pair(shape: &'static str) -> impl Strategy<Value = (String, String)> {
    (shape, shape, any::<bool>()).prop_map(|(one, two, filled)| {
        let two = match one.rsplit_once('*') {
            Some((head, tail)) if filled && [1, 5].contains(&head.matches(':').count()) => {
                format!("{head}aB{tail}")
            }
            _ => two,
        };
        (one, two)
    })
}

/// Findings point into the text, between characters, in order, and not too many (rule L-11).
fn check_findings(bytes: &[u8], findings: &[Diagnostic]) {
    assert!(findings.len() <= FINDINGS_MAX);
    assert!(findings.windows(2).all(|pair| pair[0].order() <= pair[1].order()));
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
    for finding in findings {
        assert!(finding.span.start <= finding.span.end && finding.span.end <= bytes.len());
        assert!((1..=lines).contains(&finding.line) && finding.column >= 1, "{finding}");
        if let Ok(text) = std::str::from_utf8(bytes) {
            assert!(text.get(finding.span.start..finding.span.end).is_some(), "{finding}");
        }
    }
}

fn check_any(bytes: &[u8]) {
    for kind in [DocumentKind::Identity, DocumentKind::Trust] {
        let scope = Scope { vocabulary: Catalog::builtin(), owner: None, kind };
        let checked = lang::check(bytes, &scope);
        check_findings(bytes, &checked.findings);
        let parsed = lang::parse(bytes, kind);
        check_findings(bytes, &parsed.findings);
        let loaded = lang::load_as(bytes, kind);
        if checked.policy.is_some() {
            assert!(parsed.document.is_some());
            assert_eq!(loaded.as_ref().ok(), checked.policy.as_ref());
        }
        if loaded.is_ok() {
            let document = serde_json::from_slice(bytes).unwrap();
            let validator = jsonschema::validator_for(&lang::schema(kind)).unwrap();
            assert!(validator.is_valid(&document), "the schema refuses what the parser accepts");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // rules L-07, L-09, L-12
    #[test]
    fn policy_keeps_its_bytes_and_formats_to_the_same_meaning((text, inner) in policy()) {
        let policy = lang::load(text.as_bytes()).unwrap();
        // Only the wrapper is taken off.
        prop_assert_eq!(policy.source(), if text.contains("strategyInfo") { &inner } else { &text });
        let formatted = lang::format(&policy);
        let again = lang::load(formatted.as_bytes()).unwrap();
        prop_assert_eq!(meaning(&again), meaning(&policy));
        prop_assert_eq!(lang::format(&again), formatted);
        prop_assert_eq!(lang::digest(&again), lang::digest(&policy));
        let scope = Scope { vocabulary: &NoVocabulary, owner: None, kind: DocumentKind::Identity };
        let checked = lang::check(text.as_bytes(), &scope).policy;
        // rule A-08: a deny of an unknown action set is stored no more, but stays readable.
        prop_assert!(checked.is_some() || text.contains("permid/"));
        prop_assert!(checked.is_none_or(|checked| checked == policy));
    }

    // rule D-04: what the lint on shadowed allows rests on
    #[test]
    fn cover_is_never_claimed_wrongly(
        (own, other) in (pattern_pair("(im|\\*):[aB*]{1,5}"), pattern_pair(RESOURCE_PAIR)),
        service in select(vec!["im", "cos"]),
        name in "[aB]{1,4}",
        resource in "qcs::(im|cos)?:(gz)?:(uin/1|uin/2|uid/7)?:[aB*:/]{1,4}",
    ) {
        let [one, two] = [own.0, own.1].map(|text| ActionPattern::parse(&text).unwrap());
        let matches = [&one, &two].map(|it| it.matches(service, &name));
        prop_assert!(!one.covers(&two) || !matches[1] || matches[0]);
        let [one, two] = [other.0, other.1].map(|text| ResourcePattern::parse(&text).unwrap());
        let resource = ResourceName::parse(&resource).unwrap();
        let variables = Variables { uin: 11, owner: Owner { uin: 1, app_id: 7 } };
        let matches = |pattern: &ResourcePattern| pattern.matches(resource.by_ref(), &variables);
        prop_assert!(!one.covers(&two) || !matches(&two) || matches(&one));
        prop_assert!(!one.covers(&two) || !two.is_all() || one.is_all());
    }

    // rule L-01
    #[test]
    fn bytes_of_any_kind_give_findings_in_bounds(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        check_any(&bytes);
    }

    // rules L-01, L-11
    #[test]
    fn text_of_json_tokens_gives_findings_in_bounds(
        tokens in prop::collection::vec(select(vec![
            "{", "}", "[", "]", ",", ":", "\"version\"", "\"2.0\"", "\"statement\"", "\"群\"", "1",
            "null", "\"\\ud800\"", "\"", "\\", "\n", "\"effect\"", "true", "-", "\"*\"", "\"principal\"",
        ]), 0..40),
    ) {
        check_any(tokens.concat().as_bytes());
    }

    // rules L-01, L-11: a policy with a piece cut out, doubled or overwritten
    #[test]
    fn policy_mutilated_gives_findings_in_bounds(
        (text, _) in policy(),
        (from, to) in any::<(Index, Index)>(),
        with in select(vec!["", "\"", "]", "}", ",", "\u{7f}", "中", "null", "${", "deny", "\\u"]),
        double in any::<bool>(),
    ) {
        let mut places: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
        places.push(text.len());
        let (one, other) = (*from.get(&places), *to.get(&places));
        let (from, to) = (one.min(other), one.max(other).min(one.min(other) + 12));
        let to = *places.iter().rfind(|place| **place <= to).unwrap();
        let (head, rest) = text.split_at(from);
        let (middle, tail) = rest.split_at(to - from);
        let kept = if double { middle } else { "" };
        check_any(format!("{head}{middle}{with}{kept}{tail}").as_bytes());
        check_any(format!("{head}{with}{tail}").as_bytes());
    }
}
