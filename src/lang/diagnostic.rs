//! Findings about a policy text: where, what was found, what was expected, what to do.
//!
//! A finding is a value; showing it is the command line's work. Lists of findings are sorted by
//! place, so that the same text gives the same list (rule L-11).

use std::fmt;

/// A range of bytes in the author's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The policy is refused.
    Error,
    /// The policy is accepted, but probably does not do what its author means.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// `error`, `warning` or `note`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A CAM error code, as in `InvalidParameter.<name>` (spec section 8, `{PDOC}`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are CAM's own and are explained in spec section 8")]
pub enum ErrorCode {
    ActionError,
    ActionMiss,
    ActionNotExist,
    ActionServiceNotExist,
    ConditionContentError,
    ConditionError,
    ConditionTypeError,
    EffectError,
    PolicyDocumentError,
    PolicyDocumentLengthOverLimit,
    PrincipalError,
    PrincipalQcsError,
    ResourceContentError,
    ResourceError,
    ResourceProjectError,
    ResourceQcsError,
    ResourceRegionError,
    ResourceServiceNotExist,
    ResourceUinError,
    StatementError,
    VersionError,
}

impl ErrorCode {
    /// The full code, e.g. `InvalidParameter.EffectError`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ActionError => "InvalidParameter.ActionError",
            Self::ActionMiss => "InvalidParameter.ActionMiss",
            Self::ActionNotExist => "InvalidParameter.ActionNotExist",
            Self::ActionServiceNotExist => "InvalidParameter.ActionServiceNotExist",
            Self::ConditionContentError => "InvalidParameter.ConditionContentError",
            Self::ConditionError => "InvalidParameter.ConditionError",
            Self::ConditionTypeError => "InvalidParameter.ConditionTypeError",
            Self::EffectError => "InvalidParameter.EffectError",
            Self::PolicyDocumentError => "InvalidParameter.PolicyDocumentError",
            Self::PolicyDocumentLengthOverLimit => "InvalidParameter.PolicyDocumentLengthOverLimit",
            Self::PrincipalError => "InvalidParameter.PrincipalError",
            Self::PrincipalQcsError => "InvalidParameter.PrincipalQcsError",
            Self::ResourceContentError => "InvalidParameter.ResourceContentError",
            Self::ResourceError => "InvalidParameter.ResourceError",
            Self::ResourceProjectError => "InvalidParameter.ResourceProjectError",
            Self::ResourceQcsError => "InvalidParameter.ResourceQcsError",
            Self::ResourceRegionError => "InvalidParameter.ResourceRegionError",
            Self::ResourceServiceNotExist => "InvalidParameter.ResourceServiceNotExist",
            Self::ResourceUinError => "InvalidParameter.ResourceUinError",
            Self::StatementError => "InvalidParameter.StatementError",
            Self::VersionError => "InvalidParameter.VersionError",
        }
    }
}

/// What a finding is about: an error with CAM's code, or a lint with ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// The policy is refused with this code.
    Error(ErrorCode),
    /// A lint with this stable code, e.g. `lint.unknown-action`.
    Lint(&'static str),
}

impl Code {
    /// The code as shown to people and programs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error(code) => code.as_str(),
            Self::Lint(code) => code,
        }
    }
}

/// One finding about a policy text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub code: Code,
    /// JSON path of the place, e.g. `statement[0].action[1]`; empty for the whole document.
    pub path: String,
    /// The place in the author's bytes.
    pub span: Span,
    /// Line of the place, from 1.
    pub line: usize,
    /// Column of the place in characters, from 1.
    pub column: usize,
    /// One sentence: what is wrong. Lower case, no full stop, the author's text in backticks.
    pub message: String,
    /// What was found, shortened.
    pub found: String,
    /// What was expected; empty when the message says it all.
    pub expected: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// The key by which findings are sorted: place first, then severity and code.
    #[must_use]
    pub fn order(&self) -> (Span, Severity, Code) {
        (self.span, self.severity, self.code)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} at line {} column {}",
            self.severity,
            self.code.as_str(),
            self.line,
            self.column
        )?;
        if !self.path.is_empty() {
            write!(f, " ({})", self.path)?;
        }
        write!(f, ": {}", self.message)?;
        if !self.expected.is_empty() {
            write!(f, "; expected {}", self.expected)?;
        }
        if let Some(help) = &self.help {
            write!(f, "; {help}")?;
        }
        Ok(())
    }
}
