//! The dashboard and the alert rules in `packaging/observability/` use metrics that there are.
//!
//! What there is says the table of `docs/observability.md`, which is compared with the program.
//! `make alerts` runs what the rules are tested with.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::repo::read;

const RULES: &str = "packaging/observability/camgate.rules.yaml";
const RULES_TEST: &str = "packaging/observability/camgate.rules.test.yaml";
const DASHBOARD: &str = "packaging/observability/camgate.json";

/// Every name that a query may have, with its labels.
fn known() -> BTreeMap<String, BTreeSet<String>> {
    let text = read("docs/observability.md");
    let (_, rest) = text.split_once("<!-- metrics:begin -->\n").unwrap();
    let (table, _) = rest.split_once("<!-- metrics:end -->").unwrap();
    let mut known = BTreeMap::new();
    for row in table.lines().skip(2) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let name = cells[0].trim_matches('`').to_owned();
        let labels = cells[2].split(", ").map(|label| label.trim_matches('`').to_owned());
        let mut labels: BTreeSet<String> = labels.filter(|label| !label.is_empty()).collect();
        labels.insert("instance".to_owned());
        if cells[1] == "histogram" {
            for suffix in ["count", "sum"] {
                known.insert(format!("{name}_{suffix}"), labels.clone());
            }
            labels.insert("le".to_owned());
            known.insert(format!("{name}_bucket"), labels);
        } else {
            known.insert(name, labels);
        }
    }
    assert!(known.len() > 30, "{known:?}");
    known
}

/// The metrics of a text, each with the labels that are selected by.
fn used(text: &str) -> Vec<(String, Vec<String>)> {
    let is_word = |c: char| c == '_' || c.is_ascii_alphanumeric();
    let mut pieces = text.split("camgate_");
    let mut before = pieces.next().unwrap_or_default();
    let mut found = Vec::new();
    for piece in pieces {
        // Within another word it is no metric.
        if !std::mem::replace(&mut before, piece).ends_with(is_word) {
            let name = piece.split(|c| !is_word(c)).next().unwrap();
            let selector = piece.strip_prefix(name).and_then(|rest| rest.strip_prefix('{'));
            let matchers = selector.and_then(|rest| rest.split('}').next());
            let matchers = matchers.map(|inner| inner.split(',')).into_iter().flatten();
            let labels = matchers.map(|it| it.split(['=', '!']).next().unwrap().trim().to_owned());
            found.push((format!("camgate_{name}"), labels.collect()));
        }
    }
    found
}

/// What a text uses that there is not.
fn strange(text: &str) -> Vec<String> {
    let known = known();
    let uses = used(text);
    assert!(uses.len() > 5, "{uses:?}");
    let strange = uses.into_iter().flat_map(|(name, labels)| match known.get(&name) {
        None => vec![name],
        Some(has) => {
            let others = labels.into_iter().filter(|label| !has.contains(label));
            others.map(|label| format!("{name}{{{label}}}")).collect()
        }
    });
    strange.collect()
}

/// Every text of a JSON value under a name.
fn texts<'a>(value: &'a Value, name: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                match value {
                    Value::String(text) if key == name => found.push(text),
                    Value::String(_)
                    | Value::Null
                    | Value::Bool(_)
                    | Value::Number(_)
                    | Value::Array(_)
                    | Value::Object(_) => texts(value, name, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, name, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_dashboard_shows_metrics_that_there_are() {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    let mut queries = Vec::new();
    texts(&dashboard, "expr", &mut queries);
    assert!(queries.len() > 20, "{queries:?}");
    assert_eq!(strange(&queries.join("\n")), Vec::<String>::new());
    for query in &queries {
        assert!(query.contains("instance=~\"$instance\""), "{query} is of all nodes");
    }
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
    }
}

#[test]
fn alerts_use_metrics_that_there_are_and_say_what_to_do() {
    let (rules, tests) = (read(RULES), read(RULES_TEST));
    assert_eq!(strange(&rules), Vec::<String>::new());
    assert_eq!(strange(&tests), Vec::<String>::new());
    let (_, rules) = rules.split_once("rules:\n").unwrap();
    let mut alerts = 0;
    for rule in rules.split("- alert: ").skip(1) {
        let name = rule.lines().next().unwrap();
        for part in ["expr: ", "severity: ", "summary: ", "description: ", "what_to_do: "] {
            assert_eq!(rule.matches(&format!(" {part}")).count(), 1, "{name} and `{part}`");
        }
        // It fires in a test; it is silent in the first one, where all is well.
        let fires = format!("alertname=\"{name}\"");
        assert!(tests.contains(&fires), "no test in {RULES_TEST} makes {name} fire");
        alerts += 1;
    }
    assert!(alerts > 10, "{alerts}");
    let (_, well) = tests.split_once("name: all is well").unwrap();
    let (well, _) = well.split_once("  - name: ").unwrap();
    let expressions = rules.split("expr: ").skip(1);
    let expressions = expressions.map(|it| it.split("labels:").next().unwrap());
    for (metric, _) in expressions.flat_map(used) {
        assert!(well.contains(&metric), "where all is well, {metric} must be there");
    }
}

#[test]
fn a_metric_that_there_is_not_is_noticed() {
    let text = "camgate_ready camgate_readiness{instance=\"a\"} camgate_nodes{node!=\"a\"} \
                rate(camgate_call_duration_seconds[5m]) my_camgate_x camgate_calls_total \
                camgate_decisions_total{reason=\"a\",outcome=~\"b|c\"}";
    let found = strange(text);
    let expected = ["camgate_readiness", "camgate_nodes{node}", "camgate_call_duration_seconds"];
    assert_eq!(found, expected);
}
