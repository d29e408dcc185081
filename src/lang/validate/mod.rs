//! From a document to a valid policy: every text in it is read as what it should be.
//!
//! All findings are made, in document order (rule L-11), each on the very string it is about. It
//! must never build a `ValidPolicy` when there is an error. Second step of the flow, after `parse`;
//! the lints run on the same checked parts.

mod action;
mod condition;
mod principal;
mod resource;

use super::action::ActionPattern;
use super::condition::Condition;
use super::diagnostic::{Diagnostic, ErrorCode, Span};
use super::document::{DocumentKind, Effect, Spanned};
pub(super) use action::case_twins;
pub(super) use condition::{Family, GENERAL_KEYS};

use super::findings::{Finding, Findings, excerpt, nearest};
use super::parse::{StatementDraft, draft};
use super::principal::TrustPrincipal;
use super::resource::ResourcePattern;
use super::valid::{Scope, Statement, ValidPolicy};

/// The result of checking a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The policy; none when there is an error.
    pub policy: Option<ValidPolicy>,
    /// Errors, warnings and notes, in document order, at most `FINDINGS_MAX`.
    pub findings: Vec<Diagnostic>,
    /// How many more findings were made; looking for more ends some time after the limit.
    pub omitted: usize,
}

/// Checks a text as a policy about to be stored: grammar, catalogs, owner, and lints.
#[must_use]
pub fn check(bytes: &[u8], scope: &Scope<'_>) -> Checked {
    read(bytes, scope.kind, Some(scope))
}

/// Reads a stored identity policy: the grammar only, so that a policy which was accepted once
/// stays readable when the catalogs change (rule A-08). No lints.
///
/// # Errors
/// The errors, in document order.
pub fn load(bytes: &[u8]) -> Result<ValidPolicy, Vec<Diagnostic>> {
    load_as(bytes, DocumentKind::Identity)
}

/// As [`load`], for either kind of document.
///
/// # Errors
/// The errors, in document order.
pub fn load_as(bytes: &[u8], kind: DocumentKind) -> Result<ValidPolicy, Vec<Diagnostic>> {
    let checked = read(bytes, kind, None);
    checked.policy.ok_or(checked.findings)
}

fn read(bytes: &[u8], kind: DocumentKind, scope: Option<&Scope<'_>>) -> Checked {
    let mut findings = Findings::default();
    let draft = draft(bytes, kind, &mut findings);
    let statements: Vec<CheckedStatement> = draft
        .statements
        .iter()
        .map(|statement| check_statement(statement, scope, &mut findings))
        .collect();
    let mut policy = None;
    if !findings.has_errors() {
        let valid = statements.iter().map(CheckedStatement::statement).collect::<Option<_>>();
        policy = draft
            .document(kind)
            .zip(valid)
            .map(|(document, statements)| ValidPolicy { document, statements });
    }
    if let Some(scope) = scope.filter(|_| !draft.too_long) {
        super::lint::lint(&statements, scope, &mut findings);
    }
    let (findings, omitted) = findings.finish(bytes, draft.root.as_ref());
    Checked { policy, findings, omitted }
}

/// A statement's parts that are fine, with their places.
#[derive(Debug)]
pub(super) struct CheckedStatement {
    /// Its place in the list, from 0, things that are no statements counted.
    pub(super) index: usize,
    pub(super) effect: Option<Spanned<Effect>>,
    pub(super) actions: Vec<Spanned<ActionPattern>>,
    pub(super) resources: Vec<Spanned<ResourcePattern>>,
    pub(super) conditions: Vec<CheckedCondition>,
    pub(super) principals: Vec<TrustPrincipal>,
    /// Whether every part of every text was fine; of others, only what is here is known.
    pub(super) whole: bool,
}

/// A condition that is fine, with its places.
#[derive(Debug)]
pub(super) struct CheckedCondition {
    pub(super) condition: Condition,
    pub(super) operator: Span,
    pub(super) key: Span,
}

impl CheckedStatement {
    fn statement(&self) -> Option<Statement> {
        Some(Statement {
            effect: self.effect.as_ref()?.value,
            actions: self.actions.iter().map(|action| action.value.clone()).collect(),
            resources: self.resources.iter().map(|resource| resource.value.clone()).collect(),
            conditions: self.conditions.iter().map(|checked| checked.condition.clone()).collect(),
            principals: self.principals.iter().cloned().collect(),
        })
    }
}

fn check_statement(
    draft: &StatementDraft,
    scope: Option<&Scope<'_>>,
    findings: &mut Findings,
) -> CheckedStatement {
    let before = findings.errors();
    let effect = draft.effect.as_ref().map(|effect| effect.value);
    let actions: Vec<_> = draft
        .actions
        .iter()
        .filter_map(|action| action::check(action, effect, scope, findings))
        .collect();
    let resources: Vec<_> = draft
        .resources
        .iter()
        .filter_map(|resource| resource::check(resource, scope, findings))
        .collect();
    let conditions = draft
        .conditions
        .iter()
        .filter_map(|condition| condition::check(condition, findings))
        .collect();
    let principals =
        draft.principal.as_ref().map_or_else(Vec::new, |it| principal::check(it, findings));
    let whole = draft.whole && findings.errors() == before;
    let effect = draft.effect.clone();
    let index = draft.index;
    CheckedStatement { index, effect, actions, resources, conditions, principals, whole }
}

/// What input methods make of `:`; names are full of it.
const FULL_WIDTH_COLON: char = '：';
const FULL_WIDTH_HELP: &str = "the colon is the full-width `：`; write `:`";

/// An error about one string of the document.
fn text_error(code: ErrorCode, text: &Spanned<String>, what: &str, fault: &str) -> Finding {
    let shown = excerpt(&text.value);
    Finding::error(code, text.span, format!("the {what} `{shown}` {fault}")).found(&text.value)
}

#[cfg(test)]
mod tests;
