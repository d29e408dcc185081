//! From commands to the call of the CAM API that asks for them: the one table of how it differs.
//!
//! | command | call |
//! |---|---|
//! | create an account, an app, a sub-account of a given uin; rename a sub-account | none |
//! | delete a user, a group, a role without force | none: the API always forces |
//! | delete a policy by force | none: the API never forces |
//! | describe a key, switch a role's console login, change two things of a role | none |
//! | create a user, and a key for it | `AddUser` with `UseApi` |
//! | delete some policies | `DeletePolicy` with several ids |
//! | put users into groups, take them out | `AddUserToGroup`, `RemoveUserFromGroup` with several |
//! | anything about a user's profile, or its end | named by name; a stranger's is `nobody` |
//! | anything about a key | with its holder |
//!
//! What has no call is asked of the same server by gRPC.

use std::collections::BTreeMap;

use camgate::directory::{
    AccountState, AttachPolicy, BoundaryTarget, Command, CreateRole, CreateSubAccount,
    DetachPolicy, GroupRef, PolicyRef, RoleRef, SecretId, SubAccountKind, Target, UpdateRole,
    UpdateSubAccount,
};
use serde_json::{Value, json};

use super::model::is_allotted;
use super::server::PASSWORD;
use crate::directory::OWNER;

/// An action and its parameters.
type Call = (&'static str, Value);

fn policy(policy: &PolicyRef) -> u64 {
    if let PolicyRef::Id(id) = policy { id.0 } else { panic!("{policy:?} is not by id") }
}

fn group(group: &GroupRef) -> u64 {
    if let GroupRef::Id(id) = group { id.0 } else { panic!("{group:?} is not by id") }
}

fn role(role: &RoleRef) -> u64 {
    if let RoleRef::Id(id) = role { id.0 } else { panic!("{role:?} is not by id") }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn tags(tags: &BTreeMap<String, String>) -> Value {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

fn name(state: &AccountState, uin: u64) -> &str {
    state.sub_account(uin).map_or("nobody", |it| &it.name)
}

fn holder(state: &AccountState, id: SecretId) -> u64 {
    state.access_key(id).map_or(OWNER.uin, |it| it.holder)
}

/// An object without the members that are null.
fn given(value: Value) -> Value {
    let Value::Object(mut members) = value else { panic!("{value} is no object") };
    members.retain(|_, value| !value.is_null());
    Value::Object(members)
}

/// The call for a step on an account as it is; none when the API has none.
pub(super) fn call(step: &[Command], state: &AccountState) -> Option<Call> {
    let (first, others) = step.split_first().unwrap();
    if others.is_empty() { one(first, state) } else { Some(several(first, step)) }
}

/// The call for several commands at once.
fn several(first: &Command, step: &[Command]) -> Call {
    if let Command::CreateSubAccount(it) = first {
        let (action, mut params) = add_user(it).unwrap();
        params["UseApi"] = json!(1);
        return (action, params);
    }
    let ids = step.iter().filter_map(|it| {
        if let Command::DeletePolicy(it) = it { Some(policy(&it.policy)) } else { None }
    });
    let ids: Vec<u64> = ids.collect();
    if !ids.is_empty() {
        return ("DeletePolicy", json!({"PolicyId": ids}));
    }
    let member = |(group_id, uin)| json!({"GroupId": group_id, "Uin": uin});
    let added = step.iter().filter_map(|it| {
        if let Command::AddToGroup(it) = it { Some((group(&it.group), it.uin)) } else { None }
    });
    let added: Vec<Value> = added.map(member).collect();
    if !added.is_empty() {
        return ("AddUserToGroup", json!({"Info": added}));
    }
    let removed = step.iter().filter_map(|it| {
        if let Command::RemoveFromGroup(it) = it { Some((group(&it.group), it.uin)) } else { None }
    });
    ("RemoveUserFromGroup", json!({"Info": removed.map(member).collect::<Vec<_>>()}))
}

fn one(command: &Command, state: &AccountState) -> Option<Call> {
    Some(match command {
        Command::CreateAccount(_)
        | Command::CreateApp(_)
        | Command::UpdateApp(_)
        | Command::DeleteApp(_) => return None,
        Command::CreateSubAccount(it) => return add_user(it),
        Command::UpdateSubAccount(it) => return update_user(it, state),
        Command::DeleteSubAccount(it) if it.force => {
            let params = json!({"Name": name(state, it.uin), "Force": u8::from(it.delete_keys)});
            ("DeleteUser", params)
        }
        Command::CreateGroup(it) => {
            ("CreateGroup", json!({"GroupName": it.name, "Remark": it.remark}))
        }
        Command::UpdateGroup(it) => {
            let id = group(&it.group);
            let params = json!({"GroupId": id, "GroupName": it.name, "Remark": it.remark});
            ("UpdateGroup", given(params))
        }
        Command::DeleteGroup(it) if it.force => {
            ("DeleteGroup", json!({"GroupId": group(&it.group)}))
        }
        Command::AddToGroup(it) => {
            let member = json!({"GroupId": group(&it.group), "Uin": it.uin});
            ("AddUserToGroup", json!({"Info": [member]}))
        }
        Command::RemoveFromGroup(it) => {
            let member = json!({"GroupId": group(&it.group), "Uin": it.uin});
            ("RemoveUserFromGroup", json!({"Info": [member]}))
        }
        Command::CreatePolicy(_)
        | Command::UpdatePolicy(_)
        | Command::CreatePolicyVersion(_)
        | Command::SetDefaultPolicyVersion(_)
        | Command::DeletePolicyVersion(_)
        | Command::DeletePolicy(_) => return policies(command),
        Command::AttachPolicy(it) => attach(it),
        Command::DetachPolicy(it) => detach(it),
        Command::PutBoundary(it) => put_boundary(policy(&it.policy), &it.target),
        Command::DeleteBoundary(it) => delete_boundary(&it.target),
        Command::CreateRole(it) => create_role(it),
        Command::UpdateRole(it) => return update_role(it),
        Command::DeleteRole(it) if it.force => {
            ("DeleteRole", json!({"RoleId": role(&it.role).to_string()}))
        }
        Command::TagRole(it) => {
            let params = json!({"RoleId": role(&it.role).to_string(), "Tags": tags(&it.tags)});
            ("TagRole", params)
        }
        Command::UntagRole(it) => {
            ("UntagRole", json!({"RoleId": role(&it.role).to_string(), "TagKeys": it.keys}))
        }
        Command::CreateAccessKey(_) | Command::UpdateAccessKey(_) | Command::DeleteAccessKey(_) => {
            return keys(command, state);
        }
        Command::DeleteSubAccount(_) | Command::DeleteGroup(_) | Command::DeleteRole(_) => {
            return None;
        }
    })
}

fn keys(command: &Command, state: &AccountState) -> Option<Call> {
    if let Command::CreateAccessKey(it) = command {
        let params = json!({"TargetUin": it.holder, "Description": it.description});
        return Some(("CreateAccessKey", params));
    }
    if let Command::UpdateAccessKey(it) = command {
        let (id, holder) = (it.secret_id, holder(state, it.secret_id));
        let status = it.status.filter(|_| it.description.is_none())?.as_str();
        let params = json!({"AccessKeyId": id.as_str(), "Status": status, "TargetUin": holder});
        return Some(("UpdateAccessKey", params));
    }
    let Command::DeleteAccessKey(it) = command else { panic!("{command:?}") };
    let (id, holder) = (it.secret_id, holder(state, it.secret_id));
    Some(("DeleteAccessKey", json!({"AccessKeyId": id.as_str(), "TargetUin": holder})))
}

fn add_user(it: &CreateSubAccount) -> Option<Call> {
    let profile = &it.profile;
    let params = json!({
        "Name": it.name,
        "Remark": it.remark,
        "ConsoleLogin": u8::from(profile.console_login),
        "Password": profile.password_hash.as_ref().map(|_| PASSWORD),
        "NeedResetPassword": u8::from(profile.need_reset_password),
        "PhoneNum": profile.phone_num,
        "CountryCode": profile.country_code,
        "Email": profile.email,
    });
    let has_call = it.kind == SubAccountKind::SubUser && is_allotted(it.uin);
    has_call.then(|| ("AddUser", given(params)))
}

fn update_user(it: &UpdateSubAccount, state: &AccountState) -> Option<Call> {
    let profile = &it.profile;
    let params = json!({
        "Name": name(state, it.uin),
        "Remark": it.remark,
        "ConsoleLogin": profile.console_login.map(u8::from),
        "Password": profile.password_hash.as_ref().map(|_| PASSWORD),
        "NeedResetPassword": profile.need_reset_password.map(u8::from),
        "PhoneNum": profile.phone_num,
        "CountryCode": profile.country_code,
        "Email": profile.email,
    });
    it.name.is_none().then(|| ("UpdateUser", given(params)))
}

fn policies(command: &Command) -> Option<Call> {
    if let Command::CreatePolicy(it) = command {
        let params = json!({
            "PolicyName": it.name,
            "Description": it.description,
            "PolicyDocument": text(&it.document),
            "Tags": tags(&it.tags),
        });
        return Some(("CreatePolicy", params));
    }
    if let Command::UpdatePolicy(it) = command {
        let params = json!({
            "PolicyId": policy(&it.policy),
            "Description": it.description,
            "PolicyDocument": it.document.as_deref().map(text),
        });
        return Some(("UpdatePolicy", given(params)));
    }
    if let Command::CreatePolicyVersion(it) = command {
        let params = json!({
            "PolicyId": policy(&it.policy),
            "PolicyDocument": text(&it.document),
            "SetAsDefault": it.set_default,
        });
        return Some(("CreatePolicyVersion", params));
    }
    if let Command::SetDefaultPolicyVersion(it) = command {
        let params = json!({"PolicyId": policy(&it.policy), "VersionId": it.version.0});
        return Some(("SetDefaultPolicyVersion", params));
    }
    if let Command::DeletePolicyVersion(it) = command {
        let params = json!({"PolicyId": policy(&it.policy), "VersionId": [it.version.0]});
        return Some(("DeletePolicyVersion", params));
    }
    let Command::DeletePolicy(it) = command else { panic!("{command:?}") };
    let params = json!({"PolicyId": [policy(&it.policy)]});
    (!it.force).then_some(("DeletePolicy", params))
}

fn attach(it: &AttachPolicy) -> Call {
    let id = policy(&it.policy);
    match &it.target {
        Target::User(uin) => ("AttachUserPolicy", json!({"PolicyId": id, "AttachUin": uin})),
        Target::Group(it) => {
            ("AttachGroupPolicy", json!({"PolicyId": id, "AttachGroupId": group(it)}))
        }
        Target::Role(it) => {
            let role = role(it).to_string();
            ("AttachRolePolicy", json!({"PolicyId": id, "AttachRoleId": role}))
        }
    }
}

fn detach(it: &DetachPolicy) -> Call {
    let id = policy(&it.policy);
    match &it.target {
        Target::User(uin) => ("DetachUserPolicy", json!({"PolicyId": id, "DetachUin": uin})),
        Target::Group(it) => {
            ("DetachGroupPolicy", json!({"PolicyId": id, "DetachGroupId": group(it)}))
        }
        Target::Role(it) => {
            let role = role(it).to_string();
            ("DetachRolePolicy", json!({"PolicyId": id, "DetachRoleId": role}))
        }
    }
}

fn put_boundary(id: u64, target: &BoundaryTarget) -> Call {
    match target {
        BoundaryTarget::User(uin) => {
            ("PutUserPermissionsBoundary", json!({"PolicyId": id, "TargetUin": uin}))
        }
        BoundaryTarget::Role(it) => {
            let role = role(it).to_string();
            ("PutRolePermissionsBoundary", json!({"PolicyId": id, "RoleId": role}))
        }
    }
}

fn delete_boundary(target: &BoundaryTarget) -> Call {
    match target {
        BoundaryTarget::User(uin) => ("DeleteUserPermissionsBoundary", json!({"TargetUin": uin})),
        BoundaryTarget::Role(it) => {
            ("DeleteRolePermissionsBoundary", json!({"RoleId": role(it).to_string()}))
        }
    }
}

fn create_role(it: &CreateRole) -> Call {
    let params = json!({
        "RoleName": it.name,
        "PolicyDocument": text(&it.trust_policy),
        "Description": it.description,
        "ConsoleLogin": u8::from(it.console_login),
        "SessionDuration": it.session_duration_s,
        "Tags": tags(&it.tags),
    });
    ("CreateRole", params)
}

fn update_role(it: &UpdateRole) -> Option<Call> {
    let id = role(&it.role);
    let UpdateRole { role: _, description, trust_policy, session_duration_s, console_login } = it;
    match (description, trust_policy, session_duration_s, console_login) {
        (Some(description), None, None, None) => {
            let params = json!({"RoleId": id.to_string(), "Description": description});
            Some(("UpdateRoleDescription", params))
        }
        (None, Some(document), None, None) => {
            let params = json!({"RoleId": id.to_string(), "PolicyDocument": text(document)});
            Some(("UpdateAssumeRolePolicy", params))
        }
        (None, None, Some(seconds), None) => {
            let params = json!({"RoleId": id, "SessionDuration": seconds});
            Some(("UpdateRoleSessionDuration", params))
        }
        (_, _, _, _) => None,
    }
}
