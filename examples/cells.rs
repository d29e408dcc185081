//! How many cells a hundred million accounts need: one cell simulated, as the number of cells, a
//! node's memory and the skew of the load move. `docs/scaling.md` says what a cell is and reads the
//! table.
//!
//! ```text
//! cargo run --release --example cells
//! cargo run --release --example cells -- --accounts 20000000 --requests 500000
//! ```
//!
//! Accounts have different sizes and are asked about by Zipf's law; the hash of the owner says which
//! cell an account is in. A node keeps what was used last within its memory, and loads the rest from
//! its store. Only hits and shares are simulated: sizes and times are measured elsewhere
//! (`docs/performance.md`, and `tests/cluster/sizes.rs` for what is stored), and stand here.

#![expect(
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "an example that prints a table; its numbers are small"
)]

use std::collections::{BTreeMap, HashMap};

use clap::Parser;

/// Bytes that an account and one of its sub-accounts take in a node's memory.
const ACCOUNT_BYTES: u64 = 14_000;
const SUB_ACCOUNT_BYTES: u64 = 280;
/// Bytes that they take in etcd, without what has changed within its history.
const STORED_ACCOUNT_BYTES: u64 = 5_200;
const STORED_SUB_ACCOUNT_BYTES: u64 = 560;
/// Milliseconds until an account is loaded, and more for each thousand of its sub-accounts.
const LOAD_MS: f64 = 0.8;
const LOAD_MS_PER_THOUSAND: f64 = 7.0;
/// The most that one etcd cluster should hold.
const ETCD_BYTES: u64 = 8 << 30;
/// Checks a second of one node, two cores of it.
const NODE_CHECKS_PER_SECOND: f64 = 50_000.0;
/// How many times as many requests as are counted fill the memory before.
const WARM_UP: u64 = 4;

#[derive(Debug, Parser)]
#[command(about = "Simulates one of the cells that accounts are spread over")]
struct Arguments {
    /// Accounts of all cells together
    #[arg(long, default_value_t = 100_000_000)]
    accounts: u64,
    /// Requests that count, after four times as many that fill the memory
    #[arg(long, default_value_t = 1_000_000)]
    requests: u64,
    /// Sub-accounts of the largest accounts
    #[arg(long, default_value_t = 100)]
    sub_accounts_max: u32,
}

impl Arguments {
    /// Sub-accounts of an account: most have few, as many have ten times as many as there are that
    /// have. Always the same for one account, and unrelated to how often it is asked about.
    fn sub_accounts(&self, account: u64) -> u64 {
        f64::from(self.sub_accounts_max).powf(unit(mix(account ^ 0x5151))) as u64
    }

    /// The mean of that.
    fn sub_accounts_mean(&self) -> f64 {
        let max = f64::from(self.sub_accounts_max).max(1.001);
        (max - 1.0) / max.ln()
    }

    fn bytes_of(&self, account: u64) -> u64 {
        ACCOUNT_BYTES + self.sub_accounts(account) * SUB_ACCOUNT_BYTES
    }

    fn load_ms(&self, account: u64) -> f64 {
        LOAD_MS + self.sub_accounts(account) as f64 / 1_000.0 * LOAD_MS_PER_THOUSAND
    }
}

/// One setting.
#[derive(Debug, Clone, Copy)]
struct Setting {
    cells: u64,
    memory_gib: u64,
    /// Zipf's exponent: 0 asks about all alike, 1.2 mostly about few.
    skew: f64,
}

/// A small generator: the same numbers in every run.
#[derive(Debug)]
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// From 0 to 1, without both.
    fn unit(&mut self) -> f64 {
        unit(self.next())
    }
}

fn mix(mut mixed: u64) -> u64 {
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn unit(random: u64) -> f64 {
    ((random >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

/// An account by its rank, from 0: the inverse of the integral over x^-skew, which is Zipf's law but
/// for the first few.
fn rank(unit: f64, accounts: f64, skew: f64) -> u64 {
    let place = if (skew - 1.0).abs() < 1e-9 {
        (accounts + 1.0).powf(unit)
    } else {
        let power = 1.0 - skew;
        (unit * ((accounts + 1.0).powf(power) - 1.0) + 1.0).powf(1.0 / power)
    };
    (place as u64).saturating_sub(1)
}

/// What a node has in memory: accounts by their last use.
#[derive(Debug, Default)]
struct Memory {
    tick_of: HashMap<u64, u64>,
    by_tick: BTreeMap<u64, u64>,
    bytes: u64,
    tick: u64,
}

impl Memory {
    /// Whether the account was there; it is now, and others made room.
    fn ask(&mut self, arguments: &Arguments, account: u64, bytes_max: u64) -> bool {
        self.tick += 1;
        let before = self.tick_of.insert(account, self.tick);
        match before {
            Some(tick) => drop(self.by_tick.remove(&tick)),
            None => self.bytes += arguments.bytes_of(account),
        }
        self.by_tick.insert(self.tick, account);
        while self.bytes > bytes_max {
            let Some((_, oldest)) = self.by_tick.pop_first() else { break };
            self.tick_of.remove(&oldest);
            self.bytes -= arguments.bytes_of(oldest);
        }
        before.is_some()
    }
}

/// What a setting comes to.
#[derive(Debug)]
struct Outcome {
    loaded: usize,
    loaded_gib: f64,
    /// Of a hundred requests.
    hits: f64,
    cold_p50_ms: f64,
    cold_p99_ms: f64,
    /// The load of the busiest cell beside the mean.
    busiest: f64,
    /// etcd clusters that one cell would fill.
    etcds: f64,
}

fn simulate(arguments: &Arguments, setting: Setting) -> Outcome {
    let Setting { cells, memory_gib, skew } = setting;
    let accounts = arguments.accounts as f64;
    let (mut rng, mut memory) = (Rng(7), Memory::default());
    let (mut hits, mut waits) = (0_u64, Vec::new());
    let warm_up = arguments.requests * WARM_UP;
    for asked in 0..warm_up + arguments.requests {
        // Of so many accounts that follow each other in rank, the cell has one.
        let account = rank(rng.unit(), accounts, skew) / cells;
        let is_hit = memory.ask(arguments, account, memory_gib << 30);
        if asked < warm_up {
            continue;
        }
        hits += u64::from(is_hit);
        if !is_hit {
            waits.push(arguments.load_ms(account));
        }
    }
    waits.sort_by(f64::total_cmp);
    let at = |part: f64| waits.get((waits.len() as f64 * part) as usize).copied().unwrap_or(0.0);
    let of_sub_accounts = arguments.sub_accounts_mean() * STORED_SUB_ACCOUNT_BYTES as f64;
    let stored = STORED_ACCOUNT_BYTES as f64 + of_sub_accounts;
    Outcome {
        loaded: memory.tick_of.len(),
        loaded_gib: memory.bytes as f64 / (1_u64 << 30) as f64,
        hits: hits as f64 / arguments.requests as f64 * 100.0,
        cold_p50_ms: at(0.5),
        cold_p99_ms: at(0.99),
        busiest: busiest(arguments, setting),
        etcds: accounts / cells as f64 * stored / ETCD_BYTES as f64,
    }
}

/// How much more than the mean the busiest cell gets.
fn busiest(arguments: &Arguments, setting: Setting) -> f64 {
    let mut rng = Rng(11);
    let mut by_cell: HashMap<u64, u64> = HashMap::new();
    for _ in 0..arguments.requests {
        let account = rank(rng.unit(), arguments.accounts as f64, setting.skew);
        *by_cell.entry(mix(account ^ 0xce11) % setting.cells).or_default() += 1;
    }
    let most = by_cell.values().copied().max().unwrap_or_default();
    most as f64 * setting.cells as f64 / arguments.requests as f64
}

const HEAD: [&str; 2] = [
    "cells  memory  skew    loaded   taken    hits   loads  cold p50  cold p99  busiest   etcds",
    "          GiB        accounts     GiB       %     /s         ms        ms   x mean  / cell",
];

fn row(setting: Setting, outcome: &Outcome) -> String {
    let Setting { cells, memory_gib, skew } = setting;
    let Outcome { loaded, loaded_gib, hits, cold_p50_ms, cold_p99_ms, busiest, etcds } = outcome;
    let loads = NODE_CHECKS_PER_SECOND * (100.0 - hits) / 100.0;
    format!(
        "{cells:>5} {memory_gib:>7} {skew:>5.1} {loaded:>9} {loaded_gib:>7.2} {hits:>7.2} \
         {loads:>7.0} {cold_p50_ms:>9.2} {cold_p99_ms:>9.2} {busiest:>8.1} {etcds:>7.1}"
    )
}

fn main() {
    let arguments = Arguments::parse();
    println!(
        "{} accounts of {:.0} sub-accounts at the mean; {} requests to one node of one cell;\n\
         loads per second at {NODE_CHECKS_PER_SECOND} checks per second of that node\n",
        arguments.accounts,
        arguments.sub_accounts_mean(),
        arguments.requests
    );
    HEAD.iter().for_each(|line| println!("{line}"));
    for cells in [50, 200, 800] {
        for memory_gib in [1, 4, 16] {
            for skew in [0.8, 1.0, 1.2] {
                let setting = Setting { cells, memory_gib, skew };
                println!("{}", row(setting, &simulate(&arguments, setting)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEW: Arguments =
        Arguments { accounts: 1_000_000, requests: 30_000, sub_accounts_max: 100 };

    #[test]
    fn more_memory_and_more_skew_hit_more_often() {
        let hits = |memory_gib, skew| simulate(&FEW, Setting { cells: 4, memory_gib, skew }).hits;
        assert!(hits(1, 0.8) < hits(1, 1.2));
        assert!(hits(0, 1.0) < 1e-9, "without memory nothing is found");
        let (little, much) = (hits(1, 0.9), hits(64, 0.9));
        assert!(little <= much && much < 100.0, "{little} {much}");
    }

    #[test]
    fn ranks_follow_the_law() {
        // By Zipf's law with exponent 1, as many requests go to ranks 10 to 99 as to 100 to 999.
        let mut rng = Rng(3);
        let ranks: Vec<u64> = (0..200_000).map(|_| rank(rng.unit(), 1e6, 1.0)).collect();
        assert!(ranks.iter().all(|rank| *rank < 1_000_000));
        let within = |from, to| ranks.iter().filter(|it| (from..to).contains(*it)).count() as f64;
        let ratio = within(9, 99) / within(99, 999);
        assert!((0.97..1.03).contains(&ratio), "{ratio}");
    }

    #[test]
    fn the_page_has_the_table_of_this_program() {
        let page = include_str!("../docs/scaling.md");
        assert!(page.contains(HEAD[0]) && page.contains(HEAD[1]), "its head");
        let arguments = Arguments::parse_from(["cells"]);
        let setting = Setting { cells: 800, memory_gib: 1, skew: 1.2 };
        let row = row(setting, &simulate(&arguments, setting));
        assert!(page.contains(&row), "not in the page: {row}");
    }
}
