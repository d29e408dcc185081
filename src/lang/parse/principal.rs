//! The shape of a trust policy's `principal` (rule L-08, spec 1.1).
//!
//! The names inside are checked by `validate`.

use super::members::Fields;
use super::{ErrorCode, Findings, Node, PrincipalText, Spanned, Value, shown, texts};
use crate::lang::findings::Finding;

const CODES: (ErrorCode, ErrorCode) = (ErrorCode::PrincipalError, ErrorCode::PrincipalError);

/// The kinds of principals.
pub(in crate::lang) const KINDS: [&str; 3] = ["qcs", "service", "federated"];

/// Reads `"*"` or an object of lists; none when it is neither.
pub(super) fn read(node: &Node, findings: &mut Findings) -> Option<Spanned<PrincipalText>> {
    let value = match &node.value {
        Value::String(text) if text == "*" => PrincipalText::Anyone,
        Value::Object(members) if members.is_empty() => {
            let message = "`principal` names nobody";
            findings.push(
                Finding::error(ErrorCode::PrincipalError, node.span, message)
                    .found("{}")
                    .expected("`qcs`, `service` or `federated`"),
            );
            return None;
        }
        Value::Object(members) => {
            let fields =
                Fields::read(members, &KINDS, ("`principal`", ErrorCode::PrincipalError), findings);
            let mut listed = Vec::new();
            for member in members {
                let Some(first) = fields.get(&member.key.value) else { continue };
                if first.key.span != member.key.span {
                    continue;
                }
                for name in texts(&member.key.value, &member.node, CODES, findings) {
                    listed.push((member.key.clone(), name));
                }
            }
            PrincipalText::Listed(listed)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            let found = shown(node);
            findings.push(
                Finding::error(
                    ErrorCode::PrincipalError,
                    node.span,
                    format!("`principal` is `{found}`"),
                )
                .found(&found)
                .expected("`\"*\"` or an object with `qcs`, `service` or `federated`")
                .help("write `{\"qcs\": [\"qcs::cam::uin/<owner>:root\"]}`"),
            );
            return None;
        }
    };
    Some(Spanned { value, span: node.span })
}
