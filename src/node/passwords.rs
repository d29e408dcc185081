//! Console passwords: hashed away from the threads that serve requests.
//!
//! Hashing is slow on purpose. The password itself goes nowhere from here; what is kept is its
//! hash, on the record of its sub-account.

use super::error::NodeError;
use crate::authn::password::Password;
use crate::directory::PasswordHash;

/// The hash of a password, to be kept.
///
/// # Errors
/// [`NodeError::Password`] without randomness; [`NodeError::Internal`] when no thread does it.
pub async fn hash_password(password: Password) -> Result<PasswordHash, NodeError> {
    let hashed = tokio::task::spawn_blocking(move || password.hash()).await;
    let hashed = hashed.map_err(|error| NodeError::Internal(error.to_string()))?;
    Ok(PasswordHash(hashed?))
}
