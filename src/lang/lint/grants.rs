//! What a policy grants beyond, or short of, what its author may see (rule D-04).

use std::collections::BTreeSet;

use super::{
    ActionFacts, CheckedStatement, Findings, GRANTS_SECRETS, SHADOWED_BY_DENY, Vocabulary,
};
use super::{listed, matched};
use crate::lang::action::{ActionForm, ActionPattern};
use crate::lang::document::{Effect, Spanned};
use crate::lang::findings::excerpt;

/// How many sensitive actions a finding names.
const NAMES_MAX: usize = 5;

/// Sensitive actions that an allow covers and that no deny of the same policy takes away.
pub(super) fn lint_secrets(
    statement: &CheckedStatement,
    statements: &[CheckedStatement],
    vocabulary: &dyn Vocabulary,
    findings: &mut Findings,
) {
    if statement.effect.as_ref().is_none_or(|effect| effect.value != Effect::Allow) {
        return;
    }
    let denies: Vec<&CheckedStatement> =
        statements.iter().filter(|deny| denies_always(deny, statement)).collect();
    let denied = |facts: &ActionFacts<'_>| {
        let mut actions = denies.iter().flat_map(|deny| &deny.actions);
        actions.any(|action| action.value.matches(facts.service, facts.name))
    };
    let open: BTreeSet<(&str, &str)> = vocabulary
        .actions(None)
        .filter(|facts| facts.sensitive.is_some() && !denied(facts))
        .map(|facts| (facts.service, facts.name))
        .collect();
    for action in &statement.actions {
        if findings.is_full() {
            return;
        }
        let secrets: Vec<(&str, &str)> = matched(&action.value, vocabulary)
            .map(|facts| (facts.service, facts.name))
            .filter(|name| open.contains(name))
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
            if statement.conditions.is_empty() {
                let message = format!("`{text}` also allows {names}, which hand out keys or data");
                GRANTS_SECRETS.at(action.span, message)
            } else {
                let message = format!(
                    "where its condition holds, `{text}` also allows {names}, which hand out keys \
                     or data"
                );
                GRANTS_SECRETS.note(action.span, message)
            }
        };
        findings.push(finding.found(action.value.text()));
    }
}

/// Allow statements that a deny statement covers: the deny has no conditions, and for each action
/// and each resource of the allow it has one that matches everything that one matches. Then every
/// request that the allow matches is matched by the deny too. The reverse is not claimed.
pub(super) fn lint_shadowed(statements: &[CheckedStatement], findings: &mut Findings) {
    let allows = |statement: &&CheckedStatement| {
        let effect = statement.effect.as_ref();
        statement.whole && effect.is_some_and(|effect| effect.value == Effect::Allow)
    };
    for allow in statements.iter().filter(allows) {
        if findings.is_full() {
            return;
        }
        let deny = statements.iter().find(|deny| {
            let covers = |action: &Spanned<ActionPattern>| {
                deny.actions.iter().any(|own| own.value.covers(&action.value))
            };
            denies_always(deny, allow) && allow.actions.iter().all(covers)
        });
        if let (Some(deny), Some(effect)) = (deny, &allow.effect) {
            let index = deny.index;
            let message =
                format!("this statement allows nothing: `statement[{index}]` denies it all");
            findings.push(SHADOWED_BY_DENY.at(effect.span, message).found("allow"));
        }
    }
}

/// Whether a statement denies, unconditionally, its actions on every resource of the allow.
fn denies_always(deny: &CheckedStatement, allow: &CheckedStatement) -> bool {
    deny.whole
        && deny.effect.as_ref().is_some_and(|effect| effect.value == Effect::Deny)
        && deny.conditions.is_empty()
        && !allow.resources.is_empty()
        && allow
            .resources
            .iter()
            .all(|resource| deny.resources.iter().any(|own| own.value.covers(&resource.value)))
}
