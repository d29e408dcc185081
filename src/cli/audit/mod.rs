//! `audit`: what was decided and changed, by whom, and whether the logs of it are whole.

mod change_query;
mod change_tail;
mod change_verify;
mod decisions;
mod log_query;
mod log_tail;
mod log_verify;
pub mod query;
pub mod replay;
mod source;
pub mod tail;
pub mod verify;

use clap::Subcommand;

/// The commands about logs.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Verifies a log: names what is altered, missing, moved or incomplete
    Verify(verify::Verify),
    /// Shows the newest entries of a log, and new ones as they come
    Tail(tail::Tail),
    /// Finds entries of a log
    Query(query::Query),
    /// Decides a decision log again and lists what would be decided otherwise
    Replay(replay::Replay),
}
