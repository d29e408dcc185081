//! Opening a `sled` directory: make, recognise, lock, and refuse what is not whole.
//!
//! It must never repair: a store that contradicts itself is refused with the way out. What is
//! checked: the format, the acknowledged revision, the newest change sets against the entries they
//! wrote, and the entries that a scan finds against the head's census of them.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, OnceLock, RwLock};
use std::time::{Duration, Instant};

use ::sled::{Batch, Config, Db};
use tokio::sync::watch;
use tokio::task::JoinError;
use uuid::Uuid;

use super::acknowledged::Acknowledged;
use super::disk::Disk;
use super::layout::{self, Head, damaged};
use super::scan::Scans;
use crate::store::change::ChangeRetention;
use crate::store::contract::Revision;
use crate::store::error::StoreError;

/// Memory that sled may use for pages.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// How many of the newest change sets are compared with the entries when a store is opened.
const VERIFIED_SETS_MAX: u64 = 64;
/// How long to wait for another holder of the directory to let go.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(2);
/// How often to look whether it has.
const LOCK_POLL: Duration = Duration::from_millis(20);
/// Name of sled's data file in its directory.
const DATA_FILE_NAME: &str = "db";

impl Disk {
    /// Opens or makes the store in `dir`.
    ///
    /// # Errors
    /// As [`super::SledStore::open`].
    pub(super) fn open(
        dir: PathBuf,
        retention: ChangeRetention,
        reserve_bytes: u64,
    ) -> Result<Self, StoreError> {
        let explain_io = |error: io::Error| io_error(&error, &dir);
        make_private_dir(&dir).map_err(explain_io)?;
        let config = Config::new().path(&dir).cache_capacity(CACHE_BYTES);
        let db = open_when_free(&config).map_err(|error| explain(&error, &dir))?;
        let found = Acknowledged::open(&dir).map_err(explain_io)?;
        let is_new = db.is_empty() && found.is_none();
        if is_new {
            write_first_records(&db).map_err(|error| explain(&error, &dir))?;
        }
        let head = read_head(&db, &dir)?;
        let acknowledged = match found {
            Some((acknowledged, revision)) => {
                check_not_lost(revision, head.revision, &dir)?;
                acknowledged
            }
            None if head.revision == Revision::EMPTY => {
                Acknowledged::create(&dir).map_err(explain_io)?
            }
            None => return Err(in_dir(&dir, "its file `acknowledged` is missing")),
        };
        let data_file = File::open(dir.join(DATA_FILE_NAME)).map_err(explain_io)?;
        // What was recovered may be in the system's cache only; it is shown from now on.
        data_file.sync_all().map_err(explain_io)?;
        sync_names(&dir).map_err(explain_io)?;
        let disk = Self {
            db,
            data_file,
            applied: RwLock::new(head),
            retention,
            flush_turn: tokio::sync::Mutex::new(()),
            acknowledged: Mutex::new(acknowledged),
            durable: watch::Sender::new(head.revision),
            scans: Scans::default(),
            stopped: OnceLock::new(),
            lacked_room: AtomicBool::new(false),
            reserve_bytes,
            dir,
        };
        disk.verify_newest_changes(head)?;
        if disk.count()? != head.census {
            return Err(in_dir(&disk.dir, "the entries are not those that were committed"));
        }
        Ok(disk)
    }

    /// Each key of the newest change sets must be as the last of them left it.
    fn verify_newest_changes(&self, head: Head) -> Result<(), StoreError> {
        let mut seen = BTreeSet::new();
        let oldest = head.oldest_start.0.max(head.revision.0.saturating_sub(VERIFIED_SETS_MAX));
        for number in (oldest.saturating_add(1)..=head.revision.0).rev() {
            let change = self.change(Revision(number))?;
            for mutation in change.mutations {
                if !seen.insert(mutation.key().to_vec()) {
                    continue;
                }
                if !self.agrees_with(&mutation, change.revision)? {
                    return Err(in_dir(&self.dir, "an entry differs from its newest change"));
                }
            }
        }
        Ok(())
    }
}

/// Opens the directory, waiting a little for a process or a handle that is just letting go of it:
/// sled's own threads hold the lock for a moment after the last handle is dropped, and offers no
/// way to wait for it.
fn open_when_free(config: &Config) -> ::sled::Result<Db> {
    let started = Instant::now();
    loop {
        match config.open() {
            Err(error) if is_locked(&error) && started.elapsed() < LOCK_WAIT_MAX => {
                std::thread::park_timeout(LOCK_POLL);
            }
            result => return result,
        }
    }
}

/// A directory that only its owner may enter: the store holds secrets, if encrypted ones.
fn make_private_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

fn write_first_records(db: &Db) -> ::sled::Result<()> {
    let mut batch = Batch::default();
    batch.insert(layout::FORMAT_KEY, layout::FORMAT);
    batch.insert(layout::ID_KEY, Uuid::now_v7().to_string().as_bytes());
    batch.insert(layout::HEAD_KEY, Head::default().encode());
    db.apply_batch(batch)?;
    db.flush()?;
    Ok(())
}

fn read_head(db: &Db, dir: &Path) -> Result<Head, StoreError> {
    let get = |key: &[u8]| db.get(key).map_err(|error| explain(&error, dir));
    if db.is_empty() {
        return Err(in_dir(dir, "it held commits and is empty now"));
    }
    let expected = String::from_utf8_lossy(layout::FORMAT).into_owned();
    match get(layout::FORMAT_KEY)? {
        Some(format) if format == layout::FORMAT => {}
        found => {
            let found = found.map_or("none".to_owned(), |it| String::from_utf8_lossy(&it).into());
            let dir = dir.display();
            let detail = format!("open `{dir}` with the version that wrote it, or name another");
            return Err(StoreError::UnknownFormat { found, expected, detail });
        }
    }
    let head = get(layout::HEAD_KEY)?.ok_or_else(|| in_dir(dir, "the head record is missing"))?;
    Head::decode(&head)
}

fn check_not_lost(acknowledged: Revision, head: Revision, dir: &Path) -> Result<(), StoreError> {
    if head >= acknowledged {
        return Ok(());
    }
    let what = format!("revision {acknowledged} was acknowledged, but its newest commit is {head}");
    Err(in_dir(dir, &what))
}

/// Makes the names of all files durable: of sled's, of ours, and of the directory itself.
fn sync_names(dir: &Path) -> io::Result<()> {
    for file in fs::read_dir(dir)? {
        let file = file?;
        if file.file_type()?.is_file() {
            File::open(file.path())?.sync_all()?;
        }
    }
    let absolute = fs::canonicalize(dir)?;
    for dir in [Some(absolute.as_path()), absolute.parent()].into_iter().flatten() {
        // Not every system can sync a directory, and a parent may be closed to us.
        match File::open(dir).and_then(|it| it.sync_all()) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
            result => result?,
        }
    }
    Ok(())
}

fn in_dir(dir: &Path, what: &str) -> StoreError {
    damaged(&format!("in `{}` {what}", dir.display()))
}

/// A store error for an opening that did not come back. sled asserts much of what it reads, so a
/// panic of it here means files that it did not write so.
pub(super) fn task_error(error: &JoinError, dir: &Path) -> StoreError {
    if error.is_panic() {
        return in_dir(dir, &format!("sled found a contradiction: {error}"));
    }
    StoreError::Unavailable { detail: format!("`{}`: opening it was cancelled", dir.display()) }
}

/// A store error for an I/O error of ours.
pub(super) fn io_error(error: &io::Error, dir: &Path) -> StoreError {
    if error.kind() == io::ErrorKind::InvalidData {
        return in_dir(dir, &error.to_string());
    }
    let dir = dir.display();
    let detail = if is_forbidden(error) {
        format!(
            "`{dir}` cannot be written: {error}; make it a directory that the user of this process \
             may write, on a disk that is not read-only, or name another"
        )
    } else {
        format!("`{dir}`: {error}")
    };
    if lacks_room(error) { StoreError::Full { detail } } else { StoreError::Unavailable { detail } }
}

/// Whether there is no room to write, or writing is not allowed now: both can pass.
fn lacks_room(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem)
}

/// Whether the place is one where nothing can be made.
fn is_forbidden(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, NotADirectory, PermissionDenied, ReadOnlyFilesystem};
    let kind = error.kind();
    matches!(kind, AlreadyExists | NotADirectory | PermissionDenied | ReadOnlyFilesystem)
}

/// Whether sled refused because the directory is open already. It has no error of its own for this;
/// a test holds on to the text.
fn is_locked(error: &::sled::Error) -> bool {
    matches!(error, ::sled::Error::Io(io) if io.to_string().contains("could not acquire lock"))
}

/// A store error for one of sled's.
pub(super) fn explain(error: &::sled::Error, dir: &Path) -> StoreError {
    use ::sled::Error;
    match error {
        error if is_locked(error) => {
            let dir = dir.display();
            let detail = format!(
                "another process has `{dir}` open: stop that process, or name another directory"
            );
            StoreError::InUse { detail }
        }
        Error::Io(io) => io_error(io, dir),
        Error::Corruption { .. } | Error::CollectionNotFound(_) => {
            in_dir(dir, &format!("sled found: {error}"))
        }
        Error::Unsupported(_) => {
            let dir = dir.display();
            StoreError::UnknownFormat {
                found: "that sled refuses".to_owned(),
                expected: String::from_utf8_lossy(layout::FORMAT).into_owned(),
                detail: format!("`{dir}`: {error}"),
            }
        }
        Error::ReportableBug(_) => {
            StoreError::Unavailable { detail: format!("`{}`: {error}", dir.display()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(dir: &Path, key: &[u8], value: &[u8]) {
        let db = Config::new().path(dir).open().unwrap();
        db.insert(key, value).unwrap();
        db.flush().unwrap();
    }

    fn open(dir: &Path) -> Result<Disk, StoreError> {
        Disk::open(dir.to_owned(), ChangeRetention::default(), 0)
    }

    #[test]
    fn another_format_is_refused_and_left_alone() {
        let dir = tempfile::TempDir::new().unwrap();
        drop(open(dir.path()).unwrap());
        write(dir.path(), layout::FORMAT_KEY, b"camgate-sled-9");
        let Err(error) = open(dir.path()) else { panic!("it opened") };
        assert!(matches!(error, StoreError::UnknownFormat { .. }), "{error:?}");
        let message = error.to_string();
        assert!(message.contains("format camgate-sled-9"), "{message}");
        assert!(message.contains("reads camgate-sled-2"), "{message}");
        write(dir.path(), layout::FORMAT_KEY, layout::FORMAT);
        open(dir.path()).unwrap();
    }

    #[test]
    fn a_sled_directory_of_another_program_is_refused() {
        let dir = tempfile::TempDir::new().unwrap();
        write(dir.path(), b"key", b"value");
        let Err(error) = open(dir.path()) else { panic!("it opened") };
        assert!(error.to_string().contains("has format none"), "{error}");
    }

    #[test]
    fn an_entry_that_differs_from_its_newest_change_is_refused() {
        let dir = tempfile::TempDir::new().unwrap();
        let disk = open(dir.path()).unwrap();
        let commit = crate::store::Commit::new().put("a", "1").put("b", "1");
        disk.apply(&commit).unwrap();
        disk.flush().unwrap();
        drop(disk);
        let (key, value) = layout::entry_pairs(b"a", b"2", Revision(1), 0).remove(0);
        write(dir.path(), &key, &value);
        let Err(error) = open(dir.path()) else { panic!("it opened") };
        assert!(error.to_string().contains("differs from its newest change"), "{error}");
    }

    #[test]
    fn an_entry_that_was_never_committed_or_went_missing_is_refused() {
        let dir = tempfile::TempDir::new().unwrap();
        drop(open(dir.path()).unwrap());
        let (key, value) = layout::entry_pairs(b"a", b"1", Revision(1), 0).remove(0);
        write(dir.path(), &key, &value);
        let Err(error) = open(dir.path()) else { panic!("it opened") };
        assert!(error.to_string().contains("not those that were committed"), "{error}");
        let db = Config::new().path(dir.path()).open().unwrap();
        db.remove(&key).unwrap();
        drop(db);
        open(dir.path()).unwrap();
    }
}
