//! Attachments and boundaries.

use super::{Administration, Look, Write, not_found};
use crate::directory::{
    AttachPolicy, BoundaryTarget, Command, DeleteBoundary, DetachPolicy, GroupId, PolicyId,
    PutBoundary, RoleId, Target,
};
use crate::node::NodeError;
use crate::service::proto;
use crate::service::wire::request::required;
use crate::service::wire::{identities, objects};

/// A sub-account, a group or a role: exactly one is named.
fn target(uin: u64, group_id: u64, role_id: u64) -> Result<Target, NodeError> {
    match (uin, group_id, role_id) {
        (0, 0, 0) => Err(one_of("needs one of `uin`, `group_id` and `role_id`")),
        (uin, 0, 0) => Ok(Target::User(uin)),
        (0, group_id, 0) => Ok(Target::Group(GroupId(group_id).into())),
        (0, 0, role_id) => Ok(Target::Role(RoleId(role_id).into())),
        (_, _, _) => Err(one_of("has more than one of `uin`, `group_id` and `role_id`: give one")),
    }
}

/// A sub-account or a role: exactly one is named.
fn bounded(uin: u64, role_id: u64) -> Result<BoundaryTarget, NodeError> {
    match (uin, role_id) {
        (0, 0) => Err(one_of("needs one of `uin` and `role_id`")),
        (uin, 0) => Ok(BoundaryTarget::User(uin)),
        (0, role_id) => Ok(BoundaryTarget::Role(RoleId(role_id).into())),
        (_, _) => Err(one_of("has both `uin` and `role_id`: give one")),
    }
}

fn one_of(problem: &str) -> NodeError {
    NodeError::BadField { field: "uin".to_owned(), problem: problem.to_owned() }
}

pub(super) async fn attach(
    service: &Administration,
    request: proto::AttachPolicyRequest,
) -> Result<proto::AttachPolicyResponse, NodeError> {
    let write = Write::new("AttachPolicy", request.owner_uin, &request.options, &request)?;
    let proto::AttachPolicyRequest { owner_uin: _, policy_id, uin, group_id, role_id, options: _ } =
        request;
    let policy = PolicyId(required("policy_id", policy_id)?).into();
    let target = target(uin, group_id, role_id)?;
    let command = Command::AttachPolicy(AttachPolicy { policy, target });
    service.command(write, command, |_| Ok(Default::default())).await
}

pub(super) async fn detach(
    service: &Administration,
    request: proto::DetachPolicyRequest,
) -> Result<proto::DetachPolicyResponse, NodeError> {
    let write = Write::new("DetachPolicy", request.owner_uin, &request.options, &request)?;
    let proto::DetachPolicyRequest { owner_uin: _, policy_id, uin, group_id, role_id, options: _ } =
        request;
    let policy = PolicyId(required("policy_id", policy_id)?).into();
    let target = target(uin, group_id, role_id)?;
    let command = Command::DetachPolicy(DetachPolicy { policy, target });
    service.command(write, command, |_| Ok(Default::default())).await
}

pub(super) async fn list_entities(
    service: &Administration,
    request: proto::ListPolicyEntitiesRequest,
) -> Result<proto::ListPolicyEntitiesResponse, NodeError> {
    let proto::ListPolicyEntitiesRequest { owner_uin, policy_id, consistency } = request;
    let Look { view, revision } = service.look(owner_uin, consistency).await?;
    let id = PolicyId(required("policy_id", policy_id)?);
    let (state, shared) = (&view.state, service.node.shared());
    let presets = &shared.presets;
    if state.policy(id).is_none() && presets.get(id).is_none() {
        return Err(not_found("policy", policy_id, owner_uin));
    }
    let user = |it: &std::sync::Arc<_>| objects::sub_account(state, presets, it);
    let role = |it: &std::sync::Arc<_>| identities::role(state, presets, it, false);
    Ok(proto::ListPolicyEntitiesResponse {
        sub_accounts: state.users_with_policy(id).map(user).collect(),
        groups: state.groups_with_policy(id).map(|it| objects::group(state, presets, it)).collect(),
        bounded: state.users_with_boundary(id).map(user).collect(),
        roles: state.roles_with_policy(id).map(role).collect(),
        bounded_roles: state.roles_with_boundary(id).map(role).collect(),
        revision,
    })
}

pub(super) async fn put_boundary(
    service: &Administration,
    request: proto::PutBoundaryRequest,
) -> Result<proto::PutBoundaryResponse, NodeError> {
    let write = Write::new("PutBoundary", request.owner_uin, &request.options, &request)?;
    let proto::PutBoundaryRequest { owner_uin: _, uin, policy_id, role_id, options: _ } = request;
    let policy = PolicyId(required("policy_id", policy_id)?).into();
    let command = Command::PutBoundary(PutBoundary { target: bounded(uin, role_id)?, policy });
    service.command(write, command, |_| Ok(Default::default())).await
}

pub(super) async fn delete_boundary(
    service: &Administration,
    request: proto::DeleteBoundaryRequest,
) -> Result<proto::DeleteBoundaryResponse, NodeError> {
    let write = Write::new("DeleteBoundary", request.owner_uin, &request.options, &request)?;
    let proto::DeleteBoundaryRequest { owner_uin: _, uin, role_id, options: _ } = request;
    let command = Command::DeleteBoundary(DeleteBoundary { target: bounded(uin, role_id)? });
    service.command(write, command, |_| Ok(Default::default())).await
}
