//! The door of the gRPC port: a layer before every service.
//!
//! It takes a call on or refuses it, and ends it when its time is over: a call whose deadline has
//! passed before its turn is not begun. It must never look at what is asked.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::body::Body;
use tonic::server::NamedService;
use tonic_health::server::HealthService;
use tower_layer::Layer;
use tower_service::Service;

use super::body::{Arriving, Leaving};
use super::{Call, Class, Refused};
use crate::service::proto::administration_service_server::AdministrationServiceServer;
use crate::service::proto::authorization_service_server::AuthorizationServiceServer;
use crate::service::proto::store_service_server::StoreServiceServer;
use crate::service::proto::watch_service_server::WatchServiceServer;
use crate::service::status::refused;
use crate::service::transport::PeerInfo;
use crate::service::{
    ADMINISTRATION_BYTES_MAX, AUTHORIZATION_BYTES_MAX, Administration, Authorization, Backup,
    EnvoyAuthorizationServer, ExtAuthz, GATE_BYTES_MAX, SMALL_REQUEST_BYTES_MAX, Watching,
};

/// Where a caller says how long it waits.
const TIMEOUT: &str = "grpc-timeout";
/// Most digits of it.
const TIMEOUT_DIGITS_MAX: usize = 8;

/// In a request of a service that tells refusals in its own words: it must answer with one.
#[derive(Debug, Clone, Copy)]
pub(in crate::service) struct IsShed;

/// The layer.
#[derive(Debug, Clone, Copy)]
pub(in crate::service) struct Admission;

/// A service behind the door.
#[derive(Debug, Clone)]
pub(in crate::service) struct Admitted<S> {
    inner: S,
}

impl<S> Layer<S> for Admission {
    type Service = Admitted<S>;

    fn layer(&self, inner: S) -> Admitted<S> {
        Admitted { inner }
    }
}

/// What a method is, by its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Method {
    class: Class,
    message_bytes_max: usize,
    /// Whether its service tells refusals itself.
    tells: bool,
}

impl Method {
    fn of(path: &str) -> Self {
        let (service, name) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
        let (class, message_bytes_max) = match service {
            <AuthorizationServiceServer<Authorization> as NamedService>::NAME => {
                let class = match name {
                    "Check" => Class::Check,
                    "StreamCheck" => Class::Stream,
                    _ => Class::Batch,
                };
                (class, AUTHORIZATION_BYTES_MAX)
            }
            <EnvoyAuthorizationServer<ExtAuthz> as NamedService>::NAME => {
                return Self {
                    class: Class::Check,
                    message_bytes_max: GATE_BYTES_MAX,
                    tells: true,
                };
            }
            <AdministrationServiceServer<Administration> as NamedService>::NAME => {
                (Class::Administration, ADMINISTRATION_BYTES_MAX)
            }
            <WatchServiceServer<Watching> as NamedService>::NAME
            | <StoreServiceServer<Backup> as NamedService>::NAME => {
                (Class::Stream, SMALL_REQUEST_BYTES_MAX)
            }
            <Health as NamedService>::NAME => {
                let class = if name == "Watch" { Class::Stream } else { Class::Health };
                (class, SMALL_REQUEST_BYTES_MAX)
            }
            // Reflection: a stream that its client keeps open.
            service if service.starts_with("grpc.reflection.") => {
                (Class::Stream, SMALL_REQUEST_BYTES_MAX)
            }
            // About callers, or nothing that there is.
            _ => (Class::Administration, SMALL_REQUEST_BYTES_MAX),
        };
        Self { class, message_bytes_max, tells: false }
    }
}

type Health = tonic_health::pb::health_server::HealthServer<HealthService>;

/// How long a caller waits. What cannot be read counts as nothing said, as everywhere in gRPC.
fn timeout(text: &str) -> Option<Duration> {
    let unit = text.chars().next_back()?;
    let digits = text.strip_suffix(unit)?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || digits.len() > TIMEOUT_DIGITS_MAX {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        'H' => Duration::from_secs(count * 3_600),
        'M' => Duration::from_secs(count * 60),
        'S' => Duration::from_secs(count),
        'm' => Duration::from_millis(count),
        'u' => Duration::from_micros(count),
        'n' => Duration::from_nanos(count),
        _ => return None,
    })
}

impl<S> Service<Request<Body>> for Admitted<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Answering<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let method = Method::of(request.uri().path());
        let deadline = request.headers().get(TIMEOUT).and_then(|text| text.to_str().ok());
        let deadline = deadline.and_then(timeout).and_then(|it| Instant::now().checked_add(it));
        let peer = request.extensions().get::<PeerInfo>().map(PeerInfo::load);
        // Without a connection there is nobody to answer to.
        let Some(peer) = peer else {
            return Answering::refused(Refused::OpenCalls { limit: 0 });
        };
        let call = match Call::open(peer, method.class) {
            Ok(call) => call,
            Err(why) => return Answering::refused(why),
        };
        if let Err(why) = call.enter() {
            if !method.tells {
                return Answering::refused(why);
            }
            request.extensions_mut().insert(IsShed);
        }
        let arriving =
            |body| Body::new(Arriving::new(body, Arc::clone(&call), method.message_bytes_max));
        let inner = self.inner.call(request.map(arriving));
        Answering {
            inner: Some(inner),
            late: None,
            why: None,
            deadline,
            is_begun: false,
            under_way: UnderWay { call: Some(call) },
        }
    }
}

/// A call that was taken on, until it is answered.
struct UnderWay {
    call: Option<Arc<Call>>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(call) = &self.call {
            call.peer().gave_up();
        }
    }
}

pin_project! {
    /// An answer that is being made.
    pub(in crate::service) struct Answering<F> {
        #[pin]
        inner: Option<F>,
        late: Option<Pin<Box<Sleep>>>,
        // Why there is none.
        why: Option<Refused>,
        deadline: Option<Instant>,
        is_begun: bool,
        under_way: UnderWay,
    }
}

impl<F> Answering<F> {
    fn refused(why: Refused) -> Self {
        Self {
            inner: None,
            late: None,
            why: Some(why),
            deadline: None,
            is_begun: false,
            under_way: UnderWay { call: None },
        }
    }
}

impl<F, E> Future for Answering<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = Result<Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let call = match (this.why.take(), &this.under_way.call) {
            (None, Some(call)) => call,
            (why, _) => {
                let why = why.unwrap_or(Refused::OpenCalls { limit: 0 });
                return Poll::Ready(Ok(refused(why).into_http()));
            }
        };
        let has_passed = |deadline: &Instant| *deadline <= Instant::now();
        let is_late = !std::mem::replace(this.is_begun, true)
            && this.deadline.as_ref().is_some_and(has_passed);
        let polled = match this.inner.as_mut().as_pin_mut() {
            Some(inner) if !is_late => inner.poll(context),
            Some(_) | None => Poll::Pending,
        };
        if let Poll::Ready(answer) = polled {
            call.answered();
            let call = this.under_way.call.take();
            let deadline = *this.deadline;
            return Poll::Ready(answer.map(|answer| match call {
                Some(call) => answer.map(|body| Body::new(Leaving::new(body, call, deadline))),
                None => answer,
            }));
        }
        let limit_ms = call.port().limits().call_ms_max;
        let why = match this.deadline {
            Some(deadline) if is_late || has_passed(deadline) => Refused::Deadline,
            deadline => {
                let late = this.late.get_or_insert_with(|| {
                    let longest = Instant::now() + Duration::from_millis(limit_ms);
                    Box::pin(sleep_until(deadline.map_or(longest, |it| it.min(longest))))
                });
                ready!(late.as_mut().poll(context));
                match deadline {
                    Some(deadline) if has_passed(deadline) => Refused::Deadline,
                    Some(_) | None => Refused::TooSlow { limit_ms },
                }
            }
        };
        // What it was doing ends here.
        this.inner.set(None);
        call.port().count_late();
        this.under_way.call = None;
        Poll::Ready(Ok(refused(why).into_http()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_call_has_its_class() {
        for (path, class) in [
            ("/camgate.v1.AuthorizationService/Check", Class::Check),
            ("/camgate.v1.AuthorizationService/BatchCheck", Class::Batch),
            ("/camgate.v1.AuthorizationService/Explain", Class::Batch),
            ("/camgate.v1.AuthorizationService/StreamCheck", Class::Stream),
            ("/camgate.v1.WatchService/Watch", Class::Stream),
            ("/camgate.v1.StoreService/Export", Class::Stream),
            ("/camgate.v1.AdministrationService/CreateAccount", Class::Administration),
            ("/camgate.v1.CallerService/ListCallers", Class::Administration),
            ("/envoy.service.auth.v3.Authorization/Check", Class::Check),
            ("/grpc.health.v1.Health/Check", Class::Health),
            ("/grpc.health.v1.Health/Watch", Class::Stream),
            ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Class::Stream),
            ("", Class::Administration),
        ] {
            assert_eq!(Method::of(path).class, class, "{path}");
        }
        assert!(Method::of("/envoy.service.auth.v3.Authorization/Check").tells);
    }

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        for (text, expected) in [
            ("1H", Some(Duration::from_secs(3_600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("4m", Some(Duration::from_millis(4))),
            ("5u", Some(Duration::from_micros(5))),
            ("6n", Some(Duration::from_nanos(6))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3_600))),
            ("0m", Some(Duration::ZERO)),
            ("100000000m", None),
            ("m", None),
            ("", None),
            ("1", None),
            ("-1m", None),
            ("+1m", None),
            ("1.5S", None),
            ("1é", None),
        ] {
            assert_eq!(timeout(text), expected, "{text}");
        }
    }
}
