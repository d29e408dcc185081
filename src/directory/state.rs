//! All of one account, as values: what commands read and what snapshots are built from.
//!
//! Maps mirror the stored records, so that applying a change is one insertion or removal. Values
//! are shared, so that a copy of the state is cheap. Nothing here checks anything: only `execute`
//! makes changes, and only changes alter a state.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::lang::variable::Owner;

use super::access_key::{AccessKey, SecretId};
use super::account::Account;
use super::app::App;
use super::change::{Change, Record, RecordKey};
use super::group::Group;
use super::id::{GroupId, PolicyId, RoleId, UnixMillis, VersionNumber};
use super::policy::{Policy, PolicyVersion};
use super::role::Role;
use super::sub_account::SubAccount;

/// What is left of a deleted group or policy: its id is never used again, and what still refers to
/// it means nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    /// The name it had.
    pub name: String,
    /// When it was deleted.
    pub deleted_at: UnixMillis,
}

/// A thing under an id that is never reused: there, or gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot<T> {
    /// It is there.
    Live(Arc<T>),
    /// It was deleted.
    Deleted(Arc<Tombstone>),
}

impl<T> Slot<T> {
    /// The thing, if it is there.
    #[must_use]
    pub fn live(&self) -> Option<&Arc<T>> {
        match self {
            Self::Live(it) => Some(it),
            Self::Deleted(_) => None,
        }
    }
}

/// All of one account. The default is the state of an account that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountState {
    /// The head; none when the account does not exist.
    pub account: Option<Arc<Account>>,
    /// The sub-accounts, by uin.
    pub sub_accounts: BTreeMap<u64, Arc<SubAccount>>,
    /// The groups, and the tombstones of deleted ones.
    pub groups: BTreeMap<GroupId, Slot<Group>>,
    /// The custom policies, and the tombstones of deleted ones.
    pub policies: BTreeMap<PolicyId, Slot<Policy>>,
    /// The versions of the policies that are there.
    pub versions: BTreeMap<(PolicyId, VersionNumber), Arc<PolicyVersion>>,
    /// The apps, by SdkAppId.
    pub apps: BTreeMap<u64, Arc<App>>,
    /// The roles. A deleted one leaves nothing: nothing but sessions refers to it.
    pub roles: BTreeMap<RoleId, Arc<Role>>,
    /// The access keys of the root and of the sub-accounts.
    pub access_keys: BTreeMap<SecretId, Arc<AccessKey>>,
}

impl AccountState {
    /// Who owns it; none when the account does not exist.
    #[must_use]
    pub fn owner(&self) -> Option<Owner> {
        self.account.as_ref().map(|account| account.owner)
    }

    /// The sub-account with this uin.
    #[must_use]
    pub fn sub_account(&self, uin: u64) -> Option<&Arc<SubAccount>> {
        self.sub_accounts.get(&uin)
    }

    /// The sub-account with this name, compared exactly.
    #[must_use]
    pub fn sub_account_named(&self, name: &str) -> Option<&Arc<SubAccount>> {
        self.sub_accounts.values().find(|it| *it.name == *name)
    }

    /// The group with this id, unless it was deleted.
    #[must_use]
    pub fn group(&self, id: GroupId) -> Option<&Arc<Group>> {
        self.groups.get(&id).and_then(Slot::live)
    }

    /// The group with this name, compared exactly.
    #[must_use]
    pub fn group_named(&self, name: &str) -> Option<&Arc<Group>> {
        self.live_groups().find(|it| it.name == name)
    }

    /// The groups that are there, ascending by id.
    pub fn live_groups(&self) -> impl Iterator<Item = &Arc<Group>> {
        self.groups.values().filter_map(Slot::live)
    }

    /// The sub-accounts in a group, ascending by uin.
    pub fn members(&self, group: GroupId) -> impl Iterator<Item = &Arc<SubAccount>> {
        self.sub_accounts.values().filter(move |it| it.groups.contains(&group))
    }

    /// The custom policy with this id, unless it was deleted.
    #[must_use]
    pub fn policy(&self, id: PolicyId) -> Option<&Arc<Policy>> {
        self.policies.get(&id).and_then(Slot::live)
    }

    /// The custom policy with this name, compared exactly.
    #[must_use]
    pub fn policy_named(&self, name: &str) -> Option<&Arc<Policy>> {
        self.live_policies().find(|it| it.name == name)
    }

    /// The custom policies that are there, ascending by id.
    pub fn live_policies(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.policies.values().filter_map(Slot::live)
    }

    /// One version of a policy.
    #[must_use]
    pub fn version(&self, policy: PolicyId, number: VersionNumber) -> Option<&Arc<PolicyVersion>> {
        self.versions.get(&(policy, number))
    }

    /// The version of a policy that counts.
    #[must_use]
    pub fn default_version(&self, policy: PolicyId) -> Option<&Arc<PolicyVersion>> {
        self.version(policy, self.policy(policy)?.default_version)
    }

    /// The versions of a policy, ascending by number.
    pub fn versions_of(&self, policy: PolicyId) -> impl Iterator<Item = &Arc<PolicyVersion>> {
        let (first, last) = (VersionNumber(0), VersionNumber(u32::MAX));
        self.versions.range((policy, first)..=(policy, last)).map(|(_, version)| version)
    }

    /// The sub-accounts that a policy is attached to directly, ascending by uin.
    pub fn users_with_policy(&self, policy: PolicyId) -> impl Iterator<Item = &Arc<SubAccount>> {
        self.sub_accounts
            .values()
            .filter(move |it| it.attachments.iter().any(|attached| attached.policy == policy))
    }

    /// The groups that a policy is attached to, ascending by id.
    pub fn groups_with_policy(&self, policy: PolicyId) -> impl Iterator<Item = &Arc<Group>> {
        self.live_groups()
            .filter(move |it| it.attachments.iter().any(|attached| attached.policy == policy))
    }

    /// The sub-accounts that a policy is the boundary of, ascending by uin.
    pub fn users_with_boundary(&self, policy: PolicyId) -> impl Iterator<Item = &Arc<SubAccount>> {
        self.sub_accounts.values().filter(move |it| it.boundary == Some(policy))
    }

    /// The roles that a policy is attached to, ascending by id.
    pub fn roles_with_policy(&self, policy: PolicyId) -> impl Iterator<Item = &Arc<Role>> {
        self.roles
            .values()
            .filter(move |it| it.attachments.iter().any(|attached| attached.policy == policy))
    }

    /// The roles that a policy is the boundary of, ascending by id.
    pub fn roles_with_boundary(&self, policy: PolicyId) -> impl Iterator<Item = &Arc<Role>> {
        self.roles.values().filter(move |it| it.boundary == Some(policy))
    }

    /// The role with this id.
    #[must_use]
    pub fn role(&self, id: RoleId) -> Option<&Arc<Role>> {
        self.roles.get(&id)
    }

    /// The role with this name, compared exactly.
    #[must_use]
    pub fn role_named(&self, name: &str) -> Option<&Arc<Role>> {
        self.roles.values().find(|it| it.name == name)
    }

    /// The access key with this SecretId.
    #[must_use]
    pub fn access_key(&self, secret_id: SecretId) -> Option<&Arc<AccessKey>> {
        self.access_keys.get(&secret_id)
    }

    /// The access keys of the root or of a sub-account, ascending by SecretId.
    pub fn keys_of(&self, holder: u64) -> impl Iterator<Item = &Arc<AccessKey>> {
        self.access_keys.values().filter(move |it| it.holder == holder)
    }

    /// Whether anything in the account refers to a policy: an attachment or a boundary.
    #[must_use]
    pub fn uses_policy(&self, policy: PolicyId) -> bool {
        self.users_with_policy(policy).next().is_some()
            || self.groups_with_policy(policy).next().is_some()
            || self.users_with_boundary(policy).next().is_some()
            || self.roles_with_policy(policy).next().is_some()
            || self.roles_with_boundary(policy).next().is_some()
    }

    /// The record under a key, as a change would put it; none for global records, which are not
    /// part of an account.
    #[must_use]
    pub fn record(&self, key: RecordKey) -> Option<Record> {
        match key {
            RecordKey::Account => self.account.clone().map(Record::Account),
            RecordKey::SubAccount(uin) => {
                self.sub_accounts.get(&uin).cloned().map(Record::SubAccount)
            }
            RecordKey::Group(id) => {
                self.groups.get(&id).map(|slot| Record::Group(id, slot.clone()))
            }
            RecordKey::Policy(id) => {
                self.policies.get(&id).map(|slot| Record::Policy(id, slot.clone()))
            }
            RecordKey::Version(policy, number) => {
                self.version(policy, number).cloned().map(Record::Version)
            }
            RecordKey::App(sdkappid) => self.apps.get(&sdkappid).cloned().map(Record::App),
            RecordKey::Role(id) => self.roles.get(&id).cloned().map(Record::Role),
            RecordKey::AccessKey(secret_id) => {
                self.access_keys.get(&secret_id).cloned().map(Record::AccessKey)
            }
            RecordKey::Global(_) => None,
        }
    }

    /// Every record of the account, sorted by key.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        let account = self.account.iter().cloned().map(Record::Account);
        let sub_accounts = self.sub_accounts.values().cloned().map(Record::SubAccount);
        let groups = self.groups.iter().map(|(id, slot)| Record::Group(*id, slot.clone()));
        let policies = self.policies.iter().map(|(id, slot)| Record::Policy(*id, slot.clone()));
        let versions = self.versions.values().cloned().map(Record::Version);
        let apps = self.apps.values().cloned().map(Record::App);
        let roles = self.roles.values().cloned().map(Record::Role);
        let access_keys = self.access_keys.values().cloned().map(Record::AccessKey);
        let policies = groups.chain(policies).chain(versions);
        account.chain(sub_accounts).chain(policies).chain(apps).chain(roles).chain(access_keys)
    }

    /// Takes less room from here on: for a state that was put together record by record. Equal
    /// lists of attachments become one, and the maps have no gaps.
    pub fn compact(&mut self) {
        let mut known = HashSet::new();
        let users = std::mem::take(&mut self.sub_accounts).into_iter();
        self.sub_accounts = users
            .map(|(uin, mut user)| {
                // Nobody else has a state that is just put together.
                if let Some(user) = Arc::get_mut(&mut user) {
                    user.attachments.shared_by(&mut known);
                }
                (uin, user)
            })
            .collect();
        self.policies = std::mem::take(&mut self.policies).into_iter().collect();
        self.versions = std::mem::take(&mut self.versions).into_iter().collect();
    }

    /// Makes a change true. Changes of global records are none of the account's and do nothing.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Put(record) => self.put(record.clone()),
            Change::Delete(key) => self.delete(*key),
        }
    }

    fn put(&mut self, record: Record) {
        match record {
            Record::Account(it) => self.account = Some(it),
            Record::SubAccount(it) => {
                self.sub_accounts.insert(it.uin, it);
            }
            Record::Group(id, slot) => {
                self.groups.insert(id, slot);
            }
            Record::Policy(id, slot) => {
                self.policies.insert(id, slot);
            }
            Record::Version(it) => {
                self.versions.insert((it.policy, it.number), it);
            }
            Record::App(it) => {
                self.apps.insert(it.sdkappid, it);
            }
            Record::Role(it) => {
                self.roles.insert(it.id, it);
            }
            Record::AccessKey(it) => {
                self.access_keys.insert(it.secret_id, it);
            }
            Record::UinEntry(_) | Record::AppEntry(_) | Record::SecretEntry(_) => {}
        }
    }

    fn delete(&mut self, key: RecordKey) {
        match key {
            RecordKey::Account => self.account = None,
            RecordKey::SubAccount(uin) => {
                self.sub_accounts.remove(&uin);
            }
            RecordKey::Group(id) => {
                self.groups.remove(&id);
            }
            RecordKey::Policy(id) => {
                self.policies.remove(&id);
            }
            RecordKey::Version(policy, number) => {
                self.versions.remove(&(policy, number));
            }
            RecordKey::App(sdkappid) => {
                self.apps.remove(&sdkappid);
            }
            RecordKey::Role(id) => {
                self.roles.remove(&id);
            }
            RecordKey::AccessKey(secret_id) => {
                self.access_keys.remove(&secret_id);
            }
            RecordKey::Global(_) => {}
        }
    }
}
