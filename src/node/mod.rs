//! The running node (floor 3): applies changes to snapshots, answers queries, waits for revisions.
//!
//! The one place where language, engine, directory and store meet. Reads take one immutable view of
//! an account and never wait for writers; writes commit under a precondition on the account's head
//! and return when the change is visible here. It must never know a protocol, and never turn a
//! failure into an ALLOW: what cannot be read is an error.

mod access;
mod applier;
mod asking;
mod bounded;
mod callers;
mod callers_write;
mod calls;
mod cells;
mod change_log;
mod clock;
mod console;
mod damage;
mod decide;
mod error;
mod footprint;
mod freshness;
mod gate;
mod health;
mod heartbeat;
mod index;
mod kept;
mod key_uses;
mod keys;
mod load;
mod meters;
mod notes;
mod operator;
mod passwords;
mod peers;
mod presets;
mod preview;
mod query;
mod record;
mod records;
mod referee;
mod replay;
mod requests;
mod search;
mod sessions;
mod settings;
mod simulate;
mod slow;
mod sts;
mod tally;
mod token;
mod vault;
mod verify;
mod view;
mod vitals;
mod watch;
mod write;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::{Mutex, Notify, watch as watch_channel};

pub use access::{Access, AccessError};
pub use asking::{Asking, Surface, Unsettled};
pub use bounded::BoundedCache;
pub use callers::{Caller, CallerError};
pub use callers_write::{
    CallersError, create_caller, create_token, delete_caller, delete_token, list_callers,
    update_caller,
};
pub use calls::{CallObserver, EndedCall, SpanVitals};
pub use change_log::{ChangeLogPage, LoggedChange};
pub use clock::{Clock, SystemClock};
pub use console::{ConsoleSession, SignInError, SignedIn};
pub use decide::{Decided, Question};
pub use error::NodeError;
pub use gate::{GateAnswer, GateError};
pub use health::Readiness;
pub use keys::{NewKey, SigningKey};
pub use meters::{BOUNDS_US, CallResult, Counts, Ending, Meter, Meters, OpenStream, Reading};
pub use notes::{NotedDecision, Notes, Stage, noting};
pub use operator::Trace;
pub use passwords::hash_password;
pub use presets::{PolicyFiles, Shared};
pub use preview::{CaseChange, PREVIEW_REQUESTS_MAX, preview};
pub use query::{Answer, Asker, BatchQuery, CheckQuery, Explained};
pub use referee::{RefereeMode, RefereeSettings, RefereeVitals};
pub use replay::{Replay, Replayed};
pub use requests::RequestId;
pub use search::{ActionSearch, Found, NamedSearch, PrincipalSearch, ResourceSearch};
pub use sessions::Session;
pub use settings::{MEMORY_BUDGET_BYTES, NodeSettings, SLOW_MS};
pub use simulate::{InlinePolicy, SimulateQuery, Simulated};
pub use slow::SlowVitals;
pub use sts::{
    AssumeRole, Credentials, FederationToken, Refusal, RoleName, SessionToken, StsError, WhichRole,
};
pub use token::Tokens;
pub use vault::{Rotated, master_key_id, rotate_master_key};
pub use verify::{Finding, Verification, Verified};
pub use view::AccountView;
pub use vitals::{CacheVitals, Vitals};
pub use watch::{AccountEvent, AccountWatch};
pub use write::{JobInput, Prepared, WriteJob, WriteOptions, Written};

pub(crate) use error::shorten;
pub(crate) use requests::REQUEST_ID_BYTES_MAX;
pub(crate) use token::hash_digits;

use crate::audit::decision_log::{DecisionLog, ForwardCounts, LogOpening};
use crate::authn::tc3::ReplayGuard;
use crate::authn::vault::Vault;
use crate::catalog::Catalog;
use crate::directory::Census;
use crate::store::archive::Export;
use crate::store::{Revision, Store, Watch};
use access::Callers;
use calls::Calls;
use cells::Cells;
use console::SignIns;
use freshness::Freshness;
use health::Health;
use index::{GlobalIndex, ShelfTurns};
use kept::KeptPresets;
use key_uses::KeyUses;
use peers::Peers;
use referee::Referee;
use sessions::Sessions;
use vitals::Counters;

/// Most damaged accounts whose damage is remembered.
const DAMAGED_ACCOUNTS_MAX: u64 = 256;

/// One running node over one store.
#[derive(Debug)]
pub struct Node {
    /// This process's own name among the nodes of the store.
    id: String,
    store: Arc<dyn Store>,
    catalog: Arc<Catalog>,
    clock: Arc<dyn Clock>,
    settings: NodeSettings,
    tokens: Tokens,
    /// The token that was written last: most answers are of one revision.
    last_token: ArcSwapOption<(Revision, String)>,
    /// What seals secrets; none without a master key.
    vault: Option<Vault>,
    /// Opened session tokens.
    sessions: Sessions,
    /// Attempts to sign in to consoles.
    sign_ins: SignIns,
    /// Signatures seen, when replays are refused.
    replays: Option<ReplayGuard>,
    /// When keys were last used.
    key_uses: KeyUses,
    cells: Cells,
    index: GlobalIndex,
    /// Which records of which accounts are damaged: the end of the log, what is there, and names.
    damaged: BoundedCache<u64, (u64, Census, Vec<String>)>,
    /// Presets and general policies, compiled.
    shared: ArcSwap<Shared>,
    /// Why the presets cannot be read, when they cannot.
    presets_problem: ArcSwapOption<String>,
    /// Everything up to this revision is in what is loaded.
    applied: watch_channel::Sender<Revision>,
    health: Health,
    freshness: Freshness,
    counters: Counters,
    /// How calls of every protocol went.
    calls: Calls,
    /// Where decisions are logged.
    decision_log: Option<DecisionLog>,
    /// Makes some decisions again.
    referee: Option<Referee>,
    /// Who may call.
    callers: Callers,
    /// The nodes that share the store.
    peers: ArcSwap<Peers>,
    /// Told when the change stream is to be opened anew.
    follow_again: Notify,
    stopping: watch_channel::Sender<bool>,
    ended: watch_channel::Sender<bool>,
    /// Held while a uin is allotted, so that writes of this node do not race for one.
    allot_turn: Mutex<()>,
    /// Held while records of the global indexes are written.
    shelf_turns: ShelfTurns,
    /// Held while the operator's files are compared with the records: the digest of the files that
    /// were recorded last.
    presets_turn: Mutex<Option<String>>,
    /// The operator's presets that are in force without a file.
    kept_presets: KeptPresets,
    /// Made on first use.
    shipped_digest: OnceLock<String>,
}

/// Starts what runs as long as the node does.
fn run_in_background(node: &Arc<Node>, watch: Watch) {
    tokio::spawn(applier::run(Arc::clone(node), watch));
    tokio::spawn(heartbeat::run(Arc::clone(node)));
    tokio::spawn(key_uses::run(Arc::clone(node)));
    tokio::spawn(record::follow_log(Arc::clone(node)));
    tokio::spawn(referee::follow(Arc::clone(node)));
}

impl Node {
    /// Starts a node: names the store on first use, reads the presets, and follows its changes.
    /// `files` finds the operator's own presets; they are looked at once before this returns.
    ///
    /// # Errors
    /// [`NodeError::Store`] when the store cannot be read, [`NodeError::Record`] when the presets
    /// in it cannot, [`NodeError::MasterKeyWanted`] or [`NodeError::Keyring`] when its secrets
    /// cannot. Faults of the operator's files only make the node not ready.
    pub async fn start(
        store: Arc<dyn Store>,
        catalog: Arc<Catalog>,
        clock: Arc<dyn Clock>,
        files: Option<PolicyFiles>,
        mut settings: NodeSettings,
    ) -> Result<Arc<Self>, NodeError> {
        let id = clock::new_node_id();
        let tokens = Tokens::new(&load::store_id(&*store).await?, &id);
        let vault = match settings.leaves_secrets_sealed {
            true => None,
            false => vault::open(&*store, settings.master_key.take().as_ref()).await?,
        };
        // The watch first: what changes while the presets are read is then applied again.
        let head = store.head().await?;
        let watch = store.watch(head).await?;
        let shared = load::read_shared(&*store, &catalog).await?;
        let (table, callers_problem) = access::read_table(&*store).await?;
        let decision_log = decision_log(&settings, &catalog, &id).await?;
        let node = Arc::new(Self {
            sessions: Sessions::new(settings.sessions_cached_max),
            sign_ins: SignIns::new(),
            replays: settings
                .refuse_replays
                .then(|| ReplayGuard::new(settings.signatures_remembered_max)),
            key_uses: KeyUses::new(settings.key_use_interval_ms),
            cells: Cells::new(settings.accounts_loaded_max, settings.memory_budget_bytes),
            index: GlobalIndex::new(settings.global_entries_max),
            damaged: BoundedCache::new(DAMAGED_ACCOUNTS_MAX),
            shared: ArcSwap::from_pointee(shared),
            presets_problem: ArcSwapOption::empty(),
            applied: watch_channel::Sender::new(head),
            health: Health::new(),
            freshness: Freshness::new(store.is_exclusive(), &settings),
            counters: Counters::default(),
            calls: Calls::new(settings.slow_ms),
            decision_log,
            referee: Referee::start(settings.referee),
            callers: Callers::new(settings.callers_required, table),
            peers: ArcSwap::default(),
            follow_again: Notify::new(),
            stopping: watch_channel::Sender::new(false),
            ended: watch_channel::Sender::new(false),
            allot_turn: Mutex::new(()),
            shelf_turns: ShelfTurns::default(),
            presets_turn: Mutex::new(None),
            kept_presets: KeptPresets::default(),
            shipped_digest: OnceLock::new(),
            id,
            last_token: ArcSwapOption::empty(),
            store,
            catalog,
            clock,
            settings,
            tokens,
            vault,
        });
        node.health.set_record_problem("service callers", callers_problem);
        heartbeat::meet(&node).await?;
        run_in_background(&node, watch);
        if let Some(files) = files {
            node.check_policy_files(&files).await;
            tokio::spawn(presets::poll(Arc::clone(&node), files));
        }
        Ok(node)
    }

    /// Begins to stop: streams and watches end. Changes are still applied, so that writes under way
    /// become visible; [`Node::end`] ends that too.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Ends everything that runs in the background. Requests that wait for changes fail from now
    /// on.
    pub fn end(&self) {
        self.stop();
        self.ended.send_replace(true);
    }

    /// As [`Node::end`], when everything that is still to be written is.
    pub async fn shut(self: &Arc<Self>) {
        self.write_key_uses().await;
        self.end();
        let node = Arc::clone(self);
        let closing = tokio::task::spawn_blocking(move || {
            if let Some(log) = &node.decision_log {
                log.close();
            }
        });
        if let Err(error) = closing.await {
            tracing::error!(%error, "the decision log was not closed");
        }
    }

    /// Whether [`Node::stop`] was called; a receiver that changes once.
    #[must_use]
    pub fn stopping(&self) -> watch_channel::Receiver<bool> {
        self.stopping.subscribe()
    }

    /// What the node says about itself, as it changes.
    #[must_use]
    pub fn readiness(&self) -> watch_channel::Receiver<Readiness> {
        self.health.subscribe()
    }

    /// Where it is told what became of the decision log's records that are sent to a collector.
    #[must_use]
    pub fn log_forwarded(&self) -> Option<Arc<ForwardCounts>> {
        self.decision_log.as_ref().map(DecisionLog::forwarded)
    }

    /// Says that the server's certificates cannot be read anew, or that they can.
    pub fn report_certificates(&self, problem: Option<String>) {
        self.health.set_certificates_report(problem);
    }

    /// The catalog of this node.
    #[must_use]
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// The digest of what this node decides with beside accounts.
    #[must_use]
    pub fn shipped_digest(&self) -> &str {
        self.shipped_digest.get_or_init(|| self.catalog.shipped_digest())
    }

    /// The numbers this node runs with.
    #[must_use]
    pub fn settings(&self) -> &NodeSettings {
        &self.settings
    }

    /// Presets and general policies as they are now.
    #[must_use]
    pub fn shared(&self) -> Arc<Shared> {
        self.shared.load_full()
    }

    /// The token of a revision.
    #[must_use]
    pub fn token(&self, revision: Revision) -> String {
        if let Some(last) = &*self.last_token.load()
            && last.0 == revision
        {
            return last.1.clone();
        }
        let token = self.tokens.write(revision);
        self.last_token.store(Some(Arc::new((revision, token.clone()))));
        token
    }

    /// The revision of a token; none for the empty text.
    ///
    /// # Errors
    /// As [`Tokens::read`].
    pub fn read_token(&self, token: &str) -> Result<Option<Revision>, NodeError> {
        if token.is_empty() { Ok(None) } else { self.tokens.read(token).map(Some) }
    }

    /// Everything in the store, as it is now.
    ///
    /// # Errors
    /// As [`Export::begin`].
    pub async fn export(&self) -> Result<Export, NodeError> {
        Ok(Export::begin(&*self.store).await?)
    }

    /// Begins to verify change logs and records: of one account, or of everything.
    ///
    /// # Errors
    /// As [`Verification::begin`].
    pub async fn verify_store(&self, owner_uin: Option<u64>) -> Result<Verification, NodeError> {
        Verification::begin(&self.store, owner_uin).await
    }

    /// Told of every revision that becomes visible here.
    #[must_use]
    pub fn applied_changes(&self) -> watch_channel::Receiver<Revision> {
        self.applied.subscribe()
    }

    /// Everything up to this revision is visible here.
    #[must_use]
    pub fn applied_revision(&self) -> Revision {
        *self.applied.borrow()
    }

    /// About how many bytes the accounts in memory take.
    #[must_use]
    pub fn loaded_bytes(&self) -> usize {
        self.cells.bytes()
    }

    /// How many accounts are in memory.
    #[must_use]
    pub fn loaded_accounts(&self) -> usize {
        self.cells.len()
    }

    /// Waits until everything up to the revision is visible here.
    ///
    /// # Errors
    /// [`NodeError::NotYet`] after the wait of the settings.
    pub async fn wait_at_least(&self, revision: Option<Revision>) -> Result<(), NodeError> {
        let Some(wanted) = revision else { return Ok(()) };
        let waited_ms = self.settings.at_least_wait_ms;
        // On the heap, so that questions that wait for nothing carry no room for waiting.
        if self.applied_revision() >= wanted {
            return Ok(());
        }
        let applied = self.waited(Stage::Revision, self.wait_applied(wanted, waited_ms));
        if Box::pin(applied).await {
            return Ok(());
        }
        let applied = self.applied_revision().0;
        Err(NodeError::NotYet { wanted: wanted.0, applied, waited_ms })
    }

    /// Whether the revision was applied within the time.
    async fn wait_applied(&self, wanted: Revision, wait_ms: u64) -> bool {
        let mut applied = self.applied.subscribe();
        if *applied.borrow() >= wanted {
            return true;
        }
        let reached = applied.wait_for(|applied| *applied >= wanted);
        matches!(tokio::time::timeout(Duration::from_millis(wait_ms), reached).await, Ok(Ok(_)))
    }
}

/// Opens the decision log, if there is to be one.
async fn decision_log(
    settings: &NodeSettings,
    catalog: &Arc<Catalog>,
    node: &str,
) -> Result<Option<DecisionLog>, NodeError> {
    let Some(settings) = settings.decision_log.clone() else { return Ok(None) };
    let (catalog, node) = (Arc::clone(catalog), node.to_owned());
    let opened = tokio::task::spawn_blocking(move || {
        let opening = LogOpening { node, shipped: catalog.shipped_digest() };
        DecisionLog::open(settings, opening)
    });
    let opened = opened.await.map_err(|error| NodeError::Internal(error.to_string()))?;
    Ok(Some(opened?))
}
