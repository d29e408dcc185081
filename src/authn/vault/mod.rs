//! The vault: what is secret at rest and in tokens, under one key that never leaves the process.
//!
//! A random data key seals everything; the store keeps it wrapped under the operator's master key
//! ([`keyring`]). From the data key come four keys, one per use, by HKDF with labels. Rotating the
//! master key wraps the data key anew and touches nothing else. What does not open is refused with
//! no hint why; no error and no `Debug` holds a key, a secret or a token.

pub mod claims;
pub mod console;
pub mod keyring;
mod keys;
pub mod master_key;
mod proto;
mod sealed;
#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

use super::random::NoEntropy;
use super::secret::SecretKey;
use claims::Claims;
use console::ConsoleClaims;
use keys::DataKey;
use sealed::Seal;

/// Longest token, in bytes of text (spec section 5).
pub const TOKEN_BYTES_MAX: usize = 4_096;
/// Bytes of a token before they are written as text.
const TOKEN_RAW_BYTES_MAX: usize = TOKEN_BYTES_MAX / 4 * 3;

/// Why something is not sealed or does not open.
#[derive(Debug, Error)]
pub enum VaultError {
    /// Sealed elsewhere, for another owner or id, damaged, or forged: not told apart.
    #[error("the sealed {0} does not open with this store's key")]
    NotOurs(&'static str),
    /// The claims make a token that is too long.
    #[error("the token would have {bytes} bytes; at most {TOKEN_BYTES_MAX} are allowed")]
    TokenTooLong {
        /// What it would have.
        bytes: usize,
    },
    /// No randomness.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    /// The cipher refused to seal; it does so for impossible lengths only.
    #[error("sealing the {0} failed")]
    Seal(&'static str),
}

/// Seals and opens with one store's data key.
pub struct Vault {
    secrets: Seal,
    tokens: Seal,
    consoles: Seal,
    temporary: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault(redacted)")
    }
}

impl Vault {
    fn new(data_key: &DataKey) -> Self {
        Self {
            secrets: Seal::new("secret", &data_key.derive("camgate access-key secrets 1")),
            tokens: Seal::new("token", &data_key.derive("camgate session tokens 1")),
            consoles: Seal::new("console session", &data_key.derive("camgate console sessions 1")),
            temporary: data_key.derive("camgate temporary secrets 1"),
        }
    }

    /// Seals the secret of an access key for its record. It opens only for the same owner and id,
    /// so records cannot be swapped.
    ///
    /// # Errors
    /// [`VaultError::NoEntropy`], or [`VaultError::Seal`].
    pub fn seal_secret(
        &self,
        owner_uin: u64,
        secret_id: &str,
        secret: &SecretKey,
    ) -> Result<Vec<u8>, VaultError> {
        self.secrets.seal(&secret_label(owner_uin, secret_id), secret.expose().as_bytes())
    }

    /// Opens the secret of an access key.
    ///
    /// # Errors
    /// [`VaultError::NotOurs`].
    pub fn open_secret(
        &self,
        owner_uin: u64,
        secret_id: &str,
        sealed: &[u8],
    ) -> Result<SecretKey, VaultError> {
        let bytes = self.secrets.open(&secret_label(owner_uin, secret_id), sealed)?;
        let text = std::str::from_utf8(&bytes).ok().and_then(SecretKey::parse);
        text.ok_or(VaultError::NotOurs("secret"))
    }

    /// Seals claims into the text of a token.
    ///
    /// # Errors
    /// [`VaultError::TokenTooLong`], [`VaultError::NoEntropy`] or [`VaultError::Seal`].
    pub fn seal_token(&self, claims: &Claims) -> Result<String, VaultError> {
        to_text(&self.tokens.seal(b"", &claims.encode())?)
    }

    /// Opens a token of this store. Says nothing about expiry: the caller compares.
    ///
    /// # Errors
    /// [`VaultError::NotOurs`].
    pub fn open_token(&self, token: &str) -> Result<Claims, VaultError> {
        let not_ours = || VaultError::NotOurs("token");
        let sealed = from_text(token).ok_or_else(not_ours)?;
        let bytes = self.tokens.open(b"", &sealed)?;
        Claims::decode(&bytes).ok_or_else(not_ours)
    }

    /// Seals the claims of a console session into the text of its token.
    ///
    /// # Errors
    /// As [`Vault::seal_token`].
    pub fn seal_console(&self, claims: &ConsoleClaims) -> Result<String, VaultError> {
        to_text(&self.consoles.seal(b"", &claims.encode())?)
    }

    /// Opens a console session of this store. Says nothing about expiry.
    ///
    /// # Errors
    /// [`VaultError::NotOurs`].
    pub fn open_console(&self, token: &str) -> Result<ConsoleClaims, VaultError> {
        let not_ours = || VaultError::NotOurs("console session");
        let sealed = from_text(token).ok_or_else(not_ours)?;
        let bytes = self.consoles.open(b"", &sealed)?;
        ConsoleClaims::decode(&bytes).ok_or_else(not_ours)
    }

    /// The secret of a token's temporary key: derived, so that it is stored nowhere.
    #[must_use]
    pub fn temporary_secret(&self, claims: &Claims, token: &str) -> Option<SecretKey> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.temporary.as_slice()).ok()?;
        mac.update(claims.secret_id.as_bytes());
        mac.update(&Sha256::digest(token.as_bytes()));
        let bytes = Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes()));
        let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()));
        SecretKey::parse(&text)
    }
}

/// The text of a token.
fn to_text(sealed: &[u8]) -> Result<String, VaultError> {
    let text = URL_SAFE_NO_PAD.encode(sealed);
    if text.len() > TOKEN_BYTES_MAX {
        return Err(VaultError::TokenTooLong { bytes: text.len() });
    }
    Ok(text)
}

/// The bytes of a token's text.
fn from_text(token: &str) -> Option<Vec<u8>> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let mut sealed = Vec::with_capacity(TOKEN_RAW_BYTES_MAX);
    URL_SAFE_NO_PAD.decode_vec(token, &mut sealed).ok()?;
    Some(sealed)
}

/// Fixed lengths first, so that no two pairs make one label.
fn secret_label(owner_uin: u64, secret_id: &str) -> Vec<u8> {
    [owner_uin.to_be_bytes().as_slice(), secret_id.as_bytes()].concat()
}
