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

impl<'a> Run<'a> {
    fn first(&self) -> Option<DeterminingRef<'a>> {
        self.one(|items| items.first())
    }

    fn last(&self) -> Option<DeterminingRef<'a>> {
        self.one(|items| items.last())
    }

    /// One of its statements: of items, the one that `of` takes.
    #[inline]
    fn one(&self, of: impl Fn(&'a [Item]) -> Option<&'a Item>) -> Option<DeterminingRef<'a>> {
        let source = match self.statements {
            Statements::Items(set, items) => Source::Set(set, of(items)?),
            Statements::One(policy, place) => Source::Policy(policy, place),
        };
        Some(DeterminingRef { layer: self.layer, effect: self.effect, source })
    }
}

/// Usually one or two, and one more where there is a boundary; more than four make an allocation.
pub(super) type Runs<'a> = SmallVec<[Run<'a>; 4]>;

/// What `determining` goes through.
enum DeterminingIter<'s, 'a> {
    /// Run by run: the runs to come, and this one with what is left of its items.
    Runs(std::slice::Iter<'s, Run<'a>>, Option<(&'s Run<'a>, std::slice::Iter<'a, Item>)>),
    Sorted(&'s [Run<'a>], smallvec::IntoIter<[Place; 4]>),
}

/// A statement's place among the runs: which run, and which of its statements.
type Place = (u32, u32);

impl<'a> Iterator for DeterminingIter<'_, 'a> {
    type Item = DeterminingRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<DeterminingRef<'a>> {
        let (runs, rest) = match self {
            Self::Runs(runs, rest) => (runs, rest),
            Self::Sorted(runs, order) => return at(runs, order.next()?),
        };
        loop {
            if let Some((run, items)) = rest
                && let Some(item) = items.next()
            {
                return run.one(|_| Some(item));
            }
            let run = runs.next()?;
            match run.statements {
                Statements::Items(_, items) => *rest = Some((run, items.iter())),
                Statements::One(..) => return run.first(),
            }
        }
    }
}

/// The statement of this place.
fn at<'a>(runs: &[Run<'a>], (run, place): Place) -> Option<DeterminingRef<'a>> {
    let run = runs.get(run as usize)?;
    run.one(|items| items.get(place as usize))
}

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

    /// What tells almost all statements of one decision apart.
    #[inline]
    fn numbers(&self) -> (Layer, u64, usize, Effect) {
        (self.layer, self.policy_id(), self.statement(), self.effect)
    }

    /// The order of [`Determining`]. Names are only looked at where numbers do not tell.
    fn order(&self, other: &Self) -> Ordering {
        (self.numbers())
            .cmp(&other.numbers())
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
    rest: Option<Box<Rare>>,
}

/// What few decisions have, behind one pointer so that the others are small and soon dropped.
#[derive(Debug, Default)]
struct Rare {
    /// Sorted, each once, when the decision is made.
    errors: Vec<DecisionError>,
    filter: Option<Filter>,
}

impl Rare {
    #[cold]
    fn sort_errors(&mut self) {
        self.errors.sort_unstable();
        self.errors.dedup();
    }
}

impl<'a> DecisionRef<'a> {
    /// The decision about one whom nobody knows: a deny (rule D-12). So a decision begins.
    #[inline]
    #[must_use]
    pub fn of_nobody() -> Self {
        Self { reason: Reason::UnknownPrincipal, note: None, runs: Runs::new_const(), rest: None }
    }

    /// Sets the remark.
    #[inline]
    pub(super) fn set_note(&mut self, note: Option<Note>) {
        self.note = note;
    }

    /// Adds what could not be evaluated.
    pub(super) fn add_errors(&mut self, errors: impl IntoIterator<Item = DecisionError>) {
        let mut errors = errors.into_iter().peekable();
        if errors.peek().is_some() {
            self.rest.get_or_insert_default().errors.extend(errors);
        }
    }

    /// Takes the errors out.
    pub(super) fn take_errors(&mut self) -> Vec<DecisionError> {
        self.rest.as_mut().map(|rest| std::mem::take(&mut rest.errors)).unwrap_or_default()
    }

    /// Puts the errors in order.
    #[inline]
    pub(super) fn sort_errors(&mut self) {
        if let Some(rest) = &mut self.rest {
            rest.sort_errors();
        }
    }

    /// Sets what the list must be cut down to.
    pub(super) fn set_filter(&mut self, filter: Filter) {
        self.rest.get_or_insert_default().filter = Some(filter);
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
        self.rest.as_ref().map_or(&[], |rest| &rest.errors)
    }

    /// What a list must be cut down to; only with an ALLOW of a list (rule F-02).
    #[must_use]
    pub fn filter(&self) -> Option<&Filter> {
        self.rest.as_ref()?.filter.as_ref()
    }

    /// The statements that made the decision, sorted, each once (rule D-11). Those that were found
    /// in order, and up to four others, need no allocation.
    #[inline]
    pub fn determining(&self) -> impl Iterator<Item = DeterminingRef<'a>> + use<'_, 'a> {
        match self.is_sorted() {
            true => DeterminingIter::Runs(self.runs.iter(), None),
            false => DeterminingIter::Sorted(&self.runs, self.sorted().into_iter()),
        }
    }

    /// Whether the runs follow each other in order, as the items of each do, each once.
    #[inline]
    fn is_sorted(&self) -> bool {
        let pairs = self.runs.iter().zip(self.runs.iter().skip(1));
        pairs.into_iter().all(|(run, next)| match (run.last(), next.first()) {
            (Some(last), Some(first)) => last.numbers() < first.numbers(),
            (None, _) | (_, None) => false,
        })
    }

    /// The places of all statements, sorted, each statement once.
    fn sorted(&self) -> SmallVec<[Place; 4]> {
        let mut all = SmallVec::new();
        for (number, run) in (0..).zip(&self.runs) {
            let length = match run.statements {
                Statements::Items(_, items) => items.len(),
                Statements::One(..) => 1,
            };
            all.extend((0..).take(length).map(|place| (number, place)));
        }
        let order = |a: &Place, b: &Place| match (at(&self.runs, *a), at(&self.runs, *b)) {
            (Some(a), Some(b)) => a.order(&b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        };
        all.sort_unstable_by(order);
        all.dedup_by(|a, b| order(a, b) == Ordering::Equal);
        all
    }

    /// The decision as a value of its own.
    #[must_use]
    pub fn to_decision(&self) -> Decision {
        Decision {
            outcome: self.reason.outcome(),
            reason: self.reason,
            determining: self.determining().map(DeterminingRef::to_determining).collect(),
            errors: self.errors().to_vec(),
            filter: self.filter().cloned(),
            notes: self.note.into_iter().collect(),
        }
    }
}
