//! A commit and what it must satisfy before an engine looks at it.
//!
//! Limits stand here and nowhere else. This file must never touch an engine: it checks shape and
//! size, and evaluates preconditions against a lookup that the engine gives.

use std::collections::BTreeSet;

use super::contract::Revision;
use super::error::{CommitLimit, StoreError};

/// Longest key, in bytes, on every engine: an account's prefix and a policy name of 128 Chinese
/// characters fit, and 256 such keys fit one inner page of sled (see `layout.rs`).
pub const KEY_BYTES_MAX: usize = 448;
/// Longest value, in bytes, on every engine.
pub const VALUE_BYTES_MAX: usize = 512 * 1024;

/// The largest commit an engine takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CommitLimits {
    /// Bytes of all mutated keys and values together.
    pub commit_bytes_max: usize,
    /// Number of mutations; there may be as many preconditions.
    pub mutations_max: usize,
}

/// Mutations on their way into commits that an engine takes: for what is larger than one commit and
/// need not be one.
#[derive(Debug)]
pub struct Batcher {
    mutations: Vec<Mutation>,
    bytes: usize,
    mutations_max: usize,
    bytes_max: usize,
}

impl Batcher {
    /// Batches within the limits, and of at most so many bytes, with `spare` mutations to be added
    /// to each by the caller, in `spare_bytes`.
    #[must_use]
    pub fn new(limits: CommitLimits, bytes_max: usize, spare: usize, spare_bytes: usize) -> Self {
        Self {
            mutations: Vec::new(),
            bytes: 0,
            mutations_max: limits.mutations_max.saturating_sub(spare).max(1),
            bytes_max: limits.commit_bytes_max.saturating_sub(spare_bytes).min(bytes_max),
        }
    }

    /// Adds one; gives what was added before when there is no room for it beside that.
    pub fn push(&mut self, mutation: Mutation) -> Option<Vec<Mutation>> {
        let bytes = self.bytes.saturating_add(mutation.byte_len());
        let is_full = self.mutations.len() >= self.mutations_max || bytes > self.bytes_max;
        let full = (is_full && !self.mutations.is_empty()).then(|| self.take());
        self.bytes = self.bytes.saturating_add(mutation.byte_len());
        self.mutations.push(mutation);
        full
    }

    /// What is left.
    pub fn take(&mut self) -> Vec<Mutation> {
        self.bytes = 0;
        std::mem::take(&mut self.mutations)
    }
}

/// What must be true of one key for a commit to take effect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Precondition {
    /// There is no entry under the key.
    Absent {
        /// The key.
        key: Vec<u8>,
    },
    /// There is an entry under the key, whatever its value.
    Exists {
        /// The key.
        key: Vec<u8>,
    },
    /// The entry under the key was last put at exactly this revision.
    AtRevision {
        /// The key.
        key: Vec<u8>,
        /// As in [`super::Entry::revision`].
        revision: Revision,
    },
}

impl Precondition {
    /// The key it speaks about.
    pub fn key(&self) -> &[u8] {
        match self {
            Self::Absent { key } | Self::Exists { key } | Self::AtRevision { key, .. } => key,
        }
    }

    /// Whether it holds for a key that was last put at `found`, or is absent.
    fn holds(&self, found: Option<Revision>) -> bool {
        match self {
            Self::Absent { .. } => found.is_none(),
            Self::Exists { .. } => found.is_some(),
            Self::AtRevision { revision, .. } => found == Some(*revision),
        }
    }
}

/// One change of one key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mutation {
    /// Sets the value, whether or not the key was there.
    Put {
        /// 1 to [`KEY_BYTES_MAX`] bytes.
        key: Vec<u8>,
        /// 0 to [`VALUE_BYTES_MAX`] bytes.
        value: Vec<u8>,
    },
    /// Removes the entry. The key must be there, else the commit is a conflict; so every commit
    /// changes something on every engine.
    Delete {
        /// 1 to [`KEY_BYTES_MAX`] bytes.
        key: Vec<u8>,
    },
}

impl Mutation {
    /// The key it changes.
    pub fn key(&self) -> &[u8] {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }

    /// Bytes of key and value together.
    pub fn byte_len(&self) -> usize {
        match self {
            Self::Put { key, value } => key.len().saturating_add(value.len()),
            Self::Delete { key } => key.len(),
        }
    }
}

/// One commit as a watcher sees it: whole, with its mutations in the committer's order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangeSet {
    /// The commit's revision.
    pub revision: Revision,
    /// At least one; no key twice.
    pub mutations: Vec<Mutation>,
}

impl ChangeSet {
    /// Bytes of all its keys and values together: what change retention counts.
    pub fn byte_len(&self) -> usize {
        byte_len(&self.mutations)
    }
}

/// What to change, and what must be true for that. Built up by chaining.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Commit {
    /// All must hold.
    pub preconditions: Vec<Precondition>,
    /// All take effect at one revision. No key twice.
    pub mutations: Vec<Mutation>,
}

impl Commit {
    /// A commit of nothing, to be filled; as it stands every engine refuses it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key` to `value`.
    #[must_use]
    pub fn put(mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.mutations.push(Mutation::Put { key: key.into(), value: value.into() });
        self
    }

    /// Removes `key`, which must be there.
    #[must_use]
    pub fn delete(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.mutations.push(Mutation::Delete { key: key.into() });
        self
    }

    /// Requires that `key` is absent.
    #[must_use]
    pub fn require_absent(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.preconditions.push(Precondition::Absent { key: key.into() });
        self
    }

    /// Requires that `key` is present.
    #[must_use]
    pub fn require_exists(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.preconditions.push(Precondition::Exists { key: key.into() });
        self
    }

    /// Requires that `key` was last put at exactly `revision`.
    #[must_use]
    pub fn require_at(mut self, key: impl Into<Vec<u8>>, revision: Revision) -> Self {
        self.preconditions.push(Precondition::AtRevision { key: key.into(), revision });
        self
    }

    /// Bytes of all mutated keys and values together: what `commit_bytes_max` limits.
    pub fn byte_len(&self) -> usize {
        byte_len(&self.mutations)
    }

    /// Checks shape and size, without looking at any stored data.
    ///
    /// # Errors
    /// [`StoreError::EmptyCommit`], [`StoreError::EmptyKey`], [`StoreError::DuplicateKey`] or
    /// [`StoreError::TooLarge`] with the limit and the actual number.
    pub fn check(&self, limits: CommitLimits) -> Result<(), StoreError> {
        if self.mutations.is_empty() {
            return Err(StoreError::EmptyCommit);
        }
        at_most(CommitLimit::Mutations, limits.mutations_max, self.mutations.len())?;
        at_most(CommitLimit::Preconditions, limits.mutations_max, self.preconditions.len())?;
        for precondition in &self.preconditions {
            check_key(precondition.key())?;
        }
        let mut seen = BTreeSet::new();
        for mutation in &self.mutations {
            check_key(mutation.key())?;
            if let Mutation::Put { value, .. } = mutation {
                at_most(CommitLimit::ValueBytes, VALUE_BYTES_MAX, value.len())?;
            }
            if !seen.insert(mutation.key()) {
                return Err(StoreError::DuplicateKey { key: mutation.key().to_vec() });
            }
        }
        at_most(CommitLimit::CommitBytes, limits.commit_bytes_max, self.byte_len())
    }

    /// Evaluates the preconditions, among them that deleted keys exist, against `last_put`: the
    /// revision a key was last put at, or none when it is absent.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] with the first key that fails, and whatever `last_put` fails with.
    pub(super) fn check_preconditions(
        &self,
        mut last_put: impl FnMut(&[u8]) -> Result<Option<Revision>, StoreError>,
    ) -> Result<(), StoreError> {
        for precondition in &self.preconditions {
            let found = last_put(precondition.key())?;
            if !precondition.holds(found) {
                return Err(StoreError::Conflict { key: precondition.key().to_vec() });
            }
        }
        for mutation in &self.mutations {
            if let Mutation::Delete { key } = mutation
                && last_put(key)?.is_none()
            {
                return Err(StoreError::Conflict { key: key.clone() });
            }
        }
        Ok(())
    }
}

fn byte_len(mutations: &[Mutation]) -> usize {
    mutations.iter().fold(0, |sum, mutation| sum.saturating_add(mutation.byte_len()))
}

fn check_key(key: &[u8]) -> Result<(), StoreError> {
    if key.is_empty() {
        return Err(StoreError::EmptyKey);
    }
    at_most(CommitLimit::KeyBytes, KEY_BYTES_MAX, key.len())
}

fn at_most(what: CommitLimit, limit: usize, actual: usize) -> Result<(), StoreError> {
    if actual > limit {
        return Err(StoreError::TooLarge { what, limit, actual });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(number: usize, bytes: usize) -> Mutation {
        Mutation::Put { key: vec![b'k', u8::try_from(number).unwrap()], value: vec![0; bytes - 2] }
    }

    #[test]
    fn batches_are_as_large_as_they_may_be_and_no_larger() {
        let limits = CommitLimits { commit_bytes_max: 1_000, mutations_max: 4 };
        let sizes = [100, 100, 100, 100, 900, 50, 2, 1_500, 2];
        let mut batcher = Batcher::new(limits, 950, 1, 0);
        let mut batches = Vec::new();
        for (number, bytes) in sizes.into_iter().enumerate() {
            batches.extend(batcher.push(put(number, bytes)));
        }
        batches.push(batcher.take());
        let counts: Vec<usize> = batches.iter().map(Vec::len).collect();
        // One that is too large by itself goes alone, for the engine to refuse.
        assert_eq!(counts, [3, 1, 2, 1, 1, 1]);
        let all: Vec<Mutation> = batches.into_iter().flatten().collect();
        let expected: Vec<_> = sizes.into_iter().enumerate().map(|(at, it)| put(at, it)).collect();
        assert_eq!(all, expected);
        assert!(batcher.take().is_empty());
    }
}
