//! The inverse questions: which actions, which resources, which principals.
//!
//! Each takes one view and lets the engine decide every candidate. It must never list what a check
//! would deny.

use super::Node;
use super::error::NodeError;
use super::query::{Added, Asker, BatchQuery, CheckQuery, Nobody, Place};
use crate::engine::{
    Page, Resource, Wanted, candidates, list_actions, list_named, list_principals, list_resources,
};
use crate::lang::action::ActionName;
use crate::lang::condition::Context;
use crate::lang::resource::ResourceName;
use crate::store::Revision;

/// Which apps may a principal use an action on?
#[derive(Debug, Clone)]
pub struct ResourceSearch {
    /// The question; its resource is not looked at.
    pub query: CheckQuery,
    /// Go on after this app.
    pub after: Option<u64>,
    /// Most items.
    pub limit: usize,
}

/// Which actions may a principal use on a resource?
#[derive(Debug, Clone)]
pub struct ActionSearch {
    /// Who.
    pub asker: Asker,
    /// On what.
    pub resource: Resource,
    /// Only this service's actions.
    pub service: Option<String>,
    /// The facts.
    pub context: Context,
    /// Go on after this action.
    pub after: Option<ActionName>,
    /// Most items.
    pub limit: usize,
}

/// Who may use an action on a resource?
#[derive(Debug, Clone)]
pub struct PrincipalSearch {
    /// The account that is searched.
    pub owner_uin: u64,
    /// The question; its asker is not looked at.
    pub query: CheckQuery,
    /// Go on after this uin.
    pub after: Option<u64>,
    /// Most items.
    pub limit: usize,
}

/// Which resources, registered or named by policies, may a principal use an action on?
#[derive(Debug, Clone)]
pub struct NamedSearch {
    /// The question; its resource is not looked at.
    pub query: CheckQuery,
    /// Which resources.
    pub wanted: Wanted,
    /// Go on after the resource of this name.
    pub after: Option<String>,
    /// Most items.
    pub limit: usize,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<T> {
    /// The items, and where to go on.
    pub page: Page<T>,
    /// The account searched; 0 when nobody knows the principal.
    pub owner_uin: u64,
    /// The revision it was searched at.
    pub revision: Revision,
    /// How old that may be, or 0.
    pub stale_ms: u64,
}

impl<T> Found<T> {
    fn nothing(owner_uin: u64, revision: Revision, stale_ms: u64) -> Self {
        Self { page: Page { items: Vec::new(), next: None }, owner_uin, revision, stale_ms }
    }

    fn of_nobody(nobody: &Nobody) -> Self {
        Self::nothing(nobody.owner_uin, nobody.revision, nobody.stale_ms)
    }

    fn at(place: &Place, page: Page<T>) -> Self {
        let (owner_uin, revision) = (place.owner_uin, place.revision);
        Self { page, owner_uin, revision, stale_ms: place.stale_ms }
    }
}

impl Node {
    /// The registered apps on which an action is allowed, by ascending id.
    ///
    /// # Errors
    /// As [`Node::check`]; an action that is not about apps is refused.
    pub async fn list_resources(
        &self,
        batch: &mut BatchQuery,
        search: ResourceSearch,
    ) -> Result<Found<u64>, NodeError> {
        let ResourceSearch { mut query, after, limit } = search;
        query.resource = Resource::Star;
        let place = match self.place(batch, &query.asker).await? {
            Ok(place) => place,
            Err(nobody) => return Ok(Found::of_nobody(&nobody)),
        };
        let request = self.request(&place, query, Added::default()).await?;
        let page = list_resources(&place.view.snapshot, &request, after, limit)?;
        Ok(Found::at(&place, page))
    }

    /// The known resources of the principal's account on which a question is allowed, by name, and
    /// whether there can be no others.
    ///
    /// # Errors
    /// As [`Node::check`].
    pub async fn list_named(
        &self,
        batch: &mut BatchQuery,
        search: NamedSearch,
    ) -> Result<(Found<ResourceName>, bool), NodeError> {
        let NamedSearch { query, wanted, after, limit } = search;
        let place = match self.place(batch, &query.asker).await? {
            Ok(place) => place,
            Err(nobody) => return Ok((Found::of_nobody(&nobody), true)),
        };
        let query = CheckQuery { resource: Resource::Star, ..query };
        let request = self.request(&place, query, Added::default()).await?;
        let snapshot = &place.view.snapshot;
        let known = candidates(snapshot, &wanted);
        // The root may do anything on what it owns, named somewhere or not.
        let is_root = place.principal == place.owner_uin;
        let is_complete = known.is_registry || (known.is_complete && !is_root);
        let page = list_named(snapshot, &request, &known.names, after.as_deref(), limit);
        Ok((Found::at(&place, page), is_complete))
    }

    /// The catalogued actions that are allowed on a resource, ascending.
    ///
    /// # Errors
    /// As [`Node::check`].
    pub async fn list_actions(
        &self,
        batch: &mut BatchQuery,
        search: ActionSearch,
    ) -> Result<Found<ActionName>, NodeError> {
        let ActionSearch { asker, resource, service, context, after, limit } = search;
        let place = match self.place(batch, &asker).await? {
            Ok(place) => place,
            Err(nobody) => return Ok(Found::of_nobody(&nobody)),
        };
        let Some(action) = self.any_action(service.as_deref()) else {
            return Ok(Found::nothing(place.owner_uin, place.revision, place.stale_ms));
        };
        let query = CheckQuery { asker, action, resource, context, accepts_filter: true };
        let request = self.request(&place, query, Added::default()).await?;
        let mut after = after;
        let mut items = Vec::new();
        let is_wanted = |action: &ActionName| {
            service.as_deref().is_none_or(|service| action.service() == service)
        };
        if let Some(service) = &service {
            after = after.or_else(|| self.last_before(service));
        }
        let page = list_actions(&place.view.snapshot, request.parts(), after.as_ref(), limit)?;
        let mut next = page.next;
        for action in page.items {
            if is_wanted(&action) {
                items.push(action);
            }
        }
        // Services stand together, so the first action beyond the wanted one is the end.
        if next.as_ref().is_some_and(|next| !is_wanted(next)) {
            next = None;
        }
        Ok(Found::at(&place, Page { items, next }))
    }

    /// The uins for which a question is allowed, ascending; the root is one of them.
    ///
    /// # Errors
    /// As [`Node::check`], and [`NodeError::NoAccount`].
    pub async fn list_principals(
        &self,
        batch: &mut BatchQuery,
        search: PrincipalSearch,
    ) -> Result<Found<u64>, NodeError> {
        let PrincipalSearch { owner_uin, query, after, limit } = search;
        let root = Asker::Uin { uin: owner_uin, owner_uin: Some(owner_uin) };
        let place = match self.place(batch, &root).await? {
            Ok(place) => place,
            Err(_) => return Err(NodeError::NoAccount { owner_uin }),
        };
        let request = self.request(&place, query, Added::default()).await?;
        let page = list_principals(&place.view.snapshot, &request, after, limit);
        Ok(Found::at(&place, page))
    }

    /// Some catalogued action, of the service if one is given.
    fn any_action(&self, service: Option<&str>) -> Option<ActionName> {
        let actions = match service {
            Some(service) => self.catalog.actions_of(service),
            None => self.catalog.all_actions(),
        };
        ActionName::parse(&actions.first()?.qualified_name()).ok()
    }

    /// The last catalogued action that stands before a service's own.
    fn last_before(&self, service: &str) -> Option<ActionName> {
        let before = self.catalog.all_actions().iter().rev().find(|it| *it.service < *service)?;
        ActionName::parse(&before.qualified_name()).ok()
    }
}
