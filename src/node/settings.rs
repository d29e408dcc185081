//! The numbers a node runs with. Names carry their units.

use super::referee::RefereeSettings;
use crate::audit::decision_log::DecisionLogSettings;
use crate::authn::vault::master_key::MasterKey;
use crate::directory::Quotas;

/// The budget of loaded accounts unless it is set: 1 GiB.
pub const MEMORY_BUDGET_BYTES: usize = 1 << 30;

/// From when on calls are told to the log as slow unless it is set, in milliseconds.
pub const SLOW_MS: u64 = 100;

/// How a node behaves. The defaults suit production.
#[derive(Debug, Clone)]
pub struct NodeSettings {
    /// Longest wait for a revision that a reader asks for with `at_least`.
    pub at_least_wait_ms: u64,
    /// Longest wait of a write for its own change to be visible here.
    pub visible_wait_ms: u64,
    /// About how many bytes loaded accounts may take; the least recently used ones make room. One
    /// account that takes more is served all the same, alone.
    pub memory_budget_bytes: usize,
    /// Most accounts in memory, whatever they take.
    pub accounts_loaded_max: usize,
    /// Most global index records (uin, SdkAppId) in memory.
    pub global_entries_max: usize,
    /// How often a write is tried when others change the same account.
    pub commit_attempts_max: u32,
    /// Newest idempotent requests remembered in each account.
    pub request_ids_per_account_max: usize,
    /// How often a node that shares its store asks whether it is up to date.
    pub heartbeat_ms: u64,
    /// How long it may stay behind before it opens the change stream anew.
    pub behind_max_ms: u64,
    /// Answers that may be older than this are marked with their age.
    pub stale_after_ms: u64,
    /// Answers that may be older than this are not given.
    pub staleness_max_ms: u64,
    /// Pause before the change stream is opened again after it failed.
    pub watch_retry_ms: u64,
    /// Time without a change after which a watcher gets a bookmark.
    pub bookmark_interval_ms: u64,
    /// How often the operator's policy files are looked at.
    pub policies_poll_ms: u64,
    /// What the secrets of the store are sealed under; without it there are no secrets. Taken away
    /// when the node has started.
    pub master_key: Option<MasterKey>,
    /// Leaves the store's secrets sealed: nothing that needs them works.
    pub leaves_secrets_sealed: bool,
    /// Most opened session tokens in memory.
    pub sessions_cached_max: usize,
    /// How long a console session lasts.
    pub console_session_ms: i64,
    /// Whether callers of gRPC, of the gate and of AuthZEN must be known.
    pub callers_required: bool,
    /// Where decisions are logged; nowhere without it.
    pub decision_log: Option<DecisionLogSettings>,
    /// Which decisions are made a second time.
    pub referee: RefereeSettings,
    /// Whether a signature counts once only.
    pub refuse_replays: bool,
    /// Most signatures remembered for that; beyond it requests are refused.
    pub signatures_remembered_max: usize,
    /// From when on a call is told to the log as slow; never for 0.
    pub slow_ms: u64,
    /// How often the last uses of access keys are written; at most once for each key.
    pub key_use_interval_ms: u64,
    /// How many of everything an account may have.
    pub quotas: Quotas,
}

impl Default for NodeSettings {
    fn default() -> Self {
        Self {
            at_least_wait_ms: 1_000,
            visible_wait_ms: 10_000,
            memory_budget_bytes: MEMORY_BUDGET_BYTES,
            accounts_loaded_max: 1_000_000,
            global_entries_max: 200_000,
            commit_attempts_max: 64,
            request_ids_per_account_max: 1_000,
            heartbeat_ms: 500,
            behind_max_ms: 2_000,
            stale_after_ms: 3_000,
            staleness_max_ms: 60_000,
            watch_retry_ms: 200,
            bookmark_interval_ms: 1_000,
            policies_poll_ms: 1_000,
            master_key: None,
            leaves_secrets_sealed: false,
            sessions_cached_max: 10_000,
            console_session_ms: 7_200_000,
            callers_required: false,
            decision_log: None,
            referee: RefereeSettings::default(),
            refuse_replays: false,
            signatures_remembered_max: 1_000_000,
            slow_ms: SLOW_MS,
            key_use_interval_ms: 60_000,
            quotas: Quotas::default(),
        }
    }
}
