//! AuthZEN's Authorization API 1.0 on the HTTP port: evaluation, evaluations, searches, metadata.
//!
//! Its words are put into camgate's and asked of the engine; its errors are strict where the
//! specification says 400, and fields that nobody knows are passed over. It must never decide, and
//! never answer `true` for a question that it could not read.

mod entity;
mod evaluate;
mod fault;
mod metadata;
mod search;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post};
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use serde_json::Value;

use super::http::receive;
use crate::directory::service_caller::Right;
use crate::gate::form::{Members, read_json};
use crate::node::{Node, Surface};
use crate::service::access::{self, TokenIn};
use crate::service::measured::{measured, of_http};
use fault::Fault;

/// Most evaluations of one request.
const EVALUATIONS_MAX: usize = 100;
/// The header by which callers find their requests again.
const REQUEST_ID: &str = "x-request-id";
/// Longest request id that is echoed, in bytes.
const REQUEST_ID_BYTES_MAX: usize = 256;

/// How AuthZEN's words map onto CAM's: `[authzen]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthzenSettings {
    /// Where callers reach this server, for the metadata; empty: at the address it listens on.
    pub base_url: String,
    /// The account whose sub-accounts' names are the ids of subjects; 0: ids are uins.
    pub account: u64,
    /// The service of actions that are named without one, and of resources of other types than
    /// `qcs`.
    pub service: String,
    /// The types of subjects that are sub-accounts; others are nobody.
    pub subject_types: Vec<String>,
}

impl Default for AuthzenSettings {
    fn default() -> Self {
        Self {
            base_url: String::new(),
            account: 0,
            service: "im".to_owned(),
            subject_types: vec!["user".to_owned()],
        }
    }
}

/// The API over a node.
#[derive(Debug)]
struct Authzen {
    node: Arc<Node>,
    settings: AuthzenSettings,
}

/// The routes of this surface. `address` is where the server listens.
pub(super) fn router(
    node: Arc<Node>,
    mut settings: AuthzenSettings,
    address: std::net::SocketAddr,
) -> Router {
    if settings.base_url.is_empty() {
        settings.base_url = format!("http://{address}");
    }
    let known = Arc::clone(&node);
    let place = TokenIn::Either;
    let who = move |request, next| access::middleware(Arc::clone(&known), place, request, next);
    let documents = metadata::paths(&settings.base_url);
    let document = metadata::document(&settings.base_url);
    let api = Arc::new(Authzen { node, settings });
    // Where to ask is nobody's secret.
    let mut described = Router::new();
    for path in documents {
        let document = document.clone();
        let answer = async move || respond(StatusCode::OK, &document);
        described = described.route(&path, get(answer));
    }
    let mut router = Router::new();
    for (path, call) in [
        ("/access/v1/evaluation", Call::Evaluation),
        ("/access/v1/evaluations", Call::Evaluations),
        ("/access/v1/search/subject", Call::SearchSubject),
        ("/access/v1/search/resource", Call::SearchResource),
        ("/access/v1/search/action", Call::SearchAction),
    ] {
        let api = Arc::clone(&api);
        let answer = move |request: Request| {
            let api = Arc::clone(&api);
            async move {
                let meter = api.node.meters().of(Surface::Authzen.as_str(), call.name());
                let ending = |it: &Result<Value, Fault>| Some(of_http(it.as_ref().err()?.status));
                match measured(&api.node, &meter, api.answer(call, request), ending).await {
                    Ok(answer) => respond(StatusCode::OK, &answer),
                    Err(fault) => respond(fault.status, &fault.body()),
                }
            }
        };
        router = router.route(path, post(answer));
    }
    router.layer(from_fn(who)).merge(described).layer(from_fn(echo_request_id))
}

#[derive(Debug, Clone, Copy)]
enum Call {
    Evaluation,
    Evaluations,
    SearchSubject,
    SearchResource,
    SearchAction,
}

impl Call {
    /// What metrics call it.
    fn name(self) -> &'static str {
        match self {
            Self::Evaluation => "evaluation",
            Self::Evaluations => "evaluations",
            Self::SearchSubject => "search_subject",
            Self::SearchResource => "search_resource",
            Self::SearchAction => "search_action",
        }
    }
}

impl Authzen {
    async fn answer(&self, call: Call, request: Request) -> Result<Value, Fault> {
        let access = access::of_http(&request);
        access.check_any(match call {
            Call::Evaluation | Call::Evaluations => Right::Check,
            Call::SearchSubject | Call::SearchResource | Call::SearchAction => Right::Explain,
        })?;
        let members = read(request).await?;
        match call {
            Call::Evaluation => self.evaluation(&access, &members).await,
            Call::Evaluations => self.evaluations(&access, &members).await,
            Call::SearchSubject => self.search_subject(&access, &members).await,
            Call::SearchResource => self.search_resource(&access, &members).await,
            Call::SearchAction => self.search_action(&access, &members).await,
        }
    }
}

/// The body, which must be a JSON object.
async fn read(request: Request) -> Result<Members, Fault> {
    let received = receive::receive(request).await.map_err(|error| {
        let status = match error.code.as_ref() {
            "RequestSizeLimitExceeded" => StatusCode::PAYLOAD_TOO_LARGE,
            receive::TOO_MUCH => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        Fault { status, message: error.message }
    })?;
    let kind = received.header("content-type").unwrap_or_default();
    let media = kind.split(';').next().unwrap_or_default().trim();
    if !media.eq_ignore_ascii_case("application/json") {
        return Err(Fault::bad("the content type must be `application/json`"));
    }
    if received.body.trim_ascii().is_empty() {
        return Err(Fault::bad("the body is empty: send a JSON object"));
    }
    read_json(&received.body).map_err(|fault| Fault::bad(fault.to_string()))
}

/// Whatever is answered carries the caller's request id, if there is one.
async fn echo_request_id(request: Request, next: Next) -> Response {
    let id = request.headers().get(REQUEST_ID).cloned();
    let mut response = next.run(request).await;
    if let Some(id) = id.filter(|id| id.len() <= REQUEST_ID_BYTES_MAX) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

fn respond(status: StatusCode, answer: &Value) -> Response {
    let mut response = Response::new(Body::from(answer.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
