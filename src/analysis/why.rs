//! Why a case failed, for its author: expected and actual, and what was nearest to the expectation.
//!
//! Reads an explanation and words it; it decides nothing.

use super::expect::{Answer, Expectation};
use crate::engine::{
    Explanation, FirstFailure, Outcome, ResourceTrace, StatementResult, StatementTrace,
};
use crate::lang::document::Effect;

/// Most nearest misses that one failure tells.
const MISSES_MAX: usize = 5;

/// The lines of one failure.
pub(super) fn why(
    expected: &Expectation,
    actual: &Answer,
    explanation: Option<Explanation>,
) -> String {
    let mut lines = vec![format!("expected {expected}"), format!("got {actual}")];
    if let Some(explanation) = explanation {
        let decision = &explanation.decision;
        for error in &decision.errors {
            lines.push(format!("error in `{}`: {}", error.policy_name, error.message));
        }
        for note in &decision.notes {
            lines.push(format!("note: {}", note.message()));
        }
        let wants_more = match expected {
            Expectation::Answer(it) => it.outcome == Outcome::Allow,
            Expectation::Refused => false,
        };
        if wants_more {
            lines.extend(misses(&explanation).into_iter().map(|miss| format!("nearest: {miss}")));
        }
        let missing = explanation.missing_keys;
        if wants_more && !missing.is_empty() {
            lines.push(format!("the context has no `{}`", missing.join("`, `")));
        }
    }
    lines.join("\n")
}

/// The allow statements that came nearest to matching where nothing was allowed, nearest first.
fn misses(explanation: &Explanation) -> Vec<String> {
    let denied = |trace: &&ResourceTrace| trace.reason.outcome() == Outcome::Deny;
    let mut found: Vec<(u8, String)> = Vec::new();
    for trace in explanation.resources.iter().filter(denied) {
        for statement in trace.statements.iter().filter(|it| it.effect == Effect::Allow) {
            if let Some((distance, what)) = miss(&statement.result) {
                found.push((distance, format!("{} {what}", place(trace, statement))));
            }
        }
    }
    let nearest = found.iter().map(|(distance, _)| *distance).min();
    // Stable, so that equally near ones stay in the order of layer, policy and place.
    found.retain(|(distance, _)| Some(*distance) == nearest);
    found.truncate(MISSES_MAX);
    found.into_iter().map(|(_, text)| text).collect()
}

fn place(trace: &ResourceTrace, statement: &StatementTrace) -> String {
    let StatementTrace { layer, policy_name, statement, .. } = statement;
    format!("{} `{policy_name}` statement {statement} on `{}`", layer.as_str(), trace.resource)
}

/// How far a statement is from matching, and what is missing; none when it matched.
fn miss(result: &StatementResult) -> Option<(u8, String)> {
    match result {
        StatementResult::Matched => None,
        StatementResult::Errored { messages } => {
            Some((0, format!("cannot be told: {}", messages.join("; "))))
        }
        StatementResult::Failed(FirstFailure::Condition {
            operator,
            key,
            expected,
            seen,
            missing,
            ..
        }) => {
            let wanted = expected.join("`, `");
            let met = if *missing { "nothing".into() } else { format!("`{}`", seen.join("`, `")) };
            Some((1, format!("has the condition {operator} `{key}` [`{wanted}`], seen {met}")))
        }
        StatementResult::Failed(FirstFailure::Resource) => {
            Some((2, "is about other resources".into()))
        }
        StatementResult::Failed(FirstFailure::Action) => Some((3, "is about other actions".into())),
    }
}
