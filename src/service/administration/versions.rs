//! Versions of custom policies.

use super::{Administration, Look, Made, Write, made, not_found};
use crate::directory::{
    AccountState, Command, CommandResult, CreatePolicyVersion, DeletePolicyVersion, Policy,
    PolicyId, SetDefaultPolicyVersion, VersionNumber,
};
use crate::node::NodeError;
use crate::service::proto;
use crate::service::wire::objects;
use crate::service::wire::request::required;

fn policy(state: &AccountState, policy_id: u64, owner_uin: u64) -> Result<&Policy, NodeError> {
    let found = state.policy(PolicyId(required("policy_id", policy_id)?));
    found.map(|it| &**it).ok_or_else(|| not_found("policy", policy_id, owner_uin))
}

pub(super) async fn create(
    service: &Administration,
    request: proto::CreatePolicyVersionRequest,
) -> Result<proto::CreatePolicyVersionResponse, NodeError> {
    let write = Write::new("CreatePolicyVersion", request.owner_uin, &request.options, &request)?;
    let proto::CreatePolicyVersionRequest {
        owner_uin: _,
        policy_id,
        document,
        set_as_default: set_default,
        options: _,
    } = request;
    let id = PolicyId(required("policy_id", policy_id)?);
    let document = document.into_bytes();
    let command = Command::CreatePolicyVersion(CreatePolicyVersion {
        policy: id.into(),
        document,
        set_default,
    });
    let answer = |it: &Made<'_>| {
        let CommandResult::PolicyVersion(id, number) = it.result else { return made(None) };
        let is_default = made(it.state.policy(id))?.default_version == number;
        let version = made(it.state.version(id, number))?;
        let version = Some(objects::version(version, is_default, true));
        Ok(proto::CreatePolicyVersionResponse { version, result: None })
    };
    service.command(write, command, answer).await
}

pub(super) async fn list(
    service: &Administration,
    request: proto::ListPolicyVersionsRequest,
) -> Result<proto::ListPolicyVersionsResponse, NodeError> {
    let proto::ListPolicyVersionsRequest { owner_uin, policy_id, consistency } = request;
    let Look { view, revision } = service.look(owner_uin, consistency).await?;
    let policy = policy(&view.state, policy_id, owner_uin)?;
    let mut versions: Vec<proto::PolicyVersion> = view
        .state
        .versions_of(policy.id)
        .map(|it| objects::version(it, it.number == policy.default_version, false))
        .collect();
    versions.reverse();
    Ok(proto::ListPolicyVersionsResponse { versions, revision })
}

pub(super) async fn get(
    service: &Administration,
    request: proto::GetPolicyVersionRequest,
) -> Result<proto::GetPolicyVersionResponse, NodeError> {
    let proto::GetPolicyVersionRequest { owner_uin, policy_id, version, consistency } = request;
    let Look { view, revision } = service.look(owner_uin, consistency).await?;
    let policy = policy(&view.state, policy_id, owner_uin)?;
    let found = view.state.version(policy.id, VersionNumber(version));
    let found = found.ok_or_else(|| not_found("policy version", version, owner_uin))?;
    let is_default = found.number == policy.default_version;
    let version = Some(objects::version(found, is_default, true));
    Ok(proto::GetPolicyVersionResponse { version, revision })
}

pub(super) async fn set_default(
    service: &Administration,
    request: proto::SetDefaultPolicyVersionRequest,
) -> Result<proto::SetDefaultPolicyVersionResponse, NodeError> {
    let write =
        Write::new("SetDefaultPolicyVersion", request.owner_uin, &request.options, &request)?;
    let proto::SetDefaultPolicyVersionRequest { owner_uin: _, policy_id, version, options: _ } =
        request;
    let policy = PolicyId(required("policy_id", policy_id)?).into();
    let version = VersionNumber(version);
    let command = Command::SetDefaultPolicyVersion(SetDefaultPolicyVersion { policy, version });
    service.command(write, command, |_| Ok(Default::default())).await
}

pub(super) async fn delete(
    service: &Administration,
    request: proto::DeletePolicyVersionRequest,
) -> Result<proto::DeletePolicyVersionResponse, NodeError> {
    let write = Write::new("DeletePolicyVersion", request.owner_uin, &request.options, &request)?;
    let proto::DeletePolicyVersionRequest { owner_uin: _, policy_id, version, options: _ } =
        request;
    let policy = PolicyId(required("policy_id", policy_id)?).into();
    let version = VersionNumber(version);
    let command = Command::DeletePolicyVersion(DeletePolicyVersion { policy, version });
    service.command(write, command, |_| Ok(Default::default())).await
}
