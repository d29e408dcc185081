//! Who calls: the key or the token that signed, and who holds it.
//!
//! The signature is proven before anything else of a call is believed. Of a key that does not count
//! it is never said why: unknown, deleted and inactive are one.

use std::sync::Arc;

use super::Received;
use super::error::CamError;
use crate::authn::tc3::RequestParts;
use crate::node::{self, CallerError, Node};
use crate::service::status;

/// Who calls, proven.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// The account that the caller acts in.
    pub(super) owner_uin: u64,
    /// Who acts: a uin, or a role's id.
    pub(super) principal: u64,
    /// The SecretId that signed.
    pub(super) secret_id: String,
    /// The node's proof of all this.
    pub(super) proven: node::Caller,
}

impl Caller {
    /// Whether it is the root account itself.
    pub(super) fn is_root(&self) -> bool {
        self.principal == self.owner_uin
    }
}

/// Proves who calls.
///
/// # Errors
/// An `AuthFailure`, or what else is wrong with the headers; the official code of each.
pub(super) async fn authenticate(
    node: &Arc<Node>,
    received: &Received,
    service: &str,
) -> Result<Caller, CamError> {
    let headers: Vec<(&str, &[u8])> =
        received.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
    let parts = RequestParts {
        method: &received.method,
        path: &received.path,
        query: &received.query,
        headers: &headers,
        body: &received.body,
    };
    let proven = node.authenticate(&parts, service).await.map_err(refused)?;
    Ok(Caller {
        owner_uin: proven.owner_uin(),
        principal: proven.principal(),
        secret_id: proven.secret_id().to_owned(),
        proven,
    })
}

fn refused(error: CallerError) -> CamError {
    let code = error.code();
    match (error, code) {
        (CallerError::Node(error), _) => status::cam(error),
        (other, code) => CamError::new(code.unwrap_or("InternalError"), other.to_string()),
    }
}
