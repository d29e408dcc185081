//! Attaching policies to users, groups and roles, and setting boundaries.

use std::sync::Arc;

use super::Found;
use super::{
    find_attachable, find_group, find_policy, find_principal, find_role, find_sub_account,
    policy_not_found,
};
use crate::directory::change::Record;
use crate::directory::command::{
    AttachPolicy, BoundaryTarget, CommandResult, DeleteBoundary, DetachPolicy, PolicyRef,
    PutBoundary, Target,
};
use crate::directory::error::DirectoryError;
use crate::directory::execute::Draft;
use crate::directory::id::PolicyId;
use crate::directory::quota::Quota;
use crate::directory::state::Slot;
use crate::directory::sub_account::Attachment;

pub(super) fn attach(
    draft: &mut Draft<'_>,
    command: &AttachPolicy,
) -> Result<CommandResult, DirectoryError> {
    let policy = find_attachable(draft, &command.policy)?;
    let attachment = Attachment { policy, attached_at: draft.env.now };
    let limit = draft.env.quotas.attachments_per_target_max;
    match &command.target {
        Target::User(uin) => {
            let mut user = find_principal(draft, *uin)?;
            if holds(&user.attachments, policy) {
                return Ok(CommandResult::Done);
            }
            let there_would_be = user.attachments.len().saturating_add(1);
            Quota::AttachmentsPerUser.check(limit, there_would_be)?;
            Arc::make_mut(&mut user).attachments.push(attachment);
            draft.put(Record::SubAccount(user));
        }
        Target::Group(group) => {
            let mut group = find_group(draft, group)?;
            if holds(&group.attachments, policy) {
                return Ok(CommandResult::Done);
            }
            let there_would_be = group.attachments.len().saturating_add(1);
            Quota::AttachmentsPerGroup.check(limit, there_would_be)?;
            Arc::make_mut(&mut group).attachments.push(attachment);
            draft.put(Record::Group(group.id, Slot::Live(group)));
        }
        Target::Role(role) => {
            let mut role = find_role(draft, role)?;
            if holds(&role.attachments, policy) {
                return Ok(CommandResult::Done);
            }
            let there_would_be = role.attachments.len().saturating_add(1);
            Quota::AttachmentsPerRole.check(limit, there_would_be)?;
            Arc::make_mut(&mut role).attachments.push(attachment);
            draft.put(Record::Role(role));
        }
    }
    Ok(CommandResult::Done)
}

pub(super) fn detach(
    draft: &mut Draft<'_>,
    command: &DetachPolicy,
) -> Result<CommandResult, DirectoryError> {
    let policy = find_detachable(draft, &command.policy)?;
    match &command.target {
        Target::User(uin) => {
            let mut user = find_sub_account(draft, *uin)?;
            if holds(&user.attachments, policy) {
                Arc::make_mut(&mut user).attachments.retain(|it| it.policy != policy);
                draft.put(Record::SubAccount(user));
            }
        }
        Target::Group(group) => {
            let mut group = find_group(draft, group)?;
            if holds(&group.attachments, policy) {
                Arc::make_mut(&mut group).attachments.retain(|it| it.policy != policy);
                draft.put(Record::Group(group.id, Slot::Live(group)));
            }
        }
        Target::Role(role) => {
            let mut role = find_role(draft, role)?;
            if holds(&role.attachments, policy) {
                Arc::make_mut(&mut role).attachments.retain(|it| it.policy != policy);
                draft.put(Record::Role(role));
            }
        }
    }
    Ok(CommandResult::Done)
}

pub(super) fn put_boundary(
    draft: &mut Draft<'_>,
    command: &PutBoundary,
) -> Result<CommandResult, DirectoryError> {
    let policy = find_attachable(draft, &command.policy)?;
    match &command.target {
        BoundaryTarget::User(uin) => {
            let mut user = find_principal(draft, *uin)?;
            if user.boundary != Some(policy) {
                Arc::make_mut(&mut user).boundary = Some(policy);
                draft.put(Record::SubAccount(user));
            }
        }
        BoundaryTarget::Role(role) => {
            let mut role = find_role(draft, role)?;
            if role.boundary != Some(policy) {
                Arc::make_mut(&mut role).boundary = Some(policy);
                draft.put(Record::Role(role));
            }
        }
    }
    Ok(CommandResult::Done)
}

pub(super) fn delete_boundary(
    draft: &mut Draft<'_>,
    command: &DeleteBoundary,
) -> Result<CommandResult, DirectoryError> {
    match &command.target {
        BoundaryTarget::User(uin) => {
            let mut user = find_sub_account(draft, *uin)?;
            if user.boundary.is_some() {
                Arc::make_mut(&mut user).boundary = None;
                draft.put(Record::SubAccount(user));
            }
        }
        BoundaryTarget::Role(role) => {
            let mut role = find_role(draft, role)?;
            if role.boundary.is_some() {
                Arc::make_mut(&mut role).boundary = None;
                draft.put(Record::Role(role));
            }
        }
    }
    Ok(CommandResult::Done)
}

/// The policy to detach. By id it need not be there any more: an attachment to a deleted, withdrawn
/// or missing policy can be taken off.
fn find_detachable(draft: &Draft<'_>, reference: &PolicyRef) -> Result<PolicyId, DirectoryError> {
    match (find_policy(draft, reference), reference) {
        (Ok(Found::Custom(policy)), _) => Ok(policy.id),
        (Ok(Found::Preset(preset)), _) => Ok(preset.id),
        (Err(_), PolicyRef::Id(id)) if is_referred_to(draft, *id) => Ok(*id),
        (Err(_), _) => Err(policy_not_found(reference)),
    }
}

/// Whether an id is, or was, a policy's.
fn is_referred_to(draft: &Draft<'_>, id: PolicyId) -> bool {
    draft.state.policies.contains_key(&id) || draft.state.uses_policy(id)
}

fn holds(attachments: &[Attachment], policy: PolicyId) -> bool {
    attachments.iter().any(|it| it.policy == policy)
}
