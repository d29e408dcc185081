//! The gate as proxies ask for it: Envoy's external authorization, and forward-auth over HTTP.
//!
//! One [`Verdict`] for both: a completed allow, or a denial in words that clients read. It must
//! never answer anything else: whatever goes wrong is a denial, also when it is our own fault.

mod ext_authz;
mod forward_auth;
mod verdict;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{Instrument as _, info, info_span, warn};
use uuid::Uuid;

pub use ext_authz::ExtAuthz;
pub(super) use forward_auth::{FORWARD_AUTH_PATH, router};
pub(super) use verdict::{Denial, IDENTITY_HEADERS, Pass, Verdict};

use crate::directory::service_caller::Right;
use crate::gate::{GateSettings, HttpRequest, Named};
use crate::node::{Access, AccessError, Asking, GateAnswer, GateError, Meter, Node, Surface};
use crate::service::measured::measured;

/// The gate over a node.
#[derive(Debug, Clone)]
pub struct Gate {
    node: Arc<Node>,
    settings: Arc<GateSettings>,
    ext_authz: Arc<Meter>,
    forward_auth: Arc<Meter>,
}

impl Gate {
    /// The gate of a node.
    #[must_use]
    pub fn new(node: Arc<Node>, settings: GateSettings) -> Self {
        let meter = |surface: Surface| node.meters().of(surface.as_str(), "check");
        let (ext_authz, forward_auth) = (meter(Surface::ExtAuthz), meter(Surface::ForwardAuth));
        Self { node, settings: Arc::new(settings), ext_authz, forward_auth }
    }

    fn meter(&self, surface: Surface) -> &Meter {
        if surface == Surface::ExtAuthz { &self.ext_authz } else { &self.forward_auth }
    }

    /// Decides one request. `surface` names the protocol in the log.
    pub(super) async fn verdict(
        &self,
        surface: Surface,
        access: &Access,
        request: &HttpRequest,
        named: &Named,
    ) -> Verdict {
        let started = Instant::now();
        let request_id = Uuid::now_v7().to_string();
        let span = info_span!("gate", surface = surface.as_str(), request_id);
        let work = async {
            let deadline = Duration::from_millis(self.settings.deadline_ms);
            let deciding = self.decide(surface, access, request, named);
            let verdict = match tokio::time::timeout(deadline, deciding).await {
                Ok(Ok(answer)) if answer.is_allowed() => {
                    Verdict::Allow(Box::new(Pass::new(&self.node, &self.settings, answer)))
                }
                Ok(Ok(answer)) => {
                    let denial = Denial::of_answer(&self.node, &self.settings, &request_id, answer);
                    Verdict::Deny(Box::new(denial))
                }
                Ok(Err(error)) => Verdict::Deny(Box::new(Denial::of_error(&request_id, error))),
                Err(_) => {
                    warn!(deadline_ms = self.settings.deadline_ms, "no decision in time");
                    Verdict::Deny(Box::new(Denial::too_late(&request_id)))
                }
            };
            let elapsed_us = started.elapsed().as_micros();
            info!(code = verdict.code(), elapsed_us, "answered");
            verdict
        };
        let measured = measured(&self.node, self.meter(surface), work, Verdict::ending);
        measured.instrument(span).await
    }

    /// What the node says, if the proxy may ask it.
    async fn decide(
        &self,
        surface: Surface,
        access: &Access,
        request: &HttpRequest,
        named: &Named,
    ) -> Result<GateAnswer, GateError> {
        let refused = |error: AccessError| GateError::Node(error.into());
        access.check_any(Right::Check).map_err(refused)?;
        let asking = Asking::by(surface, access);
        self.node.gate(asking, &self.settings, request, named).await
    }

    /// A denial of a request that the proxy itself sent wrongly.
    pub(super) fn refuse(&self, surface: Surface, refusal: crate::gate::Refusal) -> Verdict {
        let request_id = Uuid::now_v7().to_string();
        let verdict = Verdict::Deny(Box::new(Denial::of_error(&request_id, refusal.into())));
        self.meter(surface).ended(None, verdict.ending());
        verdict
    }

    /// A denial of a request that the server has no room for.
    fn overloaded() -> Verdict {
        let request_id = Uuid::now_v7().to_string();
        Verdict::Deny(Box::new(Denial::overloaded(&request_id)))
    }
}
