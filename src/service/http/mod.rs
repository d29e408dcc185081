//! The HTTP port: health, readiness, the CAM API at `/`, and the gate for proxies that ask by HTTP.
//!
//! Accepts connections within limits, reads requests as they were sent, and drains. It must never
//! decide anything, and never answer `/` with another status than 200: official clients would take
//! it for a failure of the transport and not read the error.

mod limits;
pub(super) mod receive;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{any, get};
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{debug, info, warn};

use super::ServeError;
use super::authzen::{self, AuthzenSettings};
use super::cam::{ApiSettings, CamApi, Reply};
use super::console_session::{self, ConsoleSettings};
use super::gate::{self, Gate};
use super::metrics::{self, Metrics};
use crate::gate::GateSettings;
use crate::node::Node;
use limits::{ACCEPT_PAUSE, CONNECTIONS_MAX, HEADER_BYTES_MAX, HEADERS_MAX, HEADERS_TIME_MAX};

/// The header of the revision that an answer holds; a token that gRPC takes as `at_least`.
const REVISION_HEADER: &str = "x-camgate-revision";

/// How the surfaces of the HTTP port behave.
#[derive(Debug, Clone, Default)]
pub struct HttpSettings {
    /// The CAM API at `/`.
    pub api: ApiSettings,
    /// AuthZEN.
    pub authzen: AuthzenSettings,
    /// Console sessions.
    pub console: ConsoleSettings,
    /// The gate.
    pub gate: GateSettings,
}

/// An HTTP server that listens and does not serve yet.
#[derive(Debug)]
pub struct HttpServer {
    node: Arc<Node>,
    api: Arc<CamApi>,
    gate: Gate,
    console: ConsoleSettings,
    authzen: AuthzenSettings,
    listener: TcpListener,
    address: SocketAddr,
}

impl HttpServer {
    /// Listens on an address; port 0 takes a free one.
    ///
    /// # Errors
    /// [`ServeError::Listen`], or [`ServeError::Description`].
    pub async fn bind(
        node: Arc<Node>,
        address: SocketAddr,
        settings: HttpSettings,
    ) -> Result<Self, ServeError> {
        let api = Arc::new(CamApi::new(Arc::clone(&node), settings.api)?);
        let gate = Gate::new(Arc::clone(&node), settings.gate);
        let failed = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (console, authzen) = (settings.console, settings.authzen);
        Ok(Self { node, api, gate, console, authzen, listener, address })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is done, then finishes what is under way for at most `drain`.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send, drain: Duration) {
        let Self { node, api, gate, console, authzen, listener, address } = self;
        info!(%address, "HTTP is served");
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let graceful = GracefulShutdown::new();
        let authzen = authzen::router(Arc::clone(&node), authzen, address);
        let sessions = console_session::router(Arc::clone(&node), console);
        let router = router(node, api).merge(gate::router(gate)).merge(sessions).merge(authzen);
        tokio::pin!(stop);
        loop {
            tokio::select! {
                accepted = accept(&listener, &connections) => {
                    if let Some((stream, peer, permit)) = accepted {
                        let watcher = graceful.watcher();
                        tokio::spawn(connection(router.clone(), stream, peer, watcher, permit));
                    }
                }
                () = &mut stop => break,
            }
        }
        drop(listener);
        if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
            warn!(drain_ms = drain.as_millis(), "HTTP requests were cut off while draining");
        }
    }
}

/// The next connection, when there is room for one more.
async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, permit)),
        Err(error) if is_of_the_client(&error) => {
            debug!(%error, "a connection was gone before it was accepted");
            None
        }
        Err(error) => {
            // Out of descriptors, say: to try again at once would only spin, and nothing tells when
            // there are some again.
            warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// Whether only the one connection failed, which must not make the others wait.
fn is_of_the_client(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn connection(
    router: Router,
    stream: TcpStream,
    peer: SocketAddr,
    watcher: Watcher,
    permit: OwnedSemaphorePermit,
) {
    // Only a matter of speed.
    let _ = stream.set_nodelay(true);
    let service = tower_service(router, peer);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_TIME_MAX)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        debug!(%peer, %error, "a connection ended early");
    }
    drop(permit);
}

/// The address of the other end, kept with each request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

fn tower_service(router: Router, peer: SocketAddr) -> TowerToHyperService<Router> {
    TowerToHyperService::new(router.layer(axum::Extension(Peer(peer))))
}

fn router(node: Arc<Node>, api: Arc<CamApi>) -> Router {
    let metrics = Metrics::new(Arc::clone(&node));
    let metrics = move || {
        let metrics = metrics.clone();
        async move { measured(&metrics) }
    };
    let ready = move || {
        let node = Arc::clone(&node);
        async move { readiness(&node) }
    };
    let call = move |request: Request| {
        let api = Arc::clone(&api);
        async move { answer(&api, request).await }
    };
    Router::new()
        .route("/", any(call))
        .route("/healthz", get(async || plain(StatusCode::OK, "ok\n".to_owned())))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .fallback(async || {
            let known = "there is nothing here: the API is at `/`, health at `/healthz`, \
                         metrics at `/metrics`, the gate at `/gate/v1/forward-auth`\n";
            plain(StatusCode::NOT_FOUND, known.to_owned())
        })
}

/// Whether this node should get requests, and why not, a line for each problem.
fn readiness(node: &Node) -> Response {
    let readiness = node.readiness().borrow().clone();
    if *node.stopping().borrow() {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "this node is stopping\n".to_owned());
    }
    if readiness.is_ready() {
        return plain(StatusCode::OK, "ready\n".to_owned());
    }
    let problems: String = readiness.problems.iter().map(|it| format!("{it}\n")).collect();
    plain(StatusCode::SERVICE_UNAVAILABLE, format!("not ready\n{problems}"))
}

fn measured(metrics: &Metrics) -> Response {
    let Ok(text) = metrics.text() else {
        let problem = "the metrics cannot be written\n".to_owned();
        return plain(StatusCode::INTERNAL_SERVER_ERROR, problem);
    };
    let mut response = plain(StatusCode::OK, text);
    let kind = HeaderValue::from_static(metrics::CONTENT_TYPE);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn plain(status: StatusCode, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

async fn answer(api: &CamApi, request: Request) -> Response {
    let Reply { body, revision } = match receive::receive(request).await {
        Ok(received) => api.answer(&received).await,
        Err(error) => api.refuse(error),
    };
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(Ok(revision)) = revision.map(HeaderValue::try_from) {
        headers.insert(REVISION_HEADER, revision);
    }
    response
}
