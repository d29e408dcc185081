//! Policies: custom ones with their default document, and presets to read.

use super::{Administration, Look, Made, Write, made, not_found};
use crate::directory::{
    AccountState, Command, CommandResult, CreatePolicy, DeletePolicy, PolicyId, PresetOrigin,
    Presets, UpdatePolicy,
};
use crate::lang;
use crate::lang::document::DocumentKind;
use crate::lang::valid::Scope;
use crate::node::NodeError;
use crate::service::page::Page;
use crate::service::proto;
use crate::service::wire::request::{at_most, required};
use crate::service::wire::{self, objects};

/// Longest `name_contains`, in bytes.
const NAME_FILTER_BYTES_MAX: usize = 512;

pub(super) async fn create(
    service: &Administration,
    request: proto::CreatePolicyRequest,
) -> Result<proto::CreatePolicyResponse, NodeError> {
    let write = Write::new("CreatePolicy", request.owner_uin, &request.options, &request)?;
    let proto::CreatePolicyRequest { owner_uin: _, name, description, document, tags, options: _ } =
        request;
    let document = document.into_bytes();
    let command = Command::CreatePolicy(CreatePolicy { name, description, document, tags });
    let answer = |it: &Made<'_>| {
        let CommandResult::Policy(id) = it.result else { return made(None) };
        let policy = Some(objects::policy(it.state, made(it.state.policy(id))?, true));
        Ok(proto::CreatePolicyResponse { policy, result: None })
    };
    service.command(write, command, answer).await
}

/// A custom policy or a preset.
fn find(
    state: &AccountState,
    presets: &Presets,
    policy_id: u64,
    name: &str,
) -> Option<proto::Policy> {
    let (policy, preset) = if name.is_empty() {
        let id = PolicyId(policy_id);
        (state.policy(id), presets.get(id))
    } else {
        (state.policy_named(name), presets.named(name))
    };
    let custom = policy.map(|it| objects::policy(state, it, true));
    custom.or_else(|| preset.map(|it| objects::preset(state, it, true)))
}

pub(super) async fn get(
    service: &Administration,
    request: proto::GetPolicyRequest,
) -> Result<proto::GetPolicyResponse, NodeError> {
    let proto::GetPolicyRequest { owner_uin, policy_id, name, consistency } = request;
    let Look { view, revision } = service.look(owner_uin, consistency).await?;
    if name.is_empty() {
        required("policy_id", policy_id)?;
    }
    let policy = find(&view.state, &service.node.shared().presets, policy_id, &name);
    let wanted = if name.is_empty() { policy_id.to_string() } else { name };
    let policy = policy.ok_or_else(|| not_found("policy", wanted, owner_uin))?;
    Ok(proto::GetPolicyResponse { policy: Some(policy), revision })
}

pub(super) async fn list(
    service: &Administration,
    request: proto::ListPoliciesRequest,
) -> Result<proto::ListPoliciesResponse, NodeError> {
    let proto::ListPoliciesRequest { owner_uin, kind, name_contains, consistency, page } = request;
    at_most("name_contains", "bytes", NAME_FILTER_BYTES_MAX, name_contains.len())?;
    let kind = proto::PolicyKind::try_from(kind).map_err(|_| NodeError::BadField {
        field: "kind".to_owned(),
        problem: format!("has the unknown value {kind}: use one of PolicyKind"),
    })?;
    let list = format!("policies {owner_uin} {} {name_contains}", kind.as_str_name());
    let page = Page::read(page, &list)?;
    let Look { view, revision } = service.look(owner_uin, consistency).await?;
    let state = &view.state;
    let shared = service.node.shared();
    let presets = shared
        .presets
        .iter()
        .filter(|it| !(it.is_withdrawn && it.origin == PresetOrigin::Operator))
        .map(|it| objects::preset(state, it, false));
    let customs = state.live_policies().map(|it| objects::policy(state, it, false));
    let is_wanted = |it: &proto::Policy| {
        (kind == proto::PolicyKind::Unspecified || it.kind == i32::from(kind))
            && it.name.contains(&name_contains)
    };
    let all: Vec<proto::Policy> = presets.chain(customs).filter(is_wanted).collect();
    let (found, next_page_token) = page.cut(all.iter(), |it| it.policy_id)?;
    let policies = found.into_iter().cloned().collect();
    Ok(proto::ListPoliciesResponse { policies, next_page_token, revision })
}

pub(super) async fn update(
    service: &Administration,
    request: proto::UpdatePolicyRequest,
) -> Result<proto::UpdatePolicyResponse, NodeError> {
    let write = Write::new("UpdatePolicy", request.owner_uin, &request.options, &request)?;
    let proto::UpdatePolicyRequest { owner_uin: _, policy_id, description, document, options: _ } =
        request;
    let id = PolicyId(required("policy_id", policy_id)?);
    let document = document.map(String::into_bytes);
    let command = Command::UpdatePolicy(UpdatePolicy { policy: id.into(), description, document });
    let answer = |it: &Made<'_>| {
        let policy = Some(objects::policy(it.state, made(it.state.policy(id))?, true));
        Ok(proto::UpdatePolicyResponse { policy, result: None })
    };
    service.command(write, command, answer).await
}

pub(super) async fn delete(
    service: &Administration,
    request: proto::DeletePolicyRequest,
) -> Result<proto::DeletePolicyResponse, NodeError> {
    let write = Write::new("DeletePolicy", request.owner_uin, &request.options, &request)?;
    let proto::DeletePolicyRequest { owner_uin: _, policy_id, force, options: _ } = request;
    let policy = PolicyId(required("policy_id", policy_id)?).into();
    let command = Command::DeletePolicy(DeletePolicy { policy, force });
    service.command(write, command, |_| Ok(Default::default())).await
}

pub(super) async fn check_document(
    service: &Administration,
    request: proto::CheckPolicyDocumentRequest,
) -> Result<proto::CheckPolicyDocumentResponse, NodeError> {
    let proto::CheckPolicyDocumentRequest { owner_uin, document } = request;
    // Without an account the document is checked as one that belongs to none.
    let owner = if owner_uin == 0 {
        None
    } else {
        let view = service.node.existing_view(owner_uin).await?;
        Some(view.snapshot.owner())
    };
    let vocabulary = &**service.node.catalog();
    let scope = Scope { vocabulary, owner, kind: DocumentKind::Identity };
    let checked = lang::check(document.as_bytes(), &scope);
    let policy = checked.policy.as_ref();
    Ok(proto::CheckPolicyDocumentResponse {
        findings: wire::findings(&checked.findings),
        digest: policy.map(lang::digest).unwrap_or_default(),
        canonical: policy.map(lang::format).unwrap_or_default(),
    })
}
