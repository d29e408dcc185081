//! `audit query FILE`: decisions of a decision log.
//!
//! It must never pass over a line that is not proved: the exit status says that there are some.

use std::collections::VecDeque;
use std::path::Path;

use serde_json::{Value, json};

use super::decisions::{Wanted, decision, next_line, open, rows, to_json};
use crate::cli::answer::{Answer, CliError, ExitStatus};

/// Most decisions of one answer.
const FOUND_MAX: usize = 100_000;

/// The decisions that are wanted, at most the newest `limit`; 0: all.
///
/// # Errors
/// When a file cannot be read, or too many are found.
pub(super) fn run(file: &Path, wanted: &Wanted<'_>, limit: usize) -> Result<Answer, CliError> {
    let mut log = open(file)?;
    let (mut found, mut faults) = (VecDeque::new(), 0_u64);
    while let Some(line) = next_line(&mut log)? {
        faults = faults.saturating_add(u64::from(line.fault.is_some()));
        found.extend(decision(line).filter(|record| wanted.wants(record)));
        if limit > 0 && found.len() > limit {
            found.pop_front();
        }
        if found.len() > FOUND_MAX {
            return Err(CliError::Usage(format!(
                "more than {FOUND_MAX} decisions are found: ask for less, or use `--limit`"
            )));
        }
    }
    let found: Vec<_> = found.into();
    let list: Vec<Value> = found.iter().map(to_json).collect();
    let mut text = rows(&found);
    if faults > 0 {
        text.push_str(&format!("\n{faults} lines of the log have faults: see `audit verify`"));
    }
    let answer = Answer::new(json!({ "decisions": list, "log_faults": faults }), text);
    Ok(if faults == 0 { answer } else { answer.with_status(ExitStatus::Denied) })
}
