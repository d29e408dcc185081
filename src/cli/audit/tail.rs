//! `audit tail`: the newest entries of a log, and new ones as they come.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::change_tail::What;
use super::log_tail;
use super::source::Source;
use crate::cli::answer::{CliError, ExitStatus, Format};
use crate::config::Settings;

/// Shows the newest entries of a log, and new ones as they come
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  camgate audit tail --lines 20\n  \
    camgate audit tail --operator --follow --output json\n  \
    camgate audit tail decisions.jsonl --lines 20 --follow\n\n\
    With `--follow` it ends with Ctrl-C, or after `--count` entries.")]
pub struct Tail {
    /// A decision log; without it, a change log
    #[arg(value_name = "FILE", conflicts_with = "owner")]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented where it is declared")]
    pub source: Source,
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
    pub async fn run(
        &self,
        settings: &Settings,
        format: Format,
        out: &mut dyn Write,
    ) -> Result<ExitStatus, CliError> {
        let Self { ref file, ref source, lines, follow, count } = *self;
        let Some(file) = file else {
            return What { source, lines, follow, count }.run(settings, format, out).await;
        };
        let left = (count > 0).then_some(count);
        let shown = log_tail::Shown { format, out, left };
        log_tail::run(file, lines, follow, shown).await
    }
}
