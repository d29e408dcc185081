//! The chain: each entry names the digest of the one before, the account's head that of the last.
//!
//! A digest is the SHA-256 of an entry's stored bytes, so nothing in an entry can change without
//! its digest changing. It proves that the log is as the head says; who can rewrite every entry and
//! the head of the account can still invent a log.

use sha2::{Digest as _, Sha256};

use super::entry::ChangeEntry;
use crate::directory::ChangeHead;

/// The digest of an entry's stored bytes.
#[must_use]
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// What of an entry the chain is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The account that the entry says.
    pub owner_uin: u64,
    /// The number that the entry says.
    pub sequence: u64,
    /// The digest of the entry before that the entry says.
    pub previous: [u8; 32],
    /// The digest of its own bytes.
    pub digest: [u8; 32],
}

impl Link {
    /// The link of an entry with its stored bytes.
    #[must_use]
    pub fn new(entry: &ChangeEntry, bytes: &[u8]) -> Self {
        Self {
            owner_uin: entry.owner_uin,
            sequence: entry.sequence,
            previous: entry.previous,
            digest: digest(bytes),
        }
    }
}

/// What is wrong with a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChainFault {
    /// Another entry, or none, stands where one is expected.
    #[error("entry {expected} of the change log is missing: {found} stands in its place")]
    OutOfPlace {
        /// The number expected.
        expected: u64,
        /// The number found.
        found: u64,
    },
    /// An entry of another account.
    #[error("entry {sequence} of the change log is of account {found}")]
    OtherAccount {
        /// Its number.
        sequence: u64,
        /// The account that it names.
        found: u64,
    },
    /// An entry is not the one that the next names.
    #[error("entry {sequence} of the change log was altered: what follows it names another digest")]
    Altered {
        /// Its number.
        sequence: u64,
    },
    /// Fewer or more entries than the head says.
    #[error("the change log ends with entry {found}, the account's head says {expected}")]
    OtherEnd {
        /// The number that the head says.
        expected: u64,
        /// The number of the last entry.
        found: u64,
    },
}

/// Goes one entry further: the end of the chain with this entry.
///
/// # Errors
/// [`ChainFault`] when the entry does not follow `end`.
pub fn follow(owner_uin: u64, end: &ChangeHead, link: &Link) -> Result<ChangeHead, ChainFault> {
    let expected = end.sequence.saturating_add(1);
    if link.sequence != expected {
        return Err(ChainFault::OutOfPlace { expected, found: link.sequence });
    }
    if link.owner_uin != owner_uin {
        return Err(ChainFault::OtherAccount { sequence: expected, found: link.owner_uin });
    }
    if link.previous != end.digest {
        // Of the first entry, which has none before it, the entry itself is at fault.
        return Err(ChainFault::Altered { sequence: end.sequence.max(1) });
    }
    Ok(ChangeHead { sequence: link.sequence, digest: link.digest })
}

/// Verifies a stretch of an account's chain: it goes on from `start` and ends at `end`. The whole
/// chain starts at the default head and ends at the account's.
///
/// # Errors
/// The first [`ChainFault`].
pub fn verify<'a>(
    owner_uin: u64,
    start: &ChangeHead,
    links: impl IntoIterator<Item = &'a Link>,
    end: &ChangeHead,
) -> Result<(), ChainFault> {
    let mut reached = *start;
    for link in links {
        reached = follow(owner_uin, &reached, link)?;
    }
    if reached.sequence != end.sequence {
        return Err(ChainFault::OtherEnd { expected: end.sequence, found: reached.sequence });
    }
    if reached.digest != end.digest {
        return Err(ChainFault::Altered { sequence: end.sequence });
    }
    Ok(())
}
