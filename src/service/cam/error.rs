//! Why a call is refused, as the official clients read it: a code and a message.
//!
//! Codes are those of the specification's sections 8 and 9.3. It must never carry a secret.

use std::borrow::Cow;

use serde_json::Value;

/// A refusal: the `Error` of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct CamError {
    /// The code, e.g. `ResourceNotFound.UserNotExist`.
    pub code: Cow<'static, str>,
    /// For people.
    pub message: String,
    /// How the decision to refuse came about, for programs; official clients skip it.
    pub decision: Option<Value>,
}

impl CamError {
    /// A refusal without a decision.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), decision: None }
    }

    /// A parameter of the wrong type.
    pub(in crate::service) fn bad_type(path: &str, expected: &str) -> Self {
        Self::new("InvalidParameter", format!("the parameter `{path}` must be {expected}"))
    }

    /// A parameter with a value that is not accepted.
    pub(super) fn bad_value(path: &str, problem: impl std::fmt::Display) -> Self {
        Self::new("InvalidParameterValue", format!("the parameter `{path}` {problem}"))
    }

    /// A parameter that must be given and is not.
    pub(super) fn missing(path: &str) -> Self {
        Self::new("MissingParameter", format!("the parameter `{path}` is missing: give it"))
    }

    /// A fault of the program.
    pub(super) fn internal(what: impl Into<String>) -> Self {
        Self::new("InternalError", what)
    }
}
