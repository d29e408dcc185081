//! What each command does to a draft: one file per family.
//!
//! Each function checks everything before it writes anything, and alters nothing but the draft.

mod access_key;
mod account;
mod app;
mod attachment;
mod group;
mod policy;
mod role;
mod sub_account;
mod version;

use std::sync::Arc;

use super::command::{Command, CommandResult, GroupRef, PolicyRef, RoleRef};
use super::error::{DirectoryError, Noun};
use super::execute::Draft;
use super::group::Group;
use super::id::PolicyId;
use super::policy::Policy;
use super::preset::Preset;
use super::role::Role;
use super::sub_account::SubAccount;

/// Executes one command on a draft.
pub(super) fn run(
    draft: &mut Draft<'_>,
    command: &Command,
) -> Result<CommandResult, DirectoryError> {
    if let Command::CreateAccount(it) = command {
        return account::create(draft, it);
    }
    draft.account()?;
    match command {
        Command::CreateAccount(it) => account::create(draft, it),
        Command::CreateSubAccount(it) => sub_account::create(draft, it),
        Command::UpdateSubAccount(it) => sub_account::update(draft, it),
        Command::DeleteSubAccount(it) => sub_account::delete(draft, it),
        Command::CreateGroup(it) => group::create(draft, it),
        Command::UpdateGroup(it) => group::update(draft, it),
        Command::DeleteGroup(it) => group::delete(draft, it),
        Command::AddToGroup(it) => group::add(draft, it),
        Command::RemoveFromGroup(it) => group::remove(draft, it),
        Command::CreatePolicy(it) => policy::create(draft, it),
        Command::UpdatePolicy(it) => policy::update(draft, it),
        Command::DeletePolicy(it) => policy::delete(draft, it),
        Command::CreatePolicyVersion(it) => version::create(draft, it),
        Command::SetDefaultPolicyVersion(it) => version::set_default(draft, it),
        Command::DeletePolicyVersion(it) => version::delete(draft, it),
        Command::AttachPolicy(it) => attachment::attach(draft, it),
        Command::DetachPolicy(it) => attachment::detach(draft, it),
        Command::PutBoundary(it) => attachment::put_boundary(draft, it),
        Command::DeleteBoundary(it) => attachment::delete_boundary(draft, it),
        Command::CreateApp(it) => app::create(draft, it),
        Command::UpdateApp(it) => app::update(draft, it),
        Command::DeleteApp(it) => app::delete(draft, it),
        Command::CreateRole(it) => role::create(draft, it),
        Command::UpdateRole(it) => role::update(draft, it),
        Command::DeleteRole(it) => role::delete(draft, it),
        Command::TagRole(it) => role::tag(draft, it),
        Command::UntagRole(it) => role::untag(draft, it),
        Command::CreateAccessKey(it) => access_key::create(draft, it),
        Command::UpdateAccessKey(it) => access_key::update(draft, it),
        Command::DeleteAccessKey(it) => access_key::delete(draft, it),
    }
}

/// The sub-account with this uin.
fn find_sub_account(draft: &Draft<'_>, uin: u64) -> Result<Arc<SubAccount>, DirectoryError> {
    let found = draft.state.sub_account(uin).cloned();
    found.ok_or_else(|| not_found(Noun::SubAccount, uin))
}

/// The sub-account with this uin, if it can hold policies.
fn find_principal(draft: &Draft<'_>, uin: u64) -> Result<Arc<SubAccount>, DirectoryError> {
    let found = find_sub_account(draft, uin)?;
    if !found.kind.is_principal() {
        return Err(DirectoryError::NotAPrincipal { uin });
    }
    Ok(found)
}

/// The group that is meant.
fn find_group(draft: &Draft<'_>, reference: &GroupRef) -> Result<Arc<Group>, DirectoryError> {
    let found = match reference {
        GroupRef::Id(id) => draft.state.group(*id),
        GroupRef::Name(name) => draft.state.group_named(name),
    };
    found.cloned().ok_or_else(|| match reference {
        GroupRef::Id(id) => not_found(Noun::Group, id),
        GroupRef::Name(name) => not_found(Noun::Group, name),
    })
}

/// The role that is meant.
fn find_role(draft: &Draft<'_>, reference: &RoleRef) -> Result<Arc<Role>, DirectoryError> {
    let found = match reference {
        RoleRef::Id(id) => draft.state.role(*id),
        RoleRef::Name(name) => draft.state.role_named(name),
    };
    found.cloned().ok_or_else(|| match reference {
        RoleRef::Id(id) => not_found(Noun::Role, id),
        RoleRef::Name(name) => not_found(Noun::Role, name),
    })
}

/// A policy that was found: custom or preset.
enum Found {
    Custom(Arc<Policy>),
    Preset(Arc<Preset>),
}

/// The policy that is meant. A custom policy's name comes before a preset's: a preset of the
/// operator's that comes later must not take the place of a policy in use.
fn find_policy(draft: &Draft<'_>, reference: &PolicyRef) -> Result<Found, DirectoryError> {
    let (custom, preset) = match reference {
        PolicyRef::Id(id) => (draft.state.policy(*id), draft.env.presets.get(*id)),
        PolicyRef::Name(name) => (draft.state.policy_named(name), draft.env.presets.named(name)),
    };
    if let Some(policy) = custom {
        return Ok(Found::Custom(Arc::clone(policy)));
    }
    if let Some(preset) = preset {
        return Ok(Found::Preset(Arc::clone(preset)));
    }
    Err(policy_not_found(reference))
}

/// The custom policy that is meant; presets are read-only.
fn find_custom_policy(
    draft: &Draft<'_>,
    reference: &PolicyRef,
) -> Result<Arc<Policy>, DirectoryError> {
    match find_policy(draft, reference)? {
        Found::Custom(policy) => Ok(policy),
        Found::Preset(preset) => Err(DirectoryError::PresetReadOnly { name: preset.name.clone() }),
    }
}

/// The id of a policy that can be attached or set as a boundary.
fn find_attachable(draft: &Draft<'_>, reference: &PolicyRef) -> Result<PolicyId, DirectoryError> {
    match find_policy(draft, reference)? {
        Found::Custom(policy) => Ok(policy.id),
        Found::Preset(preset) if preset.is_attachable() => Ok(preset.id),
        Found::Preset(_) => Err(policy_not_found(reference)),
    }
}

fn policy_not_found(reference: &PolicyRef) -> DirectoryError {
    match reference {
        PolicyRef::Id(id) => not_found(Noun::Policy, id),
        PolicyRef::Name(name) => not_found(Noun::Policy, name),
    }
}

fn not_found(noun: Noun, name: impl ToString) -> DirectoryError {
    DirectoryError::NotFound { noun, name: name.to_string() }
}
