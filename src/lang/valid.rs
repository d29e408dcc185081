//! A policy that has passed every check: typed statements, ready to be compiled.

use super::action::ActionPattern;
use super::condition::Condition;
use super::document::{DocumentKind, Effect, PolicyDocument};
use super::principal::TrustPrincipal;
use super::resource::ResourcePattern;
use super::variable::Owner;
use super::vocabulary::Vocabulary;

/// What a document is checked against.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The catalogued actions.
    pub vocabulary: &'a dyn Vocabulary,
    /// The account the policy belongs to; none for presets and for files checked on their own.
    pub owner: Option<Owner>,
    /// What kind of document it is meant to be.
    pub kind: DocumentKind,
}

impl std::fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scope")
            .field("owner", &self.owner)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// One checked statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    pub(super) effect: Effect,
    pub(super) actions: Box<[ActionPattern]>,
    pub(super) resources: Box<[ResourcePattern]>,
    pub(super) conditions: Box<[Condition]>,
    pub(super) principals: Box<[TrustPrincipal]>,
}

impl Statement {
    /// What it says when it matches.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// The actions; one or more, one of which must match.
    #[must_use]
    pub fn actions(&self) -> &[ActionPattern] {
        &self.actions
    }

    /// The resources, one of which must match; none only in a trust policy.
    #[must_use]
    pub fn resources(&self) -> &[ResourcePattern] {
        &self.resources
    }

    /// The conditions, all of which must hold.
    #[must_use]
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// Whom it speaks of, one of whom the caller must be; none outside a trust policy.
    #[must_use]
    pub fn principals(&self) -> &[TrustPrincipal] {
        &self.principals
    }
}

/// A policy that has passed every check. Only `validate` builds one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidPolicy {
    pub(super) document: PolicyDocument,
    pub(super) statements: Box<[Statement]>,
}

impl ValidPolicy {
    /// The document as written.
    #[must_use]
    pub fn document(&self) -> &PolicyDocument {
        &self.document
    }

    /// The checked statements, in document order.
    #[must_use]
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// The author's text, byte for byte (rule L-12).
    #[must_use]
    pub fn source(&self) -> &str {
        self.document.source()
    }
}
