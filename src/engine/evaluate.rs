//! One statement against one request: action, then resource, then conditions (rule D-02).
//!
//! The only place where a compiled statement is tested; deciding and explaining both come here. It
//! never turns an error into true or false but by rule C-22.

use super::facts::{Overlay, Target};
use super::index::Entry;
use crate::catalog::ActionId;
use crate::lang::condition::{EvaluationError, Facts, Truth};
use crate::lang::document::Effect;
use crate::lang::valid::Statement;
use crate::lang::variable::Variables;

/// What a statement came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Action, resource and every condition match.
    Matched,
    /// The action is none of the statement's.
    OtherAction,
    /// The resource is none of the statement's.
    OtherResource,
    /// The condition at this place is false.
    False(usize),
    /// No condition is false, and those at these places cannot be told.
    Errors(Vec<(usize, EvaluationError)>),
}

impl Verdict {
    /// Whether a statement of this effect acts: an error counts for a deny and against an allow
    /// (rule C-22).
    pub(super) fn acts(&self, effect: Effect) -> bool {
        match self {
            Self::Matched => true,
            Self::Errors(_) => effect == Effect::Deny,
            Self::OtherAction | Self::OtherResource | Self::False(_) => false,
        }
    }
}

/// What every statement of one decision is tested with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    /// The action's number in the catalog; none outside it.
    pub(super) action_id: Option<ActionId>,
    pub(super) target: Target<'a>,
    pub(super) variables: &'a Variables,
    pub(super) overlay: &'a Overlay<'a>,
}

/// Tests one statement.
pub(super) fn evaluate(entry: &Entry<'_>, question: &Question<'_>) -> Verdict {
    let Entry { statement, compiled, .. } = entry;
    if !compiled.matches_action(statement, question.overlay.action(), question.action_id) {
        return Verdict::OtherAction;
    }
    let resource_matches = statement.resources().iter().any(|pattern| match question.target {
        // rule R-03
        Target::Star => pattern.is_all(),
        Target::Name(name) => pattern.matches(*name, question.variables),
    });
    if !resource_matches {
        return Verdict::OtherResource;
    }
    test_conditions(statement, question.overlay, question.variables)
}

/// Tests the conditions of a statement whose other parts match.
pub(super) fn test_conditions(
    statement: &Statement,
    facts: &impl Facts,
    variables: &Variables,
) -> Verdict {
    // rule C-02: keys and operators stand side by side, and all must hold
    let mut errors = Vec::new();
    for (place, condition) in statement.conditions().iter().enumerate() {
        match condition.test(facts, variables) {
            Truth::True => {}
            Truth::False => return Verdict::False(place),
            Truth::Error(error) => errors.push((place, error)),
        }
    }
    if errors.is_empty() { Verdict::Matched } else { Verdict::Errors(errors) }
}
