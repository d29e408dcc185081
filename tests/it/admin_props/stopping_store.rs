//! A memory store on which the world stops at a given operation, as when the power goes.
//!
//! The operation takes effect or not, but is never answered; nor is any after it.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use camgate::store::{
    Commit, CommitLimits, Entry, MemoryStore, Revision, Scan, Store, StoreFuture, Watch,
};
use tokio::sync::watch;

/// Where in its operation the world stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Before it takes effect.
    Before,
    /// After it took effect, before it is answered.
    After,
}

#[derive(Debug)]
pub(super) struct StoppingStore {
    inner: Arc<MemoryStore>,
    begun: AtomicUsize,
    /// The number of the last operation, from 1.
    last: usize,
    stop: Stop,
    stopped: watch::Sender<bool>,
}

impl StoppingStore {
    pub(super) fn new(inner: Arc<MemoryStore>, last: usize, stop: Stop) -> Self {
        let begun = AtomicUsize::new(0);
        Self { inner, begun, last, stop, stopped: watch::Sender::new(false) }
    }

    /// Waits until the world stops.
    pub(super) async fn stopped(&self) {
        let mut stopped = self.stopped.subscribe();
        stopped.wait_for(|it| *it).await.unwrap();
    }

    fn operation<'a, T: Send + 'a>(&'a self, run: StoreFuture<'a, T>) -> StoreFuture<'a, T> {
        Box::pin(async move {
            let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
            if number > self.last || (number == self.last && self.stop == Stop::Before) {
                self.stopped.send_replace(true);
                return pending().await;
            }
            let result = run.await;
            if number == self.last {
                self.stopped.send_replace(true);
                return pending().await;
            }
            result
        })
    }
}

impl Store for StoppingStore {
    fn engine_name(&self) -> &'static str {
        "stopping"
    }

    fn is_exclusive(&self) -> bool {
        self.inner.is_exclusive()
    }

    fn commit_limits(&self) -> CommitLimits {
        self.inner.commit_limits()
    }

    fn head(&self) -> StoreFuture<'_, Revision> {
        self.operation(self.inner.head())
    }

    fn read<'a>(&'a self, key: &'a [u8]) -> StoreFuture<'a, (Option<Entry>, Revision)> {
        self.operation(self.inner.read(key))
    }

    fn read_prefix<'a>(&'a self, prefix: &'a [u8]) -> StoreFuture<'a, (Vec<Entry>, Revision)> {
        self.operation(self.inner.read_prefix(prefix))
    }

    fn scan(&self) -> StoreFuture<'_, Scan> {
        self.operation(self.inner.scan())
    }

    fn commit(&self, commit: Commit) -> StoreFuture<'_, Revision> {
        self.operation(self.inner.commit(commit))
    }

    fn watch(&self, after: Revision) -> StoreFuture<'_, Watch> {
        self.operation(self.inner.watch(after))
    }
}
