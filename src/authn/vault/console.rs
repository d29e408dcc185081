//! The claims of a console session: who signed in with a password, until when.
//!
//! Sealed under a key of their own, so that no temporary credential's token is a console session,
//! and the other way round. Whether they still hold is the node's to say.

use prost::Message as _;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::proto;

const FORMAT: u32 = 1;

/// The inside of a console session's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleClaims {
    /// The account.
    pub owner_uin: u64,
    /// The sub-account in it.
    pub uin: u64,
    /// When the session began, in milliseconds since 1970.
    pub issued_at_ms: i64,
    /// From when on it is nothing, in milliseconds since 1970.
    pub expires_at_ms: i64,
    /// [`password_digest`] of the password that was right.
    pub password_digest: [u8; 32],
}

/// What binds a session to a password: the digest of its stored hash, which has its own salt.
#[must_use]
pub fn password_digest(stored_hash: &str) -> [u8; 32] {
    Sha256::digest(stored_hash.as_bytes()).into()
}

impl ConsoleClaims {
    /// The bytes to seal.
    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let message = proto::ConsoleClaims {
            format: FORMAT,
            owner_uin: self.owner_uin,
            uin: self.uin,
            issued_at_ms: self.issued_at_ms,
            expires_at_ms: self.expires_at_ms,
            password_digest: self.password_digest.to_vec(),
        };
        Zeroizing::new(message.encode_to_vec())
    }

    /// Reads what was sealed; none when another version sealed it.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let message = proto::ConsoleClaims::decode(bytes).ok()?;
        let proto::ConsoleClaims {
            format: FORMAT,
            owner_uin,
            uin,
            issued_at_ms,
            expires_at_ms,
            password_digest,
        } = message
        else {
            return None;
        };
        let password_digest = password_digest.try_into().ok()?;
        Some(Self { owner_uin, uin, issued_at_ms, expires_at_ms, password_digest })
    }
}
