//! Changes: what a command wants written. One change is one record put or deleted.
//!
//! Domain values only; `store::record` gives them keys and bytes. A list of changes names no record
//! twice and is sorted by key, so that the same command gives the same list.

use std::sync::Arc;

use super::access_key::{AccessKey, SecretEntry, SecretId};
use super::account::Account;
use super::app::{App, AppEntry};
use super::global::{GlobalKey, UinEntry};
use super::group::Group;
use super::id::{GroupId, PolicyId, RoleId, VersionNumber};
use super::policy::{Policy, PolicyVersion};
use super::role::Role;
use super::state::Slot;
use super::sub_account::SubAccount;

/// One record, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// The head of the account.
    Account(Arc<Account>),
    /// A sub-account.
    SubAccount(Arc<SubAccount>),
    /// A group, or the tombstone of one.
    Group(GroupId, Slot<Group>),
    /// A custom policy, or the tombstone of one.
    Policy(PolicyId, Slot<Policy>),
    /// One version of a custom policy.
    Version(Arc<PolicyVersion>),
    /// An app.
    App(Arc<App>),
    /// A role.
    Role(Arc<Role>),
    /// An access key.
    AccessKey(Arc<AccessKey>),
    /// Global index: who a uin belongs to.
    UinEntry(Arc<UinEntry>),
    /// Global index: who owns an app.
    AppEntry(AppEntry),
    /// Global index: which account an access key belongs to.
    SecretEntry(SecretEntry),
}

/// Which record, within the account; the global ones across accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKey {
    /// The head of the account.
    Account,
    /// A sub-account, by uin.
    SubAccount(u64),
    /// A group.
    Group(GroupId),
    /// A custom policy.
    Policy(PolicyId),
    /// One version of a custom policy.
    Version(PolicyId, VersionNumber),
    /// An app, by SdkAppId.
    App(u64),
    /// A role.
    Role(RoleId),
    /// An access key.
    AccessKey(SecretId),
    /// A record of a global index.
    Global(GlobalKey),
}

impl RecordKey {
    /// Whether it is a record of a global index and not the account's own.
    #[must_use]
    pub fn is_global(self) -> bool {
        matches!(self, Self::Global(_))
    }
}

impl Record {
    /// Which record it is.
    #[must_use]
    pub fn key(&self) -> RecordKey {
        match self {
            Self::Account(_) => RecordKey::Account,
            Self::SubAccount(it) => RecordKey::SubAccount(it.uin),
            Self::Group(id, _) => RecordKey::Group(*id),
            Self::Policy(id, _) => RecordKey::Policy(*id),
            Self::Version(it) => RecordKey::Version(it.policy, it.number),
            Self::App(it) => RecordKey::App(it.sdkappid),
            Self::Role(it) => RecordKey::Role(it.id),
            Self::AccessKey(it) => RecordKey::AccessKey(it.secret_id),
            Self::UinEntry(it) => RecordKey::Global(GlobalKey::Uin(it.uin)),
            Self::AppEntry(it) => RecordKey::Global(GlobalKey::App(it.sdkappid)),
            Self::SecretEntry(it) => RecordKey::Global(GlobalKey::Secret(it.secret_id)),
        }
    }
}

/// One record put or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The record is now this.
    Put(Record),
    /// The record, which was there, is gone.
    Delete(RecordKey),
}

impl Change {
    /// Which record it is about.
    #[must_use]
    pub fn key(&self) -> RecordKey {
        match self {
            Self::Put(record) => record.key(),
            Self::Delete(key) => *key,
        }
    }
}
