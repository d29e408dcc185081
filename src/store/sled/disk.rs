//! What is behind a [`super::SledStore`]: the open files, the locks, and the work under them.
//!
//! All functions but `blocking` and `ensure_durable` block and run on blocking threads. It must
//! never return what a caller could see before `ensure_durable` has passed for its revision.

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ::sled::{Batch, Db, IVec};
use tokio::sync::watch;
use tokio::task::{JoinError, spawn_blocking};

use super::acknowledged::Acknowledged;
use super::layout::{self, Census, Head, StoredValue, damaged};
use super::open::{explain, io_error};
use super::scan::Scans;
use super::space;
use crate::store::change::{ChangeLog, ChangeRetention, PageLimits, check_start, page_of};
use crate::store::commit::{ChangeSet, Commit, Mutation};
use crate::store::contract::{Entry, Revision, StoreFuture};
use crate::store::error::StoreError;

/// The open store. Dropping the last `Arc` closes the files and ends all watches.
pub(super) struct Disk {
    pub(super) dir: PathBuf,
    pub(super) db: Db,
    /// sled's data file again, for the fdatasync that sled leaves out.
    pub(super) data_file: File,
    /// What is applied, durable or not. Held to write by a commit, to read by a scan.
    pub(super) applied: RwLock<Head>,
    pub(super) retention: ChangeRetention,
    /// Taken by the one that flushes. Async, so that those who wait for it occupy no thread.
    pub(super) flush_turn: tokio::sync::Mutex<()>,
    pub(super) acknowledged: Mutex<Acknowledged>,
    pub(super) durable: watch::Sender<Revision>,
    pub(super) scans: Scans,
    /// Why the store stopped. Never unset.
    pub(super) stopped: OnceLock<String>,
    /// Whether it stopped because the system had no room to write: then it may be opened anew.
    pub(super) lacked_room: AtomicBool,
    /// Bytes that stay free on the disk.
    pub(super) reserve_bytes: u64,
}

impl Disk {
    /// Runs `work` on a thread that may block. A panic in sled stops the store.
    pub(super) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Arc<Self>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.check_running()?;
        let disk = Arc::clone(self);
        match spawn_blocking(move || work(&disk)).await {
            Ok(result) => result,
            Err(error) => Err(self.stop(thread_error(&error))),
        }
    }

    /// Runs `work` and returns when what it shows is durable.
    pub(super) async fn shown<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Arc<Self>) -> Result<T, StoreError> + Send + 'static,
        at: impl FnOnce(&T) -> Revision,
    ) -> Result<T, StoreError> {
        let shown = self.blocking(work).await?;
        self.ensure_durable(at(&shown)).await?;
        Ok(shown)
    }

    pub(super) fn check_running(&self) -> Result<(), StoreError> {
        match self.stopped.get() {
            None => Ok(()),
            Some(reason) => Err(StoreError::Unavailable { detail: self.stop_message(reason) }),
        }
    }

    /// Whether the store stopped and may be opened anew when there is room.
    pub(super) fn may_reopen(&self) -> bool {
        self.stopped.get().is_some() && self.lacked_room.load(Ordering::SeqCst)
    }

    fn stop_message(&self, reason: &str) -> String {
        let dir = self.dir.display();
        format!("the sled store in `{dir}` stopped and must be reopened: {reason}")
    }

    /// Stops the store for good; the first reason stays. Gives the error to return.
    pub(super) fn stop(&self, error: StoreError) -> StoreError {
        if self.stopped.get().is_none() && matches!(error, StoreError::Full { .. }) {
            self.lacked_room.store(true, Ordering::SeqCst);
        }
        let reason = self.stopped.get_or_init(|| error.to_string());
        StoreError::Unavailable { detail: self.stop_message(reason) }
    }

    pub(super) fn explain(&self, error: &::sled::Error) -> StoreError {
        explain(error, &self.dir)
    }

    // A poisoned lock means a panic while the batch was applied: the store stops.
    pub(super) fn lock_to_read(&self) -> Result<RwLockReadGuard<'_, Head>, StoreError> {
        let head = self.applied.read().map_err(|_| self.stop(half_applied()))?;
        self.check_running()?;
        Ok(head)
    }

    fn lock_to_write(&self) -> Result<RwLockWriteGuard<'_, Head>, StoreError> {
        let head = self.applied.write().map_err(|_| self.stop(half_applied()))?;
        self.check_running()?;
        Ok(head)
    }

    pub(super) fn read(&self, key: &[u8]) -> Result<(Option<Entry>, Revision), StoreError> {
        let head = self.lock_to_read()?;
        let entry = match self.get(&layout::entry_key(key))? {
            Some(stored) => Some(self.entry(key.to_vec(), &stored)?),
            None => None,
        };
        Ok((entry, head.revision))
    }

    pub(super) fn read_prefix(&self, prefix: &[u8]) -> Result<(Vec<Entry>, Revision), StoreError> {
        let head = self.lock_to_read()?;
        let mut entries = Vec::new();
        for pair in self.db.scan_prefix(layout::entry_key(prefix)) {
            let (tree_key, stored) = pair.map_err(|error| self.explain(&error))?;
            entries.push(self.entry(layout::entry_key_of(&tree_key)?, &stored)?);
        }
        Ok((entries, head.revision))
    }

    /// One pair of the tree.
    pub(super) fn get(&self, tree_key: &[u8]) -> Result<Option<IVec>, StoreError> {
        self.db.get(tree_key).map_err(|error| self.explain(&error))
    }

    /// The entry of a pair of the tree; its pieces are read.
    pub(super) fn entry(&self, key: Vec<u8>, stored: &[u8]) -> Result<Entry, StoreError> {
        let stored = StoredValue::decode(stored)?;
        let value = match stored {
            StoredValue::Inline { value, .. } => value.to_vec(),
            StoredValue::Long(long) => {
                let mut value = Vec::new();
                for piece_key in long.piece_keys() {
                    let piece = self.get(&piece_key)?;
                    value.extend(&*piece.ok_or_else(|| damaged("a piece of a value is missing"))?);
                }
                if value.len() as u64 != long.byte_len {
                    return Err(damaged("a long value has another length than noted"));
                }
                value
            }
        };
        Ok(Entry { key, value, revision: stored.revision() })
    }

    /// Checks and applies a commit; it is not durable yet.
    pub(super) fn apply(&self, commit: &Commit) -> Result<Revision, StoreError> {
        space::check(&self.dir, commit.byte_len(), self.reserve_bytes)?;
        let encoded = layout::encode_mutations(&commit.mutations);
        let mut head = self.lock_to_write()?;
        commit.check_preconditions(|key| match self.get(&layout::entry_key(key))? {
            Some(stored) => Ok(Some(StoredValue::decode(&stored)?.revision())),
            None => Ok(None),
        })?;
        self.put_aside(&commit.mutations)?;
        let revision = Revision(head.revision.0.saturating_add(1));
        let mut batch = Batch::default();
        let mut census = head.census;
        for (ordinal, mutation) in (0_u64..).zip(&commit.mutations) {
            census = self.add_mutation(&mut batch, census, mutation, revision, ordinal)?;
        }
        for (key, value) in layout::change_pairs(revision, &encoded) {
            batch.insert(key, value);
        }
        let changes_bytes = head.changes_bytes.saturating_add(encoded.len() as u64);
        let mut next = Head { revision, changes_bytes, census, ..*head };
        self.trim_changes(&mut batch, &mut next)?;
        batch.insert(layout::HEAD_KEY, next.encode());
        // An error here leaves some pairs applied in memory: nobody may read them.
        self.db.apply_batch(batch).map_err(|error| self.stop(self.explain(&error)))?;
        *head = next;
        Ok(revision)
    }

    /// Adds one mutation to the batch; gives the census after it.
    fn add_mutation(
        &self,
        batch: &mut Batch,
        mut census: Census,
        mutation: &Mutation,
        revision: Revision,
        ordinal: u64,
    ) -> Result<Census, StoreError> {
        let tree_key = layout::entry_key(mutation.key());
        if let Some(stored) = self.get(&tree_key)? {
            let stored = StoredValue::decode(&stored)?;
            census = census.without(mutation.key(), stored.revision());
            if let StoredValue::Long(long) = stored {
                long.piece_keys().for_each(|piece_key| batch.remove(piece_key));
            }
        }
        match mutation {
            Mutation::Put { key, value } => {
                census = census.with(key, revision);
                for (pair_key, pair_value) in layout::entry_pairs(key, value, revision, ordinal) {
                    batch.insert(pair_key, pair_value);
                }
            }
            Mutation::Delete { .. } => batch.remove(tree_key),
        }
        Ok(census)
    }

    /// The entries that a scan of the whole tree finds.
    pub(super) fn count(&self) -> Result<Census, StoreError> {
        let mut census = Census::default();
        for pair in self.db.scan_prefix(layout::entry_key(b"")) {
            let (tree_key, stored) = pair.map_err(|error| self.explain(&error))?;
            let revision = StoredValue::decode(&stored)?.revision();
            census = census.with(&layout::entry_key_of(&tree_key)?, revision);
        }
        Ok(census)
    }

    /// Drops the oldest change sets until the rest fits; the newest always stays.
    fn trim_changes(&self, batch: &mut Batch, next: &mut Head) -> Result<(), StoreError> {
        let keep = self.retention;
        while next.change_count() > 1
            && (next.change_count() > keep.sets_max || next.changes_bytes > keep.bytes_max)
        {
            let oldest = Revision(next.oldest_start.0.saturating_add(1));
            for pair in self.db.scan_prefix(layout::change_prefix(oldest)) {
                let (key, piece) = pair.map_err(|error| self.explain(&error))?;
                next.changes_bytes = next.changes_bytes.saturating_sub(piece.len() as u64);
                batch.remove(key);
            }
            next.oldest_start = oldest;
        }
        Ok(())
    }

    /// Whether the entry is as `mutation`, the newest of its key, left it at `revision`.
    pub(super) fn agrees_with(
        &self,
        mutation: &Mutation,
        revision: Revision,
    ) -> Result<bool, StoreError> {
        let stored = self.get(&layout::entry_key(mutation.key()))?;
        match (mutation, stored) {
            (Mutation::Put { key, value }, Some(stored)) => {
                let entry = self.entry(key.clone(), &stored)?;
                Ok(entry.revision == revision && entry.value == *value)
            }
            (Mutation::Delete { .. }, None) => Ok(true),
            (Mutation::Put { .. }, None) | (Mutation::Delete { .. }, Some(_)) => Ok(false),
        }
    }

    /// The change set of `revision`, durable or not.
    pub(super) fn change(&self, revision: Revision) -> Result<ChangeSet, StoreError> {
        let mut encoded = Vec::new();
        for pair in self.db.scan_prefix(layout::change_prefix(revision)) {
            let (_, piece) = pair.map_err(|error| self.explain(&error))?;
            encoded.extend(&*piece);
        }
        layout::decode_change(revision, &encoded)
    }

    pub(super) fn changes_after(
        &self,
        after: Revision,
        limits: PageLimits,
    ) -> Result<Vec<Arc<ChangeSet>>, StoreError> {
        let head = self.lock_to_read()?;
        let durable = *self.durable.borrow();
        check_start(after, head.oldest_start, durable)?;
        let revisions = after.0.saturating_add(1)..=durable.0;
        page_of(revisions.map(|number| self.change(Revision(number)).map(Arc::new)), limits)
    }

    /// Returns when everything up to `revision` is durable; flushes if no one else does.
    pub(super) async fn ensure_durable(
        self: &Arc<Self>,
        revision: Revision,
    ) -> Result<(), StoreError> {
        if *self.durable.borrow() >= revision {
            return Ok(());
        }
        let _turn = self.flush_turn.lock().await;
        if *self.durable.borrow() >= revision {
            return Ok(());
        }
        self.blocking(|disk| disk.flush().map_err(|error| disk.stop(error))).await
    }

    /// Makes everything that is applied durable, and tells the watches.
    pub(super) fn flush(&self) -> Result<(), StoreError> {
        // The turn can be lost to a dropped future while its flush runs; this lock cannot.
        let mut acknowledged = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        // Read before the flush: what is applied later may or may not be in it.
        let target = self.lock_to_read()?.revision;
        self.db.flush().map_err(|error| self.explain(&error))?;
        self.data_file.sync_data().map_err(|error| io_error(&error, &self.dir))?;
        acknowledged.record(target).map_err(|error| io_error(&error, &self.dir))?;
        self.durable.send_replace(target);
        Ok(())
    }
}

impl ChangeLog for Disk {
    fn changes_after(
        self: Arc<Self>,
        after: Revision,
        limits: PageLimits,
    ) -> StoreFuture<'static, Vec<Arc<ChangeSet>>> {
        Box::pin(async move {
            self.blocking(move |disk| Disk::changes_after(disk, after, limits)).await
        })
    }
}

fn half_applied() -> StoreError {
    StoreError::Corrupt { detail: "a commit was interrupted by a panic".to_owned() }
}

/// For a call that did not come back.
pub(super) fn thread_error(error: &JoinError) -> StoreError {
    let what = if error.is_panic() { "panicked" } else { "was cancelled" };
    StoreError::Unavailable { detail: format!("a call into sled {what}: {error}") }
}
