//! Every limit, at n and at n + 1.

use camgate::store::{
    Commit, CommitLimit, KEY_BYTES_MAX, Revision, Store, StoreError, VALUE_BYTES_MAX,
};

use super::Engine;

async fn expect_too_large(store: &dyn Store, commit: Commit, what: CommitLimit, limit: usize) {
    let before = store.head().await.unwrap();
    let error = store.commit(commit).await.unwrap_err();
    assert_eq!(error, StoreError::TooLarge { what, limit, actual: limit + 1 });
    let message = error.to_string();
    assert!(message.contains(&limit.to_string()), "{message}");
    assert!(message.contains(&(limit + 1).to_string()), "{message}");
    assert_eq!(store.head().await.unwrap(), before);
}

pub(super) async fn limits_hold_at_n_and_refuse_n_plus_1(engine: Engine) {
    let it = engine.make().await;
    let store = &*it.store;
    let limits = store.commit_limits();

    let key = |len: usize| vec![b'k'; len];
    store.commit(Commit::new().put(key(KEY_BYTES_MAX), "1")).await.unwrap();
    let (found, _) = store.read(&key(KEY_BYTES_MAX)).await.unwrap();
    assert_eq!(found.unwrap().value, b"1");
    for commit in [
        Commit::new().put(key(KEY_BYTES_MAX + 1), "1"),
        Commit::new().delete(key(KEY_BYTES_MAX + 1)),
        Commit::new().put("a", "1").require_absent(key(KEY_BYTES_MAX + 1)),
    ] {
        expect_too_large(store, commit, CommitLimit::KeyBytes, KEY_BYTES_MAX).await;
    }

    let value = |len: usize| vec![7; len];
    store.commit(Commit::new().put("v", value(VALUE_BYTES_MAX))).await.unwrap();
    let (found, _) = store.read(b"v").await.unwrap();
    assert!(found.unwrap().value == value(VALUE_BYTES_MAX));
    let commit = Commit::new().put("v", value(VALUE_BYTES_MAX + 1));
    expect_too_large(store, commit, CommitLimit::ValueBytes, VALUE_BYTES_MAX).await;

    // Fill a commit to its byte limit: keys of 4 bytes and values as large as they may be.
    let full = limits.commit_bytes_max / VALUE_BYTES_MAX;
    let rest = |extra: usize| {
        let mut commit = Commit::new();
        for number in 0..full {
            commit = commit.put(format!("{number:04}"), value(VALUE_BYTES_MAX - 4));
        }
        let left = limits.commit_bytes_max + extra - commit.byte_len();
        if left > 0 { commit.put("last", value(left - 4)) } else { commit }
    };
    let commit = if limits.commit_bytes_max % VALUE_BYTES_MAX == 0 {
        let over = rest(0).put("x", "");
        assert_eq!(over.byte_len(), limits.commit_bytes_max + 1);
        over
    } else {
        rest(1)
    };
    expect_too_large(store, commit, CommitLimit::CommitBytes, limits.commit_bytes_max).await;
    let commit = rest(0);
    assert_eq!(commit.byte_len(), limits.commit_bytes_max);
    let at = store.commit(commit.clone()).await.unwrap();
    let mut watch = store.watch(Revision(at.0 - 1)).await.unwrap();
    assert!(super::next_change(&mut watch).await.mutations == commit.mutations);
    let (found, _) = store.read_prefix(b"0").await.unwrap();
    assert_eq!(found.len(), full);
    assert!(found.iter().all(|it| it.value == value(VALUE_BYTES_MAX - 4)));
}

pub(super) async fn the_largest_commit_of_small_mutations_is_taken(engine: Engine) {
    let it = engine.make().await;
    let store = &*it.store;
    let max = store.commit_limits().mutations_max;
    let puts = |count: usize| {
        (0..count).fold(Commit::new(), |commit, n| commit.put(format!("k/{n:08}"), "v"))
    };
    expect_too_large(store, puts(max + 1), CommitLimit::Mutations, max).await;
    let at = store.commit(puts(max)).await.unwrap();
    let (found, seen_at) = store.read_prefix(b"k/").await.unwrap();
    assert_eq!((found.len(), seen_at), (max, at));

    let require = |count: usize| {
        (0..count).fold(Commit::new().put("x", "1"), |commit, n| {
            commit.require_at(format!("k/{n:08}"), at)
        })
    };
    store.commit(require(max)).await.unwrap();
    expect_too_large(store, require(max + 1), CommitLimit::Preconditions, max).await;

    let deletes = found.into_iter().fold(Commit::new(), |commit, it| commit.delete(it.key));
    store.commit(deletes).await.unwrap();
    assert_eq!(store.read_prefix(b"k/").await.unwrap().0, vec![]);
}
