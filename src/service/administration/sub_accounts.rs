//! Sub-accounts: create, get, list, update, delete.

use super::password::NewPassword;
use super::{Administration, Look, Made, Write, made, not_found};
use crate::directory::{
    AccountState, Command, CreateSubAccount, DeleteSubAccount, GlobalKey, GroupId, Profile,
    ProfileUpdate, UpdateSubAccount,
};
use crate::node::NodeError;
use crate::service::page::Page;
use crate::service::proto;
use crate::service::wire::objects;
use crate::service::wire::request::required;

pub(super) async fn create(
    service: &Administration,
    mut request: proto::CreateSubAccountRequest,
) -> Result<proto::CreateSubAccountResponse, NodeError> {
    let password = request.password.take();
    let write = Write::new("CreateSubAccount", request.owner_uin, &request.options, &request)?;
    let proto::CreateSubAccountRequest {
        owner_uin: _,
        uin,
        name,
        kind,
        remark,
        console_login,
        password: _,
        generate_password,
        need_reset_password,
        phone_num,
        country_code,
        email,
        options: _,
    } = request;
    let kind = objects::sub_account_kind(kind)?;
    let password = NewPassword::read(password, generate_password).await?;
    let profile = Profile {
        console_login,
        need_reset_password,
        password_hash: password.as_ref().map(|it| it.hash.clone()),
        phone_num,
        country_code,
        email,
    };
    let is_given = uin != 0;
    let reads = |_: &AccountState| if is_given { vec![GlobalKey::Uin(uin)] } else { Vec::new() };
    let command = |allotted: Option<u64>| {
        let (name, remark, profile) = (name.clone(), remark.clone(), profile.clone());
        let uin = allotted.unwrap_or(uin);
        Command::CreateSubAccount(CreateSubAccount { uin, name, kind, remark, profile })
    };
    let answer = |it: &Made<'_>| {
        let created = made(it.state.sub_account(it.allotted_uin.unwrap_or(uin)))?;
        let sub_account = Some(objects::sub_account(it.state, it.presets, created));
        Ok(proto::CreateSubAccountResponse { sub_account, password: None, result: None })
    };
    let answered = service.run(write, &reads, !is_given, command, answer).await?;
    let password = NewPassword::shown(password.as_ref(), &answered);
    Ok(proto::CreateSubAccountResponse { password, ..answered.response })
}

pub(super) async fn get(
    service: &Administration,
    request: proto::GetSubAccountRequest,
) -> Result<proto::GetSubAccountResponse, NodeError> {
    let proto::GetSubAccountRequest { owner_uin, uin, name, consistency } = request;
    let Look { view, revision } = service.look(owner_uin, consistency).await?;
    let found = if name.is_empty() {
        let found = view.state.sub_account(required("uin", uin)?);
        found.ok_or_else(|| not_found("sub-account", uin, owner_uin))?
    } else {
        let found = view.state.sub_account_named(&name);
        found.ok_or_else(|| not_found("sub-account", &name, owner_uin))?
    };
    let presets = &service.node.shared().presets;
    let sub_account = Some(objects::sub_account(&view.state, presets, found));
    Ok(proto::GetSubAccountResponse { sub_account, revision })
}

pub(super) async fn list(
    service: &Administration,
    request: proto::ListSubAccountsRequest,
) -> Result<proto::ListSubAccountsResponse, NodeError> {
    let proto::ListSubAccountsRequest { owner_uin, group_id, consistency, page } = request;
    let page = Page::read(page, &format!("sub-accounts {owner_uin} {group_id}"))?;
    let Look { view, revision } = service.look(owner_uin, consistency).await?;
    let state = &view.state;
    if group_id != 0 && state.group(GroupId(group_id)).is_none() {
        return Err(not_found("group", group_id, owner_uin));
    }
    let is_wanted = |groups: &[GroupId]| group_id == 0 || groups.contains(&GroupId(group_id));
    let wanted = state.sub_accounts.values().filter(|it| is_wanted(&it.groups));
    let (found, next_page_token) = page.cut(wanted, |it| it.uin)?;
    let presets = &service.node.shared().presets;
    let sub_accounts =
        found.into_iter().map(|it| objects::sub_account(state, presets, it)).collect();
    Ok(proto::ListSubAccountsResponse { sub_accounts, next_page_token, revision })
}

pub(super) async fn update(
    service: &Administration,
    mut request: proto::UpdateSubAccountRequest,
) -> Result<proto::UpdateSubAccountResponse, NodeError> {
    let password = request.password.take();
    let write = Write::new("UpdateSubAccount", request.owner_uin, &request.options, &request)?;
    let proto::UpdateSubAccountRequest {
        owner_uin: _,
        uin,
        name,
        remark,
        console_login,
        password: _,
        generate_password,
        need_reset_password,
        phone_num,
        country_code,
        email,
        options: _,
    } = request;
    let password = NewPassword::read(password, generate_password).await?;
    let profile = ProfileUpdate {
        console_login,
        need_reset_password,
        password_hash: password.as_ref().map(|it| it.hash.clone()),
        phone_num,
        country_code,
        email,
    };
    let command = Command::UpdateSubAccount(UpdateSubAccount { uin, name, remark, profile });
    let answer = |it: &Made<'_>| {
        let updated = made(it.state.sub_account(uin))?;
        let sub_account = Some(objects::sub_account(it.state, it.presets, updated));
        Ok(proto::UpdateSubAccountResponse { sub_account, password: None, result: None })
    };
    let reads = |state: &AccountState| command.global_reads(state);
    let answered = service.run(write, &reads, false, |_| command.clone(), answer).await?;
    let password = NewPassword::shown(password.as_ref(), &answered);
    Ok(proto::UpdateSubAccountResponse { password, ..answered.response })
}

pub(super) async fn delete(
    service: &Administration,
    request: proto::DeleteSubAccountRequest,
) -> Result<proto::DeleteSubAccountResponse, NodeError> {
    let write = Write::new("DeleteSubAccount", request.owner_uin, &request.options, &request)?;
    let proto::DeleteSubAccountRequest { owner_uin: _, uin, force, delete_keys, options: _ } =
        request;
    let command = Command::DeleteSubAccount(DeleteSubAccount { uin, force, delete_keys });
    service.command(write, command, |_| Ok(Default::default())).await
}
