//! What is asked: one principal, one action, one resource, a context and a time.
//!
//! [`Request::check`] is the only way to a [`Request`], and [`Query::check`] to a [`Checked`], the
//! same with its texts borrowed; having one proves that the server's own
//! keys were not sent (rule D-15), that the action is no misspelling of a catalogued one (rule
//! D-18), and that only a list asks about nothing (rule F-01). It decides nothing.

use std::sync::Arc;

use jiff::Timestamp;

use super::compile::CompiledPolicy;
use super::snapshot::{AccountSnapshot, Profile};
use crate::catalog::{ActionId, Catalog, Known};
use crate::lang::action::{ActionFault, ActionName, ActionRef, without_prefix};
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
    #[inline]
    pub fn parse(text: &'a str) -> Result<Self, ResourceFault> {
        match text {
            "" => Ok(Self::Nothing),
            "*" => Ok(Self::Star),
            _ => ResourceRef::parse(text).map(Self::Name),
        }
    }
}

/// An action as it is asked about: its name, and what a catalog knows of it.
#[derive(Debug, Clone, Copy)]
pub struct ActionQuery<'a> {
    name: ActionRef<'a>,
    known: Option<(&'a Catalog, &'a Known)>,
}

impl<'a> ActionQuery<'a> {
    /// As [`ActionRef::parse`]; a catalogued name is only looked up.
    ///
    /// # Errors
    /// What is wrong with the text.
    #[inline]
    pub fn parse(text: &'a str, catalog: &'a Catalog) -> Result<Self, ActionFault> {
        let bare = without_prefix(text);
        match catalog.find(bare) {
            Some(known) => Ok(Self { name: known.name(bare), known: Some((catalog, known)) }),
            None => ActionRef::parse(text).map(Self::from),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> ActionRef<'a> {
        self.name
    }

    /// What this catalog knows of it.
    #[inline]
    fn known_to<'c>(&self, catalog: &'c Catalog) -> Option<&'c Known>
    where
        'a: 'c,
    {
        match self.known {
            Some((of, known)) if std::ptr::eq(of, catalog) => Some(known),
            Some(_) | None => catalog.find(self.name.text()),
        }
    }
}

impl<'a> From<ActionRef<'a>> for ActionQuery<'a> {
    fn from(name: ActionRef<'a>) -> Self {
        Self { name, known: None }
    }
}

/// Who asks: a uin, and who that is in a snapshot.
#[derive(Debug, Clone, Copy)]
pub struct PrincipalQuery<'a> {
    uin: u64,
    found: Option<(&'a AccountSnapshot, Option<&'a Profile>)>,
}

impl<'a> PrincipalQuery<'a> {
    /// Looks up the uin in the snapshot that will decide. A large account's table is far from the
    /// processor: whoever looks here first reads the other texts of a request while it waits.
    #[inline]
    #[must_use]
    pub fn find(uin: u64, snapshot: &'a AccountSnapshot) -> Self {
        Self { uin, found: Some((snapshot, snapshot.profile(uin))) }
    }

    /// The uin.
    #[must_use]
    pub fn uin(self) -> u64 {
        self.uin
    }

    /// Who it is in this snapshot.
    #[inline]
    fn profile_in(self, snapshot: &'a AccountSnapshot) -> Option<&'a Profile> {
        match self.found {
            Some((of, profile)) if std::ptr::eq(of, snapshot) => profile,
            Some(_) | None => snapshot.profile(self.uin),
        }
    }
}

impl From<u64> for PrincipalQuery<'_> {
    fn from(uin: u64) -> Self {
        Self { uin, found: None }
    }
}

/// The parts of a request, borrowed, not yet checked. The fields are those of [`RequestParts`].
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// The uin of who asks, in the account of the snapshot that will decide.
    pub principal: PrincipalQuery<'a>,
    /// What they want to do.
    pub action: ActionQuery<'a>,
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

/// A borrowed request that may be decided: `'a` is its texts', `'q` the query's own.
#[derive(Debug, Clone, Copy)]
pub struct Checked<'q, 'a>(&'q Query<'a>);

impl<'a> Query<'a> {
    /// Checks the query against the catalog of the world that will decide. Allocates nothing
    /// unless it is refused, or the action is in no catalog.
    ///
    /// # Errors
    /// As [`Request::check`].
    #[inline]
    pub fn check(&self, catalog: &Catalog) -> Result<Checked<'_, 'a>, RequestFault> {
        let known = self.action.known_to(catalog);
        let is_nothing = self.resource == ResourceQuery::Nothing;
        if known.is_none() || is_nothing || !self.context.is_empty() {
            self.look_closer(catalog, known)?;
        }
        Ok(Checked(self))
    }

    /// What most requests need not be asked.
    fn look_closer(&self, catalog: &Catalog, known: Option<&Known>) -> Result<(), RequestFault> {
        let mut keys = self.context.iter();
        if let Some((key, _)) = keys.find(|(key, _)| DERIVED_KEYS.contains(key)) {
            return Err(RequestFault::DerivedKey(key.to_owned()));
        }
        let action = self.action.name;
        if known.is_none()
            && let Some(twin) = catalog.case_twin(action.service(), action.name())
        {
            return Err(RequestFault::CaseTwin {
                action: action.to_string(),
                catalogued: twin.qualified_name(),
            });
        }
        let is_list = known.is_some_and(|it| it.granularity == Granularity::List);
        if self.resource == ResourceQuery::Nothing && !is_list {
            return Err(RequestFault::NoResource(action.to_string()));
        }
        Ok(())
    }
}

impl<'q, 'a> Checked<'q, 'a> {
    /// The parts that were checked.
    #[must_use]
    pub fn query(&self) -> &'q Query<'a> {
        self.0
    }

    /// Who asks, in the snapshot that will decide.
    #[inline]
    pub(super) fn profile(&self, snapshot: &'a AccountSnapshot) -> Option<&'a Profile> {
        self.0.principal.profile_in(snapshot)
    }

    /// What the catalog that will decide, which may number its actions otherwise, knows of the
    /// action; none for an action outside it.
    #[inline]
    pub(super) fn action<'c>(&self, catalog: &'c Catalog) -> Option<&'c Known>
    where
        'a: 'c,
    {
        self.0.action.known_to(catalog)
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
            principal: self.principal.into(),
            action: self.action.by_ref().into(),
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
}

impl Request {
    /// Checks the parts against the catalog of the world that will decide.
    ///
    /// # Errors
    /// The first of: a derived key (rule D-15), an action in wrong case (rule D-18), a missing
    /// resource (rule F-01).
    pub fn check(parts: RequestParts, catalog: &Catalog) -> Result<Self, RequestFault> {
        parts.query().check(catalog)?;
        Ok(Self { parts })
    }

    /// The parts that were checked.
    #[must_use]
    pub fn parts(&self) -> &RequestParts {
        &self.parts
    }

    /// The request, borrowed: `query` is that of its parts.
    pub(super) fn checked<T>(&self, work: impl FnOnce(Checked<'_, '_>) -> T) -> T {
        work(Checked(&self.parts.query()))
    }

    /// The action's number in `catalog`; none for an action outside it.
    pub(super) fn action_id(&self, catalog: &Catalog) -> Option<ActionId> {
        self.checked(|it| it.action(catalog).map(|known| known.id))
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
