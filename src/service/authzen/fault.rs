//! Why a question has no answer, with its HTTP status.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::node::{AccessError, NodeError};
use crate::service::cam::error::CamError;
use crate::service::status;

/// A question that could not be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// 400, 401, 403, 413, 500 or 503.
    pub(super) status: StatusCode,
    /// For people.
    pub(super) message: String,
}

impl Fault {
    /// The caller's fault.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into() }
    }

    /// A field of the wrong type.
    pub(super) fn kind(path: &str, expected: &str) -> Self {
        Self::bad(format!("`{path}` must be {expected}"))
    }

    /// The body of an HTTP error.
    pub(super) fn body(&self) -> Value {
        json!({"error": {"status": self.status.as_u16(), "message": self.message}})
    }
}

impl From<AccessError> for Fault {
    fn from(error: AccessError) -> Self {
        NodeError::from(error).into()
    }
}

impl From<NodeError> for Fault {
    fn from(error: NodeError) -> Self {
        let CamError { code, message, .. } = status::cam(error);
        let status = match code.as_ref() {
            "InternalError" => StatusCode::INTERNAL_SERVER_ERROR,
            "ServiceUnavailable" | "ResourceUnavailable" => StatusCode::SERVICE_UNAVAILABLE,
            "AuthFailure.UnknownCaller" => StatusCode::UNAUTHORIZED,
            "AuthFailure.UnauthorizedOperation" => StatusCode::FORBIDDEN,
            _ => StatusCode::BAD_REQUEST,
        };
        Self { status, message }
    }
}
