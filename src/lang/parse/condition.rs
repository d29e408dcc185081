//! The shape of a condition block: operators, keys, and lists of scalars (rules L-03, L-07, C-20).
//!
//! Whether operators exist and values fit them is `validate`'s question, not this file's.

use super::members::refuse_repeated;
use super::{ConditionText, ErrorCode, Finding, Findings, Node, Spanned, Value, wrong_type};
use crate::lang::document::Scalar;

/// Reads a condition block. An empty block is no condition (598/10604's grammar).
pub(super) fn read(node: &Node, findings: &mut Findings) -> Vec<ConditionText> {
    let Value::Object(operators) = &node.value else {
        let finding = wrong_type(ErrorCode::ConditionError, "`condition`", node);
        findings.push(finding.expected("an object of operators"));
        return Vec::new();
    };
    refuse_repeated(operators, ErrorCode::ConditionError, "the condition block", findings);
    let mut out = Vec::new();
    for operator in operators {
        let Value::Object(keys) = &operator.node.value else {
            let finding =
                wrong_type(ErrorCode::ConditionError, "an operator's value", &operator.node);
            findings.push(
                finding
                    .expected("an object of condition keys")
                    .help("write `\"operator\": {\"key\": \"value\"}`"),
            );
            continue;
        };
        if keys.is_empty() {
            let message = "the operator has no condition key";
            findings.push(
                Finding::error(ErrorCode::ConditionError, operator.node.span, message)
                    .found("{}")
                    .expected("one or more condition keys"),
            );
        }
        refuse_repeated(keys, ErrorCode::ConditionError, "the operator", findings);
        for key in keys {
            let values = values(&key.node, findings);
            if !values.is_empty() {
                let (operator, key) = (operator.key.clone(), key.key.clone());
                out.push(ConditionText { operator, key, values });
            }
        }
    }
    out
}

fn values(node: &Node, findings: &mut Findings) -> Vec<Spanned<Scalar>> {
    let items = match &node.value {
        Value::Array(items) if items.is_empty() => {
            findings.push(
                Finding::error(
                    ErrorCode::ConditionContentError,
                    node.span,
                    "the condition key has no values",
                )
                .found("[]")
                .expected("one or more values"),
            );
            return Vec::new();
        }
        Value::Array(items) => items.as_slice(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            std::slice::from_ref(node)
        }
    };
    items.iter().filter_map(|item| scalar(item, findings)).collect()
}

fn scalar(node: &Node, findings: &mut Findings) -> Option<Spanned<Scalar>> {
    let value = match &node.value {
        Value::String(text) => Scalar::String(text.clone()),
        Value::Number(text) => Scalar::Number(text.clone()),
        Value::Bool(value) => Scalar::Bool(*value),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            let finding = wrong_type(ErrorCode::ConditionContentError, "a condition value", node);
            findings.push(finding.expected("a string, a number or a boolean"));
            return None;
        }
    };
    Some(Spanned { value, span: node.span })
}
