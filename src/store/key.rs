//! Keys of the stored records.
//!
//! ```text
//! a/<owner>/h                    account head          u/<uin>        index: uin → accounts
//! a/<owner>/s/<uin>              sub-account           x/<sdkappid>   index: app → owner
//! a/<owner>/g/<group>            group                 o/<name>       operator's preset
//! a/<owner>/p/<policy>           custom policy         o!             digest of operator's files
//! a/<owner>/v/<policy>/<version> policy version        n/uin          the uin to allot next
//! a/<owner>/x/<sdkappid>         app                   n/store-id     the store's id
//! a/<owner>/r/<role>             role                  n/keyring      the wrapped data key
//! a/<owner>/k/<secret id>        access key            n/import       an import that has not ended
//! k/<secret id>                  index: key → owner    t/<secret id>  last use of a key
//! c/<owner>/<sequence>           entry of change log   i/<owner>/<id> request that was done
//! l/<name>                       service caller            l!   head of what the operator has
//! u/<uin but two digits>!        census of a shelf of uins; x/…! the same of apps
//! ```
//!
//! Numbers are 20 decimal digits, so that keys sort as numbers do and people can read them. A key
//! that this file did not make is not read.

use crate::directory::{GlobalKey, GroupId, PolicyId, RecordKey, RoleId, SecretId, VersionNumber};

/// Decimal digits of the largest `u64`.
const DIGITS: usize = 20;

/// Most records on a shelf of a global index, and the digits that they have in common.
const SHELF_SIZE: u64 = 100;
const SHELF_DIGITS: usize = DIGITS - 2;

/// The key of the digest of the operator's files.
pub const OPERATOR_DIGEST: &[u8] = b"o!";
/// The prefix of the operator's presets.
pub const OPERATOR_PRESETS: &[u8] = b"o/";
/// The key of the counter that uins are allotted from.
pub const NEXT_UIN: &[u8] = b"n/uin";
/// The key of the store's id.
pub const STORE_ID: &[u8] = b"n/store-id";
/// The key of the wrapped data key.
pub const KEYRING: &[u8] = b"n/keyring";
/// The prefix of all service callers.
pub const CALLERS: &[u8] = b"l/";
/// The key of the head of what the operator has: service callers, and the operator's change log,
/// which stands where that of account [`OPERATOR`] would.
pub const OPERATOR_HEAD: &[u8] = b"l!";
/// The account that is none: of what the operator has.
pub const OPERATOR: u64 = 0;
/// The key of an import that has not ended.
pub const IMPORT: &[u8] = b"n/import";
/// The prefix of all accounts' records.
pub const ACCOUNTS: &[u8] = b"a/";

/// What a key names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredKey {
    /// A record of an account.
    Account {
        /// The root's uin.
        owner_uin: u64,
        /// Which record; never a global one.
        record: RecordKey,
    },
    /// A record of a global index.
    Global(GlobalKey),
    /// The census of a shelf of a global index, by what the keys on it begin with.
    IndexCensus(Vec<u8>),
    /// One of the operator's presets, by name.
    OperatorPreset(String),
    /// The digest of the operator's files.
    OperatorDigest,
    /// The head of what the operator has.
    OperatorHead,
    /// The counter that uins are allotted from.
    NextUin,
    /// The store's id.
    StoreId,
    /// The wrapped data key.
    Keyring,
    /// An import that has not ended.
    Import,
    /// A service caller, by name.
    Caller(String),
    /// When an access key was last used.
    KeyUse(SecretId),
    /// A request that was done.
    DoneRequest {
        /// The root's uin.
        owner_uin: u64,
        /// The caller's request id.
        request_id: String,
    },
    /// An entry of an account's change log.
    ChangeEntry {
        /// The root's uin.
        owner_uin: u64,
        /// The entry's number.
        sequence: u64,
    },
}

/// The prefix of all records of one account.
#[must_use]
pub fn account_prefix(owner_uin: u64) -> Vec<u8> {
    format!("a/{owner_uin:020}/").into_bytes()
}

/// The key of a record, of this account or global.
#[must_use]
pub fn record_key(owner_uin: u64, key: RecordKey) -> Vec<u8> {
    let within = match key {
        RecordKey::Account => "h".to_owned(),
        RecordKey::SubAccount(uin) => format!("s/{uin:020}"),
        RecordKey::Group(id) => format!("g/{:020}", id.0),
        RecordKey::Policy(id) => format!("p/{:020}", id.0),
        RecordKey::Version(id, number) => format!("v/{:020}/{:020}", id.0, number.0),
        RecordKey::App(sdkappid) => format!("x/{sdkappid:020}"),
        RecordKey::Role(id) => format!("r/{:020}", id.0),
        RecordKey::AccessKey(secret_id) => format!("k/{secret_id}"),
        RecordKey::Global(key) => return global_key(key),
    };
    let mut bytes = account_prefix(owner_uin);
    bytes.extend_from_slice(within.as_bytes());
    bytes
}

/// The key of an account's head: the record that every commit of the account must find as it was.
#[must_use]
pub fn head_key(owner_uin: u64) -> Vec<u8> {
    record_key(owner_uin, RecordKey::Account)
}

/// The key of a record of a global index.
#[must_use]
pub fn global_key(key: GlobalKey) -> Vec<u8> {
    match key {
        GlobalKey::Uin(uin) => format!("u/{uin:020}").into_bytes(),
        GlobalKey::App(sdkappid) => format!("x/{sdkappid:020}").into_bytes(),
        GlobalKey::Secret(secret_id) => format!("k/{secret_id}").into_bytes(),
    }
}

/// What the keys of a shelf of a global index begin with: of the record under this key, and of its
/// neighbours. None for an index without shelves: from access keys nobody gets a right whose record
/// is missing or altered.
#[must_use]
pub fn shelf_prefix(key: GlobalKey) -> Option<Vec<u8>> {
    let (kind, number) = match key {
        GlobalKey::Uin(uin) => ("u", uin),
        GlobalKey::App(sdkappid) => ("x", sdkappid),
        GlobalKey::Secret(_) => return None,
    };
    Some(format!("{kind}/{:0width$}", number / SHELF_SIZE, width = SHELF_DIGITS).into_bytes())
}

/// The key of the census of a shelf; it comes before the records on it.
#[must_use]
pub fn index_census_key(shelf: &[u8]) -> Vec<u8> {
    [shelf, b"!"].concat()
}

/// The key of one of the operator's presets.
#[must_use]
pub fn operator_preset_key(name: &str) -> Vec<u8> {
    format!("o/{name}").into_bytes()
}

/// The key of a service caller.
#[must_use]
pub fn caller_key(name: &str) -> Vec<u8> {
    format!("l/{name}").into_bytes()
}

/// The key of the last use of an access key.
#[must_use]
pub fn key_use_key(secret_id: SecretId) -> Vec<u8> {
    format!("t/{secret_id}").into_bytes()
}

/// The key of a request that was done. The caller limits the length of the request id.
#[must_use]
pub fn done_request_key(owner_uin: u64, request_id: &str) -> Vec<u8> {
    format!("i/{owner_uin:020}/{request_id}").into_bytes()
}

/// The key of an entry of an account's change log.
#[must_use]
pub fn change_entry_key(owner_uin: u64, sequence: u64) -> Vec<u8> {
    format!("c/{owner_uin:020}/{sequence:020}").into_bytes()
}

/// The account that a key belongs to, cheaply; none for keys outside of accounts.
#[must_use]
pub fn owner_of(key: &[u8]) -> Option<u64> {
    number(key.strip_prefix(ACCOUNTS)?.get(..DIGITS)?)
}

/// What a key names; none when it is not a key of ours.
#[must_use]
pub fn parse(key: &[u8]) -> Option<StoredKey> {
    let text = std::str::from_utf8(key).ok()?;
    if key == OPERATOR_DIGEST {
        return Some(StoredKey::OperatorDigest);
    }
    if key == OPERATOR_HEAD {
        return Some(StoredKey::OperatorHead);
    }
    if key == NEXT_UIN {
        return Some(StoredKey::NextUin);
    }
    if key == STORE_ID {
        return Some(StoredKey::StoreId);
    }
    if key == KEYRING {
        return Some(StoredKey::Keyring);
    }
    if key == IMPORT {
        return Some(StoredKey::Import);
    }
    let (kind, rest) = text.split_once('/')?;
    if let ("u" | "x", Some(digits)) = (kind, rest.strip_suffix('!')) {
        number_of(digits.as_bytes(), SHELF_DIGITS)?;
        return Some(StoredKey::IndexCensus(key.strip_suffix(b"!")?.to_vec()));
    }
    match kind {
        "a" => {
            let (owner, within) = rest.split_once('/')?;
            let record = account_record(within)?;
            Some(StoredKey::Account { owner_uin: number(owner.as_bytes())?, record })
        }
        "u" => Some(StoredKey::Global(GlobalKey::Uin(number(rest.as_bytes())?))),
        "x" => Some(StoredKey::Global(GlobalKey::App(number(rest.as_bytes())?))),
        "k" => Some(StoredKey::Global(GlobalKey::Secret(SecretId::parse(rest)?))),
        "t" => Some(StoredKey::KeyUse(SecretId::parse(rest)?)),
        "o" => Some(StoredKey::OperatorPreset(rest.to_owned())),
        "l" => Some(StoredKey::Caller(rest.to_owned())),
        "i" => {
            let (owner, request_id) = rest.split_once('/')?;
            let request_id = request_id.to_owned();
            Some(StoredKey::DoneRequest { owner_uin: number(owner.as_bytes())?, request_id })
        }
        "c" => {
            let (owner, sequence) = rest.split_once('/')?;
            let sequence = number(sequence.as_bytes())?;
            Some(StoredKey::ChangeEntry { owner_uin: number(owner.as_bytes())?, sequence })
        }
        _ => None,
    }
}

fn account_record(within: &str) -> Option<RecordKey> {
    if within == "h" {
        return Some(RecordKey::Account);
    }
    let (kind, id) = within.split_once('/')?;
    if kind == "v" {
        let (policy, version) = id.split_once('/')?;
        let policy = PolicyId(number(policy.as_bytes())?);
        let version = u32::try_from(number(version.as_bytes())?).ok()?;
        return Some(RecordKey::Version(policy, VersionNumber(version)));
    }
    if kind == "k" {
        return Some(RecordKey::AccessKey(SecretId::parse(id)?));
    }
    let id = number(id.as_bytes())?;
    match kind {
        "s" => Some(RecordKey::SubAccount(id)),
        "g" => Some(RecordKey::Group(GroupId(id))),
        "p" => Some(RecordKey::Policy(PolicyId(id))),
        "x" => Some(RecordKey::App(id)),
        "r" => Some(RecordKey::Role(RoleId(id))),
        _ => None,
    }
}

/// A number of exactly 20 digits.
fn number(digits: &[u8]) -> Option<u64> {
    number_of(digits, DIGITS)
}

fn number_of(digits: &[u8], count: usize) -> Option<u64> {
    if digits.len() != count || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}
