//! The engine's decisions as the API's messages, for decisions made in this process.
//!
//! The server's own conversion (`service::wire`) needs a node, for revisions and decision ids; here
//! there is none, and both stay empty.

use crate::engine::{
    Decision, FirstFailure, Layer, Outcome, Reason, ResourceTrace, StatementResult, StatementTrace,
    Via,
};
use crate::lang::document::Effect;
use crate::service::proto;

/// A decision.
pub(super) fn decision(decision: &Decision, owner_uin: u64) -> proto::Decision {
    let Decision { outcome: decided, reason: why, determining, errors, filter, notes } = decision;
    let determining = determining.iter().map(|by| proto::DeterminingStatement {
        layer: layer(by.layer).into(),
        effect: effect(by.effect).into(),
        policy_id: by.policy_id,
        policy_name: by.policy_name.to_string(),
        policy_version: by.version,
        statement: index(by.statement),
    });
    let errors = errors.iter().map(|error| proto::DecisionError {
        layer: layer(error.layer).into(),
        policy_id: error.policy_id,
        policy_name: error.policy_name.to_string(),
        policy_version: error.version,
        statement: error.statement.map(index),
        message: error.message.clone(),
    });
    let notes = notes.iter().map(|note| format!("{}: {}", note.as_str(), note.message()));
    proto::Decision {
        outcome: outcome(*decided).into(),
        reason: reason(*why).into(),
        layer: why.layer().map_or(proto::Layer::Unspecified, layer).into(),
        determining: determining.collect(),
        errors: errors.collect(),
        filter: filter
            .as_ref()
            .map(|filter| proto::Filter { all: filter.all, resources: filter.resources.clone() }),
        notes: notes.collect(),
        revision: String::new(),
        decision_id: String::new(),
        owner_uin,
    }
}

/// What every statement said about one resource.
pub(super) fn resource_trace(trace: &ResourceTrace) -> proto::ResourceTrace {
    proto::ResourceTrace {
        resource: trace.resource.clone(),
        outcome: outcome(trace.reason.outcome()).into(),
        statements: trace.statements.iter().map(statement_trace).collect(),
    }
}

fn statement_trace(trace: &StatementTrace) -> proto::StatementTrace {
    let mut message = proto::StatementTrace {
        layer: layer(trace.layer).into(),
        via: trace.via.iter().map(via).collect::<Vec<_>>().join(", "),
        policy_id: trace.policy_id,
        policy_name: trace.policy_name.to_string(),
        policy_version: trace.version,
        statement: index(trace.statement),
        effect: effect(trace.effect).into(),
        ..proto::StatementTrace::default()
    };
    let result = match &trace.result {
        StatementResult::Matched => proto::StatementResult::Matched,
        StatementResult::Errored { messages } => {
            message.message = messages.join("; ");
            proto::StatementResult::ConditionError
        }
        StatementResult::Failed(FirstFailure::Action) => proto::StatementResult::ActionDiffers,
        StatementResult::Failed(FirstFailure::Resource) => proto::StatementResult::ResourceDiffers,
        StatementResult::Failed(FirstFailure::Condition {
            operator,
            key,
            expected,
            seen,
            missing,
            ..
        }) => {
            message.condition = format!("{operator} {key} [{}]", expected.join(", "));
            message.seen.clone_from(seen);
            message.key_missing = *missing;
            proto::StatementResult::ConditionFalse
        }
    };
    message.result = result.into();
    message
}

fn via(via: &Via) -> String {
    match via {
        Via::Direct => "direct".to_owned(),
        Via::Group { id: _, name } => format!("group {name}"),
    }
}

fn outcome(outcome: Outcome) -> proto::Outcome {
    match outcome {
        Outcome::Allow => proto::Outcome::Allow,
        Outcome::Deny => proto::Outcome::Deny,
    }
}

fn reason(reason: Reason) -> proto::Reason {
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

fn index(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
