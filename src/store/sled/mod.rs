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
//! - **Room.** `space.rs` refuses a commit while there is still room for it. Where the system
//!   refuses all the same, the store stops, and is opened anew as soon as there is room.
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
mod space;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::disk::{Disk, thread_error};
use self::scan::{ASIDE_BYTES_MAX, SledScan};
use crate::store::change::{ChangeRetention, LogWatch, Watch, check_start};
use crate::store::commit::{Commit, CommitLimits};
use crate::store::contract::{Entry, Revision, Store, StoreFuture};
use crate::store::error::StoreError;
use crate::store::scan::Scan;

/// The largest commit of this engine. It is held in memory a few times over while it is written.
const COMMIT_LIMITS: CommitLimits =
    CommitLimits { commit_bytes_max: 8 * 1024 * 1024, mutations_max: 10_000 };

/// Bytes that must be free before a store that stopped for want of room is opened anew.
const REOPEN_BYTES: u64 = 4 * 1024 * 1024;

/// A store in a directory, open in this process only. Dropping it ends its watches.
pub struct SledStore {
    dir: PathBuf,
    retention: ChangeRetention,
    reserve_bytes: u64,
    /// None from when it stopped for want of room until it is opened anew.
    disk: Mutex<Option<Arc<Disk>>>,
    /// Held while it is opened anew.
    opening: tokio::sync::Mutex<()>,
}

impl fmt::Debug for SledStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SledStore").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl SledStore {
    /// Opens the store in `dir`, and makes the directory and an empty store where there is none.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when it is open elsewhere, [`StoreError::UnknownFormat`],
    /// [`StoreError::Corrupt`] when data is damaged or acknowledged commits are missing,
    /// [`StoreError::Full`] when the disk cannot be written, and [`StoreError::Unavailable`] on
    /// other I/O errors. Each names the directory.
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
        Self::open_reserving(dir, retention, space::RESERVE_BYTES).await
    }

    /// As [`SledStore::open_with`], refusing commits that would leave less than so many bytes of
    /// the disk free; 0 looks at nothing, and waits for the system to refuse.
    ///
    /// # Errors
    /// As [`SledStore::open`].
    pub async fn open_reserving(
        dir: impl Into<PathBuf>,
        retention: ChangeRetention,
        reserve_bytes: u64,
    ) -> Result<Self, StoreError> {
        let (dir, disk, opening) = (dir.into(), Mutex::new(None), tokio::sync::Mutex::new(()));
        let store = Self { dir, retention, reserve_bytes, disk, opening };
        store.open_disk().await?;
        Ok(store)
    }

    /// The random id this store got when it was made, as text.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn id(&self) -> Result<String, StoreError> {
        let disk = self.disk().await?;
        let id = disk.blocking(|disk| disk.get(layout::ID_KEY)).await?;
        let id = id.ok_or_else(|| layout::damaged("the store has no id"))?;
        Ok(String::from_utf8_lossy(&id).into_owned())
    }

    fn slot(&self) -> MutexGuard<'_, Option<Arc<Disk>>> {
        // Nothing that runs under it can panic half-way.
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn open_disk(&self) -> Result<Arc<Disk>, StoreError> {
        let (dir, retention, reserve) = (self.dir.clone(), self.retention, self.reserve_bytes);
        let task = tokio::task::spawn_blocking(move || Disk::open(dir, retention, reserve));
        let disk = task.await.unwrap_or_else(|error| Err(open::task_error(&error, &self.dir)))?;
        let disk = Arc::new(disk);
        *self.slot() = Some(Arc::clone(&disk));
        Ok(disk)
    }

    /// The open files. A store that stopped for want of room is opened anew when there is some: as
    /// after a crash, with everything that opening verifies.
    async fn disk(&self) -> Result<Arc<Disk>, StoreError> {
        if let Some(disk) = self.slot().clone() {
            return Ok(disk);
        }
        let _turn = self.opening.lock().await;
        if let Some(disk) = self.slot().clone() {
            return Ok(disk);
        }
        let unavailable = |error: StoreError| {
            let detail = format!("it stopped for want of room, and does not open: {error}");
            StoreError::Unavailable { detail }
        };
        let reserve = self.reserve_bytes.max(REOPEN_BYTES);
        space::check(&self.dir, 0, reserve).map_err(unavailable)?;
        self.open_disk().await.map_err(unavailable)
    }

    /// Lets go of files that stopped for want of room: its watches end, and the next call opens
    /// them anew.
    fn after<T>(&self, disk: Arc<Disk>, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if result.is_err() && disk.may_reopen() {
            let mut slot = self.slot();
            let stopped = slot.take_if(|current| Arc::ptr_eq(current, &disk));
            drop(slot);
            // sled writes when it is closed.
            tokio::task::spawn_blocking(move || drop((stopped, disk)));
        }
        result
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
            let disk = self.disk().await?;
            let head = disk.check_running().map(|()| *disk.durable.borrow());
            self.after(disk, head)
        })
    }

    fn read<'a>(&'a self, key: &'a [u8]) -> StoreFuture<'a, (Option<Entry>, Revision)> {
        let key = key.to_vec();
        Box::pin(async move {
            let disk = self.disk().await?;
            let read = disk.shown(move |disk| disk.read(&key), |(_, revision)| *revision).await;
            self.after(disk, read)
        })
    }

    fn read_prefix<'a>(&'a self, prefix: &'a [u8]) -> StoreFuture<'a, (Vec<Entry>, Revision)> {
        let prefix = prefix.to_vec();
        Box::pin(async move {
            let disk = self.disk().await?;
            let read = disk.shown(move |disk| disk.read_prefix(&prefix), |(_, at)| *at).await;
            self.after(disk, read)
        })
    }

    fn scan(&self) -> StoreFuture<'_, Scan> {
        Box::pin(async {
            let disk = self.disk().await?;
            let begin = |disk: &Arc<Disk>| disk.begin_scan(ASIDE_BYTES_MAX);
            let scan = disk.shown(begin, SledScan::revision).await;
            self.after(disk, scan).map(SledScan::into_scan)
        })
    }

    fn commit(&self, commit: Commit) -> StoreFuture<'_, Revision> {
        Box::pin(async move {
            commit.check(COMMIT_LIMITS)?;
            let opened = self.disk().await?;
            let disk = Arc::clone(&opened);
            // A task of its own: once applied it is also made durable and told to watchers, even
            // if the caller goes away.
            let task = tokio::spawn(async move {
                let revision = disk.blocking(move |disk| disk.apply(&commit)).await?;
                disk.ensure_durable(revision).await?;
                Ok(revision)
            });
            let done = task.await.unwrap_or_else(|error| Err(thread_error(&error)));
            self.after(opened, done)
        })
    }

    fn watch(&self, after: Revision) -> StoreFuture<'_, Watch> {
        Box::pin(async move {
            let disk = self.disk().await?;
            let durable = disk.durable.subscribe();
            let oldest = disk.blocking(|disk| Ok(disk.lock_to_read()?.oldest_start)).await;
            let watch = oldest.and_then(|oldest| {
                check_start(after, oldest, *durable.borrow())?;
                Ok(Watch::new(LogWatch::new(&disk, durable, after)))
            });
            self.after(disk, watch)
        })
    }
}
