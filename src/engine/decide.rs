//! The decision (rules D-01 to D-20): one request, one snapshot, one answer.
//!
//! Every layer is asked, and every statement that can match is tested, so that errors and
//! determining statements are complete; the reason is then read off in the order of rule D-04.
//! Lists are `list`'s part. Nothing is looked up but in the snapshot and the request.

use std::sync::Arc;

use super::compile::CompiledPolicy;
use super::decision::{Decision, DecisionError, Layer, Note, Reason};
use super::decision_ref::{DecisionRef, Run, Runs, Statements};
use super::evaluate::{Question, Verdict, evaluate, test_conditions};
use super::facts::{Overlay, Target};
use super::index::{Entry, Hit, Item, PolicySet};
use super::input::PrincipalKind;
use super::list;
use super::request::{Checked, Request, ResourceQuery};
use super::snapshot::{AccountSnapshot, Profile};
use super::trace::{Asked, NoTrace, Trace, Visit};
use crate::catalog::Action;
use crate::lang::document::Effect;
use crate::lang::variable::Variables;
use crate::lang::vocabulary::Granularity;

/// Decides. The trace watches and changes nothing; [`super::NoTrace`] is the usual one.
pub fn decide(snapshot: &AccountSnapshot, request: &Request, trace: &mut impl Trace) -> Decision {
    traced(snapshot, request.checked(), trace).to_decision()
}

/// Decides without copying: the decision points into snapshot and request. One about a single
/// resource, without conditions on tags or times, allocates nothing and takes no lock.
#[must_use]
pub fn decide_ref<'a>(snapshot: &'a AccountSnapshot, request: Checked<'a>) -> DecisionRef<'a> {
    traced(snapshot, request, &mut NoTrace)
}

fn traced<'a>(
    snapshot: &'a AccountSnapshot,
    request: Checked<'a>,
    trace: &mut impl Trace,
) -> DecisionRef<'a> {
    let catalog = snapshot.world().catalog();
    let request = request.for_catalog(catalog);
    let query = request.query();
    let action = request.action_id().and_then(|id| catalog.action_by_id(id));
    let note = note(action, &query.resource);
    // rule D-12
    let profile = snapshot.profile(query.principal);
    let Some(profile) = profile.filter(|it| it.kind != PrincipalKind::MessageRecipient) else {
        return Part::of(Reason::UnknownPrincipal).into_decision(note);
    };
    let variables = Variables { uin: query.principal, owner: snapshot.owner() };
    let case = Case { snapshot, request, profile, variables };
    match query.resource {
        ResourceQuery::Name(name) => case.decide(Target::Name(name), trace).into_decision(note),
        ResourceQuery::Star | ResourceQuery::Nothing => {
            match action.and_then(|it| list::names(snapshot, it)) {
                Some(names) => list::decide(&case, &names, note, trace),
                None => case.decide(Target::Star, trace).into_decision(note),
            }
        }
    }
}

fn note(action: Option<&Action>, resource: &ResourceQuery<'_>) -> Option<Note> {
    match (action.map(|action| action.granularity), resource) {
        (None, _) => Some(Note::UnknownAction),
        (Some(Granularity::Resource), ResourceQuery::Star) => Some(Note::ResourceActionOnStar),
        (Some(Granularity::Operation), ResourceQuery::Name(_)) => {
            Some(Note::OperationActionOnResource)
        }
        (Some(Granularity::Resource | Granularity::Operation | Granularity::List), _) => None,
    }
}

/// One request with everything looked up that does not depend on the resource.
#[derive(Debug)]
pub(super) struct Case<'a> {
    pub(super) snapshot: &'a AccountSnapshot,
    pub(super) request: Checked<'a>,
    pub(super) profile: &'a Profile,
    variables: Variables,
}

/// The decision about one target, before it is cut to what determines it.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub(super) reason: Reason,
    pub(super) allows: Runs<'a>,
    pub(super) denies: Runs<'a>,
    pub(super) errors: Vec<DecisionError>,
}

impl<'a> Part<'a> {
    /// A part without statements.
    pub(super) fn of(reason: Reason) -> Self {
        Self { reason, allows: Runs::new(), denies: Runs::new(), errors: Vec::new() }
    }

    /// The statements that made this part (rule D-11).
    #[inline]
    pub(super) fn determining(&mut self) -> Runs<'a> {
        match self.reason {
            Reason::Root | Reason::Allow => std::mem::take(&mut self.allows),
            Reason::ExplicitDeny(_) => std::mem::take(&mut self.denies),
            Reason::ImplicitDeny(_)
            | Reason::UnknownPrincipal
            | Reason::FilterUnsupported
            | Reason::Error => Runs::new(),
        }
    }

    #[inline]
    fn into_decision(mut self, note: Option<Note>) -> DecisionRef<'a> {
        let runs = self.determining();
        let Self { reason, mut errors, .. } = self;
        sort(&mut errors);
        DecisionRef { reason, note, runs, errors, filter: None }
    }
}

/// Sorted, each once.
pub(super) fn sort<T: Ord>(items: &mut Vec<T>) {
    items.sort_unstable();
    items.dedup();
}

impl<'a> Case<'a> {
    pub(super) fn is_root(&self) -> bool {
        self.profile.kind == PrincipalKind::Root
    }

    /// The identity layer's policies; the root has none (rule D-06).
    fn identity(&self) -> Option<&'a PolicySet> {
        if self.is_root() { None } else { Some(&self.profile.set) }
    }

    /// The policies that count and cannot be read (rule D-05).
    pub(super) fn unreadable(&self) -> Vec<DecisionError> {
        let layers = [
            (Layer::General, Some(self.snapshot.world().general_set())),
            (Layer::Identity, self.identity()),
            (Layer::Boundary, self.profile.boundary.as_deref()),
        ];
        let mut errors = Vec::new();
        for (layer, set) in layers {
            for policy in set.map(PolicySet::unreadable).unwrap_or_default() {
                errors.extend(unreadable(layer, policy));
            }
        }
        for policy in self.request.query().session {
            errors.extend(unreadable(Layer::Session, policy));
        }
        errors
    }

    /// The full algorithm for one target.
    #[inline]
    pub(super) fn decide<T: Trace>(&self, target: Target<'_>, trace: &mut T) -> Part<'a> {
        trace.begin(Asked { target });
        let overlay = Overlay::new(self.snapshot, self.request, target);
        let question = Question {
            action: self.request.query().action,
            action_id: self.request.action_id(),
            target,
            variables: &self.variables,
            overlay: &overlay,
        };
        let mut tally = Tally::new(question, self.unreadable());
        let broken = !tally.errors.is_empty();
        tally.set(Layer::General, self.snapshot.world().general_set(), trace);
        // Allows in general policies grant nothing (rule D-07), and determine nothing (D-11).
        tally.allows.clear();
        let identity = self.identity().map(|set| tally.set(Layer::Identity, set, trace));
        let boundary =
            self.profile.boundary.as_deref().map(|set| tally.set(Layer::Boundary, set, trace));
        let mut session = true;
        for policy in self.request.query().session {
            session &= tally.policy(policy, trace);
        }
        // rule D-04; the layers were asked in its order
        let reason = if let Some(deny) = tally.denies.first() {
            Reason::ExplicitDeny(deny.layer)
        } else if broken {
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
        Part { reason, allows: tally.allows, denies: tally.denies, errors: tally.errors }
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

/// What the statements say, layer by layer: `'a` is the snapshot's, `'q` the question's.
struct Tally<'a, 'q> {
    question: Question<'q>,
    allows: Runs<'a>,
    denies: Runs<'a>,
    errors: Vec<DecisionError>,
}

impl<'a, 'q> Tally<'a, 'q> {
    fn new(question: Question<'q>, errors: Vec<DecisionError>) -> Self {
        Self { question, allows: Runs::new(), denies: Runs::new(), errors }
    }

    /// Asks a layer; whether one of its statements allows.
    #[inline]
    fn set<T: Trace>(&mut self, layer: Layer, set: &'a PolicySet, trace: &mut T) -> bool {
        let before = self.allows.len();
        if T::EVERY_STATEMENT {
            set.all().for_each(|entry| self.whole(layer, entry, trace));
        } else {
            let question = self.question;
            set.find(&question, |hit| self.hit(layer, set, hit));
        }
        self.allows.len() > before
    }

    /// Asks one policy of the session; whether one of its statements allows.
    fn policy(&mut self, policy: &'a Arc<CompiledPolicy>, trace: &mut impl Trace) -> bool {
        let before = self.allows.len();
        for (index, (statement, compiled)) in policy.statements().enumerate() {
            self.whole(Layer::Session, Entry { policy, index, statement, compiled }, trace);
        }
        self.allows.len() > before
    }

    /// Takes what the index has found.
    #[inline]
    fn hit(&mut self, layer: Layer, set: &'a PolicySet, hit: Hit<'a>) {
        self.push(layer, Effect::Allow, Statements::Items(set, hit.allows));
        self.push(layer, Effect::Deny, Statements::Items(set, hit.denies));
        let one = |item: &'a Item| Statements::Items(set, std::slice::from_ref(item));
        for item in hit.conditional {
            let Some(entry) = set.entry(item) else { continue };
            let Question { overlay, variables, .. } = self.question;
            let verdict = test_conditions(entry.statement, overlay, variables);
            self.take(layer, entry, verdict, one(item));
        }
        for item in hit.untested {
            let Some(entry) = set.entry(item) else { continue };
            let verdict = evaluate(&entry, &self.question);
            self.take(layer, entry, verdict, one(item));
        }
    }

    /// Tests a statement from its action on.
    fn whole(&mut self, layer: Layer, entry: Entry<'a>, trace: &mut impl Trace) {
        let verdict = evaluate(&entry, &self.question);
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
            self.errors.extend(errors.into_iter().map(|(condition, error)| DecisionError {
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
        if matches!(statements, Statements::Items(_, [])) {
            return;
        }
        let runs = match effect {
            Effect::Allow => &mut self.allows,
            Effect::Deny => &mut self.denies,
        };
        runs.push(Run { layer, effect, statements });
    }
}
