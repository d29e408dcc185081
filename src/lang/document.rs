//! The policy as it was written: the JSON document, field for field, with places.
//!
//! No meaning is given here: actions, resources and conditions stay text. `parse` builds it,
//! `validate` turns it into a `ValidPolicy`, and the reference evaluator reads it as it stands.

use super::diagnostic::Span;

/// A value and its place in the author's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

/// What a statement says when it matches. Never compared with a decision's outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// The statement allows.
    Allow,
    /// The statement denies.
    Deny,
}

impl Effect {
    /// `allow` or `deny`, as written in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// What kind of document a text is meant to be; it decides whether `principal` may stand (rule
/// L-08).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum DocumentKind {
    /// Attached to users, groups and roles, or used as boundary or session policy.
    #[default]
    Identity,
    /// Says who may assume a role; each statement names principals, and no resource.
    Trust,
}

/// A scalar in a condition's value list, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scalar {
    /// A JSON string, unescaped.
    String(String),
    /// A JSON number, as written.
    Number(String),
    /// A JSON boolean.
    Bool(bool),
}

impl Scalar {
    /// The scalar's text: the string, the number as written, `true` or `false`.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::String(text) | Self::Number(text) => text,
            Self::Bool(true) => "true",
            Self::Bool(false) => "false",
        }
    }
}

/// One key under one operator of a condition block, with its values, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionText {
    /// The operator, e.g. `for_any_value:string_equal_if_exist`.
    pub operator: Spanned<String>,
    /// The key, e.g. `qcs:ip`.
    pub key: Spanned<String>,
    /// The values; one or more.
    pub values: Vec<Spanned<Scalar>>,
}

/// Who a trust policy's statement speaks of, as written (spec 1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrincipalText {
    /// `"*"`.
    Anyone,
    /// `{"qcs": […], "service": […], "federated": […]}`: (kind, name), in document order.
    Listed(Vec<(Spanned<String>, Spanned<String>)>),
}

/// One statement, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementText {
    /// Place of the whole statement.
    pub span: Span,
    /// The effect.
    pub effect: Spanned<Effect>,
    /// The actions; one or more.
    pub actions: Vec<Spanned<String>>,
    /// The resources; one or more (none in a trust policy).
    pub resources: Vec<Spanned<String>>,
    /// The condition block, flattened in document order; empty when there is none.
    pub conditions: Vec<ConditionText>,
    /// Who is meant; trust policies only.
    pub principal: Option<Spanned<PrincipalText>>,
}

/// A policy document as written, of the right shape; its texts are not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDocument {
    pub(super) source: String,
    pub(super) kind: DocumentKind,
    pub(super) statements: Vec<StatementText>,
}

impl PolicyDocument {
    /// The bare document's text, byte for byte as its author wrote it (rules L-09, L-12).
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What kind of document it was read as.
    #[must_use]
    pub fn kind(&self) -> DocumentKind {
        self.kind
    }

    /// The statements, in document order.
    #[must_use]
    pub fn statements(&self) -> &[StatementText] {
        &self.statements
    }
}
