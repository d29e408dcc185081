//! Roles: creating, changing, tagging, deleting.

use std::sync::Arc;

use super::find_role;
use super::policy::check_document;
use crate::directory::attachments::Attachments;
use crate::directory::change::{Record, RecordKey};
use crate::directory::command::{
    CommandResult, CreateRole, DeleteRole, TagRole, UntagRole, UpdateRole,
};
use crate::directory::error::{DirectoryError, Noun};
use crate::directory::execute::Draft;
use crate::directory::id::RoleId;
use crate::directory::name;
use crate::directory::quota::Quota;
use crate::directory::role::Role;
use crate::lang::document::DocumentKind;

pub(super) fn create(
    draft: &mut Draft<'_>,
    command: &CreateRole,
) -> Result<CommandResult, DirectoryError> {
    let CreateRole { name, description, trust_policy, session_duration_s, console_login, tags } =
        command;
    let quotas = draft.env.quotas;
    name::check_role_name(name, quotas)?;
    name::check_description(Noun::Role, description, quotas)?;
    check_duration(draft, *session_duration_s)?;
    name::check_tags(tags, Quota::TagsPerRole, quotas.tags_per_role_max, quotas)?;
    if draft.state.role_named(name).is_some() {
        return Err(DirectoryError::NameInUse { noun: Noun::Role, name: name.clone() });
    }
    let trust = check_document(draft, trust_policy, DocumentKind::Trust)?;
    let there_would_be = draft.state.roles.len().saturating_add(1);
    Quota::RolesPerAccount.check(quotas.roles_per_account_max, there_would_be)?;
    let id = draft.account()?.next_role_id;
    let Some(next) = id.0.checked_add(1) else {
        return Err(DirectoryError::IdsExhausted { noun: Noun::Role });
    };
    draft.update_account(|account| account.next_role_id = RoleId(next))?;
    let now = draft.env.now;
    let role = Role {
        id,
        name: name.clone(),
        description: description.clone(),
        trust,
        session_duration_s: *session_duration_s,
        console_login: *console_login,
        tags: tags.clone(),
        created_at: now,
        updated_at: now,
        attachments: Attachments::default(),
        boundary: None,
    };
    draft.put(Record::Role(Arc::new(role)));
    Ok(CommandResult::Role(id))
}

pub(super) fn update(
    draft: &mut Draft<'_>,
    command: &UpdateRole,
) -> Result<CommandResult, DirectoryError> {
    let UpdateRole { role, description, trust_policy, session_duration_s, console_login } = command;
    let is_idle = description.is_none() && trust_policy.is_none();
    if is_idle && session_duration_s.is_none() && console_login.is_none() {
        return Err(DirectoryError::NothingToChange { noun: Noun::Role });
    }
    let before = find_role(draft, role)?;
    let mut role = Arc::clone(&before);
    let changed = Arc::make_mut(&mut role);
    if let Some(description) = description {
        name::check_description(Noun::Role, description, draft.env.quotas)?;
        changed.description.clone_from(description);
    }
    if let Some(document) = trust_policy {
        changed.trust = check_document(draft, document, DocumentKind::Trust)?;
    }
    if let Some(seconds) = session_duration_s {
        check_duration(draft, *seconds)?;
        changed.session_duration_s = *seconds;
    }
    if let Some(console_login) = console_login {
        changed.console_login = *console_login;
    }
    put_changed(draft, &before, role);
    Ok(CommandResult::Done)
}

pub(super) fn delete(
    draft: &mut Draft<'_>,
    command: &DeleteRole,
) -> Result<CommandResult, DirectoryError> {
    let role = find_role(draft, &command.role)?;
    let is_in_use = !role.attachments.is_empty() || role.boundary.is_some();
    if is_in_use && !command.force {
        return Err(DirectoryError::RoleInUse {
            name: role.name.clone(),
            policies: role.attachments.len(),
            is_bounded: role.boundary.is_some(),
        });
    }
    draft.delete(RecordKey::Role(role.id));
    Ok(CommandResult::Done)
}

pub(super) fn tag(
    draft: &mut Draft<'_>,
    command: &TagRole,
) -> Result<CommandResult, DirectoryError> {
    let before = find_role(draft, &command.role)?;
    let mut role = Arc::clone(&before);
    let changed = Arc::make_mut(&mut role);
    changed.tags.extend(command.tags.clone());
    let quotas = draft.env.quotas;
    name::check_tags(&changed.tags, Quota::TagsPerRole, quotas.tags_per_role_max, quotas)?;
    put_changed(draft, &before, role);
    Ok(CommandResult::Done)
}

pub(super) fn untag(
    draft: &mut Draft<'_>,
    command: &UntagRole,
) -> Result<CommandResult, DirectoryError> {
    let before = find_role(draft, &command.role)?;
    let mut role = Arc::clone(&before);
    Arc::make_mut(&mut role).tags.retain(|key, _| !command.keys.contains(key));
    put_changed(draft, &before, role);
    Ok(CommandResult::Done)
}

/// Writes a role, if it is another than before.
fn put_changed(draft: &mut Draft<'_>, before: &Arc<Role>, mut role: Arc<Role>) {
    if role != *before {
        Arc::make_mut(&mut role).updated_at = draft.env.now;
        draft.put(Record::Role(role));
    }
}

fn check_duration(draft: &Draft<'_>, seconds: u32) -> Result<(), DirectoryError> {
    let max = u64::try_from(draft.env.quotas.role_session_seconds_max).unwrap_or(u64::MAX);
    if u64::from(seconds) > max {
        let (noun, field, actual) = (Noun::Role, "session duration in seconds", seconds.into());
        return Err(DirectoryError::BadNumber { noun, field, min: 0, max, actual });
    }
    Ok(())
}
