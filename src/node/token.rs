//! Revision tokens: what callers hold in place of a revision.
//!
//! A token says which store it is from, which node wrote it, at which revision, and a check sum, so
//! that a token of another store or a damaged one is refused instead of meaning something else. The
//! node is there for people who look into what happened: every node of the store reads the token.
//! Callers must treat it as opaque; nothing but this file may look inside.

use sha2::{Digest, Sha256};

use super::error::NodeError;
use crate::lang::hex::hex;
use crate::store::Revision;

/// Hexadecimal digits of the part that names the store.
const STORE_DIGITS: usize = 8;
/// Hexadecimal digits of the part that names the node.
const NODE_DIGITS: usize = 4;
/// Hexadecimal digits of the revision.
const REVISION_DIGITS: usize = 16;
/// Hexadecimal digits of the check sum.
const CHECK_DIGITS: usize = 4;

/// Writes and reads the tokens of one store, on one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// The first digits of the hash of the store's id.
    store: String,
    /// The first digits of the hash of the node's id.
    node: String,
}

impl Tokens {
    /// The tokens of the store with this id, as the node with this id writes them.
    #[must_use]
    pub fn new(store_id: &str, node_id: &str) -> Self {
        let (store, node) = (store_id, node_id);
        Self { store: hash_digits(store, STORE_DIGITS), node: hash_digits(node, NODE_DIGITS) }
    }

    /// The tokens of the store that a token is from; none for what is no token.
    #[must_use]
    pub fn like(token: &str) -> Option<Self> {
        let store = token.get(..STORE_DIGITS)?.to_owned();
        let node = token.get(STORE_DIGITS..STORE_DIGITS + NODE_DIGITS)?.to_owned();
        let tokens = Self { store, node };
        tokens.read(token).is_ok().then_some(tokens)
    }

    /// The token of a revision: 32 hexadecimal digits.
    #[must_use]
    pub fn write(&self, revision: Revision) -> String {
        let Self { store, node } = self;
        let body = format!("{store}{node}{:0width$x}", revision.0, width = REVISION_DIGITS);
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
        let body_digits = STORE_DIGITS + NODE_DIGITS + REVISION_DIGITS;
        if token.len() != body_digits + CHECK_DIGITS || !token.bytes().all(is_hex) {
            return Err(bad());
        }
        let (body, check) = token.split_at_checked(body_digits).ok_or_else(bad)?;
        let (store, rest) = body.split_at_checked(STORE_DIGITS).ok_or_else(bad)?;
        let (_node, revision) = rest.split_at_checked(NODE_DIGITS).ok_or_else(bad)?;
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
        let (ours, theirs) = (Tokens::new("a", "1"), Tokens::new("b", "1"));
        let beside = Tokens::new("a", "2");
        for revision in [0, 1, 77, u64::MAX].map(Revision) {
            let token = ours.write(revision);
            assert_eq!(beside.read(&token).unwrap(), revision);
            assert_ne!(beside.write(revision), token);
            assert_eq!(ours.read(&token).unwrap(), revision);
            assert!(matches!(theirs.read(&token), Err(NodeError::ForeignToken)));
        }
    }

    #[test]
    fn a_damaged_token_is_refused() {
        let tokens = Tokens::new("a", "1");
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
            &"é".repeat(16),
        ] {
            assert!(matches!(tokens.read(text), Err(NodeError::BadToken { .. })), "{text}");
        }
    }
}
