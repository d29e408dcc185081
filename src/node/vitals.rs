//! How the node is, in numbers: what is counted while it runs, and what holds at this moment.
//!
//! Counting must never cost what is counted: relaxed atomics, away from the path of decisions.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Node;
use super::calls::SpanVitals;
use super::meters::{Count, Counts, Durations, Lookups};
use super::notes::Stage;
use super::referee::RefereeVitals;
use super::slow::SlowVitals;
use super::tally::Tally;
use crate::audit::decision_log::{DecisionLog, LogVitals};
use crate::engine::Reason;

/// What is counted.
#[derive(Debug, Default)]
pub(super) struct Counters {
    stream_breaks: AtomicU64,
    starts_over: AtomicU64,
    write_conflicts: AtomicU64,
    /// The newest revision that the store told of.
    store_revision: AtomicU64,
    decisions: Tally,
    commits: Durations,
    unknown_callers: Count,
}

impl Counters {
    /// The change stream broke.
    pub(super) fn stream_broke(&self) {
        self.stream_breaks.fetch_add(1, Ordering::Relaxed);
    }

    /// Changes were lost, and everything is read anew.
    pub(super) fn started_over(&self) {
        self.starts_over.fetch_add(1, Ordering::Relaxed);
    }

    /// A decision was made.
    pub(super) fn decided(&self, reason: Reason) {
        self.decisions.add(reason);
    }

    /// The store answered a commit.
    pub(super) fn committed(&self, took: Duration) {
        self.commits.add(took);
    }

    /// Somebody called whom nobody knows.
    pub(super) fn caller_unknown(&self) {
        self.unknown_callers.add();
    }

    /// A write lost a race and is tried again.
    pub(super) fn write_conflicted(&self) {
        self.write_conflicts.fetch_add(1, Ordering::Relaxed);
    }

    /// The store is at this revision.
    pub(super) fn store_is_at(&self, revision: u64) {
        self.store_revision.fetch_max(revision, Ordering::Relaxed);
    }
}

/// A cache in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheVitals {
    /// About how many entries it has.
    pub entries: u64,
    /// How often it had what was looked for.
    pub hits: u64,
    /// How often it had not.
    pub misses: u64,
}

impl CacheVitals {
    pub(super) fn new(lookups: &Lookups, entries: u64) -> Self {
        let (hits, misses) = lookups.get();
        Self { entries, hits, misses }
    }
}

/// How a node is at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vitals {
    /// Whether it may be sent requests.
    pub is_ready: bool,
    /// Everything up to this revision is visible here.
    pub applied_revision: u64,
    /// The newest revision that the store was seen at; never less than the applied one.
    pub store_revision: u64,
    /// How long ago the node was last known to have everything, in milliseconds.
    pub age_ms: u64,
    /// Nodes on the store, this one among them.
    pub nodes: usize,
    /// Accounts in memory.
    pub loaded_accounts: usize,
    /// About how many bytes they take.
    pub loaded_bytes: usize,
    /// How many they may take.
    pub memory_budget_bytes: usize,
    /// How often the change stream broke.
    pub stream_breaks: u64,
    /// How often changes were lost, and everything was read anew.
    pub starts_over: u64,
    /// How often a write lost a race.
    pub write_conflicts: u64,
    /// How many decisions were made, by reason.
    pub decisions: Vec<(Reason, u64)>,
    /// What the referee has done, if there is one.
    pub referee: Option<RefereeVitals>,
    /// Opened session tokens.
    pub sessions: CacheVitals,
    /// Records of who is where.
    pub index: CacheVitals,
    /// Uses of keys that are to be written.
    pub key_uses_pending: usize,
    /// How long the store took for writes of accounts.
    pub commits: Counts,
    /// How long calls waited, by what they waited for.
    pub waits: Vec<(Stage, Counts)>,
    /// Calls of callers whom nobody knows.
    pub unknown_callers: u64,
    /// Calls that took long.
    pub slow_calls: SlowVitals,
    /// Traced calls, if calls are traced.
    pub spans: Option<SpanVitals>,
    /// The decision log, if there is one.
    pub decision_log: Option<LogVitals>,
}

impl Node {
    /// How this node is now.
    #[must_use]
    pub fn vitals(&self) -> Vitals {
        let applied_revision = self.applied_revision().0;
        let Counters {
            stream_breaks,
            starts_over,
            write_conflicts,
            store_revision,
            decisions,
            commits,
            unknown_callers,
        } = &self.counters;
        let waits =
            Stage::ALL.into_iter().filter_map(|it| Some((it, self.calls.waits.of(it)?.counts())));
        Vitals {
            is_ready: self.health.subscribe().borrow().is_ready(),
            applied_revision,
            store_revision: store_revision.load(Ordering::Relaxed).max(applied_revision),
            age_ms: self.age_ms(),
            nodes: self.peers.load().count().max(1),
            loaded_accounts: self.loaded_accounts(),
            loaded_bytes: self.loaded_bytes(),
            memory_budget_bytes: self.settings.memory_budget_bytes,
            stream_breaks: stream_breaks.load(Ordering::Relaxed),
            starts_over: starts_over.load(Ordering::Relaxed),
            write_conflicts: write_conflicts.load(Ordering::Relaxed),
            decisions: decisions.counts(),
            referee: self.referee(),
            sessions: self.sessions.vitals(),
            index: self.index.vitals(),
            key_uses_pending: self.key_uses.pending(),
            commits: commits.counts(),
            waits: waits.collect(),
            unknown_callers: unknown_callers.get(),
            slow_calls: self.calls.slow.vitals(),
            spans: self.calls.observer.get().map(|observer| observer.vitals()),
            decision_log: self.decision_log.as_ref().map(DecisionLog::vitals),
        }
    }
}
