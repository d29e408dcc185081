//! `policy test` and `policy diff`: what policies mean, against what their authors expect.
//!
//! Shows what `analysis` finds; it must never judge itself.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::answer::{Answer, CliError, ExitStatus, table};
use super::files::read_policy;
use super::offline::Offline;
use super::policy_files::counted;
use super::report;
use crate::analysis::diff::{PlacedStatement, StatementChange, statement_changes};
use crate::analysis::{CaseFile, CaseResult, Coverage, TestReport, run};
use crate::lang;
use crate::lang::valid::ValidPolicy;

/// Runs the cases of account folders and shows which expectations fail, and why
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  camgate policy test policies/examples/app-isolation\n\n\
    Exit status: 0 all as expected, 1 failures or too little coverage, 2 a folder is wrong.")]
pub struct Test {
    /// Account folders
    #[arg(required = true, value_name = "DIR")]
    pub folders: Vec<PathBuf>,
    /// A catalog file of a service of your own; may be given several times
    #[arg(long, value_name = "FILE")]
    pub catalog: Vec<PathBuf>,
    /// Fails when fewer statements, in percent, determined a result
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub min_coverage: usize,
    /// Also writes a JUnit report here
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

impl Test {
    /// Runs the cases.
    ///
    /// # Errors
    /// When a folder or a case file cannot be read.
    pub fn run(&self) -> Result<Answer, CliError> {
        let (mut lines, mut folders, mut reports) = (Vec::new(), Vec::new(), Vec::new());
        let mut status = ExitStatus::Fine;
        for directory in &self.folders {
            let name = directory.display().to_string();
            let report = test_folder(directory, &self.catalog)?;
            lines.extend(report.failures().map(failure_text));
            lines.push(coverage_text(&report.coverage));
            let failures = report.failures().count();
            lines.push(format!(
                "{name}: {}, {}; statements covered {}%, conditions {}%",
                counted(report.results.len(), "request"),
                counted(failures, "failure"),
                report.coverage.statement_percent(),
                report.coverage.condition_percent(),
            ));
            if failures > 0 {
                status = ExitStatus::Denied;
            }
            if report.coverage.statement_percent() < self.min_coverage {
                lines.push(format!(
                    "{name}: statements covered {}%, at least {}% are asked for",
                    report.coverage.statement_percent(),
                    self.min_coverage
                ));
                status = ExitStatus::Denied;
            }
            folders.push(report_json(&name, &report));
            reports.push((name, report));
        }
        self.write_junit(&reports)?;
        Ok(Answer::new(json!({ "folders": folders }), lines.join("\n")).with_status(status))
    }

    fn write_junit(&self, reports: &[(String, TestReport)]) -> Result<(), CliError> {
        let Some(path) = &self.junit else { return Ok(()) };
        let text = super::junit::to_junit(reports)
            .map_err(|error| CliError::CannotTell(format!("cannot make the report: {error}")))?;
        super::files::replace_file(path, text.as_bytes())
    }
}

fn test_folder(directory: &std::path::Path, catalog: &[PathBuf]) -> Result<TestReport, CliError> {
    let offline = Offline::open(directory, catalog)?;
    let (mut cases, mut wrong) = (Vec::new(), Vec::new());
    for (name, bytes) in &offline.folder.cases {
        match CaseFile::parse(name, bytes) {
            Ok(file) => cases.push(file),
            Err(faults) => wrong.extend(faults.iter().map(|fault| format!("  {fault}"))),
        }
    }
    if !wrong.is_empty() {
        let name = directory.display();
        return Err(CliError::Usage(format!("wrong cases in `{name}`\n{}", wrong.join("\n"))));
    }
    Ok(run(&offline.snapshot, &|principal| offline.named(principal), &cases))
}

fn failure_text(result: &CaseResult) -> String {
    let resource = if result.resource.is_empty() { "nothing" } else { result.resource.as_str() };
    let mut lines = vec![
        format!("FAILED {}: {}", result.file, result.case),
        format!("  {} {} on {resource}", result.principal, result.action),
    ];
    lines.extend(result.why.lines().map(|line| format!("  {line}")));
    lines.join("\n")
}

fn coverage_text(coverage: &Coverage) -> String {
    let yes = |value: bool| if value { "yes" } else { "no" }.to_owned();
    let mut rows = Vec::new();
    for statement in &coverage.statements {
        rows.push(vec![
            statement.policy_name.to_string(),
            statement.statement.to_string(),
            statement.effect.as_str().to_owned(),
            yes(statement.matched),
            yes(statement.determined),
        ]);
        for condition in &statement.conditions {
            rows.push(vec![
                String::new(),
                String::new(),
                format!("{} {}", condition.operator, condition.key),
                format!("true: {}", yes(condition.seen_true)),
                format!("false: {}", yes(condition.seen_false)),
            ]);
        }
    }
    table(&["POLICY", "STATEMENT", "", "MATCHED", "DETERMINED"], rows)
}

fn report_json(name: &str, report: &TestReport) -> Value {
    let results: Vec<_> = report
        .results
        .iter()
        .map(|result| {
            json!({
                "file": result.file, "case": result.case, "principal": result.principal,
                "action": result.action, "resource": result.resource,
                "expected": result.expected.to_string(), "actual": result.actual.to_string(),
                "passed": result.passed, "why": result.why,
            })
        })
        .collect();
    let statements: Vec<_> = report
        .coverage
        .statements
        .iter()
        .map(|it| {
            let conditions: Vec<_> = it
                .conditions
                .iter()
                .map(|condition| {
                    json!({
                        "operator": condition.operator, "key": condition.key,
                        "seen_true": condition.seen_true, "seen_false": condition.seen_false,
                    })
                })
                .collect();
            json!({
                "policy_id": it.policy_id, "policy_name": &*it.policy_name,
                "statement": it.statement, "effect": it.effect.as_str(),
                "matched": it.matched, "determined": it.determined, "conditions": conditions,
            })
        })
        .collect();
    json!({
        "folder": name,
        "requests": report.results.len(),
        "failures": report.failures().count(),
        "results": results,
        "coverage": {
            "statement_percent": report.coverage.statement_percent(),
            "condition_percent": report.coverage.condition_percent(),
            "statements": statements,
        },
    })
}

/// Shows which statements differ between two policies; layout and order are no difference
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  camgate policy diff old.json new.json\n\n\
    Exit status: 0 the same meaning, 1 differences or findings.")]
pub struct Diff {
    /// The policy as it was
    pub old: String,
    /// The policy as it is; `-` reads the standard input
    pub new: String,
}

impl Diff {
    /// Compares the policies.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn run(&self) -> Result<Answer, CliError> {
        let (old, new) = (load(&self.old)?, load(&self.new)?);
        let (before, after) = match (old, new) {
            (Ok(before), Ok(after)) => (before, after),
            (Err(answer), _) | (_, Err(answer)) => return Ok(answer),
        };
        let changes = statement_changes(&before, &after);
        let (mut lines, mut list) = (Vec::new(), Vec::new());
        for change in &changes {
            let (word, old, new) = match change {
                StatementChange::Added(new) => ("added", None, Some(new)),
                StatementChange::Removed(old) => ("removed", Some(old), None),
                StatementChange::Changed { before, after } => {
                    ("changed", Some(before), Some(after))
                }
            };
            for (sign, placed) in [("-", old), ("+", new)] {
                if let Some(placed) = placed {
                    lines.push(format!("{sign} statement {}", placed.statement));
                    lines.extend(placed.text.trim_end().lines().map(|it| format!("{sign}   {it}")));
                }
            }
            list.push(json!({
                "change": word, "before": old.map(placed_json), "after": new.map(placed_json),
            }));
        }
        let status = if changes.is_empty() { ExitStatus::Fine } else { ExitStatus::Denied };
        if changes.is_empty() {
            lines.push("the same meaning".to_owned());
        }
        Ok(Answer::new(json!({ "changes": list }), lines.join("\n")).with_status(status))
    }
}

fn placed_json(placed: &PlacedStatement) -> Value {
    json!({ "statement": placed.statement, "text": placed.text })
}

/// A policy, or the answer that shows why the file is none.
fn load(name: &str) -> Result<Result<ValidPolicy, Answer>, CliError> {
    let bytes = read_policy(name)?;
    Ok(lang::load(&bytes).map_err(|findings| {
        let texts: Vec<_> = findings.iter().map(|it| report::render(name, &bytes, it)).collect();
        let list: Vec<_> = findings.iter().map(report::finding_json).collect();
        let json = json!({ "file": name, "findings": list });
        Answer::new(json, texts.join("\n")).with_status(ExitStatus::Denied)
    }))
}
