//! The `Store` contract: what every engine promises, and the words it is told in.
//!
//! Keys and values are opaque bytes here; `record.rs` gives them meaning. This file must never
//! know a policy, an account or an engine. It stands between the node, which reads, commits and
//! watches, and the engines, which keep the bytes.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::change::Watch;
use super::commit::{Commit, CommitLimits};
use super::error::StoreError;
use super::scan::Scan;

/// The store's monotonic number: every commit gets a greater one than all commits before it.
///
/// Engines that own their numbering count 1, 2, 3, ...; a shared engine may skip numbers. So a
/// gap between two revisions is no sign of a missed change; a watch promises that instead.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision of a store that nothing was ever committed to.
    pub const EMPTY: Self = Self(0);
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// One key with its value, and the commit that last wrote it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// 1 to [`super::KEY_BYTES_MAX`] bytes.
    pub key: Vec<u8>,
    /// 0 to [`super::VALUE_BYTES_MAX`] bytes.
    pub value: Vec<u8>,
    /// The revision of the commit that last put this key.
    pub revision: Revision,
}

/// A node that runs on a store, as it says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeEntry {
    /// Unique among the nodes of the store.
    pub id: String,
    /// What the node says; opaque here.
    pub value: Vec<u8>,
}

/// What a store operation returns: a boxed future, so that `Arc<dyn Store>` works.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A durable, versioned map of bytes to bytes with atomic commits and a change stream.
///
/// Promises of every engine, each checked by the conformance suite:
/// - A commit takes effect whole or not at all, and is durable before it is acknowledged.
/// - Nothing is ever shown before it is durable: not by a read, not by a watch. So a revision that
///   was shown never comes back with another content.
/// - A read sees exactly the commits up to the revision it returns, never half a commit.
/// - A read that starts after a commit was acknowledged sees it.
/// - A watch yields every commit after its start, whole, once, in order; where the engine no
///   longer has them it says [`StoreError::Compacted`] and ends, and the caller reads again.
/// - A commit whose future is dropped takes effect whole or not at all.
pub trait Store: Send + Sync + fmt::Debug {
    /// A short constant name for logs and error messages, such as `memory`.
    fn engine_name(&self) -> &'static str;

    /// True when no other process can write to this store, so its owner may skip watching it.
    fn is_exclusive(&self) -> bool;

    /// The largest commit this engine takes; a larger one is [`StoreError::TooLarge`].
    fn commit_limits(&self) -> CommitLimits;

    /// The newest durable revision.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the engine cannot answer.
    fn head(&self) -> StoreFuture<'_, Revision>;

    /// The entry under `key`, if there is one, and the revision this is true at.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    fn read<'a>(&'a self, key: &'a [u8]) -> StoreFuture<'a, (Option<Entry>, Revision)>;

    /// All entries whose key begins with `prefix`, sorted by key, and the one revision they are
    /// all at. The empty prefix is the whole store.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    fn read_prefix<'a>(&'a self, prefix: &'a [u8]) -> StoreFuture<'a, (Vec<Entry>, Revision)>;

    /// Begins to read all entries as they are now, page by page, for what is too large to be read
    /// at once. Commits go on meanwhile, and the scan does not see them.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`]; also of each page, and
    /// [`StoreError::ScanLost`] where the engine no longer knows what was there.
    fn scan(&self) -> StoreFuture<'_, Scan>;

    /// Makes all mutations of `commit` true at one new revision, if all preconditions hold.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a precondition fails or a deleted key is absent (nothing was
    /// changed: read again and retry); what [`Commit::check`] refuses; after
    /// [`StoreError::Unavailable`] the caller cannot know whether the commit took effect.
    fn commit(&self, commit: Commit) -> StoreFuture<'_, Revision>;

    /// The stream of commits with a revision greater than `after`.
    ///
    /// # Errors
    /// [`StoreError::Compacted`] when the engine no longer has all of them, and
    /// [`StoreError::Ahead`] when `after` is greater than the head: that caller's state does not
    /// come from this store, and it must read again.
    fn watch(&self, after: Revision) -> StoreFuture<'_, Watch>;

    /// Says that a node runs, to be said again every second: some seconds after the last time the
    /// node is forgotten. A store of one node has nobody to tell.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the engine cannot answer.
    fn announce<'a>(&'a self, node: &'a NodeEntry) -> StoreFuture<'a, ()> {
        let _nobody_to_tell = node;
        Box::pin(async { Ok(()) })
    }

    /// The nodes that run on this store, by id; none where there can be one only.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the engine cannot answer.
    fn nodes(&self) -> StoreFuture<'_, Vec<NodeEntry>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}
