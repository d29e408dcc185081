//! What is in a store, in a few bytes: how much, and its digest.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::lang::hex::hex;
use crate::store::key;

/// How many entries there are, how many bytes, and a digest of all keys and values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Contents {
    /// Entries, without the store's id.
    pub entries: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// SHA-256 over them in the order of their keys.
    pub digest: [u8; 32],
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entries, bytes, digest: _ } = self;
        let noun = if *entries == 1 { "entry" } else { "entries" };
        write!(f, "{entries} {noun} of {bytes} bytes, {}", self.digest_text())
    }
}

impl Contents {
    /// The digest for people: `sha256:` and hexadecimal digits.
    #[must_use]
    pub fn digest_text(&self) -> String {
        digest_text(&self.digest)
    }
}

/// A digest for people.
pub(super) fn digest_text(digest: &[u8]) -> String {
    format!("sha256:{}", hex(digest))
}

/// Whether an entry belongs to the store itself, and not to what is in it.
pub(super) fn is_of_the_store(key: &[u8]) -> bool {
    key == key::STORE_ID || key == key::IMPORT
}

/// Adds entries up, in the order of their keys.
#[derive(Debug, Default)]
pub(super) struct Sum {
    hash: Sha256,
    entries: u64,
    bytes: u64,
    last: Vec<u8>,
}

impl Sum {
    /// Adds an entry; false when its key does not come after the one before.
    #[must_use]
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) -> bool {
        if key <= self.last.as_slice() {
            return false;
        }
        for part in [key, value] {
            self.hash.update((part.len() as u64).to_be_bytes());
            self.hash.update(part);
            self.bytes = self.bytes.saturating_add(part.len() as u64);
        }
        self.entries = self.entries.saturating_add(1);
        self.last.clear();
        self.last.extend_from_slice(key);
        true
    }

    /// What was added so far.
    pub(super) fn entries(&self) -> u64 {
        self.entries
    }

    /// What was added.
    pub(super) fn contents(self) -> Contents {
        let Self { hash, entries, bytes, last: _ } = self;
        Contents { entries, bytes, digest: hash.finalize().into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(entries: &[(&str, &str)]) -> Contents {
        let mut sum = Sum::default();
        for (key, value) in entries {
            assert!(sum.add(key.as_bytes(), value.as_bytes()), "{key}");
        }
        sum.contents()
    }

    #[test]
    fn what_differs_has_another_digest() {
        let all = [
            sum(&[]),
            sum(&[("a", "")]),
            sum(&[("ab", "")]),
            sum(&[("a", "b")]),
            sum(&[("a", ""), ("b", "")]),
            sum(&[("a", "b"), ("c", "")]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(all[at + 1..].iter().all(|other| other.digest != one.digest), "{at}");
        }
        assert_eq!(sum(&[("策略", "一")]), sum(&[("策略", "一")]));
    }

    #[test]
    fn keys_must_ascend_and_none_is_empty() {
        let mut sum = Sum::default();
        assert!(!sum.add(b"", b"v"));
        assert!(sum.add(b"b", b"v"));
        assert!(!sum.add(b"b", b"v"));
        assert!(!sum.add(b"a", b"v"));
        assert!(sum.add(b"b/", b"v"));
        assert_eq!(sum.contents().entries, 2);
    }
}
