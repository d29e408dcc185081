//! Authenticated encryption: XChaCha20-Poly1305 with random nonces of 24 bytes.
//!
//! `format byte 1 | nonce | ciphertext and tag`. The format byte is authenticated with the label.

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::VaultError;
use crate::authn::random;

const FORMAT: u8 = 1;
const NONCE_BYTES: usize = 24;

/// A key for one use.
pub(super) struct Seal {
    cipher: XChaCha20Poly1305,
    what: &'static str,
}

impl Seal {
    pub(super) fn new(what: &'static str, key: &[u8; 32]) -> Self {
        Self { cipher: XChaCha20Poly1305::new(key.into()), what }
    }

    /// Seals bytes under a label, which is needed again to open them.
    pub(super) fn seal(&self, label: &[u8], bytes: &[u8]) -> Result<Vec<u8>, VaultError> {
        let nonce = random::bytes::<NONCE_BYTES>()?;
        let aad = with_format(label);
        let payload = Payload { msg: bytes, aad: &aad };
        let body = self
            .cipher
            .encrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| VaultError::Seal(self.what))?;
        Ok([[FORMAT].as_slice(), nonce.as_slice(), &body].concat())
    }

    /// Opens what was sealed under the same label.
    pub(super) fn open(
        &self,
        label: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let not_ours = || VaultError::NotOurs(self.what);
        let Some(([FORMAT], rest)) = sealed.split_first_chunk::<1>() else {
            return Err(not_ours());
        };
        let (nonce, body) = rest.split_first_chunk::<NONCE_BYTES>().ok_or_else(not_ours)?;
        let aad = with_format(label);
        let payload = Payload { msg: body, aad: &aad };
        let bytes = self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| not_ours())?;
        Ok(Zeroizing::new(bytes))
    }
}

fn with_format(label: &[u8]) -> Vec<u8> {
    [[FORMAT].as_slice(), label].concat()
}
