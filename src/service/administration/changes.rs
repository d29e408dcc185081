//! The change log of an account.

use super::Administration;
use crate::node::NodeError;
use crate::service::page::Page;
use crate::service::proto;
use crate::service::wire::changes;
use crate::service::wire::request::{at_least, required};

pub(super) async fn list(
    service: &Administration,
    request: proto::ListChangeRecordsRequest,
) -> Result<proto::ListChangeRecordsResponse, NodeError> {
    let proto::ListChangeRecordsRequest { owner_uin, first_sequence, consistency, page } = request;
    let owner_uin = required("owner_uin", owner_uin)?;
    let page = Page::read(page, &format!("changes {owner_uin} {first_sequence}"))?;
    let first = match page.after_number()? {
        Some(last) => last.saturating_add(1),
        None => first_sequence,
    };
    let node = &service.node;
    let at_least = at_least(node, consistency.as_ref())?;
    let found = node.change_log(owner_uin, first, page.limit, at_least).await?;
    let last = found.changes.last().map(|change| change.sequence);
    let goes_on = last.filter(|last| *last < found.last_sequence).map(|last| last.to_string());
    Ok(proto::ListChangeRecordsResponse {
        records: found.changes.into_iter().map(|it| changes::record(node, it)).collect(),
        last_sequence: found.last_sequence,
        revision: node.token(found.revision),
        next_page_token: page.token(goes_on.as_deref()),
    })
}
