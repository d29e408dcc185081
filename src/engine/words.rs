//! Decisions in words, for people who ask why.
//!
//! Says what a reason means and what every statement came to. It must never decide and never say
//! more than the decision and its explanation hold. It stands after `decide` and `explain`.

use super::decision::{Decision, Layer, Reason};
use super::explain::{Explanation, FirstFailure, StatementResult, StatementTrace};

impl Reason {
    /// The reason in one sentence: what it means, and for a deny what to look at.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Root => "the root account may do everything on what it owns",
            Self::Allow => "it is allowed, and nothing denies it",
            Self::ExplicitDeny(Layer::Boundary) => {
                "the permission boundary denies it, which beats every allow"
            }
            Self::ExplicitDeny(Layer::Session) => {
                "a session policy denies it, which beats every allow"
            }
            Self::ExplicitDeny(Layer::General) => {
                "a general policy, which binds everyone, denies it"
            }
            Self::ExplicitDeny(Layer::Identity | Layer::Resource) => {
                "a deny statement matches, which beats every allow"
            }
            Self::ImplicitDeny(Layer::General | Layer::Identity) => {
                "no policy of the principal or of its groups allows it"
            }
            Self::ImplicitDeny(Layer::Resource) => {
                "the resource belongs to another root account, which has granted nothing"
            }
            Self::ImplicitDeny(Layer::Boundary) => {
                "the principal's policies allow it, but its permission boundary does not"
            }
            Self::ImplicitDeny(Layer::Session) => {
                "the principal's policies allow it, but a session policy does not"
            }
            Self::UnknownPrincipal => {
                "the account has no such principal, or it is a message recipient"
            }
            Self::FilterUnsupported => {
                "only some of the apps are allowed, and the caller did not say that it applies \
                 filters"
            }
            Self::Error => "a policy that counts cannot be read, so nothing is allowed",
        }
    }
}

/// The explanation in lines of text: the reason, what determined it, and what every statement came
/// to. `explanation` is none when there is no principal to explain.
#[must_use]
pub fn summary(decision: &Decision, explanation: Option<&Explanation>) -> Vec<String> {
    let outcome = decision.outcome.as_str();
    let mut lines = vec![format!("{outcome} ({}): {}", decision.reason, decision.reason.meaning())];
    for it in &decision.determining {
        lines.push(format!(
            "determined by {} statement {} of policy {} (version {}, layer {})",
            it.effect.as_str(),
            it.statement,
            it.policy_name,
            it.version,
            it.layer.as_str()
        ));
    }
    lines.extend(decision.errors.iter().map(|error| error.message.clone()));
    for resource in explanation.into_iter().flat_map(|it| &it.resources) {
        lines.push(format!("on {}: {}", resource.resource, resource.reason));
        lines.extend(resource.statements.iter().map(statement_line));
    }
    lines
}

fn statement_line(trace: &StatementTrace) -> String {
    let what = match &trace.result {
        StatementResult::Matched => "matches".to_owned(),
        StatementResult::Errored { messages } => messages.join("; "),
        StatementResult::Failed(FirstFailure::Action) => "names other actions".to_owned(),
        StatementResult::Failed(FirstFailure::Resource) => "names other resources".to_owned(),
        StatementResult::Failed(failure @ FirstFailure::Condition { seen, missing, .. }) => {
            let seen = if *missing { "no value".to_owned() } else { seen.join(", ") };
            let condition = failure.condition_text().unwrap_or_default();
            format!("{condition} is false: the request has {seen}")
        }
    };
    let StatementTrace { effect, statement, policy_name, .. } = trace;
    format!("  {} statement {statement} of policy {policy_name}: {what}", effect.as_str())
}

impl FirstFailure {
    /// The condition that failed, e.g. `ip_equal qcs:ip [10.0.0.0/8]`; none when it was the action
    /// or the resource.
    #[must_use]
    pub fn condition_text(&self) -> Option<String> {
        match self {
            Self::Condition { operator, key, expected, .. } => {
                Some(format!("{operator} {key} [{}]", expected.join(", ")))
            }
            Self::Action | Self::Resource => None,
        }
    }
}
