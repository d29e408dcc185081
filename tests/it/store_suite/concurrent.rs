//! Cases of many callers at once.

use std::collections::BTreeSet;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use camgate::store::{Commit, Revision, Store, StoreError};
use tokio::task::JoinSet;

use super::Engine;

/// Adds one to the number under `counter`, retrying on conflicts; counts them in `conflicts`.
async fn increment(store: &dyn Store, conflicts: &AtomicU64) -> Revision {
    loop {
        let (found, _) = store.read(b"counter").await.unwrap();
        let commit = match &found {
            None => Commit::new().require_absent("counter"),
            Some(entry) => Commit::new().require_at("counter", entry.revision),
        };
        let number: u64 =
            found.map_or(0, |it| String::from_utf8(it.value).unwrap().parse().unwrap());
        match store.commit(commit.put("counter", (number + 1).to_string())).await {
            Ok(revision) => return revision,
            Err(StoreError::Conflict { .. }) => conflicts.fetch_add(1, Ordering::Relaxed),
            Err(other) => panic!("{other}"),
        };
    }
}

pub(super) async fn writers_are_serialised_by_a_precondition(engine: Engine) {
    let it = engine.make().await;
    let conflicts = Arc::new(AtomicU64::new(0));
    let mut writers = JoinSet::new();
    for _ in 0..8 {
        let (store, conflicts) = (Arc::clone(&it.store), Arc::clone(&conflicts));
        writers.spawn(async move {
            let mut revisions = Vec::new();
            for _ in 0..25 {
                revisions.push(increment(&*store, &conflicts).await);
            }
            revisions
        });
    }
    let revisions: Vec<_> = writers.join_all().await.into_iter().flatten().collect();
    let (found, head) = it.store.read(b"counter").await.unwrap();
    assert_eq!(found.unwrap().value, b"200", "no increment is lost");
    assert_eq!(revisions.iter().collect::<BTreeSet<_>>().len(), 200, "no revision is used twice");
    assert_eq!(revisions.iter().max(), Some(&head));
}

pub(super) async fn scans_are_never_torn(engine: Engine) {
    const WRITERS: u8 = 3;
    const COMMITS: u64 = 60;
    // Enough keys, and a long value among them, that a scan takes several steps in any engine.
    const KEYS: u64 = 40;
    // On a loaded machine the writers may be through before a scanner gets a turn: they go on until
    // the scanners have seen some commits come and go.
    const STATES_MIN: u64 = 4;
    let it = engine.make().await;
    let is_done = Arc::new(AtomicBool::new(false));
    let states_seen = Arc::new(AtomicU64::new(0));
    let mut scanners = JoinSet::new();
    for _ in 0..3 {
        let (store, is_done) = (Arc::clone(&it.store), Arc::clone(&is_done));
        let states_seen = Arc::clone(&states_seen);
        scanners.spawn(async move {
            let (mut last, mut last_stamp) = (Revision::EMPTY, None);
            while !is_done.load(Ordering::Relaxed) {
                let (entries, at) = store.read_prefix(b"t/").await.unwrap();
                assert!(at >= last, "a later scan is never older");
                last = at;
                let stamps: BTreeSet<_> =
                    entries.iter().map(|it| (it.value[..8].to_vec(), it.revision)).collect();
                assert!(stamps.len() <= 1, "a scan saw half a commit: {stamps:?}");
                assert!(entries.is_empty() || entries.len() as u64 == KEYS);
                let stamp = stamps.into_iter().next();
                if stamp != last_stamp {
                    last_stamp = stamp;
                    states_seen.fetch_add(1, Ordering::Relaxed);
                }
                // Where nothing is waited for, a scanner would keep its thread to itself.
                tokio::task::yield_now().await;
            }
        });
    }
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (store, states_seen) = (Arc::clone(&it.store), Arc::clone(&states_seen));
        writers.spawn(async move {
            let mut number = 0;
            while number < COMMITS || states_seen.load(Ordering::Relaxed) < STATES_MIN {
                let stamp = (number * u64::from(WRITERS) + u64::from(writer)).to_be_bytes();
                let commit = (0..KEYS).fold(Commit::new(), |commit, key| {
                    let len = if key == 20 { 20_000 } else { 8 };
                    commit.put(format!("t/{key:03}"), stamp.repeat(len / 8))
                });
                store.commit(commit).await.unwrap();
                number += 1;
                tokio::task::yield_now().await;
            }
        });
    }
    // Scanners that have failed see no more states: the writers must not wait for them for ever.
    let written = tokio::time::timeout(Duration::from_secs(60), writers.join_all()).await;
    is_done.store(true, Ordering::Relaxed);
    scanners.join_all().await;
    assert!(written.is_ok(), "the scanners saw too few states while the writers went on");
}

pub(super) async fn an_acknowledged_commit_is_seen_by_every_later_read(engine: Engine) {
    let it = engine.make().await;
    let mut tasks = JoinSet::new();
    for task in 0..16_u64 {
        let store = Arc::clone(&it.store);
        tasks.spawn(async move {
            for number in 0..10_u64 {
                let key = format!("{task}/{number}");
                let at = store.commit(Commit::new().put(key.as_bytes(), "v")).await.unwrap();
                let (found, seen_at) = store.read(key.as_bytes()).await.unwrap();
                assert!(seen_at >= at);
                assert_eq!(found.unwrap().revision, at);
                assert!(store.head().await.unwrap() >= at);
                // The change stream has it too, without waiting.
                let mut watch = store.watch(Revision(at.0 - 1)).await.unwrap();
                let change = super::next_change(&mut watch).await;
                assert_eq!((change.revision, change.mutations[0].key()), (at, key.as_bytes()));
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(it.store.read_prefix(b"").await.unwrap().0.len(), 160);
}

pub(super) async fn a_dropped_commit_is_whole_or_absent(engine: Engine) {
    let it = engine.make().await;
    let mut watch = it.store.watch(Revision::EMPTY).await.unwrap();
    for number in 0..50_u64 {
        let (left, right) = (format!("l/{number}"), format!("r/{number}"));
        let commit = Commit::new().put(left, "v").put(right, "v");
        tokio::select! {
            biased;
            _ = it.store.commit(commit) => {}
            () = ready(()) => {}
        }
    }
    // Later than all that were started: each commit waits for those applied before it.
    let last = it.store.commit(Commit::new().put("last", "v")).await.unwrap();
    let mut told = BTreeSet::new();
    loop {
        let change = super::next_change(&mut watch).await;
        if change.revision >= last {
            break;
        }
        assert_eq!(change.mutations.len(), 2);
        told.extend(change.mutations.iter().map(|it| it.key().to_vec()));
    }
    let mut head = last;
    loop {
        let (entries, at) = it.store.read_prefix(b"").await.unwrap();
        let keys: BTreeSet<_> = entries.into_iter().map(|it| it.key).collect();
        assert!(told.iter().all(|key| keys.contains(key)), "what was told is there");
        for number in 0..50 {
            let key = |side: &str| format!("{side}/{number}").into_bytes();
            assert_eq!(keys.contains(&key("l")), keys.contains(&key("r")), "half of {number}");
        }
        if at == head {
            break;
        }
        head = at;
    }
}
