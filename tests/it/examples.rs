//! The example account folders are right: every case holds, and every statement is put to the test.

use std::collections::BTreeSet;

use crate::support::account::{Versions, build, folder_files};
use crate::support::repo::files;

/// The folders below `policies/examples`.
pub(crate) fn example_folders() -> BTreeSet<String> {
    let parts = |path: &String| path.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    files("policies/examples")
        .iter()
        .filter(|path| path.matches('/').count() > 2)
        .map(parts)
        .collect()
}

#[test]
fn examples_hold_and_are_covered() {
    let folders = example_folders();
    assert!(folders.len() >= 4, "the manual's scenarios: {folders:?}");
    let mut faults = Vec::new();
    for folder in folders {
        let built = match build(&folder_files(&folder), &Versions::new()) {
            Ok(built) => built,
            Err(error) => {
                faults.push(format!("{folder}: {error}"));
                continue;
            }
        };
        let (report, wrong) = built.run();
        faults.extend(wrong.into_iter().map(|it| format!("{folder}/{it}")));
        for statement in report.coverage.untested() {
            let (name, at) = (&statement.policy_name, statement.statement);
            faults.push(format!("{folder}: `{name}` statement {at} determines no case"));
        }
        if report.coverage.statement_percent() != 100 || report.results.is_empty() {
            faults.push(format!("{folder}: {}%", report.coverage.statement_percent()));
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
