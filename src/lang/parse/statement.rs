//! One statement's shape (rules L-02, L-06, L-07, L-08).
//!
//! Reads each part on its own, so that a fault in one hides none in another.

use super::members::Fields;
use super::{
    DocumentKind, Effect, ErrorCode, Finding, Findings, Member, Node, Span, Spanned,
    StatementDraft, Value, condition, missing, not_one_of, principal, shown, texts, wrong_type,
};

/// The keys of a statement. All are known in both kinds of document, so that one in the wrong kind
/// gets a finding of its own.
const KEYS: [&str; 5] = ["effect", "action", "resource", "condition", "principal"];

const ACTION: (ErrorCode, ErrorCode) = (ErrorCode::ActionMiss, ErrorCode::ActionError);
const RESOURCE: (ErrorCode, ErrorCode) = (ErrorCode::ResourceError, ErrorCode::ResourceError);

/// Reads a statement; none when it is no object.
pub(super) fn read(
    index: usize,
    node: &Node,
    kind: DocumentKind,
    findings: &mut Findings,
) -> Option<StatementDraft> {
    let Value::Object(members) = &node.value else {
        let finding = wrong_type(ErrorCode::StatementError, "a statement", node);
        findings.push(finding.expected("an object with `effect`, `action` and `resource`"));
        return None;
    };
    let before = findings.errors();
    let known = match kind {
        DocumentKind::Identity => KEYS.get(..4).unwrap_or_default(),
        DocumentKind::Trust => &["principal", "effect", "action", "condition"],
    };
    let (own, refused): (Vec<&Member>, Vec<&Member>) = members
        .iter()
        .partition(|m| known.contains(&m.key.value.as_str()) || !KEYS.contains(&&*m.key.value));
    refused.into_iter().for_each(|member| findings.push(misplaced(member, kind)));
    let fields = Fields::read(own, known, ("the statement", ErrorCode::StatementError), findings);
    let require = |key: &str, code: ErrorCode, findings: &mut Findings| {
        let found = fields.get(key).map(|member| &member.node);
        if found.is_none() {
            findings.push(missing(code, node.span, "the statement", key));
        }
        found
    };
    let effect = require("effect", ErrorCode::EffectError, findings)
        .and_then(|effect| read_effect(effect, findings));
    let actions = require("action", ErrorCode::ActionMiss, findings)
        .map(|actions| texts("action", actions, ACTION, findings));
    let (mut resources, mut principal) = (None, None);
    match kind {
        DocumentKind::Identity => {
            resources = require("resource", ErrorCode::ResourceError, findings)
                .map(|resources| texts("resource", resources, RESOURCE, findings));
        }
        DocumentKind::Trust => {
            principal = require("principal", ErrorCode::PrincipalError, findings)
                .and_then(|principal| principal::read(principal, findings));
        }
    }
    let conditions = fields.get("condition").map(|member| condition::read(&member.node, findings));
    Some(StatementDraft {
        span: node.span,
        index,
        whole: findings.errors() == before,
        effect,
        actions: actions.unwrap_or_default(),
        resources: resources.unwrap_or_default(),
        conditions: conditions.unwrap_or_default(),
        principal,
    })
}

/// Rule L-08: `principal` in an identity policy, `resource` in a trust policy.
fn misplaced(member: &Member, kind: DocumentKind) -> Finding {
    let span: Span = member.key.span;
    match kind {
        DocumentKind::Identity => Finding::error(
            ErrorCode::PrincipalError,
            span,
            "`principal` has no place in a policy that is attached to its principals",
        )
        .found("principal")
        .help("remove it, and attach the policy to the user, group or role that is meant"),
        DocumentKind::Trust => Finding::error(
            ErrorCode::StatementError,
            span,
            "`resource` has no place in a trust policy: the role itself is the resource",
        )
        .found("resource")
        .help("remove it"),
    }
}

fn read_effect(node: &Node, findings: &mut Findings) -> Option<Spanned<Effect>> {
    let value = match &node.value {
        Value::String(text) if text == "allow" => Some(Effect::Allow),
        Value::String(text) if text == "deny" => Some(Effect::Deny),
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => None,
    };
    let Some(value) = value else {
        let found = shown(node);
        let help = match found.to_lowercase().as_str() {
            lower @ ("allow" | "deny") if matches!(node.value, Value::String(_)) => {
                Some(format!("effects are lower case: `{lower}`"))
            }
            _ => None,
        };
        let message = not_one_of("effect", "effect", node);
        findings.push(
            Finding::error(ErrorCode::EffectError, node.span, message)
                .found(&found)
                .expected("`allow` or `deny`")
                .help_maybe(help),
        );
        return None;
    };
    Some(Spanned { value, span: node.span })
}
