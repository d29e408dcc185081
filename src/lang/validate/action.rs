//! Action texts: grammar, and case against the catalogs (rules ).

use super::{
    ActionPattern, Effect, ErrorCode, FULL_WIDTH_COLON, FULL_WIDTH_HELP, Finding, Findings, Scope,
    Spanned, excerpt, nearest, text_error,
};
use crate::lang::action::{ActionFault, ActionForm};
use crate::lang::pattern::Glob;
use crate::lang::vocabulary::Vocabulary;

/// How many catalogued names a finding lists.
const NAMES_MAX: usize = 3;

/// Reads one action; none when it is refused by its grammar.
pub(super) fn check(
    text: &Spanned<String>,
    effect: Option<Effect>,
    scope: Option<&Scope<'_>>,
    findings: &mut Findings,
) -> Option<Spanned<ActionPattern>> {
    let pattern = match ActionPattern::parse(&text.value) {
        Ok(pattern) => pattern,
        Err(fault) => {
            let finding = explain(text, &fault, scope, findings);
            findings.push(finding);
            return None;
        }
    };
    if let Some(scope) = scope {
        match pattern.form() {
            ActionForm::Any => {}
            ActionForm::Set(number) => check_set(text, *number, effect, scope, findings),
            ActionForm::Named { service, name } => {
                check_case(text, service.as_deref(), name, scope.vocabulary, findings);
            }
        }
    }
    Some(Spanned { value: pattern, span: text.span })
}

fn explain(
    text: &Spanned<String>,
    fault: &ActionFault,
    scope: Option<&Scope<'_>>,
    findings: &Findings,
) -> Finding {
    let expected = "`*`, `service:Name`, `name/service:Name` or `permid/<number>`";
    if text.value.is_empty() {
        return text_error(ErrorCode::ActionError, text, "action", "is empty").expected(expected);
    }
    let (code, help) = match fault {
        _ if text.value.contains(FULL_WIDTH_COLON) => {
            (ErrorCode::ActionError, Some(FULL_WIDTH_HELP.to_owned()))
        }
        ActionFault::TooLong { .. } => (ErrorCode::ActionError, None),
        ActionFault::NoColon => (
            ErrorCode::ActionError,
            Some(format!("put the service in front, e.g. `im:{}`", excerpt(&text.value))),
        ),
        ActionFault::UnknownPrefix(_) => {
            (ErrorCode::ActionError, Some("write `name/` or no prefix".to_owned()))
        }
        ActionFault::BadService(service) => bad_service(service, scope, findings),
        ActionFault::BadName(name) if name.contains('?') => {
            (ErrorCode::ActionError, Some("`*` is the only wildcard".to_owned()))
        }
        ActionFault::BadName(name) if name.contains("${") => (
            ErrorCode::ActionError,
            Some("variables stand only in a resource's last part and in conditions".to_owned()),
        ),
        ActionFault::BadName(_) => (
            ErrorCode::ActionError,
            Some("names have letters, digits, `_`, `-` and `.`; several go into a list".to_owned()),
        ),
        ActionFault::BadSet(_) => (
            ErrorCode::ActionError,
            Some("write the set's number, e.g. `permid/280649`".to_owned()),
        ),
        ActionFault::Star => (ErrorCode::ActionError, None),
    };
    text_error(code, text, "action", &fault.to_string()).expected(expected).help_maybe(help)
}

/// Rule A-06; a service known in another case is a service that does not exist (rule A-05).
fn bad_service(
    service: &str,
    scope: Option<&Scope<'_>>,
    findings: &Findings,
) -> (ErrorCode, Option<String>) {
    let lower = service.to_lowercase();
    let known = scope.is_some_and(|scope| scope.vocabulary.knows_service(&lower));
    if known && lower != service {
        let help = format!("services are lower case: `{lower}`");
        return (ErrorCode::ActionServiceNotExist, Some(help));
    }
    if service.contains('*') {
        let help = "the service is one abbreviation, or `*` alone".to_owned();
        return (ErrorCode::ActionError, Some(help));
    }
    let near = scope.filter(|_| !findings.is_full()).and_then(|scope| {
        let mut services: Vec<&str> =
            scope.vocabulary.actions(None).map(|facts| facts.service).collect();
        services.dedup();
        nearest(service, services).map(|near| format!("did you mean the service `{near}`?"))
    });
    let rule = "a service is written in lower-case letters, digits, `-` and `_`".to_owned();
    (ErrorCode::ActionError, near.or(Some(rule)))
}

/// Rule A-08: a deny of nobody knows what must not be believed to deny something.
fn check_set(
    text: &Spanned<String>,
    number: u64,
    effect: Option<Effect>,
    scope: &Scope<'_>,
    findings: &mut Findings,
) {
    if effect == Some(Effect::Deny) && scope.vocabulary.action_set(number).is_none() {
        let fault = "is an action set that no catalog describes";
        findings.push(
            text_error(ErrorCode::ActionNotExist, text, "action", fault)
                .expected("a set of the catalogs")
                .help("list the actions to be denied by name"),
        );
    }
}

/// The catalogued actions that a pattern would match if case were ignored, at most `max`.
pub(in crate::lang) fn case_twins(
    pattern: &str,
    service: Option<&str>,
    vocabulary: &dyn Vocabulary,
    max: usize,
) -> Vec<String> {
    let name = pattern.rsplit_once(':').map_or("", |(_, name)| name);
    let folded = Glob::new(&name.to_lowercase());
    vocabulary
        .actions(service)
        .filter(|facts| folded.matches(&facts.name.to_lowercase()))
        .take(max)
        .map(|facts| format!("`{}:{}`", facts.service, facts.name))
        .collect()
}

/// Rule A-05: a pattern that matches nothing, but would if case were ignored.
fn check_case(
    text: &Spanned<String>,
    service: Option<&str>,
    name: &Glob,
    vocabulary: &dyn Vocabulary,
    findings: &mut Findings,
) {
    if service.is_some_and(|service| !vocabulary.knows_service(service)) || findings.is_full() {
        return;
    }
    let known = match (service, name.as_literal()) {
        (Some(service), Some(name)) => vocabulary.action(service, name).is_some(),
        _ => vocabulary.actions(service).any(|facts| name.matches(facts.name)),
    };
    if known {
        return;
    }
    let meant = case_twins(&text.value, service, vocabulary, NAMES_MAX + 1);
    let Some(first) = meant.first() else { return };
    let listed = meant.get(..NAMES_MAX).map_or_else(
        || meant.join(", "),
        |some| format!("{}{}", some.join(", "), if meant.len() > NAMES_MAX { ", …" } else { "" }),
    );
    let (fault, help) = if name.as_literal().is_some() {
        ("differs from a catalogued action only in case", format!("write {first}"))
    } else {
        let help =
            format!("names are case-sensitive; it would match {listed} if case were ignored");
        ("matches no catalogued action, because of its case", help)
    };
    findings.push(
        text_error(ErrorCode::ActionNotExist, text, "action", fault).expected(listed).help(help),
    );
}
