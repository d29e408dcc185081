//! The protocols over the node (floor 4): gRPC with health and reflection, HTTP with the CAM API.
//!
//! Assembles the services, says when they are ready, and drains them. It must never decide anything
//! and never hold state of its own.

mod access;
mod administration;
mod audit;
mod authorization;
mod authzen;
mod backup;
pub mod bearer;
mod callers;
pub mod cam;
mod codec;
#[cfg(feature = "otlp")]
mod collector;
mod commands;
mod console_session;
mod ending;
pub mod envoy;
#[cfg(feature = "otlp")]
mod forward;
mod gate;
mod http;
mod measured;
mod metrics;
mod overload;
mod page;
pub mod proto;
mod refusal;
mod rpc;
mod status;
mod stream_check;
mod traces;
pub mod transport;
mod watch;
pub mod wire;

use std::future::{Future, pending};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tonic::server::NamedService;
use tonic::service::interceptor::InterceptedService;
use tonic::service::{Routes, RoutesBuilder};
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tracing::{info, warn};

pub use administration::Administration;
pub use audit::Audit;
pub use authorization::Authorization;
pub use authzen::AuthzenSettings;
pub use backup::Backup;
pub use callers::ServiceCallers;
pub use cam::ApiSettings;
#[cfg(feature = "otlp")]
pub use collector::CollectorError;
pub use console_session::ConsoleSettings;
#[cfg(feature = "otlp")]
pub use forward::LogForwarding;
pub use gate::{ExtAuthz, Gate};
pub use http::{HttpServer, HttpSettings};
pub use overload::LimitSettings;
pub use status::{ApiError, ERROR_DOMAIN};
#[cfg(feature = "otlp")]
pub use traces::Spans;
pub use traces::{Sampling, TraceContext, TraceSettings};
pub use watch::Watching;

use self::access::Callers;
use self::ending::{Ending, Until};
use self::overload::{Admission, Port};
use self::transport::{Acceptor, Tls, incoming, listen};
use crate::gate::{BODY_BYTES_MAX, GateSettings};
use crate::node::Node;
use envoy::auth::authorization_server::AuthorizationServer as EnvoyAuthorizationServer;
use proto::administration_service_server::AdministrationServiceServer;
use proto::audit_service_server::AuditServiceServer;
use proto::authorization_service_server::AuthorizationServiceServer;
use proto::caller_service_server::CallerServiceServer;
use proto::store_service_server::StoreServiceServer;
use proto::watch_service_server::WatchServiceServer;

/// Longest request of the decision point, in bytes: a full batch of ordinary questions.
const AUTHORIZATION_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longest request and answer of the administration point, in bytes: the folder of a full account.
const ADMINISTRATION_BYTES_MAX: usize = 72 * 1024 * 1024;
/// Longest request of Envoy, in bytes: the longest body that is verified, and its headers.
const GATE_BYTES_MAX: usize = BODY_BYTES_MAX * 2;
/// Longest request of the watch, of exports and about callers, in bytes.
const SMALL_REQUEST_BYTES_MAX: usize = 64 * 1024;

/// Why the server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on `{address}`: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The descriptors of the API are damaged.
    #[error("reflection cannot be offered: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The description of the CAM API is damaged.
    #[error("the CAM API cannot be offered: {0}")]
    Description(#[from] cam::description::DescriptionError),
    /// The transport failed.
    #[error("the gRPC server failed: {0}")]
    Transport(#[from] tonic::transport::Error),
}

/// How the gRPC port behaves.
#[derive(Debug, Clone, Default)]
pub struct GrpcSettings {
    /// The gate, as Envoy asks it.
    pub gate: GateSettings,
    /// Certificates; plain without them.
    pub tls: Option<Arc<Tls>>,
    /// What it takes on at a time.
    pub limits: LimitSettings,
    /// Which calls are traced; none without it.
    pub sampling: Option<Sampling>,
}

/// A gRPC server that listens and does not serve yet.
#[derive(Debug)]
pub struct GrpcServer {
    node: Arc<Node>,
    gate: GateSettings,
    tls: Option<Arc<Tls>>,
    port: Arc<Port>,
    sampling: Option<Sampling>,
    listener: TcpListener,
    address: SocketAddr,
}

impl GrpcServer {
    /// Listens on an address; port 0 takes a free one.
    ///
    /// # Errors
    /// [`ServeError::Listen`].
    pub async fn bind(
        node: Arc<Node>,
        address: SocketAddr,
        settings: GrpcSettings,
    ) -> Result<Self, ServeError> {
        let GrpcSettings { gate, tls, limits, sampling } = settings;
        let port = Port::new("grpc", limits);
        let failed = |source| ServeError::Listen { address, source };
        let listener = listen(address).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { node, gate, tls, port, sampling, listener, address })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is done, then drains: health says NOT_SERVING, watches end, what is
    /// under way is finished for at most `drain`. Then the node ends.
    ///
    /// # Errors
    /// [`ServeError::Reflection`] or [`ServeError::Transport`].
    pub async fn serve(
        self,
        stop: impl Future<Output = ()> + Send,
        drain: Duration,
    ) -> Result<(), ServeError> {
        let node = Arc::clone(&self.node);
        let (ending, until) = Ending::new();
        let result = {
            let serving = self.run(until);
            tokio::pin!(serving);
            tokio::select! {
                result = &mut serving => result,
                () = ending.lead(stop, drain, pending()) => serving.await,
            }
        };
        node.shut().await;
        result
    }

    /// Serves this and the HTTP port until `stop` is done, and drains both together, for at most
    /// `drain`. Then the node ends: not before, as writes under way on either port wait for it.
    ///
    /// # Errors
    /// As [`GrpcServer::serve`].
    pub async fn serve_with(
        self,
        http: HttpServer,
        stop: impl Future<Output = ()> + Send,
        drain: Duration,
    ) -> Result<(), ServeError> {
        self.serve_until(http, stop, drain, pending()).await
    }

    /// As [`GrpcServer::serve_with`]; once `hurry` is done, what is under way is waited for no
    /// longer. It is not looked at before `stop` is done.
    ///
    /// # Errors
    /// As [`GrpcServer::serve`].
    pub async fn serve_until(
        self,
        mut http: HttpServer,
        stop: impl Future<Output = ()> + Send,
        drain: Duration,
        hurry: impl Future<Output = ()> + Send,
    ) -> Result<(), ServeError> {
        let node = Arc::clone(&self.node);
        http.measures(Arc::clone(&self.port));
        let (ending, until) = Ending::new();
        let result = {
            let grpc = async {
                let result = self.run(until.clone()).await;
                // When one port fails, the other does not go on alone.
                ending.begin();
                result
            };
            let both = async { tokio::join!(grpc, http.run(until.clone())).0 };
            tokio::pin!(both);
            tokio::select! {
                result = &mut both => result,
                () = ending.lead(stop, drain, hurry) => both.await,
            }
        };
        node.shut().await;
        result
    }

    async fn run(self, until: Until) -> Result<(), ServeError> {
        let Self { node, gate, tls, port, sampling, listener, address } = self;
        let (reporter, health) = tonic_health::server::health_reporter();
        let v1 = reflection().build_v1()?;
        let v1alpha = reflection().build_v1alpha()?;
        let is_ready = node.readiness().borrow().is_ready();
        report(&reporter, is_ready).await;
        let follow = tokio::spawn(follow_readiness(Arc::clone(&node), reporter.clone()));
        let watching_over = tokio::spawn(Arc::clone(&port).watch_over());
        let router = server(port.limits())
            .layer(Admission)
            .add_routes(traces::traced_routes(routes(&node, gate), sampling))
            .add_service(health)
            .add_service(v1)
            .add_service(v1alpha);
        let connections_max = port.limits().grpc_connections_max;
        let incoming = incoming(listener, Acceptor::grpc(tls, port), connections_max);
        let follower = follow.abort_handle();
        let begin = until.clone();
        let serving = router.serve_with_incoming_shutdown(incoming, async move {
            begin.draining().await;
            follow.abort();
            report(&reporter, false).await;
            node.stop();
        });
        info!(%address, "gRPC is served");
        let result = tokio::select! {
            result = serving => result,
            () = until.over() => Ok(()),
        };
        follower.abort();
        watching_over.abort();
        Ok(result?)
    }
}

/// HTTP/2 as this port speaks it. Nothing is left to the library's defaults.
fn server(limits: &LimitSettings) -> Server {
    Server::builder()
        .http2_max_header_list_size(limits.metadata_bytes_max)
        .max_concurrent_streams(limits.calls_per_connection_max)
        .initial_stream_window_size(overload::STREAM_WINDOW_BYTES)
        .initial_connection_window_size(overload::CONNECTION_WINDOW_BYTES)
        .http2_max_pending_accept_reset_streams(Some(overload::RESET_STREAMS_MAX))
        .http2_max_local_error_reset_streams(Some(overload::FAULTY_STREAMS_MAX))
        .http2_keepalive_interval(Some(Duration::from_millis(limits.keepalive_interval_ms)))
        .http2_keepalive_timeout(Some(Duration::from_millis(limits.keepalive_wait_ms_max)))
}

/// The services that callers must be known for, where they must be known at all.
fn routes(node: &Arc<Node>, gate: GateSettings) -> Routes {
    let callers = Callers::only(node);
    let of = || Arc::clone(node);
    let mut routes = RoutesBuilder::default();
    routes
        .add_service(InterceptedService::new(
            AuthorizationServiceServer::new(Authorization::new(of()))
                .max_decoding_message_size(AUTHORIZATION_BYTES_MAX),
            callers.clone(),
        ))
        .add_service(InterceptedService::new(
            AdministrationServiceServer::new(Administration::new(of()))
                .max_decoding_message_size(ADMINISTRATION_BYTES_MAX)
                .max_encoding_message_size(ADMINISTRATION_BYTES_MAX),
            callers.clone(),
        ))
        .add_service(InterceptedService::new(
            WatchServiceServer::new(Watching::new(of()))
                .max_decoding_message_size(SMALL_REQUEST_BYTES_MAX),
            callers.clone(),
        ))
        .add_service(InterceptedService::new(
            StoreServiceServer::new(Backup::new(of()))
                .max_decoding_message_size(SMALL_REQUEST_BYTES_MAX),
            callers.clone(),
        ))
        .add_service(InterceptedService::new(
            CallerServiceServer::new(ServiceCallers::new(of()))
                .max_decoding_message_size(SMALL_REQUEST_BYTES_MAX),
            callers.clone(),
        ))
        .add_service(InterceptedService::new(
            AuditServiceServer::new(Audit::new(of()))
                .max_decoding_message_size(SMALL_REQUEST_BYTES_MAX)
                .max_encoding_message_size(ADMINISTRATION_BYTES_MAX),
            callers,
        ))
        // Who is refused must be told so in the answer: an error could let the request go on.
        .add_service(InterceptedService::new(
            EnvoyAuthorizationServer::new(ExtAuthz::new(Gate::new(of(), gate)))
                .max_decoding_message_size(GATE_BYTES_MAX),
            Callers::told(node),
        ));
    routes.routes()
}

fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

/// Every service and the server as a whole serve when the node is ready.
async fn report(reporter: &HealthReporter, is_ready: bool) {
    let status = if is_ready { ServingStatus::Serving } else { ServingStatus::NotServing };
    for name in [
        "",
        <AuthorizationServiceServer<Authorization> as NamedService>::NAME,
        <AdministrationServiceServer<Administration> as NamedService>::NAME,
        <WatchServiceServer<Watching> as NamedService>::NAME,
        <StoreServiceServer<Backup> as NamedService>::NAME,
        <CallerServiceServer<ServiceCallers> as NamedService>::NAME,
        <AuditServiceServer<Audit> as NamedService>::NAME,
        <EnvoyAuthorizationServer<ExtAuthz> as NamedService>::NAME,
    ] {
        reporter.set_service_status(name, status).await;
    }
}

async fn follow_readiness(node: Arc<Node>, reporter: HealthReporter) {
    let mut readiness = node.readiness();
    loop {
        let is_ready = {
            let now = readiness.borrow_and_update();
            if !now.is_ready() {
                warn!(problems = ?now.problems, "this node is not ready");
            }
            now.is_ready()
        };
        report(&reporter, is_ready).await;
        if readiness.changed().await.is_err() {
            return;
        }
    }
}
