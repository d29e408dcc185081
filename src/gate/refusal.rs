//! Why a request is refused before anything is decided, with the official code for it.
//!
//! The text says what was found, what was expected and what to do. It must never hold a secret, a
//! body, or another account's owner.

use super::form::FormFault;
use crate::authn::tc3::Tc3Error;

/// What kind of refusal it is, for the status that a proxy answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalClass {
    /// Nobody knows who calls: 401.
    Unauthenticated,
    /// The request cannot be read, or is not allowed whoever calls: 403.
    Refused,
    /// The server could not tell: 503.
    CannotTell,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A header that cannot be accepted.
    #[error("the header `{name}` {problem}")]
    Header {
        /// Its name.
        name: String,
        /// What is wrong and what to do.
        problem: &'static str,
    },
    /// What the proxy itself sends is wrong: its configuration is.
    #[error("the gate's proxy is misconfigured: `{0}` {1}")]
    Proxy(&'static str, &'static str),
    /// No HTTP method.
    #[error("the method must be 1 to 16 upper-case letters")]
    Method,
    /// Another method than calls with `X-TC-Action` have.
    #[error("a call with `X-TC-Action` is a GET or a POST")]
    ApiMethod,
    /// More of something than is read.
    #[error("the request has {actual} {what}; at most {limit} are accepted")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// How many there are.
        actual: usize,
    },
    /// A body that is longer than what is verified.
    #[error("the body has {actual} bytes; at most {limit} are verified")]
    BodyTooLong {
        /// The limit, in bytes.
        limit: usize,
        /// The length, in bytes.
        actual: usize,
    },
    /// The proxy sent a part of the body.
    #[error(
        "the gate was given only the beginning of the body, or cannot tell that it was given all: \
         send a shorter one, and its `Content-Length`"
    )]
    PartialBody,
    /// The proxy did not send the body.
    #[error(
        "the gate was not given the body, which says what the call is about; let the proxy send \
         it, or name the resource in the route"
    )]
    AbsentBody,
    /// A body where none belongs.
    #[error("a {method} has no body: send the parameters in the query")]
    BodyInGet {
        /// The method.
        method: String,
    },
    /// A body of another type.
    #[error("the content type of the body must be `application/json` in UTF-8")]
    NotJson,
    /// A signature that cannot be read.
    #[error("{0}")]
    Signature(#[from] Tc3Error),
    /// A signature that leaves out the body.
    #[error("`UNSIGNED-PAYLOAD` with a body is not accepted: sign the body")]
    UnsignedPayload,
    /// Parameters that can be read in two ways.
    #[error("{0}")]
    Form(#[from] FormFault),
    /// A path that can be read in two ways.
    #[error("the path {0}")]
    Path(&'static str),
    /// No sign of who calls.
    #[error("nothing says who calls: sign the request with TC3-HMAC-SHA256, or sign in")]
    NoProof,
    /// Two signs of who calls.
    #[error("{first} and {second} both say who calls: send one")]
    TwoProofs {
        /// The first.
        first: &'static str,
        /// The second.
        second: &'static str,
    },
    /// The identity header from somebody who may not send it.
    #[error("only a trusted proxy may send `{header}`: leave it out")]
    ForgedIdentity {
        /// The header.
        header: String,
    },
    /// An identity header that names nobody.
    #[error("`{header}` must be `<uin>` or `<owner uin>/<uin>`")]
    BadIdentity {
        /// The header.
        header: String,
    },
    /// Another site's page sent the request with a console session.
    #[error("another site's page sent this request: open the console itself")]
    CrossSite,
    /// A service that is not behind this gate.
    #[error("the service `{found}` is not behind this gate, which serves {}", list(.served))]
    Service {
        /// The service.
        found: String,
        /// The services of the settings.
        served: Vec<String>,
    },
    /// No way to tell the service of `X-TC-Action`.
    #[error("nothing says which service the action is of: name it in the proxy's route")]
    WhichService,
    /// Nothing names an action.
    #[error("there is no route for {method} `{path}`, and no `X-TC-Action`")]
    NoAction {
        /// The method.
        method: String,
        /// The path, cut.
        path: String,
    },
    /// The action is named in two places.
    #[error("{first} and {second} both name an action: one place only")]
    TwoActions {
        /// The first.
        first: &'static str,
        /// The second.
        second: &'static str,
    },
    /// A text that is no action.
    #[error("the action `{action}` {problem}")]
    BadAction {
        /// The action, cut.
        action: String,
        /// What is wrong.
        problem: String,
    },
    /// An action that no catalog describes, so that its resource is not known.
    #[error("the action `{action}` is not in the catalog{}", near(.nearest.as_ref()))]
    UnknownAction {
        /// The action.
        action: String,
        /// The nearest one, if one is near.
        nearest: Option<String>,
    },
    /// An action in wrong case (rule D-18).
    #[error("the action `{action}` is unknown; write `{catalogued}`, names are case-sensitive")]
    CaseTwin {
        /// The action as asked.
        action: String,
        /// The catalogued spelling.
        catalogued: String,
    },
    /// An action on resources that the catalog does not describe.
    #[error("the catalog does not say what `{action}` is about: name the resource in the route")]
    NoResourceType {
        /// The action.
        action: String,
    },
    /// The call does not say which resource.
    #[error("the parameter `{name}` is missing: `{action}` needs it")]
    NoResource {
        /// The parameter.
        name: String,
        /// The action.
        action: String,
    },
    /// An id of a resource that cannot be read.
    #[error("the parameter `{name}` must be {expected}")]
    BadId {
        /// The parameter, as the caller wrote it, cut.
        name: String,
        /// What was expected.
        expected: &'static str,
    },
    /// A resource that is no name.
    #[error("the resource `{resource}` {problem}")]
    BadResource {
        /// The resource, cut.
        resource: String,
        /// What is wrong.
        problem: String,
    },
    /// Tags that cannot be read.
    #[error("the parameter `{name}` must be a list of tags with a `Key` and a `Value` as texts")]
    BadTags {
        /// The parameter, cut.
        name: String,
    },
    /// Facts that conditions cannot test.
    #[error("{0}")]
    Context(String),
    /// An app that is not the caller's. The same words whether it is another's or nobody's.
    #[error("the app {sdkappid} is not registered in your account")]
    NotYourApp {
        /// The app.
        sdkappid: u64,
    },
    /// A list with an app that the filter leaves out.
    #[error("the list names the app {sdkappid}, which you may not see")]
    BeyondFilter {
        /// The app.
        sdkappid: u64,
    },
}

fn list(names: &[String]) -> String {
    format!("`{}`", names.join("`, `"))
}

fn near(nearest: Option<&String>) -> String {
    nearest.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

impl Refusal {
    pub(super) fn header(name: &str, problem: &'static str) -> Self {
        Self::Header { name: super::form::excerpt(name), problem }
    }

    /// The official code (spec section 9.3).
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Header { .. }
            | Self::Method
            | Self::PartialBody
            | Self::AbsentBody
            | Self::BodyInGet { .. }
            | Self::NotJson
            | Self::Proxy(..)
            | Self::Path(_) => "InvalidRequest",
            Self::Signature(error) => error.code(),
            Self::ApiMethod => "UnsupportedProtocol",
            Self::TooMany { .. } | Self::BodyTooLong { .. } | Self::Form(FormFault::TooMany) => {
                "RequestSizeLimitExceeded"
            }
            Self::UnsignedPayload | Self::NoProof | Self::TwoProofs { .. } => {
                "AuthFailure.InvalidAuthorization"
            }
            Self::ForgedIdentity { .. }
            | Self::BadIdentity { .. }
            | Self::CrossSite
            | Self::NotYourApp { .. }
            | Self::BeyondFilter { .. } => "AuthFailure.UnauthorizedOperation",
            Self::Form(_)
            | Self::BadTags { .. }
            | Self::Context(_)
            | Self::BadResource { .. }
            | Self::TwoActions { .. } => "InvalidParameter",
            Self::BadId { .. } => "InvalidParameterValue",
            Self::NoResource { .. } => "MissingParameter",
            Self::Service { .. }
            | Self::WhichService
            | Self::NoAction { .. }
            | Self::BadAction { .. }
            | Self::UnknownAction { .. }
            | Self::CaseTwin { .. }
            | Self::NoResourceType { .. } => "InvalidAction",
        }
    }

    /// Whether nobody knows who calls.
    #[must_use]
    pub fn class(&self) -> RefusalClass {
        let is_unknown =
            matches!(self, Self::NoProof | Self::TwoProofs { .. } | Self::Signature(_));
        if is_unknown { RefusalClass::Unauthenticated } else { RefusalClass::Refused }
    }
}
