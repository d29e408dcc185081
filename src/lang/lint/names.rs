//! Names that no catalog lists (rules ).
//!
//! A name that differs from a catalogued one only in case is an error, made by `validate`, not
//! here.

use super::{
    CheckedStatement, Findings, UNKNOWN_ACTION, UNKNOWN_ACTION_SET, UNKNOWN_SERVICE, Vocabulary,
    WILDCARD_MATCHES_NOTHING, matched,
};
use crate::lang::action::{ActionForm, ActionPattern};
use crate::lang::document::{Effect, Spanned};
use crate::lang::findings::{excerpt, nearest};
use crate::lang::validate::case_twins;

pub(super) fn lint(
    statement: &CheckedStatement,
    vocabulary: &dyn Vocabulary,
    findings: &mut Findings,
) {
    let allows = statement.effect.as_ref().is_some_and(|effect| effect.value == Effect::Allow);
    for action in &statement.actions {
        if findings.is_full() {
            return;
        }
        match action.value.form() {
            ActionForm::Any => {}
            ActionForm::Set(number) => {
                if allows && vocabulary.action_set(*number).is_none() {
                    let message = format!("no catalog describes the action set `permid/{number}`");
                    findings.push(
                        UNKNOWN_ACTION_SET.at(action.span, message).found(action.value.text()),
                    );
                }
            }
            ActionForm::Named { service: Some(service), .. }
                if !vocabulary.knows_service(service) =>
            {
                unknown_service(service, action.span, vocabulary, findings);
            }
            ActionForm::Named { service, name } => {
                if matched(&action.value, vocabulary).next().is_none() {
                    let exact = name.as_literal();
                    nothing(action, service.as_deref(), exact, vocabulary, findings);
                }
            }
        }
    }
    for resource in &statement.resources {
        let service = resource.value.segments().and_then(|segments| segments.service.as_literal());
        if let Some(service) = service.filter(|service| !vocabulary.knows_service(service)) {
            unknown_service(service, resource.span, vocabulary, findings);
        }
    }
}

/// An action of a known service that the catalogs do not list.
fn nothing(
    action: &Spanned<ActionPattern>,
    service: Option<&str>,
    exact: Option<&str>,
    vocabulary: &dyn Vocabulary,
    findings: &mut Findings,
) {
    let text = action.value.text();
    if !case_twins(text, service, vocabulary, 1).is_empty() {
        return;
    }
    let shown = excerpt(text);
    let finding = match exact {
        Some(exact) => {
            let near = nearest(exact, vocabulary.actions(service).map(|facts| facts.name));
            let help = near.map(|near| {
                format!(
                    "did you mean `{}:{near}`? it is evaluated as it stands",
                    service.unwrap_or("*")
                )
            });
            UNKNOWN_ACTION
                .at(action.span, format!("no catalog lists the action `{shown}`"))
                .help_maybe(help)
        }
        None => WILDCARD_MATCHES_NOTHING
            .at(action.span, format!("`{shown}` matches no action of the catalogs")),
    };
    findings.push(finding.found(text));
}

fn unknown_service(
    service: &str,
    span: crate::lang::diagnostic::Span,
    vocabulary: &dyn Vocabulary,
    findings: &mut Findings,
) {
    let mut services: Vec<&str> = vocabulary.actions(None).map(|facts| facts.service).collect();
    services.dedup();
    let help = nearest(service, services)
        .map(|near| format!("did you mean `{near}`? it is evaluated as it stands"));
    let message = format!("no catalog describes the service `{}`", excerpt(service));
    findings.push(UNKNOWN_SERVICE.at(span, message).found(service).help_maybe(help));
}
