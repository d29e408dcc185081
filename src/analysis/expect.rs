//! What a case expects, and whether an answer is that.
//!
//! Everything but the outcome may be left open; what is given must hold exactly. It must never pass
//! an answer because something could not be compared.

use std::fmt;

use crate::engine::{Decision, Layer, Outcome};

/// What a case expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expectation {
    /// A decision.
    Answer(ExpectedAnswer),
    /// The request must be refused as invalid, not decided.
    Refused,
}

/// The decision that a case expects; what is none is left open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedAnswer {
    /// Allow or deny.
    pub outcome: Outcome,
    /// The name of the reason, e.g. `explicit_deny`.
    pub reason: Option<String>,
    /// The layer that denied.
    pub layer: Option<Layer>,
    /// The name of a policy that is among the determining ones.
    pub policy: Option<String>,
    /// The place of its determining statement, from 0.
    pub statement: Option<usize>,
    /// The resources of the filter, exactly, sorted (rule F-02).
    pub filter: Option<Vec<String>>,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It was decided.
    Decided(Decision),
    /// It was refused, and why.
    Refused(String),
}

impl Expectation {
    /// Whether the answer is as expected.
    #[must_use]
    pub fn holds(&self, answer: &Answer) -> bool {
        match (self, answer) {
            (Self::Refused, Answer::Refused(_)) => true,
            (Self::Answer(expected), Answer::Decided(decision)) => expected.holds(decision),
            (Self::Refused, Answer::Decided(_)) | (Self::Answer(_), Answer::Refused(_)) => false,
        }
    }

    /// Whether a filter is part of what is expected.
    #[must_use]
    pub fn has_filter(&self) -> bool {
        matches!(self, Self::Answer(ExpectedAnswer { filter: Some(_), .. }))
    }
}

impl ExpectedAnswer {
    fn holds(&self, decision: &Decision) -> bool {
        let determines = |policy: &String| {
            decision.determining.iter().any(|it| {
                *it.policy_name == **policy && self.statement.is_none_or(|at| at == it.statement)
            })
        };
        let filter = decision.filter.as_ref().map(|filter| {
            let mut resources = filter.resources.clone();
            resources.sort();
            resources
        });
        decision.outcome == self.outcome
            && self.reason.as_ref().is_none_or(|reason| reason == decision.reason.as_str())
            && self.layer.is_none_or(|layer| decision.reason.layer() == Some(layer))
            && self.policy.as_ref().is_none_or(determines)
            && self.filter.as_ref().is_none_or(|expected| Some(expected) == filter.as_ref())
    }
}

impl fmt::Display for Expectation {
    /// As in `DENY explicit_deny:identity by P1 statement 1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Answer(expected) = self else { return f.write_str("a refusal") };
        f.write_str(expected.outcome.as_str())?;
        match (&expected.reason, expected.layer) {
            (Some(reason), Some(layer)) => write!(f, " {reason}:{}", layer.as_str())?,
            (Some(reason), None) => write!(f, " {reason}")?,
            (None, Some(layer)) => write!(f, " in layer {}", layer.as_str())?,
            (None, None) => {}
        }
        if let Some(policy) = &expected.policy {
            write!(f, " by {policy}")?;
        }
        if let Some(statement) = expected.statement {
            write!(f, " statement {statement}")?;
        }
        match &expected.filter {
            Some(filter) => write!(f, " with the filter [{}]", filter.join(", ")),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Answer {
    /// As in `ALLOW allow by P1 statement 0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decision = match self {
            Self::Refused(why) => return write!(f, "a refusal: {why}"),
            Self::Decided(decision) => decision,
        };
        write!(f, "{} {}", decision.outcome.as_str(), decision.reason)?;
        for (at, it) in decision.determining.iter().enumerate() {
            let link = if at == 0 { " by" } else { "," };
            write!(f, "{link} {} statement {}", it.policy_name, it.statement)?;
        }
        match &decision.filter {
            Some(filter) => write!(f, " with the filter [{}]", filter.resources.join(", ")),
            None => Ok(()),
        }
    }
}
