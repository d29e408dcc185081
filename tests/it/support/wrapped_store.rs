//! A memory store that can be made difficult: small commits, rivals, changes held back.
//!
//! Two memory stores with the same commits and so the same numbers: one is read and written, the
//! other is watched. While changes are held back, the second one gets them later.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use camgate::store::{
    Commit, CommitLimits, Entry, MemoryStore, Revision, Scan, Store, StoreError, StoreFuture, Watch,
};
use tokio::sync::Mutex;

#[derive(Debug, Default)]
pub(crate) struct WrappedStore {
    written: MemoryStore,
    watched: MemoryStore,
    limits: Option<CommitLimits>,
    /// Whether a rival writes the same account before every commit.
    has_rival: AtomicBool,
    /// How many commits were tried.
    tries: AtomicUsize,
    /// Held for a whole commit, so that both stores number alike.
    delivery: Mutex<Delivery>,
}

#[derive(Debug, Default)]
struct Delivery {
    is_held: bool,
    waiting: Vec<Commit>,
}

impl WrappedStore {
    pub(crate) fn with_limits(limits: CommitLimits) -> Self {
        Self { limits: Some(limits), ..Self::default() }
    }

    pub(crate) fn set_rival(&self, has_rival: bool) {
        self.has_rival.store(has_rival, Ordering::SeqCst);
    }

    pub(crate) fn tries(&self) -> usize {
        self.tries.load(Ordering::SeqCst)
    }

    /// From now on nobody who watches learns of a commit.
    pub(crate) async fn hold(&self) {
        self.delivery.lock().await.is_held = true;
    }

    /// Who watches learns of all that was held back.
    pub(crate) async fn release(&self) {
        let mut delivery = self.delivery.lock().await;
        delivery.is_held = false;
        for commit in std::mem::take(&mut delivery.waiting) {
            self.watched.commit(commit).await.unwrap();
        }
    }

    /// Commits to both stores; the preconditions are the first one's to check.
    async fn both(&self, delivery: &mut Delivery, commit: Commit) -> Result<Revision, StoreError> {
        let copy = Commit { preconditions: Vec::new(), mutations: commit.mutations.clone() };
        let revision = self.written.commit(commit).await?;
        if delivery.is_held {
            delivery.waiting.push(copy);
        } else {
            assert_eq!(self.watched.commit(copy).await?, revision);
        }
        Ok(revision)
    }

    async fn try_commit(&self, commit: Commit) -> Result<Revision, StoreError> {
        let mut delivery = self.delivery.lock().await;
        self.tries.fetch_add(1, Ordering::SeqCst);
        commit.check(self.commit_limits())?;
        if self.has_rival.load(Ordering::SeqCst) {
            // The account's head record, as it is: a write of the same account changes nothing
            // else here.
            let key = commit.preconditions[0].key().to_vec();
            let (entry, _) = self.written.read(&key).await?;
            let same = Commit::new().put(key, entry.unwrap().value);
            self.both(&mut delivery, same).await?;
        }
        self.both(&mut delivery, commit).await
    }
}

impl Store for WrappedStore {
    fn engine_name(&self) -> &'static str {
        "wrapped"
    }

    fn is_exclusive(&self) -> bool {
        false
    }

    fn commit_limits(&self) -> CommitLimits {
        self.limits.unwrap_or_else(|| self.written.commit_limits())
    }

    fn head(&self) -> StoreFuture<'_, Revision> {
        self.written.head()
    }

    fn read<'a>(&'a self, key: &'a [u8]) -> StoreFuture<'a, (Option<Entry>, Revision)> {
        self.written.read(key)
    }

    fn read_prefix<'a>(&'a self, prefix: &'a [u8]) -> StoreFuture<'a, (Vec<Entry>, Revision)> {
        self.written.read_prefix(prefix)
    }

    fn scan(&self) -> StoreFuture<'_, Scan> {
        self.written.scan()
    }

    fn commit(&self, commit: Commit) -> StoreFuture<'_, Revision> {
        Box::pin(self.try_commit(commit))
    }

    fn watch(&self, after: Revision) -> StoreFuture<'_, Watch> {
        self.watched.watch(after)
    }
}
