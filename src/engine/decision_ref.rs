//! A decision that points into the snapshot it was made from, so that deciding allocates nothing.
//!
//! [`DecisionRef`] says all that [`Decision`] says; [`DecisionRef::to_decision`] makes the value
//! that outlives the snapshot. It decides nothing: `decide` fills it.

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

/// Usually one, and one more where there is a boundary; more than two make an allocation.
pub(super) type Runs<'a> = SmallVec<[Run<'a>; 2]>;

/// A statement that made the decision (rule D-11).
#[derive(Debug, Clone, Copy)]
pub struct DeterminingRef<'a> {
    layer: Layer,
    effect: Effect,
    policy_id: u64,
    version: u32,
    statement: usize,
    source: Source<'a>,
}

/// Where the policy stands.
#[derive(Debug, Clone, Copy)]
enum Source<'a> {
    Set(&'a PolicySet, &'a Item),
    Policy(&'a CompiledPolicy),
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
    #[must_use]
    pub fn policy_id(&self) -> u64 {
        self.policy_id
    }

    /// The policy's name.
    #[must_use]
    pub fn policy_name(&self) -> &'a str {
        self.name().map_or("", |name| name)
    }

    /// The policy's version, from 1.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The statement's place in the policy, from 0.
    #[must_use]
    pub fn statement(&self) -> usize {
        self.statement
    }

    fn name(&self) -> Option<&'a Arc<str>> {
        let policy = match self.source {
            Source::Policy(policy) => policy,
            Source::Set(set, item) => set.policy(item)?,
        };
        Some(&policy.input().name)
    }

    /// What it is sorted by; the order is [`Determining`]'s.
    fn order(&self) -> impl Ord + use<'a> {
        let Self { layer, policy_id, statement, effect, version, .. } = *self;
        (layer, policy_id, statement, effect, self.policy_name(), version)
    }

    fn to_determining(self) -> Determining {
        Determining {
            layer: self.layer,
            policy_id: self.policy_id,
            statement: self.statement,
            effect: self.effect,
            policy_name: self.name().cloned().unwrap_or_default(),
            version: self.version,
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

    /// The statements that made the decision, sorted, each once (rule D-11). Up to four of them
    /// need no allocation.
    pub fn determining(&self) -> impl Iterator<Item = DeterminingRef<'a>> + use<'a> {
        let mut all: SmallVec<[DeterminingRef<'a>; 4]> = SmallVec::new();
        for Run { layer, effect, statements } in &self.runs {
            let (layer, effect) = (*layer, *effect);
            match *statements {
                Statements::One(policy, statement) => {
                    let (input, source) = (policy.input(), Source::Policy(policy));
                    let (policy_id, version) = (input.id, input.version);
                    all.push(DeterminingRef {
                        layer,
                        effect,
                        policy_id,
                        version,
                        statement,
                        source,
                    });
                }
                Statements::Items(set, items) => all.extend(items.iter().map(|item| {
                    let Item { policy_id, version, statement, .. } = *item;
                    let (statement, source) = (statement as usize, Source::Set(set, item));
                    DeterminingRef { layer, effect, policy_id, version, statement, source }
                })),
            }
        }
        if all.len() > 1 {
            all.sort_unstable_by(|a, b| a.order().cmp(&b.order()));
            all.dedup_by(|a, b| a.order() == b.order());
        }
        all.into_iter()
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
