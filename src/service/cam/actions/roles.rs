//! Roles: who may assume them, for how long, and their tags.

use serde_json::{Value, json};

use super::attachments::{find_role, named_role};
use super::objects::{document, tags as tags_of, time};
use super::policies::tags;
use super::{Change, Made, change, fields, look, not_built, page, write};
use crate::directory::{
    AccountState, Command, CommandResult, CreateRole, DeleteRole, Role, RoleRef, TagRole,
    UntagRole, UpdateRole,
};
use crate::node::NodeError;
use crate::service::cam::Call;
use crate::service::cam::envelope::Done;
use crate::service::cam::error::CamError;
use crate::service::status;

pub(super) async fn run(call: &Call<'_>) -> Result<Done, CamError> {
    match call.action.name.as_str() {
        "CreateRole" => create(call).await,
        "GetRole" => get(call).await,
        "DeleteRole" => delete(call).await,
        "DescribeRoleList" => list(call).await,
        "UpdateAssumeRolePolicy" | "UpdateRoleDescription" | "UpdateRoleSessionDuration" => {
            update(call).await
        }
        "TagRole" => tag(call).await,
        "UntagRole" => untag(call).await,
        _ => Err(not_built(call)),
    }
}

/// A number of seconds, which the account's quotas bound.
fn seconds(call: &Call<'_>) -> Result<Option<u32>, CamError> {
    let seconds = call.params.number("SessionDuration").map(u32::try_from).transpose();
    seconds.map_err(|_| {
        let message = "the parameter `SessionDuration` is too large";
        CamError::new("InvalidParameter.ParamError", message)
    })
}

async fn create(call: &Call<'_>) -> Result<Done, CamError> {
    let params = &call.params;
    let command = Command::CreateRole(CreateRole {
        name: params.need_text("RoleName")?.to_owned(),
        description: params.text("Description").unwrap_or_default().to_owned(),
        trust_policy: params.need_text("PolicyDocument")?.as_bytes().to_vec(),
        session_duration_s: seconds(call)?.unwrap_or_default(),
        console_login: params.flag("ConsoleLogin").unwrap_or_default(),
        tags: tags(params, "Tags")?,
    });
    let commands = |_: &AccountState, _: Option<u64>| Ok(vec![command.clone()]);
    let answer = |made: &Made<'_>| {
        let [CommandResult::Role(id)] = made.results else {
            return Err(NodeError::Internal("a role was created without an id".to_owned()));
        };
        Ok(fields(json!({"RoleId": id.0.to_string()})))
    };
    change(call, Change { allot_uin: false, commands, answer }).await
}

/// The role that a call names.
fn role(call: &Call<'_>, state: &AccountState) -> Result<RoleRef, NodeError> {
    named_role(&call.params, state, "RoleId", "RoleName")
}

async fn get(call: &Call<'_>) -> Result<Done, CamError> {
    let look = look(call).await?;
    let role = find_role(&call.params, look.state(), "RoleId", "RoleName").map_err(status::cam)?;
    let fields = fields(json!({"RoleInfo": role_info(call, role)}));
    Ok(look.done(fields))
}

/// `RoleInfo`.
fn role_info(call: &Call<'_>, role: &Role) -> Value {
    json!({
        "RoleId": role.id.0.to_string(),
        "RoleName": role.name,
        "PolicyDocument": document(&role.trust),
        "Description": role.description,
        "AddTime": time(role.created_at),
        "UpdateTime": time(role.updated_at),
        "ConsoleLogin": u64::from(role.console_login),
        "RoleType": "user",
        "SessionDuration": role.session_duration_s,
        "DeletionTaskId": null,
        "Tags": tags_of(&role.tags),
        "RoleArn": format!("qcs::cam::uin/{}:roleName/{}", call.caller.owner_uin, role.name),
    })
}

/// Policies and the boundary go with the role, as CAM does without asking.
async fn delete(call: &Call<'_>) -> Result<Done, CamError> {
    let commands = |state: &AccountState| {
        Ok(vec![Command::DeleteRole(DeleteRole { role: role(call, state)?, force: true })])
    };
    write(call, commands).await
}

/// The roles that have all the tags of the call.
async fn list(call: &Call<'_>) -> Result<Done, CamError> {
    let wanted = tags(&call.params, "Tags")?;
    let look = look(call).await?;
    let roles = look.state().roles.values();
    let roles =
        roles.filter(|role| wanted.iter().all(|(key, value)| role.tags.get(key) == Some(value)));
    let (total, found) = page(&call.params, roles.map(|role| role_info(call, role)).collect());
    let fields = fields(json!({"List": found, "TotalNum": total}));
    Ok(look.done(fields))
}

async fn update(call: &Call<'_>) -> Result<Done, CamError> {
    let params = &call.params;
    let session_duration_s = seconds(call)?;
    let commands = |state: &AccountState| {
        Ok(vec![Command::UpdateRole(UpdateRole {
            role: role(call, state)?,
            description: params.text("Description").map(str::to_owned),
            trust_policy: params.text("PolicyDocument").map(|it| it.as_bytes().to_vec()),
            session_duration_s,
            console_login: None,
        })])
    };
    write(call, commands).await
}

async fn tag(call: &Call<'_>) -> Result<Done, CamError> {
    let tags = tags(&call.params, "Tags")?;
    let commands = |state: &AccountState| {
        let role = role(call, state)?;
        Ok(vec![Command::TagRole(TagRole { role, tags: tags.clone() })])
    };
    write(call, commands).await
}

async fn untag(call: &Call<'_>) -> Result<Done, CamError> {
    let keys: Vec<String> = call.params.texts("TagKeys").into_iter().map(str::to_owned).collect();
    let commands = |state: &AccountState| {
        let role = role(call, state)?;
        Ok(vec![Command::UntagRole(UntagRole { role, keys: keys.clone() })])
    };
    write(call, commands).await
}
