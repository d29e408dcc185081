//! Watching: how commits reach those who follow a store.
//!
//! A watch pulls from the engine's change log and waits on its durable revision. There is no
//! buffer per watcher that could overflow, so a slow watcher either finds the next commit in the
//! log or learns that it is gone; it must never skip one. Nothing here may look inside a value.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Weak};

use tokio::sync::watch;

use super::commit::ChangeSet;
use super::contract::{Revision, StoreFuture};
use super::error::StoreError;

/// Most change sets that a watch takes from the log at once.
const PAGE_SETS_MAX: usize = 256;
/// A page ends with the change set that brings it to this many bytes.
const PAGE_BYTES_MAX: usize = 1024 * 1024;

/// How much of the past an engine keeps for watchers; what is older is compacted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChangeRetention {
    /// Number of change sets.
    pub sets_max: u64,
    /// Bytes of their keys and values. The newest change set is kept whatever its size.
    pub bytes_max: u64,
}

impl Default for ChangeRetention {
    /// 100,000 change sets and 64 MiB, whichever is reached first.
    fn default() -> Self {
        Self { sets_max: 100_000, bytes_max: 64 * 1024 * 1024 }
    }
}

/// How much a watch wants from the log in one read.
#[derive(Clone, Copy, Debug)]
pub(super) struct PageLimits {
    /// Most change sets.
    pub(super) sets_max: usize,
    /// The page ends with the change set that reaches this many bytes.
    pub(super) bytes_max: usize,
}

/// An engine's change log, as a watch reads it.
pub(super) trait ChangeLog: Send + Sync + 'static {
    /// Durable change sets with a revision greater than `after`, oldest first, without a gap:
    /// [`StoreError::Compacted`] when the first of them is no longer kept. Empty means none yet.
    fn changes_after(
        self: Arc<Self>,
        after: Revision,
        limits: PageLimits,
    ) -> StoreFuture<'static, Vec<Arc<ChangeSet>>>;
}

/// Where a watch gets its changes from: the border between a [`Watch`] and its engine.
pub(super) trait WatchSource: Send {
    /// As [`Watch::next`]; must be cancel-safe.
    fn next_change(&mut self) -> StoreFuture<'_, Option<Arc<ChangeSet>>>;
}

/// A stream of commits, each whole, once and in order.
pub struct Watch {
    source: Box<dyn WatchSource>,
    is_ended: bool,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("is_ended", &self.is_ended).finish_non_exhaustive()
    }
}

impl Watch {
    pub(super) fn new(source: impl WatchSource + 'static) -> Self {
        Self { source: Box::new(source), is_ended: false }
    }

    /// Waits for the next commit. Dropping the future loses nothing: the next call resumes.
    ///
    /// None when the store itself is gone. An error is the last item: after
    /// [`StoreError::Compacted`] read everything again and watch from there.
    pub async fn next(&mut self) -> Option<Result<Arc<ChangeSet>, StoreError>> {
        if self.is_ended {
            return None;
        }
        let item = self.source.next_change().await.transpose();
        self.is_ended = !matches!(item, Some(Ok(_)));
        item
    }
}

/// The watch source of engines that own their change log: `memory` and `sled`.
///
/// It holds the log weakly, so a forgotten watch does not keep a directory locked.
pub(super) struct LogWatch<L> {
    log: Weak<L>,
    durable: watch::Receiver<Revision>,
    /// The last revision that was handed out, or where the watch started.
    delivered: Revision,
    /// Read from the log and not handed out yet.
    page: VecDeque<Arc<ChangeSet>>,
}

impl<L: ChangeLog> LogWatch<L> {
    /// A watch of the commits after `after`, woken by `durable`.
    pub(super) fn new(
        log: &Arc<L>,
        durable: watch::Receiver<Revision>,
        after: Revision,
    ) -> LogWatch<L> {
        LogWatch { log: Arc::downgrade(log), durable, delivered: after, page: VecDeque::new() }
    }

    async fn next_in_log(&mut self) -> Result<Option<Arc<ChangeSet>>, StoreError> {
        loop {
            if let Some(change) = self.page.pop_front() {
                self.delivered = change.revision;
                return Ok(Some(change));
            }
            let delivered = self.delivered;
            // The only await that waits; nothing of `self` is half-changed while it does.
            if self.durable.wait_for(|durable| *durable > delivered).await.is_err() {
                return Ok(None);
            }
            let Some(log) = self.log.upgrade() else { return Ok(None) };
            let limits = PageLimits { sets_max: PAGE_SETS_MAX, bytes_max: PAGE_BYTES_MAX };
            self.page = log.changes_after(delivered, limits).await?.into();
        }
    }
}

impl<L: ChangeLog> WatchSource for LogWatch<L> {
    fn next_change(&mut self) -> StoreFuture<'_, Option<Arc<ChangeSet>>> {
        Box::pin(self.next_in_log())
    }
}

/// Takes change sets from an ordered iterator until a page is full.
pub(super) fn page_of(
    changes: impl Iterator<Item = Result<Arc<ChangeSet>, StoreError>>,
    limits: PageLimits,
) -> Result<Vec<Arc<ChangeSet>>, StoreError> {
    let mut page = Vec::new();
    let mut bytes = 0_usize;
    for change in changes {
        let change = change?;
        bytes = bytes.saturating_add(change.byte_len());
        page.push(change);
        if page.len() >= limits.sets_max || bytes >= limits.bytes_max {
            break;
        }
    }
    Ok(page)
}

/// Where a watch may start: not before `oldest`, not after `head`.
pub(super) fn check_start(
    after: Revision,
    oldest: Revision,
    head: Revision,
) -> Result<(), StoreError> {
    if after > head {
        return Err(StoreError::Ahead { after, head });
    }
    if after < oldest {
        return Err(StoreError::Compacted { after, oldest });
    }
    Ok(())
}
