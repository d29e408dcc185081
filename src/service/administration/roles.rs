//! Roles: create, get, list, update, delete, tags.

use super::{Administration, Look, Made, Write, WriteAnswer, made, not_found};
use crate::directory::{
    Command, CommandResult, CreateRole, DeleteRole, RoleId, TagRole, UntagRole, UpdateRole,
};
use crate::node::NodeError;
use crate::service::page::Page;
use crate::service::proto;
use crate::service::wire::identities;
use crate::service::wire::request::{at_most, required};

/// Most tags or keys in one request; several times what a role may have.
const TAGS_MAX: usize = 200;

pub(super) async fn create(
    service: &Administration,
    request: proto::CreateRoleRequest,
) -> Result<proto::CreateRoleResponse, NodeError> {
    let write = Write::new("CreateRole", request.owner_uin, &request.options, &request)?;
    let proto::CreateRoleRequest {
        owner_uin: _,
        name,
        description,
        trust_policy,
        session_duration_s,
        console_login,
        tags,
        options: _,
    } = request;
    let trust_policy = trust_policy.into_bytes();
    let command = Command::CreateRole(CreateRole {
        name,
        description,
        trust_policy,
        session_duration_s,
        console_login,
        tags,
    });
    let answer = |it: &Made<'_>| {
        let CommandResult::Role(id) = it.result else { return made(None) };
        Ok(proto::CreateRoleResponse { role: Some(role(it, id)?), result: None })
    };
    service.command(write, command, answer).await
}

pub(super) async fn get(
    service: &Administration,
    request: proto::GetRoleRequest,
) -> Result<proto::GetRoleResponse, NodeError> {
    let proto::GetRoleRequest { owner_uin, role_id, name, consistency } = request;
    let Look { view, revision } = service.look(owner_uin, consistency).await?;
    let found = if name.is_empty() {
        let found = view.state.role(RoleId(required("role_id", role_id)?));
        found.ok_or_else(|| not_found("role", role_id, owner_uin))?
    } else {
        view.state.role_named(&name).ok_or_else(|| not_found("role", &name, owner_uin))?
    };
    let presets = &service.node.shared().presets;
    let role = Some(identities::role(&view.state, presets, found, true));
    Ok(proto::GetRoleResponse { role, revision })
}

pub(super) async fn list(
    service: &Administration,
    request: proto::ListRolesRequest,
) -> Result<proto::ListRolesResponse, NodeError> {
    let proto::ListRolesRequest { owner_uin, tags, consistency, page } = request;
    at_most("tags", "tags", TAGS_MAX, tags.len())?;
    let page = Page::read(page, &format!("roles {owner_uin} {tags:?}"))?;
    let Look { view, revision } = service.look(owner_uin, consistency).await?;
    let state = &view.state;
    let wanted = state
        .roles
        .values()
        .filter(|it| tags.iter().all(|(key, value)| it.tags.get(key) == Some(value)));
    let (found, next_page_token) = page.cut(wanted, |it| it.id.0)?;
    let presets = &service.node.shared().presets;
    let roles = found.into_iter().map(|it| identities::role(state, presets, it, false)).collect();
    Ok(proto::ListRolesResponse { roles, next_page_token, revision })
}

pub(super) async fn update(
    service: &Administration,
    request: proto::UpdateRoleRequest,
) -> Result<proto::UpdateRoleResponse, NodeError> {
    let write = Write::new("UpdateRole", request.owner_uin, &request.options, &request)?;
    let proto::UpdateRoleRequest {
        owner_uin: _,
        role_id,
        description,
        trust_policy,
        session_duration_s,
        console_login,
        options: _,
    } = request;
    let id = RoleId(required("role_id", role_id)?);
    let trust_policy = trust_policy.map(String::into_bytes);
    let role_ref = id.into();
    let command = Command::UpdateRole(UpdateRole {
        role: role_ref,
        description,
        trust_policy,
        session_duration_s,
        console_login,
    });
    let answer = |role| proto::UpdateRoleResponse { role, result: None };
    changed(service, write, command, id, answer).await
}

pub(super) async fn delete(
    service: &Administration,
    request: proto::DeleteRoleRequest,
) -> Result<proto::DeleteRoleResponse, NodeError> {
    let write = Write::new("DeleteRole", request.owner_uin, &request.options, &request)?;
    let proto::DeleteRoleRequest { owner_uin: _, role_id, force, options: _ } = request;
    let role = RoleId(required("role_id", role_id)?).into();
    let command = Command::DeleteRole(DeleteRole { role, force });
    service.command(write, command, |_| Ok(Default::default())).await
}

pub(super) async fn tag(
    service: &Administration,
    request: proto::TagRoleRequest,
) -> Result<proto::TagRoleResponse, NodeError> {
    let write = Write::new("TagRole", request.owner_uin, &request.options, &request)?;
    let proto::TagRoleRequest { owner_uin: _, role_id, tags, options: _ } = request;
    at_most("tags", "tags", TAGS_MAX, tags.len())?;
    let id = RoleId(required("role_id", role_id)?);
    let command = Command::TagRole(TagRole { role: id.into(), tags });
    let answer = |role| proto::TagRoleResponse { role, result: None };
    changed(service, write, command, id, answer).await
}

pub(super) async fn untag(
    service: &Administration,
    request: proto::UntagRoleRequest,
) -> Result<proto::UntagRoleResponse, NodeError> {
    let write = Write::new("UntagRole", request.owner_uin, &request.options, &request)?;
    let proto::UntagRoleRequest { owner_uin: _, role_id, keys, options: _ } = request;
    at_most("keys", "keys", TAGS_MAX, keys.len())?;
    let id = RoleId(required("role_id", role_id)?);
    let command = Command::UntagRole(UntagRole { role: id.into(), keys });
    let answer = |role| proto::UntagRoleResponse { role, result: None };
    changed(service, write, command, id, answer).await
}

/// Carries out a command that changes a role, and answers with the role as it is then.
async fn changed<R: WriteAnswer>(
    service: &Administration,
    write: Write,
    command: Command,
    id: RoleId,
    answer: impl Fn(Option<proto::Role>) -> R + Send + Sync,
) -> Result<R, NodeError> {
    service.command(write, command, |it: &Made<'_>| Ok(answer(Some(role(it, id)?)))).await
}

/// The role that a command has just made or changed.
fn role(it: &Made<'_>, id: RoleId) -> Result<proto::Role, NodeError> {
    Ok(identities::role(it.state, it.presets, made(it.state.role(id))?, true))
}
