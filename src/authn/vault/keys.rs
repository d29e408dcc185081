//! 32-byte keys, and keys derived from them by HKDF-SHA256 with labels.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::authn::random::{self, NoEntropy};

/// The random key that a store's secrets hang on.
pub(super) struct DataKey(pub(super) Zeroizing<[u8; 32]>);

impl DataKey {
    pub(super) fn generate() -> Result<Self, NoEntropy> {
        random::bytes().map(Self)
    }

    /// The key for one use.
    pub(super) fn derive(&self, label: &str) -> Zeroizing<[u8; 32]> {
        derive(&self.0, label)
    }
}

/// One label, one key. Keys of different labels tell nothing about each other.
pub(super) fn derive(key: &[u8; 32], label: &str) -> Zeroizing<[u8; 32]> {
    let mut derived = Zeroizing::new([0; 32]);
    let expanded = Hkdf::<Sha256>::new(None, key).expand(label.as_bytes(), derived.as_mut_slice());
    // INVARIANT (hkdf length): HKDF-SHA256 gives up to 8,160 bytes; 32 is a constant here.
    assert!(expanded.is_ok(), "HKDF gives 32 bytes");
    derived
}
