//! `audit verify`: whether logs are whole: change logs and records, or a decision log.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::change_verify::What;
use super::log_verify;
use crate::cli::answer::{Answer, CliError};
use crate::config::Settings;

/// Verifies logs: names what is altered, missing, moved or incomplete
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  camgate audit verify\n  \
    camgate audit verify --owner 12345678\n  \
    camgate audit verify --store sled:camgate-data\n  \
    camgate audit verify /var/log/camgate/decisions.jsonl\n\n\
    Without FILE: every entry of the change logs is compared with the one after it, the last with \
    the head; every account's records with what its head counts; the indexes with the accounts. \
    Without `--store` the server does it and goes on serving. Of a decision log, files that were \
    put aside beside FILE are read too. Exit status 0: all is whole; 1: something is not; 3: it \
    cannot tell.")]
pub struct Verify {
    /// A decision log; without it, the change logs
    #[arg(value_name = "FILE", conflicts_with_all = ["owner", "store"])]
    pub file: Option<PathBuf>,
    /// Only this account's change log and records; without it, everything
    #[arg(long, value_name = "UIN", value_parser = clap::value_parser!(u64).range(1..))]
    pub owner: Option<u64>,
    /// Opens this store itself: `sled:DIR`, which no server may have open, or `etcd:URL,URL`
    #[arg(long, value_name = "STORE")]
    pub store: Option<String>,
}

impl Verify {
    /// Runs it; how far it is goes to `err`.
    ///
    /// # Errors
    /// When not everything can be read.
    pub async fn run(&self, settings: &Settings, err: &mut dyn Write) -> Result<Answer, CliError> {
        let Self { file, owner, store } = self;
        match file {
            Some(file) => log_verify::run(file, err),
            None => What { owner: *owner, store: store.as_deref() }.run(settings, err).await,
        }
    }
}
