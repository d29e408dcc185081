//! From an account's state to what the engine compiles.
//!
//! Group memberships are resolved here. What refers to a tombstone means nothing; what refers to a
//! record that was never deleted and is not there is damage, and denies (rule D-05).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::{
    AccountChange, AccountInput, AppInput, Attachment as PrincipalAttachment,
    PolicyBody as InputBody, PolicyInput, PrincipalInput, PrincipalKind, Via,
};

use super::change::RecordKey;
use super::group::Group;
use super::id::{GroupId, PolicyId, VersionNumber};
use super::policy::{Policy, PolicyBody};
use super::preset::Presets;
use super::role::Role;
use super::state::{AccountState, Slot};
use super::sub_account::{Attachment, SubAccount, SubAccountKind};

/// Stands for a group whose record is missing: a policy that cannot be read, under an id that no
/// policy has.
const MISSING_GROUP: PolicyId = PolicyId(0);

/// The engine's input for an account at a revision; none when the account does not exist.
#[must_use]
pub fn snapshot_input(
    state: &AccountState,
    presets: &Presets,
    revision: u64,
) -> Option<AccountInput> {
    let owner = state.owner()?;
    let mut missing = Missing { state, presets, policies: BTreeMap::new() };
    let group_names = group_names(state);
    let mut principals = vec![PrincipalInput {
        uin: owner.uin,
        kind: PrincipalKind::Root,
        attachments: Vec::new(),
        boundary: None,
    }];
    for sub_account in state.sub_accounts.values() {
        principals.push(principal_input(sub_account, &group_names, &mut missing));
    }
    principals.extend(state.roles.values().map(|role| role_input(role, &mut missing)));
    let mut policies: Vec<PolicyInput> =
        state.live_policies().map(|policy| custom_policy(state, policy)).collect();
    policies.extend(missing.policies.into_values());
    Some(AccountInput { owner, revision, principals, policies, apps: app_inputs(state) })
}

/// What the engine must change after `changed` records of an account became what `state` holds;
/// none when the account has to be built anew, because what is changed, or something that it refers
/// to, is not as commands leave it. Costs time by what has changed.
#[must_use]
pub fn snapshot_change(
    before: &AccountState,
    state: &AccountState,
    presets: &Presets,
    revision: u64,
    changed: &[RecordKey],
) -> Option<AccountChange> {
    if before.owner()? != state.owner()? {
        return None;
    }
    let mut change = AccountChange { revision, ..AccountChange::default() };
    let (mut users, mut policies) = (BTreeSet::new(), BTreeSet::new());
    let mut missing = Missing { state, presets, policies: BTreeMap::new() };
    for key in changed {
        match *key {
            RecordKey::Account | RecordKey::AccessKey(_) | RecordKey::Global(_) => {}
            RecordKey::SubAccount(uin) => drop(users.insert(uin)),
            RecordKey::Group(id) => {
                // A group leaves a tombstone; one whose record is gone is damage.
                state.groups.get(&id)?;
                users.extend(state.members(id).map(|user| user.uin));
            }
            RecordKey::Policy(id) | RecordKey::Version(id, _) => drop(policies.insert(id)),
            RecordKey::App(_) => change.apps = Some(app_inputs(state)),
            RecordKey::Role(id) => match state.role(id) {
                Some(role) => change.principals.push(role_input(role, &mut missing)),
                None => change.gone_principals.push(id.0),
            },
        }
    }
    let group_names = group_names(state);
    for uin in users {
        match state.sub_account(uin) {
            Some(user) => change.principals.push(principal_input(user, &group_names, &mut missing)),
            None => change.gone_principals.push(uin),
        }
    }
    for id in policies {
        match state.policies.get(&id)? {
            Slot::Live(policy) => change.policies.push(custom_policy(state, policy)),
            Slot::Deleted(_) => change.gone_policies.push(id.0),
        }
    }
    missing.policies.is_empty().then_some(change)
}

fn group_names(state: &AccountState) -> BTreeMap<GroupId, Arc<str>> {
    state.live_groups().map(|group| (group.id, Arc::from(group.name.as_str()))).collect()
}

fn app_inputs(state: &AccountState) -> Vec<AppInput> {
    let apps = state.apps.values().map(|app| AppInput {
        sdkappid: app.sdkappid,
        tags: app.tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
    });
    apps.collect()
}

/// The engine's word for a kind of sub-account.
#[must_use]
pub fn principal_kind(kind: SubAccountKind) -> PrincipalKind {
    match kind {
        SubAccountKind::SubUser => PrincipalKind::SubUser,
        SubAccountKind::WecomSubUser => PrincipalKind::WecomSubUser,
        SubAccountKind::Collaborator => PrincipalKind::Collaborator,
        SubAccountKind::MessageRecipient => PrincipalKind::MessageRecipient,
    }
}

/// The engine's input for one policy.
pub(super) fn policy_input(
    id: PolicyId,
    name: &str,
    version: VersionNumber,
    body: &PolicyBody,
) -> PolicyInput {
    let body = match body {
        PolicyBody::Readable(policy) => InputBody::Valid(Arc::clone(policy)),
        PolicyBody::Unreadable { .. } => InputBody::Unreadable(body.problem().unwrap_or_default()),
    };
    PolicyInput { id: id.0, name: Arc::from(name), version: version.0, body }
}

fn custom_policy(state: &AccountState, policy: &Policy) -> PolicyInput {
    match state.version(policy.id, policy.default_version) {
        Some(version) => policy_input(policy.id, &policy.name, version.number, &version.body),
        None => unreadable(
            policy.id,
            &policy.name,
            policy.default_version,
            format!("the record of version {} is missing", policy.default_version),
        ),
    }
}

fn role_input(role: &Role, missing: &mut Missing<'_>) -> PrincipalInput {
    let mut attachments = Vec::with_capacity(role.attachments.len());
    missing.add(&role.attachments, &Via::Direct, &mut attachments);
    let boundary = missing.boundary(role.boundary);
    PrincipalInput { uin: role.id.0, kind: PrincipalKind::Role, attachments, boundary }
}

fn principal_input(
    sub_account: &SubAccount,
    group_names: &BTreeMap<GroupId, Arc<str>>,
    missing: &mut Missing<'_>,
) -> PrincipalInput {
    let mut attachments = Vec::with_capacity(sub_account.attachments.len());
    missing.add(&sub_account.attachments, &Via::Direct, &mut attachments);
    for id in &sub_account.groups {
        match missing.group(*id) {
            Some(Some(group)) => {
                let name = group_names.get(id).cloned().unwrap_or_default();
                let via = Via::Group { id: id.0, name };
                missing.add(&group.attachments, &via, &mut attachments);
            }
            Some(None) => {}
            None => attachments.push(missing.missing_group(*id)),
        }
    }
    let boundary = missing.boundary(sub_account.boundary);
    PrincipalInput {
        uin: sub_account.uin,
        kind: principal_kind(sub_account.kind),
        attachments,
        boundary,
    }
}

/// Looks up what principals refer to, and collects what is missing.
struct Missing<'a> {
    state: &'a AccountState,
    presets: &'a Presets,
    policies: BTreeMap<PolicyId, PolicyInput>,
}

impl<'a> Missing<'a> {
    fn add(&mut self, from: &[Attachment], via: &Via, to: &mut Vec<PrincipalAttachment>) {
        for attachment in from {
            self.note(attachment.policy);
            to.push(PrincipalAttachment { policy_id: attachment.policy.0, via: via.clone() });
        }
    }

    /// A boundary, as the engine names it.
    fn boundary(&mut self, boundary: Option<PolicyId>) -> Option<u64> {
        let id = boundary?;
        self.note(id);
        Some(id.0)
    }

    /// Remembers a policy that is referred to and neither there nor deleted.
    fn note(&mut self, id: PolicyId) {
        let is_known = match id.is_custom() {
            true => self.state.policies.contains_key(&id),
            false => self.presets.get(id).is_some(),
        };
        if !is_known {
            let reason = format!("policy {id} is referred to, but its record is missing");
            let input = unreadable(id, &id.to_string(), VersionNumber::FIRST, reason);
            self.policies.insert(id, input);
        }
    }

    /// The group; `Some(None)` when it was deleted, none when its record is missing.
    fn group(&self, id: GroupId) -> Option<Option<&'a Arc<Group>>> {
        self.state.groups.get(&id).map(Slot::live)
    }

    fn missing_group(&mut self, id: GroupId) -> PrincipalAttachment {
        let reason = format!("group {id} is referred to, but its record is missing");
        self.policies.entry(MISSING_GROUP).or_insert_with(|| {
            unreadable(MISSING_GROUP, "missing group", VersionNumber::FIRST, reason)
        });
        PrincipalAttachment { policy_id: MISSING_GROUP.0, via: Via::Direct }
    }
}

fn unreadable(id: PolicyId, name: &str, version: VersionNumber, reason: String) -> PolicyInput {
    let body = InputBody::Unreadable(reason);
    PolicyInput { id: id.0, name: Arc::from(name), version: version.0, body }
}
