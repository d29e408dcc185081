//! The three searches, page by page.
//!
//! Candidates for subjects are the account's sub-accounts, for actions the catalogued ones, for
//! resources the registered apps and what policies name without a star; every one of them is
//! decided. The answer's context says whether it is complete.

use serde_json::{Map, Value, json};

use super::entity::{Action, Entity, QCS, object, optional};
use super::evaluate::mark_stale;
use super::{Authzen, Fault};
use crate::directory::service_caller::Right;
use crate::engine::{Resource, Wanted};
use crate::gate::form::{FormValue, Members, excerpt};
use crate::lang::action::ActionName;
use crate::lang::resource::ResourceName;
use crate::node::{
    Access, ActionSearch, Asker, Asking, CheckQuery, NamedSearch, NodeError, PrincipalSearch,
    Surface,
};
use crate::service::page::Page;
use crate::service::proto;
use crate::store::Revision;

/// Most results of a page.
const PAGE_MAX: u64 = 200;

/// One page of what was found.
struct Results {
    items: Vec<Value>,
    next_token: String,
    is_complete: bool,
    revision: Option<Revision>,
    stale_ms: u64,
}

impl Results {
    fn nothing() -> Self {
        Self {
            items: Vec::new(),
            next_token: String::new(),
            is_complete: true,
            revision: None,
            stale_ms: 0,
        }
    }
}

impl Authzen {
    /// Who may?
    pub(super) async fn search_subject(
        &self,
        access: &Access,
        members: &Members,
    ) -> Result<Value, Fault> {
        let subject = Entity::read(object(members, "subject")?, "subject", true)?;
        let action = Action::read(object(members, "action")?)?;
        let resource = Entity::read(object(members, "resource")?, "resource", false)?;
        let context = optional(members, "", "context")?;
        let page = page("subject", members)?;
        let query_resource = self.resource(resource)?;
        let query_action = self.action_name(action)?;
        let context = Self::facts(context, subject, Some(action), resource)?;
        if !self.is_subject_type(subject.kind) {
            return Ok(self.results(Results::nothing()));
        }
        let owner_uin = self.account_of(&query_resource)?;
        access.check(Right::Explain, owner_uin)?;
        access.check_service(query_action.service())?;
        let query = CheckQuery {
            asker: Asker::Uin { uin: owner_uin, owner_uin: Some(owner_uin) },
            action: query_action,
            resource: query_resource,
            context,
            accepts_filter: true,
        };
        let after = page.after_number()?;
        let search = PrincipalSearch { owner_uin, query, after, limit: page.limit };
        let mut batch = self.node.begin(Asking::by(Surface::Search, access), None).await?;
        let found = match self.node.list_principals(&mut batch, search).await {
            Err(NodeError::NoAccount { .. }) => return Ok(self.results(Results::nothing())),
            found => found?,
        };
        let mut items = Vec::with_capacity(found.page.items.len());
        let view = self.node.existing_view(owner_uin).await?;
        for uin in found.page.items {
            let id = match self.settings.account {
                0 => Some(uin.to_string()),
                // The root has no name, so as a subject it cannot be written.
                _ => view.state.sub_account(uin).map(|user| user.name.to_string()),
            };
            items.extend(id.map(|id| json!({"type": subject.kind, "id": id})));
        }
        let last = found.page.next.map(|uin| uin.to_string());
        let (next_token, revision) = (page.token(last.as_deref()), Some(found.revision));
        Ok(self.results(Results {
            items,
            next_token,
            is_complete: true,
            revision,
            stale_ms: found.stale_ms,
        }))
    }

    /// On what?
    pub(super) async fn search_resource(
        &self,
        access: &Access,
        members: &Members,
    ) -> Result<Value, Fault> {
        let subject = Entity::read(object(members, "subject")?, "subject", false)?;
        let action = Action::read(object(members, "action")?)?;
        let resource = Entity::read(object(members, "resource")?, "resource", true)?;
        let context = optional(members, "", "context")?;
        let page = page("resource", members)?;
        let query_action = self.action_name(action)?;
        let context = Self::facts(context, subject, Some(action), resource)?;
        let Some(asker) = self.asker(subject).await? else {
            return Ok(self.results(Results::nothing()));
        };
        let is_qcs = resource.kind == QCS;
        let wanted = Wanted {
            service: (!is_qcs).then(|| self.settings.service.clone()),
            kind: (!is_qcs).then(|| resource.kind.to_owned()),
        };
        let query = CheckQuery {
            asker,
            action: query_action,
            resource: Resource::Star,
            context,
            accepts_filter: true,
        };
        let search = NamedSearch { query, wanted, after: page.after.clone(), limit: page.limit };
        let mut batch = self.node.begin(Asking::by(Surface::Search, access), None).await?;
        access.check_service(search.query.action.service())?;
        let (found, is_complete) = self.node.list_named(&mut batch, search).await?;
        access.check(Right::Explain, found.owner_uin)?;
        let id = |name: &ResourceName| match is_qcs {
            true => Some(name.text().to_owned()),
            false => {
                let id = name.resource().strip_prefix(resource.kind)?.strip_prefix('/')?;
                Some(id.to_owned()).filter(|id| !id.is_empty())
            }
        };
        let ids = found.page.items.iter().filter_map(id);
        let items = ids.map(|id| json!({"type": resource.kind, "id": id})).collect();
        let next_token = page.token(found.page.next.as_ref().map(ResourceName::text));
        let revision = Some(found.revision);
        Ok(self.results(Results {
            items,
            next_token,
            is_complete,
            revision,
            stale_ms: found.stale_ms,
        }))
    }

    /// What?
    pub(super) async fn search_action(
        &self,
        access: &Access,
        members: &Members,
    ) -> Result<Value, Fault> {
        let subject = Entity::read(object(members, "subject")?, "subject", false)?;
        let resource = Entity::read(object(members, "resource")?, "resource", false)?;
        let context = optional(members, "", "context")?;
        let page = page("action", members)?;
        let query_resource = self.resource(resource)?;
        let context = Self::facts(context, subject, None, resource)?;
        let Some(asker) = self.asker(subject).await? else {
            return Ok(self.results(Results::nothing()));
        };
        let own = &self.settings.service;
        let service = match (resource.kind == QCS, &query_resource) {
            (false, _) => Some(own.clone()),
            (true, Resource::Name(name)) => Some(name.service().to_owned()),
            (true, _) => None,
        };
        let service = service.filter(|service| !service.is_empty());
        let is_known = |service: &String| self.node.catalog().service(service).is_some();
        // Of a service outside the catalog nobody knows the actions.
        let is_complete = service.as_ref().is_none_or(is_known);
        let after = page.after.as_deref().map(ActionName::parse).transpose();
        let search = ActionSearch {
            asker,
            resource: query_resource,
            service,
            context,
            after: after.map_err(|_| Fault::bad("`page.token` is no token of this search"))?,
            limit: page.limit,
        };
        let mut batch = self.node.begin(Asking::by(Surface::Search, access), None).await?;
        access.check_service(search.service.as_deref().unwrap_or("*"))?;
        let found = self.node.list_actions(&mut batch, search).await?;
        access.check(Right::Explain, found.owner_uin)?;
        let name = |action: &ActionName| match action.service() == own {
            true => action.name().to_owned(),
            false => action.to_string(),
        };
        let items = found.page.items.iter().map(|it| json!({"name": name(it)})).collect();
        let last = found.page.next.map(|last| last.to_string());
        let next_token = page.token(last.as_deref());
        let revision = Some(found.revision);
        Ok(self.results(Results {
            items,
            next_token,
            is_complete,
            revision,
            stale_ms: found.stale_ms,
        }))
    }

    /// The account in which subjects are searched.
    fn account_of(&self, resource: &Resource) -> Result<u64, Fault> {
        let named = match resource {
            Resource::Name(name) => match name.account() {
                crate::lang::resource::Account::Uin(uin) => Some(uin),
                crate::lang::resource::Account::Empty
                | crate::lang::resource::Account::AppId(_) => None,
            },
            Resource::Star | Resource::Nothing => None,
        };
        match self.settings.account {
            0 => named.ok_or_else(|| {
                Fault::bad(
                    "nothing says whose sub-accounts are searched: name the owner in the \
                     resource, or configure `authzen.account`",
                )
            }),
            account => Ok(account),
        }
    }

    fn results(&self, results: Results) -> Value {
        let Results { items, next_token, is_complete, revision, stale_ms } = results;
        let complete = json!(is_complete && next_token.is_empty());
        let mut context = Map::from_iter([("complete".to_owned(), complete)]);
        if let Some(revision) = revision {
            context.insert("revision".to_owned(), json!(self.node.token(revision)));
        }
        mark_stale(&mut context, stale_ms);
        let page = json!({"next_token": next_token, "count": items.len()});
        json!({"results": items, "page": page, "context": context})
    }
}

/// The page that is asked for. A token belongs to its search: with another question it is refused.
fn page(search: &str, members: &Members) -> Result<Page, Fault> {
    let mut question = members.clone();
    question.remove("page");
    let list = format!("authzen {search} {question:?}");
    let wanted = optional(members, "", "page")?;
    let find = |name: &str| wanted.and_then(|page| page.get(name));
    let limit = match find("limit") {
        None | Some(FormValue::Null) => 0,
        Some(FormValue::Number(number)) => match number.as_u64() {
            Some(limit) if limit > 0 => limit.min(PAGE_MAX),
            _ => return Err(Fault::kind("page.limit", "a whole number from 1 up")),
        },
        Some(_) => return Err(Fault::kind("page.limit", "a whole number from 1 up")),
    };
    let page_token = match find("token") {
        None | Some(FormValue::Null) => String::new(),
        Some(FormValue::Text(token)) => token.clone(),
        Some(_) => return Err(Fault::kind("page.token", "a text")),
    };
    let page_size = u32::try_from(limit).unwrap_or(0);
    Page::read(Some(proto::PageRequest { page_size, page_token: page_token.clone() }), &list)
        .map_err(|_| {
            let token = excerpt(&page_token);
            Fault::bad(format!("`page.token` is `{token}`, which is no token of this search"))
        })
}
