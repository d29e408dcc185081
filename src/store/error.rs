//! What a store can refuse, and why: one enum for all engines.
//!
//! It must never carry an engine's own error type (callers would then depend on the engine) nor a
//! stored value (values hold secrets). The node turns it into its own errors.

use super::contract::Revision;

/// Which limit a commit went over; the numbers are in [`StoreError::TooLarge`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommitLimit {
    /// Bytes of one key.
    KeyBytes,
    /// Bytes of one value.
    ValueBytes,
    /// Number of mutations.
    Mutations,
    /// Number of preconditions.
    Preconditions,
    /// Bytes of all mutated keys and values together.
    CommitBytes,
}

impl CommitLimit {
    fn noun(self) -> &'static str {
        match self {
            Self::KeyBytes => "bytes in one key",
            Self::ValueBytes => "bytes in one value",
            Self::Mutations => "mutations",
            Self::Preconditions => "preconditions",
            Self::CommitBytes => "bytes in one commit",
        }
    }
}

/// Why a store operation failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreError {
    /// A precondition did not hold, or a key to delete is absent. Nothing was changed.
    #[error("the store changed under this commit at key `{}`: read again and retry", show(.key))]
    Conflict {
        /// The first key, in the commit's order, whose precondition failed.
        key: Vec<u8>,
    },
    /// The commit has no mutations.
    #[error("a commit must change something: it has no mutations")]
    EmptyCommit,
    /// A key of no bytes.
    #[error("a key must have at least 1 byte")]
    EmptyKey,
    /// Two mutations of one commit name the same key, so their order would decide.
    #[error("a commit may change a key once: it changes `{}` twice", show(.key))]
    DuplicateKey {
        /// The key named twice.
        key: Vec<u8>,
    },
    /// The commit is over a limit of this engine.
    #[error("the commit has {actual} {}, the limit is {limit}: split it", .what.noun())]
    TooLarge {
        /// The limit that is exceeded.
        what: CommitLimit,
        /// The greatest accepted number.
        limit: usize,
        /// The number in this commit.
        actual: usize,
    },
    /// The changes asked for are no longer kept: read everything again, then watch from there.
    #[error("changes after revision {after} are no longer kept, the oldest start is {oldest}")]
    Compacted {
        /// The revision that was asked for, or that a lagging watch had reached.
        after: Revision,
        /// The smallest revision that could be watched from at that moment.
        oldest: Revision,
    },
    /// A watch from a revision that this store has not reached.
    #[error("revision {after} is ahead of the store, which is at {head}: read everything again")]
    Ahead {
        /// The revision that was asked for.
        after: Revision,
        /// The store's own newest revision.
        head: Revision,
    },
    /// A scan cannot go on: what the store held at its revision is gone.
    #[error("what the store held at revision {at} is no longer kept: {detail}; begin again")]
    ScanLost {
        /// The revision of the scan.
        at: Revision,
        /// Why.
        detail: String,
    },
    /// Another process has the store open. `detail` names the place and the way out.
    #[error("the store is in use: {detail}")]
    InUse {
        /// What is in use and what to do.
        detail: String,
    },
    /// The stored data has a format that this program does not read.
    #[error("the store has format {found}, this program reads {expected}: {detail}")]
    UnknownFormat {
        /// The format found, as it is written in the store.
        found: String,
        /// The format this program writes and reads.
        expected: String,
        /// Where, and what to do.
        detail: String,
    },
    /// The stored data contradicts itself. Never repaired silently.
    #[error("the stored data is damaged: {detail}")]
    Corrupt {
        /// What was found and what to do.
        detail: String,
    },
    /// The engine has no room to write, or may not write now. Nothing was changed.
    #[error("the store cannot be written: {detail}")]
    Full {
        /// What is full and what to do.
        detail: String,
    },
    /// The engine cannot answer: an I/O error, no quorum, or it stopped after one.
    #[error("the store is unavailable: {detail}")]
    Unavailable {
        /// What failed.
        detail: String,
    },
}

/// A key for a message: text stays text (also Chinese), control characters are escaped.
fn show(key: &[u8]) -> String {
    String::from_utf8_lossy(key).escape_debug().to_string()
}
