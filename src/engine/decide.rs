//! The decision (rules D-01 to D-20): one request, one snapshot, one answer.
//!
//! Every layer is asked, and every statement that can match is tested, so that errors and
//! determining statements are complete; the reason is then read off in the order of rule D-04.
//! Lists are `list`'s part. Nothing is looked up but in the snapshot and the request.

use std::sync::Arc;

use super::compile::CompiledPolicy;
use super::decision::{Decision, DecisionError, Determining, Layer, Note, Reason};
use super::evaluate::{Question, Verdict, evaluate};
use super::facts::{Overlay, Target};
use super::index::{Entry, PolicySet};
use super::input::PrincipalKind;
use super::list;
use super::request::{Request, Resource};
use super::snapshot::{AccountSnapshot, Principal};
use super::trace::{Asked, Trace, Visit};
use crate::catalog::{Action, ActionId};
use crate::lang::document::Effect;
use crate::lang::variable::Variables;
use crate::lang::vocabulary::Granularity;

/// Decides. The trace watches and changes nothing; [`super::NoTrace`] is the usual one.
pub fn decide(snapshot: &AccountSnapshot, request: &Request, trace: &mut impl Trace) -> Decision {
    let catalog = snapshot.world().catalog();
    let parts = request.parts();
    let action_id = request.action_id(catalog);
    let action = action_id.and_then(|id| catalog.action_by_id(id));
    let notes = notes(action, &parts.resource);
    // rule D-12
    let principal = snapshot
        .principal(parts.principal)
        .filter(|principal| principal.kind != PrincipalKind::MessageRecipient);
    let Some(principal) = principal else {
        return Part::of(Reason::UnknownPrincipal).into_decision(notes);
    };
    let variables = Variables { uin: principal.uin, owner: snapshot.owner() };
    let case = Case { snapshot, request, principal, action_id, variables };
    match &parts.resource {
        Resource::Name(name) => case.decide(Target::Name(name), trace).into_decision(notes),
        Resource::Star | Resource::Nothing => match action.and_then(|it| list::names(snapshot, it))
        {
            Some(names) => list::decide(&case, &names, notes, trace),
            None => case.decide(Target::Star, trace).into_decision(notes),
        },
    }
}

fn notes(action: Option<&Action>, resource: &Resource) -> Vec<Note> {
    let note = match (action.map(|action| action.granularity), resource) {
        (None, _) => Note::UnknownAction,
        (Some(Granularity::Resource), Resource::Star) => Note::ResourceActionOnStar,
        (Some(Granularity::Operation), Resource::Name(_)) => Note::OperationActionOnResource,
        (Some(Granularity::Resource | Granularity::Operation | Granularity::List), _) => {
            return Vec::new();
        }
    };
    vec![note]
}

/// One request with everything looked up that does not depend on the resource.
#[derive(Debug)]
pub(super) struct Case<'a> {
    pub(super) snapshot: &'a AccountSnapshot,
    pub(super) request: &'a Request,
    pub(super) principal: &'a Principal,
    action_id: Option<ActionId>,
    variables: Variables,
}

/// The decision about one target, before it is cut to what determines it.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) reason: Reason,
    pub(super) allows: Vec<Determining>,
    pub(super) denies: Vec<Determining>,
    pub(super) errors: Vec<DecisionError>,
}

impl Part {
    /// A part without statements.
    pub(super) fn of(reason: Reason) -> Self {
        Self { reason, allows: Vec::new(), denies: Vec::new(), errors: Vec::new() }
    }

    /// The statements that made this part (rule D-11).
    pub(super) fn determining(&mut self) -> Vec<Determining> {
        match self.reason {
            Reason::Root | Reason::Allow => std::mem::take(&mut self.allows),
            Reason::ExplicitDeny(_) => std::mem::take(&mut self.denies),
            Reason::ImplicitDeny(_)
            | Reason::UnknownPrincipal
            | Reason::FilterUnsupported
            | Reason::Error => Vec::new(),
        }
    }

    fn into_decision(mut self, notes: Vec<Note>) -> Decision {
        let mut determining = self.determining();
        sort(&mut determining);
        sort(&mut self.errors);
        Decision {
            outcome: self.reason.outcome(),
            reason: self.reason,
            determining,
            errors: self.errors,
            filter: None,
            notes,
        }
    }
}

/// Sorted, each once.
pub(super) fn sort<T: Ord>(items: &mut Vec<T>) {
    items.sort_unstable();
    items.dedup();
}

impl Case<'_> {
    pub(super) fn is_root(&self) -> bool {
        self.principal.kind == PrincipalKind::Root
    }

    /// The identity layer's policies; the root has none (rule D-06).
    fn identity(&self) -> Option<&PolicySet> {
        if self.is_root() { None } else { Some(&self.principal.grants.set) }
    }

    /// The policies that count and cannot be read (rule D-05).
    pub(super) fn unreadable(&self) -> Vec<DecisionError> {
        let layers = [
            (Layer::General, Some(self.snapshot.world().general_set())),
            (Layer::Identity, self.identity()),
            (Layer::Boundary, self.principal.boundary.as_deref()),
        ];
        let of_sets = layers.into_iter().flat_map(|(layer, set)| {
            set.into_iter().flat_map(PolicySet::unreadable).map(move |policy| (layer, policy))
        });
        let of_session = self.request.parts().session.iter().map(|it| (Layer::Session, it));
        of_sets.chain(of_session).filter_map(|(layer, it)| unreadable(layer, it)).collect()
    }

    /// The full algorithm for one target.
    pub(super) fn decide(&self, target: Target<'_>, trace: &mut impl Trace) -> Part {
        trace.begin(Asked { target });
        let overlay = Overlay::new(self.snapshot, self.request, target);
        let question = Question {
            action: &self.request.parts().action,
            action_id: self.action_id,
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
            self.principal.boundary.as_deref().map(|set| tally.set(Layer::Boundary, set, trace));
        let mut session = true;
        for policy in &self.request.parts().session {
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
        let (registered, is_granted) = match &self.request.parts().resource {
            Resource::Name(_) => {
                (self.request.parts().registered_owner, self.request.parts().granted_by_owner)
            }
            Resource::Star | Resource::Nothing => (None, false),
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
struct Tally<'a> {
    question: Question<'a>,
    allows: Vec<Determining>,
    denies: Vec<Determining>,
    errors: Vec<DecisionError>,
}

impl<'a> Tally<'a> {
    fn new(question: Question<'a>, errors: Vec<DecisionError>) -> Self {
        Self { question, allows: Vec::new(), denies: Vec::new(), errors }
    }

    /// Asks a layer; whether one of its statements allows.
    fn set<T: Trace>(&mut self, layer: Layer, set: &PolicySet, trace: &mut T) -> bool {
        let Question { action_id, target, .. } = self.question;
        let before = self.allows.len();
        if T::EVERY_STATEMENT {
            set.all().for_each(|entry| self.statement(layer, entry, trace));
        } else {
            let candidates = set.candidates(action_id, target);
            candidates.for_each(|entry| self.statement(layer, entry, trace));
        }
        self.allows.len() > before
    }

    /// Asks one policy of the session; whether one of its statements allows.
    fn policy(&mut self, policy: &Arc<CompiledPolicy>, trace: &mut impl Trace) -> bool {
        let before = self.allows.len();
        for (index, (statement, compiled)) in policy.statements().enumerate() {
            self.statement(Layer::Session, Entry { policy, index, statement, compiled }, trace);
        }
        self.allows.len() > before
    }

    fn statement(&mut self, layer: Layer, entry: Entry<'_>, trace: &mut impl Trace) {
        let verdict = evaluate(&entry, &self.question);
        trace.visit(Visit { layer, entry, verdict: &verdict, overlay: self.question.overlay });
        let effect = entry.statement.effect();
        if verdict.acts(effect) {
            let input = entry.policy.input();
            let determining = Determining {
                layer,
                policy_id: input.id,
                statement: entry.index,
                effect,
                policy_name: Arc::clone(&input.name),
                version: input.version,
            };
            match effect {
                Effect::Allow => self.allows.push(determining),
                Effect::Deny => self.denies.push(determining),
            }
        }
        if let Verdict::Errors(errors) = verdict {
            self.errors.extend(errors.into_iter().map(|(condition, error)| DecisionError {
                layer,
                policy_id: entry.policy.input().id,
                statement: Some(entry.index),
                condition: Some(condition),
                policy_name: Arc::clone(&entry.policy.input().name),
                version: entry.policy.input().version,
                message: error.to_string(),
            }));
        }
    }
}
