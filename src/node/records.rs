//! The node's border with the stored records: which key is whose, and what it holds.
//!
//! The bytes are `store::record`'s; no file of the node but this one and `requests` looks into
//! them. A record that cannot be read is an error naming its key, never skipped.

use super::error::NodeError;
use super::presets::Recorded;
use crate::audit::ChangeEntry;
use crate::directory::service_caller::ServiceCaller;
use crate::directory::{
    Account, AccountState, AppEntry, Change, GlobalKey, OperatorPreset, Record, RecordKey,
    SecretEntry, UinEntry,
};
use crate::store::key::{self, StoredKey};
use crate::store::record::{self, DoneRequest, KeyUse, RecordError, Stored};
use crate::store::{Entry, Mutation, Revision};

/// The first uin that is allotted; twelve digits, like the manual's examples.
pub(super) const FIRST_ALLOTTED_UIN: u64 = 100_000_000_001;

pub(super) use key::{
    account_prefix, change_entry_key, done_request_key as request_key, global_key, head_key,
    key_use_key, record_key as key_of,
};
pub(super) use record::{
    encode, encode_caller, encode_change_entry, encode_for_log, encode_key_use, encode_keyring,
    encode_next_uin, encode_store_id, mutation,
};

/// Whose a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A record of an account.
    Account(u64),
    /// A record of a global index.
    Global(GlobalKey),
    /// The operator's presets.
    Presets,
    /// Service callers.
    Callers,
    /// Nothing that readers depend on.
    Other,
}

/// Whose a key is.
pub(super) fn place(stored: &[u8]) -> Place {
    if let Some(owner_uin) = key::owner_of(stored) {
        return Place::Account(owner_uin);
    }
    match key::parse(stored) {
        Some(StoredKey::Account { owner_uin, .. }) => Place::Account(owner_uin),
        Some(StoredKey::Global(key)) => Place::Global(key),
        Some(StoredKey::OperatorPreset(_) | StoredKey::OperatorDigest) => Place::Presets,
        Some(StoredKey::Caller(_)) => Place::Callers,
        Some(
            StoredKey::NextUin
            | StoredKey::StoreId
            | StoredKey::Keyring
            | StoredKey::Import
            | StoredKey::KeyUse(_)
            | StoredKey::DoneRequest { .. }
            | StoredKey::ChangeEntry { .. },
        )
        | None => Place::Other,
    }
}

/// Which record of its account a key is.
pub(super) fn record_key(stored: &[u8]) -> Option<RecordKey> {
    match key::parse(stored)? {
        StoredKey::Account { record, .. } => Some(record),
        StoredKey::Global(_)
        | StoredKey::OperatorPreset(_)
        | StoredKey::OperatorDigest
        | StoredKey::NextUin
        | StoredKey::StoreId
        | StoredKey::Keyring
        | StoredKey::Import
        | StoredKey::Caller(_)
        | StoredKey::KeyUse(_)
        | StoredKey::DoneRequest { .. }
        | StoredKey::ChangeEntry { .. } => None,
    }
}

pub(super) fn store_id_key() -> Vec<u8> {
    key::STORE_ID.to_vec()
}

pub(super) fn callers_prefix() -> Vec<u8> {
    key::CALLERS.to_vec()
}

pub(super) fn caller_key(name: &str) -> Vec<u8> {
    key::caller_key(name)
}

pub(super) fn decode_caller(entry: &Entry) -> Result<ServiceCaller, NodeError> {
    let Stored::Caller(caller) = record::decode(&entry.key, &entry.value)? else {
        return Err(unexpected(entry));
    };
    Ok(*caller)
}

pub(super) fn import_key() -> Vec<u8> {
    key::IMPORT.to_vec()
}

pub(super) fn keyring_key() -> Vec<u8> {
    key::KEYRING.to_vec()
}

pub(super) fn next_uin_key() -> Vec<u8> {
    key::NEXT_UIN.to_vec()
}

pub(super) fn uins_prefix() -> Vec<u8> {
    b"u/".to_vec()
}

pub(super) fn accounts_prefix() -> Vec<u8> {
    key::ACCOUNTS.to_vec()
}

/// The prefix of the presets and of their digest.
pub(super) fn presets_prefix() -> Vec<u8> {
    b"o".to_vec()
}

pub(super) fn presets_digest_key() -> Vec<u8> {
    key::OPERATOR_DIGEST.to_vec()
}

/// The prefix of the idempotent requests of an account.
pub(super) fn requests_prefix(owner_uin: u64) -> Vec<u8> {
    key::done_request_key(owner_uin, "")
}

pub(super) fn encode_preset(preset: &OperatorPreset) -> (Vec<u8>, Vec<u8>) {
    (key::operator_preset_key(&preset.name), record::encode_operator_preset(preset))
}

pub(super) fn encode_digest(digest: &str) -> Vec<u8> {
    record::encode_operator_digest(digest)
}

fn unexpected(entry: &Entry) -> NodeError {
    NodeError::Record {
        key: String::from_utf8_lossy(&entry.key).escape_debug().to_string(),
        problem: "it holds another kind of record than its key says".to_owned(),
    }
}

pub(super) fn decode_uin(entry: &Entry) -> Result<UinEntry, NodeError> {
    let Stored::Global(Record::UinEntry(found)) = record::decode(&entry.key, &entry.value)? else {
        return Err(unexpected(entry));
    };
    Ok((*found).clone())
}

pub(super) fn decode_app(entry: &Entry) -> Result<AppEntry, NodeError> {
    let Stored::Global(Record::AppEntry(found)) = record::decode(&entry.key, &entry.value)? else {
        return Err(unexpected(entry));
    };
    Ok(found)
}

pub(super) fn decode_secret(entry: &Entry) -> Result<SecretEntry, NodeError> {
    let Stored::Global(Record::SecretEntry(found)) = record::decode(&entry.key, &entry.value)?
    else {
        return Err(unexpected(entry));
    };
    Ok(found)
}

pub(super) fn decode_head(entry: &Entry) -> Result<Account, NodeError> {
    let Stored::Account { record: Record::Account(account), .. } =
        record::decode(&entry.key, &entry.value)?
    else {
        return Err(unexpected(entry));
    };
    Ok((*account).clone())
}

pub(super) fn decode_next_uin(entry: &Entry) -> Result<u64, NodeError> {
    let Stored::NextUin(next) = record::decode(&entry.key, &entry.value)? else {
        return Err(unexpected(entry));
    };
    Ok(next)
}

pub(super) fn decode_keyring(entry: &Entry) -> Result<Vec<u8>, NodeError> {
    let Stored::Keyring(content) = record::decode(&entry.key, &entry.value)? else {
        return Err(unexpected(entry));
    };
    Ok(content)
}

pub(super) fn decode_key_use(entry: &Entry) -> Result<KeyUse, NodeError> {
    let Stored::KeyUse(found) = record::decode(&entry.key, &entry.value)? else {
        return Err(unexpected(entry));
    };
    Ok(found)
}

pub(super) fn decode_store_id(entry: &Entry) -> Result<String, NodeError> {
    let Stored::StoreId(id) = record::decode(&entry.key, &entry.value)? else {
        return Err(unexpected(entry));
    };
    Ok(id)
}

pub(super) fn decode_done_request(entry: &Entry) -> Result<DoneRequest, NodeError> {
    let Stored::DoneRequest(done) = record::decode(&entry.key, &entry.value)? else {
        return Err(unexpected(entry));
    };
    Ok(done)
}

pub(super) fn is_change_entry(stored: &[u8]) -> bool {
    matches!(key::parse(stored), Some(StoredKey::ChangeEntry { .. }))
}

pub(super) fn decode_change_entry(entry: &Entry) -> Result<ChangeEntry, NodeError> {
    let Stored::ChangeEntry(found) = record::decode(&entry.key, &entry.value)? else {
        return Err(unexpected(entry));
    };
    Ok(*found)
}

/// The presets' records: all entries under [`presets_prefix`].
pub(super) fn decode_presets(entries: &[Entry]) -> Result<Recorded, NodeError> {
    let mut recorded = Recorded::default();
    for entry in entries {
        match record::decode(&entry.key, &entry.value)? {
            Stored::OperatorPreset(preset) => recorded.presets.push(preset),
            Stored::OperatorDigest(digest) => {
                recorded.digest = Some(digest);
                recorded.digest_entry = Some(entry.clone());
            }
            Stored::Account { .. }
            | Stored::Global(_)
            | Stored::NextUin(_)
            | Stored::StoreId(_)
            | Stored::Keyring(_)
            | Stored::Import(_)
            | Stored::Caller(_)
            | Stored::KeyUse(_)
            | Stored::DoneRequest(_)
            | Stored::ChangeEntry(_) => return Err(unexpected(entry)),
        }
    }
    Ok(recorded)
}

/// An account with the revision of its head record; none when it does not exist.
pub(super) fn decode_account(
    owner_uin: u64,
    entries: &[Entry],
) -> Result<Option<(AccountState, Revision)>, NodeError> {
    let head = key::head_key(owner_uin);
    let Some(head) = entries.iter().find(|entry| entry.key == head) else {
        return match entries.first() {
            None => Ok(None),
            // Records without a head: half an account is none.
            Some(first) => Err(NodeError::Record {
                key: String::from_utf8_lossy(&first.key).escape_debug().to_string(),
                problem: "its account has no head record".to_owned(),
            }),
        };
    };
    let last_change = head.revision;
    Ok(Some((record::load_account(owner_uin, entries)?, last_change)))
}

/// Makes the mutations of one commit true in an account's state; which records changed.
pub(super) fn apply_all(
    owner_uin: u64,
    state: &mut AccountState,
    mutations: &[&Mutation],
) -> Result<Vec<RecordKey>, NodeError> {
    let mut changed = Vec::with_capacity(mutations.len());
    for mutation in mutations {
        let change: Option<(u64, Change)> = record::change(mutation)?;
        if let Some((owner, change)) = change
            && owner == owner_uin
        {
            state.apply(&change);
            changed.push(change.key());
        }
    }
    Ok(changed)
}

impl From<RecordError> for NodeError {
    fn from(error: RecordError) -> Self {
        Self::Record {
            key: String::from_utf8_lossy(&error.key).escape_debug().to_string(),
            problem: error.problem.to_string(),
        }
    }
}
