//! Why a signed request is refused, and the code that the official clients know for it.

use thiserror::Error;

/// A request whose signature proves nothing. No variant holds a secret or a whole header.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Tc3Error {
    /// Neither GET nor POST.
    #[error("the method is `{method}`; only GET and POST are signed")]
    Method {
        /// The method, cut.
        method: String,
    },
    /// No `Authorization` header.
    #[error("there is no `Authorization` header; sign the request with TC3-HMAC-SHA256")]
    NotSigned,
    /// The `Authorization` header cannot be read.
    #[error("the `Authorization` header is malformed: {why}")]
    Malformed {
        /// What is wrong with it.
        why: &'static str,
    },
    /// A header that may come once came several times.
    #[error("the header `{name}` came more than once; a signed request sends it once")]
    Repeated {
        /// The header.
        name: String,
    },
    /// A header that must be signed is not.
    #[error("`SignedHeaders` must name `{name}`")]
    Unsigned {
        /// The header.
        name: &'static str,
    },
    /// A header that `SignedHeaders` names is not there.
    #[error("`SignedHeaders` names `{name}`, but the request has no such header")]
    Absent {
        /// The header.
        name: String,
    },
    /// A path, a query or a signed header with a line break.
    #[error("the {part} holds a control character; it cannot be signed")]
    Control {
        /// Which part.
        part: &'static str,
    },
    /// The key's id does not begin as ids of keys do.
    #[error("`{secret_id}` is not an API key's SecretId; those begin with `AKID`")]
    NotASecretId {
        /// What was given, cut.
        secret_id: String,
    },
    /// The key's id has a shape that no key has.
    #[error("there is no key `{secret_id}`; a SecretId is `AKID` and 12 to 36 letters and digits")]
    NoSuchSecretId {
        /// What was given, cut.
        secret_id: String,
    },
    /// No `X-TC-Timestamp`.
    #[error("the header `X-TC-Timestamp` is missing; it must hold the Unix time in seconds")]
    NoTimestamp,
    /// `X-TC-Timestamp` is no time.
    #[error("`X-TC-Timestamp` must be the Unix time in seconds: 1 to 11 digits")]
    BadTimestamp,
    /// `X-TC-Content-SHA256` holds something else than the one word it may.
    #[error("`X-TC-Content-SHA256` may only be `UNSIGNED-PAYLOAD`")]
    BadPayloadHash,
    /// A token of impossible length or alphabet.
    #[error("`X-TC-Token` is no token: at most 4096 ASCII characters without blanks")]
    BadToken,
    /// The day of the scope is not the day of the timestamp.
    #[error("the credential is for the day {found}, but `X-TC-Timestamp` is on {expected} (UTC)")]
    Date {
        /// The day of the scope.
        found: String,
        /// The day of the timestamp.
        expected: String,
    },
    /// The scope is of another service.
    #[error("the credential is for the service `{found}`; this is `{expected}`")]
    Service {
        /// The service of the scope.
        found: String,
        /// The service that is called.
        expected: String,
    },
    /// Too far from the server's time.
    #[error(
        "`X-TC-Timestamp` is {seconds} seconds {side} the server's time; at most 300 are allowed"
    )]
    Expired {
        /// How far.
        seconds: i64,
        /// `behind` or `ahead of`.
        side: &'static str,
    },
    /// The signature is another one than the secret gives.
    #[error("the signature is not the one that this request and this SecretId's secret give")]
    Signature,
    /// The signature was used before.
    #[error("this signature was used before; sign every request anew")]
    Replayed,
    /// So many requests that replays could no longer be told.
    #[error("too many signed requests within five minutes to tell replays; try again later")]
    GuardFull,
}

impl Tc3Error {
    /// The official error code (spec section 9.3).
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Method { .. } => "UnsupportedProtocol",
            Self::NotSigned
            | Self::Malformed { .. }
            | Self::Repeated { .. }
            | Self::Unsigned { .. }
            | Self::Absent { .. }
            | Self::Control { .. }
            | Self::BadPayloadHash
            | Self::Date { .. }
            | Self::Service { .. } => "AuthFailure.InvalidAuthorization",
            Self::NotASecretId { .. } => "AuthFailure.InvalidSecretId",
            Self::NoSuchSecretId { .. } => "AuthFailure.SecretIdNotFound",
            Self::NoTimestamp => "MissingParameter",
            Self::BadTimestamp => "InvalidParameterValue",
            Self::BadToken => "AuthFailure.TokenFailure",
            Self::Expired { .. } => "AuthFailure.SignatureExpire",
            Self::Signature | Self::Replayed => "AuthFailure.SignatureFailure",
            Self::GuardFull => "RequestLimitExceeded",
        }
    }
}

/// The start of a text that a caller sent, fit for a message.
pub(super) fn cut(text: &str) -> String {
    text.escape_debug().take(64).collect()
}
