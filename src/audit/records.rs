//! Records into an entry, within its size.
//!
//! The largest contents give way first: a document of which only the digest is kept can still be
//! proved to be the one that was there. It must never leave a record out without counting it.

use sha2::{Digest as _, Sha256};

use super::chain::digest;
use super::entry::{Content, Omitted, RecordChange};

/// Most bytes of keys and contents in one entry. Well below the store's longest value, and a
/// fraction of its largest commit.
pub const ENTRY_RECORDS_BYTES_MAX: usize = 128 * 1024;
/// What a digest with its length takes.
const DIGEST_BYTES: usize = 40;

/// A changed record as the store knows it, secrets replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordBytes {
    /// Its key.
    pub key: Vec<u8>,
    /// Its bytes before; none when it was not there.
    pub before: Option<Vec<u8>>,
    /// Its bytes now; none when it is gone.
    pub after: Option<Vec<u8>>,
}

impl RecordBytes {
    fn longest(&self) -> usize {
        let len = |side: &Option<Vec<u8>>| side.as_ref().map_or(0, Vec::len);
        len(&self.before).max(len(&self.after))
    }
}

/// The records for an entry: sorted by key, the largest as digests, and what has no room even so.
#[must_use]
pub fn record_changes(mut records: Vec<RecordBytes>) -> (Vec<RecordChange>, Option<Omitted>) {
    records.sort_by(|a, b| a.key.cmp(&b.key));
    let whole_max = longest_kept(&records);
    let mut left = ENTRY_RECORDS_BYTES_MAX;
    let mut kept = Vec::with_capacity(records.len());
    let (mut omitted, mut hash) = (0_u64, Sha256::new());
    for RecordBytes { key, before, after } in records {
        let shorten = |bytes: Vec<u8>| content(bytes, whole_max);
        let change = RecordChange { key, before: before.map(shorten), after: after.map(shorten) };
        match left.checked_sub(byte_len(&change)) {
            // After the first that has no room nothing has: what is kept is a beginning.
            Some(rest) if omitted == 0 => {
                left = rest;
                kept.push(change);
            }
            Some(_) | None => {
                omitted = omitted.saturating_add(1);
                add(&mut hash, &change);
            }
        }
    }
    let omitted =
        (omitted > 0).then(|| Omitted { records: omitted, sha256: hash.finalize().into() });
    (kept, omitted)
}

/// The length up to which contents are kept whole, so that everything fits: no limit when all do.
fn longest_kept(records: &[RecordBytes]) -> usize {
    let mut lengths: Vec<usize> = records.iter().map(RecordBytes::longest).collect();
    lengths.sort_unstable();
    lengths.dedup();
    let fits = |whole_max: &usize| {
        let side = |bytes: &Option<Vec<u8>>| match bytes {
            None => 0,
            Some(bytes) if bytes.len() <= *whole_max => bytes.len(),
            Some(_) => DIGEST_BYTES,
        };
        let sizes = records.iter().map(|it| it.key.len() + side(&it.before) + side(&it.after));
        sizes.fold(0, usize::saturating_add) <= ENTRY_RECORDS_BYTES_MAX
    };
    // More whole contents take more room, from the length of a digest on.
    let candidates = lengths.partition_point(|length| *length <= DIGEST_BYTES || fits(length));
    let longest = candidates.checked_sub(1).and_then(|last| lengths.get(last));
    longest.copied().unwrap_or(0).max(DIGEST_BYTES)
}

fn content(bytes: Vec<u8>, whole_max: usize) -> Content {
    if bytes.len() <= whole_max {
        return Content::Whole(bytes);
    }
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    Content::Digest { sha256: digest(&bytes), length }
}

fn byte_len(change: &RecordChange) -> usize {
    let side = |content: &Option<Content>| match content {
        None => 0,
        Some(Content::Whole(bytes)) => bytes.len(),
        Some(Content::Digest { .. }) => DIGEST_BYTES,
    };
    change.key.len() + side(&change.before) + side(&change.after)
}

/// Hashes a record so that no two different ones read the same: each part with its length.
fn add(hash: &mut Sha256, change: &RecordChange) {
    let mut part = |bytes: &[u8]| {
        hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(bytes);
    };
    part(&change.key);
    for side in [&change.before, &change.after] {
        match side {
            None => part(b"absent"),
            Some(Content::Whole(bytes)) => {
                part(b"whole");
                part(bytes);
            }
            Some(Content::Digest { sha256, length }) => {
                part(b"digest");
                part(sha256);
                part(&length.to_be_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &str, before: usize, after: usize) -> RecordBytes {
        let bytes = |length| (length > 0).then(|| vec![7; length]);
        RecordBytes { key: key.into(), before: bytes(before), after: bytes(after) }
    }

    #[test]
    fn small_changes_are_kept_whole_and_sorted() {
        let (kept, omitted) = record_changes(vec![record("b", 0, 6_000), record("a", 50, 0)]);
        assert_eq!(omitted, None);
        let keys: Vec<_> = kept.iter().map(|it| it.key.as_slice()).collect();
        assert_eq!(keys, [b"a", b"b"]);
        assert_eq!(kept[0].before, Some(Content::Whole(vec![7; 50])));
        assert_eq!((&kept[0].after, &kept[1].before), (&None, &None));
        assert_eq!(kept[1].after, Some(Content::Whole(vec![7; 6_000])));
        assert_eq!(record_changes(Vec::new()), (Vec::new(), None));
    }

    #[test]
    fn the_largest_give_way_first() {
        let mut records: Vec<_> = (0..30).map(|n| record(&format!("k{n:02}"), 0, 5_000)).collect();
        records.push(record("small", 100, 100));
        let (kept, omitted) = record_changes(records);
        assert_eq!((kept.len(), omitted), (31, None));
        let expected = Content::Digest { sha256: digest(&[7; 5_000]), length: 5_000 };
        assert!(kept[..30].iter().all(|it| it.after.as_ref() == Some(&expected)));
        assert_eq!(kept[30].after, Some(Content::Whole(vec![7; 100])));
    }

    #[test]
    fn what_has_no_room_as_digests_is_counted_and_hashed() {
        let many = |length| -> Vec<_> {
            (0..10_000).map(|n| record(&format!("a/key/{n:050}"), length, length)).collect()
        };
        let (kept, omitted) = record_changes(many(300));
        let omitted = omitted.unwrap();
        assert_eq!(kept.len() as u64 + omitted.records, 10_000);
        assert!(kept.len() > 900);
        assert!(kept.iter().map(byte_len).sum::<usize>() <= ENTRY_RECORDS_BYTES_MAX);
        let (_, other) = record_changes(many(301));
        assert_ne!(other.unwrap().sha256, omitted.sha256);
    }
}
