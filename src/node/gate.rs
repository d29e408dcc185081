//! The gate over a node: prove who calls, find whose the apps are, ask the engine.
//!
//! Every resource of a call is asked about at one revision, and all must be allowed. It must never
//! let a call through that names an app outside the caller's account, and never answer from a part
//! of the request.

use std::collections::BTreeSet;

use super::asking::Asking;
use super::callers::CallerError;
use super::error::NodeError;
use super::query::{Answer, Asker, BatchQuery, CheckQuery};
use super::{Caller, Node};
use crate::authn::tc3::RequestParts;
use crate::engine::{Filter, Outcome};
use crate::gate::{Body, GateSettings, HttpRequest, Mapped, Named, Proof, Refusal, Target, map};
use crate::lang::action::ActionName;
use crate::lang::condition::ContextValue;
use crate::lang::number::Number;
use crate::lang::resource::ResourceName;

/// The condition key that says whether the caller passed a second factor.
const MFA_KEY: &str = "mfa";

/// What the gate answers to a call that it could read.
#[derive(Debug, Clone)]
pub struct GateAnswer {
    /// The account that the caller acts in.
    pub owner_uin: u64,
    /// Who acts: a uin, or a role's id.
    pub principal: u64,
    /// What they want to do.
    pub action: ActionName,
    /// What the answer is about: the resource that is denied, or the first one.
    pub resource: String,
    /// The deny, or the last of the allows.
    pub answer: Answer,
    /// What a list must be cut down to.
    pub filter: Option<Filter>,
    /// When the caller's credential ends, in milliseconds since 1970; none: it does not by itself.
    pub expires_at_ms: Option<i64>,
}

impl GateAnswer {
    /// Whether the call may go on.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.answer.decision.outcome == Outcome::Allow
    }
}

/// Why there is no answer; the call must not go on.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The request.
    #[error("{0}")]
    Refusal(#[from] Refusal),
    /// Who calls.
    #[error("{0}")]
    Caller(#[from] CallerError),
    /// The node could not tell.
    #[error("{0}")]
    Node(#[from] NodeError),
}

/// Who calls, proven or named by a trusted proxy.
struct Known {
    asker: Asker,
    owner_uin: u64,
    principal: u64,
    has_mfa: bool,
    expires_at_ms: Option<i64>,
}

impl Node {
    /// Decides whether a call may go on.
    ///
    /// # Errors
    /// [`GateError`], which is never an allow. A deny is no error.
    pub async fn gate(
        &self,
        asking: Asking,
        settings: &GateSettings,
        request: &HttpRequest,
        named: &Named,
    ) -> Result<GateAnswer, GateError> {
        let mapped = map(settings, &self.catalog, request, named)?;
        let mut batch = self.begin(asking, None).await?;
        let known = self.known(&mut batch, &mapped.proof, request).await?;
        self.check_apps(&mut batch, &known, &mapped.apps).await?;
        self.answer(&mut batch, known, mapped).await
    }

    async fn known(
        &self,
        batch: &mut BatchQuery,
        proof: &Proof,
        request: &HttpRequest,
    ) -> Result<Known, GateError> {
        match proof {
            Proof::Signed { service } => {
                let Body::Whole(body) = &request.body else {
                    return Err(Refusal::AbsentBody.into());
                };
                let headers: Vec<(&str, &[u8])> = request
                    .headers
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_slice()))
                    .collect();
                let parts = RequestParts {
                    method: &request.method,
                    path: &request.path,
                    query: &request.query,
                    headers: &headers,
                    body,
                };
                Ok(Known::of(&self.authenticate(&parts, service).await?))
            }
            Proof::Session(token) => {
                let session = self.console_session(batch, token).await?;
                let owner_uin = Some(session.owner_uin);
                Ok(Known {
                    asker: Asker::Uin { uin: session.uin, owner_uin },
                    owner_uin: session.owner_uin,
                    principal: session.uin,
                    has_mfa: false,
                    expires_at_ms: Some(session.expires_at_ms),
                })
            }
            Proof::Trusted { uin, owner_uin } => {
                let owner = self.owner_of_principal(*uin, *owner_uin).await?;
                Ok(Known {
                    asker: Asker::Uin { uin: *uin, owner_uin: owner },
                    owner_uin: owner.unwrap_or_default(),
                    principal: *uin,
                    has_mfa: false,
                    expires_at_ms: None,
                })
            }
        }
    }

    /// Every app that a call names must be registered in the caller's account.
    async fn check_apps(
        &self,
        batch: &mut BatchQuery,
        known: &Known,
        apps: &BTreeSet<u64>,
    ) -> Result<(), GateError> {
        let view = self.batch_view(batch, known.owner_uin).await?;
        let own = view.as_ref().map(|view| &view.state.apps);
        match apps.iter().find(|id| !own.is_some_and(|own| own.contains_key(id))) {
            Some(sdkappid) => Err(Refusal::NotYourApp { sdkappid: *sdkappid }.into()),
            None => Ok(()),
        }
    }

    async fn answer(
        &self,
        batch: &mut BatchQuery,
        known: Known,
        mapped: Mapped,
    ) -> Result<GateAnswer, GateError> {
        let resources = mapped.resources(&self.catalog, known.owner_uin)?;
        let Mapped { action, mut context, apps, applies_filter, target, proof: _ } = mapped;
        let mfa = ContextValue::Number(Number::from(u64::from(known.has_mfa)));
        context.insert(MFA_KEY, vec![mfa]).map_err(NodeError::from)?;
        let mut last = None;
        for resource in resources {
            let text = if resource.text().is_empty() { "*" } else { resource.text() }.to_owned();
            let query = CheckQuery {
                asker: known.asker.clone(),
                action: action.clone(),
                resource,
                context: context.clone(),
                accepts_filter: applies_filter,
            };
            let answer = self.check(batch, query).await?;
            let is_denied = answer.decision.outcome == Outcome::Deny;
            last = Some((text, answer));
            if is_denied {
                break;
            }
        }
        // There is always one: a mapped call is about something.
        let Some((resource, answer)) = last else {
            return Err(Refusal::NoResourceType { action: action.to_string() }.into());
        };
        let filter = answer.decision.filter.clone();
        if let (Target::List, Some(filter)) = (&target, &filter) {
            check_filter(filter, &apps)?;
        }
        let Known { owner_uin, principal, expires_at_ms, .. } = known;
        let owner_uin = if owner_uin == 0 { answer.owner_uin } else { owner_uin };
        Ok(GateAnswer { owner_uin, principal, action, resource, answer, filter, expires_at_ms })
    }
}

impl Known {
    fn of(caller: &Caller) -> Self {
        Self {
            asker: caller.asker(),
            owner_uin: caller.owner_uin(),
            principal: caller.principal(),
            has_mfa: caller.has_mfa(),
            expires_at_ms: caller.expires_at_ms(),
        }
    }
}

/// A list that names apps may name only what the filter leaves.
fn check_filter(filter: &Filter, apps: &BTreeSet<u64>) -> Result<(), Refusal> {
    let names = filter.resources.iter().filter_map(|text| ResourceName::parse(text).ok());
    let shown: BTreeSet<u64> = names.filter_map(|name| name.sdkappid()).collect();
    match apps.iter().find(|id| !shown.contains(id)) {
        Some(sdkappid) => Err(Refusal::BeyondFilter { sdkappid: *sdkappid }),
        None => Ok(()),
    }
}
