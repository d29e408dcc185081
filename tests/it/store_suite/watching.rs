//! Cases of the change stream.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::Arc;

use camgate::store::{ChangeRetention, Commit, Mutation, Revision, Store, StoreError};
use tokio::task::JoinSet;

use super::{Engine, last_error, next_change};

/// Commits `count` change sets and gives their revisions, after the store's head before them.
async fn commit_some(store: &dyn Store, count: u64) -> Vec<Revision> {
    let mut revisions = vec![store.head().await.unwrap()];
    for number in 0..count {
        let commit = Commit::new().put(format!("k{}", number % 3), number.to_string());
        revisions.push(store.commit(commit).await.unwrap());
    }
    revisions
}

pub(super) async fn a_watch_from_any_revision_yields_exactly_the_missing_commits(engine: Engine) {
    let store = engine.make().await.store;
    let mut commits = Vec::new();
    for number in 0..12_u8 {
        let mut commit = Commit::new().put("策略", [number]).put([0xff, number], "x");
        if number > 0 {
            commit = commit.delete([0xff, number - 1]);
        }
        let mutations = commit.mutations.clone();
        commits.push((store.commit(commit).await.unwrap(), mutations));
    }
    for after in std::iter::once(Revision::EMPTY).chain(commits.iter().map(|it| it.0)) {
        let mut watch = store.watch(after).await.unwrap();
        for (revision, mutations) in commits.iter().filter(|it| it.0 > after) {
            let change = next_change(&mut watch).await;
            assert_eq!(change.revision, *revision, "watching after {after}");
            assert_eq!(&change.mutations, mutations, "whole and in the committer's order");
        }
        tokio::select! {
            biased;
            item = watch.next() => panic!("after the last commit came {item:?}"),
            () = ready(()) => {}
        }
    }
}

pub(super) async fn a_watch_waits_for_commits_and_survives_a_dropped_wait(engine: Engine) {
    let it = engine.make().await;
    let mut watch = it.store.watch(Revision::EMPTY).await.unwrap();
    let store = Arc::clone(&it.store);
    let writer = tokio::spawn(async move { commit_some(&*store, 50).await });
    let mut seen = vec![Revision::EMPTY];
    while seen.len() < 51 {
        tokio::select! {
            biased;
            item = watch.next() => seen.push(item.unwrap().unwrap().revision),
            // Drops the wait at once, again and again.
            () = tokio::task::yield_now() => {}
        }
    }
    assert_eq!(seen, writer.await.unwrap());
}

pub(super) async fn a_watch_ahead_of_the_store_is_refused(engine: Engine) {
    let store = engine.make().await.store;
    let head = *commit_some(&*store, 2).await.last().unwrap();
    let after = Revision(head.0 + 1);
    assert_eq!(store.watch(after).await.unwrap_err(), StoreError::Ahead { after, head });
    store.watch(head).await.unwrap();
}

pub(super) async fn compaction_is_answered_at_the_exact_revision(engine: Engine) {
    let keep = ChangeRetention { sets_max: 5, bytes_max: u64::MAX };
    let store = engine.make_keeping(keep).await.store;
    let revisions = commit_some(&*store, 12).await;
    let oldest = revisions[7];
    for (index, after) in revisions.iter().copied().enumerate() {
        if index < 7 {
            let error = store.watch(after).await.unwrap_err();
            assert_eq!(error, StoreError::Compacted { after, oldest });
            continue;
        }
        let mut watch = store.watch(after).await.unwrap();
        for expected in &revisions[index + 1..] {
            assert_eq!(next_change(&mut watch).await.revision, *expected);
        }
    }
    // Entries are not compacted: only their history is.
    assert_eq!(store.read_prefix(b"").await.unwrap().0.len(), 3);
}

pub(super) async fn compaction_by_bytes_keeps_the_newest(engine: Engine) {
    let keep = ChangeRetention { sets_max: u64::MAX, bytes_max: 10_000 };
    let store = engine.make_keeping(keep).await.store;
    for _ in 0..5 {
        store.commit(Commit::new().put("small", vec![1; 1000])).await.unwrap();
    }
    store.watch(Revision::EMPTY).await.unwrap();
    let big = store.commit(Commit::new().put("big", vec![2; 50_000])).await.unwrap();
    let before = Revision(big.0 - 1);
    let after = Revision(before.0 - 1);
    let error = store.watch(after).await.unwrap_err();
    assert_eq!(error, StoreError::Compacted { after, oldest: before });
    let mut watch = store.watch(before).await.unwrap();
    assert_eq!(next_change(&mut watch).await.revision, big);
    // Small ones push the big one out, and then fit again.
    for _ in 0..3 {
        store.commit(Commit::new().put("small", vec![3; 1000])).await.unwrap();
    }
    assert!(store.watch(before).await.is_err());
    store.watch(big).await.unwrap();
}

pub(super) async fn a_lagging_watch_is_told_and_ends(engine: Engine) {
    let keep = ChangeRetention { sets_max: 3, bytes_max: u64::MAX };
    let store = engine.make_keeping(keep).await.store;
    let first = commit_some(&*store, 2).await;
    let mut watch = store.watch(first[0]).await.unwrap();
    let mut unread = store.watch(first[0]).await.unwrap();
    assert_eq!(next_change(&mut watch).await.revision, first[1]);
    assert_eq!(next_change(&mut watch).await.revision, first[2]);
    let later = commit_some(&*store, 6).await;
    let (after, oldest) = (first[2], later[3]);
    assert_eq!(last_error(&mut watch).await, StoreError::Compacted { after, oldest });
    let after = first[0];
    assert_eq!(last_error(&mut unread).await, StoreError::Compacted { after, oldest });
}

pub(super) async fn a_watch_ends_with_its_store(engine: Engine) {
    let it = engine.make().await;
    let mut watch = it.store.watch(Revision::EMPTY).await.unwrap();
    let waiting = tokio::spawn(async move { watch.next().await });
    drop(it);
    assert!(waiting.await.unwrap().is_none());
}

pub(super) async fn replaying_a_watch_gives_the_store(engine: Engine) {
    let it = engine.make().await;
    let mut writers = JoinSet::new();
    for writer in 0..4_u64 {
        let store = Arc::clone(&it.store);
        writers.spawn(async move {
            for number in 0..40_u64 {
                let own = format!("own/{writer}/{}", number % 5);
                let commit = match store.read(own.as_bytes()).await.unwrap().0 {
                    Some(_) if number % 3 == 0 => Commit::new().delete(own),
                    Some(_) | None => Commit::new().put(own, number.to_string()),
                };
                let shared = format!("shared/{}", number % 2);
                store.commit(commit.put(shared, writer.to_string())).await.unwrap();
            }
        });
    }
    let mut watch = it.store.watch(Revision::EMPTY).await.unwrap();
    let (mut replayed, mut last) = (BTreeMap::new(), Revision::EMPTY);
    for _ in 0..160 {
        let change = next_change(&mut watch).await;
        assert!(change.revision > last);
        last = change.revision;
        for mutation in &change.mutations {
            match mutation {
                Mutation::Put { key, value } => {
                    replayed.insert(key.clone(), (value.clone(), last));
                }
                Mutation::Delete { key } => assert!(replayed.remove(key).is_some()),
            }
        }
    }
    writers.join_all().await;
    let (entries, head) = it.store.read_prefix(b"").await.unwrap();
    let stored: BTreeMap<_, _> =
        entries.into_iter().map(|it| (it.key, (it.value, it.revision))).collect();
    assert_eq!((stored, head), (replayed, last));
}
