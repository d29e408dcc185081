//! What is asked: one principal, one action, one resource, a context and a time.
//!
//! [`Request::check`] is the only way to a [`Request`], and [`Query::check`] to a [`Checked`], the
//! same with its texts borrowed; having one proves that the server's own
//! keys were not sent (rule D-15), that the action is no misspelling of a catalogued one (rule
//! D-18), and that only a list asks about nothing (rule F-01). It decides nothing.

use std::sync::Arc;

use jiff::Timestamp;

use super::compile::CompiledPolicy;
use crate::catalog::{ActionId, Catalog};
use crate::lang::action::{ActionName, ActionRef};
use crate::lang::condition::Context;
use crate::lang::resource::{ResourceFault, ResourceName, ResourceRef};
use crate::lang::vocabulary::Granularity;

/// The condition keys that only the server sets (rule D-15), sorted.
pub const DERIVED_KEYS: [&str; 4] =
    ["qcs:except_cam_finance", "qcs:owner_uin", "qcs:read_only_action", "qcs:uin"];

/// What an action is asked about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// No resource at all; list actions only (rule F-01).
    Nothing,
    /// The bare `*` (rule R-03).
    Star,
    /// One resource.
    Name(ResourceName),
}

impl Resource {
    /// Reads a request's resource: empty, `*`, or a six-segment name.
    ///
    /// # Errors
    /// What is wrong with the name.
    pub fn parse(text: &str) -> Result<Self, ResourceFault> {
        match text {
            "" => Ok(Self::Nothing),
            "*" => Ok(Self::Star),
            _ => ResourceName::parse(text).map(Self::Name),
        }
    }

    /// The resource, borrowed.
    #[must_use]
    pub fn by_ref(&self) -> ResourceQuery<'_> {
        match self {
            Self::Nothing => ResourceQuery::Nothing,
            Self::Star => ResourceQuery::Star,
            Self::Name(name) => ResourceQuery::Name(name.by_ref()),
        }
    }

    /// The text that [`Resource::parse`] reads.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Nothing => "",
            Self::Star => "*",
            Self::Name(name) => name.text(),
        }
    }
}

/// What an action is asked about, in a text that somebody else holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceQuery<'a> {
    /// As [`Resource::Nothing`].
    Nothing,
    /// As [`Resource::Star`].
    Star,
    /// One resource.
    Name(ResourceRef<'a>),
}

impl<'a> ResourceQuery<'a> {
    /// As [`Resource::parse`]; allocates nothing.
    ///
    /// # Errors
    /// What is wrong with the name.
    pub fn parse(text: &'a str) -> Result<Self, ResourceFault> {
        match text {
            "" => Ok(Self::Nothing),
            "*" => Ok(Self::Star),
            _ => ResourceRef::parse(text).map(Self::Name),
        }
    }
}

/// The parts of a request, borrowed, not yet checked. The fields are those of [`RequestParts`].
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// The uin of who asks, in the account of the snapshot that will decide.
    pub principal: u64,
    /// What they want to do.
    pub action: ActionRef<'a>,
    /// On what.
    pub resource: ResourceQuery<'a>,
    /// The facts that conditions test, without the server's own (rule D-15).
    pub context: &'a Context,
    /// The server's time.
    pub now: Timestamp,
    /// The policies of the caller's session (rule D-10).
    pub session: &'a [Arc<CompiledPolicy>],
    /// The owner of the app that `resource` names, as registered (rule D-08).
    pub registered_owner: Option<u64>,
    /// Whether the resource's owner has granted this request (rule D-24).
    pub granted_by_owner: bool,
    /// Whether the caller applies the filters of list answers (rule F-03).
    pub accepts_filter: bool,
}

/// A borrowed request that may be decided.
#[derive(Debug, Clone, Copy)]
pub struct Checked<'a> {
    query: Query<'a>,
    action_id: Option<ActionId>,
    /// The catalog that the number is of, when it is known to be there still.
    catalog: Option<&'a Catalog>,
}

impl<'a> Query<'a> {
    /// Checks the query against the catalog of the world that will decide. Allocates nothing
    /// unless it is refused, or the action is in no catalog.
    ///
    /// # Errors
    /// As [`Request::check`].
    pub fn check(self, catalog: &'a Catalog) -> Result<Checked<'a>, RequestFault> {
        let mut keys = self.context.iter();
        if let Some((key, _)) = keys.find(|(key, _)| DERIVED_KEYS.contains(key)) {
            return Err(RequestFault::DerivedKey(key.to_owned()));
        }
        let (service, name) = (self.action.service(), self.action.name());
        let action_id = catalog.action_id(service, name);
        if action_id.is_none()
            && let Some(twin) = catalog.case_twin(service, name)
        {
            return Err(RequestFault::CaseTwin {
                action: self.action.to_string(),
                catalogued: twin.qualified_name(),
            });
        }
        let granularity = action_id.and_then(|id| catalog.action_by_id(id)).map(|a| a.granularity);
        if self.resource == ResourceQuery::Nothing && granularity != Some(Granularity::List) {
            return Err(RequestFault::NoResource(self.action.to_string()));
        }
        Ok(Checked { query: self, action_id, catalog: Some(catalog) })
    }
}

impl<'a> Checked<'a> {
    /// The parts that were checked.
    #[must_use]
    pub fn query(&self) -> &Query<'a> {
        &self.query
    }

    /// The same for the catalog that will decide, which may number its actions otherwise.
    pub(super) fn for_catalog(self, catalog: &Catalog) -> Self {
        if self.catalog.is_some_and(|of| std::ptr::eq(of, catalog)) {
            return self;
        }
        let action = self.query.action;
        let same = |id: &ActionId| {
            catalog.action_by_id(*id).is_some_and(|known| {
                *known.name == *action.name() && *known.service == *action.service()
            })
        };
        let action_id = self.action_id.filter(same);
        let action_id = action_id.or_else(|| catalog.action_id(action.service(), action.name()));
        Self { action_id, catalog: None, ..self }
    }

    /// The action's number; none for an action outside the catalog.
    pub(super) fn action_id(&self) -> Option<ActionId> {
        self.action_id
    }
}

/// The parts of a request, not yet checked.
#[derive(Debug, Clone)]
pub struct RequestParts {
    /// The uin of who asks, in the account of the snapshot that will decide.
    pub principal: u64,
    /// What they want to do.
    pub action: ActionName,
    /// On what.
    pub resource: Resource,
    /// The facts that conditions test, without the server's own (rule D-15).
    pub context: Context,
    /// The server's time; `qcs:current_time` unless the context has that key.
    pub now: Timestamp,
    /// The policies of the caller's session, compiled for the catalog of the snapshot that will
    /// decide; each must allow (rule D-10). Empty: no session.
    pub session: Vec<Arc<CompiledPolicy>>,
    /// The uin of the root account in which the app that `resource` names is registered, when that
    /// is known from the app registry; none when it is no app, or registered nowhere (rule D-08).
    pub registered_owner: Option<u64>,
    /// Whether the owner of the one resource that `resource` names has granted this request, as the
    /// trust policy of a role does; lifts rule D-08 for it and nothing else (rule D-24).
    pub granted_by_owner: bool,
    /// Whether the caller has declared that it applies the filters of list answers (rule F-03).
    pub accepts_filter: bool,
}

impl RequestParts {
    /// The parts, borrowed.
    #[must_use]
    pub fn query(&self) -> Query<'_> {
        Query {
            principal: self.principal,
            action: self.action.by_ref(),
            resource: self.resource.by_ref(),
            context: &self.context,
            now: self.now,
            session: &self.session,
            registered_owner: self.registered_owner,
            granted_by_owner: self.granted_by_owner,
            accepts_filter: self.accepts_filter,
        }
    }
}

/// Why a request is refused before it is decided.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestFault {
    /// The context has a key of the server's own (rule D-15).
    #[error("context key `{0}` is set by the server; leave it out")]
    DerivedKey(String),
    /// The action is a catalogued one in other case (rule D-18).
    #[error("action `{action}` is unknown; write `{catalogued}`, names are case-sensitive")]
    CaseTwin {
        /// The action as asked.
        action: String,
        /// The catalogued spelling.
        catalogued: String,
    },
    /// No resource for an action that is no list (rule F-01).
    #[error("action `{0}` needs a resource: `*` or a six-segment name")]
    NoResource(String),
}

/// A request that may be decided.
#[derive(Debug, Clone)]
pub struct Request {
    parts: RequestParts,
    action_id: Option<ActionId>,
}

impl Request {
    /// Checks the parts against the catalog of the world that will decide.
    ///
    /// # Errors
    /// The first of: a derived key (rule D-15), an action in wrong case (rule D-18), a missing
    /// resource (rule F-01).
    pub fn check(parts: RequestParts, catalog: &Catalog) -> Result<Self, RequestFault> {
        let action_id = parts.query().check(catalog)?.action_id;
        Ok(Self { parts, action_id })
    }

    /// The parts that were checked.
    #[must_use]
    pub fn parts(&self) -> &RequestParts {
        &self.parts
    }

    /// The request, borrowed.
    #[must_use]
    pub fn checked(&self) -> Checked<'_> {
        Checked { query: self.parts.query(), action_id: self.action_id, catalog: None }
    }

    /// The action's number in `catalog`; none for an action outside it.
    pub(super) fn action_id(&self, catalog: &Catalog) -> Option<ActionId> {
        self.checked().for_catalog(catalog).action_id
    }

    /// The same request of another principal.
    pub(super) fn set_principal(&mut self, uin: u64) {
        self.parts.principal = uin;
        // What was granted was granted to the one who asked.
        self.parts.granted_by_owner = false;
    }

    /// The same request about another resource of the principal's own account.
    pub(super) fn set_own_resource(&mut self, name: ResourceName) {
        self.parts.resource = Resource::Name(name);
        self.parts.registered_owner = None;
        self.parts.granted_by_owner = false;
    }
}
