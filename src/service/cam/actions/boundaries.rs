//! Permission boundaries of users and roles: one policy each.

use serde_json::{Value, json};

use super::attachments::{find_role, find_user, named_role};
use super::objects::{any_policy, document};
use super::{Look, fields, look, not_built, write};
use crate::directory::{
    AccountState, BoundaryTarget, Command, DeleteBoundary, PolicyId, PutBoundary,
};
use crate::node::NodeError;
use crate::service::cam::Call;
use crate::service::cam::envelope::Done;
use crate::service::cam::error::CamError;
use crate::service::status;

pub(super) async fn run(call: &Call<'_>) -> Result<Done, CamError> {
    match call.action.name.as_str() {
        "PutUserPermissionsBoundary" | "PutRolePermissionsBoundary" => put(call).await,
        "DeleteUserPermissionsBoundary" | "DeleteRolePermissionsBoundary" => delete(call).await,
        "GetUserPermissionBoundary" => {
            let uin = call.params.need_number("TargetUin")?;
            let look = look(call).await?;
            let boundary = find_user(look.state(), uin)?.boundary;
            Ok(answer(look, boundary))
        }
        "GetRolePermissionBoundary" => {
            let look = look(call).await?;
            let role = find_role(&call.params, look.state(), "RoleId", "RoleName");
            let boundary = role.map_err(status::cam)?.boundary;
            Ok(answer(look, boundary))
        }
        _ => Err(not_built(call)),
    }
}

/// Whose boundary a call is about.
fn target(call: &Call<'_>, state: &AccountState) -> Result<BoundaryTarget, NodeError> {
    match call.params.number("TargetUin") {
        Some(uin) => Ok(BoundaryTarget::User(uin)),
        None => named_role(&call.params, state, "RoleId", "RoleName").map(BoundaryTarget::Role),
    }
}

async fn put(call: &Call<'_>) -> Result<Done, CamError> {
    let policy = PolicyId(call.params.need_number("PolicyId")?);
    let commands = |state: &AccountState| {
        let target = target(call, state)?;
        Ok(vec![Command::PutBoundary(PutBoundary { target, policy: policy.into() })])
    };
    write(call, commands).await
}

async fn delete(call: &Call<'_>) -> Result<Done, CamError> {
    let commands = |state: &AccountState| {
        Ok(vec![Command::DeleteBoundary(DeleteBoundary { target: target(call, state)? })])
    };
    write(call, commands).await
}

/// The policy that caps; all fields are null when there is none.
fn answer(look: Look, boundary: Option<PolicyId>) -> Done {
    let state = look.state();
    let policy = boundary.and_then(|id| any_policy(state, look.presets(), id));
    let body = policy.as_ref().and_then(|it| it.body(state)).map(document);
    let value: Value = json!({
        "PolicyId": boundary.map(|id| id.0),
        "PolicyName": policy.as_ref().map(|it| it.name()),
        "PolicyDocument": body,
        "PolicyType": policy.as_ref().map(|it| it.kind()),
        "CreateMode": policy.as_ref().map(|it| it.create_mode()),
    });
    look.done(fields(value))
}
