//! The global index in memory: uin → accounts, SdkAppId → owner, SecretId → owner.
//!
//! A bounded cache of records, absent ones too, which the applier clears key by key. What was read
//! before a change is never kept after it: an entry is taken in only if nothing of the index
//! changed since its reading began. It must never answer a write; writes read the store.

use std::sync::{Arc, PoisonError, RwLock};

use foldhash::HashMap;

use super::error::NodeError;
use super::meters::Lookups;
use super::records;
use super::vitals::CacheVitals;
use crate::directory::{AppEntry, GlobalKey, SecretEntry, SecretId, UinEntry};
use crate::store::{Revision, Store};

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
        let (entry, at) = store.read(&records::global_key(key)).await?;
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
        let (entry, at) = store.read(&records::global_key(key)).await?;
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
        let (entry, at) = store.read(&records::global_key(key)).await?;
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
