//! The tower layer: asks before the service sees a request, for axum and tonic services alike.
//!
//! The service says how a request is a question; who calls must be proven before. An allow puts the
//! [`Answer`] into the request's extensions; everything else is answered here, with 403 and JSON,
//! or with PERMISSION_DENIED for gRPC. It must never call the service without an allow.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode};
use tower_layer::Layer;
use tower_service::Service;
use tracing::info;

use super::question::{Answer, Decider, Question};

/// The beginning of the headers that only camgate sets.
const OWN_HEADERS: &str = "x-camgate-";
/// gRPC's code of a denial.
const PERMISSION_DENIED: &str = "7";
/// Longest message that is sent, in characters.
const MESSAGE_CHARS_MAX: usize = 300;

/// Why a request is no question; it is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// A body that can hold a refusal.
pub trait RefusalBody: Default {
    /// A body of JSON; bodies of gRPC stay empty.
    fn json(text: String) -> Self;
}

impl RefusalBody for axum::body::Body {
    fn json(text: String) -> Self {
        Self::from(text)
    }
}

impl RefusalBody for tonic::body::Body {
    fn json(_: String) -> Self {
        Self::default()
    }
}

/// The layer. `M` turns a request into a question, `D` answers it.
#[derive(Debug)]
pub struct GateLayer<D, M> {
    decider: Arc<D>,
    map: Arc<M>,
}

impl<D, M> GateLayer<D, M>
where
    D: Decider,
    M: Fn(&Parts) -> Result<Question, Refused> + Send + Sync + 'static,
{
    /// A layer that asks `decider` the question that `map` makes of each request.
    pub fn new(decider: Arc<D>, map: M) -> Self {
        Self { decider, map: Arc::new(map) }
    }
}

impl<D, M> Clone for GateLayer<D, M> {
    fn clone(&self) -> Self {
        Self { decider: Arc::clone(&self.decider), map: Arc::clone(&self.map) }
    }
}

impl<S, D, M> Layer<S> for GateLayer<D, M> {
    type Service = GateService<S, D, M>;

    fn layer(&self, inner: S) -> Self::Service {
        GateService { inner, decider: Arc::clone(&self.decider), map: Arc::clone(&self.map) }
    }
}

/// The service that the layer makes.
#[derive(Debug)]
pub struct GateService<S, D, M> {
    inner: S,
    decider: Arc<D>,
    map: Arc<M>,
}

impl<S: Clone, D, M> Clone for GateService<S, D, M> {
    fn clone(&self) -> Self {
        let (decider, map) = (Arc::clone(&self.decider), Arc::clone(&self.map));
        Self { inner: self.inner.clone(), decider, map }
    }
}

/// tonic's router wants its services' names.
impl<S: tonic::server::NamedService, D, M> tonic::server::NamedService for GateService<S, D, M> {
    const NAME: &'static str = S::NAME;
}

impl<S, D, M, B, R> Service<Request<B>> for GateService<S, D, M>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    D: Decider,
    M: Fn(&Parts) -> Result<Question, Refused> + Send + Sync + 'static,
    B: Send + 'static,
    R: RefusalBody + Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that was polled is the one that is ready.
        let fresh = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, fresh);
        let (decider, map) = (Arc::clone(&self.decider), Arc::clone(&self.map));
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            strip(&mut parts.headers);
            let asked = map(&parts);
            let answer = match &asked {
                Ok(question) => {
                    decider.ask(question, None).await.map_err(|error| error.to_string())
                }
                Err(refused) => Err(refused.to_string()),
            };
            match answer {
                Ok(answer) if answer.is_allowed => {
                    parts.extensions.insert(answer);
                    inner.call(Request::from_parts(parts, body)).await
                }
                Ok(answer) => {
                    let reason = answer.reason.clone();
                    info!(reason, decision_id = answer.decision_id, "denied");
                    Ok(refusal(&parts, &format!("not authorized: {reason}"), Some(&answer)))
                }
                Err(message) => {
                    info!(message, "refused without a decision");
                    Ok(refusal(&parts, &message, None))
                }
            }
        })
    }
}

/// What only camgate sets is taken off what a client sent.
fn strip(headers: &mut HeaderMap) {
    let own: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().replace('_', "-").starts_with(OWN_HEADERS))
        .cloned()
        .collect();
    for name in own {
        headers.remove(name);
    }
}

fn refusal<R: RefusalBody>(parts: &Parts, message: &str, answer: Option<&Answer>) -> Response<R> {
    let message: String = message.chars().take(MESSAGE_CHARS_MAX).collect();
    let kind = parts.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    if kind.starts_with(b"application/grpc") {
        let mut response = Response::new(R::default());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert("grpc-status", HeaderValue::from_static(PERMISSION_DENIED));
        // Its own notation keeps what is no printable ASCII.
        let encoded = percent_encoding::utf8_percent_encode(&message, GRPC_MESSAGE).to_string();
        if let Ok(value) = HeaderValue::from_str(&encoded) {
            headers.insert("grpc-message", value);
        }
        return response;
    }
    let decision_id = answer.map(|answer| answer.decision_id.as_str());
    let body = serde_json::json!({"Error": {
        "Code": "AuthFailure.UnauthorizedOperation",
        "Message": message,
        "DecisionId": decision_id,
    }});
    let mut response = Response::new(R::json(body.to_string()));
    *response.status_mut() = StatusCode::FORBIDDEN;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// What gRPC's percent notation encodes.
const GRPC_MESSAGE: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS.add(b'%');
