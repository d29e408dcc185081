//! `audit query`: entries of a log by who, what, on which resource, and when.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

use super::decisions::Picked;
use super::log_query;
use crate::cli::answer::{Answer, CliError};

/// Finds entries of a log
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    camgate audit query decisions.jsonl --outcome deny --action 'im:*'\n  \
    camgate audit query decisions.jsonl --principal 100000000011 --since 2026-01-01T00:00:00Z\n\n\
    All that is given must hold. Exit status 1: the log has faults; see `camgate audit verify`.")]
pub struct Query {
    /// The decision log
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented where it is declared")]
    pub picked: Picked,
    /// Only decisions of this account
    #[arg(long, value_name = "UIN")]
    pub owner: Option<u64>,
    /// Who asked: a uin, a role's id, a session's name, a SecretId or a service caller's name
    #[arg(long, value_name = "WHO")]
    pub principal: Option<String>,
    /// At this time or later
    #[arg(long, value_name = "TIME")]
    pub since: Option<Timestamp>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<Timestamp>,
    /// The newest so many of those found; 0: all
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub limit: usize,
}

impl Query {
    /// Runs it.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn run(&self) -> Result<Answer, CliError> {
        let Self { file, picked, owner, principal, since, until, limit } = self;
        let wanted = super::decisions::Wanted {
            picked: Some(picked),
            owner: *owner,
            principal: principal.as_deref(),
            since: *since,
            until: *until,
        };
        log_query::run(file, &wanted, *limit)
    }
}
