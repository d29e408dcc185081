//! Commands about files, without a server: exit statuses, both forms, golden reports.

use std::fs;
use std::path::Path;

use crate::command::offline;

const BAD: [(&str, &str); 5] = [
    (
        "effect",
        r#"{"version":"2.0","statement":[{"effect":"Allow","action":"im:*","resource":"*"}]}"#,
    ),
    (
        "chinese-keys",
        "{\n  \"version\": \"2.0\",\n  \"statement\": [\n    {\"说明\": \"客服策略\", \"effect\": \
         \"allow\", \"action\": \"im:Describe*\", \"resource\": \"*\", \"备注\": 1}\n  ]\n}\n",
    ),
    ("truncated", "{\n  \"version\": \"2.0\",\n  \"statement\": [\n"),
    (
        "case-twin",
        r#"{"version":"2.0","statement":[
  {"effect":"deny","action":"im:describeConfInfo","resource":"*"}]}"#,
    ),
    (
        "resource",
        r#"{"version":"2.0","statement":[
  {"effect":"deny","action":"im:*","resource":"qcs:im:sdkappid/客服"}]}"#,
    ),
];

#[test]
fn lint_reports_are_the_golden_ones() {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in BAD {
        let file = format!("{name}.json");
        fs::write(directory.path().join(&file), text).unwrap();
        let ran = offline(directory.path(), &["policy", "lint", &file]);
        assert_eq!(ran.status, 1, "{ran:?}");
        insta::assert_snapshot!(format!("cli_lint_{name}"), ran.out);
        let ran = offline(directory.path(), &["policy", "lint", &file, "--output", "json"]);
        assert_eq!(ran.json()["files"][0]["valid"], false, "{ran:?}");
    }
}

#[test]
fn lint_survives_hostile_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let long = format!("{{\"version\": \"{}\"}}", "长".repeat(30_000));
    for bytes in [
        &b""[..],
        b"\xff\xfe{",
        b"{\"version\":\"\xe4\xbd\"}",
        b"\xef\xbb\xbf{}",
        b"{\"a\":\"\x00\"}",
        b"\n\n\r\n\t",
        "{\"版本\": \"\u{202e}2.0\"".as_bytes(),
        "[".repeat(60_000).as_bytes(),
        long.as_bytes(),
        " ".repeat(70_000).as_bytes(),
    ] {
        fs::write(directory.path().join("x.json"), bytes).unwrap();
        let ran = offline(directory.path(), &["policy", "lint", "x.json"]);
        assert_eq!(ran.status, 1, "{ran:?}");
        assert!(ran.out.contains("InvalidParameter."), "{ran:?}");
    }
}

#[test]
fn fmt_checks_prints_and_writes() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let loose =
        r#"{"statement":[{"action":"im:*","effect":"allow","resource":"*"}],"version":"2.0"}"#;
    fs::write(folder.join("a.json"), loose).unwrap();
    assert_eq!(offline(folder, &["policy", "fmt", "--check", "a.json"]).status, 1);
    let printed = offline(folder, &["policy", "fmt", "a.json"]);
    assert_eq!(printed.status, 0);
    assert_eq!(offline(folder, &["policy", "fmt", "--write", "*.json"]).status, 0);
    assert_eq!(
        fs::read_to_string(folder.join("a.json")).unwrap().trim_end(),
        printed.out.trim_end()
    );
    // rule L-12: making the canonical form twice changes nothing
    assert_eq!(offline(folder, &["policy", "fmt", "--check", "a.json"]).status, 0);
    assert_eq!(offline(folder, &["policy", "fmt", "none-*.json"]).status, 3);
    let json = offline(folder, &["policy", "fmt", "a.json", "--output", "json"]).json();
    assert_eq!(json["files"][0]["canonical"], true);
}

#[test]
fn diff_schema_and_test_answer() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let policy = |action: &str| {
        format!(
            r#"{{"version":"2.0","statement":[
                {{"effect":"allow","action":"{action}","resource":"*"}}]}}"#
        )
    };
    fs::write(folder.join("old.json"), policy("im:*")).unwrap();
    fs::write(folder.join("new.json"), policy("im:Describe*")).unwrap();
    let ran = offline(folder, &["policy", "diff", "old.json", "new.json"]);
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.out.contains("- statement 0") && ran.out.contains("+ statement 0"), "{ran:?}");
    assert_eq!(offline(folder, &["policy", "diff", "old.json", "old.json"]).status, 0);
    let schema = offline(folder, &["policy", "schema"]).json();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    for example in fs::read_dir(examples()).unwrap() {
        let example = example.unwrap().path().display().to_string();
        let junit = folder.join("junit.xml").display().to_string();
        let args = ["policy", "test", &example, "--junit", &junit, "--min-coverage", "100"];
        let ran = offline(folder, &args);
        assert_eq!(ran.status, 0, "{ran:?}");
        assert!(fs::read_to_string(&junit).unwrap().contains("<testsuite"), "{example}");
    }
}

#[test]
fn a_failing_case_is_told_with_its_reasons() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("account");
    for part in ["policies", "cases"] {
        fs::create_dir_all(folder.join(part)).unwrap();
    }
    let account = r#"{"owner_uin":12345678,"app_id":1250000001,"apps":[],
        "sub_accounts":[{"uin":100000000011,"name":"alice","kind":"sub_user"}]}"#;
    let cases = r#"{"cases":[{"name":"爱丽丝可以查看","principals":["alice"],
        "actions":["im:DescribeBizTypes"],"resources":["*"],"expect":"allow"}]}"#;
    fs::write(folder.join("account.json"), account).unwrap();
    fs::write(folder.join("cases/a.json"), cases).unwrap();
    let ran = offline(directory.path(), &["policy", "test", "account"]);
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.out.contains("FAILED"), "{ran:?}");
    assert!(ran.out.contains("爱丽丝可以查看"), "{ran:?}");
    let args = ["policy", "test", "account", "--output", "json"];
    assert_eq!(offline(directory.path(), &args).json()["folders"][0]["failures"], 1);
}

#[test]
fn explain_names_what_was_missing() {
    let directory = tempfile::tempdir().unwrap();
    let folder = examples().join("read-only-without-keys").display().to_string();
    let account = fs::read_to_string(Path::new(&folder).join("account.json")).unwrap();
    let account: serde_json::Value = serde_json::from_str(&account).unwrap();
    let who = account["sub_accounts"][0]["name"].as_str().unwrap();
    let resource = "qcs::im::uin/12345678:sdkappid/1400000001";
    let question =
        ["explain", "--folder", &folder, "--principal", who, "--action", "im:DeleteSdkappid"];
    let ran = offline(directory.path(), &[&question[..], &["--resource", resource]].concat());
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.out.starts_with("DENY ("), "{ran:?}");
    assert!(ran.out.contains("names other actions"), "{ran:?}");
    let twice =
        ["--context", "qcs:ip=10.0.0.1", "--at", "2026-01-01T00:00:00Z", "--output", "json"];
    let ran =
        offline(directory.path(), &[&question[..], &["--resource", resource], &twice[..]].concat());
    assert_eq!(ran.json()["decision"]["outcome"], "DENY", "{ran:?}");
    let wrong = offline(directory.path(), &[&question[..], &["--context", "novalue"]].concat());
    assert_eq!(wrong.status, 2, "{wrong:?}");
}

fn examples() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/examples")
}
