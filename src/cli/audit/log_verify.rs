//! `audit verify FILE`: whether a decision log is whole, from its first file to its last line.
//!
//! It must never say so before every line was read.

use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::decisions::{next_line, open};
use crate::audit::decision_log::{Entry, LineFault};
use crate::cli::answer::{Answer, CliError, ExitStatus, table};
use crate::cli::progress::Progress;

/// Faults that are shown; all are counted.
const SHOWN_MAX: usize = 1_000;

/// Reads a log; how far it is goes to `err`.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn run(file: &Path, err: &mut dyn Write) -> Result<Answer, CliError> {
    let mut log = open(file)?;
    let mut progress = Progress::new("verified");
    let (mut lines, mut decisions, mut dropped, mut faults) = (0_u64, 0_u64, 0_u64, 0_u64);
    let (mut shown, mut rows): (Vec<Value>, Vec<Vec<String>>) = (Vec::new(), Vec::new());
    while let Some(line) = next_line(&mut log)? {
        lines = lines.saturating_add(1);
        match &line.entry {
            Some(Entry::Decision(_)) => decisions = decisions.saturating_add(1),
            Some(Entry::Dropped(record)) => dropped = dropped.saturating_add(record.count),
            Some(Entry::Opened(_) | Entry::Closed {}) | None => {}
        }
        if let Some(fault) = &line.fault {
            faults = faults.saturating_add(1);
            let name = log.file().map(|file| file.display().to_string()).unwrap_or_default();
            if shown.len() < SHOWN_MAX {
                rows.push(row(&name, line.line, line.number, fault));
                shown.push(json!({
                    "file": name, "line": line.line, "record": line.number,
                    "problem": fault.to_string(),
                }));
            }
        }
        progress.tell(err, lines, "records")?;
    }
    let looked = format!("{lines} records, {decisions} decisions");
    let mut text = match faults {
        0 => format!("all is whole: {looked}"),
        1 => format!("{}\n1 fault in {looked}", table(&HEADER, rows)),
        _ => format!("{}\n{faults} faults in {looked}", table(&HEADER, rows)),
    };
    if dropped > 0 {
        text.push_str(&format!("\n{dropped} decisions were dropped, as the log itself says"));
    }
    let json = json!({
        "is_whole": faults == 0, "records": lines, "decisions": decisions, "dropped": dropped,
        "faults": faults, "findings": shown,
    });
    let status = if faults == 0 { ExitStatus::Fine } else { ExitStatus::Denied };
    Ok(Answer::new(json, text).with_status(status))
}

const HEADER: [&str; 4] = ["FILE", "LINE", "RECORD", "PROBLEM"];

fn row(file: &str, line: u64, record: u64, fault: &LineFault) -> Vec<String> {
    vec![file.to_owned(), line.to_string(), record.to_string(), fault.to_string()]
}
