//! Lists (rules F-01 to F-03): one decision per registered app, put together to one answer.
//!
//! The filter is exactly the set of apps for which the full algorithm allows. It decides nothing by
//! itself: every app goes through `Case::decide`.

use super::decide::Case;
use super::decision::{Filter, Layer, Outcome, Reason};
use super::decision_ref::DecisionRef;
use super::facts::Target;
use super::snapshot::AccountSnapshot;
use super::trace::Trace;
use crate::catalog::{Action, Registry};
use crate::lang::resource::ResourceName;
use crate::lang::vocabulary::Granularity;

/// The names of the account's apps as a list action speaks of them, by ascending id; none when the
/// action is no list of registered things.
pub(super) fn names(snapshot: &AccountSnapshot, action: &Action) -> Option<Vec<ResourceName>> {
    if action.granularity != Granularity::List {
        return None;
    }
    app_names(snapshot, action)
}

/// The names of the account's apps as any action speaks of them, by ascending id; none when the
/// action is about other things.
pub(super) fn app_names(snapshot: &AccountSnapshot, action: &Action) -> Option<Vec<ResourceName>> {
    let service = snapshot.world().catalog().service(&action.service)?;
    let kind = service.resource_type(action.resource_type.as_deref()?)?;
    if kind.registry != Some(Registry::Apps) {
        return None;
    }
    let owner = snapshot.owner().uin;
    let name = |id: u64| ResourceName::parse(&kind.name_of(owner, &id.to_string()));
    // The catalog has checked the template; were a name unreadable all the same, the list would be
    // empty, which is the safe answer.
    let names: Result<Vec<ResourceName>, _> = snapshot.sdkappids().map(name).collect();
    Some(names.unwrap_or_default())
}

/// Decides a list.
pub(super) fn decide<'a>(
    case: &Case<'a, '_>,
    names: &[ResourceName],
    decision: &mut DecisionRef<'a>,
    trace: &mut impl Trace,
) {
    let mut allowed = Vec::new();
    let mut nearest: Option<Reason> = None;
    for name in names {
        let mut part = DecisionRef::of_nobody();
        case.decide(Target::Name(&name.by_ref()), &mut part, trace);
        if part.reason.outcome() == Outcome::Allow {
            allowed.push(name.text().to_owned());
        }
        if nearest.is_none_or(|reason| nearness(part.reason) > nearness(reason)) {
            nearest = Some(part.reason);
        }
        decision.runs.append(&mut part.runs);
        decision.add_errors(part.take_errors());
    }
    let nearest = nearest.unwrap_or_else(|| {
        decision.add_errors(case.unreadable());
        of_nothing(case, decision.errors())
    });
    let all = allowed.len() == names.len();
    let accepts = all || case.request.query().accepts_filter;
    decision.reason = match nearest.outcome() {
        Outcome::Allow if !accepts => Reason::FilterUnsupported,
        Outcome::Allow | Outcome::Deny => nearest,
    };
    // Denies of some apps do not make the denial of all when another app came nearer (rule D-11).
    if matches!(decision.reason, Reason::ImplicitDeny(_) | Reason::Error) {
        decision.runs.clear();
    }
    decision.sort_errors();
    if decision.reason.outcome() == Outcome::Allow {
        decision.set_filter(Filter { all, resources: allowed });
    }
}

/// A list of no apps: there is nothing to be allowed, but for the root, who sees an empty list.
fn of_nothing(case: &Case<'_, '_>, errors: &[super::DecisionError]) -> Reason {
    if !errors.is_empty() {
        Reason::Error // rule D-05
    } else if case.is_root() {
        Reason::Root // rule D-06
    } else {
        Reason::ImplicitDeny(Layer::Identity) // rule F-02
    }
}

/// How near to being allowed a reason is. Among explicit denies the first layer counts (rule D-04).
fn nearness(reason: Reason) -> (u8, std::cmp::Reverse<Layer>) {
    let first = std::cmp::Reverse(Layer::General);
    match reason {
        Reason::UnknownPrincipal | Reason::FilterUnsupported => (0, first),
        Reason::ExplicitDeny(layer) => (1, std::cmp::Reverse(layer)),
        Reason::Error => (2, first),
        Reason::ImplicitDeny(layer) => (
            match layer {
                Layer::General => 3,
                Layer::Identity => 4,
                Layer::Resource => 5,
                Layer::Boundary => 6,
                Layer::Session => 7,
            },
            first,
        ),
        Reason::Root | Reason::Allow => (8, first),
    }
}
