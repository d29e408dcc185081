//! The node's border with the stored records: which key is whose, and what it holds.
//!
//! The bytes are `store::record`'s; no file of the node but this one and `requests` looks into
//! them. A record that cannot be read is an error naming its key, never skipped.

use std::collections::BTreeMap;

use super::error::NodeError;
use super::presets::Recorded;
use crate::audit::ChangeEntry;
use crate::directory::service_caller::ServiceCaller;
use crate::directory::{
    Account, AccountState, AppEntry, Census, Change, GlobalKey, OperatorPreset, Record, RecordKey,
    SecretEntry, UinEntry,
};
use crate::store::key::{self, StoredKey};
use crate::store::record::{
    self, CensusFault, Counted, DoneRequest, KeyUse, OperatorDigest, OperatorHead, RecordError,
    Stored,
};
use crate::store::{Entry, Mutation, Revision};

/// The first uin that is allotted; twelve digits, like the manual's examples.
pub(super) const FIRST_ALLOTTED_UIN: u64 = 100_000_000_001;

pub(super) use key::{
    OPERATOR, account_prefix, change_entry_key, done_request_key as request_key, global_key,
    head_key, index_census_key, key_use_key, record_key as key_of, shelf_prefix,
};
pub(super) use record::{
    encode, encode_caller, encode_change_entry, encode_for_log, encode_index_census,
    encode_key_use, encode_keyring, encode_next_uin, encode_operator_head, encode_store_id,
    mutation,
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
        Some(StoredKey::Caller(_) | StoredKey::OperatorHead) => Place::Callers,
        Some(
            StoredKey::NextUin
            | StoredKey::StoreId
            | StoredKey::Keyring
            | StoredKey::Import
            | StoredKey::KeyUse(_)
            | StoredKey::DoneRequest { .. }
            | StoredKey::IndexCensus(_)
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
        | StoredKey::OperatorHead
        | StoredKey::IndexCensus(_)
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

/// The prefix of service callers and of the operator's head.
pub(super) fn operator_prefix() -> Vec<u8> {
    b"l".to_vec()
}

pub(super) fn operator_head_key() -> Vec<u8> {
    key::OPERATOR_HEAD.to_vec()
}

/// A key for a message.
pub(super) fn text(key: &[u8]) -> String {
    String::from_utf8_lossy(key).escape_debug().to_string()
}

pub(super) fn decode_operator_head(entry: &Entry) -> Result<OperatorHead, NodeError> {
    let Stored::OperatorHead(head) = record::decode(&entry.key, &entry.value)? else {
        return Err(unexpected(entry));
    };
    Ok(head)
}

/// Whether a record was written by a version that counts records.
pub(super) fn is_counted(entry: &Entry) -> bool {
    record::is_counted(&entry.value)
}

/// The census of these records.
pub(super) fn census_of(entries: &[Entry]) -> Census {
    record::count(entries.iter().map(|entry| (entry.key.as_slice(), entry.value.as_slice())))
}

/// The census of these records, by key.
pub(super) fn count(found: &BTreeMap<Vec<u8>, Vec<u8>>) -> Census {
    record::count(found.iter().map(|(key, value)| (key.as_slice(), value.as_slice())))
}

fn check_census(head: &[u8], expected: &Census, entries: &[Entry]) -> Result<(), NodeError> {
    let found = census_of(entries);
    if found == *expected {
        return Ok(());
    }
    let fault = CensusFault { expected: *expected, found };
    Err(NodeError::Record { key: text(head), problem: fault.to_string() })
}

/// A shelf of a global index: its census with the revision of its record, and its records.
pub(super) struct Shelf {
    pub(super) census: Option<(Census, Revision)>,
    pub(super) entries: Vec<Entry>,
}

/// The shelf that these entries are, if it has the records that were counted. One that no version
/// has written that counts is taken as it is.
pub(super) fn decode_shelf(prefix: &[u8], entries: Vec<Entry>) -> Result<Shelf, NodeError> {
    let census_key = key::index_census_key(prefix);
    let (census, entries): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|entry| entry.key == census_key);
    let Some(found) = census.first() else { return Ok(Shelf { census: None, entries }) };
    let Stored::IndexCensus(census) = record::decode(&found.key, &found.value)? else {
        return Err(unexpected(found));
    };
    check_census(&census_key, &census, &entries)?;
    Ok(Shelf { census: Some((census, found.revision)), entries })
}

/// Whether a key is that of the census of a shelf.
pub(super) fn is_index_census(stored: &[u8]) -> bool {
    matches!(key::parse(stored), Some(StoredKey::IndexCensus(_)))
}

/// That the service callers are those that the operator's head counts.
pub(super) fn check_callers(expected: &Census, callers: &[Entry]) -> Result<(), NodeError> {
    check_census(key::OPERATOR_HEAD, expected, callers)
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

pub(super) fn encode_digest(digest: &str, census: Census) -> Vec<u8> {
    let digest = OperatorDigest { digest: digest.to_owned(), census: Some(census) };
    record::encode_operator_digest(&digest)
}

fn unexpected(entry: &Entry) -> NodeError {
    NodeError::Record {
        key: text(&entry.key),
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
    let mut census = None;
    for entry in entries {
        match record::decode(&entry.key, &entry.value)? {
            Stored::OperatorPreset(preset) => {
                recorded.presets.push(preset);
                recorded.entries.push(entry.clone());
            }
            Stored::OperatorDigest(found) => {
                recorded.digest = Some(found.digest);
                recorded.digest_entry = Some(entry.clone());
                census = found.census;
            }
            Stored::Account { .. }
            | Stored::Global(_)
            | Stored::NextUin(_)
            | Stored::StoreId(_)
            | Stored::Keyring(_)
            | Stored::Import(_)
            | Stored::Caller(_)
            | Stored::OperatorHead(_)
            | Stored::IndexCensus(_)
            | Stored::KeyUse(_)
            | Stored::DoneRequest(_)
            | Stored::ChangeEntry(_) => return Err(unexpected(entry)),
        }
    }
    if let Some(census) = census {
        check_census(key::OPERATOR_DIGEST, &census, &recorded.entries)?;
    } else if let Some(counted) = recorded.entries.iter().find(|entry| is_counted(entry)) {
        let problem = "the record that counts the operator's presets is missing".to_owned();
        return Err(NodeError::Record { key: text(&counted.key), problem });
    }
    Ok(recorded)
}

/// An account as it was read.
pub(super) struct ReadAccount {
    pub(super) state: AccountState,
    /// The revision of its head record.
    pub(super) last_change: Revision,
    /// Its records are not those that its head counts: it must not be answered from.
    pub(super) damage: Option<CensusFault>,
}

/// An account; none when it does not exist.
pub(super) fn decode_account(
    owner_uin: u64,
    entries: &[Entry],
) -> Result<Option<ReadAccount>, NodeError> {
    let head = key::head_key(owner_uin);
    let Some(head) = entries.iter().find(|entry| entry.key == head) else {
        return match entries.first() {
            None => Ok(None),
            // Records without a head: half an account is none.
            Some(first) => Err(NodeError::Record {
                key: text(&first.key),
                problem: "its account has no head record".to_owned(),
            }),
        };
    };
    let last_change = head.revision;
    let state = record::load_account(owner_uin, entries)?;
    let damage = record::check_account(owner_uin, &state, entries).err();
    Ok(Some(ReadAccount { state, last_change, damage }))
}

/// Makes the mutations of one commit true in an account's state; which records changed.
pub(super) fn apply_all(
    owner_uin: u64,
    state: &mut AccountState,
    mutations: &[&Mutation],
) -> Result<Vec<RecordKey>, NodeError> {
    let mut changes = Vec::with_capacity(mutations.len());
    for mutation in mutations {
        let change: Option<(u64, Change)> = record::change(mutation)?;
        if let Some((owner, change)) = change
            && owner == owner_uin
        {
            changes.push(change);
        }
    }
    let (was_counted, expected) = {
        let is_counted = state.account.as_ref().is_some_and(|account| account.census.is_some());
        (is_counted, Counted::of(owner_uin, state).after(state, &changes))
    };
    changes.iter().for_each(|change| state.apply(change));
    let counted = state.account.as_ref().map(|account| account.census);
    match counted {
        Some(Some(census)) if census != expected => {
            let fault = CensusFault { expected: census, found: expected };
            let names = mutations.iter().map(|it| text(it.key())).collect();
            return Err(NodeError::Damaged { owner_uin, fault, names });
        }
        Some(None) if was_counted => {
            let problem = "it no longer counts the account's records".to_owned();
            return Err(NodeError::Record { key: text(&key::head_key(owner_uin)), problem });
        }
        Some(_) | None => {}
    }
    Ok(changes.iter().map(Change::key).collect())
}

impl From<RecordError> for NodeError {
    fn from(error: RecordError) -> Self {
        Self::Record { key: text(&error.key), problem: error.problem.to_string() }
    }
}
