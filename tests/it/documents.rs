//! Good and bad policy documents: the parser's findings, and the schema's opinion.
//!
//! `tests/documents/expected.json` says for each bad document its findings as `code path`, in
//! document order. Documents marked `beyond_schema` are refused by the parser only: a schema cannot
//! see them, and the test fails when it can, so that no mark outlives its reason.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use camgate::catalog::{Catalog, general_policies, presets};
use camgate::lang;
use camgate::lang::diagnostic::Severity;
use camgate::lang::document::DocumentKind;
use camgate::lang::valid::Scope;
use camgate::lang::variable::Owner;
use camgate::lang::vocabulary::NoVocabulary;
use serde_json::Value;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/documents")
}

/// The documents of one folder, by file stem.
fn documents(name: &str) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(folder().join(name))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (stem, fs::read(path).unwrap())
        })
        .collect()
}

fn expected() -> Value {
    serde_json::from_slice(&fs::read(folder().join("expected.json")).unwrap()).unwrap()
}

fn kind_of(entry: &Value) -> DocumentKind {
    match entry["kind"].as_str() {
        Some("trust") => DocumentKind::Trust,
        Some(other) => panic!("unknown kind {other}"),
        None => DocumentKind::Identity,
    }
}

/// The errors as `code path`.
fn errors(bytes: &[u8], kind: DocumentKind) -> (bool, Vec<String>) {
    let owner = Some(Owner { uin: 12_345_678, app_id: 1_250_000_001 });
    let checked = lang::check(bytes, &Scope { vocabulary: &NoVocabulary, owner, kind });
    let errors = checked
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| {
            let code = finding.code.as_str().trim_start_matches("InvalidParameter.");
            format!("{code} {}", finding.path).trim_end().to_owned()
        })
        .collect();
    (checked.policy.is_some(), errors)
}

/// Whether the schema accepts the text; false when it is no JSON that a schema could be asked
/// about.
fn schema_accepts(bytes: &[u8], kind: DocumentKind) -> Option<bool> {
    let document: Value = serde_json::from_slice(bytes).ok()?;
    let validator = jsonschema::validator_for(&lang::schema(kind)).unwrap();
    Some(validator.is_valid(&document))
}

#[test]
fn documents_good_are_accepted_by_parser_and_schema() {
    // rules L-02 to L-10
    let expected = expected();
    let documents = documents("good");
    assert!(documents.len() >= 40, "{}", documents.len());
    for name in expected["good"].as_object().unwrap().keys() {
        assert!(documents.contains_key(name), "good/{name}.json is gone");
    }
    for (name, bytes) in documents {
        let kind = kind_of(&expected["good"][&name]);
        let (accepted, errors) = errors(&bytes, kind);
        assert_eq!(errors, Vec::<String>::new(), "good/{name}");
        assert!(accepted, "good/{name}");
        assert_eq!(schema_accepts(&bytes, kind), Some(true), "good/{name}: schema");
        assert!(lang::load_as(&bytes, kind).is_ok(), "good/{name}: stored");
    }
}

#[test]
fn documents_bad_are_refused_with_their_codes_and_paths() {
    // rules L-01 to L-11
    let expected = expected();
    let documents = documents("bad");
    assert!(documents.len() >= 80, "{}", documents.len());
    let entries = expected["bad"].as_object().unwrap();
    assert!(entries.keys().eq(documents.keys()), "expected.json and bad/ name other documents");
    for (name, bytes) in documents {
        let entry = &entries[&name];
        let wanted: Vec<&str> =
            entry["findings"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
        let kind = kind_of(entry);
        let (accepted, errors) = errors(&bytes, kind);
        assert_eq!(errors, wanted, "bad/{name}");
        assert!(!accepted, "bad/{name}");
        let seen = schema_accepts(&bytes, kind) == Some(false);
        assert_eq!(seen, entry["beyond_schema"] != true, "bad/{name}: seen by the schema");
    }
}

/// What an author reads, for every bad document; new wording is reviewed in the snapshot.
#[test]
fn documents_bad_have_readable_findings() {
    // rule L-11
    let expected = expected();
    let mut text = String::new();
    for (name, bytes) in documents("bad") {
        let owner = Some(Owner { uin: 12_345_678, app_id: 1_250_000_001 });
        let kind = kind_of(&expected["bad"][&name]);
        let scope = Scope { vocabulary: Catalog::builtin(), owner, kind };
        writeln!(text, "{name}").unwrap();
        for finding in lang::check(&bytes, &scope).findings {
            if finding.severity == Severity::Error {
                writeln!(text, "  {finding}").unwrap();
            }
        }
    }
    insta::assert_snapshot!(text);
}

/// What the lints say about policies that are valid and still not what their authors mean.
#[test]
fn documents_with_traps_are_linted() {
    // rules, C-03, C-05, C-07
    let mut text = String::new();
    for (name, bytes) in documents("lint") {
        let owner = Some(Owner { uin: 12_345_678, app_id: 1_250_000_001 });
        let scope = Scope { vocabulary: Catalog::builtin(), owner, kind: DocumentKind::Identity };
        let checked = lang::check(&bytes, &scope);
        assert!(checked.policy.is_some(), "lint/{name}: {:?}", checked.findings);
        writeln!(text, "{name}").unwrap();
        for finding in checked.findings {
            writeln!(text, "  {finding}").unwrap();
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn schema_is_itself_valid() {
    for kind in [DocumentKind::Identity, DocumentKind::Trust] {
        assert!(jsonschema::meta::is_valid(&lang::schema(kind)));
    }
}

#[test]
fn presets_and_general_policies_are_valid_and_known_to_the_catalogs() {
    let scope = Scope { vocabulary: Catalog::builtin(), owner: None, kind: DocumentKind::Identity };
    for preset in presets().iter().chain(general_policies()) {
        let checked = lang::check(preset.document, &scope);
        let codes: BTreeSet<&str> =
            checked.findings.iter().map(|finding| finding.code.as_str()).collect();
        // No catalog describes the service that the general policies guard.
        let known = match preset.name {
            "GeneralMfaRequired" => "lint.unknown-service",
            _ => "lint.grants-secrets",
        };
        assert_eq!(codes, BTreeSet::from([known]), "{}", preset.name);
        let policy = checked.policy.unwrap();
        assert!(lang::load(lang::format(&policy).as_bytes()).is_ok(), "{}", preset.name);
    }
}
