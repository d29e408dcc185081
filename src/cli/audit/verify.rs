//! `audit verify`: whether a log is whole.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::log_verify;
use crate::cli::answer::{Answer, CliError};

/// Verifies a log: names what is altered, missing, moved or incomplete
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  camgate audit verify /var/log/camgate/decisions.jsonl\n\n\
    Files that were put aside beside FILE are read too. Exit status 0: all is whole; 1: something \
    is not; 3: it cannot tell.")]
pub struct Verify {
    /// The decision log
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

impl Verify {
    /// Runs it; how far it is goes to `err`.
    ///
    /// # Errors
    /// When not everything can be read.
    pub fn run(&self, err: &mut dyn Write) -> Result<Answer, CliError> {
        log_verify::run(&self.file, err)
    }
}
