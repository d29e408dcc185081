//! The `memory` engine: the contract in one process, for tests and trials.
//!
//! "Durable" means held in memory: everything is gone with the process. One lock guards the whole
//! state and is held for a whole read or commit, so a read can never see half a commit. The lock
//! is never held across an await. It must never be offered as a production store.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::watch;

use super::change::{
    ChangeLog, ChangeRetention, LogWatch, PageLimits, Watch, check_start, page_of,
};
use super::commit::{ChangeSet, Commit, CommitLimits, Mutation};
use super::contract::{Entry, Revision, Store, StoreFuture};
use super::error::StoreError;
use super::scan::{ReadScan, Scan};

/// The largest commit of this engine: the same as sled's, so that a trial does not mislead.
const COMMIT_LIMITS: CommitLimits =
    CommitLimits { commit_bytes_max: 8 * 1024 * 1024, mutations_max: 10_000 };

/// A store in memory. Cloning is by `Arc<MemoryStore>`; dropping it ends its watches.
pub struct MemoryStore {
    shared: Arc<Shared>,
    /// Here and not in `shared`, so that watches end when the store is dropped.
    durable: watch::Sender<Revision>,
}

struct Shared {
    state: RwLock<State>,
    retention: ChangeRetention,
}

/// A value and the revision it was put at.
struct Stored {
    value: Vec<u8>,
    revision: Revision,
}

#[derive(Default)]
struct State {
    entries: BTreeMap<Vec<u8>, Stored>,
    /// Contiguous: revisions `head - changes.len() + 1` to `head`.
    changes: VecDeque<Arc<ChangeSet>>,
    changes_bytes: u64,
    head: Revision,
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values hold secrets: the head is all there is to see.
        f.debug_struct("MemoryStore").field("head", &self.shared.read_state().head).finish()
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store that keeps changes as [`ChangeRetention::default`] says.
    pub fn new() -> Self {
        Self::with_retention(ChangeRetention::default())
    }

    /// An empty store that keeps as many changes as told.
    pub fn with_retention(retention: ChangeRetention) -> Self {
        let shared = Shared { state: RwLock::new(State::default()), retention };
        Self { shared: Arc::new(shared), durable: watch::Sender::new(Revision::EMPTY) }
    }

    fn commit_now(&self, commit: Commit) -> Result<Revision, StoreError> {
        commit.check(COMMIT_LIMITS)?;
        let mut state = self.shared.write_state();
        commit.check_preconditions(|key| Ok(state.entries.get(key).map(|it| it.revision)))?;
        let revision = Revision(state.head.0.saturating_add(1));
        state.apply(revision, commit.mutations, self.shared.retention);
        // Under the lock, so that watchers are told in order.
        self.durable.send_replace(revision);
        Ok(revision)
    }
}

impl Shared {
    // A poisoned lock is taken as it is: nothing that runs under it can panic half-way.
    fn read_state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_state(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn apply(&mut self, revision: Revision, mutations: Vec<Mutation>, keep: ChangeRetention) {
        for mutation in &mutations {
            match mutation {
                Mutation::Put { key, value } => {
                    let stored = Stored { value: value.clone(), revision };
                    self.entries.insert(key.clone(), stored);
                }
                Mutation::Delete { key } => {
                    self.entries.remove(key);
                }
            }
        }
        let change = ChangeSet { revision, mutations };
        self.changes_bytes = self.changes_bytes.saturating_add(change.byte_len() as u64);
        self.changes.push_back(Arc::new(change));
        self.head = revision;
        while self.changes.len() > 1
            && (self.changes.len() as u64 > keep.sets_max || self.changes_bytes > keep.bytes_max)
        {
            if let Some(oldest) = self.changes.pop_front() {
                self.changes_bytes = self.changes_bytes.saturating_sub(oldest.byte_len() as u64);
            }
        }
    }

    /// The smallest revision that can be watched from.
    fn oldest_start(&self) -> Revision {
        Revision(self.head.0.saturating_sub(self.changes.len() as u64))
    }

    fn entries_under(&self, prefix: &[u8]) -> Vec<Entry> {
        self.entries
            .range::<[u8], _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, stored)| stored.to_entry(key))
            .collect()
    }
}

impl Stored {
    fn to_entry(&self, key: &[u8]) -> Entry {
        Entry { key: key.to_vec(), value: self.value.clone(), revision: self.revision }
    }
}

impl ChangeLog for Shared {
    fn changes_after(
        self: Arc<Self>,
        after: Revision,
        limits: PageLimits,
    ) -> StoreFuture<'static, Vec<Arc<ChangeSet>>> {
        Box::pin(async move {
            let state = self.read_state();
            let oldest = state.oldest_start();
            check_start(after, oldest, state.head)?;
            let skipped = usize::try_from(after.0.saturating_sub(oldest.0)).unwrap_or(usize::MAX);
            page_of(state.changes.iter().skip(skipped).cloned().map(Ok), limits)
        })
    }
}

impl Store for MemoryStore {
    fn engine_name(&self) -> &'static str {
        "memory"
    }

    fn is_exclusive(&self) -> bool {
        true
    }

    fn commit_limits(&self) -> CommitLimits {
        COMMIT_LIMITS
    }

    fn head(&self) -> StoreFuture<'_, Revision> {
        Box::pin(async { Ok(self.shared.read_state().head) })
    }

    fn read<'a>(&'a self, key: &'a [u8]) -> StoreFuture<'a, (Option<Entry>, Revision)> {
        Box::pin(async move {
            let state = self.shared.read_state();
            Ok((state.entries.get(key).map(|stored| stored.to_entry(key)), state.head))
        })
    }

    fn read_prefix<'a>(&'a self, prefix: &'a [u8]) -> StoreFuture<'a, (Vec<Entry>, Revision)> {
        Box::pin(async move {
            let state = self.shared.read_state();
            Ok((state.entries_under(prefix), state.head))
        })
    }

    fn scan(&self) -> StoreFuture<'_, Scan> {
        Box::pin(async move {
            let state = self.shared.read_state();
            Ok(Scan::new(state.head, ReadScan(state.entries_under(b"").into_iter())))
        })
    }

    fn commit(&self, commit: Commit) -> StoreFuture<'_, Revision> {
        Box::pin(async move { self.commit_now(commit) })
    }

    fn watch(&self, after: Revision) -> StoreFuture<'_, Watch> {
        Box::pin(async move {
            let state = self.shared.read_state();
            check_start(after, state.oldest_start(), state.head)?;
            Ok(Watch::new(LogWatch::new(&self.shared, self.durable.subscribe(), after)))
        })
    }
}
