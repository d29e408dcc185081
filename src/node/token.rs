//! Revision tokens: what callers hold in place of a revision.
//!
//! A token says which store it is from, at which revision, and a check sum, so that a token of
//! another store or a damaged one is refused instead of meaning something else. Callers must treat
//! it as opaque; nothing but this file may look inside.

use sha2::{Digest, Sha256};

use super::error::NodeError;
use crate::lang::hex::hex;
use crate::store::Revision;

/// Hexadecimal digits of the part that names the store.
const STORE_DIGITS: usize = 8;
/// Hexadecimal digits of the revision.
const REVISION_DIGITS: usize = 16;
/// Hexadecimal digits of the check sum.
const CHECK_DIGITS: usize = 4;

/// Writes and reads the tokens of one store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// The first digits of the hash of the store's id.
    store: String,
}

impl Tokens {
    /// The tokens of the store with this id.
    #[must_use]
    pub fn new(store_id: &str) -> Self {
        Self { store: hash_digits(store_id, STORE_DIGITS) }
    }

    /// The tokens of the store that a token is from; none for what is no token.
    #[must_use]
    pub fn like(token: &str) -> Option<Self> {
        let tokens = Self { store: token.get(..STORE_DIGITS)?.to_owned() };
        tokens.read(token).is_ok().then_some(tokens)
    }

    /// The token of a revision: 28 hexadecimal digits.
    #[must_use]
    pub fn write(&self, revision: Revision) -> String {
        let body = format!("{}{:0width$x}", self.store, revision.0, width = REVISION_DIGITS);
        let check = hash_digits(&body, CHECK_DIGITS);
        body + &check
    }

    /// The revision of a token of this store.
    ///
    /// # Errors
    /// [`NodeError::BadToken`] for anything that is no token, [`NodeError::ForeignToken`] for a
    /// token of another store.
    pub fn read(&self, token: &str) -> Result<Revision, NodeError> {
        let bad = || NodeError::BadToken { token: token.chars().take(64).collect() };
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if token.len() != STORE_DIGITS + REVISION_DIGITS + CHECK_DIGITS
            || !token.bytes().all(is_hex)
        {
            return Err(bad());
        }
        let (body, check) =
            token.split_at_checked(STORE_DIGITS + REVISION_DIGITS).ok_or_else(bad)?;
        let (store, revision) = body.split_at_checked(STORE_DIGITS).ok_or_else(bad)?;
        if hash_digits(body, CHECK_DIGITS) != check {
            return Err(bad());
        }
        if store != self.store {
            return Err(NodeError::ForeignToken);
        }
        u64::from_str_radix(revision, 16).map(Revision).map_err(|_| bad())
    }
}

/// The first `digits` hexadecimal digits of the SHA-256 of a text.
pub(crate) fn hash_digits(text: &str, digits: usize) -> String {
    let hash = Sha256::digest(text.as_bytes());
    let mut text = hex(hash.get(..digits.div_ceil(2)).unwrap_or(&hash));
    text.truncate(digits);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_gives_its_revision_back_to_its_own_store_only() {
        let (ours, theirs) = (Tokens::new("a"), Tokens::new("b"));
        for revision in [0, 1, 77, u64::MAX].map(Revision) {
            let token = ours.write(revision);
            assert_eq!(ours.read(&token).unwrap(), revision);
            assert!(matches!(theirs.read(&token), Err(NodeError::ForeignToken)));
        }
    }

    #[test]
    fn a_damaged_token_is_refused() {
        let tokens = Tokens::new("a");
        let token = tokens.write(Revision(5));
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            let damaged = String::from_utf8(bytes).unwrap();
            assert!(matches!(tokens.read(&damaged), Err(NodeError::BadToken { .. })), "{damaged}");
        }
        for text in [
            "",
            "5",
            "群组",
            token.strip_suffix(|_: char| true).unwrap(),
            &token.to_uppercase(),
            &"é".repeat(14),
        ] {
            assert!(matches!(tokens.read(text), Err(NodeError::BadToken { .. })), "{text}");
        }
    }
}
