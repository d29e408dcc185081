//! The difference between a state and a folder, as steps. Families in turn: account, sub-accounts,
//! groups, policies, apps; what they hold is compared in `holdings`.

use std::collections::BTreeMap;

use super::effects::World;
use super::plan::{Phase, PlanError, PlanOptions, Steps, Widening};
use super::{Folder, holdings, rename};
use crate::directory::app::App;
use crate::directory::command::{
    Command, CreateAccount, CreateApp, CreateGroup, CreatePolicy, CreatePolicyVersion,
    CreateSubAccount, DeleteApp, DeleteGroup, DeletePolicy, DeletePolicyVersion, DeleteSubAccount,
    GroupRef, PolicyRef, UpdateApp, UpdateGroup, UpdatePolicy, UpdateSubAccount,
};
use crate::directory::execute::Env;
use crate::directory::policy::Policy;
use crate::directory::state::AccountState;
use crate::directory::sub_account::Profile;

/// The steps, and the sub-accounts that are left alone.
type Difference = (Steps, Vec<(u64, String)>);

pub(super) fn diff(
    folder: &Folder,
    state: &AccountState,
    env: &Env<'_>,
    options: PlanOptions,
) -> Result<Difference, PlanError> {
    let world = World { folder, state, env };
    let mut steps = Steps::default();
    account(world, &mut steps)?;
    let unmanaged = prune(world, options, &mut steps);
    sub_accounts(world, &mut steps)?;
    groups(world, &mut steps);
    policies(world, &mut steps);
    apps(world, &mut steps);
    holdings::groups(world, &mut steps)?;
    holdings::sub_accounts(world, options, &mut steps)?;
    holdings::roles(world, &mut steps);
    Ok((steps, unmanaged))
}

fn account(world: World<'_>, steps: &mut Steps) -> Result<(), PlanError> {
    let owner = world.folder.owner;
    match world.state.owner() {
        Some(state) if state == owner => {}
        Some(state) => return Err(PlanError::OtherAccount { folder: owner, state }),
        None => {
            let command = Command::CreateAccount(CreateAccount { owner });
            let summary = format!("create account {} with APPID {}", owner.uin, owner.app_id);
            steps.push(Phase::Prune, Widening::Neutral, command, summary);
        }
    }
    Ok(())
}

fn prune(world: World<'_>, options: PlanOptions, steps: &mut Steps) -> Vec<(u64, String)> {
    let mut unmanaged = Vec::new();
    for user in world.state.sub_accounts.values() {
        let uin = user.uin;
        if world.folder.sub_accounts.contains_key(&uin) {
            continue;
        }
        if options.prune {
            // Keys are none of a folder's business: one who has some is not deleted.
            let delete = DeleteSubAccount { uin, force: true, delete_keys: false };
            let command = Command::DeleteSubAccount(delete);
            let summary = format!("delete sub-account `{}` ({uin})", user.name);
            steps.push(Phase::Prune, Widening::Narrows, command, summary);
        } else {
            unmanaged.push((uin, user.name.to_string()));
        }
    }
    unmanaged
}

fn sub_accounts(world: World<'_>, steps: &mut Steps) -> Result<(), PlanError> {
    let (phase, neutral) = (Phase::Prepare, Widening::Neutral);
    let mut renames = BTreeMap::new();
    for (uin, wanted) in &world.folder.sub_accounts {
        let Some(user) = world.state.sub_account(*uin) else { continue };
        if user.kind != wanted.kind {
            let (found, wanted) = (user.kind.as_str(), wanted.kind.as_str());
            return Err(PlanError::OtherKind { uin: *uin, found, wanted });
        }
        if *user.name != *wanted.name {
            renames.insert(*uin, wanted.name.clone());
        }
        if *user.remark != *wanted.remark {
            let remark = Some(wanted.remark.clone());
            let command = UpdateSubAccount { uin: *uin, remark, ..Default::default() };
            let summary = format!("change the remark of sub-account `{}` ({uin})", wanted.name);
            steps.push(phase, neutral, Command::UpdateSubAccount(command), summary);
        }
    }
    let names = world.state.sub_accounts.values().map(|it| (it.uin, it.name.to_string())).collect();
    for (uin, name) in rename::order(&names, renames) {
        let summary = format!("rename sub-account {uin} to `{name}`");
        let command = UpdateSubAccount { uin, name: Some(name), ..Default::default() };
        steps.push(phase, neutral, Command::UpdateSubAccount(command), summary);
    }
    for (uin, wanted) in &world.folder.sub_accounts {
        if world.state.sub_account(*uin).is_none() {
            let (name, kind) = (wanted.name.clone(), wanted.kind);
            let summary = format!("create {} `{name}` ({uin})", kind.as_str());
            let remark = wanted.remark.clone();
            let profile = Profile::default();
            let command = CreateSubAccount { uin: *uin, name, kind, remark, profile };
            steps.push(phase, neutral, Command::CreateSubAccount(command), summary);
        }
    }
    Ok(())
}

fn groups(world: World<'_>, steps: &mut Steps) {
    let (phase, neutral) = (Phase::Prepare, Widening::Neutral);
    for (name, wanted) in &world.folder.groups {
        let remark = wanted.remark.clone();
        match world.state.group_named(name) {
            None => {
                let command = Command::CreateGroup(CreateGroup { name: name.clone(), remark });
                steps.push(phase, neutral, command, format!("create group `{name}`"));
            }
            Some(group) if group.remark != remark => {
                let group = GroupRef::Name(name.clone());
                let command = UpdateGroup { group, name: None, remark: Some(remark) };
                let summary = format!("change the remark of group `{name}`");
                steps.push(phase, neutral, Command::UpdateGroup(command), summary);
            }
            Some(_) => {}
        }
    }
    for group in world.state.live_groups() {
        if !world.folder.groups.contains_key(&group.name) {
            // Nobody is in it any more when this step is taken, so its policies bind nobody.
            let reference = GroupRef::Name(group.name.clone());
            let command = Command::DeleteGroup(DeleteGroup { group: reference, force: true });
            steps.push(Phase::CleanUp, neutral, command, format!("delete group `{}`", group.name));
        }
    }
}

fn policies(world: World<'_>, steps: &mut Steps) {
    let neutral = Widening::Neutral;
    for (name, document) in &world.folder.policies {
        let description = world.folder.descriptions.get(name);
        let Some(policy) = world.state.policy_named(name) else {
            let (name, document) = (name.clone(), document.clone());
            let summary = format!("create policy `{name}`");
            let description = description.cloned().unwrap_or_default();
            let command = CreatePolicy { name, description, document, tags: BTreeMap::new() };
            steps.push(Phase::Prepare, neutral, Command::CreatePolicy(command), summary);
            continue;
        };
        let version = world.state.default_version(policy.id);
        if version.is_none_or(|version| version.body.bytes() != bare(document)) {
            new_version(world, policy, document, steps);
        }
        if let Some(description) = description.filter(|it| **it != policy.description) {
            let (policy, description) = (PolicyRef::Name(name.clone()), Some(description.clone()));
            let command = UpdatePolicy { policy, description, document: None };
            let summary = format!("change the description of policy `{name}`");
            steps.push(Phase::Prepare, neutral, Command::UpdatePolicy(command), summary);
        }
    }
    for policy in world.state.live_policies() {
        if !world.folder.policies.contains_key(&policy.name) {
            let name = policy.name.clone();
            let summary = format!("delete policy `{name}`");
            let command = DeletePolicy { policy: PolicyRef::Name(name), force: false };
            steps.push(Phase::CleanUp, neutral, Command::DeletePolicy(command), summary);
        }
    }
}

/// Gives a policy its new document as a new default version; the oldest other version makes room.
fn new_version(world: World<'_>, policy: &Policy, document: &[u8], steps: &mut Steps) {
    let name = &policy.name;
    let (phase, widening) = match world.state.uses_policy(policy.id) {
        true => (Phase::Widen, Widening::Widens),
        false => (Phase::Prepare, Widening::Neutral),
    };
    let versions: Vec<_> = world.state.versions_of(policy.id).map(|it| it.number).collect();
    if versions.len() >= world.env.quotas.versions_per_policy_max
        && let Some(oldest) = versions.iter().find(|number| **number != policy.default_version)
    {
        let policy = PolicyRef::Name(name.clone());
        let command = DeletePolicyVersion { policy, version: *oldest };
        let summary = format!("delete version {oldest} of policy `{name}`");
        steps.push(phase, Widening::Neutral, Command::DeletePolicyVersion(command), summary);
    }
    let reference = PolicyRef::Name(name.clone());
    let document = document.to_vec();
    let command = CreatePolicyVersion { policy: reference, document, set_default: true };
    let summary = format!("give policy `{name}` a new default version");
    steps.push(phase, widening, Command::CreatePolicyVersion(command), summary);
}

/// The bytes that are kept of a document: without the wrapper that may stand around it (rule L-09).
fn bare(document: &[u8]) -> Vec<u8> {
    crate::directory::policy::PolicyBody::load(document).bytes().to_vec()
}

fn apps(world: World<'_>, steps: &mut Steps) {
    for (sdkappid, wanted) in &world.folder.apps {
        let (sdkappid, name, tags) = (*sdkappid, wanted.name.clone(), wanted.tags.clone());
        let Some(app) = world.state.apps.get(&sdkappid) else {
            let summary = format!("register app {sdkappid} (`{name}`)");
            let command = Command::CreateApp(CreateApp { sdkappid, name, tags });
            steps.push(Phase::Widen, Widening::Widens, command, summary);
            continue;
        };
        let App { name: old_name, tags: old_tags, .. } = &**app;
        if *old_name != name {
            let summary = format!("rename app {sdkappid} to `{name}`");
            let command = UpdateApp { sdkappid, name: Some(name), tags: None };
            steps.push(Phase::Prepare, Widening::Neutral, Command::UpdateApp(command), summary);
        }
        if *old_tags != tags {
            let summary = format!("change the tags of app {sdkappid}");
            let command = UpdateApp { sdkappid, name: None, tags: Some(tags) };
            steps.push(Phase::Widen, Widening::Widens, Command::UpdateApp(command), summary);
        }
    }
    for app in world.state.apps.values() {
        if !world.folder.apps.contains_key(&app.sdkappid) {
            let command = Command::DeleteApp(DeleteApp { sdkappid: app.sdkappid });
            let summary = format!("forget app {} (`{}`)", app.sdkappid, app.name);
            steps.push(Phase::Narrow, Widening::Narrows, command, summary);
        }
    }
}
