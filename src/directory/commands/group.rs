//! Groups and their members.

use std::sync::Arc;

use super::{find_group, find_principal, find_sub_account};
use crate::directory::attachments::Attachments;
use crate::directory::change::Record;
use crate::directory::command::{
    AddToGroup, CommandResult, CreateGroup, DeleteGroup, RemoveFromGroup, UpdateGroup,
};
use crate::directory::error::{DirectoryError, Noun};
use crate::directory::execute::Draft;
use crate::directory::group::Group;
use crate::directory::id::GroupId;
use crate::directory::name;
use crate::directory::quota::Quota;
use crate::directory::state::{Slot, Tombstone};

pub(super) fn create(
    draft: &mut Draft<'_>,
    command: &CreateGroup,
) -> Result<CommandResult, DirectoryError> {
    let CreateGroup { name, remark } = command;
    let quotas = draft.env.quotas;
    name::check_name(Noun::Group, name, quotas)?;
    name::check_remark(Noun::Group, remark, quotas)?;
    check_free_name(draft, None, name)?;
    let there_would_be = draft.state.live_groups().count().saturating_add(1);
    Quota::GroupsPerAccount.check(quotas.groups_per_account_max, there_would_be)?;
    let id = draft.account()?.next_group_id;
    let Some(next) = id.0.checked_add(1) else {
        return Err(DirectoryError::IdsExhausted { noun: Noun::Group });
    };
    draft.update_account(|account| account.next_group_id = GroupId(next))?;
    let group = Group {
        id,
        name: name.clone(),
        remark: remark.clone(),
        created_at: draft.env.now,
        attachments: Attachments::default(),
    };
    draft.put(Record::Group(id, Slot::Live(Arc::new(group))));
    Ok(CommandResult::Group(id))
}

pub(super) fn update(
    draft: &mut Draft<'_>,
    command: &UpdateGroup,
) -> Result<CommandResult, DirectoryError> {
    let UpdateGroup { group, name, remark } = command;
    if name.is_none() && remark.is_none() {
        return Err(DirectoryError::NothingToChange { noun: Noun::Group });
    }
    let mut group = find_group(draft, group)?;
    let changed = Arc::make_mut(&mut group);
    if let Some(name) = name {
        name::check_name(Noun::Group, name, draft.env.quotas)?;
        check_free_name(draft, Some(changed.id), name)?;
        changed.name.clone_from(name);
    }
    if let Some(remark) = remark {
        name::check_remark(Noun::Group, remark, draft.env.quotas)?;
        changed.remark.clone_from(remark);
    }
    draft.put(Record::Group(group.id, Slot::Live(group)));
    Ok(CommandResult::Done)
}

pub(super) fn delete(
    draft: &mut Draft<'_>,
    command: &DeleteGroup,
) -> Result<CommandResult, DirectoryError> {
    let group = find_group(draft, &command.group)?;
    let members: Vec<_> = draft.state.members(group.id).cloned().collect();
    let is_in_use = !members.is_empty() || !group.attachments.is_empty();
    if is_in_use && !command.force {
        return Err(DirectoryError::GroupInUse {
            name: group.name.clone(),
            members: members.len(),
            policies: group.attachments.len(),
        });
    }
    for mut member in members {
        Arc::make_mut(&mut member).groups.retain(|id| *id != group.id);
        draft.put(Record::SubAccount(member));
    }
    let tombstone = Tombstone { name: group.name.clone(), deleted_at: draft.env.now };
    draft.put(Record::Group(group.id, Slot::Deleted(Arc::new(tombstone))));
    Ok(CommandResult::Done)
}

pub(super) fn add(
    draft: &mut Draft<'_>,
    command: &AddToGroup,
) -> Result<CommandResult, DirectoryError> {
    let group = find_group(draft, &command.group)?;
    let mut member = find_principal(draft, command.uin)?;
    if member.groups.contains(&group.id) {
        return Ok(CommandResult::Done);
    }
    let quotas = draft.env.quotas;
    let groups = member.groups.len().saturating_add(1);
    Quota::GroupsPerUser.check(quotas.groups_per_user_max, groups)?;
    let members = draft.state.members(group.id).count().saturating_add(1);
    Quota::UsersPerGroup.check(quotas.users_per_group_max, members)?;
    Arc::make_mut(&mut member).groups.push(group.id);
    draft.put(Record::SubAccount(member));
    Ok(CommandResult::Done)
}

pub(super) fn remove(
    draft: &mut Draft<'_>,
    command: &RemoveFromGroup,
) -> Result<CommandResult, DirectoryError> {
    let group = find_group(draft, &command.group)?;
    let mut member = find_sub_account(draft, command.uin)?;
    if member.groups.contains(&group.id) {
        Arc::make_mut(&mut member).groups.retain(|id| *id != group.id);
        draft.put(Record::SubAccount(member));
    }
    Ok(CommandResult::Done)
}

fn check_free_name(
    draft: &Draft<'_>,
    own: Option<GroupId>,
    name: &str,
) -> Result<(), DirectoryError> {
    match draft.state.group_named(name) {
        Some(other) if Some(other.id) != own => {
            Err(DirectoryError::NameInUse { noun: Noun::Group, name: name.to_owned() })
        }
        Some(_) | None => Ok(()),
    }
}
