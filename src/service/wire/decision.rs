//! From answers to messages: decisions, explanations, traces.

use super::narrow;
use crate::engine::{
    Decision, DecisionError, Determining, DeterminingRef, Explanation, Filter, FirstFailure, Layer,
    Note, Outcome, Reason, ResourceTrace, StatementResult, StatementTrace, Via, summary,
};
use crate::lang::document::Effect;
use crate::node::{Answer, Decided, Explained, Node};
use crate::service::proto;

/// A node's answer: the decision, with its revision and its id.
pub(in crate::service) fn decision(node: &Node, answer: Answer) -> proto::Decision {
    let Answer { decision, owner_uin, revision, stale_ms, decision_id } = answer;
    proto::Decision {
        stale_ms,
        revision: node.token(revision),
        decision_id,
        ..unnumbered_decision(decision, owner_uin)
    }
}

/// A decision where it was made.
pub(in crate::service) fn decided(node: &Node, decided: Decided<'_, '_>) -> proto::Decision {
    let Decided { decision, owner_uin, revision, now: _, stale_ms, decision_id } = decided;
    proto::Decision {
        determining: decision.determining().map(determining_ref).collect(),
        errors: decision.errors().iter().cloned().map(decision_error).collect(),
        filter: decision.filter().cloned().map(filter_message),
        notes: decision.note().iter().map(note).collect(),
        revision: node.token(revision),
        decision_id,
        stale_ms,
        ..reasoned(decision.reason(), owner_uin)
    }
}

/// A message with what follows from the reason, and nothing else.
fn reasoned(reason: Reason, owner_uin: u64) -> proto::Decision {
    proto::Decision {
        outcome: outcome(reason.outcome()).into(),
        reason: reason_word(reason).into(),
        layer: reason.layer().map_or(proto::Layer::Unspecified, layer).into(),
        meaning: reason.meaning().to_owned(),
        owner_uin,
        ..proto::Decision::default()
    }
}

/// A decision made without a node: it has no revision and no id.
#[must_use]
pub fn unnumbered_decision(decision: Decision, owner_uin: u64) -> proto::Decision {
    let Decision { outcome: _, reason, determining, errors, filter, notes } = decision;
    proto::Decision {
        determining: determining.iter().map(determining_statement).collect(),
        errors: errors.into_iter().map(decision_error).collect(),
        filter: filter.map(filter_message),
        notes: notes.iter().map(note).collect(),
        ..reasoned(reason, owner_uin)
    }
}

/// An outcome.
pub(in crate::service) fn outcome(outcome: Outcome) -> proto::Outcome {
    match outcome {
        Outcome::Allow => proto::Outcome::Allow,
        Outcome::Deny => proto::Outcome::Deny,
    }
}

fn reason_word(reason: Reason) -> proto::Reason {
    match reason {
        Reason::Root => proto::Reason::Root,
        Reason::Allow => proto::Reason::Allow,
        Reason::ExplicitDeny(_) => proto::Reason::ExplicitDeny,
        Reason::ImplicitDeny(_) => proto::Reason::ImplicitDeny,
        Reason::UnknownPrincipal => proto::Reason::UnknownPrincipal,
        Reason::FilterUnsupported => proto::Reason::FilterUnsupported,
        Reason::Error => proto::Reason::Error,
    }
}

fn layer(layer: Layer) -> proto::Layer {
    match layer {
        Layer::General => proto::Layer::General,
        Layer::Identity => proto::Layer::Identity,
        Layer::Resource => proto::Layer::Resource,
        Layer::Boundary => proto::Layer::Boundary,
        Layer::Session => proto::Layer::Session,
    }
}

fn effect(effect: Effect) -> proto::Effect {
    match effect {
        Effect::Allow => proto::Effect::Allow,
        Effect::Deny => proto::Effect::Deny,
    }
}

fn determining_statement(it: &Determining) -> proto::DeterminingStatement {
    let Determining { layer: at, policy_id, statement, effect: says, policy_name, version } = it;
    proto::DeterminingStatement {
        layer: layer(*at).into(),
        effect: effect(*says).into(),
        policy_id: *policy_id,
        policy_name: policy_name.to_string(),
        policy_version: *version,
        statement: narrow(*statement),
    }
}

fn determining_ref(it: DeterminingRef<'_>) -> proto::DeterminingStatement {
    proto::DeterminingStatement {
        layer: layer(it.layer()).into(),
        effect: effect(it.effect()).into(),
        policy_id: it.policy_id(),
        policy_name: it.policy_name().to_owned(),
        policy_version: it.version(),
        statement: narrow(it.statement()),
    }
}

fn decision_error(error: DecisionError) -> proto::DecisionError {
    let DecisionError {
        layer: at,
        policy_id,
        statement,
        condition: _,
        policy_name,
        version,
        message,
    } = error;
    proto::DecisionError {
        layer: layer(at).into(),
        policy_id,
        policy_name: policy_name.to_string(),
        policy_version: version,
        statement: statement.map(narrow),
        message,
    }
}

fn filter_message(filter: Filter) -> proto::Filter {
    let Filter { all, resources } = filter;
    proto::Filter { all, resources }
}

fn note(note: &Note) -> String {
    format!("{}: {}", note.as_str(), note.message())
}

/// The parts of an explanation: traces, missing keys, and the summary in words.
pub(in crate::service) fn explanation(
    explained: &Explained,
) -> (Vec<proto::ResourceTrace>, Vec<String>, Vec<String>) {
    let explanation = explained.explanation.as_ref();
    let summary = summary(&explained.answer.decision, explanation);
    let Some(Explanation { decision: _, resources, missing_keys }) = explanation else {
        return (Vec::new(), Vec::new(), summary);
    };
    (resources.iter().map(resource_trace).collect(), missing_keys.clone(), summary)
}

/// What every statement said about one resource.
#[must_use]
pub fn resource_trace(trace: &ResourceTrace) -> proto::ResourceTrace {
    let ResourceTrace { resource, reason, statements } = trace;
    proto::ResourceTrace {
        resource: resource.clone(),
        outcome: outcome(reason.outcome()).into(),
        statements: statements.iter().map(statement_trace).collect(),
    }
}

fn statement_trace(trace: &StatementTrace) -> proto::StatementTrace {
    let StatementTrace {
        layer: at,
        via,
        policy_id,
        policy_name,
        version,
        statement,
        effect: says,
        result,
    } = trace;
    let mut message = proto::StatementTrace {
        layer: layer(*at).into(),
        via: via.iter().map(via_text).collect::<Vec<_>>().join(", "),
        policy_id: *policy_id,
        policy_name: policy_name.to_string(),
        policy_version: *version,
        statement: narrow(*statement),
        effect: effect(*says).into(),
        ..proto::StatementTrace::default()
    };
    let word = match result {
        StatementResult::Matched => proto::StatementResult::Matched,
        StatementResult::Errored { messages } => {
            message.message = messages.join("; ");
            proto::StatementResult::ConditionError
        }
        StatementResult::Failed(FirstFailure::Action) => proto::StatementResult::ActionDiffers,
        StatementResult::Failed(FirstFailure::Resource) => proto::StatementResult::ResourceDiffers,
        StatementResult::Failed(failure @ FirstFailure::Condition { seen, missing, .. }) => {
            message.condition = failure.condition_text().unwrap_or_default();
            message.seen.clone_from(seen);
            message.key_missing = *missing;
            proto::StatementResult::ConditionFalse
        }
    };
    message.result = word.into();
    message
}

fn via_text(via: &Via) -> String {
    match via {
        Via::Direct => "direct".to_owned(),
        Via::Group { id: _, name } => format!("group {name}"),
    }
}
