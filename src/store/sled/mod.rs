//! The `sled` engine: one directory, one process, everything on disk. The only user of `sled`.
//!
//! Flow: a commit is checked and applied under the write lock, then made durable, then shown and
//! acknowledged. It must never acknowledge or show what could still be lost.
//!
//! - **Atomic.** Entries, change set and head go in one batch of one tree; sled recovers a batch
//!   whole or not at all. Its transactions over several trees are not used: one writer lock and
//!   one tree are simpler, and the lock is needed anyway, because a sled scan may see half a batch.
//!   Scans and reads share the lock, so a reader sees commits whole; a long scan delays commits.
//! - **Durable.** sled by itself acknowledges before it syncs (its issues 1140 and 654), and its
//!   flush uses `sync_file_range`, which does not survive a power cut (1452). So each flush is
//!   followed by an fdatasync of the data file through a handle of our own. sled never syncs its
//!   blob files; `layout.rs` keeps every page too small to become one.
//! - **Group commit.** Whoever flushes, flushes for all commits applied before; the others wait
//!   for their turn, find their commit durable, and return.
//! - **Fail-stop.** After a failed write or flush nobody knows what is on disk, so the store
//!   answers nothing more until it is reopened. sled can panic where its files are damaged; each
//!   call into it runs on a blocking thread, and a panic there becomes an error and a stop.
//! - **Loss is noticed.** `acknowledged.rs` refuses a store that lost acknowledged commits, and
//!   opening compares the newest change sets with the entries they wrote, and a scan of all entries
//!   with a census that every commit keeps: sled can recover a damaged tree so that it finds
//!   entries by key that its scans leave out. So opening takes time in the number of entries.
//!
//! Remaining risk: sled 0.34 is no longer maintained, its files grow before they shrink, and long
//! values that rot on disk are found when they are read, not when the store is opened.

mod acknowledged;
mod disk;
mod layout;
mod open;
mod scan;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use self::disk::{Disk, thread_error};
use self::scan::ASIDE_BYTES_MAX;
use crate::store::change::{ChangeRetention, LogWatch, Watch, check_start};
use crate::store::commit::{Commit, CommitLimits};
use crate::store::contract::{Entry, Revision, Store, StoreFuture};
use crate::store::error::StoreError;
use crate::store::scan::Scan;

/// The largest commit of this engine. It is held in memory a few times over while it is written.
const COMMIT_LIMITS: CommitLimits =
    CommitLimits { commit_bytes_max: 8 * 1024 * 1024, mutations_max: 10_000 };

/// A store in a directory, open in this process only. Dropping it ends its watches.
pub struct SledStore {
    disk: Arc<Disk>,
}

impl fmt::Debug for SledStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SledStore").field("dir", &self.disk.dir).finish_non_exhaustive()
    }
}

impl SledStore {
    /// Opens the store in `dir`, and makes the directory and an empty store where there is none.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when it is open elsewhere, [`StoreError::UnknownFormat`],
    /// [`StoreError::Corrupt`] when data is damaged or acknowledged commits are missing, and
    /// [`StoreError::Unavailable`] on other I/O errors. Each names the directory.
    pub async fn open(dir: impl Into<PathBuf>) -> Result<Self, StoreError> {
        Self::open_with(dir, ChangeRetention::default()).await
    }

    /// As [`SledStore::open`], keeping as many changes as told.
    ///
    /// # Errors
    /// As [`SledStore::open`].
    pub async fn open_with(
        dir: impl Into<PathBuf>,
        retention: ChangeRetention,
    ) -> Result<Self, StoreError> {
        let dir = dir.into();
        let opening = dir.clone();
        let task = tokio::task::spawn_blocking(move || Disk::open(opening, retention));
        let disk = task.await.unwrap_or_else(|error| Err(open::task_error(&error, &dir)))?;
        Ok(Self { disk: Arc::new(disk) })
    }

    /// The random id this store got when it was made, as text.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn id(&self) -> Result<String, StoreError> {
        self.disk
            .blocking(|disk| {
                let id = disk.get(layout::ID_KEY)?;
                let id = id.ok_or_else(|| layout::damaged("the store has no id"))?;
                Ok(String::from_utf8_lossy(&id).into_owned())
            })
            .await
    }
}

impl Store for SledStore {
    fn engine_name(&self) -> &'static str {
        "sled"
    }

    fn is_exclusive(&self) -> bool {
        true
    }

    fn commit_limits(&self) -> CommitLimits {
        COMMIT_LIMITS
    }

    fn head(&self) -> StoreFuture<'_, Revision> {
        Box::pin(async {
            self.disk.check_running()?;
            Ok(*self.disk.durable.borrow())
        })
    }

    fn read<'a>(&'a self, key: &'a [u8]) -> StoreFuture<'a, (Option<Entry>, Revision)> {
        let key = key.to_vec();
        Box::pin(async move {
            let (entry, revision) = self.disk.blocking(move |disk| disk.read(&key)).await?;
            self.disk.ensure_durable(revision).await?;
            Ok((entry, revision))
        })
    }

    fn read_prefix<'a>(&'a self, prefix: &'a [u8]) -> StoreFuture<'a, (Vec<Entry>, Revision)> {
        let prefix = prefix.to_vec();
        Box::pin(async move {
            let (entries, revision) =
                self.disk.blocking(move |disk| disk.read_prefix(&prefix)).await?;
            self.disk.ensure_durable(revision).await?;
            Ok((entries, revision))
        })
    }

    fn scan(&self) -> StoreFuture<'_, Scan> {
        Box::pin(async {
            let scan = self.disk.blocking(|disk| disk.begin_scan(ASIDE_BYTES_MAX)).await?;
            self.disk.ensure_durable(scan.revision()).await?;
            Ok(scan.into_scan())
        })
    }

    fn commit(&self, commit: Commit) -> StoreFuture<'_, Revision> {
        Box::pin(async move {
            commit.check(COMMIT_LIMITS)?;
            let disk = Arc::clone(&self.disk);
            // A task of its own: once applied it is also made durable and told to watchers, even
            // if the caller goes away.
            let task = tokio::spawn(async move {
                let revision = disk.blocking(move |disk| disk.apply(&commit)).await?;
                disk.ensure_durable(revision).await?;
                Ok(revision)
            });
            task.await.unwrap_or_else(|error| Err(thread_error(&error)))
        })
    }

    fn watch(&self, after: Revision) -> StoreFuture<'_, Watch> {
        Box::pin(async move {
            let durable = self.disk.durable.subscribe();
            let oldest = self.disk.blocking(|disk| Ok(disk.lock_to_read()?.oldest_start)).await?;
            check_start(after, oldest, *durable.borrow())?;
            Ok(Watch::new(LogWatch::new(&self.disk, durable, after)))
        })
    }
}
