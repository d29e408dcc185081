//! `audit tail FILE`: the newest decisions of a decision log, and new ones as they come.
//!
//! It reads the file that is written, and goes on with the next when that one is put aside.

use std::collections::VecDeque;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use super::decisions::{decision, next_line, one_line, open, to_json};
use crate::audit::decision_log::{DecisionRecord, LogFollower};
use crate::cli::answer::{CliError, ExitStatus, Format};

/// How often a file is looked at that has nothing new.
const POLL: Duration = Duration::from_millis(200);

/// What is shown, and where.
pub(super) struct Shown<'a> {
    pub(super) format: Format,
    pub(super) out: &'a mut dyn Write,
    /// How many are left to be shown; none: any number.
    pub(super) left: Option<u64>,
}

impl Shown<'_> {
    /// Shows a decision; whether it was the last that is wanted.
    fn show(&mut self, record: &DecisionRecord<'_>) -> Result<bool, CliError> {
        match self.format {
            Format::Json => writeln!(self.out, "{}", to_json(record))?,
            Format::Table => writeln!(self.out, "{}", one_line(record))?,
        }
        self.out.flush()?;
        self.left = self.left.map(|left| left.saturating_sub(1));
        Ok(self.left == Some(0))
    }
}

/// Shows the newest `lines` decisions, and goes on when `follows`.
///
/// # Errors
/// When a file cannot be read, or the output not written.
pub(super) async fn run(
    file: &Path,
    lines: u64,
    follows: bool,
    mut shown: Shown<'_>,
) -> Result<ExitStatus, CliError> {
    // From here on nothing is missed: what comes while the older ones are shown is read after them.
    let cannot = |error: std::io::Error| {
        CliError::CannotTell(format!("cannot read `{}`: {error}", file.display()))
    };
    let follower = if follows { Some(LogFollower::at_end(file).map_err(cannot)?) } else { None };
    let mut newest = VecDeque::new();
    let mut log = open(file)?;
    while let Some(line) = next_line(&mut log)? {
        if follower.as_ref().is_some_and(|follower| line.number > follower.number()) {
            break;
        }
        newest.extend(decision(line));
        if newest.len() as u64 > lines {
            newest.pop_front();
        }
    }
    for record in &newest {
        if shown.show(record)? {
            return Ok(ExitStatus::Fine);
        }
    }
    let Some(mut follower) = follower else { return Ok(ExitStatus::Fine) };
    let mut ticks = tokio::time::interval(POLL);
    loop {
        while let Some(line) = follower.next_line().map_err(cannot)? {
            if let Some(record) = decision(line)
                && shown.show(&record)?
            {
                return Ok(ExitStatus::Fine);
            }
        }
        ticks.tick().await;
    }
}
