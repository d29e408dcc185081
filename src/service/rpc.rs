//! One span and one log line for each call: method, owner, code, elapsed time.
//!
//! It must never log what is asked about nor any document: who may read the log need not be the one
//! who may read the account.

use std::future::Future;
use std::time::Instant;

use tonic::{Response, Status};
use tracing::{Instrument, Level, Span, debug, debug_span, enabled, info_span};

use super::status::status;
use crate::node::NodeError;

/// Runs one call in its span and turns its error into a status.
pub(super) async fn call<T>(
    method: &'static str,
    owner_uin: u64,
    work: impl Future<Output = Result<T, NodeError>>,
) -> Result<Response<T>, Status> {
    served(work, status).instrument(info_span!("rpc", method, owner_uin)).await
}

/// As [`call`], for what is asked thousands of times a second: at the usual level of the log only
/// an error gets a span.
pub(super) async fn frequent_call<T>(
    method: &'static str,
    owner_uin: u64,
    work: impl Future<Output = Result<T, NodeError>>,
) -> Result<Response<T>, Status> {
    let span = debug_span!("rpc", method, owner_uin);
    let fail = |error| match Span::current().is_disabled() {
        true => info_span!("rpc", method, owner_uin).in_scope(|| status(error)),
        false => status(error),
    };
    served(work, fail).instrument(span).await
}

async fn served<T>(
    work: impl Future<Output = Result<T, NodeError>>,
    fail: impl FnOnce(NodeError) -> Status,
) -> Result<Response<T>, Status> {
    let started = enabled!(Level::DEBUG).then(Instant::now);
    let result = work.await.map_err(fail);
    let code = match &result {
        Ok(_) => tonic::Code::Ok,
        Err(status) => status.code(),
    };
    if let Some(started) = started {
        debug!(code = ?code, elapsed_us = started.elapsed().as_micros(), "served");
    }
    result.map(Response::new)
}
