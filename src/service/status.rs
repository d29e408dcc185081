//! The one table from errors to gRPC codes, and the only place that makes a `tonic::Status`.
//!
//! | condition | code |
//! |---|---|
//! | a decision is deny | OK |
//! | bytes that are no message | INVALID_ARGUMENT |
//! | malformed request, over a limit, bad token, reused id, refused policy | INVALID_ARGUMENT |
//! | nobody knows who calls | UNAUTHENTICATED |
//! | who calls may not do that | PERMISSION_DENIED |
//! | account or object unknown | NOT_FOUND |
//! | id or name taken | ALREADY_EXISTS |
//! | the state does not allow it, the thing is in use | FAILED_PRECONDITION |
//! | a quota, or the engine's largest commit | RESOURCE_EXHAUSTED |
//! | more calls, or longer messages, than the server takes on | RESOURCE_EXHAUSTED |
//! | changed after `if_revision`, or contended; an export too slow for the writes | ABORTED |
//! | asked for a revision not held yet; store unreachable; stopping | UNAVAILABLE |
//! | asked for a revision not held any more | OUT_OF_RANGE |
//! | stored, but not visible here in time | DEADLINE_EXCEEDED |
//! | the caller's deadline, or the longest time of a call, has passed | DEADLINE_EXCEEDED |
//! | stored bytes corrupt | DATA_LOSS |
//! | a fault of the program | INTERNAL |
//!
//! What only operators should read is logged under an id, and the caller gets the id.

use std::collections::HashMap;

use hyper::HeaderMap;
use hyper::header::HeaderValue;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};
use tracing::error;
use uuid::Uuid;

use crate::authn::password::PasswordError;
use crate::directory::folder::PlanError;
use crate::directory::{DirectoryError, ErrorKind, ExecuteAllError};
use crate::lang::diagnostic::{Diagnostic, Severity};
use crate::node::{AccessError, CallResult, CallersError, Ending, NodeError};
use crate::service::cam::error::CamError;
use crate::service::overload::{RETRY_AFTER, Refused};
use crate::store::StoreError;
use crate::store::archive::ArchiveError;

/// The domain of our machine-readable reasons.
pub const ERROR_DOMAIN: &str = "camgate";
/// Most bytes of field violations in one status: details travel in headers, which are limited. What
/// does not fit is left out; the metadata says how many there are.
const VIOLATIONS_BYTES_MAX: usize = 6_000;
/// Longest text of one field violation, in characters.
const VIOLATION_CHARS_MAX: usize = 1_000;

/// An error as the API tells it: a code, a message, and what programs read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The gRPC code.
    pub code: Code,
    /// For people.
    pub message: String,
    /// For programs: a CAM error code, or one of ours in upper case.
    pub reason: &'static str,
    /// Numbers that belong to it, e.g. `limit` and `actual`.
    pub metadata: Vec<(&'static str, String)>,
    /// Fields that are wrong: path and what is wrong.
    pub violations: Vec<(String, String)>,
}

impl ApiError {
    fn new(code: Code, reason: &'static str, message: String) -> Self {
        Self { code, message, reason, metadata: Vec::new(), violations: Vec::new() }
    }

    fn numbers(mut self, limit: impl ToString, actual: impl ToString) -> Self {
        self.metadata.push(("limit", limit.to_string()));
        self.metadata.push(("actual", actual.to_string()));
        self
    }

    fn at(mut self, field: &str) -> Self {
        self.violations.push((field.to_owned(), self.message.clone()));
        self
    }

    fn findings(mut self, findings: &[Diagnostic]) -> Self {
        let errors = findings.iter().filter(|it| it.severity == Severity::Error);
        self.metadata.push(("findings", findings.len().to_string()));
        self.all_at(errors.map(|it| (format!("document.{}", it.path), it.to_string())))
    }

    /// As many violations as the details have room for, in their order.
    fn all_at(mut self, violations: impl Iterator<Item = (String, String)>) -> Self {
        let mut left = VIOLATIONS_BYTES_MAX;
        for (field, text) in violations {
            let text: String = text.chars().take(VIOLATION_CHARS_MAX).collect();
            let Some(rest) = left.checked_sub(field.len() + text.len()) else { break };
            left = rest;
            self.violations.push((field, text));
        }
        self
    }

    /// The same for operators only: logged under an id that the caller is told.
    fn hidden(self) -> Self {
        let id = Uuid::now_v7();
        let Self { code, reason, message, .. } = &self;
        error!(%id, ?code, reason, detail = message, "request failed");
        let message =
            format!("the request could not be served: see entry {id} of the server's log");
        Self { message, metadata: vec![("log_id", id.to_string())], ..self }
    }
}

impl ApiError {
    /// How a call ends with it.
    pub(super) fn ending(&self) -> Ending {
        let (code, result) = match self.code {
            Code::Ok => ("OK", CallResult::Ok),
            Code::Cancelled => ("CANCELLED", CallResult::Refused),
            Code::Unknown => ("UNKNOWN", CallResult::Failed),
            Code::InvalidArgument => ("INVALID_ARGUMENT", CallResult::Refused),
            Code::DeadlineExceeded => ("DEADLINE_EXCEEDED", CallResult::Failed),
            Code::NotFound => ("NOT_FOUND", CallResult::Refused),
            Code::AlreadyExists => ("ALREADY_EXISTS", CallResult::Refused),
            Code::PermissionDenied => ("PERMISSION_DENIED", CallResult::Refused),
            Code::ResourceExhausted => ("RESOURCE_EXHAUSTED", CallResult::Refused),
            Code::FailedPrecondition => ("FAILED_PRECONDITION", CallResult::Refused),
            Code::Aborted => ("ABORTED", CallResult::Refused),
            Code::OutOfRange => ("OUT_OF_RANGE", CallResult::Refused),
            Code::Unimplemented => ("UNIMPLEMENTED", CallResult::Refused),
            Code::Internal => ("INTERNAL", CallResult::Failed),
            Code::Unavailable => ("UNAVAILABLE", CallResult::Failed),
            Code::DataLoss => ("DATA_LOSS", CallResult::Failed),
            Code::Unauthenticated => ("UNAUTHENTICATED", CallResult::Refused),
        };
        Ending { result, code: code.into(), reason: self.reason }
    }
}

impl From<NodeError> for ApiError {
    fn from(error: NodeError) -> Self {
        let message = error.to_string();
        let invalid = |reason| Self::new(Code::InvalidArgument, reason, message.clone());
        match error {
            NodeError::BadField { field, .. } => invalid("BAD_FIELD").at(&field),
            NodeError::OverLimit { field, limit, actual, .. } => {
                invalid("OVER_LIMIT").numbers(limit, actual).at(&field)
            }
            NodeError::Password(error) => password(&error),
            NodeError::Action { .. } => invalid("InvalidParameter.ActionError").at("action"),
            NodeError::Resource { .. } => invalid("InvalidParameter.ResourceError").at("resource"),
            NodeError::Context(_) => invalid("InvalidParameter.ConditionError").at("context"),
            NodeError::Request(_) | NodeError::Search(_) => invalid("BAD_REQUEST"),
            NodeError::AmbiguousPrincipal { owners, .. } => ambiguous(&owners, message),
            NodeError::BadToken { .. } => invalid("BAD_TOKEN"),
            NodeError::ForeignToken => invalid("FOREIGN_TOKEN"),
            NodeError::BadPageToken { .. } => invalid("BAD_PAGE_TOKEN").at("page.page_token"),
            NodeError::RequestIdReused { .. } => {
                invalid("REQUEST_ID_REUSED").at("options.request_id")
            }
            NodeError::Policy { findings, .. } => {
                invalid("InvalidParameter.PolicyDocumentError").findings(&findings)
            }
            NodeError::NotYet { .. } => Self::new(Code::Unavailable, "NOT_YET", message),
            NodeError::Stale { .. } => Self::new(Code::Unavailable, "STALE", message),
            NodeError::OlderNodes { .. } => {
                Self::new(Code::FailedPrecondition, "OLDER_NODES", message)
            }
            NodeError::DecisionLog(_) => Self::new(Code::Unavailable, "DECISION_LOG", message),
            NodeError::Stopping => Self::new(Code::Unavailable, "STOPPING", message),
            NodeError::NotVisible { .. } => {
                Self::new(Code::DeadlineExceeded, "NOT_VISIBLE", message)
            }
            NodeError::Changed { .. } => Self::new(Code::Aborted, "CHANGED", message),
            NodeError::Contended { .. } => Self::new(Code::Aborted, "CONTENDED", message),
            NodeError::NoAccount { .. } => {
                Self::new(Code::NotFound, "ResourceNotFound.UserNotExist", message)
            }
            NodeError::NotFound { .. } => {
                Self::new(Code::NotFound, "ResourceNotFound.NotFound", message)
            }
            NodeError::Compacted => Self::new(Code::OutOfRange, "COMPACTED", message),
            NodeError::Folder { faults } => folder(&faults, message),
            NodeError::Plan(error) => plan(&error, message),
            NodeError::Commands(ExecuteAllError { error, .. }) => {
                Self { message, ..directory(&error) }
            }
            NodeError::Directory(error) => directory(&error),
            NodeError::Store(error) => store(&error),
            NodeError::Record { .. } | NodeError::Damaged { .. } => {
                unreadable("RECORD_UNREADABLE", message)
            }
            NodeError::BadSessionToken => {
                invalid("BAD_SESSION_TOKEN").at("principal.session_token")
            }
            NodeError::Access(error) => access(&error, message),
            NodeError::Callers(error) => callers(&error, message),
            NodeError::Archive(error) => archive(&error),
            NodeError::ImportUnfinished => archive(&ArchiveError::Unfinished),
            NodeError::NoMasterKey | NodeError::MasterKeyWanted | NodeError::NoKeyring => {
                Self::new(Code::FailedPrecondition, "NO_MASTER_KEY", message)
            }
            NodeError::Keyring(_) | NodeError::Vault(_) => {
                unreadable("SECRETS_UNREADABLE", message)
            }
            NodeError::Catalog(_) | NodeError::DecisionLogFile(_) | NodeError::Internal(_) => {
                Self::new(Code::Internal, "InternalError", message).hidden()
            }
        }
    }
}

fn folder(faults: &[String], message: String) -> ApiError {
    let mut it = ApiError::new(Code::InvalidArgument, "FOLDER", message);
    it.metadata.push(("faults", faults.len().to_string()));
    it.all_at(faults.iter().map(|fault| ("files".to_owned(), fault.clone())))
}

fn plan(error: &PlanError, message: String) -> ApiError {
    match error {
        PlanError::Refused { error, .. } => ApiError { message, ..directory(error) },
        PlanError::UnknownPolicy { .. } => ApiError::new(Code::InvalidArgument, "FOLDER", message),
        PlanError::OtherAccount { .. } | PlanError::OtherKind { .. } => {
            ApiError::new(Code::FailedPrecondition, "FOLDER", message)
        }
    }
}

fn access(error: &AccessError, message: String) -> ApiError {
    match error {
        AccessError::Unknown => ApiError::new(Code::Unauthenticated, "UNKNOWN_CALLER", message),
        AccessError::Right { right, .. } | AccessError::Account { right, .. } => {
            let mut it = ApiError::new(Code::PermissionDenied, "NO_RIGHT", message);
            it.metadata.push(("right", right.as_str().to_owned()));
            it
        }
        AccessError::Service { .. } => ApiError::new(Code::PermissionDenied, "NO_RIGHT", message),
    }
}

fn callers(error: &CallersError, message: String) -> ApiError {
    match error {
        CallersError::Exists(_) | CallersError::IdentityTaken { .. } => {
            ApiError::new(Code::AlreadyExists, "CALLER_EXISTS", message)
        }
        CallersError::NotFound(_) | CallersError::NoToken { .. } => {
            ApiError::new(Code::NotFound, "NO_CALLER", message)
        }
        CallersError::Fault(_) => ApiError::new(Code::InvalidArgument, "BAD_CALLER", message),
        CallersError::TooMany => {
            ApiError::new(Code::ResourceExhausted, "TOO_MANY_CALLERS", message)
        }
        CallersError::NoEntropy(_) => {
            ApiError::new(Code::Internal, "InternalError", message).hidden()
        }
    }
}

fn archive(error: &ArchiveError) -> ApiError {
    if let ArchiveError::Store(error) = error {
        return store(error);
    }
    ApiError::new(Code::FailedPrecondition, "IMPORT_UNFINISHED", error.to_string())
}

/// Stored bytes that cannot be read; which ones is for operators only.
fn unreadable(reason: &'static str, message: String) -> ApiError {
    ApiError::new(Code::DataLoss, reason, message).hidden()
}

fn ambiguous(owners: &[u64], message: String) -> ApiError {
    let owners: Vec<String> = owners.iter().map(u64::to_string).collect();
    let it = ApiError::new(Code::InvalidArgument, "AMBIGUOUS_PRINCIPAL", message);
    let mut it = it.at("principal.owner_uin");
    it.metadata.push(("owner_uins", owners.join(",")));
    it
}

fn password(error: &PasswordError) -> ApiError {
    let message = error.to_string();
    match error {
        PasswordError::Length { .. } | PasswordError::Lacks(_) | PasswordError::Control => {
            let reason = "InvalidParameter.PasswordViolatedRules";
            ApiError::new(Code::InvalidArgument, reason, message).at("password")
        }
        PasswordError::NoEntropy(_) | PasswordError::Hash(_) => {
            ApiError::new(Code::Internal, "InternalError", message).hidden()
        }
    }
}

fn directory(error: &DirectoryError) -> ApiError {
    let code = match error.kind() {
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::AlreadyExists => Code::AlreadyExists,
        ErrorKind::Invalid => Code::InvalidArgument,
        ErrorKind::FailedPrecondition | ErrorKind::InUse => Code::FailedPrecondition,
        ErrorKind::QuotaExceeded => Code::ResourceExhausted,
        ErrorKind::Internal => Code::Internal,
    };
    let api = ApiError::new(code, error.code(), error.to_string());
    if code == Code::Internal {
        return api.hidden();
    }
    if let DirectoryError::QuotaExceeded { limit, actual, .. } = error {
        return api.numbers(limit, actual);
    }
    if let DirectoryError::BadLength { field, max, actual, .. } = error {
        return api.numbers(max, actual).at(field);
    }
    if let DirectoryError::BadText { field, .. } = error {
        return api.at(field);
    }
    if error.findings().is_empty() { api } else { api.findings(error.findings()) }
}

fn store(error: &StoreError) -> ApiError {
    let (code, reason) = match error {
        StoreError::Conflict { .. } => (Code::Aborted, "CONTENDED"),
        StoreError::TooLarge { .. } => (Code::ResourceExhausted, "COMMIT_TOO_LARGE"),
        StoreError::Compacted { .. } | StoreError::Ahead { .. } => (Code::OutOfRange, "COMPACTED"),
        StoreError::ScanLost { .. } => (Code::Aborted, "SCAN_LOST"),
        StoreError::Full { .. } => (Code::ResourceExhausted, "STORE_FULL"),
        StoreError::InUse { .. } | StoreError::Unavailable { .. } => {
            (Code::Unavailable, "STORE_UNAVAILABLE")
        }
        StoreError::UnknownFormat { .. } | StoreError::Corrupt { .. } => {
            (Code::DataLoss, "STORE_DAMAGED")
        }
        StoreError::EmptyCommit | StoreError::EmptyKey | StoreError::DuplicateKey { .. } => {
            (Code::Internal, "InternalError")
        }
    };
    let api = ApiError::new(code, reason, error.to_string());
    match error {
        StoreError::TooLarge { limit, actual, .. } => api.numbers(limit, actual),
        StoreError::Conflict { .. }
        | StoreError::Compacted { .. }
        | StoreError::Ahead { .. }
        | StoreError::ScanLost { .. } => api,
        StoreError::EmptyCommit
        | StoreError::EmptyKey
        | StoreError::DuplicateKey { .. }
        | StoreError::InUse { .. }
        | StoreError::UnknownFormat { .. }
        | StoreError::Corrupt { .. }
        | StoreError::Full { .. }
        | StoreError::Unavailable { .. } => api.hidden(),
    }
}

impl From<ApiError> for Status {
    fn from(error: ApiError) -> Self {
        let ApiError { code, message, reason, metadata, violations } = error;
        let metadata: HashMap<String, String> =
            metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let mut details = ErrorDetails::with_error_info(reason, ERROR_DOMAIN, metadata);
        for (field, description) in violations {
            details.add_bad_request_violation(field, description);
        }
        Self::with_error_details(code, message, details)
    }
}

/// The CAM error of a node's error: its CAM code where it has one, else what CAM has for the same.
pub(super) fn cam(error: NodeError) -> CamError {
    let ApiError { code, message, reason, .. } = ApiError::from(error);
    CamError::new(cam_code(code, reason), message)
}

fn cam_code(code: Code, reason: &'static str) -> &'static str {
    // CAM's codes have small letters, our own reasons have none.
    if reason.bytes().any(|byte| byte.is_ascii_lowercase()) {
        return reason;
    }
    match reason {
        "BAD_FIELD" | "BAD_REQUEST" | "BAD_ENCODING" => "InvalidParameter",
        "OVER_LIMIT" => "InvalidParameterValue",
        "COMMIT_TOO_LARGE" => "LimitExceeded",
        "CHANGED" | "CONTENDED" => "ResourceUnavailable",
        "NOT_YET" | "NOT_VISIBLE" | "STOPPING" | "STORE_UNAVAILABLE" | "STORE_FULL" => {
            "ServiceUnavailable"
        }
        "UNKNOWN_CALLER" => "AuthFailure.UnknownCaller",
        "NO_RIGHT" => "AuthFailure.UnauthorizedOperation",
        _ if code == Code::InvalidArgument => "InvalidParameter",
        _ if code == Code::NotFound => "ResourceNotFound",
        _ if code == Code::FailedPrecondition => "FailedOperation",
        _ => "InternalError",
    }
}

/// The status of a request whose bytes are no message of its type.
pub(super) fn bad_request(message_name: &str, field: &str, problem: &str) -> Status {
    let place = if field.is_empty() { "" } else { &format!(" at `{field}`") };
    let text = format!("the request is no `{message_name}`{place}: {problem}");
    let api = ApiError::new(Code::InvalidArgument, "BAD_ENCODING", text);
    let api = if field.is_empty() { api } else { api.at(field) };
    api.into()
}

/// The status that a client makes of an answer whose bytes are no message of its type.
pub(super) fn bad_answer(message_name: &str, field: &str, problem: &str) -> Status {
    let place = if field.is_empty() { "" } else { &format!(" at `{field}`") };
    let text = format!("the server's answer is no `{message_name}`{place}: {problem}");
    ApiError::new(Code::Internal, "BAD_ENCODING", text).into()
}

/// The status of a node's error.
pub(super) fn status(error: NodeError) -> Status {
    ApiError::from(error).into()
}

/// The status of a call that is not gone on with. Whom the server has no room for is told when to
/// try again.
pub(super) fn refused(why: Refused) -> Status {
    let message = why.to_string();
    let (code, reason) = match why {
        Refused::Busy { .. } | Refused::OpenCalls { .. } | Refused::Buffers { .. } => {
            (Code::ResourceExhausted, "OVERLOADED")
        }
        Refused::MessageTooLong { .. } => (Code::ResourceExhausted, "MESSAGE_TOO_LONG"),
        Refused::MessageLate { .. } => (Code::DeadlineExceeded, "MESSAGE_LATE"),
        Refused::Deadline => (Code::DeadlineExceeded, "DEADLINE"),
        Refused::TooSlow { .. } => (Code::DeadlineExceeded, "TOO_SLOW"),
    };
    let mut metadata = HashMap::new();
    let mut number = |name: &str, number: &dyn ToString| {
        metadata.insert(name.to_owned(), number.to_string());
    };
    match why {
        Refused::Busy { class, limit } => {
            number("limit", &limit);
            number("kind", &class.name());
        }
        Refused::OpenCalls { limit } | Refused::Buffers { limit } => number("limit", &limit),
        Refused::MessageTooLong { limit, actual } => {
            number("limit", &limit);
            number("actual", &actual);
        }
        Refused::MessageLate { limit_ms } | Refused::TooSlow { limit_ms } => {
            number("limit_ms", &limit_ms);
        }
        Refused::Deadline => {}
    }
    let mut details = ErrorDetails::with_error_info(reason, ERROR_DOMAIN, metadata);
    if reason == "OVERLOADED" {
        details.set_retry_info(Some(RETRY_AFTER));
    }
    Status::with_error_details(code, message, details)
}

/// The end of an answer that has begun, with a status.
pub(super) fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    if status.add_header(&mut trailers).is_err() {
        // Only metadata of our own could be at fault, and there is none.
        trailers.insert("grpc-status", HeaderValue::from_static("13"));
    }
    trailers
}
