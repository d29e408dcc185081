//! Watching one account: its state at a revision, then each commit that changes it.
//!
//! A watcher follows the store itself with a copy of the account's state of its own, so it sees
//! every commit whole, in order and once, however slow it is. It must never skip one: where the
//! store no longer has it, the watch ends with [`NodeError::Compacted`]. A node that has lost touch
//! with a store that others write too begins no watch and sends no bookmarks: who remembers what a
//! watch said must not take its silence for news.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::Node;
use super::error::NodeError;
use super::records::{self, Place};
use crate::directory::{AccountState, RecordKey};
use crate::store::{ChangeSet, Mutation, Revision, StoreError, Watch};

/// What a watcher is told.
#[derive(Debug, Clone)]
pub enum AccountEvent {
    /// Everything there is at the revision.
    Snapshot {
        /// The revision.
        revision: Revision,
        /// The account.
        state: Arc<AccountState>,
    },
    /// The records that commits changed. One commit, but for the first delta after a resumption,
    /// which holds everything since.
    Delta {
        /// The revision of the commit.
        revision: Revision,
        /// The account after it.
        state: Arc<AccountState>,
        /// The records that were put or deleted.
        keys: BTreeSet<RecordKey>,
    },
    /// The operator's presets are others, or may be.
    Presets {
        /// The revision of the change, or of the resumption.
        revision: Revision,
    },
    /// Nothing of this account changed up to the revision.
    Bookmark {
        /// The revision.
        revision: Revision,
    },
}

/// A watch of one account.
#[derive(Debug)]
pub struct AccountWatch {
    node: Arc<Node>,
    owner_uin: u64,
    state: Arc<AccountState>,
    watch: Watch,
    /// The last revision that was looked at.
    seen: Revision,
    /// Events that are due before the next commit.
    first: VecDeque<AccountEvent>,
}

impl Node {
    /// Watches an account from a revision, or from a snapshot.
    ///
    /// # Errors
    /// [`NodeError::NoAccount`], [`NodeError::Compacted`], [`NodeError::NotYet`],
    /// [`NodeError::Stale`], or what the store says.
    pub async fn watch(
        self: &Arc<Self>,
        owner_uin: u64,
        after: Option<Revision>,
    ) -> Result<AccountWatch, NodeError> {
        self.freshness.check_unmarked()?;
        self.wait_at_least(after).await?;
        let applied = self.applied_revision();
        let view = self.existing_view(owner_uin).await?;
        let now = view.as_of.max(applied);
        let state = Arc::clone(&view.state);
        let first = match after {
            None => {
                vec![AccountEvent::Snapshot { revision: now, state: Arc::clone(&state) }]
            }
            Some(after) => {
                let keys = self.changed_between(owner_uin, after, now).await?;
                let state = Arc::clone(&state);
                let delta = AccountEvent::Delta { revision: now, state, keys };
                // Presets first: what changed may have attached a new one.
                let presets = AccountEvent::Presets { revision: after };
                [presets].into_iter().chain(Some(delta).filter(has_keys)).collect()
            }
        };
        let watch = self.store.watch(now).await.map_err(compacted)?;
        let (node, first) = (Arc::clone(self), first.into());
        Ok(AccountWatch { node, owner_uin, state, watch, seen: now, first })
    }

    /// The records of an account that changed after one revision and up to another.
    async fn changed_between(
        &self,
        owner_uin: u64,
        after: Revision,
        until: Revision,
    ) -> Result<BTreeSet<RecordKey>, NodeError> {
        let mut keys = BTreeSet::new();
        if after >= until {
            return Ok(keys);
        }
        let mut watch = self.store.watch(after).await.map_err(compacted)?;
        let mut reached = after;
        while reached < until {
            let wait = Duration::from_millis(self.settings.visible_wait_ms);
            let next = tokio::time::timeout(wait, watch.next()).await;
            let change = match next {
                Ok(Some(change)) => change.map_err(compacted)?,
                Ok(None) => return Err(NodeError::Stopping),
                // Revisions may have gaps: nothing more came up to `until`.
                Err(_) => break,
            };
            if change.revision > until {
                break;
            }
            reached = change.revision;
            for mutation in mutations_of(owner_uin, &change) {
                keys.extend(records::record_key(mutation.key()));
            }
        }
        Ok(keys)
    }
}

fn has_keys(event: &AccountEvent) -> bool {
    match event {
        AccountEvent::Delta { keys, .. } => !keys.is_empty(),
        AccountEvent::Snapshot { .. } | AccountEvent::Bookmark { .. } => true,
        AccountEvent::Presets { .. } => false,
    }
}

fn compacted(error: StoreError) -> NodeError {
    if matches!(error, StoreError::Compacted { .. } | StoreError::Ahead { .. }) {
        return NodeError::Compacted;
    }
    NodeError::Store(error)
}

fn mutations_of(owner_uin: u64, change: &ChangeSet) -> Vec<&Mutation> {
    let is_own = |mutation: &&Mutation| match records::place(mutation.key()) {
        Place::Account(owner) => owner == owner_uin,
        Place::Global(_) | Place::Presets | Place::Callers | Place::Other => false,
    };
    change.mutations.iter().filter(is_own).collect()
}

impl AccountWatch {
    /// The next event. Waits at most until a bookmark is due.
    ///
    /// # Errors
    /// [`NodeError::Compacted`] when it fell too far behind, [`NodeError::Stopping`] when the node
    /// stops, or what the store says; the watch has then ended.
    pub async fn next(&mut self) -> Result<AccountEvent, NodeError> {
        if let Some(first) = self.first.pop_front() {
            return Ok(first);
        }
        let node = Arc::clone(&self.node);
        let mut stopping = node.stopping.subscribe();
        let interval = Duration::from_millis(node.settings.bookmark_interval_ms.max(1));
        let mut bookmark_due = tokio::time::interval(interval);
        bookmark_due.reset();
        loop {
            let next = tokio::select! {
                next = self.watch.next() => next,
                _ = stopping.wait_for(|is_stopping| *is_stopping) => {
                    return Err(NodeError::Stopping);
                }
                // Also when nothing at all happens: silence would look like a broken stream.
                _ = bookmark_due.tick() => match node.freshness.check_unmarked() {
                    Ok(()) => return Ok(AccountEvent::Bookmark { revision: self.seen }),
                    Err(_) => continue,
                },
            };
            let change = match next {
                Some(change) => change.map_err(compacted)?,
                None => return Err(NodeError::Stopping),
            };
            let has_presets = change
                .mutations
                .iter()
                .any(|it| matches!(records::place(it.key()), Place::Presets));
            let event = self.take(&change)?;
            if has_presets {
                // They are read from this node, which must have them by then.
                node.wait_at_least(Some(change.revision)).await?;
                self.first.extend(event);
                return Ok(AccountEvent::Presets { revision: change.revision });
            }
            if let Some(event) = event {
                return Ok(event);
            }
        }
    }

    fn take(&mut self, change: &ChangeSet) -> Result<Option<AccountEvent>, NodeError> {
        self.seen = change.revision;
        let mutations = mutations_of(self.owner_uin, change);
        if mutations.is_empty() {
            return Ok(None);
        }
        let mut state = (*self.state).clone();
        records::apply_all(self.owner_uin, &mut state, &mutations)?;
        self.state = Arc::new(state);
        let keys = mutations.iter().filter_map(|it| records::record_key(it.key())).collect();
        let state = Arc::clone(&self.state);
        Ok(Some(AccountEvent::Delta { revision: change.revision, state, keys }))
    }
}
