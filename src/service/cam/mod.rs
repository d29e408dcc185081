//! The CAM API 3.0 and STS, as the official clients speak them.
//!
//! One call: authenticate, find the action, limit the rate, decode, authorise, do, answer. What is
//! described once in `api/*.json` is followed everywhere. It must never decide by itself: who may
//! call is the engine's answer, and what a call changes is a command of the directory.

mod actions;
pub mod answers;
mod authenticate;
mod authorize;
pub mod decode;
pub mod description;
mod envelope;
pub mod error;
pub mod params;
mod rate;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use tracing::{Instrument as _, debug, error, info, info_span};
use uuid::Uuid;

use crate::node::{Meter, Node, Surface};
use crate::service::measured::{measured, of_cam};
use authenticate::Caller;
use decode::{Form, decode};
use description::{Action, Description, DescriptionError, Service};
pub(in crate::service) use envelope::{Done, Reply, reply};
use error::CamError;
use params::Params;
use rate::Rates;
pub use rate::{CAM_PER_SECOND, STS_PER_SECOND};

/// How the API behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiSettings {
    /// Most calls of one action of CAM by one caller in a second; 0: any number.
    pub requests_per_second: u32,
    /// The same for STS.
    pub sts_requests_per_second: u32,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self { requests_per_second: CAM_PER_SECOND, sts_requests_per_second: STS_PER_SECOND }
    }
}

/// A request as it was received: nothing decoded, sorted or trimmed.
#[derive(Clone)]
pub(in crate::service) struct Received {
    /// The method.
    pub(in crate::service) method: String,
    /// The path, still encoded.
    pub(in crate::service) path: String,
    /// The query without its `?`, still encoded.
    pub(in crate::service) query: String,
    /// The headers in their order, names in lower case.
    pub(in crate::service) headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub(in crate::service) body: Vec<u8>,
    /// Where it came from.
    pub(in crate::service) peer: IpAddr,
}

impl Received {
    /// A header that should be there at most once and is plain text; else none.
    pub(in crate::service) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(other, _)| other == name);
        let (first, second) = (values.next(), values.next());
        if second.is_some() {
            return None;
        }
        std::str::from_utf8(&first?.1).ok().map(str::trim)
    }
}

/// The API over a node.
#[derive(Debug)]
pub(in crate::service) struct CamApi {
    node: Arc<Node>,
    description: Description,
    rates: Rates,
}

/// One call that was let in.
pub(super) struct Call<'a> {
    node: &'a Arc<Node>,
    service: &'a Service,
    action: &'a Action,
    params: Params,
    caller: Caller,
    received: &'a Received,
    request_id: &'a str,
}

impl CamApi {
    /// The API of a node.
    pub(in crate::service) fn new(
        node: Arc<Node>,
        settings: ApiSettings,
    ) -> Result<Self, DescriptionError> {
        Ok(Self { node, description: Description::embedded()?, rates: Rates::new(settings) })
    }

    /// The answer to a request that could not even be read.
    pub(in crate::service) fn refuse(&self, error: CamError) -> Reply {
        self.meter("").ended(None, Some(of_cam(&error)));
        envelope::reply(&new_request_id(), Err(error))
    }

    /// Answers one request.
    pub(in crate::service) async fn answer(&self, received: &Received) -> Reply {
        let started = Instant::now();
        let request_id = new_request_id();
        let action = received.header("x-tc-action").unwrap_or_default();
        let action: String = action.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
        let span = info_span!("cam", action, request_id);
        let meter = self.meter(&action);
        let work = async {
            let outcome = self.call(received, &request_id).await;
            let code = outcome.as_ref().map_or_else(|error| error.code.as_ref(), |_| "OK");
            info!(code, elapsed_us = started.elapsed().as_micros(), "served");
            outcome
        };
        let ending = |outcome: &Result<Done, CamError>| outcome.as_ref().err().map(of_cam);
        let measured = measured(&self.node, &meter, work, ending);
        envelope::reply(&request_id, measured.instrument(span).await)
    }

    /// The meter of an action; one for all names that are none.
    fn meter(&self, action: &str) -> Arc<Meter> {
        let mut services = self.description.services.iter();
        let known = services.find_map(|it| it.action(action)).map(|it| it.name.clone());
        let name = known.unwrap_or_else(|| "unknown".to_owned());
        self.node.meters().of(Surface::CamApi.as_str(), name)
    }

    async fn call(&self, received: &Received, request_id: &str) -> Result<Done, CamError> {
        if !matches!(received.method.as_str(), "GET" | "POST") {
            let message = format!("the method is `{}`: use GET or POST", received.method);
            return Err(CamError::new("UnsupportedProtocol", message));
        }
        let service = self.service(received)?;
        let caller = authenticate::authenticate(&self.node, received, &service.service).await?;
        let Caller { owner_uin, principal, ref secret_id, proven: _ } = caller;
        debug!(owner_uin, principal, secret_id, "signed");
        let action = self.action(service, received)?;
        self.rates.check(&caller, service, action)?;
        if let Some(reason) = &action.unsupported {
            let message = format!("`{}` is not supported: {reason}", action.name);
            return Err(CamError::new("UnsupportedOperation", message));
        }
        let params = decode(service, action, form(received)?)?;
        let call = Call { node: &self.node, service, action, params, caller, received, request_id };
        authorize::authorize(&call).await?;
        let done = actions::run(&call).await?;
        check_answer(service, action, done)
    }

    /// The service whose version is called.
    fn service(&self, received: &Received) -> Result<&Service, CamError> {
        let header = received.header("x-tc-version");
        let version = header.ok_or_else(|| missing_header("X-TC-Version"))?;
        let found = self.description.services.iter().find(|it| it.version == version);
        found.ok_or_else(|| {
            let services = &self.description.services;
            let known: Vec<String> =
                services.iter().map(|it| format!("`{}` ({})", it.version, it.service)).collect();
            let message = format!("there is no such version: use {}", known.join(" or "));
            CamError::new("NoSuchVersion", message)
        })
    }

    fn action<'a>(
        &'a self,
        service: &'a Service,
        received: &Received,
    ) -> Result<&'a Action, CamError> {
        let name = received.header("x-tc-action").ok_or_else(|| missing_header("X-TC-Action"))?;
        service.action(name).ok_or_else(|| {
            let mut others = self.description.services.iter();
            let message = match others.find(|it| it.action(name).is_some()) {
                Some(other) => format!(
                    "the action is of `{}`: call it with the version `{}`",
                    other.service, other.version
                ),
                None => format!("`{}` has no such action", service.service),
            };
            CamError::new("InvalidAction", message)
        })
    }
}

fn new_request_id() -> String {
    Uuid::now_v7().to_string()
}

fn missing_header(name: &str) -> CamError {
    CamError::new("MissingParameter", format!("the header `{name}` is missing: give it once"))
}

/// Where the parameters are: in the query of a GET, in the JSON body of a POST.
fn form(received: &Received) -> Result<Form<'_>, CamError> {
    if received.method == "GET" {
        return Ok(Form::Query(&received.query));
    }
    let kind = received.header("content-type").unwrap_or_default();
    let media = kind.split(';').next().unwrap_or_default().trim();
    if !media.eq_ignore_ascii_case("application/json") {
        let message = "the content type of a POST must be `application/json`";
        return Err(CamError::new("InvalidRequest", message));
    }
    if !received.query.is_empty() {
        let message = "a POST has its parameters in the body: leave the query out";
        return Err(CamError::new("InvalidRequest", message));
    }
    Ok(Form::Json(&received.body))
}

/// An answer that strays from the description is a fault of ours: tests must meet it, and clients
/// of a release still get their answer.
fn check_answer(service: &Service, action: &Action, done: Done) -> Result<Done, CamError> {
    let faults = answers::faults(service, &action.response, &done.fields);
    if faults.is_empty() {
        return Ok(done);
    }
    error!(action = action.name, ?faults, "the answer is not as described");
    if cfg!(debug_assertions) {
        return Err(CamError::internal(format!("the answer is not as described: {faults:?}")));
    }
    Ok(done)
}
