//! One span and one log line for each call: method, owner, code, elapsed time; and its measure.
//!
//! It must never log what is asked about nor any document: who may read the log need not be the one
//! who may read the account.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use tonic::{Response, Status};
use tracing::{Instrument, Level, Span, debug, debug_span, enabled, info_span};

use super::status::ApiError;
use crate::node::{Meter, Node, NodeError, noting};

/// The protocol, as metrics and logs call it.
const SURFACE: &str = "grpc";

/// The meter of a method.
pub(super) fn meter(node: &Node, method: &'static str) -> Arc<Meter> {
    node.meters().of(SURFACE, method)
}

/// Runs one call in its span and turns its error into a status.
pub(super) async fn call<T>(
    node: &Node,
    method: &'static str,
    owner_uin: u64,
    work: impl Future<Output = Result<T, NodeError>>,
) -> Result<Response<T>, Status> {
    let meter = meter(node, method);
    let span = info_span!("rpc", method, owner_uin);
    served(node, &meter, owner_uin, work, ApiError::from).instrument(span).await
}

/// As [`call`], for what is asked thousands of times a second: the meter is at hand, and at the
/// usual level of the log only an error gets a span.
pub(super) async fn frequent_call<T>(
    node: &Node,
    meter: &Meter,
    owner_uin: u64,
    work: impl Future<Output = Result<T, NodeError>>,
) -> Result<Response<T>, Status> {
    let method = meter.method();
    let span = debug_span!("rpc", method, owner_uin);
    served(node, meter, owner_uin, work, |error| failed(method, owner_uin, error))
        .instrument(span)
        .await
}

/// The error of a call that may have no span: whatever it logs belongs to one.
fn failed(method: &str, owner_uin: u64, error: NodeError) -> ApiError {
    match Span::current().is_disabled() {
        true => info_span!("rpc", method, owner_uin).in_scope(|| error.into()),
        false => error.into(),
    }
}

async fn served<T>(
    node: &Node,
    meter: &Meter,
    owner_uin: u64,
    work: impl Future<Output = Result<T, NodeError>>,
    fail: impl FnOnce(NodeError) -> ApiError,
) -> Result<Response<T>, Status> {
    let started = Instant::now();
    let (result, notes) = noting(work).await;
    let result = result.map_err(fail);
    let took = started.elapsed();
    let error = result.as_ref().err();
    if enabled!(Level::DEBUG) {
        let code = error.map_or(tonic::Code::Ok, |error| error.code);
        debug!(code = ?code, elapsed_us = took.as_micros(), "served");
    }
    node.call_ended(meter, owner_uin, took, error.map(ApiError::ending), &notes);
    Ok(Response::new(result?))
}

/// Answers one question of a stream. Looking at the clock twice would be much beside the answer, so
/// only those that `is_timed` says are timed, and those that have to wait, from then on.
pub(super) async fn question<T>(
    node: &Node,
    meter: &Meter,
    is_timed: bool,
    owner_uin: u64,
    work: impl Future<Output = Result<T, NodeError>>,
) -> Result<T, ApiError> {
    let mut started = is_timed.then(Instant::now);
    let mut work = pin!(work);
    let watched = poll_fn(|context| {
        let polled = work.as_mut().poll(context);
        if polled.is_pending() {
            started.get_or_insert_with(Instant::now);
        }
        polled
    });
    let (result, notes) = noting(watched).await;
    let result = result.map_err(|error| failed(meter.method(), owner_uin, error));
    let ending = result.as_ref().err().map(ApiError::ending);
    let took = started.map(|started| started.elapsed());
    meter.ended(took.filter(|_| is_timed), ending);
    if let Some(took) = took {
        node.look_if_slow(meter, owner_uin, took, &notes);
    }
    result
}
