//! The door of the HTTP port: a request is taken on or sent away with 503.
//!
//! Surfaces that read a body learn it from `receive` and say it in their own words: clients of the
//! CAM API read no other status than 200. Health, readiness and metrics are always answered. It
//! must never look at what is asked.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{HeaderValue, RETRY_AFTER};

use crate::service::gate::FORWARD_AUTH_PATH;
use crate::service::overload::{self, Call, Class, Refused};
use crate::service::transport::PeerInfo;

/// What a path is: its class, and whether its surface reads a body and takes its place afterwards.
fn kind(path: &str) -> (Class, bool) {
    match path {
        "/healthz" | "/readyz" | "/metrics" => (Class::Health, false),
        FORWARD_AUTH_PATH => (Class::Check, false),
        "/access/v1/evaluation" => (Class::Check, true),
        path if path.starts_with("/access/") => (Class::Batch, true),
        path if path.starts_with("/.well-known/") => (Class::Health, false),
        _ => (Class::Administration, true),
    }
}

/// Stands before every surface.
pub(super) async fn middleware(mut request: Request, next: Next) -> Response {
    let (class, reads_body) = kind(request.uri().path());
    let peer = request.extensions().get::<PeerInfo>().map(PeerInfo::load);
    // Without a connection there is nobody to answer to.
    let call = peer.map_or(Err(Refused::OpenCalls { limit: 0 }), |peer| Call::open(peer, class));
    let call = match call {
        Ok(call) => call,
        Err(why) if reads_body => {
            request.extensions_mut().insert(why);
            return told(next.run(request).await);
        }
        Err(why) => return sent_away(why),
    };
    if !reads_body && let Err(why) = call.enter() {
        return sent_away(why);
    }
    request.extensions_mut().insert(Arc::clone(&call));
    let response = next.run(request).await;
    call.answered();
    if call.is_shed() { told(response) } else { response }
}

/// What a surface said in its own words; where that is 503, with the time to try again.
fn told(mut response: Response) -> Response {
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, retry_after());
    }
    response
}

fn sent_away(why: Refused) -> Response {
    let mut response = Response::new(Body::from(format!("{why}\n")));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response.headers_mut().insert(RETRY_AFTER, retry_after());
    response
}

fn retry_after() -> HeaderValue {
    HeaderValue::from(overload::RETRY_AFTER.as_secs())
}
