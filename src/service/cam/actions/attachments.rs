//! Policies attached to users, groups and roles: attach, detach, list.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::not_found;
use super::objects::{AnyPolicy, any_policy, attached, time};
use super::policies::{keyword, named_policy};
use super::{Look, fields, look, no_such, not_built, page, write};
use crate::directory::{
    AccountState, AttachPolicy, Attachment, Command, DetachPolicy, Group, GroupId, Noun, PolicyId,
    PolicyRef, Role, RoleId, RoleRef, SubAccount, Target,
};
use crate::node::NodeError;
use crate::service::cam::Call;
use crate::service::cam::envelope::Done;
use crate::service::cam::error::CamError;
use crate::service::cam::params::Params;

pub(super) async fn run(call: &Call<'_>) -> Result<Done, CamError> {
    let params = &call.params;
    match call.action.name.as_str() {
        "AttachUserPolicy" => {
            let target = Target::User(params.need_number("AttachUin")?);
            write(call, |_| Ok(vec![attach(policy(params), target.clone())])).await
        }
        "DetachUserPolicy" => {
            let target = Target::User(params.need_number("DetachUin")?);
            write(call, |_| Ok(vec![detach(policy(params), target.clone())])).await
        }
        "AttachGroupPolicy" => {
            let target = Target::Group(GroupId(params.need_number("AttachGroupId")?).into());
            write(call, |_| Ok(vec![attach(policy(params), target.clone())])).await
        }
        "DetachGroupPolicy" => {
            let target = Target::Group(GroupId(params.need_number("DetachGroupId")?).into());
            write(call, |_| Ok(vec![detach(policy(params), target.clone())])).await
        }
        "AttachRolePolicy" => {
            let commands = |state: &AccountState| {
                let role = named_role(params, state, "AttachRoleId", "AttachRoleName")?;
                Ok(vec![attach(named_policy(params, state)?, Target::Role(role))])
            };
            write(call, commands).await
        }
        "DetachRolePolicy" => {
            let commands = |state: &AccountState| {
                let role = named_role(params, state, "DetachRoleId", "DetachRoleName")?;
                Ok(vec![detach(named_policy(params, state)?, Target::Role(role))])
            };
            write(call, commands).await
        }
        "ListAttachedUserPolicies" => list_of_user(call).await,
        "ListAttachedUserAllPolicies" => list_all_of_user(call).await,
        "ListAttachedGroupPolicies" => list_of_group(call).await,
        "ListAttachedRolePolicies" => list_of_role(call).await,
        _ => Err(not_built(call)),
    }
}

fn policy(params: &Params) -> PolicyRef {
    PolicyId(params.number("PolicyId").unwrap_or_default()).into()
}

fn attach(policy: PolicyRef, target: Target) -> Command {
    Command::AttachPolicy(AttachPolicy { policy, target })
}

fn detach(policy: PolicyRef, target: Target) -> Command {
    Command::DetachPolicy(DetachPolicy { policy, target })
}

/// The role that a call names by id, by name, or by both when they agree. By id alone it is for the
/// command to find, so that of two faults every protocol tells the same.
pub(super) fn named_role(
    params: &Params,
    state: &AccountState,
    id_field: &str,
    name_field: &str,
) -> Result<RoleRef, NodeError> {
    if !params.has(name_field)
        && let Some(id) = role_id(params, id_field)
    {
        return Ok(id.into());
    }
    find_role(params, state, id_field, name_field).map(|role| role.id.into())
}

/// A role's id, which comes as text or as a number, depending on the action.
fn role_id(params: &Params, field: &str) -> Option<RoleId> {
    let parsed = params.text(field).and_then(|text| text.parse().ok());
    parsed.or_else(|| params.number(field)).map(RoleId)
}

/// The role itself.
pub(super) fn find_role<'a>(
    params: &Params,
    state: &'a AccountState,
    id_field: &str,
    name_field: &str,
) -> Result<&'a Role, NodeError> {
    let name = params.text(name_field);
    let text = params.text(id_field).map(str::to_owned);
    let id = text.or_else(|| params.number(id_field).map(|it| it.to_string()));
    let found = match (&id, name) {
        (Some(id), _) => id.parse().ok().and_then(|id| state.role(RoleId(id))),
        (None, Some(name)) => state.role_named(name),
        (None, None) => None,
    };
    let found = found.filter(|role| name.is_none_or(|name| role.name == name));
    let shown = || id.clone().or_else(|| name.map(str::to_owned)).unwrap_or_default();
    found.map(|role| &**role).ok_or_else(|| not_found(Noun::Role, shown()))
}

pub(super) fn find_user(state: &AccountState, uin: u64) -> Result<&SubAccount, CamError> {
    state.sub_account(uin).map(|it| &**it).ok_or_else(|| no_such(Noun::SubAccount, uin))
}

pub(super) fn find_group(state: &AccountState, id: u64) -> Result<&Group, CamError> {
    let id = GroupId(id);
    state.group(id).map(|it| &**it).ok_or_else(|| no_such(Noun::Group, id))
}

/// The policies of attachments, in the order of attaching; what is gone means nothing.
fn policies<'a>(
    look: &'a Look,
    attachments: &'a [Attachment],
    keyword: &'a str,
) -> impl Iterator<Item = (AnyPolicy<'a>, &'a Attachment)> {
    attachments
        .iter()
        .filter_map(|it| Some((any_policy(look.state(), look.presets(), it.policy)?, it)))
        .filter(move |(policy, _)| policy.name().contains(keyword))
}

async fn list_of_user(call: &Call<'_>) -> Result<Done, CamError> {
    let uin = call.params.need_number("TargetUin")?;
    let look = look(call).await?;
    let user = find_user(look.state(), uin)?;
    let found = policies(&look, &user.attachments, "").map(|(policy, at)| attached(&policy, at));
    let (total, found) = page(&call.params, found.collect());
    let fields = fields(json!({"TotalNum": total, "List": found}));
    Ok(look.done(fields))
}

async fn list_of_group(call: &Call<'_>) -> Result<Done, CamError> {
    let id = call.params.need_number("TargetGroupId")?;
    let keyword = keyword(&call.params)?;
    let look = look(call).await?;
    let group = find_group(look.state(), id)?;
    let found =
        policies(&look, &group.attachments, keyword).map(|(policy, at)| attached(&policy, at));
    let (total, found) = page(&call.params, found.collect());
    let fields = fields(json!({"TotalNum": total, "List": found}));
    Ok(look.done(fields))
}

async fn list_of_role(call: &Call<'_>) -> Result<Done, CamError> {
    let keyword = keyword(&call.params)?;
    let wanted = call.params.text("PolicyType").filter(|it| !it.is_empty());
    let look = look(call).await?;
    let role = find_role(&call.params, look.state(), "RoleId", "RoleName")
        .map_err(crate::service::status::cam)?;
    let found = policies(&look, &role.attachments, keyword)
        .filter(|(policy, _)| wanted.is_none_or(|kind| policy.kind_word() == kind))
        .map(|(policy, at)| {
            json!({
                "PolicyId": policy.id().0,
                "PolicyName": policy.name(),
                "AddTime": time(at.attached_at),
                "PolicyType": policy.kind_word(),
                "CreateMode": policy.create_mode(),
                "Deactived": 0,
                "DeactivedDetail": [],
                "Description": policy.description(),
            })
        });
    let (total, found) = page(&call.params, found.collect());
    let fields = fields(json!({"TotalNum": total, "List": found}));
    Ok(look.done(fields))
}

/// One policy of a user: since when directly, and through which groups.
#[derive(Default)]
struct Held<'a> {
    direct: Option<&'a Attachment>,
    first: Option<&'a Attachment>,
    groups: Vec<&'a Group>,
}

async fn list_all_of_user(call: &Call<'_>) -> Result<Done, CamError> {
    let params = &call.params;
    let uin = params.need_number("TargetUin")?;
    let keyword = keyword(params)?;
    let (reach, kind) = (params.number("AttachType"), params.number("StrategyType"));
    let look = look(call).await?;
    let state = look.state();
    let user = find_user(state, uin)?;
    let mut held: BTreeMap<PolicyId, Held<'_>> = BTreeMap::new();
    for attachment in user.attachments.iter().filter(|_| reach != Some(2)) {
        let held = held.entry(attachment.policy).or_default();
        (held.direct, held.first) = (Some(attachment), Some(attachment));
    }
    let groups = user.groups.iter().filter(|_| reach != Some(1));
    for group in groups.filter_map(|id| state.group(*id)) {
        for attachment in &group.attachments {
            let held = held.entry(attachment.policy).or_default();
            held.first = held.first.or(Some(attachment));
            held.groups.push(group);
        }
    }
    let found = held.iter().filter_map(|(id, held)| {
        let policy = any_policy(state, look.presets(), *id)?;
        let is_wanted =
            policy.name().contains(keyword) && kind.is_none_or(|kind| policy.kind() == kind);
        is_wanted.then(|| attached_user_policy(&policy, held))
    });
    let (total, found) = page(params, found.collect());
    let fields = fields(json!({"PolicyList": found, "TotalNum": total}));
    Ok(look.done(fields))
}

/// `AttachedUserPolicy`, whose numbers are texts.
fn attached_user_policy(policy: &AnyPolicy<'_>, held: &Held<'_>) -> Value {
    let group = |it: &&Group| json!({"GroupId": it.id.0, "GroupName": it.name});
    json!({
        "PolicyId": policy.id().0.to_string(),
        "PolicyName": policy.name(),
        "Description": policy.description(),
        "AddTime": held.first.map(|it| time(it.attached_at)).unwrap_or_default(),
        "StrategyType": policy.kind().to_string(),
        "CreateMode": policy.create_mode().to_string(),
        "Groups": held.groups.iter().map(group).collect::<Vec<_>>(),
        "Deactived": 0,
        "DeactivedDetail": [],
    })
}
