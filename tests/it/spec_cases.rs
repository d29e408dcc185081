//! Accounts, policies and cases as data, through engine and reference: the worked examples of the
//! specification's section 7, and what it takes beside them to hold every rule.

use std::collections::{BTreeMap, BTreeSet};

use camgate::catalog::Catalog;
use camgate::lang::check;
use camgate::lang::document::DocumentKind;
use camgate::lang::valid::Scope;
use serde_json::{Value, json};

use crate::support::account::{Files, Versions, build};
use crate::support::repo::{files_with, read};

const FOLDER: &str = "tests/cases/spec";

/// Every number of section 7 but 43 (service-linked roles, not built), 44 to 46 (assuming roles:
/// `engine/tests/trust.rs` and `grpc/sessions.rs`), 49 and 50 (resource-based policies, not built).
fn expected_numbers() -> BTreeSet<u64> {
    (1..=83).filter(|number| !matches!(number, 43..=46 | 49 | 50)).collect()
}

#[test]
fn spec_examples_are_all_there() {
    let numbers: BTreeSet<u64> = files_with(FOLDER, "json")
        .iter()
        .map(|path| {
            let example: Value = serde_json::from_str(&read(path)).unwrap();
            let number = example["number"].as_u64().unwrap();
            assert!(path.ends_with(&format!("/{number:02}.json")), "{path} holds {number}");
            assert!(example["basis"].is_string(), "{path} names its basis");
            number
        })
        .collect();
    assert_eq!(numbers, expected_numbers());
}

#[test]
fn spec_examples_hold_in_engine_and_reference() {
    let mut faults = Vec::new();
    for path in files_with(FOLDER, "json") {
        let example: Value = serde_json::from_str(&read(&path)).unwrap();
        let number = &example["number"];
        if let Some(document) = example.get("document") {
            faults.extend(refusal(document, &example["error"]).map(|it| format!("{number}: {it}")));
            continue;
        }
        let scenes = example["scenes"].as_array().unwrap();
        assert!(!scenes.is_empty(), "example {number} has no scene");
        for scene in scenes {
            faults.extend(scene_faults(scene).into_iter().map(|it| format!("{number}: {it}")));
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn rule_cases_hold_in_engine_and_reference() {
    let mut faults = Vec::new();
    let paths = files_with("tests/cases/rules", "json");
    assert!(!paths.is_empty());
    for path in paths {
        let file: Value = serde_json::from_str(&read(&path)).unwrap();
        for scene in file["scenes"].as_array().unwrap() {
            faults.extend(scene_faults(scene).into_iter().map(|it| format!("{path}: {it}")));
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// What is wrong unless the document is refused with that code.
fn refusal(document: &Value, code: &Value) -> Option<String> {
    let scope = Scope { vocabulary: Catalog::builtin(), owner: None, kind: DocumentKind::Identity };
    let checked = check(document.as_str().unwrap().as_bytes(), &scope);
    let codes: Vec<&str> = checked.findings.iter().map(|it| it.code.as_str()).collect();
    let refused = checked.policy.is_none() && codes.contains(&code.as_str().unwrap());
    (!refused).then(|| format!("expected {code}, found {codes:?}"))
}

fn scene_faults(scene: &Value) -> Vec<String> {
    let mut files = Files::new();
    let mut versions = Versions::new();
    files.insert("account.json".to_owned(), scene["account"].to_string().into_bytes());
    for (name, policy) in scene["policies"].as_object().unwrap() {
        let mut document = policy;
        if let Some(all) = policy.get("versions").and_then(Value::as_array) {
            document = &all[0];
            let later = all[1..].iter().map(|it| it.to_string().into_bytes()).collect();
            let default = u32::try_from(policy["default"].as_u64().unwrap()).unwrap();
            versions.insert(name.clone(), (later, default));
        }
        files.insert(format!("policies/{name}.json"), document.to_string().into_bytes());
    }
    let cases = json!({ "cases": scene["cases"] });
    files.insert("cases/spec.json".to_owned(), cases.to_string().into_bytes());
    match build(&files, &versions) {
        Err(faults) => vec![faults],
        Ok(built) => {
            let (report, faults) = built.run();
            assert!(!report.results.is_empty(), "a scene without cases shows nothing");
            faults
        }
    }
}

#[test]
fn spec_examples_can_fail() {
    let text = read(&format!("{FOLDER}/04.json"));
    let mut example: Value = serde_json::from_str(&text).unwrap();
    let scene = &mut example["scenes"][0];
    assert_eq!(scene_faults(scene), Vec::<String>::new());
    scene["cases"][0]["expect"] = json!("allow");
    let faults = scene_faults(scene);
    assert_eq!(faults.len(), 1);
    assert!(faults[0].contains("expected ALLOW"), "{}", faults[0]);
    let wrong: BTreeMap<_, _> = [("error", json!("InvalidParameter.ActionError"))].into();
    assert!(refusal(&json!("{}"), &wrong["error"]).is_some());
}
