//! Verifying: every change log against its head, and every record against what was committed.
//!
//! One scan at one revision, so writers go on meanwhile. Each log is walked, each account's records
//! are counted, the global indexes are compared with the accounts, and what differs is named. It
//! reads the store and not what a node holds, so it works where a node refuses to start. It must
//! never repair, and never leave out what cannot be read.

mod chain;
mod logs;
mod walk;

use std::sync::Arc;

use super::error::NodeError;
use crate::store::{Revision, Scan, Store};
use walk::Walk;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whose log or record it is; 0 for what belongs to no account.
    pub owner_uin: u64,
    /// The key of the record.
    pub key: String,
    /// Its number, when it is an entry of a change log; else 0.
    pub sequence: u64,
    /// What is wrong with it.
    pub problem: String,
}

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verified {
    /// Accounts, without the operator's.
    pub accounts: u64,
    /// Accounts that no version has written that counts their records.
    pub uncounted: u64,
    /// Entries of change logs.
    pub entries: u64,
    /// Records, entries of logs among them.
    pub records: u64,
}

/// A verification under way.
#[derive(Debug)]
pub struct Verification {
    scan: Scan,
    walk: Option<Walk>,
}

impl Verification {
    /// Begins one: of one account's log and records, or of everything.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn begin(store: &Arc<dyn Store>, owner_uin: Option<u64>) -> Result<Self, NodeError> {
        Ok(Self { scan: store.scan().await?, walk: Some(Walk::new(owner_uin)) })
    }

    /// The revision that is verified.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.scan.revision()
    }

    /// Goes on: what was found since, and what was looked at so far; none at the end.
    ///
    /// # Errors
    /// When the store cannot be read on: then nothing was verified.
    pub async fn next(&mut self) -> Result<Option<(Vec<Finding>, Verified)>, NodeError> {
        let Some(walk) = &mut self.walk else { return Ok(None) };
        match self.scan.next().await.transpose()? {
            Some(page) => {
                page.into_iter().for_each(|entry| walk.take(entry));
                Ok(Some((walk.found(), walk.verified())))
            }
            None => Ok(self.walk.take().map(Walk::finish)),
        }
    }
}
