//! Part 5: loading. How long it takes, and how much memory stays taken.
//!
//! Runs in a process of its own, so that nothing else has used the memory before.

use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use camgate::catalog::Catalog;
use camgate::node::{Node, NodeSettings, SystemClock};
use camgate::store::{MemoryStore, Store};

use crate::accounts::{self, Shape, owner};
use crate::measure::{ROUNDS, Spread};
use crate::table::{Budget, Table};

/// Sub-accounts of an account.
const SUB_ACCOUNTS: usize = 1_000;
/// Policies of an account: few, so that what sub-accounts take shows, and many.
const POLICIES: [usize; 2] = [10, 100];
/// Different sets of policies in an account, of five policies each.
const SETS: usize = 20;
/// Accounts with 1,000 policies each.
const ACCOUNTS_OF_POLICIES: usize = 40;

pub fn run(table: &mut Table, is_quick: bool) {
    let accounts = if is_quick { 50 } else { 1_000 };
    let rounds = if is_quick { 1 } else { ROUNDS };
    for policies in POLICIES {
        let said: Vec<Vec<f64>> =
            (0..rounds).map(|_| child(&policies.to_string(), accounts)).collect();
        let what =
            format!("{accounts} accounts of {SUB_ACCOUNTS} sub-accounts, {policies} policies each");
        let mut add = |at: usize, figure, budget| {
            let spread = Spread::new(said.iter().map(|round| round[at]).collect());
            table.add("load", &what, figure, spread, budget);
        };
        let budget = if policies == POLICIES[0] { Budget::AtMost(300.0) } else { Budget::None };
        add(0, "resident bytes per sub-account", budget);
        add(3, "resident bytes / estimated", Budget::None);
        add(1, "ms to load an account", Budget::None);
        add(2, "seconds to load all", Budget::None);
    }
    table.remark(format!(
        "load: the sub-accounts of an account have {SETS} different sets of five of its policies"
    ));
    let seconds = (0..rounds).map(|_| child("policies", ACCOUNTS_OF_POLICIES)[0]);
    let what = format!("{ACCOUNTS_OF_POLICIES} accounts of 1,000 policies");
    let figure = "seconds until 40,000 policies are ready";
    table.add("load", &what, figure, Spread::new(seconds.collect()), Budget::AtMost(1.0));
}

/// What a process of its own printed: numbers.
fn child(what: &str, accounts: usize) -> Vec<f64> {
    let program = std::env::current_exe().expect("this program");
    let out = Command::new(program).args(["hold", what, &accounts.to_string()]).output();
    let out = out.expect("this program runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    said.split_whitespace().map(|number| number.parse().expect("a number")).collect()
}

/// What runs in the other process.
pub fn hold(what: &str, accounts: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        match what {
            "policies" => policies_ready(accounts).await,
            policies => accounts_held(accounts, policies.parse().expect("a number")).await,
        }
    });
}

async fn start(store: Arc<MemoryStore>) -> Arc<Node> {
    let catalog = Arc::new(Catalog::builtin().clone());
    let settings = NodeSettings { memory_budget_bytes: usize::MAX, ..NodeSettings::default() };
    Node::start(store, catalog, Arc::new(SystemClock), None, settings).await.expect("a node")
}

async fn filled(accounts: usize, shape: Shape) -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new());
    for account in 0..accounts {
        accounts::fill(&*store as &dyn Store, account, shape).await;
    }
    store
}

/// Prints bytes per sub-account, milliseconds per account, seconds, and bytes per estimated byte.
async fn accounts_held(accounts: usize, policies: usize) {
    let shape = Shape { sub_accounts: SUB_ACCOUNTS, policies, attached: 5, sets: SETS };
    let store = filled(accounts, shape).await;
    let node = start(store).await;
    // One account first, so that what is allocated once is there.
    node.existing_view(owner(0)).await.expect("an account");
    let (before, started) = (resident_bytes(), Instant::now());
    let estimated = node.loaded_bytes();
    let mut times = Vec::new();
    for account in 1..accounts {
        let started = Instant::now();
        node.existing_view(owner(account)).await.expect("an account");
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    let seconds = started.elapsed().as_secs_f64();
    let bytes = resident_bytes().saturating_sub(before) as f64;
    let per_sub_account = bytes / ((accounts - 1) * SUB_ACCOUNTS) as f64;
    let estimated = bytes / (node.loaded_bytes() - estimated) as f64;
    println!("{per_sub_account} {} {seconds} {estimated}", Spread::new(times).median());
}

/// Prints the seconds from the start of a node until all accounts are loaded, by two tasks.
async fn policies_ready(accounts: usize) {
    let shape = Shape { sub_accounts: 10, policies: 1_000, attached: 100, sets: 10 };
    let store = filled(accounts, shape).await;
    let started = Instant::now();
    let node = start(store).await;
    let load = |from: usize| {
        let node = Arc::clone(&node);
        tokio::spawn(async move {
            for account in (from..accounts).step_by(2) {
                node.existing_view(owner(account)).await.expect("an account");
            }
        })
    };
    let (first, second) = (load(0), load(1));
    first.await.expect("no panic");
    second.await.expect("no panic");
    println!("{}", started.elapsed().as_secs_f64());
}

/// The memory of this process, from what the system says in pages.
fn resident_bytes() -> u64 {
    let said = std::fs::read_to_string("/proc/self/statm").expect("a Linux system");
    let pages = said.split_whitespace().nth(1).and_then(|it| it.parse::<u64>().ok());
    pages.expect("a number of pages") * 4_096
}
