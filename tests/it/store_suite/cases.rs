//! Cases of one caller: reading, committing, preconditions.

use camgate::store::{Commit, Entry, Revision, StoreError};

use super::Engine;

fn conflict(key: &str) -> StoreError {
    StoreError::Conflict { key: key.into() }
}

fn entry(key: &str, value: &[u8], revision: Revision) -> Entry {
    Entry { key: key.into(), value: value.to_vec(), revision }
}

pub(super) async fn an_empty_store_is_at_revision_zero(engine: Engine) {
    let it = engine.make().await;
    assert_eq!(it.store.head().await.unwrap(), Revision::EMPTY);
    assert_eq!(it.store.read(b"a").await.unwrap(), (None, Revision::EMPTY));
    assert_eq!(it.store.read_prefix(b"").await.unwrap(), (vec![], Revision::EMPTY));
    assert_eq!(it.store.is_exclusive(), engine.is_exclusive());
}

pub(super) async fn a_commit_is_read_back_at_its_revision(engine: Engine) {
    let store = engine.make().await.store;
    let first = store.commit(Commit::new().put("a", "1").put("b", "")).await.unwrap();
    assert_eq!(store.read(b"a").await.unwrap(), (Some(entry("a", b"1", first)), first));
    assert_eq!(store.read(b"b").await.unwrap(), (Some(entry("b", b"", first)), first));
    let second = store.commit(Commit::new().put("a", "2")).await.unwrap();
    assert!(second > first);
    assert_eq!(store.head().await.unwrap(), second);
    let expected = vec![entry("a", b"2", second), entry("b", b"", first)];
    assert_eq!(store.read_prefix(b"").await.unwrap(), (expected, second));
    let third = store.commit(Commit::new().delete("a")).await.unwrap();
    assert_eq!(store.read(b"a").await.unwrap(), (None, third));
    // A key that comes back has the revision of its return.
    let fourth = store.commit(Commit::new().put("a", "4")).await.unwrap();
    assert_eq!(store.read(b"a").await.unwrap(), (Some(entry("a", b"4", fourth)), fourth));
}

pub(super) async fn revisions_strictly_increase_and_failures_take_none(engine: Engine) {
    let store = engine.make().await.store;
    let mut last = store.head().await.unwrap();
    for number in 0..20_u8 {
        // The same value again is a commit like any other.
        let revision = store.commit(Commit::new().put("k", [number / 2])).await.unwrap();
        assert!(revision > last, "{revision} after {last}");
        let refused = Commit::new().require_absent("k").put("k", "x");
        assert_eq!(store.commit(refused).await.unwrap_err(), conflict("k"));
        assert_eq!(store.head().await.unwrap(), revision, "a refused commit takes no revision");
        last = revision;
    }
}

pub(super) async fn each_precondition_holds_or_refuses(engine: Engine) {
    let store = engine.make().await.store;
    let old = store.commit(Commit::new().put("k", "1")).await.unwrap();
    let new = store.commit(Commit::new().put("k", "2")).await.unwrap();
    let later = Revision(new.0 + 1);
    let touch = || Commit::new().put("touched", "x");
    for (commit, refused_at) in [
        (touch().require_absent("none"), None),
        (touch().require_absent("k"), Some("k")),
        (touch().require_exists("k"), None),
        (touch().require_exists("none"), Some("none")),
        (touch().require_at("k", new), None),
        (touch().require_at("k", old), Some("k")),
        (touch().require_at("k", later), Some("k")),
        (touch().require_at("none", old), Some("none")),
        (touch().require_at("none", Revision::EMPTY), Some("none")),
        // All must hold, and the first that fails is named.
        (touch().require_exists("k").require_at("k", old).require_exists("none"), Some("k")),
    ] {
        let expected = refused_at.map_or(Ok(()), |key| Err(conflict(key)));
        assert_eq!(store.commit(commit.clone()).await.map(|_| ()), expected, "{commit:?}");
    }
}

pub(super) async fn a_failed_precondition_changes_nothing(engine: Engine) {
    let store = engine.make().await.store;
    let first = store.commit(Commit::new().put("a", "1").put("b", "1")).await.unwrap();
    let before = store.read_prefix(b"").await.unwrap();
    let refused = Commit::new().put("a", "2").delete("b").put("c", "2").require_absent("b");
    assert_eq!(store.commit(refused).await.unwrap_err(), conflict("b"));
    assert_eq!(store.read_prefix(b"").await.unwrap(), before);
    // Nor is it in the change stream.
    let mut watch = store.watch(first).await.unwrap();
    let next = store.commit(Commit::new().put("d", "3")).await.unwrap();
    assert_eq!(super::next_change(&mut watch).await.revision, next);
}

pub(super) async fn a_key_to_delete_must_be_there(engine: Engine) {
    let store = engine.make().await.store;
    let lone = Commit::new().delete("a");
    assert_eq!(store.commit(lone.clone()).await.unwrap_err(), conflict("a"));
    let mixed = Commit::new().put("b", "1").delete("a");
    assert_eq!(store.commit(mixed).await.unwrap_err(), conflict("a"));
    assert_eq!(store.read_prefix(b"").await.unwrap(), (vec![], Revision::EMPTY));
    store.commit(Commit::new().put("a", "1")).await.unwrap();
    store.commit(lone.clone()).await.unwrap();
    assert_eq!(store.commit(lone).await.unwrap_err(), conflict("a"));
}

pub(super) async fn malformed_commits_are_refused(engine: Engine) {
    let store = engine.make().await.store;
    let duplicate = |key: &str| StoreError::DuplicateKey { key: key.into() };
    for (commit, error) in [
        (Commit::new(), StoreError::EmptyCommit),
        (Commit::new().require_absent("a"), StoreError::EmptyCommit),
        (Commit::new().put("", "1"), StoreError::EmptyKey),
        (Commit::new().delete(""), StoreError::EmptyKey),
        (Commit::new().put("a", "1").require_exists(""), StoreError::EmptyKey),
        (Commit::new().put("a", "1").put("a", "1"), duplicate("a")),
        (Commit::new().put("策略", "1").delete("策略"), duplicate("策略")),
    ] {
        assert_eq!(store.commit(commit.clone()).await.unwrap_err(), error, "{commit:?}");
    }
    assert_eq!(store.head().await.unwrap(), Revision::EMPTY);
    assert!(duplicate("策略").to_string().contains("`策略`"), "the key is readable");
}

pub(super) async fn a_prefix_reads_exactly_its_keys_in_order(engine: Engine) {
    let store = engine.make().await.store;
    let mut keys: Vec<Vec<u8>> =
        ["a", "a/", "a/1", "a/10", "a/2", "a/策略", "a/策略/一", "a0", "b"]
            .iter()
            .map(|key| key.as_bytes().to_vec())
            .collect();
    keys.extend([vec![0], vec![0, 0], vec![0xff], vec![0xff, 0xff], vec![0xff, 0xff, 0]]);
    let revision = store
        .commit(keys.iter().rev().fold(Commit::new(), |it, key| it.put(&key[..], &key[..])))
        .await
        .unwrap();
    let mut prefixes = keys.clone();
    prefixes.extend([vec![], b"c".to_vec(), "a/策".as_bytes()[..4].to_vec(), vec![0xff; 4]]);
    for prefix in prefixes {
        let mut expected: Vec<_> =
            keys.iter().filter(|key| key.starts_with(&prefix)).cloned().collect();
        expected.sort();
        let (entries, at) = store.read_prefix(&prefix).await.unwrap();
        assert_eq!(at, revision);
        assert!(entries.iter().all(|it| it.key == it.value && it.revision == revision));
        let found: Vec<_> = entries.into_iter().map(|it| it.key).collect();
        assert_eq!(found, expected, "prefix {prefix:?}");
    }
}

pub(super) async fn long_values_come_and_go(engine: Engine) {
    let store = engine.make().await.store;
    let value = |len: usize, seed: u8| -> Vec<u8> {
        (0..=250_u8).cycle().take(len).map(|it| it ^ seed).collect()
    };
    // Around the sizes where an engine may cut values, up and down, neighbours untouched.
    let lens = [0, 6143, 6144, 6145, 12_287, 12_288, 12_289, 200_000, 1, 70_000, 6145, 3];
    store.commit(Commit::new().put("k0", "before").put("k2", "after")).await.unwrap();
    for (len, seed) in lens.into_iter().zip(0..) {
        let value = value(len, seed);
        let at = store.commit(Commit::new().put("k1", &value[..])).await.unwrap();
        let found = store.read(b"k1").await.unwrap();
        assert!(found == (Some(entry("k1", &value, at)), at), "{len} bytes");
        assert_eq!(store.read_prefix(b"k").await.unwrap().0.len(), 3);
    }
    store.commit(Commit::new().put("k1", value(100_000, 9))).await.unwrap();
    store.commit(Commit::new().delete("k1")).await.unwrap();
    let left: Vec<_> = store.read_prefix(b"").await.unwrap().0;
    assert_eq!(left.iter().map(|it| &it.value[..]).collect::<Vec<_>>(), [&b"before"[..], b"after"]);
}
