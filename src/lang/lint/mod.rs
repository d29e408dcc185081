//! Lints: policies that are valid but probably do not do what their author means (rule A-07).
//!
//! One file per family; the table below is all there is to know about each lint. A lint never
//! refuses a policy, and is made on the parts that are fine also when others are not.

mod conditions;
mod grants;
mod names;
mod resources;

use super::diagnostic::{Severity, Span};
use super::document::DocumentKind;
use super::findings::{Finding, Findings};
use super::valid::Scope;
use super::validate::CheckedStatement;
use super::vocabulary::{ActionFacts, Vocabulary};
use crate::lang::action::ActionPattern;

/// One lint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lint {
    /// The stable code.
    pub code: &'static str,
    /// How bad it is at worst; milder cases are notes.
    pub severity: Severity,
    /// What it finds, in one line.
    pub summary: &'static str,
    /// What to do about it.
    pub help: &'static str,
}

macro_rules! lints {
    ($($name:ident = $code:literal, $severity:ident, $summary:literal, $help:literal;)*) => {
        $(const $name: Lint = Lint {
            code: $code, severity: Severity::$severity, summary: $summary, help: $help,
        };)*
        static ALL: &[Lint] = &[$($name),*];
    };
}

lints! {
    CONDITION_KEY_NOT_CARRIED = "lint.condition-key-not-carried", Warning,
        "a condition key that requests for the named actions cannot carry",
        "put these actions into a statement of their own, without this key";
    FOR_ALL_ON_TAGS = "lint.for-all-on-tags", Warning,
        "`for_all_value:` on tags, which one further tag defeats",
        "use `for_any_value:`, or make sure that no other tags are ever bound";
    GRANTS_SECRETS = "lint.grants-secrets", Warning,
        "an allow of actions that hand out keys or export data in bulk",
        "name the actions that are needed, or deny the ones listed";
    MISSING_QUANTIFIER = "lint.missing-quantifier", Note,
        "a key with several values in the request is tested without a quantifier",
        "write `for_any_value:` in front of the operator";
    NARROW_RESOURCE = "lint.narrow-resource-operation-action", Warning,
        "actions that are asked about `*` only, in a statement without the resource `*`",
        "put these actions into a statement of their own, with the resource `*`";
    NEGATED_MULTI_VALUE = "lint.negated-multi-value", Note,
        "a negated operator over several values means none of them",
        "keep it if none of them is what is meant";
    SHADOWED_BY_DENY = "lint.shadowed-by-deny", Warning,
        "an allow statement that a deny statement of the same policy takes away entirely",
        "remove one of the two, or narrow the deny";
    UNKNOWN_ACTION = "lint.unknown-action", Warning,
        "an action that no catalog lists",
        "check the spelling; it is evaluated as it stands";
    UNKNOWN_ACTION_SET = "lint.unknown-action-set", Warning,
        "an action set that no catalog describes; in an allow it matches nothing",
        "list the actions by name";
    CONDITION_KEY_CASE = "lint.unknown-condition-key-case", Warning,
        "a condition key that differs from a general key only in case",
        "condition keys are case-sensitive";
    UNKNOWN_SERVICE = "lint.unknown-service", Warning,
        "a service that no catalog describes",
        "check the spelling; it is evaluated as it stands";
    WILDCARD_MATCHES_NOTHING = "lint.wildcard-matches-nothing", Warning,
        "an action pattern that matches no catalogued action",
        "check the spelling; it is evaluated as it stands";
}

/// All lints, ascending by code.
#[must_use]
pub fn all() -> &'static [Lint] {
    ALL
}

/// Makes all lints about the parts of a policy that are fine.
pub(super) fn lint(statements: &[CheckedStatement], scope: &Scope<'_>, findings: &mut Findings) {
    // Without catalogs nothing is known, and so nothing is remarkable.
    let catalogued = scope.vocabulary.actions(None).next().is_some();
    for statement in statements {
        if findings.is_full() {
            return;
        }
        conditions::lint(statement, findings);
        if catalogued {
            names::lint(statement, scope.vocabulary, findings);
            resources::lint(statement, scope.vocabulary, findings);
            conditions::lint_carried(statement, scope.vocabulary, findings);
            if scope.kind == DocumentKind::Identity {
                grants::lint_secrets(statement, statements, scope.vocabulary, findings);
            }
        }
    }
    grants::lint_shadowed(statements, findings);
}

impl Lint {
    /// A finding of this lint.
    fn at(&self, span: Span, message: impl Into<String>) -> Finding {
        self.with(self.severity, span, message)
    }

    /// A finding of this lint in a milder case.
    fn note(&self, span: Span, message: impl Into<String>) -> Finding {
        self.with(Severity::Note, span, message)
    }

    fn with(&self, severity: Severity, span: Span, message: impl Into<String>) -> Finding {
        Finding::lint(self.code, severity, span, message).help(self.help)
    }
}

/// The catalogued actions that a pattern matches, in catalogued order.
fn matched<'v>(
    pattern: &'v ActionPattern,
    vocabulary: &'v dyn Vocabulary,
) -> Box<dyn Iterator<Item = ActionFacts<'v>> + 'v> {
    use crate::lang::action::ActionForm;
    match pattern.form() {
        ActionForm::Any => vocabulary.actions(None),
        ActionForm::Named { service, name } => match (service.as_deref(), name.as_literal()) {
            (Some(service), Some(name)) => Box::new(vocabulary.action(service, name).into_iter()),
            (service, _) => {
                Box::new(vocabulary.actions(service).filter(|facts| name.matches(facts.name)))
            }
        },
        ActionForm::Set(number) => {
            let members = vocabulary.action_set(*number).unwrap_or_default().iter();
            Box::new(members.filter_map(|member| {
                let (service, name) = member.split_once(':')?;
                vocabulary.action(service, name)
            }))
        }
    }
}

/// Up to `max` names for a message, and how many more there are.
fn listed<'a>(names: impl IntoIterator<Item = (&'a str, &'a str)>, max: usize) -> String {
    let mut names = names.into_iter();
    let some: Vec<String> =
        names.by_ref().take(max).map(|(service, name)| format!("`{service}:{name}`")).collect();
    match names.count() {
        0 => some.join(", "),
        more => format!("{} and {more} more", some.join(", ")),
    }
}

#[cfg(test)]
mod tests;
