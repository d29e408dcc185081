//! A decision that points into the snapshot it was made from, so that deciding allocates nothing.
//!
//! [`DecisionRef`] says all that [`Decision`] says; [`DecisionRef::to_decision`] makes the value
//! that outlives the snapshot. It decides nothing: `decide` fills it.

use std::cmp::Ordering;
use std::sync::Arc;

use smallvec::SmallVec;

use super::compile::CompiledPolicy;
use super::decision::{Decision, DecisionError, Determining, Filter, Layer, Note, Outcome, Reason};
use super::index::{Item, PolicySet};
use crate::lang::document::Effect;

/// Statements of one layer and one effect that acted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) layer: Layer,
    pub(super) effect: Effect,
    pub(super) statements: Statements<'a>,
}

/// Which statements.
#[derive(Debug, Clone, Copy)]
pub(super) enum Statements<'a> {
    /// These items of a set's index.
    Items(&'a PolicySet, &'a [Item]),
    /// One statement of a policy.
    One(&'a Arc<CompiledPolicy>, usize),
}

/// Usually one or two, and one more where there is a boundary; more than four make an allocation.
pub(super) type Runs<'a> = SmallVec<[Run<'a>; 4]>;

/// What `determining` goes through.
enum DeterminingIter<'a> {
    Nothing,
    Run { layer: Layer, effect: Effect, set: &'a PolicySet, items: std::slice::Iter<'a, Item> },
    Sorted(smallvec::IntoIter<[DeterminingRef<'a>; 4]>),
}

impl<'a> Iterator for DeterminingIter<'a> {
    type Item = DeterminingRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<DeterminingRef<'a>> {
        match self {
            Self::Nothing => None,
            Self::Run { layer, effect, set, items } => {
                let source = Source::Set(set, items.next()?);
                Some(DeterminingRef { layer: *layer, effect: *effect, source })
            }
            Self::Sorted(all) => all.next(),
        }
    }
}

/// Some statements, in order.
type Sorted<'a> = SmallVec<[DeterminingRef<'a>; 4]>;

/// A statement that made the decision (rule D-11).
#[derive(Debug, Clone, Copy)]
pub struct DeterminingRef<'a> {
    layer: Layer,
    effect: Effect,
    source: Source<'a>,
}

/// Where the statement stands.
#[derive(Debug, Clone, Copy)]
enum Source<'a> {
    Set(&'a PolicySet, &'a Item),
    Policy(&'a CompiledPolicy, usize),
}

impl<'a> DeterminingRef<'a> {
    /// The layer it acted in.
    #[must_use]
    pub fn layer(&self) -> Layer {
        self.layer
    }

    /// What it says.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// The policy's id.
    #[inline]
    #[must_use]
    pub fn policy_id(&self) -> u64 {
        match self.source {
            Source::Set(_, item) => item.policy_id,
            Source::Policy(policy, _) => policy.input().id,
        }
    }

    /// The policy's name.
    #[must_use]
    pub fn policy_name(&self) -> &'a str {
        self.name().map_or("", |name| name)
    }

    /// The policy's version, from 1.
    #[inline]
    #[must_use]
    pub fn version(&self) -> u32 {
        match self.source {
            Source::Set(_, item) => item.version,
            Source::Policy(policy, _) => policy.input().version,
        }
    }

    /// The statement's place in the policy, from 0.
    #[inline]
    #[must_use]
    pub fn statement(&self) -> usize {
        match self.source {
            Source::Set(_, item) => item.statement as usize,
            Source::Policy(_, statement) => statement,
        }
    }

    fn name(&self) -> Option<&'a Arc<str>> {
        let policy = match self.source {
            Source::Policy(policy, _) => policy,
            Source::Set(set, item) => set.policy(item)?,
        };
        Some(&policy.input().name)
    }

    /// The order of [`Determining`]. Names are only looked at where numbers do not tell.
    fn order(&self, other: &Self) -> Ordering {
        let numbers = |it: &Self| (it.layer, it.policy_id(), it.statement(), it.effect);
        numbers(self)
            .cmp(&numbers(other))
            .then_with(|| self.policy_name().cmp(other.policy_name()))
            .then_with(|| self.version().cmp(&other.version()))
    }

    fn to_determining(self) -> Determining {
        Determining {
            layer: self.layer,
            policy_id: self.policy_id(),
            statement: self.statement(),
            effect: self.effect,
            policy_name: self.name().cloned().unwrap_or_default(),
            version: self.version(),
        }
    }
}

/// A decision, borrowed from the snapshot and the request.
#[derive(Debug)]
pub struct DecisionRef<'a> {
    pub(super) reason: Reason,
    pub(super) note: Option<Note>,
    pub(super) runs: Runs<'a>,
    /// Sorted, each once.
    pub(super) errors: Vec<DecisionError>,
    pub(super) filter: Option<Filter>,
}

impl<'a> DecisionRef<'a> {
    /// A decision that is not made yet: a deny.
    #[inline]
    pub(super) fn new(note: Option<Note>) -> Self {
        let (runs, errors) = (Runs::new(), Vec::new());
        Self { reason: Reason::UnknownPrincipal, note, runs, errors, filter: None }
    }

    /// Sets the reason and keeps of the statements those that made it (rule D-11).
    #[inline]
    pub(super) fn conclude(&mut self, reason: Reason) {
        self.reason = reason;
        match reason {
            Reason::Root | Reason::Allow => {
                // Without a deny there is nothing but allows.
            }
            Reason::ExplicitDeny(_) => self.runs.retain(|run| run.effect == Effect::Deny),
            Reason::ImplicitDeny(_)
            | Reason::UnknownPrincipal
            | Reason::FilterUnsupported
            | Reason::Error => self.runs.clear(),
        }
    }

    /// Allow or deny.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.reason.outcome()
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The remark, if there is one.
    #[must_use]
    pub fn note(&self) -> Option<Note> {
        self.note
    }

    /// What could not be evaluated, sorted, each once.
    #[must_use]
    pub fn errors(&self) -> &[DecisionError] {
        &self.errors
    }

    /// What a list must be cut down to; only with an ALLOW of a list (rule F-02).
    #[must_use]
    pub fn filter(&self) -> Option<&Filter> {
        self.filter.as_ref()
    }

    /// The statements that made the decision, sorted, each once (rule D-11). Those of one layer,
    /// and up to four of several, need no allocation.
    #[inline]
    pub fn determining(&self) -> impl Iterator<Item = DeterminingRef<'a>> + use<'a> {
        match self.runs.as_slice() {
            [] => DeterminingIter::Nothing,
            // The items of an index are sorted, each once.
            [Run { layer, effect, statements: Statements::Items(set, items) }] => {
                DeterminingIter::Run { layer: *layer, effect: *effect, set, items: items.iter() }
            }
            _ => DeterminingIter::Sorted(self.sorted().into_iter()),
        }
    }

    /// All statements, sorted, each once.
    fn sorted(&self) -> Sorted<'a> {
        let mut all = Sorted::new();
        for Run { layer, effect, statements } in &self.runs {
            let it = |source| DeterminingRef { layer: *layer, effect: *effect, source };
            match *statements {
                Statements::One(policy, place) => all.push(it(Source::Policy(policy, place))),
                Statements::Items(set, items) => {
                    items.iter().for_each(|item| all.push(it(Source::Set(set, item))));
                }
            }
        }
        if all.len() > 1 {
            all.sort_unstable_by(DeterminingRef::order);
            all.dedup_by(|a, b| a.order(b) == Ordering::Equal);
        }
        all
    }

    /// The decision as a value of its own.
    #[must_use]
    pub fn to_decision(&self) -> Decision {
        Decision {
            outcome: self.reason.outcome(),
            reason: self.reason,
            determining: self.determining().map(DeterminingRef::to_determining).collect(),
            errors: self.errors.clone(),
            filter: self.filter.clone(),
            notes: self.note.into_iter().collect(),
        }
    }
}
