//! The decision log: what is in it, what it proves, and what becomes of answers without it.

mod chain;
mod command_line;
#[cfg(feature = "otlp")]
mod forwarded;
mod killed;
mod modes;
mod surfaces;

use std::path::{Path, PathBuf};

use camgate::audit::decision_log::{
    DecisionLog, DecisionLogSettings, DecisionRecord, Entry, LogLine, LogOpening, LogReader,
    log_files,
};
use serde_json::{Value, json};

/// A decision with something in every field.
fn record(id: &str) -> DecisionRecord<'static> {
    let value = json!({
        "v": 1, "time": "2026-11-30T08:00:00.123456Z", "id": id, "surface": "grpc:Check",
        "caller": "im-gateway", "owner_uin": 12345678,
        "principal": {"uin": 100000000011_u64, "session": {
            "kind": "role", "name": "值班", "secret_id": "AKIDx", "issuer_uin": 12345678,
            "policies": ["{\"version\":\"2.0\",\"statement\":[]}"]}},
        "action": "im:DescribeConfInfo",
        "resource": "qcs::im::uin/12345678:sdkappid/1400000001",
        "context": {"qcs:ip": ["10.0.0.1", "10.0.0.2"], "mfa": [{"number": "1"}], "x": [true]},
        "registered_owner": 12345678, "granted_by_owner": true, "accepts_filter": true,
        "outcome": "DENY", "reason": "explicit_deny", "layer": "identity",
        "determining": [{"layer": "identity", "effect": "deny", "policy_id": 5, "policy": "只读",
                         "version": 2, "statement": 1}],
        "errors": [{"layer": "identity", "policy_id": 6, "policy": "p", "version": 1,
                    "statement": 0, "message": "`10.0.0.1` is no number"}],
        "filter": {"all": false, "resources": ["qcs::im::uin/12345678:sdkappid/1400000001"]},
        "note": "unknown_action", "revision": 42, "stale_ms": 7
    });
    serde_json::from_value(value).unwrap()
}

fn open(settings: DecisionLogSettings) -> DecisionLog {
    let opening =
        LogOpening { node: "0123456789abcdef".to_owned(), shipped: "sha256:x".to_owned() };
    DecisionLog::open(settings, opening).unwrap()
}

/// Every line of a log.
fn lines(file: &Path) -> Vec<LogLine> {
    lines_of(log_files(file).unwrap())
}

fn lines_of(files: Vec<PathBuf>) -> Vec<LogLine> {
    let mut reader = LogReader::new(files);
    let mut lines = Vec::new();
    while let Some(line) = reader.next_line().unwrap() {
        lines.push(line);
    }
    lines
}

/// The decisions of a log in which nothing is wrong.
fn decisions(file: &Path) -> Vec<DecisionRecord<'static>> {
    let lines = lines(file);
    for line in &lines {
        assert_eq!(line.fault, None, "{line:?}");
    }
    let entries = lines.into_iter().filter_map(|line| line.entry);
    entries
        .filter_map(|entry| match entry {
            Entry::Decision(decision) => Some(*decision),
            Entry::Opened(_) | Entry::Dropped(_) | Entry::Closed {} => None,
        })
        .collect()
}

/// The lines of a file as JSON.
fn json_lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
