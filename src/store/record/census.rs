//! Which records an account has, in a few bytes, and whether they are the ones that were counted.
//!
//! A record is counted by the SHA-256 of its key and its bytes without the version of their format,
//! so a record that is read in an old format and written in a new one counts the same. It must
//! never take a census that is not there for one that is right.

use std::fmt;

use prost::Message as _;
use sha2::{Digest as _, Sha256};

use super::{FORMAT, FORMAT_SEALED, encode};
use crate::directory::{AccountState, Census, Change, Record, RecordKey};
use crate::store::contract::Entry;
use crate::store::{key, proto};

/// The tag of the first field of every record, its format, and the most that its value can be.
const FORMAT_TAG: u8 = 0x08;

/// A record's bytes without the version of their format.
fn meaning(value: &[u8]) -> &[u8] {
    match value {
        [FORMAT_TAG, format, rest @ ..] if u32::from(*format) <= FORMAT => rest,
        whole => whole,
    }
}

/// What one record counts as.
fn digest(key: &[u8], value: &[u8]) -> [u8; 32] {
    let key_len = u64::try_from(key.len()).unwrap_or(u64::MAX);
    let hash = Sha256::new().chain_update(key_len.to_be_bytes()).chain_update(key);
    hash.chain_update(meaning(value)).finalize().into()
}

/// The census of these records.
#[must_use]
pub fn count<'a>(entries: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Census {
    let count = |census: Census, (key, value)| census.with(&digest(key, value));
    entries.into_iter().fold(Census::default(), count)
}

/// Whether a record was written by a version that counts records.
#[must_use]
pub fn is_counted(value: &[u8]) -> bool {
    proto::AnyRecord::decode(value).is_ok_and(|record| record.format >= FORMAT_SEALED)
}

fn has_part(key: RecordKey) -> bool {
    !matches!(key, RecordKey::Account | RecordKey::Global(_))
}

fn record_digest(owner_uin: u64, record: &Record) -> [u8; 32] {
    digest(&key::record_key(owner_uin, record.key()), &encode(record))
}

/// The census of the records of an account beside its head, as they would be written now.
#[must_use]
pub fn census_of_state(owner_uin: u64, state: &AccountState) -> Census {
    let records = state.records().filter(|record| has_part(record.key()));
    records.fold(Census::default(), |sum, record| sum.with(&record_digest(owner_uin, &record)))
}

/// A census that changes with an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    owner_uin: u64,
    census: Census,
}

impl Counted {
    /// The census of an account as it is: the one in its head, or, when it has none yet, counted
    /// now.
    #[must_use]
    pub fn of(owner_uin: u64, state: &AccountState) -> Self {
        let known = state.account.as_ref().and_then(|account| account.census);
        let census = known.unwrap_or_else(|| census_of_state(owner_uin, state));
        Self { owner_uin, census }
    }

    /// The census after changes of the account, which `state` holds as it was before them.
    #[must_use]
    pub fn after<'a>(
        self,
        state: &AccountState,
        changes: impl IntoIterator<Item = &'a Change>,
    ) -> Census {
        let mut census = self.census;
        for change in changes {
            if !has_part(change.key()) {
                continue;
            }
            if let Some(before) = state.record(change.key()) {
                census = census.without(&record_digest(self.owner_uin, &before));
            }
            if let Change::Put(record) = change {
                census = census.with(&record_digest(self.owner_uin, record));
            }
        }
        census
    }
}

/// Records that are not those that were counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CensusFault {
    /// What was counted.
    pub expected: Census,
    /// What is there.
    pub found: Census,
}

impl fmt::Display for CensusFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (expected, found) = (self.expected.records, self.found.records);
        if expected == found {
            return write!(f, "one of its {found} records was altered or exchanged");
        }
        write!(f, "it counts {expected} records, and there are {found}")
    }
}

/// That the records of an account are those that its head counts. `state` is what was read from
/// `entries`.
///
/// # Errors
/// [`CensusFault`]. An account that was never counted has none.
pub fn check_account(
    owner_uin: u64,
    state: &AccountState,
    entries: &[Entry],
) -> Result<(), CensusFault> {
    let Some(expected) = state.account.as_ref().and_then(|account| account.census) else {
        return Ok(());
    };
    let head = key::head_key(owner_uin);
    let others = entries.iter().filter(|entry| entry.key != head);
    let found = count(others.map(|entry| (entry.key.as_slice(), entry.value.as_slice())));
    // Other bytes of the same meaning are as good.
    if found == expected || census_of_state(owner_uin, state) == expected {
        return Ok(());
    }
    Err(CensusFault { expected, found })
}
