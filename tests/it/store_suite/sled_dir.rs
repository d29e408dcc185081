//! What only a store in a directory has: reopening, locking, damage.

use std::fs;
use std::path::Path;

use camgate::store::{ChangeRetention, ChangeSet, Commit, Entry, Revision};
use camgate::store::{SledStore, Store, StoreError};
use tempfile::TempDir;

use super::next_change;

/// All that a store shows: entries, changes from the beginning, head.
#[derive(PartialEq, Debug)]
struct Contents {
    entries: Vec<Entry>,
    changes: Vec<ChangeSet>,
    head: Revision,
}

async fn contents(store: &SledStore) -> Result<Contents, StoreError> {
    let (entries, head) = store.read_prefix(b"").await?;
    let mut changes = Vec::new();
    let mut watch = store.watch(Revision::EMPTY).await?;
    while (changes.len() as u64) < head.0 {
        match watch.next().await {
            Some(change) => changes.push((*change?).clone()),
            None => break,
        }
    }
    Ok(Contents { entries, changes, head })
}

async fn fill(store: &SledStore, commits: u8) {
    for number in 0..commits {
        let commit = Commit::new()
            .put(format!("a/{}", number % 17), number.to_string())
            .put("a/长", vec![number; 9000])
            .put(format!("b/{number}"), "x");
        store.commit(commit).await.unwrap();
    }
}

#[tokio::test]
async fn reopening_keeps_everything() {
    let dir = TempDir::new().unwrap();
    // Directories on the way are made.
    let path = dir.path().join("数据/store");
    let store = SledStore::open(&path).await.unwrap();
    let id = store.id().await.unwrap();
    let empty = contents(&store).await.unwrap();
    assert_eq!(empty.head, Revision::EMPTY);
    drop(store);
    let store = SledStore::open(&path).await.unwrap();
    assert_eq!(contents(&store).await.unwrap(), empty);
    fill(&store, 40).await;
    let before = contents(&store).await.unwrap();
    assert_eq!((before.head, before.changes.len()), (Revision(40), 40));
    drop(store);
    for _ in 0..3 {
        let store = SledStore::open(&path).await.unwrap();
        assert_eq!(store.head().await.unwrap(), Revision(40));
        assert!(contents(&store).await.unwrap() == before);
        assert_eq!(store.id().await.unwrap(), id, "the id is the store's for life");
    }
    let store = SledStore::open(&path).await.unwrap();
    assert_eq!(store.commit(Commit::new().put("z", "1")).await.unwrap(), Revision(41));
}

#[tokio::test]
async fn a_smaller_retention_takes_hold_after_reopening() {
    let dir = TempDir::new().unwrap();
    let store = SledStore::open(dir.path()).await.unwrap();
    fill(&store, 10).await;
    drop(store);
    let keep = ChangeRetention { sets_max: 4, bytes_max: u64::MAX };
    let store = SledStore::open_with(dir.path(), keep).await.unwrap();
    assert_eq!(contents(&store).await.unwrap().changes.len(), 10);
    fill(&store, 1).await;
    let error = store.watch(Revision(6)).await.unwrap_err();
    assert_eq!(error, StoreError::Compacted { after: Revision(6), oldest: Revision(7) });
    let mut watch = store.watch(Revision(7)).await.unwrap();
    assert_eq!(next_change(&mut watch).await.revision, Revision(8));
}

#[tokio::test]
async fn a_directory_in_use_is_refused_by_name() {
    let dir = TempDir::new().unwrap();
    let store = SledStore::open(dir.path()).await.unwrap();
    let error = SledStore::open(dir.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error:?}");
    let message = error.to_string();
    assert!(message.contains(&format!("`{}`", dir.path().display())), "{message}");
    assert!(message.contains("stop that process"), "{message}");
    // The refusal disturbs nothing, and the directory is free when the store is dropped.
    fill(&store, 1).await;
    drop(store);
    SledStore::open(dir.path()).await.unwrap();
}

#[tokio::test]
async fn a_path_that_is_no_directory_is_an_error() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    let error = SledStore::open(&file).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains("file"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn the_directory_is_closed_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("store");
    let _store = SledStore::open(&path).await.unwrap();
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700);
}

/// sled never syncs its blob files, so none may exist: `layout.rs` keeps pages too small for them.
#[tokio::test]
async fn no_commit_makes_a_blob_file() {
    let dir = TempDir::new().unwrap();
    let store = SledStore::open(dir.path()).await.unwrap();
    let limits = store.commit_limits();
    let key = |number: usize| {
        let mut key = vec![b'k'; camgate::store::KEY_BYTES_MAX];
        key[..8].copy_from_slice(format!("{number:08}").as_bytes());
        // Differences at both ends: long separators in the inner pages.
        key[camgate::store::KEY_BYTES_MAX - 8..].copy_from_slice(format!("{number:08}").as_bytes());
        key
    };
    for (count, len) in [(1200, 6144), (15, camgate::store::VALUE_BYTES_MAX), (5000, 500)] {
        for _ in 0..2 {
            let commit = (0..count)
                .map(key)
                .fold(Commit::new(), |commit, key| commit.put(key, vec![7; len]));
            assert!(commit.byte_len() <= limits.commit_bytes_max, "{}", commit.byte_len());
            store.commit(commit).await.unwrap();
        }
        // Small commits to the same pages, so that sled writes them again.
        for number in 0..60 {
            store.commit(Commit::new().put(key(number * 3), vec![1; 6144])).await.unwrap();
        }
    }
    let blobs: Vec<_> = fs::read_dir(dir.path().join("blobs")).unwrap().collect();
    assert!(blobs.is_empty(), "{blobs:?}");
}

/// Copies a store's files, changing `data` (sled's log) on the way.
fn copy_with(from: &Path, to: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    fs::create_dir_all(to.join("blobs")).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() {
            fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
    let mut data = fs::read(from.join("db")).unwrap();
    change(&mut data);
    fs::write(to.join("db"), data).unwrap();
}

/// Opens a damaged store and reads all of it. It must not panic or hang, and what it shows, if it
/// shows anything, must be exactly what was there.
async fn open_damaged(dir: &Path, original: &Contents, what: &str) -> Result<(), StoreError> {
    let store = SledStore::open(dir).await?;
    let found = contents(&store).await?;
    assert!(found == *original, "{what}: silently lost or changed data, head {}", found.head);
    Ok(())
}

#[tokio::test]
async fn a_cut_log_is_noticed() {
    let dir = TempDir::new().unwrap();
    let store = SledStore::open(dir.path()).await.unwrap();
    fill(&store, 60).await;
    let original = contents(&store).await.unwrap();
    drop(store);
    let full = fs::metadata(dir.path().join("db")).unwrap().len();
    let mut refused = 0;
    for part in 0..16 {
        let copy = TempDir::new().unwrap();
        let len = usize::try_from(full * part / 16).unwrap();
        copy_with(dir.path(), copy.path(), |data| data.truncate(len));
        let what = format!("cut to {len} of {full} bytes");
        if let Err(error) = open_damaged(copy.path(), &original, &what).await {
            assert!(error.to_string().contains("backup"), "{what}: {error}");
            refused += 1;
        }
    }
    assert!(refused >= 8, "{refused} of 16 cuts were noticed");
}

#[tokio::test]
async fn flipped_bytes_are_noticed_or_harmless() {
    let dir = TempDir::new().unwrap();
    let store = SledStore::open(dir.path()).await.unwrap();
    fill(&store, 60).await;
    let original = contents(&store).await.unwrap();
    drop(store);
    let mut refused = 0;
    for round in 0_usize..72 {
        let copy = TempDir::new().unwrap();
        let mut place = 0;
        copy_with(dir.path(), copy.path(), |data| {
            place = round.wrapping_mul(2_654_435_761) % data.len();
            for byte in &mut data[place..] {
                // The first byte of a written stretch after the place; the rest is padding.
                if *byte != 0 {
                    *byte ^= 0x55;
                    break;
                }
                place += 1;
            }
        });
        let what = format!("byte {place} flipped");
        refused += usize::from(open_damaged(copy.path(), &original, &what).await.is_err());
    }
    assert!(refused > 0, "no flip hit anything");
}

#[tokio::test]
async fn a_missing_file_is_noticed() {
    let dir = TempDir::new().unwrap();
    let store = SledStore::open(dir.path()).await.unwrap();
    fill(&store, 3).await;
    drop(store);
    for (name, message) in [
        ("acknowledged", "its file `acknowledged` is missing"),
        ("db", "it held commits and is empty now"),
    ] {
        let copy = TempDir::new().unwrap();
        copy_with(dir.path(), copy.path(), |_| {});
        fs::remove_file(copy.path().join(name)).unwrap();
        if name == "db" {
            for file in fs::read_dir(copy.path()).unwrap() {
                let file = file.unwrap();
                if file.file_name().to_string_lossy().starts_with("snap") {
                    fs::remove_file(file.path()).unwrap();
                }
            }
        }
        let error = SledStore::open(copy.path()).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
        assert!(error.to_string().contains(message), "{error}");
    }
    fs::write(dir.path().join("acknowledged"), "nonsense\n").unwrap();
    let error = SledStore::open(dir.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
}
