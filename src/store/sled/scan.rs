//! Scans of a sled store that go on while commits do.
//!
//! sled 0.34 has no snapshots. So a commit that changes an entry which a scan has not come to yet
//! puts the old one aside for it first; the scan takes entries of its revision from the tree, and
//! the others from what was put aside. Both happen under the lock of commits. What is put aside is
//! bounded: a scan that is too slow for the writes is lost, and writes never wait for one.

use std::collections::BTreeMap;
use std::mem;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::disk::Disk;
use super::layout::{self, StoredValue};
use crate::store::commit::Mutation;
use crate::store::contract::{Entry, Revision, StoreFuture};
use crate::store::error::StoreError;
use crate::store::scan::{PageSize, Scan, ScanSource};

/// Most bytes of old entries that are put aside for one scan.
pub(super) const ASIDE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The scans that commits look after.
#[derive(Default)]
pub(super) struct Scans {
    begun: Mutex<Vec<Weak<Aside>>>,
}

/// What a scan still needs and the tree no longer has.
pub(super) struct Aside {
    at: Revision,
    bytes_max: usize,
    state: Mutex<AsideState>,
}

#[derive(Default)]
struct AsideState {
    /// Keys up to this one are done; none yet when empty.
    done: Vec<u8>,
    entries: BTreeMap<Vec<u8>, Entry>,
    bytes: usize,
    is_lost: bool,
    /// Everything was read.
    is_done: bool,
}

impl Aside {
    // A poisoned lock is taken as it is: nothing that runs under it can panic half-way.
    fn lock(&self) -> MutexGuard<'_, AsideState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lost(&self) -> StoreError {
        let detail = format!(
            "more than {} bytes changed while it was read, which is too slow",
            self.bytes_max
        );
        StoreError::ScanLost { at: self.at, detail }
    }
}

impl AsideState {
    fn wants(&self, key: &[u8]) -> bool {
        let is_over = self.is_lost || self.is_done;
        !is_over && self.done.as_slice() < key && !self.entries.contains_key(key)
    }

    fn put(&mut self, entry: Entry, bytes_max: usize) {
        self.bytes = self.bytes.saturating_add(entry.key.len()).saturating_add(entry.value.len());
        self.entries.insert(entry.key.clone(), entry);
        if self.bytes > bytes_max {
            self.is_lost = true;
            self.entries.clear();
        }
    }

    /// Takes what was put aside up to the key, or all of it.
    fn take_up_to(&mut self, last: Option<&[u8]>) -> BTreeMap<Vec<u8>, Entry> {
        let Some(last) = last else { return mem::take(&mut self.entries) };
        // The smallest key after `last`.
        let later = self.entries.split_off([last, &[0]].concat().as_slice());
        let taken = mem::replace(&mut self.entries, later);
        for entry in taken.values() {
            let bytes = entry.key.len().saturating_add(entry.value.len());
            self.bytes = self.bytes.saturating_sub(bytes);
        }
        taken
    }
}

impl Scans {
    fn begin(&self, at: Revision, bytes_max: usize) -> Arc<Aside> {
        let aside = Arc::new(Aside { at, bytes_max, state: Mutex::default() });
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.push(Arc::downgrade(&aside));
        aside
    }

    fn under_way(&self) -> Vec<Arc<Aside>> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.retain(|aside| aside.strong_count() > 0);
        begun.iter().filter_map(Weak::upgrade).collect()
    }
}

impl Disk {
    /// Begins a scan at what is applied now.
    pub(super) fn begin_scan(self: &Arc<Self>, bytes_max: usize) -> Result<SledScan, StoreError> {
        let head = self.lock_to_read()?;
        let aside = self.scans.begin(head.revision, bytes_max);
        Ok(SledScan { disk: Arc::downgrade(self), aside, is_done: false })
    }

    /// Puts aside what scans still need of the entries that are about to change. Called under the
    /// lock of commits.
    pub(super) fn put_aside(&self, mutations: &[Mutation]) -> Result<(), StoreError> {
        for aside in self.scans.under_way() {
            let mut state = aside.lock();
            for key in mutations.iter().map(Mutation::key) {
                if !state.wants(key) {
                    continue;
                }
                let Some(stored) = self.get(&layout::entry_key(key))? else { continue };
                if StoredValue::decode(&stored)?.revision() <= aside.at {
                    state.put(self.entry(key.to_vec(), &stored)?, aside.bytes_max);
                }
            }
        }
        Ok(())
    }

    /// The next entries of a scan, and whether it is at the end.
    fn scan_page(&self, aside: &Aside) -> Result<(Vec<Entry>, bool), StoreError> {
        let _no_commit = self.lock_to_read()?;
        let mut state = aside.lock();
        if state.is_lost {
            return Err(aside.lost());
        }
        let after = Bound::Excluded(layout::entry_key(&state.done));
        let mut pairs = self.db.range((after, Bound::Excluded(layout::entries_end())));
        let (mut page, mut size) = (BTreeMap::new(), PageSize::default());
        let mut last = None;
        for pair in pairs.by_ref() {
            let (tree_key, stored) = pair.map_err(|error| self.explain(&error))?;
            let key = layout::entry_key_of(&tree_key)?;
            let mut value_bytes = stored.len();
            if StoredValue::decode(&stored)?.revision() <= aside.at {
                let entry = self.entry(key.clone(), &stored)?;
                value_bytes = entry.value.len();
                page.insert(key.clone(), entry);
            }
            size.add(value_bytes);
            if size.is_full() {
                last = Some(key);
                break;
            }
        }
        page.append(&mut state.take_up_to(last.as_deref()));
        state.is_done = last.is_none();
        state.done = last.unwrap_or_default();
        Ok((page.into_values().collect(), state.is_done))
    }
}

/// A scan under way. It holds the store weakly, so a forgotten one does not keep the directory
/// locked.
pub(super) struct SledScan {
    disk: Weak<Disk>,
    aside: Arc<Aside>,
    is_done: bool,
}

impl SledScan {
    /// The scan as the contract has it.
    pub(super) fn into_scan(self) -> Scan {
        Scan::new(self.aside.at, self)
    }

    /// The revision that the entries are at.
    pub(super) fn revision(&self) -> Revision {
        self.aside.at
    }

    async fn page(&mut self) -> Result<Vec<Entry>, StoreError> {
        while !self.is_done {
            let Some(disk) = self.disk.upgrade() else {
                let detail = "the store was closed while it was read".to_owned();
                return Err(StoreError::Unavailable { detail });
            };
            let aside = Arc::clone(&self.aside);
            let page = disk.blocking(move |disk| disk.scan_page(&aside)).await;
            let (page, is_done) = page?;
            self.is_done = is_done;
            if !page.is_empty() {
                return Ok(page);
            }
        }
        Ok(Vec::new())
    }
}

impl ScanSource for SledScan {
    fn next_page(&mut self) -> StoreFuture<'_, Vec<Entry>> {
        Box::pin(self.page())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Commit, SledStore, Store as _};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_scan_that_is_too_slow_is_lost_and_costs_no_more() {
        let dir = tempfile::TempDir::new().unwrap();
        let store = SledStore::open(dir.path()).await.unwrap();
        let keys = || (0..20_u8).map(|at| vec![at]);
        let put_all = |byte: u8| keys().fold(Commit::new(), |it, key| it.put(key, vec![byte; 100]));
        store.commit(put_all(0)).await.unwrap();
        let disk = store.disk().await.unwrap();
        let begin = |bytes_max| disk.begin_scan(bytes_max).unwrap();
        let (slow, quick) = (begin(20 * 101 - 1), begin(20 * 101));
        store.commit(put_all(1)).await.unwrap();
        // What was put aside once is not put aside again.
        store.commit(put_all(2)).await.unwrap();
        let at = slow.revision();
        assert!(slow.aside.lock().entries.is_empty());
        let fault = slow.into_scan().next().await.unwrap().unwrap_err();
        assert!(matches!(fault, StoreError::ScanLost { at: lost, .. } if lost == at), "{fault}");
        let aside = Arc::clone(&quick.aside);
        let mut quick = quick.into_scan();
        let entries = quick.next().await.unwrap().unwrap();
        assert_eq!(entries.len(), 20);
        assert!(entries.iter().all(|it| it.value == [0; 100]));
        // Nothing more is put aside for one that has read everything.
        store.commit(put_all(3)).await.unwrap();
        assert!(aside.lock().entries.is_empty());
        assert!(quick.next().await.is_none());
        drop((quick, aside));
        // Nothing is put aside for those that are over.
        assert!(disk.scans.under_way().is_empty());
    }
}
