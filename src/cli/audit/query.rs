//! `audit query`: entries of a log by who, what, on which resource, and when.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

use super::decisions::Picked;
use super::source::Source;
use super::{change_query, log_query};
use crate::cli::answer::{Answer, CliError};
use crate::config::Settings;

/// Finds entries of a log
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    camgate audit query --operation AttachPolicy --since 2026-01-01T00:00:00Z\n  \
    camgate audit query --operator --principal gateway\n  \
    camgate audit query decisions.jsonl --outcome deny --action 'im:*'\n  \
    camgate audit query decisions.jsonl --principal 100000000011 --since 2026-01-01T00:00:00Z\n\n\
    All that is given must hold. Exit status 1: the log has faults; see `camgate audit verify`.")]
pub struct Query {
    /// A decision log; without it, a change log
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented where it is declared")]
    pub source: Source,
    /// A command or a call of a change log, e.g. `AttachPolicy`
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    pub operation: Option<String>,
    /// A part of the key of a record that was changed, e.g. `p/00000000000001000000`
    #[arg(long, value_name = "TEXT", conflicts_with = "file")]
    pub record: Option<String>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented where it is declared")]
    pub picked: Picked,
    /// Who asked: a uin, a role's id, a session's name, a SecretId, a service caller's name, or, of
    /// a change, `operator`
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
    /// When the log cannot be read, or the server refuses.
    pub async fn run(&self, settings: &Settings) -> Result<Answer, CliError> {
        let Self { file, source, operation, record, picked, principal, since, until, limit } = self;
        let principal = principal.as_deref();
        let Some(file) = file else {
            if !picked.is_all() {
                let text = "`--action`, `--resource`, `--outcome` and `--id` are about decisions: \
                            name the FILE of a decision log";
                return Err(CliError::Usage(text.to_owned()));
            }
            let wanted = change_query::Wanted {
                principal,
                operation: operation.as_deref(),
                record: record.as_deref(),
                since: *since,
                until: *until,
            };
            return wanted.run(source, *limit, settings).await;
        };
        let wanted = super::decisions::Wanted {
            picked: Some(picked),
            owner: source.owner,
            principal,
            since: *since,
            until: *until,
        };
        log_query::run(file, &wanted, *limit)
    }
}
