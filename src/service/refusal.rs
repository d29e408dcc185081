//! A deny as clients of the API read it: the sentence they know, and the decision for programs.
//!
//! Shared by the CAM API and the gate. It must never show conditions or their values: who is denied
//! need not be the one who may read policies.

use serde_json::{Value, json};

use crate::engine::Determining;
use crate::node::{Answer, Node};

/// The sentence (spec section 9.4). `operation` is `service:Action`.
pub(super) fn message(request_id: &str, operation: &str, resource: &str) -> String {
    format!(
        "The request is not authorized: [[request id:{request_id}]you are not authorized to \
         perform operation ({operation})\nresource ({resource}) has no permission]"
    )
}

/// The decision, as the `Decision` of a refusal.
pub(super) fn decision(node: &Node, answer: &Answer) -> Value {
    let reason = answer.decision.reason;
    json!({
        "DecisionId": answer.decision_id,
        "Outcome": answer.decision.outcome.as_str(),
        "Reason": reason.as_str(),
        "Layer": reason.layer().map(|layer| layer.as_str()),
        "Meaning": reason.meaning(),
        "Revision": node.token(answer.revision),
        "Statements": answer.decision.determining.iter().map(statement).collect::<Vec<_>>(),
    })
}

fn statement(it: &Determining) -> Value {
    json!({
        "Layer": it.layer.as_str(),
        "Effect": it.effect.as_str(),
        "PolicyId": it.policy_id,
        "PolicyName": &*it.policy_name,
        "Version": it.version,
        "Statement": it.statement,
    })
}
