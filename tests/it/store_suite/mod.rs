//! The conformance suite of the store contract: the same cases on every engine.
//!
//! A new engine joins by a variant of [`Engine`] and a line in `conformance!`. What only one
//! engine has (a directory to reopen) is tested in a file of its own. A random state machine
//! compares each engine with a plain model.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected must fail where it stands"
)]

mod cases;
mod concurrent;
#[cfg(feature = "etcd")]
mod etcd_cluster;
#[cfg(feature = "etcd")]
mod etcd_secured;
mod limits;
mod model;
mod scanning;
mod sled_dir;
mod watching;

use std::sync::Arc;

use camgate::store::{
    ChangeRetention, ChangeSet, MemoryStore, SledStore, Store, StoreError, Watch,
};
use tempfile::TempDir;

/// An engine under test.
#[derive(Clone, Copy, Debug)]
enum Engine {
    Memory,
    Sled,
    #[cfg(feature = "etcd")]
    Etcd,
}

/// A store and what must outlive it. Fields drop in order: the store before its directory.
struct Fixture {
    store: Arc<dyn Store>,
    _dir: Option<TempDir>,
}

impl Engine {
    /// Whether no other process can write its stores.
    fn is_exclusive(self) -> bool {
        match self {
            Self::Memory | Self::Sled => true,
            #[cfg(feature = "etcd")]
            Self::Etcd => false,
        }
    }

    /// An empty store.
    async fn make(self) -> Fixture {
        self.make_keeping(ChangeRetention::default()).await
    }

    /// An empty store that keeps as many changes as told.
    async fn make_keeping(self, retention: ChangeRetention) -> Fixture {
        match self {
            Self::Memory => {
                let store = Arc::new(MemoryStore::with_retention(retention));
                Fixture { store, _dir: None }
            }
            Self::Sled => {
                let dir = TempDir::new().unwrap();
                let store = SledStore::open_with(dir.path(), retention).await.unwrap();
                Fixture { store: Arc::new(store), _dir: Some(dir) }
            }
            // etcd keeps what its operator lets it keep.
            #[cfg(feature = "etcd")]
            Self::Etcd => Fixture { store: etcd_cluster::new_store().await, _dir: None },
        }
    }
}

/// Turns each case into one test per engine; those that are about how much of the past an engine
/// keeps, per engine that keeps it by itself.
macro_rules! conformance {
    (all: $($module:ident :: $case:ident),+; keeping: $($own:ident :: $kept:ident),+ $(,)?) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $case() {
                super::$module::$case(super::Engine::Memory).await;
            })+
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $kept() {
                super::$own::$kept(super::Engine::Memory).await;
            })+
        }
        mod sled {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $case() {
                super::$module::$case(super::Engine::Sled).await;
            })+
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $kept() {
                super::$own::$kept(super::Engine::Sled).await;
            })+
        }
        #[cfg(feature = "etcd")]
        mod etcd {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $case() {
                super::$module::$case(super::Engine::Etcd).await;
            })+
        }
    };
}

conformance![
    all:
    cases::an_empty_store_is_at_revision_zero,
    cases::a_commit_is_read_back_at_its_revision,
    cases::revisions_strictly_increase_and_failures_take_none,
    cases::each_precondition_holds_or_refuses,
    cases::a_failed_precondition_changes_nothing,
    cases::a_key_to_delete_must_be_there,
    cases::malformed_commits_are_refused,
    cases::a_prefix_reads_exactly_its_keys_in_order,
    cases::long_values_come_and_go,
    concurrent::writers_are_serialised_by_a_precondition,
    concurrent::scans_are_never_torn,
    concurrent::an_acknowledged_commit_is_seen_by_every_later_read,
    concurrent::a_dropped_commit_is_whole_or_absent,
    limits::limits_hold_at_n_and_refuse_n_plus_1,
    limits::the_largest_commit_of_small_mutations_is_taken,
    scanning::a_scan_is_at_one_revision_whatever_is_committed_meanwhile,
    scanning::a_scan_of_an_empty_store_has_nothing,
    watching::a_watch_from_any_revision_yields_exactly_the_missing_commits,
    watching::a_watch_waits_for_commits_and_survives_a_dropped_wait,
    watching::a_watch_ahead_of_the_store_is_refused,
    watching::a_watch_ends_with_its_store,
    watching::replaying_a_watch_gives_the_store;
    keeping:
    watching::compaction_is_answered_at_the_exact_revision,
    watching::compaction_by_bytes_keeps_the_newest,
    watching::a_lagging_watch_is_told_and_ends,
];

/// The next change set; fails on an error or an end.
async fn next_change(watch: &mut Watch) -> Arc<ChangeSet> {
    watch.next().await.expect("the watch ended").expect("the watch failed")
}

/// The next item must be an error, after which the watch has ended.
async fn last_error(watch: &mut Watch) -> StoreError {
    let error = watch.next().await.expect("the watch ended").expect_err("a change was yielded");
    assert!(watch.next().await.is_none(), "an error must be the last item");
    error
}
