//! Writes: one account, one commit, visible here before it returns.
//!
//! A write executes on the newest view, commits under a precondition on the account's head record,
//! and retries when another writer was faster. It must never acknowledge what is not durable, and
//! never leave half a change: everything it writes, the idempotency record included, is one commit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cells::CellState;
use super::change_log::{self, Logged};
use super::clock::random_part;
use super::error::NodeError;
use super::notes::Stage;
use super::records;
use super::requests::{RequestId, RequestIndex};
use super::view::AccountView;
use super::{Node, Shared};
use crate::audit::Origin;
use crate::directory::{AccountState, Change, Env, GlobalKey, Globals, UnixMillis};
use crate::store::{Commit, Revision, StoreError};

/// Most uins in a row that may be taken when one is allotted.
const ALLOT_STEPS_MAX: u64 = 10_000;
/// The longest pause of a write that has lost a race once, in milliseconds, and how often that
/// doubles.
const STEP_ASIDE_MS: u64 = 2;
const STEP_ASIDE_DOUBLINGS_MAX: u32 = 5;

/// What every write can ask for.
#[derive(Debug, Clone, Default)]
pub struct WriteOptions {
    /// Only if the account has not changed after this revision.
    pub if_revision: Option<Revision>,
    /// Take effect once, however often it is sent.
    pub request: Option<RequestId>,
    /// Check everything, change nothing.
    pub validate_only: bool,
    /// Who asks, and from where: for the change log.
    pub origin: Origin,
}

/// What a write works on.
#[derive(Debug)]
pub struct JobInput<'a> {
    /// The account now; the default state when it does not exist.
    pub state: &'a AccountState,
    /// What commands are executed against.
    pub env: Env<'a>,
    /// The uin that is free, when the job asked for one.
    pub allotted_uin: Option<u64>,
    /// Presets and general policies.
    pub shared: &'a Shared,
}

/// What a job wants written, and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// Empty when everything is so already.
    pub changes: Vec<Change>,
    /// The names of the operations that made them, for the change log. May name one twice.
    pub operations: Vec<&'static str>,
    /// The answer's bytes, without the revision: kept for a repeated request.
    pub answer: Vec<u8>,
}

/// A write to do. `run` may be called several times, each time on a newer state.
pub struct WriteJob<'a> {
    /// Global records that `run` looks at on a state.
    pub reads: &'a (dyn Fn(&AccountState) -> Vec<GlobalKey> + Send + Sync),
    /// Whether a free uin is needed.
    pub allot_uin: bool,
    /// Turns the state into changes.
    pub run: &'a (dyn Fn(&JobInput<'_>) -> Result<Prepared, NodeError> + Send + Sync),
}

impl std::fmt::Debug for WriteJob<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriteJob").field("allot_uin", &self.allot_uin).finish_non_exhaustive()
    }
}

/// What came of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// What the job answered; for a repeated request, what it answered the first time.
    pub answer: Vec<u8>,
    /// Holds the change; when nothing was changed, the revision it was looked at.
    pub revision: Revision,
    /// Whether the request was done before, and this is its first answer again.
    pub is_repeat: bool,
}

/// One try's outcome.
enum Tried {
    Done(Written),
    Conflict,
}

impl Node {
    /// Writes one account.
    ///
    /// # Errors
    /// What the job refuses; [`NodeError::Changed`], [`NodeError::Contended`],
    /// [`NodeError::RequestIdReused`], [`NodeError::NotVisible`], or what the store says.
    pub async fn write(
        &self,
        owner_uin: u64,
        options: &WriteOptions,
        job: &WriteJob<'_>,
    ) -> Result<Written, NodeError> {
        let result = self.write_in_turn(owner_uin, options, job).await;
        // While it was written the account could not make room for others.
        self.cells.evict(owner_uin);
        result
    }

    async fn write_in_turn(
        &self,
        owner_uin: u64,
        options: &WriteOptions,
        job: &WriteJob<'_>,
    ) -> Result<Written, NodeError> {
        let cell = self.cells.find_or_add(owner_uin);
        let _turn = cell.write_turn.lock().await;
        let _allotting = if job.allot_uin { Some(self.allot_turn.lock().await) } else { None };
        // A token from another node may be ahead of this one.
        self.wait_at_least(options.if_revision).await?;
        let attempts = self.settings.commit_attempts_max.max(1);
        for attempt in 0..attempts {
            match self.try_write(owner_uin, options, job).await? {
                Tried::Done(written) => return Ok(written),
                Tried::Conflict => {
                    self.forget_requests(owner_uin).await;
                    self.counters.write_conflicted();
                    let head = self.store.head().await?;
                    self.wait_visible(head).await?;
                    self.step_aside(attempt).await;
                }
            }
        }
        Err(NodeError::Contended { owner_uin, attempts })
    }

    /// Waits for a random moment, longer the more often a write has lost, so that nodes that write
    /// the same account do not meet again and again. On a store of its own nobody else writes.
    async fn step_aside(&self, attempt: u32) {
        if self.store.is_exclusive() {
            return;
        }
        let longest = STEP_ASIDE_MS << attempt.min(STEP_ASIDE_DOUBLINGS_MAX);
        tokio::time::sleep(random_part(Duration::from_millis(longest))).await;
    }

    async fn try_write(
        &self,
        owner_uin: u64,
        options: &WriteOptions,
        job: &WriteJob<'_>,
    ) -> Result<Tried, NodeError> {
        if let Some(request) = &options.request
            && let Some(written) = self.find_answer(owner_uin, request).await?
        {
            return Ok(Tried::Done(written));
        }
        self.check_writable()?;
        let applied = self.applied_revision();
        let view = self.view(owner_uin).await?;
        let last_change = view.as_ref().map(|view| view.last_change);
        if options.if_revision.is_some_and(|given| last_change.is_some_and(|last| last > given)) {
            return Err(NodeError::Changed { owner_uin });
        }
        let empty = Arc::new(AccountState::default());
        let state = view.as_ref().map_or(&empty, |view| &view.state);
        let mut commit = Commit::new();
        let head_key = records::head_key(owner_uin);
        commit = match last_change {
            Some(revision) => commit.require_at(head_key, revision),
            None => commit.require_absent(head_key),
        };
        let (mut commit, mut globals) = self.read_globals(commit, &(job.reads)(state)).await?;
        let allotted_uin = if job.allot_uin {
            let (with_uin, uin) = self.allot_uin(commit, &mut globals).await?;
            commit = with_uin;
            Some(uin)
        } else {
            None
        };
        let (shared, now) = (self.shared(), self.now());
        let env = Env {
            now,
            quotas: &self.settings.quotas,
            presets: &shared.presets,
            vocabulary: &*self.catalog,
            globals: &globals,
        };
        let prepared = (job.run)(&JobInput { state, env, allotted_uin, shared: &shared })?;
        let seen_at = view.as_ref().map_or(applied, |view| view.as_of.max(applied));
        let nothing_to_write = prepared.changes.is_empty() && options.request.is_none();
        if options.validate_only || nothing_to_write {
            return Ok(Tried::Done(Written {
                answer: prepared.answer,
                revision: seen_at,
                is_repeat: false,
            }));
        }
        if !prepared.changes.is_empty() {
            let (prepared, origin) = (&prepared, &options.origin);
            let logged = Logged { owner_uin, state, globals: &globals, prepared, origin, at: now };
            commit = change_log::add_changes(commit, &logged)?;
        }
        // The turns are held until the commit is done.
        let counted = self.shelf_turns.count(&*self.store, commit, owner_uin, &prepared.changes);
        let (commit, _turns) = counted.await?;
        self.finish(owner_uin, options, view, commit, prepared.answer).await
    }

    /// Adds the idempotency record, commits, and waits until the change is visible.
    async fn finish(
        &self,
        owner_uin: u64,
        options: &WriteOptions,
        view: Option<Arc<AccountView>>,
        mut commit: Commit,
        answer: Vec<u8>,
    ) -> Result<Tried, NodeError> {
        let mut request_note = None;
        // Without a view the account is being created: it has no requests yet.
        if let Some(request) = &options.request {
            let key = records::request_key(owner_uin, &request.id);
            let deleted = match view {
                Some(_) => self.surplus_requests(owner_uin).await?,
                None => Vec::new(),
            };
            for surplus in &deleted {
                commit = commit.delete(surplus.clone());
            }
            let record = request.record(self.now(), &answer);
            commit = commit.require_absent(key.clone()).put(key.clone(), record);
            request_note = Some((key, deleted));
        }
        match self.commit(commit).await {
            Ok(revision) => {
                self.health.set_full_report(false);
                self.wait_visible(revision).await?;
                if let Some((key, deleted)) = request_note {
                    self.note_request(owner_uin, revision, key, &deleted).await;
                }
                Ok(Tried::Done(Written { answer, revision, is_repeat: false }))
            }
            Err(StoreError::Conflict { key }) => match change_log::written_over(&key) {
                Some(fault) => Err(fault),
                None => Ok(Tried::Conflict),
            },
            Err(other) => {
                self.health.set_full_report(matches!(other, StoreError::Full { .. }));
                Err(other.into())
            }
        }
    }

    /// The first answer to this request, if it was made before.
    async fn find_answer(
        &self,
        owner_uin: u64,
        request: &RequestId,
    ) -> Result<Option<Written>, NodeError> {
        let key = records::request_key(owner_uin, &request.id);
        let (entry, _) = self.store.read(&key).await?;
        let Some(entry) = entry else { return Ok(None) };
        let answer = request.answer_in(records::decode_done_request(&entry)?)?;
        self.wait_visible(entry.revision).await?;
        Ok(Some(Written { answer, revision: entry.revision, is_repeat: true }))
    }

    /// Now, as stored times are.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        UnixMillis(self.clock.now().as_millisecond())
    }

    /// Commits, and counts how long the store took.
    async fn commit(&self, commit: Commit) -> Result<Revision, StoreError> {
        let started = Instant::now();
        let committed = self.waited(Stage::Commit, self.store.commit(commit)).await;
        self.counters.committed(started.elapsed());
        committed
    }

    async fn wait_visible(&self, revision: Revision) -> Result<(), NodeError> {
        let waited_ms = self.settings.visible_wait_ms;
        if self.wait_applied(revision, waited_ms).await {
            return Ok(());
        }
        Err(NodeError::NotVisible { revision: revision.0, waited_ms })
    }

    /// Reads global records and requires in the commit that they stay as read.
    async fn read_globals(
        &self,
        mut commit: Commit,
        keys: &[GlobalKey],
    ) -> Result<(Commit, Globals), NodeError> {
        let mut globals = Globals::new();
        for key in keys {
            commit = self.read_global(commit, &mut globals, *key).await?;
        }
        Ok((commit, globals))
    }

    async fn read_global(
        &self,
        commit: Commit,
        globals: &mut Globals,
        key: GlobalKey,
    ) -> Result<Commit, NodeError> {
        let store_key = records::global_key(key);
        let (entry, _) = self.store.read(&store_key).await?;
        match key {
            GlobalKey::Uin(uin) => {
                let record = entry.as_ref().map(records::decode_uin).transpose()?;
                globals.set_uin(uin, record.map(Arc::new));
            }
            GlobalKey::App(sdkappid) => {
                globals.set_app(sdkappid, entry.as_ref().map(records::decode_app).transpose()?);
            }
            GlobalKey::Secret(id) => {
                globals.set_secret(id, entry.as_ref().map(records::decode_secret).transpose()?);
            }
        }
        Ok(match entry {
            Some(entry) => commit.require_at(store_key, entry.revision),
            None => commit.require_absent(store_key),
        })
    }

    /// Finds a uin that was never used, and moves the counter past it in the same commit.
    async fn allot_uin(
        &self,
        commit: Commit,
        globals: &mut Globals,
    ) -> Result<(Commit, u64), NodeError> {
        let key = records::next_uin_key();
        let (entry, _) = self.store.read(&key).await?;
        let first = match &entry {
            Some(entry) => records::decode_next_uin(entry)?,
            None => records::FIRST_ALLOTTED_UIN,
        };
        let mut uin = first;
        let commit = loop {
            let (taken, _) = self.store.read(&records::global_key(GlobalKey::Uin(uin))).await?;
            if taken.is_none() {
                break self.read_global(commit, globals, GlobalKey::Uin(uin)).await?;
            }
            uin = uin.saturating_add(1);
            if uin.saturating_sub(first) > ALLOT_STEPS_MAX {
                return Err(NodeError::Internal(format!(
                    "no free uin from {first} to {uin}: give one in the request"
                )));
            }
        };
        let commit = match entry {
            Some(entry) => commit.require_at(key.clone(), entry.revision),
            None => commit.require_absent(key.clone()),
        };
        Ok((commit.put(key, records::encode_next_uin(uin.saturating_add(1))), uin))
    }

    /// The request records that make room for one more.
    async fn surplus_requests(&self, owner_uin: u64) -> Result<Vec<Vec<u8>>, NodeError> {
        let max = self.settings.request_ids_per_account_max;
        let Some(cell) = self.cells.find(owner_uin) else {
            return Ok(self.read_requests(owner_uin).await?.surplus(max));
        };
        let mut guard = cell.lock().await;
        let CellState::Loaded(loaded) = guard.state() else {
            return Ok(self.read_requests(owner_uin).await?.surplus(max));
        };
        if loaded.requests.is_none() {
            loaded.requests = Some(self.read_requests(owner_uin).await?);
        }
        Ok(loaded.requests.as_ref().map(|index| index.surplus(max)).unwrap_or_default())
    }

    async fn read_requests(&self, owner_uin: u64) -> Result<RequestIndex, NodeError> {
        let (entries, _) = self.store.read_prefix(&records::requests_prefix(owner_uin)).await?;
        Ok(RequestIndex::new(entries))
    }

    async fn note_request(
        &self,
        owner_uin: u64,
        revision: Revision,
        key: Vec<u8>,
        deleted: &[Vec<u8>],
    ) {
        let Some(cell) = self.cells.find(owner_uin) else { return };
        let mut guard = cell.lock().await;
        if let CellState::Loaded(loaded) = guard.state()
            && let Some(index) = &mut loaded.requests
        {
            index.note(revision, key, deleted);
        }
    }

    async fn forget_requests(&self, owner_uin: u64) {
        let Some(cell) = self.cells.find(owner_uin) else { return };
        if let CellState::Loaded(loaded) = cell.lock().await.state() {
            loaded.requests = None;
        }
    }
}
