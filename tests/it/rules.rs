//! Every rule of docs/rules.md is held by code and by a test that cite its number.
//!
//! A citation is a number such as `X-01` in a comment, a name or a case file's `rules`. A range
//! (`X-01 to X-09`) is no evidence for what lies between its ends, nor for the ends.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::repo::{files, files_with, read};
use crate::support::source::Source;

/// Rules that no product code holds, and why. May only shrink.
const TEST_ONLY: &[(&str, &str)] =
    &[("D-20", "nothing is done for a creator; the absence can only be tested")];

/// Files that speak of numbers without holding or testing rules.
const NO_EVIDENCE: &[&str] = &["tests/it/rules.rs", "tests/it/tidy/"];

/// Where rules are cited: rule to places.
#[derive(Debug, Default)]
struct Citations {
    product: BTreeMap<String, BTreeSet<String>>,
    test: BTreeMap<String, BTreeSet<String>>,
    /// Every number named anywhere, ranges included.
    named: BTreeMap<String, BTreeSet<String>>,
}

/// The numbers of the rules in the order of the document: `- **X-01** …`.
fn rules(document: &str) -> Vec<String> {
    let heads = document.lines().filter_map(|line| line.strip_prefix("- **")?.split_once("**"));
    heads.map(|(number, _)| number.to_owned()).collect()
}

/// The rule numbers in a text, and whether each is an end of a range.
fn numbers(text: &str) -> Vec<(String, bool)> {
    let bytes = text.as_bytes();
    let mut found: Vec<(usize, String)> = Vec::new();
    for (at, window) in bytes.windows(4).enumerate() {
        let word = |byte: Option<&u8>| byte.is_some_and(|it| it.is_ascii_alphanumeric());
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        let [letter, b'-', tens, ones] = window else { continue };
        let is_number = b"LARVCDF".contains(letter)
            && tens.is_ascii_digit()
            && ones.is_ascii_digit()
            && !word(before)
            && before != Some(&b'-')
            && !word(bytes.get(at + 4));
        if is_number {
            found.push((at, String::from_utf8_lossy(window).into_owned()));
        }
    }
    let joined = |from: usize, to: usize| text.get(from + 4..to).is_some_and(|gap| gap == " to ");
    let in_range = |index: usize| {
        let before = index.checked_sub(1).is_some_and(|it| joined(found[it].0, found[index].0));
        let after = found.get(index + 1).is_some_and(|(next, _)| joined(found[index].0, *next));
        before || after
    };
    (0..found.len()).map(|index| (found[index].1.clone(), in_range(index))).collect()
}

impl Citations {
    fn add(&mut self, path: &str, line: &str, is_test: bool) {
        if NO_EVIDENCE.iter().any(|it| path.starts_with(it)) {
            return;
        }
        for (number, in_range) in numbers(line) {
            self.named.entry(number.clone()).or_default().insert(path.to_owned());
            if !in_range {
                let map = if is_test { &mut self.test } else { &mut self.product };
                map.entry(number).or_default().insert(path.to_owned());
            }
        }
    }

    fn add_rust(&mut self, path: &str, text: &str) {
        let is_test = path.starts_with("tests/")
            || path.ends_with("/tests.rs")
            || path.contains("/tests/")
            || path.contains("/test_");
        let source = Source::read(text);
        for (index, line) in text.lines().enumerate() {
            self.add(path, line, is_test || source.test_lines[index]);
        }
    }

    /// The `rules` of a case file or of an example, wherever in it.
    fn add_data(&mut self, path: &str, value: &Value) {
        match value {
            Value::Object(members) => {
                for (key, value) in members {
                    let rules = value.as_array().filter(|_| key == "rules");
                    for rule in rules.into_iter().flatten() {
                        self.add(path, rule.as_str().unwrap(), true);
                    }
                    if rules.is_none() {
                        self.add_data(path, value);
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.add_data(path, item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn of_repository() -> Self {
        let mut citations = Self::default();
        for folder in ["src", "tests"] {
            for path in files_with(folder, "rs") {
                citations.add_rust(&path, &read(&path));
            }
        }
        let examples = files_with("policies/examples", "json");
        let examples = examples.into_iter().filter(|path| path.contains("/cases/"));
        for path in files_with("tests/cases", "json").into_iter().chain(examples) {
            citations.add_data(&path, &serde_json::from_str(&read(&path)).unwrap());
        }
        for path in ["docs", "proto"].iter().flat_map(|folder| files(folder)) {
            for (number, _) in numbers(&read(&path)) {
                citations.named.entry(number).or_default().insert(path.clone());
            }
        }
        citations
    }
}

/// What is wrong between the rules and their citations.
fn faults(rules: &[String], cited: &Citations, test_only: &[(&str, &str)]) -> Vec<String> {
    let mut faults = Vec::new();
    for rule in rules {
        let excused = test_only.iter().any(|(it, _)| it == rule);
        match (cited.product.contains_key(rule), excused) {
            (false, false) => faults.push(format!("no product code cites rule {rule}")),
            (true, true) => faults.push(format!("product code cites {rule}: it is not test-only")),
            (true, false) | (false, true) => {}
        }
        if !cited.test.contains_key(rule) {
            faults.push(format!("no test cites rule {rule}"));
        }
    }
    let unknown = cited.named.iter().filter(|(number, _)| !rules.contains(number));
    faults.extend(unknown.map(|(number, places)| format!("no rule {number}: {places:?}")));
    let stale = test_only.iter().filter(|(it, _)| !rules.iter().any(|rule| rule == it));
    faults.extend(stale.map(|(it, _)| format!("test-only rule {it} does not exist")));
    faults
}

#[test]
fn rules_are_held_and_tested() {
    let rules = rules(&read("docs/rules.md"));
    assert!(rules.len() >= 80, "{} rules were read", rules.len());
    let unique: BTreeSet<&String> = rules.iter().collect();
    assert_eq!(unique.len(), rules.len(), "a number is given twice");
    let faults = faults(&rules, &Citations::of_repository(), TEST_ONLY);
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn rules_citations_are_read_from_text() {
    let plain = |text: &str| -> Vec<String> {
        let found = numbers(text).into_iter().filter(|(_, in_range)| !in_range);
        found.map(|(number, _)| number).collect()
    };
    assert_eq!(plain("// rules C-05, D-11; (rule F-02)."), ["C-05", "D-11", "F-02"]);
    assert_eq!(plain("UTF-16, X-99, C-5, C-055, AC-05, D-11b"), Vec::<String>::new());
    assert_eq!(plain("rules C-01 to C-23, and L-03"), ["L-03"]);
    assert_eq!(numbers("C-01 to C-99").len(), 2);
}

#[test]
fn rules_check_can_fail() {
    let rules = ["C-01", "C-02"].map(str::to_owned);
    let mut cited = Citations::default();
    cited.add_rust(
        "src/lang/x.rs",
        "// rule C-01\n#[cfg(test)]\nmod tests {\n    // rule C-02\n}\n",
    );
    assert_eq!(
        faults(&rules, &cited, &[]),
        ["no test cites rule C-01", "no product code cites rule C-02"]
    );
    cited.add_data("a.json", &serde_json::json!({"cases": [{"rules": ["C-01", "C-77"]}]}));
    assert_eq!(faults(&rules, &cited, &[("C-02", "")]), ["no rule C-77: {\"a.json\"}"]);
    cited.add_rust("tests/it/rules.rs", "// rule C-77 C-02");
    assert!(!cited.product.contains_key("C-02"));
}
