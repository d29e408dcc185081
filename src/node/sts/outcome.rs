//! What the STS operations give: a credential, or why there is none.

use std::fmt;

use crate::authn::secret::SecretKey;
use crate::engine::{Layer, Outcome, Reason};
use crate::lang::diagnostic::Diagnostic;
use crate::node::{Answer, NodeError};

/// A temporary credential, shown once.
#[derive(Clone)]
pub struct Credentials {
    /// The token that goes with every request.
    pub token: String,
    /// The id of the temporary key.
    pub secret_id: String,
    /// Its secret.
    pub secret: SecretKey,
    /// The account that it acts in.
    pub owner_uin: u64,
    /// Who it acts as: a role's id, or a uin.
    pub principal: u64,
    /// The session's name.
    pub name: String,
    /// When it ends, in milliseconds since 1970.
    pub expires_at_ms: i64,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("secret_id", &self.secret_id)
            .field("owner_uin", &self.owner_uin)
            .field("principal", &self.principal)
            .finish_non_exhaustive()
    }
}

/// A decision that the caller's own side made against the request.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The action.
    pub action: &'static str,
    /// The resource.
    pub resource: String,
    /// The decision.
    pub answer: Answer,
}

/// Why there is no credential.
#[derive(Debug, thiserror::Error)]
pub enum StsError {
    /// The caller's own policies, boundary or session do not allow it.
    #[error(
        "you are not authorized to perform operation ({}) resource ({}) has no permission",
        .0.action, .0.resource
    )]
    Refused(Box<Refusal>),
    /// The role is not there for the caller, or its trust policy does not trust the caller.
    #[error("the role does not trust the caller: its trust policy must name who assumes it")]
    NotTrusted,
    /// No such role in the caller's own account.
    #[error("the role does not exist")]
    RoleNotFound,
    /// Temporary credentials may not make tokens of users.
    #[error("this needs a permanent key; temporary credentials were used")]
    TempKeyNotAllowed,
    /// Too many roles, one assumed from the other.
    #[error("the session went through too many roles; begin again with a permanent key")]
    TooManySteps,
    /// Too long, or no time at all.
    #[error("DurationSeconds is {actual}; it must be 1 to {max}")]
    Duration {
        /// What was asked for.
        actual: u64,
        /// The most that may be.
        max: u64,
    },
    /// A name of the wrong length or alphabet.
    #[error("{field} must be 2 to 128 letters, digits and `{signs}`")]
    BadWord {
        /// The parameter.
        field: &'static str,
        /// The signs that it may hold.
        signs: &'static str,
    },
    /// The session policy is refused.
    #[error("the policy is refused: {}", first(findings))]
    BadPolicy {
        /// The official code.
        code: &'static str,
        /// The errors, in document order.
        findings: Vec<Diagnostic>,
    },
    /// The session policy is too long to look at.
    #[error("the policy has {bytes} bytes; at most 65536 are read")]
    PolicyTooLong {
        /// Its bytes.
        bytes: usize,
    },
    /// The session policy does not fit into a token.
    #[error("the token would have {bytes} bytes, over the limit of 4096; shorten the policy")]
    TokenTooLong {
        /// The token's bytes.
        bytes: usize,
    },
    /// The node could not tell.
    #[error("{0}")]
    Node(#[from] NodeError),
}

fn first(findings: &[Diagnostic]) -> String {
    findings.first().map(ToString::to_string).unwrap_or_default()
}

impl StsError {
    /// The official code (spec section 6); none for the node's own errors.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        Some(match self {
            Self::Refused(_) | Self::NotTrusted => "AuthFailure.UnauthorizedOperation",
            Self::RoleNotFound => "ResourceNotFound.RoleNotFound",
            Self::TempKeyNotAllowed => "FailedOperation.TempKeyNotAllowed",
            Self::TooManySteps => "InternalError.IllegalRole",
            Self::Duration { .. } => "InvalidParameter.OverTimeError",
            Self::BadWord { .. } => "InvalidParameter.ParamError",
            Self::BadPolicy { code, .. } => code,
            Self::PolicyTooLong { .. } => "InvalidParameter.PolicyTooLong",
            Self::TokenTooLong { .. } => "InvalidParameter.ExtendStrategyOverSize",
            Self::Node(_) => return None,
        })
    }
}

/// The caller's own side, from the answers about each name of the resource: a deny or an error on
/// one counts, an allow on one suffices.
pub(super) fn judge(action: &'static str, answers: Vec<(String, Answer)>) -> Result<(), StsError> {
    let is_firm = |reason| matches!(reason, Reason::ExplicitDeny(_) | Reason::Error);
    let firm = answers.iter().position(|(_, answer)| is_firm(answer.decision.reason));
    let is_allowed = answers.iter().any(|(_, answer)| answer.decision.outcome == Outcome::Allow);
    if firm.is_none() && is_allowed {
        return Ok(());
    }
    let Some((resource, answer)) = answers.into_iter().nth(firm.unwrap_or_default()) else {
        return Err(NodeError::Internal("nothing was asked".to_owned()).into());
    };
    // Only the owner's side is missing: that is the trust policy.
    if answer.decision.reason == Reason::ImplicitDeny(Layer::Resource) {
        return Err(StsError::NotTrusted);
    }
    Err(StsError::Refused(Box::new(Refusal { action, resource, answer })))
}
