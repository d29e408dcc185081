//! Decision logs on the command line: reading them, picking from them, and showing them.
//!
//! Files are read without a server. It must never leave out a line that cannot be read: it is told,
//! and the command ends with exit status 3 where it cannot tell.

use std::path::Path;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::audit::decision_log::{
    DecisionRecord, Entry, LogLine, LogReader, MaybeMasked, log_files,
};
use crate::cli::answer::{CliError, table};
use crate::lang::action::ActionPattern;

/// `ALLOW` or `DENY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutcomeArg {
    /// What was allowed
    Allow,
    /// What was denied
    Deny,
}

/// Which decisions of a log.
#[derive(Debug, Args, Default)]
pub struct Picked {
    /// An action, stars allowed, e.g. `im:Describe*` (decision logs)
    #[arg(long, value_name = "ACTION", value_parser = pattern)]
    pub action: Option<ActionPattern>,
    /// A part of the resource's name, e.g. `sdkappid/1400000001` (decision logs)
    #[arg(long, value_name = "TEXT")]
    pub resource: Option<String>,
    /// What was decided (decision logs)
    #[arg(long, value_name = "OUTCOME", ignore_case = true)]
    pub outcome: Option<OutcomeArg>,
    /// The decision with this id (decision logs)
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
}

fn pattern(text: &str) -> Result<ActionPattern, String> {
    ActionPattern::parse(text).map_err(|fault| format!("`{text}` {fault}"))
}

impl Picked {
    /// Whether nothing is picked.
    #[must_use]
    pub fn is_all(&self) -> bool {
        let Self { action, resource, outcome, id } = self;
        action.is_none() && resource.is_none() && outcome.is_none() && id.is_none()
    }

    fn wants(&self, record: &DecisionRecord<'_>) -> bool {
        let (service, name) = record.action.split_once(':').unwrap_or_default();
        let outcome = |wanted: OutcomeArg| match wanted {
            OutcomeArg::Allow => record.outcome == "ALLOW",
            OutcomeArg::Deny => record.outcome == "DENY",
        };
        self.action.as_ref().is_none_or(|action| action.matches(service, name))
            && self.resource.as_ref().is_none_or(|part| record.resource.contains(part.as_str()))
            && self.outcome.is_none_or(outcome)
            && self.id.as_ref().is_none_or(|id| record.id == *id)
    }
}

/// Everything that a decision is picked by.
#[derive(Debug, Default)]
pub(super) struct Wanted<'a> {
    pub(super) picked: Option<&'a Picked>,
    pub(super) owner: Option<u64>,
    pub(super) principal: Option<&'a str>,
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
}

impl Wanted<'_> {
    /// Whether a decision is meant.
    pub(super) fn wants(&self, record: &DecisionRecord<'_>) -> bool {
        self.picked.is_none_or(|picked| picked.wants(record))
            && self.owner.is_none_or(|owner| owner == record.owner_uin)
            && self.principal.is_none_or(|who| is_by(record, who))
            && self.since.is_none_or(|since| record.time >= since)
            && self.until.is_none_or(|until| record.time < until)
    }
}

/// A uin, a role's id, a session's name, the id of its key, or the service that asked.
fn is_by(record: &DecisionRecord<'_>, who: &str) -> bool {
    let session = record.principal.session.as_ref();
    principal(record) == who
        || session.is_some_and(|it| it.name == who || it.secret_id == who)
        || record.caller.as_deref() == Some(who)
}

/// Reads the files of a log, or the one that is named.
///
/// # Errors
/// When there is none, or the folder cannot be read.
pub(super) fn open(file: &Path) -> Result<LogReader, CliError> {
    let files = log_files(file).map_err(|fault| CliError::CannotTell(fault.to_string()))?;
    if files.is_empty() {
        let text = format!("there is no decision log `{}`", file.display());
        return Err(CliError::CannotTell(text));
    }
    Ok(LogReader::new(files))
}

/// The next line of a log; none after the last.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn next_line(reader: &mut LogReader) -> Result<Option<LogLine>, CliError> {
    reader.next_line().map_err(|fault| CliError::CannotTell(fault.to_string()))
}

/// The decision of a line, when there is one.
pub(super) fn decision(line: LogLine) -> Option<DecisionRecord<'static>> {
    match line.entry? {
        Entry::Decision(record) => Some(*record),
        Entry::Opened(_) | Entry::Dropped(_) | Entry::Closed {} => None,
    }
}

/// Who wanted something.
pub(super) fn principal(record: &DecisionRecord<'_>) -> String {
    match record.principal.uin {
        MaybeMasked::Number(uin) => uin.to_string(),
        MaybeMasked::Masked => "***".to_owned(),
    }
}

/// Why it was decided, with the layer.
pub(super) fn reason(record: &DecisionRecord<'_>) -> String {
    match &record.layer {
        Some(layer) => format!("{}:{layer}", record.reason),
        None => record.reason.to_string(),
    }
}

/// A decision as JSON, as it stands in the log.
pub(super) fn to_json(record: &DecisionRecord<'_>) -> Value {
    serde_json::to_value(record).unwrap_or_else(|error| json!({ "error": error.to_string() }))
}

/// A decision in one line.
pub(super) fn one_line(record: &DecisionRecord<'_>) -> String {
    let DecisionRecord { time, outcome, action, resource, id, .. } = record;
    let (who, why) = (principal(record), reason(record));
    let resource = if resource.is_empty() { "-" } else { resource };
    format!("{time} {outcome} {who} {action} {resource} {why} {id}")
}

/// Decisions as a table.
pub(super) fn rows(records: &[DecisionRecord<'_>]) -> String {
    if records.is_empty() {
        return "no decisions".to_owned();
    }
    let row = |record: &DecisionRecord<'_>| {
        vec![
            record.time.to_string(),
            record.outcome.to_string(),
            principal(record),
            record.action.to_string(),
            record.resource.to_string(),
            reason(record),
            statements(record),
            record.id.to_string(),
        ]
    };
    let header = ["TIME", "OUTCOME", "PRINCIPAL", "ACTION", "RESOURCE", "REASON", "BY", "ID"];
    table(&header, records.iter().map(row).collect())
}

/// The statements that made a decision.
fn statements(record: &DecisionRecord<'_>) -> String {
    let one = |it: &crate::audit::decision_log::DeterminingRecord<'_>| {
        format!("{}#{}", it.policy, it.statement)
    };
    record.determining.iter().map(one).collect::<Vec<_>>().join(", ")
}
