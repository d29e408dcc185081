//! What only etcd has: others that write to the cluster, compaction by its operator, members that
//! go, and the registry of nodes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use camgate::store::{Commit, NodeEntry, Revision, Store, StoreError, StoreFuture};
use etcd_client::{Client, CompactionOptions};

use super::{last_error, next_change};
use crate::support::etcd::{Cluster, free_ports, within};

/// One member for all tests that do not harm it.
static SHARED: OnceLock<Cluster> = OnceLock::new();
static STORES: AtomicUsize = AtomicUsize::new(0);

fn shared() -> &'static Cluster {
    SHARED.get_or_init(|| start_now(1))
}

/// An empty store of its own in the shared cluster.
pub(super) async fn new_store() -> Arc<dyn Store> {
    let cluster = tokio::task::spawn_blocking(shared).await.unwrap();
    let prefix = format!("test-{}", STORES.fetch_add(1, Ordering::Relaxed));
    Arc::new(cluster.store(&prefix).await)
}

fn start_now(size: usize) -> Cluster {
    let ports = free_ports(size);
    Cluster::start(&ports, &ports)
}

async fn start(size: usize) -> Cluster {
    tokio::task::spawn_blocking(move || start_now(size)).await.unwrap()
}

/// Asks until the store answers, as it does when an election is over.
async fn answered<'a, T>(mut ask: impl FnMut() -> StoreFuture<'a, T>) -> T {
    within("an answer", async {
        loop {
            match ask().await {
                Ok(answer) => break answer,
                Err(StoreError::Unavailable { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
    })
    .await
}

/// Three commits, and somebody else's write after each.
async fn commit_among_others(store: &dyn Store, other: &mut Client) -> Vec<Revision> {
    let mut revisions = vec![store.head().await.unwrap()];
    for number in 0..3_u8 {
        revisions.push(store.commit(Commit::new().put("k", [number])).await.unwrap());
        other.put("somebody/else", [number], None).await.unwrap();
    }
    revisions
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_in_the_cluster_do_not_count() {
    let cluster = start(1).await;
    let store = cluster.store("ours").await;
    let mut other = Client::connect(cluster.urls(), None).await.unwrap();
    let revisions = commit_among_others(&store, &mut other).await;
    let last = *revisions.last().unwrap();
    // Whoever reads after the others' writes is at our last commit all the same.
    assert_eq!(store.head().await.unwrap(), last);
    assert_eq!(store.read(b"k").await.unwrap().1, last);
    assert_eq!(store.read_prefix(b"").await.unwrap().1, last);
    let mut watch = store.watch(Revision::EMPTY).await.unwrap();
    for expected in &revisions[1..] {
        assert_eq!(next_change(&mut watch).await.revision, *expected);
    }
    // Another store in the same cluster has nothing of it.
    let beside = cluster.store("beside").await;
    assert_eq!(beside.head().await.unwrap(), Revision::EMPTY);
    assert!(beside.read_prefix(b"").await.unwrap().0.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_from_before_a_compaction_is_told() {
    let cluster = start(1).await;
    let store = cluster.store("ours").await;
    let mut other = Client::connect(cluster.urls(), None).await.unwrap();
    let revisions = commit_among_others(&store, &mut other).await;
    let mut begun = store.watch(revisions[1]).await.unwrap();
    let at = i64::try_from(revisions[2].0).unwrap();
    let options = Some(CompactionOptions::new().with_physical());
    other.compact(at, options).await.unwrap();
    for after in [revisions[0], revisions[1]] {
        let fault = store.watch(after).await.unwrap_err();
        assert_eq!(fault, StoreError::Compacted { after, oldest: revisions[2] });
    }
    let fault = last_error(&mut begun).await;
    assert_eq!(fault, StoreError::Compacted { after: revisions[1], oldest: revisions[2] });
    let mut watch = store.watch(revisions[2]).await.unwrap();
    assert_eq!(next_change(&mut watch).await.revision, revisions[3]);
    // What others write moves etcd past our head: nothing of ours is lost by compacting it.
    let now = other.put("somebody/else", "4", None).await.unwrap().header().unwrap().revision();
    other.compact(now, Some(CompactionOptions::new().with_physical())).await.unwrap();
    let mut watch = store.watch(revisions[3]).await.unwrap();
    let next = store.commit(Commit::new().put("k", "next")).await.unwrap();
    assert_eq!(next_change(&mut watch).await.revision, next);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_reads_are_at_one_revision() {
    let store = new_store().await;
    // More than a page, and keys that are prefixes of each other.
    for part in 0..5_u8 {
        let mut commit = Commit::new();
        for number in 0..50_u8 {
            commit = commit.put([b"p/".as_slice(), &[part, number]].concat(), vec![number; 100]);
        }
        store.commit(commit.put([b"p/".as_slice(), &[part]].concat(), "")).await.unwrap();
    }
    let (entries, head) = store.read_prefix(b"p/").await.unwrap();
    assert_eq!(entries.len(), 5 * 51);
    assert!(entries.windows(2).all(|pair| pair[0].key < pair[1].key));
    assert_eq!(head, store.head().await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scan_of_what_was_compacted_is_lost() {
    let cluster = start(1).await;
    let store = cluster.store("ours").await;
    let mut head = Revision::EMPTY;
    for part in 0..5_u8 {
        let puts = (0..50_u8).fold(Commit::new(), |it, number| it.put([part, number], "v"));
        head = store.commit(puts).await.unwrap();
    }
    let mut scan = store.scan().await.unwrap();
    assert_eq!(scan.next().await.unwrap().unwrap().len(), 100);
    let now = store.commit(Commit::new().put("k", "v")).await.unwrap();
    let mut other = Client::connect(cluster.urls(), None).await.unwrap();
    let at = i64::try_from(now.0).unwrap();
    other.compact(at, Some(CompactionOptions::new().with_physical())).await.unwrap();
    let fault = scan.next().await.unwrap().unwrap_err();
    assert!(matches!(fault, StoreError::ScanLost { at, .. } if at == head), "{fault}");
    assert!(scan.next().await.is_none(), "an error is the last item");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_gone_is_not_asked_twice() {
    let mut cluster = start(3).await;
    let store = cluster.store("ours").await;
    store.commit(Commit::new().put("k", "1")).await.unwrap();
    let mut watch = store.watch(store.head().await.unwrap()).await.unwrap();
    for at in 0..3 {
        cluster.members[at].kill();
        assert_eq!(cluster.members[at].pid(), None);
        let put = || Commit::new().put("k", at.to_string());
        // The first may meet the member that is gone, or an election: nobody knows its outcome.
        let revision = answered(|| store.commit(put())).await;
        assert_eq!(store.read(b"k").await.unwrap().0.unwrap().value, at.to_string().as_bytes());
        // The change stream breaks with its member, and goes on with another.
        let mut last = Revision::EMPTY;
        let follow = async {
            while last != revision {
                match watch.next().await {
                    Some(Ok(change)) => last = change.revision,
                    Some(Err(StoreError::Unavailable { .. })) | None => {
                        watch = answered(|| store.watch(last)).await;
                    }
                    Some(Err(other)) => panic!("{other}"),
                }
            }
        };
        within("the commit is told", follow).await;
        cluster.members[at].restart();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_majority_nothing_is_answered_in_time() {
    let mut cluster = start(3).await;
    let store = cluster.store("ours").await;
    store.commit(Commit::new().put("k", "1")).await.unwrap();
    cluster.members[0].kill();
    cluster.members[1].freeze();
    let started = std::time::Instant::now();
    let commit = store.commit(Commit::new().put("k", "2").require_exists("k")).await;
    assert!(matches!(commit, Err(StoreError::Unavailable { .. })), "{commit:?}");
    let read = store.read(b"k").await;
    assert!(matches!(read, Err(StoreError::Unavailable { .. })), "{read:?}");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    cluster.members[1].thaw();
    cluster.members[0].restart();
    let found = answered(|| store.read(b"k")).await.0.unwrap();
    // The commit that nobody answered took effect whole or not at all.
    assert!(found.value == b"1" || found.value == b"2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_are_known_while_they_say_that_they_run() {
    let cluster = start(1).await;
    let (one, two) = (cluster.store("ours").await, cluster.store("ours").await);
    let entry = |id: &str| NodeEntry { id: id.to_owned(), value: b"v".to_vec() };
    one.announce(&entry("a")).await.unwrap();
    two.announce(&entry("b")).await.unwrap();
    assert_eq!(one.nodes().await.unwrap(), [entry("a"), entry("b")]);
    // Saying so is no commit.
    assert_eq!(one.head().await.unwrap(), Revision::EMPTY);
    // One that is silent is forgotten, one that speaks is not.
    drop(one);
    within("the silent node is forgotten", async {
        while two.nodes().await.unwrap() != [entry("b")] {
            two.announce(&entry("b")).await.unwrap();
        }
    })
    .await;
}
