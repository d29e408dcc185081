//! Idempotent writes: which request ids an account remembers, and the record of one.
//!
//! The record is written in the commit of the change itself, so both are there or neither. The
//! index in memory only knows which ids are oldest; a stale index makes a commit conflict, and is
//! read again. It must never be the only proof that an id is new: the commit requires that.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::error::NodeError;
use crate::store::{Entry, Revision};

/// Longest request id, in bytes.
pub(crate) const REQUEST_ID_BYTES_MAX: usize = 128;
/// Longest answer that is remembered, in bytes; a longer one is remembered as too long.
const FORMAT: u8 = 1;
const HASH_BYTES: usize = 32;

/// A request that must take effect once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId {
    /// The caller's id: 1 to 128 bytes.
    pub id: String,
    /// Hash of the whole request.
    pub hash: [u8; HASH_BYTES],
}

impl RequestId {
    /// The id with the hash of the request's bytes and of its method.
    #[must_use]
    pub fn new(id: &str, method: &str, request: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(method.as_bytes());
        hash.update([0]);
        hash.update(request);
        Self { id: id.to_owned(), hash: hash.finalize().into() }
    }

    /// The record: format, hash, answer.
    pub(super) fn record(&self, answer: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + HASH_BYTES + answer.len());
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.hash);
        bytes.extend_from_slice(answer);
        bytes
    }

    /// The answer that the record holds for this same request.
    ///
    /// # Errors
    /// [`NodeError::RequestIdReused`] when it was another request, [`NodeError::Record`] when the
    /// record cannot be read.
    pub(super) fn answer_in(&self, record: &[u8]) -> Result<Vec<u8>, NodeError> {
        let parts = record.split_first().and_then(|(format, rest)| {
            rest.split_at_checked(HASH_BYTES).map(|(hash, answer)| (*format, hash, answer))
        });
        let Some((FORMAT, hash, answer)) = parts else {
            let problem = format!("it is {} bytes of an unknown format", record.len());
            return Err(NodeError::Record { key: self.id.clone(), problem });
        };
        if hash != self.hash {
            return Err(NodeError::RequestIdReused { request_id: self.id.clone() });
        }
        Ok(answer.to_vec())
    }
}

/// The remembered ids of one account, oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct RequestIndex {
    keys: BTreeSet<(Revision, Vec<u8>)>,
}

impl RequestIndex {
    pub(super) fn new(entries: Vec<Entry>) -> Self {
        Self { keys: entries.into_iter().map(|entry| (entry.revision, entry.key)).collect() }
    }

    /// The keys to delete so that one more is at most `max`, oldest first.
    pub(super) fn surplus(&self, max: usize) -> Vec<Vec<u8>> {
        let surplus = (self.keys.len() + 1).saturating_sub(max.max(1));
        self.keys.iter().take(surplus).map(|(_, key)| key.clone()).collect()
    }

    /// Notes a commit: one key added, some deleted.
    pub(super) fn note(&mut self, revision: Revision, added: Vec<u8>, deleted: &[Vec<u8>]) {
        self.keys.retain(|(_, key)| !deleted.contains(key));
        self.keys.insert((revision, added));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_answers_the_same_request_only() {
        let first = RequestId::new("r", "CreateGroup", b"ops");
        let record = first.record(b"answer");
        assert_eq!(first.answer_in(&record).unwrap(), b"answer");
        for other in
            [RequestId::new("r", "CreateGroup", b"dev"), RequestId::new("r", "DeleteGroup", b"ops")]
        {
            let answer = other.answer_in(&record);
            assert!(matches!(answer, Err(NodeError::RequestIdReused { .. })));
        }
        assert!(matches!(first.answer_in(&record[..20]), Err(NodeError::Record { .. })));
        assert!(matches!(first.answer_in(&[]), Err(NodeError::Record { .. })));
    }

    #[test]
    fn the_oldest_ids_make_room() {
        let mut index = RequestIndex::default();
        for revision in 1..=3_u8 {
            assert!(index.surplus(3).is_empty());
            index.note(Revision(u64::from(revision)), vec![9 - revision], &[]);
        }
        assert_eq!(index.surplus(3), [vec![8]]);
        index.note(Revision(4), vec![4], &[vec![8]]);
        assert_eq!(index.surplus(2), [vec![7], vec![6]]);
    }
}
