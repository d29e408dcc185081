//! Whether a caller may make a call: the engine's answer, and the refusal when it is no.
//!
//! Asked about `cam:<Action>` or `sts:<Action>` on what the catalog says: `*`, or the resource that
//! the call is about. It must never decide; what cannot be decided is refused.

use super::Call;
use super::error::CamError;
use crate::engine::{Outcome, Resource};
use crate::lang::action::ActionName;
use crate::lang::condition::{Context, ContextValue};
use crate::lang::number::Number;
use crate::node::{Answer, Asking, CheckQuery, Surface};
use crate::service::{refusal, status};

/// The condition key of the address that a request comes from.
const IP_KEY: &str = "qcs:ip";
/// The condition key that says whether the session passed a second factor.
const MFA_KEY: &str = "mfa";

/// What the node decides where it makes credentials; about roles it asks both sides: the caller's
/// policies and the role's trust policy.
const DECIDED_BY_THE_NODE: [&str; 3] = ["AssumeRole", "GetFederationToken", "GetSessionToken"];

/// Asks the engine.
///
/// # Errors
/// `AuthFailure.UnauthorizedOperation`, or why it could not be decided.
pub(super) async fn authorize(call: &Call<'_>) -> Result<(), CamError> {
    if DECIDED_BY_THE_NODE.contains(&call.action.name.as_str()) {
        return Ok(());
    }
    let resource = resource(call)?;
    let answer = ask(call, &call.action.name, &resource).await?;
    match answer.decision.outcome {
        Outcome::Allow => Ok(()),
        Outcome::Deny => Err(refusal(call, &resource, &answer)),
    }
}

/// Asks for another right of the same service, on `*`, that some calls need beside their own.
///
/// # Errors
/// The code given, or why it could not be decided.
pub(super) async fn also(
    call: &Call<'_>,
    action: &str,
    code: &'static str,
) -> Result<(), CamError> {
    let answer = ask(call, action, "*").await?;
    match answer.decision.outcome {
        Outcome::Allow => Ok(()),
        Outcome::Deny => {
            let message = format!("the call also needs `{}:{action}`", call.service.service);
            let decision = Some(refusal::decision(call.node, &answer));
            Err(CamError { decision, ..CamError::new(code, message) })
        }
    }
}

async fn ask(call: &Call<'_>, action: &str, resource: &str) -> Result<Answer, CamError> {
    let node = call.node;
    let mut batch = node.begin(Asking::open(Surface::CamApi), None).await.map_err(status::cam)?;
    let query = CheckQuery {
        asker: call.caller.proven.asker(),
        action: action_name(call, action)?,
        resource: Resource::parse(resource)
            .map_err(|fault| CamError::internal(format!("resource `{resource}` {fault}")))?,
        context: context(call)?,
        accepts_filter: false,
    };
    node.check(&mut batch, query).await.map_err(status::cam)
}

fn action_name(call: &Call<'_>, action: &str) -> Result<ActionName, CamError> {
    let name = format!("{}:{action}", call.service.service);
    ActionName::parse(&name).map_err(|fault| CamError::internal(format!("`{name}` {fault}")))
}

/// What the call is about, as the catalog has it.
fn resource(call: &Call<'_>) -> Result<String, CamError> {
    let (service, name) = (&call.service.service, &call.action.name);
    let catalog = call.node.catalog();
    let kind = catalog.action(service, name).and_then(|it| it.resource_type.as_deref());
    let Some(kind) = kind else { return Ok("*".to_owned()) };
    let id = match kind {
        "uin" => call.params.number("TargetUin").unwrap_or(call.caller.principal),
        _ => return Err(CamError::internal(format!("`{name}` is about an unknown `{kind}`"))),
    };
    let found = catalog.service(service).and_then(|it| it.resource_type(kind));
    let kind = found.ok_or_else(|| CamError::internal(format!("no resource type `{kind}`")))?;
    Ok(kind.name_of(call.caller.owner_uin, &id.to_string()))
}

/// The facts that the server knows about a call.
pub(super) fn context(call: &Call<'_>) -> Result<Context, CamError> {
    let mut facts = Context::new();
    let zero = Number::parse("0").ok_or_else(|| CamError::internal("0 is no number"))?;
    let ip = ContextValue::Text(call.received.peer.to_string());
    let added = facts
        .insert(IP_KEY, vec![ip])
        .and_then(|()| facts.insert(MFA_KEY, vec![ContextValue::Number(zero)]));
    added.map_err(|fault| CamError::internal(fault.to_string()))?;
    Ok(facts)
}

/// The refusal, in the words that clients know (spec section 9.4), with the decision.
pub(super) fn refusal(call: &Call<'_>, resource: &str, answer: &Answer) -> CamError {
    let Call { service, action, request_id, .. } = call;
    let operation = format!("{}:{}", service.service, action.name);
    let message = refusal::message(request_id, &operation, resource);
    let decision = Some(refusal::decision(call.node, answer));
    CamError { decision, ..CamError::new("AuthFailure.UnauthorizedOperation", message) }
}
