//! The decision (rules D-01 to D-20): one request, one snapshot, one answer.
//!
//! Every layer is asked, and every statement that can match is tested, so that errors and
//! determining statements are complete; the reason is then read off in the order of rule D-04.
//! Lists are `list`'s part. Nothing is looked up but in the snapshot and the request.

use std::sync::Arc;

use super::compile::CompiledPolicy;
use super::decision::{Decision, DecisionError, Layer, Note, Reason};
use super::decision_ref::{DecisionRef, Run, Statements};
use super::evaluate::{Question, Verdict, evaluate, test_conditions};
use super::facts::{Overlay, Target};
use super::index::{Entry, Item, Kind, PolicySet};
use super::input::PrincipalKind;
use super::list;
use super::request::{Checked, Request, ResourceQuery};
use super::snapshot::{AccountSnapshot, Profile};
use super::trace::{Asked, NoTrace, Trace, Visit};
use crate::catalog::Known;
use crate::lang::document::Effect;
use crate::lang::variable::Variables;
use crate::lang::vocabulary::Granularity;

/// Decides. The trace watches and changes nothing; [`super::NoTrace`] is the usual one.
pub fn decide(snapshot: &AccountSnapshot, request: &Request, trace: &mut impl Trace) -> Decision {
    request.checked(|request| {
        let mut decision = DecisionRef::of_nobody();
        traced(snapshot, request, trace, &mut decision);
        decision.to_decision()
    })
}

/// Decides without copying: the decision points into snapshot and request. One about a single
/// resource, without conditions on tags or times, allocates nothing and takes no lock. The decision
/// is the caller's, and whatever it was before: to return one, moving it about, takes as long as
/// reading the resource's name.
#[inline]
pub fn decide_into<'a>(
    snapshot: &'a AccountSnapshot,
    request: Checked<'_, 'a>,
    decision: &mut DecisionRef<'a>,
) {
    *decision = DecisionRef::of_nobody();
    traced(snapshot, request, &mut NoTrace, decision);
}

#[inline]
fn traced<'a>(
    snapshot: &'a AccountSnapshot,
    request: Checked<'_, 'a>,
    trace: &mut impl Trace,
    decision: &mut DecisionRef<'a>,
) {
    let action = request.action(snapshot.world().catalog());
    decision.set_note(note(action, &request.query().resource));
    // rule D-12
    if let Some(profile) = request.profile(snapshot)
        && profile.kind != PrincipalKind::MessageRecipient
    {
        let variables = Variables { uin: request.query().principal.uin(), owner: snapshot.owner() };
        let case = Case { snapshot, request, action, profile, variables };
        case.fill(decision, trace);
    }
}

fn note(action: Option<&Known>, resource: &ResourceQuery<'_>) -> Option<Note> {
    match (action.map(|action| action.granularity), resource) {
        (None, _) => Some(Note::UnknownAction),
        (Some(Granularity::Resource), ResourceQuery::Star) => Some(Note::ResourceActionOnStar),
        (Some(Granularity::Operation), ResourceQuery::Name(_)) => {
            Some(Note::OperationActionOnResource)
        }
        (Some(Granularity::Resource | Granularity::Operation | Granularity::List), _) => None,
    }
}

/// One request with everything looked up that does not depend on the resource: `'a` is the
/// snapshot's, `'q` the question's.
#[derive(Debug)]
pub(super) struct Case<'a, 'q> {
    pub(super) snapshot: &'a AccountSnapshot,
    pub(super) request: Checked<'q, 'a>,
    action: Option<&'a Known>,
    pub(super) profile: &'a Profile,
    variables: Variables,
}

impl<'a> Case<'a, '_> {
    /// Decides about the one resource, or about all that a list is about.
    #[inline]
    fn fill(&self, decision: &mut DecisionRef<'a>, trace: &mut impl Trace) {
        match &self.request.query().resource {
            ResourceQuery::Name(name) => self.decide(Target::Name(name), decision, trace),
            ResourceQuery::Star | ResourceQuery::Nothing => {
                let catalog = self.snapshot.world().catalog();
                let action = self.action.and_then(|known| catalog.action_by_id(known.id));
                match action.and_then(|it| list::names(self.snapshot, it)) {
                    Some(names) => return list::decide(self, &names, decision, trace),
                    None => self.decide(Target::Star, decision, trace),
                }
            }
        }
        decision.sort_errors();
    }

    pub(super) fn is_root(&self) -> bool {
        self.profile.kind == PrincipalKind::Root
    }

    /// The identity layer's policies; the root has none (rule D-06).
    fn identity(&self) -> Option<&'a PolicySet> {
        if self.is_root() { None } else { Some(&self.profile.set) }
    }

    /// The sets that count, but for the session's policies, in the order of rule D-04.
    #[inline]
    fn sets(&self) -> [(Layer, Option<&'a PolicySet>); 3] {
        [
            (Layer::General, Some(self.snapshot.world().general_set())),
            (Layer::Identity, self.identity()),
            (Layer::Boundary, self.profile.boundary.as_deref()),
        ]
    }

    /// The policies that count and cannot be read (rule D-05).
    pub(super) fn unreadable(&self) -> Vec<DecisionError> {
        let mut errors = Vec::new();
        for (layer, set) in self.sets() {
            for policy in set.map(PolicySet::unreadable).unwrap_or_default() {
                errors.extend(unreadable(layer, policy));
            }
        }
        for policy in self.request.query().session {
            errors.extend(unreadable(Layer::Session, policy));
        }
        errors
    }

    /// Whether a policy that counts cannot be read.
    #[inline]
    fn is_broken(&self) -> bool {
        let mut sets = self.sets().into_iter();
        sets.any(|(_, set)| set.is_some_and(|set| !set.unreadable().is_empty()))
            || self.request.query().session.iter().any(|it| it.unreadable().is_some())
    }

    /// The full algorithm for one target; writes the reason, the statements that made it (rule
    /// D-11), and errors in any order.
    #[inline]
    pub(super) fn decide<T: Trace>(
        &self,
        target: Target<'_>,
        decision: &mut DecisionRef<'a>,
        trace: &mut T,
    ) {
        trace.begin(Asked { target });
        let overlay = Overlay::new(self.snapshot, self.request, target);
        let question = Question {
            action_id: self.action.map(|known| known.id),
            target,
            variables: &self.variables,
            overlay: &overlay,
        };
        let is_broken = self.is_broken();
        if is_broken {
            decision.add_errors(self.unreadable());
        }
        let mut tally = Tally { question: &question, decision, allows: 0, denied: None };
        tally.set(Layer::General, self.snapshot.world().general_set(), trace);
        let identity = self.identity().map(|set| tally.set(Layer::Identity, set, trace));
        let boundary =
            self.profile.boundary.as_deref().map(|set| tally.set(Layer::Boundary, set, trace));
        let mut session = true;
        for policy in self.request.query().session {
            session &= tally.policy(policy, trace);
        }
        // rule D-04; the layers were asked in its order
        let reason = if let Some(layer) = tally.denied {
            Reason::ExplicitDeny(layer)
        } else if is_broken {
            Reason::Error // rule D-05
        } else if identity == Some(false) {
            Reason::ImplicitDeny(Layer::Identity) // rules D-01, D-07
        } else if self.is_foreign(target) {
            Reason::ImplicitDeny(Layer::Resource) // rules D-06, D-08
        } else if boundary == Some(false) {
            Reason::ImplicitDeny(Layer::Boundary) // rule D-09
        } else if !session {
            Reason::ImplicitDeny(Layer::Session) // rule D-10
        } else if self.is_root() {
            Reason::Root // rule D-06
        } else {
            Reason::Allow
        };
        trace.end(reason);
        decision.conclude(reason);
    }

    /// Whether the target belongs to another root account, which has granted nothing (rules D-08,
    /// D-14, D-24).
    fn is_foreign(&self, target: Target<'_>) -> bool {
        let Target::Name(name) = target else { return false };
        let home = self.snapshot.owner();
        // Registered owner and grant are those of the resource asked about, never of a list's apps.
        let query = self.request.query();
        let (registered, is_granted) = match query.resource {
            ResourceQuery::Name(_) => (query.registered_owner, query.granted_by_owner),
            ResourceQuery::Star | ResourceQuery::Nothing => (None, false),
        };
        if is_granted {
            return false;
        }
        name.account().owner_uin(&home) != Some(home.uin)
            || registered.is_some_and(|owner| owner != home.uin)
    }
}

/// Rule D-05.
fn unreadable(layer: Layer, policy: &CompiledPolicy) -> Option<DecisionError> {
    let input = policy.input();
    policy.unreadable().map(|why| DecisionError {
        layer,
        policy_id: input.id,
        statement: None,
        condition: None,
        policy_name: Arc::clone(&input.name),
        version: input.version,
        message: format!("policy `{}` cannot be read: {why}", input.name),
    })
}

/// What the statements say, layer by layer.
struct Tally<'a, 'q> {
    question: &'q Question<'q>,
    /// Gets every statement that acts.
    decision: &'q mut DecisionRef<'a>,
    /// How often a statement has allowed.
    allows: usize,
    /// The first layer that has a deny.
    denied: Option<Layer>,
}

impl<'a> Tally<'a, '_> {
    /// Asks a layer; whether one of its statements allows.
    #[inline]
    fn set<T: Trace>(&mut self, layer: Layer, set: &'a PolicySet, trace: &mut T) -> bool {
        let before = self.allows;
        if T::EVERY_STATEMENT {
            set.all().for_each(|entry| self.whole(layer, entry, trace));
        } else {
            set.find(self.question, |kind, items| self.hit(layer, set, kind, items));
        }
        self.allows > before
    }

    /// Asks one policy of the session; whether one of its statements allows.
    fn policy(&mut self, policy: &'a Arc<CompiledPolicy>, trace: &mut impl Trace) -> bool {
        let before = self.allows;
        for (index, (statement, compiled)) in policy.statements().enumerate() {
            self.whole(Layer::Session, Entry { policy, index, statement, compiled }, trace);
        }
        self.allows > before
    }

    /// Takes what the index has found.
    #[inline]
    fn hit(&mut self, layer: Layer, set: &'a PolicySet, kind: Kind, items: &'a [Item]) {
        let whole = match kind {
            Kind::Allow => return self.push(layer, Effect::Allow, Statements::Items(set, items)),
            Kind::Deny => return self.push(layer, Effect::Deny, Statements::Items(set, items)),
            Kind::Conditional => false,
            Kind::Untested => true,
        };
        for item in items {
            let Some(entry) = set.entry(item) else { continue };
            let Question { overlay, variables, .. } = *self.question;
            let verdict = match whole {
                true => evaluate(&entry, self.question),
                false => test_conditions(entry.statement, overlay, variables),
            };
            let one = Statements::Items(set, std::slice::from_ref(item));
            self.take(layer, entry, verdict, one);
        }
    }

    /// Tests a statement from its action on.
    fn whole(&mut self, layer: Layer, entry: Entry<'a>, trace: &mut impl Trace) {
        let verdict = evaluate(&entry, self.question);
        trace.visit(Visit { layer, entry, verdict: &verdict, overlay: self.question.overlay });
        self.take(layer, entry, verdict, Statements::One(entry.policy, entry.index));
    }

    /// Takes what a statement came to.
    fn take(&mut self, layer: Layer, entry: Entry<'a>, verdict: Verdict, it: Statements<'a>) {
        let effect = entry.statement.effect();
        if verdict.acts(effect) {
            self.push(layer, effect, it);
        }
        if let Verdict::Errors(errors) = verdict {
            let input = entry.policy.input();
            self.decision.add_errors(errors.into_iter().map(|(condition, error)| DecisionError {
                layer,
                policy_id: input.id,
                statement: Some(entry.index),
                condition: Some(condition),
                policy_name: Arc::clone(&input.name),
                version: input.version,
                message: error.to_string(),
            }));
        }
    }

    #[inline]
    fn push(&mut self, layer: Layer, effect: Effect, statements: Statements<'a>) {
        match (layer, effect) {
            // Allows in general policies grant nothing (rule D-07), and determine nothing (D-11).
            (Layer::General, Effect::Allow) => return,
            (_, Effect::Allow) => self.allows += 1,
            (_, Effect::Deny) => self.denied = self.denied.or(Some(layer)),
        }
        self.decision.runs.push(Run { layer, effect, statements });
    }
}
