//! The applier: follows the store's changes and brings loaded accounts up to date, in order.
//!
//! One task of each node. For each commit it changes the cells it touches, forgets cached index
//! records, and only then says that the revision is applied; so whoever waits for a revision sees
//! all of it. A change of an account that is not loaded is skipped: loading reads it. It must never
//! skip a commit: where the store no longer has one, every cell is dropped and read again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, error, warn};

use super::Node;
use super::cells::CellState;
use super::error::NodeError;
use super::records::{self, Place};
use super::view::{build_view, update_view};
use crate::store::{ChangeSet, Mutation, Revision, StoreError, Watch};

/// Runs until the node ends.
pub(super) async fn run(node: Arc<Node>, mut watch: Watch) {
    let mut ended = node.ended.subscribe();
    loop {
        let next = tokio::select! {
            next = watch.next() => next,
            () = node.follow_again.notified() => Some(Err(behind())),
            _ = ended.wait_for(|has_ended| *has_ended) => return,
        };
        match next {
            Some(Ok(change)) => apply(&node, &change).await,
            Some(Err(fault)) => {
                warn!(%fault, "the change stream broke; opening it again");
                let Some(again) = reopen(&node, fault).await else { return };
                watch = again;
            }
            None => {
                let Some(again) = reopen(&node, closed()).await else { return };
                watch = again;
            }
        }
    }
}

fn behind() -> StoreError {
    StoreError::Unavailable { detail: "the change stream stays behind the store".to_owned() }
}

fn closed() -> StoreError {
    StoreError::Unavailable { detail: "the change stream ended".to_owned() }
}

/// Opens the change stream where it broke; from the head, with all cells dropped, when changes are
/// lost. None when the node ends.
async fn reopen(node: &Arc<Node>, mut fault: StoreError) -> Option<Watch> {
    let mut ended = node.ended.subscribe();
    node.counters.stream_broke();
    loop {
        say(node, Some(fault.to_string()));
        let attempt = match fault {
            StoreError::Compacted { .. } | StoreError::Ahead { .. } => start_over(node).await,
            StoreError::Conflict { .. }
            | StoreError::EmptyCommit
            | StoreError::EmptyKey
            | StoreError::DuplicateKey { .. }
            | StoreError::TooLarge { .. }
            | StoreError::ScanLost { .. }
            | StoreError::InUse { .. }
            | StoreError::UnknownFormat { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Full { .. }
            | StoreError::Unavailable { .. } => node.store.watch(node.applied_revision()).await,
        };
        match attempt {
            Ok(watch) => {
                say(node, None);
                return Some(watch);
            }
            Err(next) => {
                debug!(fault = %next, "the change stream is still closed");
                fault = next;
            }
        }
        let pause = Duration::from_millis(node.settings.watch_retry_ms);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = ended.wait_for(|has_ended| *has_ended) => return None,
        }
    }
}

/// Says what is wrong with the change stream. On a store of its own a node without one is not
/// ready; on a shared one its answers say their age, and end when that is too great.
fn say(node: &Node, problem: Option<String>) {
    match node.store.is_exclusive() {
        true => node.health.set_follow_problem(problem),
        false => node.health.set_follow_report(problem),
    }
}

/// Drops everything read so far and follows from the store's head.
async fn start_over(node: &Arc<Node>) -> Result<Watch, StoreError> {
    let head = node.store.head().await?;
    let watch = node.store.watch(head).await?;
    // The presets before the cells: what is loaded from here on is compiled with the new ones.
    if let Err(problem) = node.reload_presets().await {
        error!(%problem, "presets cannot be read");
    }
    // After the watch is open: what is loaded from here on is at `head` or later.
    for cell in node.cells.all() {
        node.cells.retire(cell.lock().await);
    }
    node.reload_callers().await;
    node.counters.started_over();
    node.index.forget_all(head);
    node.kept_presets.anything_changed();
    node.applied.send_if_modified(|applied| {
        let is_newer = head > *applied;
        *applied = head.max(*applied);
        is_newer
    });
    Ok(watch)
}

/// Applies one commit to everything that is loaded.
async fn apply(node: &Arc<Node>, change: &ChangeSet) {
    let mut by_account: BTreeMap<u64, Vec<&Mutation>> = BTreeMap::new();
    let (mut presets_changed, mut callers_changed) = (false, false);
    for mutation in &change.mutations {
        match records::place(mutation.key()) {
            Place::Account(owner_uin) => by_account.entry(owner_uin).or_default().push(mutation),
            Place::Global(key) => node.index.forget(key, change.revision),
            Place::Presets => presets_changed = true,
            Place::Callers => callers_changed = true,
            Place::Other => {}
        }
    }
    if callers_changed {
        node.reload_callers().await;
    }
    for (owner_uin, mutations) in by_account {
        apply_to_account(node, owner_uin, &mutations, change.revision).await;
    }
    if presets_changed {
        apply_presets(node).await;
    }
    node.applied.send_replace(change.revision);
}

/// Reads the presets again and rebuilds every loaded account with them.
async fn apply_presets(node: &Arc<Node>) {
    let result = node.reload_presets().await;
    let shared = node.shared.load_full();
    for cell in node.cells.all() {
        let mut guard = cell.lock().await;
        if result.is_err() {
            // Fail closed: what the presets say now is unknown, so no account can be loaded.
            node.cells.retire(guard);
            continue;
        }
        let CellState::Loaded(loaded) = guard.state() else { continue };
        let old = Arc::clone(&loaded.view);
        let state = Arc::clone(&old.state);
        match build_view(state, old.as_of, old.last_change, &shared, Some(&old)) {
            Some(view) => guard.publish(Arc::new(view)),
            None => node.cells.retire(guard),
        }
    }
}

async fn apply_to_account(
    node: &Arc<Node>,
    owner_uin: u64,
    mutations: &[&Mutation],
    revision: Revision,
) {
    let Some(cell) = node.cells.find(owner_uin) else { return };
    let mut guard = cell.lock().await;
    let CellState::Loaded(loaded) = guard.state() else { return };
    let old = Arc::clone(&loaded.view);
    if old.as_of >= revision {
        return;
    }
    let mut state = (*old.state).clone();
    match records::apply_all(owner_uin, &mut state, mutations) {
        Ok(changed) => {
            node.kept_presets.account_changed(&old.state, &state);
            let shared = node.shared.load_full();
            let view = update_view(Arc::new(state), &changed, revision, &shared, &old);
            match view {
                Some(view) => guard.publish(Arc::new(view)),
                None => node.cells.retire(guard),
            }
        }
        Err(problem) => {
            // Fail closed: readers load the account, meet the same record, and get an error.
            report(node, owner_uin, &problem);
            node.cells.retire(guard);
        }
    }
}

fn report(node: &Node, owner_uin: u64, problem: &NodeError) {
    error!(owner_uin, %problem, "a changed record cannot be read; the account answers errors");
    node.health.set_record_problem(&format!("account {owner_uin}"), Some(problem.to_string()));
}
