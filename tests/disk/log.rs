//! The decision log on a disk that fills up: fails closed or decides on, and goes on as if nothing
//! had been when there is room again.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use camgate::audit::decision_log::{
    DecisionLogSettings, Entry, LogMode, LogReader, LogVitals, log_files,
};
use camgate::catalog::Catalog;
use camgate::node::{Asking, BatchQuery, Node, NodeError, NodeSettings, SystemClock};
use camgate::store::MemoryStore;

use crate::{WAIT_MAX, create, question, take_room};

/// More decisions than fit on what `take_room` leaves.
const DECISIONS_MAX: usize = 20_000;

async fn start(dir: &Path, mode: LogMode) -> (Arc<Node>, DecisionLogSettings) {
    let log = DecisionLogSettings {
        mode,
        wait_max: Duration::from_millis(200),
        buffer_bytes_max: 1 << 20,
        ..DecisionLogSettings::new(dir.join("decisions.jsonl"))
    };
    let settings = NodeSettings { decision_log: Some(log.clone()), ..NodeSettings::default() };
    let catalog = Arc::new(Catalog::builtin().clone());
    let store = Arc::new(MemoryStore::new());
    let node = Node::start(store, catalog, Arc::new(SystemClock), None, settings).await.unwrap();
    create(&node).await;
    (node, log)
}

/// The id of one decision.
async fn decide(node: &Node) -> Result<String, NodeError> {
    let mut batch: BatchQuery = node.begin(Asking::direct(), None).await?;
    Ok(node.check(&mut batch, question()).await?.decision_id)
}

/// The ids in the log, in which nothing is wrong, and how many it says were dropped.
fn logged(log: &DecisionLogSettings) -> (BTreeSet<String>, u64) {
    let mut reader = LogReader::new(log_files(&log.file).unwrap());
    let (mut ids, mut dropped) = (BTreeSet::new(), 0);
    while let Some(line) = reader.next_line().unwrap() {
        assert_eq!(line.fault, None, "{line:?}");
        match line.entry.unwrap() {
            Entry::Decision(record) => drop(ids.insert(record.id.to_string())),
            Entry::Dropped(record) => dropped += record.count,
            Entry::Opened(_) | Entry::Closed {} => {}
        }
    }
    (ids, dropped)
}

async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(WAIT_MAX, work).await;
    done.unwrap_or_else(|_| panic!("not in time: {what}"))
}

/// `never_drop`: no answer without its record, and answers again when there is room.
pub(crate) async fn fails_closed(dir: &Path) {
    let (node, log) = start(dir, LogMode::NeverDrop).await;
    let mut answered = BTreeSet::from([decide(&node).await.unwrap()]);
    take_room(dir, 256 * 1024);
    let mut refused = None;
    for _ in 0..DECISIONS_MAX {
        match decide(&node).await {
            Ok(id) => drop(answered.insert(id)),
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    assert!(matches!(refused, Some(NodeError::DecisionLog(_))), "{refused:?}");
    let mut readiness = node.readiness();
    let not_ready = within("not ready", readiness.wait_for(|now| !now.is_ready())).await;
    assert!(not_ready.unwrap().problems.iter().any(|it| it.contains("No space left")));
    fs::remove_file(dir.join("filler")).unwrap();
    within("ready", readiness.wait_for(|now| now.is_ready())).await.unwrap();
    answered.insert(decide(&node).await.unwrap());
    node.shut().await;
    let (ids, dropped) = logged(&log);
    let missing: Vec<_> = answered.difference(&ids).collect();
    assert!(missing.is_empty() && dropped == 0, "{missing:?} {dropped}");
}

/// `best_effort`: every decision is answered, and what is not in the log is counted exactly.
pub(crate) async fn decides_on(dir: &Path) {
    let (node, log) = start(dir, LogMode::BestEffort).await;
    take_room(dir, 256 * 1024);
    let mut answered = BTreeSet::new();
    let dropped = |node: &Node| node.vitals().decision_log.map_or(0, |it| it.dropped);
    for _ in 0..DECISIONS_MAX {
        answered.insert(decide(&node).await.unwrap());
        if dropped(&node) > 10 {
            break;
        }
    }
    assert!(dropped(&node) > 10, "the disk never filled");
    fs::remove_file(dir.join("filler")).unwrap();
    let mut readiness = node.readiness();
    within("well", readiness.wait_for(|now| now.reports.is_empty())).await.unwrap();
    answered.insert(decide(&node).await.unwrap());
    let LogVitals { dropped, .. } = node.vitals().decision_log.unwrap();
    node.shut().await;
    let (ids, told) = logged(&log);
    assert_eq!(told, dropped);
    assert_eq!(answered.len() as u64, ids.len() as u64 + dropped);
}
