//! Calls of the HTTP surfaces, counted, timed, and told to the log when they were slow.
//!
//! It must never hold up an answer, and never know what was asked.

use std::future::Future;
use std::time::Instant;

use hyper::StatusCode;

use super::cam::error::CamError;
use crate::node::{CallResult, Ending, Meter, Node, noting};

/// Does the work of one call. `ending` says how it ended when it was not answered.
pub(super) async fn measured<T>(
    node: &Node,
    meter: &Meter,
    work: impl Future<Output = T>,
    ending: impl FnOnce(&T) -> Option<Ending>,
) -> T {
    let started = Instant::now();
    let (value, notes) = noting(work).await;
    node.call_ended(meter, 0, started.elapsed(), ending(&value), &notes);
    value
}

/// An ending with an error of the CAM API, or in its words.
pub(super) fn of_cam(error: &CamError) -> Ending {
    let code = &error.code;
    let is_ours = ["InternalError", "ServiceUnavailable", "ResourceUnavailable"]
        .iter()
        .any(|ours| code.split('.').next() == Some(ours));
    let result = if is_ours { CallResult::Failed } else { CallResult::Refused };
    Ending { result, code: code.clone(), reason: "" }
}

/// An ending with an HTTP status.
pub(super) fn of_http(status: StatusCode) -> Ending {
    let result = if status.is_server_error() { CallResult::Failed } else { CallResult::Refused };
    Ending { result, code: status.as_str().to_owned().into(), reason: "" }
}
