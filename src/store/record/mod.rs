//! Stored records: the only border of domain values and stored bytes.
//!
//! Every record is a protobuf message with a format version. Bytes that cannot be read, of a format
//! that is not known, or under a key that says something else are an error naming the key; they are
//! never skipped. What a policy's text means is not checked here: a text that the language refuses
//! is loaded as unreadable, and denies (rule D-05).

mod caller;
mod census;
mod change_entry;
mod decode;
mod encode;

use std::fmt;

use super::commit::Mutation;
use super::contract::Entry;
use super::key::{self, StoredKey};
use crate::audit::ChangeEntry;
use crate::directory::service_caller::ServiceCaller;
use crate::directory::{
    AccountState, Census, Change, ChangeHead, OperatorPreset, Record, SecretId, UnixMillis,
};

pub use caller::encode_caller;
pub use census::{CensusFault, Counted, census_of_state, check_account, count, is_counted};
pub use change_entry::{change_entry_place, encode_change_entry};
pub use encode::{
    encode, encode_done_request, encode_for_log, encode_import, encode_index_census,
    encode_key_use, encode_keyring, encode_next_uin, encode_operator_digest, encode_operator_head,
    encode_operator_preset, encode_store_id,
};

/// The version of every record's format that this program writes.
pub(crate) const FORMAT: u32 = 3;
/// The oldest version that it reads.
pub(super) const FORMAT_MIN: u32 = 1;
/// The first version in which heads are sealed and records are counted.
const FORMAT_SEALED: u32 = 3;
/// Bytes of the digest of a request.
pub const REQUEST_DIGEST_BYTES: usize = 32;

/// A write that was done, as its caller may ask again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoneRequest {
    /// The SHA-256 of what was asked for.
    pub request_digest: [u8; REQUEST_DIGEST_BYTES],
    /// When it was done.
    pub done_at: UnixMillis,
    /// The answer it got, in the caller's own encoding; without the revision, which is the
    /// record's.
    pub answer: Vec<u8>,
}

/// When an access key was last used. Written now and then, so it may be a little behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUse {
    /// The key.
    pub secret_id: SecretId,
    /// When.
    pub last_used_at: UnixMillis,
}

/// The operator's files that the presets were made from, and which presets there are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OperatorDigest {
    /// The digest of the files.
    pub digest: String,
    /// Of the presets; none while they were recorded by a version that did not count them.
    pub census: Option<Census>,
}

/// The head of what the operator has and no account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OperatorHead {
    /// Where the operator's change log ends.
    pub change_head: ChangeHead,
    /// Of the service callers.
    pub census: Census,
}

/// What stands under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// A record of an account.
    Account {
        /// The root's uin.
        owner_uin: u64,
        /// The record; never a global one.
        record: Record,
    },
    /// A record of a global index.
    Global(Record),
    /// One of the operator's presets.
    OperatorPreset(OperatorPreset),
    /// The digest of the operator's files.
    OperatorDigest(OperatorDigest),
    /// The head of what the operator has.
    OperatorHead(OperatorHead),
    /// The census of a shelf of a global index.
    IndexCensus(Census),
    /// The uin to allot next.
    NextUin(u64),
    /// The store's id.
    StoreId(String),
    /// The wrapped data key, in the vault's own encoding.
    Keyring(Vec<u8>),
    /// An import that has not ended: the digest of its archive.
    Import(Vec<u8>),
    /// A service caller.
    Caller(Box<ServiceCaller>),
    /// When an access key was last used.
    KeyUse(KeyUse),
    /// A request that was done.
    DoneRequest(DoneRequest),
    /// An entry of an account's change log.
    ChangeEntry(Box<ChangeEntry>),
}

/// Why stored bytes cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the record `{}` cannot be read: {problem}", String::from_utf8_lossy(.key).escape_debug())]
pub struct RecordError {
    /// The record's key.
    pub key: Vec<u8>,
    /// What is wrong with it.
    pub problem: RecordProblem,
}

/// What is wrong with a stored record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordProblem {
    /// The key is none of ours.
    UnknownKey,
    /// The value is not a protobuf message of the right type.
    NotAMessage(String),
    /// The record has a format that this program does not know.
    UnknownFormat(u32),
    /// A field of the record differs from what its key says.
    OtherThanKey(&'static str),
    /// A field holds a value that has no meaning.
    BadField(&'static str),
    /// Its own digest is of other bytes.
    Altered,
}

impl fmt::Display for RecordProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey => f.write_str("its key is none that this program writes"),
            Self::NotAMessage(why) => write!(f, "its bytes are damaged: {why}"),
            Self::UnknownFormat(found) => {
                write!(f, "it has format {found}, this program reads {FORMAT_MIN} to {FORMAT}")
            }
            Self::OtherThanKey(field) => write!(f, "its field `{field}` contradicts its key"),
            Self::Altered => f.write_str("it was altered: the digest in it is not its own"),
            Self::BadField(field) => write!(f, "its field `{field}` has a value without meaning"),
        }
    }
}

/// Reads what stands under a key.
///
/// # Errors
/// [`RecordError`] naming the key.
pub fn decode(key: &[u8], value: &[u8]) -> Result<Stored, RecordError> {
    let error = |problem| RecordError { key: key.to_vec(), problem };
    let stored_key = key::parse(key).ok_or_else(|| error(RecordProblem::UnknownKey))?;
    decode::decode(stored_key, value).map_err(error)
}

/// The account whose records these are: all entries under its prefix.
///
/// # Errors
/// [`RecordError`] for the first entry that cannot be read, or that belongs to something else.
pub fn load_account(owner_uin: u64, entries: &[Entry]) -> Result<AccountState, RecordError> {
    let mut state = AccountState::default();
    for Entry { key, value, .. } in entries {
        match decode(key, value)? {
            Stored::Account { owner_uin: owner, record } if owner == owner_uin => {
                state.apply(&Change::Put(record));
            }
            Stored::Account { .. }
            | Stored::Global(_)
            | Stored::OperatorPreset(_)
            | Stored::OperatorDigest(_)
            | Stored::OperatorHead(_)
            | Stored::IndexCensus(_)
            | Stored::NextUin(_)
            | Stored::StoreId(_)
            | Stored::Keyring(_)
            | Stored::Import(_)
            | Stored::Caller(_)
            | Stored::KeyUse(_)
            | Stored::DoneRequest(_)
            | Stored::ChangeEntry(_) => {
                let problem = RecordProblem::OtherThanKey("owner_uin");
                return Err(RecordError { key: key.clone(), problem });
            }
        }
    }
    state.compact();
    Ok(state)
}

/// The mutation that makes a change of an account true.
#[must_use]
pub fn mutation(owner_uin: u64, change: &Change) -> Mutation {
    let key = key::record_key(owner_uin, change.key());
    match change {
        Change::Put(record) => Mutation::Put { key, value: encode(record) },
        Change::Delete(_) => Mutation::Delete { key },
    }
}

/// The change of an account that a mutation made; none when it is about something else.
///
/// # Errors
/// [`RecordError`] when the record put cannot be read.
pub fn change(mutation: &Mutation) -> Result<Option<(u64, Change)>, RecordError> {
    match mutation {
        Mutation::Put { key, value } => match decode(key, value)? {
            Stored::Account { owner_uin, record } => Ok(Some((owner_uin, Change::Put(record)))),
            Stored::Global(_)
            | Stored::OperatorPreset(_)
            | Stored::OperatorDigest(_)
            | Stored::OperatorHead(_)
            | Stored::IndexCensus(_)
            | Stored::NextUin(_)
            | Stored::StoreId(_)
            | Stored::Keyring(_)
            | Stored::Import(_)
            | Stored::Caller(_)
            | Stored::KeyUse(_)
            | Stored::DoneRequest(_)
            | Stored::ChangeEntry(_) => Ok(None),
        },
        Mutation::Delete { key } => Ok(match key::parse(key) {
            Some(StoredKey::Account { owner_uin, record }) => {
                Some((owner_uin, Change::Delete(record)))
            }
            Some(
                StoredKey::Global(_)
                | StoredKey::OperatorPreset(_)
                | StoredKey::OperatorDigest
                | StoredKey::OperatorHead
                | StoredKey::IndexCensus(_)
                | StoredKey::NextUin
                | StoredKey::StoreId
                | StoredKey::Keyring
                | StoredKey::Import
                | StoredKey::Caller(_)
                | StoredKey::KeyUse(_)
                | StoredKey::DoneRequest { .. }
                | StoredKey::ChangeEntry { .. },
            ) => None,
            None => {
                let problem = RecordProblem::UnknownKey;
                return Err(RecordError { key: key.clone(), problem });
            }
        }),
    }
}
