//! The inverse questions: which actions, which resources, which principals.
//!
//! Complete by construction: every candidate is put to `decide`, in ascending order, at most
//! [`SEARCH_CANDIDATES_MAX`] per call. A page says where the next one starts; it may be shorter
//! than asked for, or empty, before the last one.

use super::decide::decide;
use super::decision::{Decision, Outcome};
use super::input::PrincipalKind;
use super::list::app_names;
use super::request::{Request, RequestFault, RequestParts};
use super::snapshot::AccountSnapshot;
use super::trace::NoTrace;
use crate::lang::action::ActionName;
use crate::lang::resource::ResourceName;

/// Most candidates that one call decides, so that a call has an end on the largest account.
pub const SEARCH_CANDIDATES_MAX: usize = 10_000;

/// A part of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What was found, ascending.
    pub items: Vec<T>,
    /// Where to go on: the last candidate that was decided. None: there are no more.
    pub next: Option<T>,
}

/// Why a search is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SearchFault {
    /// The request cannot be decided.
    #[error(transparent)]
    Request(#[from] RequestFault),
    /// The action is about things that the server does not know.
    #[error("action `{0}` is not about registered apps, so its resources cannot be listed")]
    NotAboutApps(String),
}

/// The catalogued actions that are allowed on the request's resource, as `service:Name` in the
/// catalog's order, after the action `after`. The action in `parts` is not looked at. Where an
/// action cannot be asked about the resource (rule F-01), it is left out.
///
/// # Errors
/// The context has a key of the server's own.
pub fn list_actions(
    snapshot: &AccountSnapshot,
    parts: &RequestParts,
    after: Option<&ActionName>,
    limit: usize,
) -> Result<Page<ActionName>, SearchFault> {
    let catalog = snapshot.world().catalog();
    let later = |action: &ActionName| {
        after
            .is_none_or(|after| (action.service(), action.name()) > (after.service(), after.name()))
    };
    let candidates = catalog
        .all_actions()
        .iter()
        .filter_map(|action| ActionName::parse(&action.qualified_name()).ok())
        .filter(later);
    let mut fault = None;
    let page = page(candidates, limit, |action| {
        match Request::check(RequestParts { action: action.clone(), ..parts.clone() }, catalog) {
            Ok(request) => is_allowed(&decide(snapshot, &request, &mut NoTrace)),
            Err(RequestFault::NoResource(_)) => false,
            Err(other) => {
                fault = Some(other);
                false
            }
        }
    });
    fault.map_or(Ok(page), |fault| Err(fault.into()))
}

/// The registered apps on which the request's action is allowed, by ascending id, after the app
/// `after`. The resource in `request` is not looked at.
///
/// # Errors
/// The action is not about apps.
pub fn list_resources(
    snapshot: &AccountSnapshot,
    request: &Request,
    after: Option<u64>,
    limit: usize,
) -> Result<Page<u64>, SearchFault> {
    let catalog = snapshot.world().catalog();
    let action = request.action_id(catalog).and_then(|id| catalog.action_by_id(id));
    let names = action
        .and_then(|action| app_names(snapshot, action))
        .ok_or_else(|| SearchFault::NotAboutApps(request.parts().action.to_string()))?;
    let candidates: Vec<(u64, _)> = snapshot.sdkappids().zip(names).collect();
    let later = candidates.iter().filter(|(id, _)| after.is_none_or(|after| *id > after));
    let mut asked = request.clone();
    let found = page(later.map(|(id, name)| Named { id: *id, name }), limit, |candidate| {
        asked.set_own_resource(candidate.name.clone());
        is_allowed(&decide(snapshot, &asked, &mut NoTrace))
    });
    Ok(Page {
        items: found.items.iter().map(|it| it.id).collect(),
        next: found.next.map(|it| it.id),
    })
}

/// Those of the named resources on which the request is allowed, in their order, after the resource
/// named `after`. All are of the account itself. The resource in `request` is not looked at.
#[must_use]
pub fn list_named(
    snapshot: &AccountSnapshot,
    request: &Request,
    names: &[ResourceName],
    after: Option<&str>,
    limit: usize,
) -> Page<ResourceName> {
    let mut asked = request.clone();
    let later = names.iter().filter(|name| after.is_none_or(|after| name.text() > after));
    page(later.cloned(), limit, |name| {
        asked.set_own_resource(name.clone());
        is_allowed(&decide(snapshot, &asked, &mut NoTrace))
    })
}

#[derive(Clone)]
struct Named<'a> {
    id: u64,
    name: &'a ResourceName,
}

/// The uins for which the request is allowed, ascending, after the uin `after`. The principal in
/// `request` is not looked at, and its session caps everyone. Roles are left out: without a session
/// they act on nothing (rule D-25).
#[must_use]
pub fn list_principals(
    snapshot: &AccountSnapshot,
    request: &Request,
    after: Option<u64>,
    limit: usize,
) -> Page<u64> {
    let mut asked = request.clone();
    let is_role = |uin: u64| snapshot.principal_kind(uin) == Some(PrincipalKind::Role);
    page(snapshot.uins_after(after), limit, |uin| {
        asked.set_principal(*uin);
        !is_role(*uin) && is_allowed(&decide(snapshot, &asked, &mut NoTrace))
    })
}

fn is_allowed(decision: &Decision) -> bool {
    decision.outcome == Outcome::Allow
}

/// Decides candidates until `limit` are found, the most are decided, or none are left.
fn page<T: Clone>(
    candidates: impl Iterator<Item = T>,
    limit: usize,
    mut allowed: impl FnMut(&T) -> bool,
) -> Page<T> {
    let mut candidates = candidates.peekable();
    let mut page = Page { items: Vec::new(), next: None };
    let mut decided = 0;
    while page.items.len() < limit.max(1) && decided < SEARCH_CANDIDATES_MAX {
        let Some(candidate) = candidates.next() else { return Page { next: None, ..page } };
        decided += 1;
        page.next = Some(candidate.clone());
        if allowed(&candidate) {
            page.items.push(candidate);
        }
    }
    if candidates.peek().is_none() { Page { next: None, ..page } } else { page }
}
