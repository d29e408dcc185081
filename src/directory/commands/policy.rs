//! Custom policies: creating, changing in place, deleting.

use std::sync::Arc;

use super::find_custom_policy;
use crate::directory::change::{Record, RecordKey};
use crate::directory::command::{CommandResult, CreatePolicy, DeletePolicy, UpdatePolicy};
use crate::directory::document;
use crate::directory::error::{DirectoryError, Noun};
use crate::directory::execute::Draft;
use crate::directory::id::{PolicyId, VersionNumber};
use crate::directory::name;
use crate::directory::policy::{Policy, PolicyBody, PolicyVersion};
use crate::directory::quota::Quota;
use crate::directory::state::{Slot, Tombstone};
use crate::lang::document::DocumentKind;

pub(super) fn create(
    draft: &mut Draft<'_>,
    command: &CreatePolicy,
) -> Result<CommandResult, DirectoryError> {
    let CreatePolicy { name, description, document, tags } = command;
    let quotas = draft.env.quotas;
    name::check_policy_name(name, quotas)?;
    name::check_description(Noun::Policy, description, quotas)?;
    name::check_tags(tags, Quota::TagsPerPolicy, quotas.tags_per_policy_max, quotas)?;
    let is_taken = draft.state.policy_named(name).is_some();
    if is_taken || draft.env.presets.named(name).is_some() {
        return Err(DirectoryError::NameInUse { noun: Noun::Policy, name: name.clone() });
    }
    let body = check_document(draft, document, DocumentKind::Identity)?;
    let there_would_be = draft.state.live_policies().count().saturating_add(1);
    Quota::PoliciesPerAccount.check(quotas.policies_per_account_max, there_would_be)?;
    let id = draft.account()?.next_policy_id;
    let Some(next) = id.0.checked_add(1) else {
        return Err(DirectoryError::IdsExhausted { noun: Noun::Policy });
    };
    draft.update_account(|account| account.next_policy_id = PolicyId(next))?;
    let now = draft.env.now;
    let number = VersionNumber::FIRST;
    let version = PolicyVersion { policy: id, number, created_at: now, body };
    draft.put(Record::Version(Arc::new(version)));
    let policy = Policy {
        id,
        name: name.clone(),
        description: description.clone(),
        created_at: now,
        updated_at: now,
        default_version: number,
        next_version: VersionNumber(2),
        tags: tags.clone(),
    };
    draft.put(Record::Policy(id, Slot::Live(Arc::new(policy))));
    Ok(CommandResult::Policy(id))
}

pub(super) fn update(
    draft: &mut Draft<'_>,
    command: &UpdatePolicy,
) -> Result<CommandResult, DirectoryError> {
    let UpdatePolicy { policy, description, document } = command;
    if description.is_none() && document.is_none() {
        return Err(DirectoryError::NothingToChange { noun: Noun::Policy });
    }
    let before = find_custom_policy(draft, policy)?;
    let mut policy = Arc::clone(&before);
    let changed = Arc::make_mut(&mut policy);
    if let Some(description) = description {
        name::check_description(Noun::Policy, description, draft.env.quotas)?;
        changed.description.clone_from(description);
    }
    let mut is_changed = policy != before;
    if let Some(document) = document {
        let body = check_document(draft, document, DocumentKind::Identity)?;
        is_changed |= overwrite_default(draft, &policy, body);
    }
    if is_changed {
        Arc::make_mut(&mut policy).updated_at = draft.env.now;
        draft.put(Record::Policy(policy.id, Slot::Live(policy)));
    }
    Ok(CommandResult::Done)
}

pub(super) fn delete(
    draft: &mut Draft<'_>,
    command: &DeletePolicy,
) -> Result<CommandResult, DirectoryError> {
    let policy = find_custom_policy(draft, &command.policy)?;
    let id = policy.id;
    let bounded_users = draft.state.users_with_boundary(id).count();
    let bounded_roles = draft.state.roles_with_boundary(id).count();
    if bounded_users > 0 || bounded_roles > 0 {
        return Err(DirectoryError::PolicyIsBoundary {
            name: policy.name.clone(),
            users: bounded_users,
            roles: bounded_roles,
        });
    }
    let users: Vec<_> = draft.state.users_with_policy(id).cloned().collect();
    let groups: Vec<_> = draft.state.groups_with_policy(id).cloned().collect();
    let roles: Vec<_> = draft.state.roles_with_policy(id).cloned().collect();
    let is_attached = !users.is_empty() || !groups.is_empty() || !roles.is_empty();
    if is_attached && !command.force {
        return Err(DirectoryError::PolicyAttached {
            name: policy.name.clone(),
            users: users.len(),
            groups: groups.len(),
            roles: roles.len(),
        });
    }
    for mut user in users {
        Arc::make_mut(&mut user).attachments.retain(|it| it.policy != id);
        draft.put(Record::SubAccount(user));
    }
    for mut group in groups {
        Arc::make_mut(&mut group).attachments.retain(|it| it.policy != id);
        draft.put(Record::Group(group.id, Slot::Live(group)));
    }
    for mut role in roles {
        Arc::make_mut(&mut role).attachments.retain(|it| it.policy != id);
        draft.put(Record::Role(role));
    }
    let numbers: Vec<_> = draft.state.versions_of(id).map(|version| version.number).collect();
    for number in numbers {
        draft.delete(RecordKey::Version(id, number));
    }
    let tombstone = Tombstone { name: policy.name.clone(), deleted_at: draft.env.now };
    draft.put(Record::Policy(id, Slot::Deleted(Arc::new(tombstone))));
    Ok(CommandResult::Done)
}

/// Checks a document for this account, and keeps its lints.
pub(super) fn check_document(
    draft: &mut Draft<'_>,
    document: &[u8],
    kind: DocumentKind,
) -> Result<PolicyBody, DirectoryError> {
    let owner = draft.state.owner();
    let (body, findings) = document::check(document, draft.env.vocabulary, owner, kind)?;
    draft.add_findings(findings);
    Ok(body)
}

/// Puts a document in the place of the default version's; false when it is that already.
fn overwrite_default(draft: &mut Draft<'_>, policy: &Policy, body: PolicyBody) -> bool {
    let number = policy.default_version;
    let created_at = match draft.state.version(policy.id, number) {
        Some(version) if version.body == body => return false,
        Some(version) => version.created_at,
        // The record is missing, which is damage; writing it anew mends it.
        None => draft.env.now,
    };
    let version = PolicyVersion { policy: policy.id, number, created_at, body };
    draft.put(Record::Version(Arc::new(version)));
    true
}
