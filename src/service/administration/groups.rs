//! User groups and their members.

use super::{Administration, Look, Made, Write, made, not_found};
use crate::directory::{
    AddToGroup, Command, CommandResult, CreateGroup, DeleteGroup, GroupId, RemoveFromGroup,
    UpdateGroup,
};
use crate::node::NodeError;
use crate::service::page::Page;
use crate::service::proto;
use crate::service::wire::objects;
use crate::service::wire::request::required;

pub(super) async fn create(
    service: &Administration,
    request: proto::CreateGroupRequest,
) -> Result<proto::CreateGroupResponse, NodeError> {
    let write = Write::new("CreateGroup", request.owner_uin, &request.options, &request)?;
    let proto::CreateGroupRequest { owner_uin: _, name, remark, options: _ } = request;
    let command = Command::CreateGroup(CreateGroup { name, remark });
    let answer = |it: &Made<'_>| {
        let CommandResult::Group(id) = it.result else { return made(None) };
        let group = Some(objects::group(it.state, it.presets, made(it.state.group(id))?));
        Ok(proto::CreateGroupResponse { group, result: None })
    };
    service.command(write, command, answer).await
}

pub(super) async fn get(
    service: &Administration,
    request: proto::GetGroupRequest,
) -> Result<proto::GetGroupResponse, NodeError> {
    let proto::GetGroupRequest { owner_uin, group_id, name, consistency } = request;
    let Look { view, revision } = service.look(owner_uin, consistency).await?;
    let found = if name.is_empty() {
        let found = view.state.group(GroupId(required("group_id", group_id)?));
        found.ok_or_else(|| not_found("group", group_id, owner_uin))?
    } else {
        view.state.group_named(&name).ok_or_else(|| not_found("group", &name, owner_uin))?
    };
    let presets = &service.node.shared().presets;
    let group = Some(objects::group(&view.state, presets, found));
    Ok(proto::GetGroupResponse { group, revision })
}

pub(super) async fn list(
    service: &Administration,
    request: proto::ListGroupsRequest,
) -> Result<proto::ListGroupsResponse, NodeError> {
    let proto::ListGroupsRequest { owner_uin, consistency, page } = request;
    let page = Page::read(page, &format!("groups {owner_uin}"))?;
    let Look { view, revision } = service.look(owner_uin, consistency).await?;
    let state = &view.state;
    let (found, next_page_token) = page.cut(state.live_groups(), |it| it.id.0)?;
    let presets = &service.node.shared().presets;
    let groups = found.into_iter().map(|it| objects::group(state, presets, it)).collect();
    Ok(proto::ListGroupsResponse { groups, next_page_token, revision })
}

pub(super) async fn update(
    service: &Administration,
    request: proto::UpdateGroupRequest,
) -> Result<proto::UpdateGroupResponse, NodeError> {
    let write = Write::new("UpdateGroup", request.owner_uin, &request.options, &request)?;
    let proto::UpdateGroupRequest { owner_uin: _, group_id, name, remark, options: _ } = request;
    let id = GroupId(required("group_id", group_id)?);
    let command = Command::UpdateGroup(UpdateGroup { group: id.into(), name, remark });
    let answer = |it: &Made<'_>| {
        let group = Some(objects::group(it.state, it.presets, made(it.state.group(id))?));
        Ok(proto::UpdateGroupResponse { group, result: None })
    };
    service.command(write, command, answer).await
}

pub(super) async fn delete(
    service: &Administration,
    request: proto::DeleteGroupRequest,
) -> Result<proto::DeleteGroupResponse, NodeError> {
    let write = Write::new("DeleteGroup", request.owner_uin, &request.options, &request)?;
    let proto::DeleteGroupRequest { owner_uin: _, group_id, force, options: _ } = request;
    let group = GroupId(required("group_id", group_id)?).into();
    let command = Command::DeleteGroup(DeleteGroup { group, force });
    service.command(write, command, |_| Ok(Default::default())).await
}

pub(super) async fn add_member(
    service: &Administration,
    request: proto::AddGroupMemberRequest,
) -> Result<proto::AddGroupMemberResponse, NodeError> {
    let write = Write::new("AddGroupMember", request.owner_uin, &request.options, &request)?;
    let proto::AddGroupMemberRequest { owner_uin: _, group_id, uin, options: _ } = request;
    let group = GroupId(required("group_id", group_id)?).into();
    let command = Command::AddToGroup(AddToGroup { group, uin: required("uin", uin)? });
    service.command(write, command, |_| Ok(Default::default())).await
}

pub(super) async fn remove_member(
    service: &Administration,
    request: proto::RemoveGroupMemberRequest,
) -> Result<proto::RemoveGroupMemberResponse, NodeError> {
    let write = Write::new("RemoveGroupMember", request.owner_uin, &request.options, &request)?;
    let proto::RemoveGroupMemberRequest { owner_uin: _, group_id, uin, options: _ } = request;
    let group = GroupId(required("group_id", group_id)?).into();
    let command = Command::RemoveFromGroup(RemoveFromGroup { group, uin: required("uin", uin)? });
    service.command(write, command, |_| Ok(Default::default())).await
}
