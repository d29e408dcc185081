//! A request of the API as it was sent: what was signed must not be rewritten on the way.
//!
//! Path and query stay encoded, headers keep their bytes and their repetitions. It must never read
//! more than the limits allow. When it is there the server has work to do, so its place among the
//! calls that are worked on is taken here.

use std::sync::Arc;

use axum::extract::Request;
use tokio_stream::StreamExt as _;

use super::limits::{BODY_BYTES_MAX, BODY_TIME_MAX};
use crate::service::cam::Received;
use crate::service::cam::error::CamError;
use crate::service::overload::{Call, Refused};
use crate::service::transport::PeerInfo;

/// The code of a request that the server has no room for.
pub(in crate::service) const TOO_MUCH: &str = "RequestLimitExceeded";

/// Reads a request.
///
/// # Errors
/// `RequestSizeLimitExceeded`, `InvalidRequest` when the body does not come, or
/// `RequestLimitExceeded` when the server has too much to do.
pub(in crate::service) async fn receive(request: Request) -> Result<Received, CamError> {
    let (head, body) = request.into_parts();
    let Some(peer) = head.extensions.get::<PeerInfo>().map(|peer| peer.address) else {
        return Err(CamError::new("InternalError", "the caller's address is not known"));
    };
    if let Some(why) = head.extensions.get::<Refused>() {
        return Err(too_much(*why));
    }
    let Some(call) = head.extensions.get::<Arc<Call>>() else {
        return Err(CamError::new("InternalError", "the request was not taken on"));
    };
    let body = match tokio::time::timeout(BODY_TIME_MAX, read_body(body)).await {
        Ok(body) => body?,
        Err(_) => {
            let message = format!("the body did not come within {} s", BODY_TIME_MAX.as_secs());
            return Err(CamError::new("InvalidRequest", message));
        }
    };
    call.reads(body.len()).and_then(|()| call.enter()).map_err(too_much)?;
    let header = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
        (name.as_str().to_owned(), value.as_bytes().to_vec())
    };
    Ok(Received {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers.iter().map(header).collect(),
        body,
        peer: peer.ip(),
    })
}

/// The server has too much to do.
fn too_much(why: Refused) -> CamError {
    CamError::new(TOO_MUCH, why.to_string())
}

async fn read_body(body: axum::body::Body) -> Result<Vec<u8>, CamError> {
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| {
            CamError::new("InvalidRequest", format!("the body could not be read: {error}"))
        })?;
        if bytes.len().saturating_add(chunk.len()) > BODY_BYTES_MAX {
            let message = format!("the body is longer than {BODY_BYTES_MAX} bytes");
            return Err(CamError::new("RequestSizeLimitExceeded", message));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
