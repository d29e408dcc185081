//! What groups and sub-accounts hold: attachments, memberships and boundaries, compared as sets.

use super::effects::{Effects, Named, World};
use super::plan::{Phase, PlanError, PlanOptions, Steps, Widening};
use super::{FolderGroup, FolderSubAccount};
use crate::directory::command::{
    AddToGroup, AttachPolicy, BoundaryTarget, Command, DeleteBoundary, DetachPolicy, GroupRef,
    PolicyRef, PutBoundary, RemoveFromGroup, RoleRef, Target,
};
use crate::directory::sub_account::{Attachment, SubAccount};

pub(super) fn groups(world: World<'_>, steps: &mut Steps) -> Result<(), PlanError> {
    for (name, group) in &world.folder.groups {
        let stored = world.state.group_named(name).map(|it| &*it.attachments);
        let whose = format!("the group `{name}`");
        let target = Target::Group(GroupRef::Name(name.clone()));
        let wanted = wanted(world, &whose, &group.policies)?;
        attachments(world, &whose, &target, stored.unwrap_or_default(), &wanted, steps);
    }
    Ok(())
}

pub(super) fn sub_accounts(
    world: World<'_>,
    options: PlanOptions,
    steps: &mut Steps,
) -> Result<(), PlanError> {
    for (uin, user) in &world.folder.sub_accounts {
        let stored = world.state.sub_account(*uin).map(|it| &**it);
        let whose = format!("the sub-account `{}` ({uin})", user.name);
        let held = stored.map(|it| &*it.attachments).unwrap_or_default();
        let wanted = wanted(world, &whose, &user.policies)?;
        attachments(world, &whose, &Target::User(*uin), held, &wanted, steps);
        memberships(world, *uin, &whose, stored, user, steps);
        boundary(world, *uin, &whose, stored, user, steps)?;
    }
    if !options.prune {
        unmanaged(world, steps);
    }
    Ok(())
}

/// The folder's names as policies.
fn wanted(world: World<'_>, whose: &str, names: &[String]) -> Result<Vec<Named>, PlanError> {
    let find = |name: &String| world.wanted(name).ok_or_else(|| unknown_policy(whose, name));
    names.iter().map(find).collect()
}

fn unknown_policy(whose: &str, name: &str) -> PlanError {
    PlanError::UnknownPolicy { whose: whose.to_owned(), name: name.to_owned() }
}

fn reference(policy: &Named) -> PolicyRef {
    match policy {
        Named::Custom(name) => PolicyRef::Name(name.clone()),
        Named::Preset(id) | Named::Gone(id) => PolicyRef::Id(*id),
    }
}

fn attachments(
    world: World<'_>,
    whose: &str,
    target: &Target,
    stored: &[Attachment],
    wanted: &[Named],
    steps: &mut Steps,
) {
    let held: Vec<Named> = stored.iter().map(|it| world.named(it.policy)).collect();
    for policy in held.iter().filter(|policy| !wanted.contains(policy)) {
        detach(world, whose, target, policy, steps);
    }
    for policy in wanted.iter().filter(|policy| !held.contains(policy)) {
        let (phase, widening) = world.effects(policy).gained();
        let command = AttachPolicy { policy: reference(policy), target: target.clone() };
        let summary = format!("attach policy `{}` to {whose}", world.shown(policy));
        steps.push(phase, widening, Command::AttachPolicy(command), summary);
    }
}

fn detach(world: World<'_>, whose: &str, target: &Target, policy: &Named, steps: &mut Steps) {
    let (phase, widening) = world.effects(policy).lost();
    let command = DetachPolicy { policy: reference(policy), target: target.clone() };
    let summary = format!("detach policy `{}` from {whose}", world.shown(policy));
    steps.push(phase, widening, Command::DetachPolicy(command), summary);
}

fn memberships(
    world: World<'_>,
    uin: u64,
    whose: &str,
    stored: Option<&SubAccount>,
    user: &FolderSubAccount,
    steps: &mut Steps,
) {
    let held = group_names(world, stored);
    for name in held.iter().filter(|name| !user.groups.contains(name)) {
        leave(world, uin, whose, name, steps);
    }
    for name in user.groups.iter().filter(|name| !held.contains(name)) {
        let (phase, widening) = group_effects(world, name).gained();
        let command = AddToGroup { group: GroupRef::Name(name.clone()), uin };
        let summary = format!("add {whose} to group `{name}`");
        steps.push(phase, widening, Command::AddToGroup(command), summary);
    }
}

fn leave(world: World<'_>, uin: u64, whose: &str, name: &str, steps: &mut Steps) {
    let (phase, widening) = group_effects(world, name).lost();
    let command = RemoveFromGroup { group: GroupRef::Name(name.to_owned()), uin };
    let summary = format!("remove {whose} from group `{name}`");
    steps.push(phase, widening, Command::RemoveFromGroup(command), summary);
}

fn group_names(world: World<'_>, user: Option<&SubAccount>) -> Vec<String> {
    let groups = user.map(|it| it.groups.as_slice()).unwrap_or_default();
    let names = groups.iter().filter_map(|id| world.state.group(*id));
    names.map(|group| group.name.clone()).collect()
}

/// What a group's policies can do, as they are and as they will be.
fn group_effects(world: World<'_>, name: &str) -> Effects {
    let stored = world.state.group_named(name).map(|it| world.stored_effects(&it.attachments));
    let FolderGroup { policies, .. } = match world.folder.groups.get(name) {
        Some(group) => group,
        None => return stored.unwrap_or_default(),
    };
    let wanted = policies.iter().filter_map(|name| world.wanted(name));
    let wanted = wanted.map(|policy| world.effects(&policy));
    wanted.fold(stored.unwrap_or_default(), Effects::or)
}

fn boundary(
    world: World<'_>,
    uin: u64,
    whose: &str,
    stored: Option<&SubAccount>,
    user: &FolderSubAccount,
    steps: &mut Steps,
) -> Result<(), PlanError> {
    let held = stored.and_then(|it| it.boundary).map(|id| world.named(id));
    let Some(name) = &user.boundary else {
        if held.is_some() {
            let command =
                Command::DeleteBoundary(DeleteBoundary { target: BoundaryTarget::User(uin) });
            let summary = format!("take the boundary of {whose} away");
            steps.push(Phase::Widen, Widening::Widens, command, summary);
        }
        return Ok(());
    };
    let wanted = world.wanted(name).ok_or_else(|| unknown_policy(whose, name))?;
    if held.as_ref() == Some(&wanted) {
        return Ok(());
    }
    let (phase, widening) = match held {
        None => (Phase::Narrow, Widening::Narrows),
        Some(_) => (Phase::Widen, Widening::Widens),
    };
    let target = BoundaryTarget::User(uin);
    let command = Command::PutBoundary(PutBoundary { target, policy: reference(&wanted) });
    steps.push(phase, widening, command, format!("set the boundary of {whose} to `{name}`"));
    Ok(())
}

/// Roles keep what they have, but for what is deleted; folders say nothing about them. A policy
/// that is a role's boundary is not taken off, so that its deletion is refused.
pub(super) fn roles(world: World<'_>, steps: &mut Steps) {
    for role in world.state.roles.values() {
        let whose = format!("the role `{}`", role.name);
        for attachment in &role.attachments {
            let policy = world.named(attachment.policy);
            if let Named::Custom(name) = &policy
                && !world.folder.policies.contains_key(name)
            {
                let target = Target::Role(RoleRef::Id(role.id));
                detach(world, &whose, &target, &policy, steps);
            }
        }
    }
}

/// Sub-accounts that the folder does not name keep what they have, but for what is deleted.
fn unmanaged(world: World<'_>, steps: &mut Steps) {
    for user in world.state.sub_accounts.values() {
        if world.folder.sub_accounts.contains_key(&user.uin) {
            continue;
        }
        let whose = format!("the sub-account `{}` ({})", user.name, user.uin);
        for attachment in &user.attachments {
            let policy = world.named(attachment.policy);
            if let Named::Custom(name) = &policy
                && !world.folder.policies.contains_key(name)
            {
                detach(world, &whose, &Target::User(user.uin), &policy, steps);
            }
        }
        for name in group_names(world, Some(user)) {
            if !world.folder.groups.contains_key(&name) {
                leave(world, user.uin, &whose, &name, steps);
            }
        }
    }
}
