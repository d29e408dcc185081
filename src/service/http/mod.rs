//! The HTTP port: health, readiness, the CAM API at `/`, and the gate for proxies that ask by HTTP.
//!
//! Accepts connections within limits, reads requests as they were sent, and drains. It must never
//! decide anything, and never answer `/` with another status than 200: official clients would take
//! it for a failure of the transport and not read the error.

mod admission;
mod limits;
pub(super) mod receive;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::from_fn;
use axum::response::Response;
use axum::routing::{any, get};
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio_stream::StreamExt as _;
use tracing::{debug, info};

use super::ServeError;
use super::authzen::{self, AuthzenSettings};
use super::cam::{ApiSettings, CamApi, Reply};
use super::console_session::{self, ConsoleSettings};
use super::ending::Until;
use super::gate::{self, Gate};
use super::metrics::{self, Metrics};
use super::overload::{LimitSettings, Port};
use super::traces::{self, Sampling};
use super::transport::{Acceptor, Connection, Tls, incoming, listen};
use crate::gate::GateSettings;
use crate::node::Node;
use limits::{HEADER_BYTES_MAX, HEADERS_MAX};

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
    /// Certificates; plain without them.
    pub tls: Option<Arc<Tls>>,
    /// What it takes on at a time.
    pub limits: LimitSettings,
    /// Which calls are traced; none without it.
    pub sampling: Option<Sampling>,
}

/// An HTTP server that listens and does not serve yet.
#[derive(Debug)]
pub struct HttpServer {
    node: Arc<Node>,
    api: Arc<CamApi>,
    gate: Gate,
    settings: HttpSettings,
    port: Arc<Port>,
    /// The ports that `/metrics` tells about.
    measured: Vec<Arc<Port>>,
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
        let gate = Gate::new(Arc::clone(&node), settings.gate.clone());
        let failed = |source| ServeError::Listen { address, source };
        let listener = listen(address).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let port = Port::new("http", settings.limits);
        let measured = vec![Arc::clone(&port)];
        Ok(Self { node, api, gate, settings, port, measured, listener, address })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `/metrics` tells about one more port.
    pub(super) fn measures(&mut self, port: Arc<Port>) {
        self.measured.push(port);
    }

    /// Serves until nothing new is to be taken, then finishes what is under way.
    pub(super) async fn run(self, until: Until) {
        let Self { node, api, gate, settings, port, measured, listener, address } = self;
        let HttpSettings { authzen, console, tls, limits, sampling, .. } = settings;
        info!(%address, "HTTP is served");
        let graceful = GracefulShutdown::new();
        let authzen = authzen::router(Arc::clone(&node), authzen, address);
        let sessions = console_session::router(Arc::clone(&node), console);
        let router = router(node, api, tls.clone(), measured);
        let router = router.merge(gate::router(gate)).merge(sessions).merge(authzen);
        let router = router.layer(from_fn(admission::middleware));
        let router = traces::traced(router, sampling);
        let stop = until.clone().draining();
        tokio::pin!(stop);
        let watching_over = tokio::spawn(Arc::clone(&port).watch_over());
        let acceptor = Acceptor::http(tls, port);
        let mut connections = incoming(listener, acceptor, limits.http_connections_max);
        loop {
            tokio::select! {
                ready = connections.next() => match ready {
                    Some(Ok(ready)) => {
                        let watcher = graceful.watcher();
                        tokio::spawn(connection(router.clone(), ready, limits, watcher));
                    }
                    Some(Err(_)) => {}
                    None => break,
                },
                () = &mut stop => break,
            }
        }
        drop(connections);
        tokio::select! {
            () = graceful.shutdown() => {}
            () = until.over() => {}
        }
        watching_over.abort();
    }
}

async fn connection(
    router: Router,
    connection: Connection,
    limits: LimitSettings,
    watcher: Watcher,
) {
    let peer = connection.peer().clone();
    let address = peer.address;
    let service = TowerToHyperService::new(router.layer(axum::Extension(peer)));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits.http_headers_ms_max))
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(connection), service);
    if let Err(error) = watcher.watch(serving).await {
        debug!(%address, %error, "a connection ended early");
    }
}

fn router(
    node: Arc<Node>,
    api: Arc<CamApi>,
    tls: Option<Arc<Tls>>,
    ports: Vec<Arc<Port>>,
) -> Router {
    let metrics = Metrics::new(Arc::clone(&node), tls, ports);
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
