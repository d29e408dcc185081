//! Part 3: from a write to its being visible, while others read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use camgate::catalog::Catalog;
use camgate::directory::{Change, Record, Slot};
use camgate::engine::Resource;
use camgate::lang::action::ActionName;
use camgate::lang::condition::Context;
use camgate::node::{
    Asker, CheckQuery, Node, NodeError, NodeSettings, Prepared, SystemClock, WriteJob, WriteOptions,
};
use camgate::store::MemoryStore;

use crate::accounts::{self, Shape, owner, uin};
use crate::measure::{ROUNDS, Spread};
use crate::table::{Budget, Table};
use crate::workload::names_of_actions;

const SHAPE: Shape = Shape { sub_accounts: 1_000, policies: 1_500, attached: 10, sets: 50 };
/// Questions that tell how fast readers are by themselves.
const QUIET_CHECKS: usize = 200_000;
/// Writes of a round.
const WRITES: usize = 100;

pub fn run(table: &mut Table, is_quick: bool) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(measure(table, if is_quick { 10 } else { WRITES }));
}

/// What readers have done.
#[derive(Debug, Default)]
struct Readers {
    stop: AtomicBool,
    checks: AtomicU64,
    /// The longest check, in nanoseconds.
    longest_ns: AtomicU64,
}

async fn measure(table: &mut Table, writes: usize) {
    let store = Arc::new(MemoryStore::new());
    accounts::fill(&*store, 0, SHAPE).await;
    let catalog = Arc::new(Catalog::builtin().clone());
    let node = Node::start(store, catalog, Arc::new(SystemClock), None, NodeSettings::default());
    let node = node.await.expect("a node");
    node.existing_view(owner(0)).await.expect("the account");
    let what = format!("{} sub-accounts, {} policies", SHAPE.sub_accounts, SHAPE.policies);
    let readers = Arc::new(Readers::default());
    let quiet = Arc::clone(&node);
    let before = tokio::spawn(async move { quiet_rate(&quiet).await }).await.expect("no panic");
    let reading = tokio::spawn(read(Arc::clone(&node), Arc::clone(&readers), usize::MAX));
    let (mut policy_ms, mut user_ms, mut during) = (Vec::new(), Vec::new(), Vec::new());
    let mut number = 1;
    for _ in 0..=ROUNDS {
        let (from, started) = (readers.checks.load(Ordering::Relaxed), Instant::now());
        let mut times = (Vec::new(), Vec::new());
        for at in 0..writes {
            number += 1;
            times.0.push(timed(&node, policy_changes(at, number)).await);
            times.1.push(timed(&node, user_changes(at, number as usize)).await);
        }
        let checks = (readers.checks.load(Ordering::Relaxed) - from) as f64;
        during.push(checks / started.elapsed().as_secs_f64() / before);
        policy_ms.push(Spread::new(times.0).median());
        user_ms.push(Spread::new(times.1).median());
    }
    readers.stop.store(true, Ordering::Relaxed);
    reading.await.expect("no panic");
    // The first round warms up.
    let rounds = |all: Vec<f64>| Spread::new(all.into_iter().skip(1).collect());
    table.add(
        "write",
        &what,
        "ms until a changed policy is visible",
        rounds(policy_ms),
        Budget::AtMost(1.0),
    );
    let figure = "ms until changed attachments are visible";
    table.add("write", &what, figure, rounds(user_ms), Budget::AtMost(1.0));
    table.add("write", &what, "reads per second / without writes", rounds(during), Budget::None);
    let longest = readers.longest_ns.load(Ordering::Relaxed) as f64 / 1e6;
    table.remark(format!("write: the longest of all reads meanwhile took {longest:.2} ms"));
}

/// Checks per second while nothing is written.
async fn quiet_rate(node: &Arc<Node>) -> f64 {
    let (readers, started) = (Arc::new(Readers::default()), Instant::now());
    read(Arc::clone(node), Arc::clone(&readers), QUIET_CHECKS).await;
    readers.checks.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64()
}

/// Asks so many questions, unless it is told to stop before.
async fn read(node: Arc<Node>, readers: Arc<Readers>, checks: usize) {
    let actions = names_of_actions();
    let mut at = 0;
    while at < checks && !readers.stop.load(Ordering::Relaxed) {
        at += 1;
        let app = 1_400_000_000 + at as u64 % 1_000;
        let resource = format!("qcs::im::uin/{}:sdkappid/{app}", owner(0));
        let query = CheckQuery {
            asker: Asker::Uin { uin: uin(0, at % SHAPE.sub_accounts), owner_uin: Some(owner(0)) },
            action: ActionName::parse(&actions[at % actions.len()]).expect("an action"),
            resource: Resource::parse(&resource).expect("a resource"),
            context: Context::new(),
            accepts_filter: false,
        };
        let started = Instant::now();
        let mut batch = node.begin(camgate::node::Asking::direct(), None).await.expect("a batch");
        node.check(&mut batch, query).await.expect("an answer");
        let took = started.elapsed().as_nanos() as u64;
        readers.longest_ns.fetch_max(took, Ordering::Relaxed);
        readers.checks.fetch_add(1, Ordering::Relaxed);
        if at % 64 == 0 {
            tokio::task::yield_now().await;
        }
    }
}

/// Milliseconds until changes are visible.
async fn timed(node: &Node, changes: Vec<Change>) -> f64 {
    let run = |_: &camgate::node::JobInput<'_>| -> Result<Prepared, NodeError> {
        Ok(Prepared { changes: changes.clone(), operations: vec!["Bench"], answer: Vec::new() })
    };
    let job = WriteJob { reads: &|_| Vec::new(), allot_uin: false, run: &run };
    let started = Instant::now();
    node.write(owner(0), &WriteOptions::default(), &job).await.expect("written");
    started.elapsed().as_secs_f64() * 1e3
}

/// A new version of a policy, in force at once.
fn policy_changes(at: usize, number: u32) -> Vec<Change> {
    let rules = accounts::rules(SHAPE.policies);
    let version = accounts::version(at, number, &rules[(at + number as usize) % 1_000], owner(0));
    let policy = accounts::policy(at, number);
    vec![
        Change::Put(Record::Policy(policy.id, Slot::Live(Arc::new(policy)))),
        Change::Put(Record::Version(Arc::new(version))),
    ]
}

/// Other policies for a sub-account.
fn user_changes(at: usize, number: usize) -> Vec<Change> {
    let sets = accounts::sets(SHAPE);
    let user = accounts::sub_account(0, at, &sets[(at + number) % sets.len()]);
    vec![Change::Put(Record::SubAccount(Arc::new(user)))]
}
