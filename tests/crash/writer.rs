//! The process that is killed: commits bursts from several tasks, and prints what is acknowledged.
//!
//! Each commit puts or deletes the three keys of one slot. A value names its commit, so that the
//! verifier can tell which commit it came from and what it must be.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use camgate::store::{Commit, Revision, SledStore, Store};

use crate::{Random, retention};

pub(crate) const TASKS: u64 = 6;
pub(crate) const SLOTS: u64 = 24;
pub(crate) const PARTS: u64 = 3;

/// One key of a slot. Each task has its own slots.
pub(crate) fn key(task: u64, slot: u64, part: u64) -> String {
    format!("账户/{task}/{slot:02}/{part}")
}

/// The value that a commit puts under each key of its slot: its stamp, then padding that follows
/// from the stamp.
pub(crate) fn value(stamp: u64) -> Vec<u8> {
    let mut random = Random(stamp);
    let len = match random.below(40) {
        0 => 60_000 + random.below(100_000),
        1..4 => 6_000 + random.below(400),
        _ => random.below(400),
    };
    let bytes = stamp.to_be_bytes();
    let padding = random.next().to_be_bytes().into_iter().cycle();
    bytes.into_iter().chain(padding.take(usize::try_from(len).unwrap())).collect()
}

/// Writes until it is killed.
pub(crate) fn run(dir: &Path, seed: u64, directory: u64) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let store = Arc::new(SledStore::open_with(dir, retention(directory)).await.unwrap());
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..TASKS {
            let random = Random(seed ^ task.wrapping_mul(0x1234_5678_9abc_def1));
            tasks.spawn(write_for_ever(Arc::clone(&store), task, random));
        }
        tasks.join_all().await;
    });
}

async fn write_for_ever(store: Arc<SledStore>, task: u64, mut random: Random) {
    loop {
        let (slot, stamp) = (random.below(SLOTS), random.next());
        let found = store.read(key(task, slot, 0).as_bytes()).await.unwrap().0;
        let is_delete = found.is_some() && random.below(5) == 0;
        let mut commit = Commit::new();
        for part in 0..PARTS {
            let key = key(task, slot, part);
            commit = match &found {
                Some(entry) => commit.require_at(key.as_bytes(), entry.revision),
                None => commit.require_absent(key.as_bytes()),
            };
            commit = if is_delete { commit.delete(key) } else { commit.put(key, value(stamp)) };
        }
        let revision = store.commit(commit).await.unwrap();
        print_acknowledged(revision, task, slot, if is_delete { None } else { Some(stamp) });
    }
}

/// One line in one write: revision, task, slot, and the stamp or `-` for a delete.
fn print_acknowledged(revision: Revision, task: u64, slot: u64, stamp: Option<u64>) {
    let stamp = stamp.map_or("-".to_owned(), |stamp| stamp.to_string());
    let line = format!("{revision} {task} {slot} {stamp}\n");
    let mut output = std::io::stdout().lock();
    output.write_all(line.as_bytes()).unwrap();
    output.flush().unwrap();
}
