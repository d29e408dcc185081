//! Who may do what in the example accounts, as tables that anyone can read: `tests/golden/*.txt`.
//!
//! `CAMGATE_GOLDEN=write` rewrites them; the difference is then for a person to judge.

use std::fmt::Write as _;

use camgate::analysis::{Answer, CaseFile, PrincipalRef, run};
use camgate::engine::{Decision, Layer, Reason};
use serde_json::{Value, json};

use crate::examples::example_folders;
use crate::support::account::{Built, Versions, build, folder_files};
use crate::support::repo::root;

/// What is asked about every app; reading, changing, keys, exports, an end.
const ABOUT_APPS: &[&str] = &[
    "im:DescribeConfInfo",
    "im:DescribeUserStatistic",
    "im:DescribeSecret",
    "im:ExportAccount",
    "im:SetConfInfo",
    "im:SendGroupMsg",
    "im:DeleteSdkappid",
];

/// What is asked about no app.
const ABOUT_NOTHING: &[&str] =
    &["im:DescribeIMAppList", "im:CheckIfIMNewUser", "im:RegisterIMApp", "cam:ListUsers"];

const LEGEND: &str = "\
yes         allowed
no          denied: nothing allows it
NO          denied: a policy says deny
no (limit)  denied: the permission boundary does not reach so far
-           nobody who can ask
N apps      allowed for a list of N apps
";

/// One cell of a table.
fn cell(decision: &Decision) -> String {
    match (decision.reason, &decision.filter) {
        (Reason::Root | Reason::Allow, Some(filter)) => format!("{} apps", filter.resources.len()),
        (Reason::Root | Reason::Allow, None) => "yes".to_owned(),
        (Reason::ExplicitDeny(_), _) => "NO".to_owned(),
        (Reason::ImplicitDeny(Layer::Boundary), _) => "no (limit)".to_owned(),
        (Reason::ImplicitDeny(_), _) => "no".to_owned(),
        (Reason::UnknownPrincipal, _) => "-".to_owned(),
        (Reason::FilterUnsupported | Reason::Error, _) => decision.reason.to_string(),
    }
}

fn decide(built: &Built, who: &str, action: &str, resource: &str) -> String {
    let case = json!({"name": "matrix", "principals": [who], "actions": [action],
                      "resources": [resource], "accepts_filter": true, "expect": "allow"});
    let file = json!({ "cases": [case] }).to_string();
    let file = CaseFile::parse("matrix", file.as_bytes()).unwrap();
    let names = |principal: &PrincipalRef| built.uin(principal);
    let report = run(&built.snapshot, &names, &[file]);
    match &report.results[0].actual {
        Answer::Decided(decision) => cell(decision),
        Answer::Refused(why) => panic!("{who} {action} {resource}: {why}"),
    }
}

/// Columns as wide as their widest cell.
fn table(out: &mut String, title: &str, rows: &[Vec<String>]) {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap();
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    writeln!(out, "\n{title}\n").unwrap();
    for row in rows {
        let mut line = String::new();
        for (text, width) in row.iter().zip(&widths) {
            write!(line, "{text}{}  ", " ".repeat(width - text.chars().count())).unwrap();
        }
        writeln!(out, "{}", line.trim_end()).unwrap();
    }
}

fn matrix(folder: &str) -> String {
    let files = folder_files(folder);
    let built = build(&files, &Versions::new()).unwrap();
    let account: Value = serde_json::from_slice(&files["account.json"]).unwrap();
    let owner = &account["owner_uin"];
    let list = |key: &str| account[key].as_array().unwrap().clone();
    let mut people = vec!["root".to_owned()];
    people.extend(list("sub_accounts").iter().map(|it| it["name"].as_str().unwrap().to_owned()));
    let head = |first: &str| -> Vec<String> {
        std::iter::once(first.to_owned()).chain(people.iter().cloned()).collect()
    };
    let rows = |actions: &[&str], resource: &str| -> Vec<Vec<String>> {
        let row = |action: &&str| -> Vec<String> {
            let cells = people.iter().map(|who| decide(&built, who, action, resource));
            std::iter::once((*action).to_owned()).chain(cells).collect()
        };
        std::iter::once(head("may they…")).chain(actions.iter().map(row)).collect()
    };
    let mut text = format!("{folder}: who may do what\n\n{LEGEND}");
    for app in list("apps") {
        let (id, name) = (&app["sdkappid"], app["name"].as_str().unwrap());
        let resource = format!("qcs::im::uin/{owner}:sdkappid/{id}");
        table(&mut text, &format!("about app {id}, {name}"), &rows(ABOUT_APPS, &resource));
    }
    table(&mut text, "about no app", &rows(ABOUT_NOTHING, "*"));
    text
}

#[test]
fn golden_matrices_are_as_reviewed() {
    let rewrite = std::env::var_os("CAMGATE_GOLDEN").is_some_and(|it| it == "write");
    let mut faults = Vec::new();
    let mut expected_files = Vec::new();
    for folder in example_folders() {
        let name = format!("{}.txt", folder.rsplit('/').next().unwrap());
        let path = root().join("tests/golden").join(&name);
        expected_files.push(format!("tests/golden/{name}"));
        let now = matrix(&folder);
        if rewrite {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &now).unwrap();
        }
        let reviewed = std::fs::read_to_string(&path).unwrap_or_default();
        if reviewed != now {
            let differs = now.lines().zip(reviewed.lines()).find(|(now, then)| now != then);
            faults.push(format!("tests/golden/{name}: {differs:?} (now, as reviewed)"));
        }
    }
    assert!(
        faults.is_empty(),
        "review with `CAMGATE_GOLDEN=write cargo test golden` and `git diff`:\n{}",
        faults.join("\n")
    );
    assert_eq!(crate::support::repo::files("tests/golden"), expected_files, "no stale tables");
}
