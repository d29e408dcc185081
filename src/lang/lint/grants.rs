//! What a policy grants beyond, or short of, what its author may see (rule D-04).

use super::{CheckedStatement, Findings, GRANTS_SECRETS, SHADOWED_BY_DENY, Vocabulary};
use super::{listed, matched};
use crate::lang::action::ActionForm;
use crate::lang::document::Effect;
use crate::lang::findings::excerpt;

/// How many sensitive actions a finding names.
const NAMES_MAX: usize = 5;

/// Sensitive actions that an allow covers.
pub(super) fn lint_secrets(
    statement: &CheckedStatement,
    vocabulary: &dyn Vocabulary,
    findings: &mut Findings,
) {
    if statement.effect.as_ref().is_none_or(|effect| effect.value != Effect::Allow) {
        return;
    }
    for action in &statement.actions {
        let secrets: Vec<(&str, &str)> = matched(&action.value, vocabulary)
            .filter(|facts| facts.sensitive.is_some())
            .map(|facts| (facts.service, facts.name))
            .collect();
        if secrets.is_empty() {
            continue;
        }
        let text = excerpt(action.value.text());
        let exact = matches!(
            action.value.form(),
            ActionForm::Named { service: Some(_), name } if name.as_literal().is_some()
        );
        let finding = if exact {
            let message = format!("`{text}` hands out keys or exports data");
            GRANTS_SECRETS
                .note(action.span, message)
                .help("make sure that whoever gets this policy may see what it hands out")
        } else {
            let names = listed(secrets, NAMES_MAX);
            let message = format!("`{text}` also allows {names}, which hand out keys or data");
            GRANTS_SECRETS.at(action.span, message)
        };
        findings.push(finding.found(action.value.text()));
    }
}

/// Allow statements that a deny statement covers: the deny has no conditions, and for each action
/// and each resource of the allow it has one that matches everything that one matches. Then every
/// request that the allow matches is matched by the deny too. The reverse is not claimed.
pub(super) fn lint_shadowed(statements: &[CheckedStatement], findings: &mut Findings) {
    let of = |statement: &CheckedStatement, wanted: Effect| {
        statement.whole && statement.effect.as_ref().is_some_and(|effect| effect.value == wanted)
    };
    for allow in statements.iter().filter(|statement| of(statement, Effect::Allow)) {
        if findings.is_full() {
            return;
        }
        let deny = statements.iter().find(|deny| {
            of(deny, Effect::Deny) && deny.conditions.is_empty() && covers(deny, allow)
        });
        if let (Some(deny), Some(effect)) = (deny, &allow.effect) {
            let index = deny.index;
            let message =
                format!("this statement allows nothing: `statement[{index}]` denies it all");
            findings.push(SHADOWED_BY_DENY.at(effect.span, message).found("allow"));
        }
    }
}

fn covers(deny: &CheckedStatement, allow: &CheckedStatement) -> bool {
    !allow.resources.is_empty()
        && allow
            .actions
            .iter()
            .all(|action| deny.actions.iter().any(|own| own.value.covers(&action.value)))
        && allow
            .resources
            .iter()
            .all(|resource| deny.resources.iter().any(|own| own.value.covers(&resource.value)))
}
