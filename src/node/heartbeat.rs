//! The heartbeat of a node that shares its store: whether it keeps up, and who else is there.
//!
//! Twice a second it asks the store for its head and waits until that is applied; so a change
//! stream that says nothing is noticed, and opened anew elsewhere when it stays behind. With it the
//! node says that it runs and which records it can read, and learns the same of the others. It must
//! never hold up an answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;
use tracing::{info, warn};

use super::Node;
use super::error::NodeError;
use super::peers::{Peers, own_entry};
use crate::store::StoreError;

/// Runs until the node ends; a store with one node has no heart.
pub(super) async fn run(node: Arc<Node>) {
    if node.store.is_exclusive() {
        return;
    }
    let mut ended = node.ended.subscribe();
    let pause = Duration::from_millis(node.settings.heartbeat_ms.max(1));
    let mut beats = tokio::time::interval(pause);
    // After a beat that took long, the usual pause.
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut behind_since: Option<Instant> = None;
    loop {
        let beat = async {
            beats.tick().await;
            keep_up(&node, &mut behind_since).await;
            let fault = meet(&node).await.err();
            node.health.set_registry_report(fault.map(|fault| fault.to_string()));
        };
        tokio::select! {
            () = beat => {}
            _ = ended.wait_for(|has_ended| *has_ended) => return,
        }
    }
}

/// Confirms that the node is up to date, or has the change stream opened anew.
async fn keep_up(node: &Node, behind_since: &mut Option<Instant>) {
    let asked = Instant::now();
    let head = node.store.head().await;
    if let Ok(head) = &head {
        node.counters.store_is_at(head.0);
    }
    match head {
        Ok(head) if node.wait_applied(head, node.settings.heartbeat_ms).await => {
            node.freshness.confirm(asked);
            *behind_since = None;
            node.health.set_store_report(None);
        }
        Ok(head) => {
            let since = *behind_since.get_or_insert(asked);
            let applied = node.applied_revision();
            let text = format!("the node is at revision {applied}, the store at {head}");
            node.health.set_store_report(Some(text));
            if since.elapsed() > Duration::from_millis(node.settings.behind_max_ms) {
                warn!(%applied, %head, "the change stream stays behind; opening it again");
                node.follow_again.notify_one();
                *behind_since = None;
            }
        }
        Err(fault) => node.health.set_store_report(Some(fault.to_string())),
    }
    let stale = node.freshness.mark_ms().err().map(|error| error.to_string());
    node.health.set_stale_problem(stale);
}

/// Says that this node runs, and reads who else does; before the first write, and with every beat.
///
/// # Errors
/// When the store does not answer: what was known of the others stays.
pub(super) async fn meet(node: &Node) -> Result<(), StoreError> {
    node.store.announce(&own_entry(&node.id)).await?;
    let peers = Peers::read(&node.store.nodes().await?);
    if let Err(problem) = peers.check_writable()
        && node.peers.load().check_writable().is_ok()
    {
        info!(%problem, "writes are refused");
    }
    node.peers.store(Arc::new(peers));
    Ok(())
}

impl Node {
    /// How long ago this node was last known to have everything, in milliseconds; 0 on a store of
    /// its own.
    #[must_use]
    pub fn age_ms(&self) -> u64 {
        self.freshness.age_ms()
    }

    /// Whether every node that runs can read what this one writes.
    ///
    /// # Errors
    /// [`NodeError::OlderNodes`], which names one that cannot.
    pub(super) fn check_writable(&self) -> Result<(), NodeError> {
        self.peers.load().check_writable()
    }
}
