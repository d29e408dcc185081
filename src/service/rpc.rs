//! One span and one log line for each call: method, owner, code, elapsed time.
//!
//! It must never log what is asked about nor any document: who may read the log need not be the one
//! who may read the account.

use std::future::Future;
use std::time::Instant;

use tonic::{Response, Status};
use tracing::{Instrument, debug, info_span};

use super::status::status;
use crate::node::NodeError;

/// Runs one call in its span and turns its error into a status.
pub(super) async fn call<T>(
    method: &'static str,
    owner_uin: u64,
    work: impl Future<Output = Result<T, NodeError>>,
) -> Result<Response<T>, Status> {
    let started = Instant::now();
    let span = info_span!("rpc", method, owner_uin);
    async move {
        let result = work.await.map_err(status);
        let code = match &result {
            Ok(_) => tonic::Code::Ok,
            Err(status) => status.code(),
        };
        debug!(code = ?code, elapsed_us = started.elapsed().as_micros(), "served");
        result.map(Response::new)
    }
    .instrument(span)
    .await
}
