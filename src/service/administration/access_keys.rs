//! Access keys: create, list, update, delete.
//!
//! A secret is in the one answer that makes it; it is no part of the answer that is kept for a
//! repeated request.

use super::{Administration, Look, Made, Write, made, not_found};
use crate::directory::{AccountState, Command, CreateAccessKey, DeleteAccessKey, UpdateAccessKey};
use crate::node::NodeError;
use crate::service::page::Page;
use crate::service::proto;
use crate::service::wire::identities;
use crate::service::wire::request::required;

pub(super) async fn create(
    service: &Administration,
    request: proto::CreateAccessKeyRequest,
) -> Result<proto::CreateAccessKeyResponse, NodeError> {
    let write = Write::new("CreateAccessKey", request.owner_uin, &request.options, &request)?;
    let proto::CreateAccessKeyRequest { owner_uin, uin, description, options: _ } = request;
    let holder = required("uin", uin)?;
    let key = service.node.new_key(owner_uin)?;
    let command = Command::CreateAccessKey(CreateAccessKey {
        holder,
        secret_id: key.secret_id,
        sealed_secret: key.sealed_secret.clone(),
        description,
    });
    let answer = |it: &Made<'_>| {
        let access_key = Some(identities::access_key(made(it.state.access_key(key.secret_id))?));
        Ok(proto::CreateAccessKeyResponse { access_key, secret_key: None, result: None })
    };
    let reads = |state: &AccountState| command.global_reads(state);
    let answered = service.run(write, &reads, false, |_| command.clone(), answer).await?;
    let secret = answered.is_done_now.then(|| key.secret.expose().to_owned());
    let secret_key = secret.map(|text| proto::Secret { text });
    Ok(proto::CreateAccessKeyResponse { secret_key, ..answered.response })
}

pub(super) async fn list(
    service: &Administration,
    request: proto::ListAccessKeysRequest,
) -> Result<proto::ListAccessKeysResponse, NodeError> {
    let proto::ListAccessKeysRequest { owner_uin, uin, consistency, page } = request;
    let page = Page::read(page, &format!("access keys {owner_uin} {uin}"))?;
    let Look { view, revision } = service.look(owner_uin, consistency).await?;
    let state = &view.state;
    if uin != 0 && uin != owner_uin && state.sub_account(uin).is_none() {
        return Err(not_found("sub-account", uin, owner_uin));
    }
    let wanted = state.access_keys.values().filter(|it| uin == 0 || it.holder == uin);
    let (found, next_page_token) = page.cut_by(wanted, |it| it.secret_id.as_str());
    let access_keys = found.into_iter().map(|it| identities::access_key(it)).collect();
    Ok(proto::ListAccessKeysResponse { access_keys, next_page_token, revision })
}

pub(super) async fn update(
    service: &Administration,
    request: proto::UpdateAccessKeyRequest,
) -> Result<proto::UpdateAccessKeyResponse, NodeError> {
    let write = Write::new("UpdateAccessKey", request.owner_uin, &request.options, &request)?;
    let proto::UpdateAccessKeyRequest { owner_uin: _, secret_id, status, description, options: _ } =
        request;
    let secret_id = identities::secret_id(&secret_id)?;
    let status = identities::key_status(status)?;
    let command = UpdateAccessKey { secret_id, holder: None, status, description };
    let answer = |it: &Made<'_>| {
        let access_key = identities::access_key(made(it.state.access_key(secret_id))?);
        Ok(proto::UpdateAccessKeyResponse { access_key: Some(access_key), result: None })
    };
    service.command(write, Command::UpdateAccessKey(command), answer).await
}

pub(super) async fn delete(
    service: &Administration,
    request: proto::DeleteAccessKeyRequest,
) -> Result<proto::DeleteAccessKeyResponse, NodeError> {
    let write = Write::new("DeleteAccessKey", request.owner_uin, &request.options, &request)?;
    let proto::DeleteAccessKeyRequest { owner_uin: _, secret_id, options: _ } = request;
    let secret_id = identities::secret_id(&secret_id)?;
    let command = Command::DeleteAccessKey(DeleteAccessKey { secret_id, holder: None });
    service.command(write, command, |_| Ok(Default::default())).await
}
