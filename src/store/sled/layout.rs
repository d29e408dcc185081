//! How the `sled` engine lays out entries and changes as small key-value pairs of one tree.
//!
//! One tree, because a batch of one tree is atomic. The first byte of a key says what it is:
//! `m` meta, `r` an entry, `v` a piece of a long value, `c` a piece of a change set. No pair is
//! longer than [`PIECE_BYTES_MAX`] plus its key: sled puts pages over 128 KiB into files of their
//! own, which it never syncs, and a full page of 17 such pairs stays below that.
//!
//! Pure: bytes in, bytes out. It must never trust what it decodes: every length is checked.

use sha2::{Digest as _, Sha256};

use crate::store::commit::{ChangeSet, Mutation};
use crate::store::contract::Revision;
use crate::store::error::StoreError;

/// Key of the format name.
pub(super) const FORMAT_KEY: &[u8] = b"mformat";
/// Key of the store's random id.
pub(super) const ID_KEY: &[u8] = b"mid";
/// Key of the encoded [`Head`].
pub(super) const HEAD_KEY: &[u8] = b"mhead";
/// What stands under [`FORMAT_KEY`]. A change of this layout changes the number.
pub(super) const FORMAT: &[u8] = b"camgate-sled-2";

/// Longest piece of a value or of a change set, in bytes.
pub(super) const PIECE_BYTES_MAX: usize = 6 * 1024;

const ENTRY_TAG: u8 = b'r';
const PIECE_TAG: u8 = b'v';
const CHANGE_TAG: u8 = b'c';
const INLINE_VALUE: u8 = 0;
const LONG_VALUE: u8 = 1;
const PUT: u8 = 1;
const DELETE: u8 = 2;

/// Where the store stands; written with every commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Head {
    /// The newest commit.
    pub(super) revision: Revision,
    /// The smallest revision that can be watched from: change sets after it are all there.
    pub(super) oldest_start: Revision,
    /// Encoded bytes of all change sets that are kept.
    pub(super) changes_bytes: u64,
    /// All entries there are.
    pub(super) census: Census,
}

/// Which entries there are, in a few bytes: how many, and the sum of a hash of each key with its
/// revision. A commit changes it by what it writes; opening counts the tree's own entries and
/// compares, because a damaged tree can leave out entries from a scan and still find them by key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Census {
    entries: u64,
    /// Modulo 2^128, so that the order of additions is irrelevant.
    sum: u128,
}

impl Census {
    /// With one entry more.
    pub(super) fn with(self, key: &[u8], revision: Revision) -> Self {
        Self {
            entries: self.entries.wrapping_add(1),
            sum: self.sum.wrapping_add(entry_hash(key, revision)),
        }
    }

    /// With one entry less.
    pub(super) fn without(self, key: &[u8], revision: Revision) -> Self {
        Self {
            entries: self.entries.wrapping_sub(1),
            sum: self.sum.wrapping_sub(entry_hash(key, revision)),
        }
    }
}

fn entry_hash(key: &[u8], revision: Revision) -> u128 {
    let hash = Sha256::new().chain_update(revision.0.to_be_bytes()).chain_update(key).finalize();
    hash.first_chunk().map_or(0, |first| u128::from_be_bytes(*first))
}

impl Head {
    /// Number of change sets that are kept.
    pub(super) fn change_count(&self) -> u64 {
        self.revision.0.saturating_sub(self.oldest_start.0)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let Self { revision, oldest_start, changes_bytes, census: Census { entries, sum } } = self;
        let mut out =
            [revision.0, oldest_start.0, *changes_bytes, *entries].map(u64::to_be_bytes).concat();
        out.extend(sum.to_be_bytes());
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let mut input = Input(bytes);
        let head = Self {
            revision: Revision(input.number()?),
            oldest_start: Revision(input.number()?),
            changes_bytes: input.number()?,
            census: Census { entries: input.number()?, sum: input.wide_number()? },
        };
        input.end()?;
        if head.oldest_start > head.revision {
            return Err(damaged("the head record lies before the oldest change"));
        }
        Ok(head)
    }
}

/// What stands under an entry's key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum StoredValue<'a> {
    /// The value itself.
    Inline { revision: Revision, value: &'a [u8] },
    /// A value in pieces.
    Long(LongValue),
}

impl StoredValue<'_> {
    /// The revision the entry was put at.
    pub(super) fn revision(&self) -> Revision {
        match self {
            Self::Inline { revision, .. } | Self::Long(LongValue { revision, .. }) => *revision,
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<StoredValue<'_>, StoreError> {
        let mut input = Input(bytes);
        let tag = input.byte()?;
        let revision = Revision(input.number()?);
        match tag {
            INLINE_VALUE => Ok(StoredValue::Inline { revision, value: input.0 }),
            LONG_VALUE => {
                let long =
                    LongValue { revision, ordinal: input.number()?, byte_len: input.number()? };
                input.end()?;
                Ok(StoredValue::Long(long))
            }
            _ => Err(damaged("an entry has an unknown kind of value")),
        }
    }
}

/// Names the pieces of a long value: the mutation number `ordinal` of the commit `revision`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct LongValue {
    pub(super) revision: Revision,
    pub(super) ordinal: u64,
    /// Bytes of the whole value.
    pub(super) byte_len: u64,
}

impl LongValue {
    /// Keys of the pieces, in order.
    pub(super) fn piece_keys(self) -> impl Iterator<Item = Vec<u8>> {
        let count = self.byte_len.div_ceil(PIECE_BYTES_MAX as u64);
        (0..count).map(move |piece| tagged(PIECE_TAG, &[self.revision.0, self.ordinal, piece]))
    }
}

/// The pairs to write for one put: the entry, then the pieces of a long value.
pub(super) fn entry_pairs(
    key: &[u8],
    value: &[u8],
    revision: Revision,
    ordinal: u64,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut stored = Vec::with_capacity(value.len().min(PIECE_BYTES_MAX).saturating_add(32));
    if value.len() <= PIECE_BYTES_MAX {
        stored.push(INLINE_VALUE);
        stored.extend(revision.0.to_be_bytes());
        stored.extend(value);
        return vec![(entry_key(key), stored)];
    }
    let long = LongValue { revision, ordinal, byte_len: value.len() as u64 };
    stored.push(LONG_VALUE);
    stored.extend([revision.0, ordinal, long.byte_len].map(u64::to_be_bytes).concat());
    let pieces = value.chunks(PIECE_BYTES_MAX).map(<[u8]>::to_vec);
    let mut pairs = vec![(entry_key(key), stored)];
    pairs.extend(long.piece_keys().zip(pieces));
    pairs
}

/// The tree's key of an entry, and of a prefix of entries.
pub(super) fn entry_key(key: &[u8]) -> Vec<u8> {
    [&[ENTRY_TAG], key].concat()
}

/// What comes after the tree's keys of all entries.
pub(super) fn entries_end() -> Vec<u8> {
    vec![ENTRY_TAG.saturating_add(1)]
}

/// The entry's own key again.
pub(super) fn entry_key_of(tree_key: &[u8]) -> Result<Vec<u8>, StoreError> {
    match tree_key.split_first() {
        Some((&ENTRY_TAG, key)) => Ok(key.to_vec()),
        Some(_) | None => Err(damaged("an entry has a key of another kind")),
    }
}

/// What the keys of all pieces of one change set begin with.
pub(super) fn change_prefix(revision: Revision) -> Vec<u8> {
    tagged(CHANGE_TAG, &[revision.0])
}

/// The pairs to write for one change set; their values together are [`encode_mutations`].
pub(super) fn change_pairs(revision: Revision, encoded: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let keys = (0_u64..).map(|piece| tagged(CHANGE_TAG, &[revision.0, piece]));
    keys.zip(encoded.chunks(PIECE_BYTES_MAX).map(<[u8]>::to_vec)).collect()
}

/// A count, then each mutation with lengths before its parts.
pub(super) fn encode_mutations(mutations: &[Mutation]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend((mutations.len() as u64).to_be_bytes());
    for mutation in mutations {
        match mutation {
            Mutation::Put { key, value } => {
                out.push(PUT);
                push_sized(&mut out, key);
                push_sized(&mut out, value);
            }
            Mutation::Delete { key } => {
                out.push(DELETE);
                push_sized(&mut out, key);
            }
        }
    }
    out
}

/// The change set again. Missing pieces show as missing bytes.
pub(super) fn decode_change(revision: Revision, encoded: &[u8]) -> Result<ChangeSet, StoreError> {
    let mut input = Input(encoded);
    let count = input.number()?;
    let mut mutations = Vec::new();
    for _ in 0..count {
        let tag = input.byte()?;
        let key = input.sized()?.to_vec();
        mutations.push(match tag {
            PUT => Mutation::Put { key, value: input.sized()?.to_vec() },
            DELETE => Mutation::Delete { key },
            _ => return Err(damaged("a change set has an unknown kind of mutation")),
        });
    }
    input.end()?;
    Ok(ChangeSet { revision, mutations })
}

/// An error for data that contradicts itself.
pub(super) fn damaged(what: &str) -> StoreError {
    let detail = format!("{what}: restore the whole store directory from a backup");
    StoreError::Corrupt { detail }
}

fn tagged(tag: u8, numbers: &[u64]) -> Vec<u8> {
    let mut key = vec![tag];
    key.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
    key
}

fn push_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u64).to_be_bytes());
    out.extend(bytes);
}

/// Bytes still to decode.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Result<u8, StoreError> {
        let (first, rest) = self.0.split_first().ok_or_else(too_short)?;
        self.0 = rest;
        Ok(*first)
    }

    fn number(&mut self) -> Result<u64, StoreError> {
        let (first, rest) = self.0.split_first_chunk().ok_or_else(too_short)?;
        self.0 = rest;
        Ok(u64::from_be_bytes(*first))
    }

    fn wide_number(&mut self) -> Result<u128, StoreError> {
        let (first, rest) = self.0.split_first_chunk().ok_or_else(too_short)?;
        self.0 = rest;
        Ok(u128::from_be_bytes(*first))
    }

    fn sized(&mut self) -> Result<&'a [u8], StoreError> {
        let len = usize::try_from(self.number()?).map_err(|_| too_short())?;
        let (first, rest) = self.0.split_at_checked(len).ok_or_else(too_short)?;
        self.0 = rest;
        Ok(first)
    }

    fn end(&self) -> Result<(), StoreError> {
        if self.0.is_empty() { Ok(()) } else { Err(damaged("a stored value is too long")) }
    }
}

fn too_short() -> StoreError {
    damaged("a stored value is too short")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<Mutation> {
        vec![
            Mutation::Put { key: "a/1/策略".into(), value: vec![0; 3] },
            Mutation::Delete { key: vec![0xff] },
            Mutation::Put { key: vec![0], value: vec![] },
        ]
    }

    #[test]
    fn a_change_set_survives_and_every_shortening_of_it_is_refused() {
        let encoded = encode_mutations(&sample());
        let change = decode_change(Revision(7), &encoded).unwrap();
        assert_eq!(change, ChangeSet { revision: Revision(7), mutations: sample() });
        for len in 0..encoded.len() {
            assert!(decode_change(Revision(7), &encoded[..len]).is_err(), "{len} bytes");
        }
        let longer = [&encoded[..], &[0]].concat();
        assert!(decode_change(Revision(7), &longer).is_err());
    }

    #[test]
    fn a_length_from_the_disk_is_never_trusted() {
        let mut encoded = encode_mutations(&sample());
        encoded[9..17].copy_from_slice(&u64::MAX.to_be_bytes());
        assert!(decode_change(Revision(1), &encoded).is_err());
        encoded[..8].copy_from_slice(&u64::MAX.to_be_bytes());
        assert!(decode_change(Revision(1), &encoded).is_err());
    }

    #[test]
    fn values_are_cut_into_pieces_at_n_plus_1() {
        let at_limit = entry_pairs(b"k", &[7; PIECE_BYTES_MAX], Revision(3), 0);
        assert_eq!(at_limit.len(), 1);
        let value = [7; PIECE_BYTES_MAX + 1];
        let over = entry_pairs(b"k", &value, Revision(3), 5);
        assert_eq!(over.len(), 3);
        assert!(over.iter().all(|(_, bytes)| bytes.len() <= PIECE_BYTES_MAX));
        let StoredValue::Long(long) = StoredValue::decode(&over[0].1).unwrap() else {
            panic!("a long value expected");
        };
        let keys: Vec<_> = over[1..].iter().map(|(key, _)| key.clone()).collect();
        assert_eq!(long.piece_keys().collect::<Vec<_>>(), keys);
        assert_eq!(over[1..].iter().flat_map(|(_, b)| b.clone()).collect::<Vec<_>>(), value);
    }

    #[test]
    fn a_census_tells_entries_apart_and_forgets_their_order() {
        let none = Census::default();
        let two = none.with(b"a", Revision(1)).with(b"b", Revision(2));
        assert_eq!(two, none.with(b"b", Revision(2)).with(b"a", Revision(1)));
        assert_eq!(two.without(b"a", Revision(1)), none.with(b"b", Revision(2)));
        assert_ne!(two, none.with(b"a", Revision(2)).with(b"b", Revision(1)));
        assert_ne!(two, none.with(b"a", Revision(1)).with(b"a", Revision(1)));
    }

    #[test]
    fn a_head_survives_and_nonsense_is_refused() {
        let census = Census::default().with(b"k", Revision(9));
        let head =
            Head { revision: Revision(9), oldest_start: Revision(4), changes_bytes: 77, census };
        assert_eq!(Head::decode(&head.encode()).unwrap(), head);
        assert_eq!(head.change_count(), 5);
        let nonsense = Head { oldest_start: Revision(10), ..head };
        assert!(Head::decode(&nonsense.encode()).is_err());
        assert!(Head::decode(&head.encode()[1..]).is_err());
        assert!(StoredValue::decode(&[9; 9]).is_err());
        assert!(StoredValue::decode(&[]).is_err());
    }
}
