//! Who calls: the key that signed, and who holds it.
//!
//! The signature is proven before anything else of a call is believed. Of a key that does not count
//! it is never said why: unknown, deleted and inactive are one.

use std::sync::Arc;

use super::Received;
use super::error::CamError;
use crate::authn::tc3::{self, RequestParts, Tc3Error};
use crate::directory::SecretId;
use crate::node::{Node, SigningKey};
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
    let signed = tc3::read(&parts, service, node.now().0).map_err(|error| refused(&error))?;
    if signed.token().is_some() {
        return Err(CamError::new("AuthFailure.TokenFailure", "there are no temporary keys"));
    }
    let key = find(node, signed.secret_id()).await?;
    let verified = signed.verify(&key.secret).map_err(|error| refused(&error))?;
    Ok(Caller {
        owner_uin: key.owner_uin,
        principal: key.holder,
        secret_id: verified.secret_id().to_owned(),
    })
}

fn refused(error: &Tc3Error) -> CamError {
    CamError::new(error.code(), error.to_string())
}

async fn find(node: &Node, secret_id: &str) -> Result<SigningKey, CamError> {
    let key = match SecretId::parse(secret_id) {
        Some(id) => node.signing_key(id).await.map_err(status::cam)?,
        None => None,
    };
    key.ok_or_else(|| {
        let message = format!(
            "there is no active key `{secret_id}`: it was deleted or disabled, or is mistyped"
        );
        CamError::new("AuthFailure.SecretIdNotFound", message)
    })
}
