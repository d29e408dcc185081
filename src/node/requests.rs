//! Idempotent writes: which request ids an account remembers, and the record of one.
//!
//! The record is written in the commit of the change itself, so both are there or neither. The
//! index in memory only knows which ids are oldest; a stale index makes a commit conflict, and is
//! read again. It must never be the only proof that an id is new: the commit requires that.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::error::NodeError;
use crate::directory::UnixMillis;
use crate::store::record::{DoneRequest, REQUEST_DIGEST_BYTES, encode_done_request};
use crate::store::{Entry, Revision};

/// Longest request id, in bytes.
pub(crate) const REQUEST_ID_BYTES_MAX: usize = 128;

/// A request that must take effect once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId {
    /// The caller's id: 1 to 128 bytes.
    pub id: String,
    /// Hash of the whole request.
    pub hash: [u8; REQUEST_DIGEST_BYTES],
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

    /// The record that this request was done, with its answer.
    pub(super) fn record(&self, done_at: UnixMillis, answer: &[u8]) -> Vec<u8> {
        let answer = answer.to_vec();
        encode_done_request(&DoneRequest { request_digest: self.hash, done_at, answer })
    }

    /// The answer that the record holds for this same request.
    ///
    /// # Errors
    /// [`NodeError::RequestIdReused`] when it was another request.
    pub(super) fn answer_in(&self, done: DoneRequest) -> Result<Vec<u8>, NodeError> {
        if done.request_digest != self.hash {
            return Err(NodeError::RequestIdReused { request_id: self.id.clone() });
        }
        Ok(done.answer)
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
    use crate::node::records;

    #[test]
    fn a_record_answers_the_same_request_only() {
        let first = RequestId::new("r", "CreateGroup", b"ops");
        let value = first.record(UnixMillis(7), b"answer");
        let key = records::request_key(1, "r");
        let entry = Entry { key, value, revision: Revision(1) };
        let record = records::decode_done_request(&entry).unwrap();
        assert_eq!(record.done_at, UnixMillis(7));
        assert_eq!(first.answer_in(record.clone()).unwrap(), b"answer");
        for other in
            [RequestId::new("r", "CreateGroup", b"dev"), RequestId::new("r", "DeleteGroup", b"ops")]
        {
            let answer = other.answer_in(record.clone());
            assert!(matches!(answer, Err(NodeError::RequestIdReused { .. })));
        }
        let cut = Entry { value: entry.value[..20].to_vec(), ..entry };
        assert!(matches!(records::decode_done_request(&cut), Err(NodeError::Record { .. })));
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
