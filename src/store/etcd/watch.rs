//! Watching: from etcd's events to whole commits.
//!
//! etcd sends the events of one revision together and in the order of the transaction, so a commit
//! is what has one revision. Where etcd no longer has a revision, or sends more at once than this
//! client takes, the watcher is told to read everything again. It must never skip a commit: a
//! stream that breaks is an error, after which the caller watches from what it has applied.

use std::collections::VecDeque;
use std::sync::Arc;

use etcd_client::{EventType, WatchOptions, WatchResponse, WatchStream};
use tokio::sync::watch;

use super::layout::Layout;
use super::pool::{Pool, is_too_long, unavailable};
use crate::store::change::WatchSource;
use crate::store::commit::{ChangeSet, Mutation};
use crate::store::contract::{Revision, StoreFuture};
use crate::store::error::StoreError;

/// Longest answer of a watch, in bytes: a thousand commits of ordinary size.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A stream of commits from etcd.
pub(super) struct EtcdWatch {
    pub(super) pool: Arc<Pool>,
    pub(super) layout: Layout,
    /// The last revision that was handed out, or where the watch started.
    pub(super) delivered: Revision,
    /// etcd's revision that the stream begins with.
    pub(super) start: Revision,
    /// Open from the first wait on; with the place of its member.
    pub(super) stream: Option<(WatchStream, usize)>,
    pub(super) ready: VecDeque<Arc<ChangeSet>>,
    /// Ends when the store is dropped.
    pub(super) store: watch::Receiver<()>,
}

impl EtcdWatch {
    async fn next_commit(&mut self) -> Result<Option<Arc<ChangeSet>>, StoreError> {
        loop {
            if let Some(change) = self.ready.pop_front() {
                self.delivered = change.revision;
                return Ok(Some(change));
            }
            if self.store.has_changed().is_err() {
                return Ok(None);
            }
            let (stream, member) = match &mut self.stream {
                Some(open) => open,
                none => none.insert(open(&self.pool, &self.layout, self.start).await?),
            };
            let message = tokio::select! {
                message = stream.message() => message,
                _ = self.store.changed() => return Ok(None),
            };
            match message {
                Ok(Some(answer)) => self.take(&answer)?,
                Ok(None) => {
                    self.pool.leave(*member).await;
                    return Err(ended());
                }
                // More than this client takes: whoever follows reads everything again.
                Err(error) if is_too_long(&error) => return Err(self.compacted(self.start)),
                Err(error) => {
                    self.pool.leave(*member).await;
                    return Err(unavailable(&error));
                }
            }
        }
    }

    fn compacted(&self, oldest: Revision) -> StoreError {
        StoreError::Compacted { after: self.delivered, oldest }
    }

    fn take(&mut self, answer: &WatchResponse) -> Result<(), StoreError> {
        if answer.canceled() {
            let oldest = super::revision(answer.compact_revision());
            if oldest != Revision::EMPTY {
                return Err(self.compacted(oldest));
            }
            let detail =
                format!("etcd: the change stream was cancelled: {}", answer.cancel_reason());
            return Err(StoreError::Unavailable { detail });
        }
        let mut last: Option<ChangeSet> = None;
        for event in answer.events() {
            let Some(pair) = event.kv() else { continue };
            let revision = super::revision(pair.mod_revision());
            let Some(key) = self.layout.data_key_of(pair.key()) else { continue };
            let mutation = match event.event_type() {
                EventType::Put => Mutation::Put { key, value: pair.value().to_vec() },
                EventType::Delete => Mutation::Delete { key },
            };
            match &mut last {
                Some(change) if change.revision == revision => change.mutations.push(mutation),
                _ => {
                    let new = ChangeSet { revision, mutations: vec![mutation] };
                    self.ready.extend(last.replace(new).map(Arc::new));
                }
            }
        }
        self.ready.extend(last.map(Arc::new));
        Ok(())
    }
}

fn ended() -> StoreError {
    StoreError::Unavailable { detail: "etcd: the change stream ended".to_owned() }
}

async fn open(
    pool: &Pool,
    layout: &Layout,
    start: Revision,
) -> Result<(WatchStream, usize), StoreError> {
    let start = super::number(start);
    let prefix = layout.data_prefix();
    let opened = pool.open(|client| {
        let options = WatchOptions::new().with_prefix().with_start_revision(start);
        let mut watching = client.watch_client().max_decoding_message_size(ANSWER_BYTES_MAX);
        let prefix = prefix.clone();
        async move { watching.watch(prefix, Some(options)).await }
    });
    opened.await?.map_err(|error| unavailable(&error))
}

impl WatchSource for EtcdWatch {
    fn next_change(&mut self) -> StoreFuture<'_, Option<Arc<ChangeSet>>> {
        Box::pin(self.next_commit())
    }
}

/// The smallest revision that can be watched from: what etcd says to one who wants the first.
pub(super) async fn oldest(pool: &Pool, layout: &Layout) -> Result<Revision, StoreError> {
    let (mut stream, _) = open(pool, layout, Revision(1)).await?;
    loop {
        let answer = stream.message().await.map_err(|error| unavailable(&error))?;
        let answer = answer.ok_or_else(ended)?;
        if answer.canceled() {
            return Ok(super::revision(answer.compact_revision()));
        }
        // It begins with history, so nothing is compacted.
        if !answer.events().is_empty() {
            return Ok(Revision::EMPTY);
        }
    }
}
