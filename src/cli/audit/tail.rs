//! `audit tail`: the newest entries of a log, and new ones as they come.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::log_tail;
use crate::cli::answer::{CliError, ExitStatus, Format};

/// Shows the newest entries of a log, and new ones as they come
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  camgate audit tail decisions.jsonl --lines 20 --follow\n\n\
    With `--follow` it ends with Ctrl-C, or after `--count` entries.")]
pub struct Tail {
    /// The decision log
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// How many of the newest entries
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10)]
    pub lines: u64,
    /// Goes on with every new entry
    #[arg(long, short = 'f')]
    pub follow: bool,
    /// End after so many entries; 0 never
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub count: u64,
}

impl Tail {
    /// Prints entries until there are no more, or enough have come.
    ///
    /// # Errors
    /// When the log cannot be read; an output that cannot be written.
    pub async fn run(&self, format: Format, out: &mut dyn Write) -> Result<ExitStatus, CliError> {
        let left = (self.count > 0).then_some(self.count);
        let shown = log_tail::Shown { format, out, left };
        log_tail::run(&self.file, self.lines, self.follow, shown).await
    }
}
