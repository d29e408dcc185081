//! Root accounts: create, get, list.

use super::{Administration, Look, Write, made};
use crate::directory::service_caller::Right;
use crate::directory::{Account, Command, CreateAccount};
use crate::lang::variable::Owner;
use crate::node::NodeError;
use crate::service::page::Page;
use crate::service::proto;
use crate::service::wire::objects;
use crate::service::wire::request::{at_least, required};

pub(super) async fn create(
    service: &Administration,
    request: proto::CreateAccountRequest,
) -> Result<proto::CreateAccountResponse, NodeError> {
    let write = Write::new("CreateAccount", request.owner_uin, &request.options, &request)?;
    let proto::CreateAccountRequest { owner_uin, app_id, options: _ } = request;
    let owner = Owner { uin: owner_uin, app_id: required("app_id", app_id)? };
    let command = Command::CreateAccount(CreateAccount { owner });
    let answer = |it: &super::Made<'_>| {
        let account = Some(objects::account(made(it.state.account.as_ref())?));
        Ok(proto::CreateAccountResponse { account, result: None })
    };
    service.command(write, command, answer).await
}

pub(super) async fn get(
    service: &Administration,
    request: proto::GetAccountRequest,
) -> Result<proto::GetAccountResponse, NodeError> {
    let proto::GetAccountRequest { owner_uin, consistency } = request;
    let Look { view, revision } = service.look(owner_uin, consistency).await?;
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let state = &view.state;
    Ok(proto::GetAccountResponse {
        account: state.account.as_ref().map(|account| objects::account(account)),
        sub_accounts: count(state.sub_accounts.len()),
        groups: count(state.live_groups().count()),
        policies: count(state.live_policies().count()),
        apps: count(state.apps.len()),
        roles: count(state.roles.len()),
        revision,
    })
}

pub(super) async fn list(
    service: &Administration,
    request: proto::ListAccountsRequest,
) -> Result<proto::ListAccountsResponse, NodeError> {
    let proto::ListAccountsRequest { consistency, page } = request;
    let page = Page::read(page, "accounts")?;
    let node = &service.node;
    let at_least = at_least(node, consistency.as_ref())?;
    let (accounts, revision) = node.accounts(at_least).await?;
    let is_theirs =
        |account: &&Account| service.access.check(Right::Administer, account.owner.uin).is_ok();
    let theirs = accounts.iter().filter(is_theirs);
    let (found, next_page_token) = page.cut(theirs, |account| account.owner.uin)?;
    Ok(proto::ListAccountsResponse {
        accounts: found.into_iter().map(objects::account).collect(),
        revision: node.token(revision),
        next_page_token,
    })
}
