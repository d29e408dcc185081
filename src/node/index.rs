//! The global index in memory: uin → accounts, SdkAppId → owner, SecretId → owner.
//!
//! A bounded cache of records, absent ones too, which the applier clears key by key. What was read
//! before a change is never kept after it: an entry is taken in only if nothing of the index
//! changed since its reading began. It must never answer a write; writes read the store.
//!
//! Uins and apps stand on shelves of up to a hundred neighbours, each with a census of its records.
//! That an app is nobody's lets an account ask about it as its own, so it is believed only when the
//! whole shelf is there: a lost record is an error and not a stranger's right (rule D-29).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use foldhash::HashMap;
use tokio::sync::{Mutex, MutexGuard};

use super::error::NodeError;
use super::meters::Lookups;
use super::records;
use super::vitals::CacheVitals;
use crate::directory::{AppEntry, Change, GlobalKey, RecordKey, SecretEntry, SecretId, UinEntry};
use crate::store::{Commit, Entry, Mutation, Revision, Store};

/// Locks on shelves; a shelf has one of them.
const SHELF_TURNS: usize = 64;

/// The record under a key, from a shelf that has the records that were counted.
async fn read(store: &dyn Store, key: GlobalKey) -> Result<(Option<Entry>, Revision), NodeError> {
    let wanted = records::global_key(key);
    let Some(prefix) = records::shelf_prefix(key) else { return Ok(store.read(&wanted).await?) };
    let (entries, at) = store.read_prefix(&prefix).await?;
    let shelf = records::decode_shelf(&prefix, entries)?;
    Ok((shelf.entries.into_iter().find(|entry| entry.key == wanted), at))
}

/// The turns of those who write on shelves, so that writers of this node do not race for one.
#[derive(Debug)]
pub(super) struct ShelfTurns([Mutex<()>; SHELF_TURNS]);

/// Turns that are held.
pub(super) struct ShelfGuard<'a> {
    _turns: Vec<MutexGuard<'a, ()>>,
}

impl Default for ShelfTurns {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(())))
    }
}

/// By shelf, the keys of its records that change, with what they become.
type Changed = BTreeMap<Vec<u8>, Vec<(Vec<u8>, Option<Vec<u8>>)>>;

fn by_shelf(owner_uin: u64, changes: &[Change]) -> Changed {
    let mut changed = Changed::new();
    for change in changes {
        let RecordKey::Global(key) = change.key() else { continue };
        let Some(prefix) = records::shelf_prefix(key) else { continue };
        let (key, value) = match records::mutation(owner_uin, change) {
            Mutation::Put { key, value } => (key, Some(value)),
            Mutation::Delete { key } => (key, None),
        };
        changed.entry(prefix).or_default().push((key, value));
    }
    changed
}

impl ShelfTurns {
    /// Adds to a commit the censuses of the shelves that it changes; the turns are to be held until
    /// it is done.
    ///
    /// # Errors
    /// When a shelf cannot be read, or does not have the records that were counted.
    pub(super) async fn count(
        &self,
        store: &dyn Store,
        mut commit: Commit,
        owner_uin: u64,
        changes: &[Change],
    ) -> Result<(Commit, ShelfGuard<'_>), NodeError> {
        let changed = by_shelf(owner_uin, changes);
        // Always in the same order, so that no two wait for each other.
        let numbers: BTreeSet<usize> = changed.keys().map(|prefix| turn_of(prefix)).collect();
        let mut turns = Vec::with_capacity(numbers.len());
        for turn in numbers.into_iter().filter_map(|number| self.0.get(number)) {
            turns.push(turn.lock().await);
        }
        for (prefix, changes) in changed {
            let (entries, _) = store.read_prefix(&prefix).await?;
            let shelf = records::decode_shelf(&prefix, entries)?;
            let mut after: BTreeMap<Vec<u8>, Vec<u8>> =
                shelf.entries.into_iter().map(|entry| (entry.key, entry.value)).collect();
            for (key, value) in changes {
                match value {
                    Some(value) => after.insert(key, value),
                    None => after.remove(&key),
                };
            }
            let key = records::index_census_key(&prefix);
            commit = match shelf.census {
                Some((_, revision)) => commit.require_at(key.clone(), revision),
                None => commit.require_absent(key.clone()),
            };
            commit = commit.put(key, records::encode_index_census(&records::count(&after)));
        }
        Ok((commit, ShelfGuard { _turns: turns }))
    }
}

/// Which turn a shelf has: neighbours have different ones.
fn turn_of(prefix: &[u8]) -> usize {
    let sum = |sum: usize, byte: &u8| sum.wrapping_mul(31).wrapping_add(usize::from(*byte));
    prefix.iter().fold(0, sum) % SHELF_TURNS
}

/// One record, or its absence.
#[derive(Debug, Clone)]
enum Cached {
    Uin(Option<Arc<UinEntry>>),
    App(Option<AppEntry>),
    Secret(Option<SecretEntry>),
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<GlobalKey, Cached>,
    /// The last revision that changed any index record.
    last_change: Revision,
}

/// The cache.
#[derive(Debug)]
pub(super) struct GlobalIndex {
    inner: RwLock<Inner>,
    entries_max: usize,
    lookups: Lookups,
}

impl GlobalIndex {
    pub(super) fn new(entries_max: usize) -> Self {
        let (inner, lookups) = (RwLock::default(), Lookups::default());
        Self { inner, entries_max: entries_max.max(1), lookups }
    }

    pub(super) fn vitals(&self) -> CacheVitals {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        CacheVitals::new(&self.lookups, inner.entries.len() as u64)
    }

    /// The record of a uin.
    pub(super) async fn uin(
        &self,
        store: &dyn Store,
        uin: u64,
    ) -> Result<Option<Arc<UinEntry>>, NodeError> {
        let key = GlobalKey::Uin(uin);
        if let Some(Cached::Uin(entry)) = self.cached(key) {
            return Ok(entry);
        }
        let (entry, at) = read(store, key).await?;
        let entry = entry.map(|it| records::decode_uin(&it).map(Arc::new)).transpose()?;
        self.keep(key, Cached::Uin(entry.clone()), at);
        Ok(entry)
    }

    /// The record of an app.
    pub(super) async fn app(
        &self,
        store: &dyn Store,
        sdkappid: u64,
    ) -> Result<Option<AppEntry>, NodeError> {
        let key = GlobalKey::App(sdkappid);
        if let Some(Cached::App(entry)) = self.cached(key) {
            return Ok(entry);
        }
        let (entry, at) = read(store, key).await?;
        let entry = entry.map(|it| records::decode_app(&it)).transpose()?;
        self.keep(key, Cached::App(entry), at);
        Ok(entry)
    }

    /// The record of an access key.
    pub(super) async fn secret(
        &self,
        store: &dyn Store,
        id: SecretId,
    ) -> Result<Option<SecretEntry>, NodeError> {
        let key = GlobalKey::Secret(id);
        if let Some(Cached::Secret(entry)) = self.cached(key) {
            return Ok(entry);
        }
        let (entry, at) = read(store, key).await?;
        let entry = entry.map(|it| records::decode_secret(&it)).transpose()?;
        self.keep(key, Cached::Secret(entry), at);
        Ok(entry)
    }

    /// Forgets a record that a commit changed.
    pub(super) fn forget(&self, key: GlobalKey, at: Revision) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        inner.entries.remove(&key);
        inner.last_change = inner.last_change.max(at);
    }

    /// Forgets everything that was read before a revision.
    pub(super) fn forget_all(&self, at: Revision) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        inner.entries.clear();
        inner.last_change = inner.last_change.max(at);
    }

    fn cached(&self, key: GlobalKey) -> Option<Cached> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let found = inner.entries.get(&key).cloned();
        self.lookups.count(found.is_some());
        found
    }

    fn keep(&self, key: GlobalKey, entry: Cached, read_at: Revision) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if read_at < inner.last_change {
            return;
        }
        if inner.entries.len() >= self.entries_max {
            inner.entries.clear();
        }
        inner.entries.insert(key, entry);
    }
}
