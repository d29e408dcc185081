//! Presets on a running node: what ships, what the operator's files say, and what is recorded.
//!
//! The files of this node are compared with the records at start and whenever they change; what is
//! new is committed, and every node takes it from there. A node whose files differ from what is
//! recorded says that it is not ready. It must never put a file in force that is not recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tracing::{error, info, warn};

use super::error::NodeError;
use super::operator::{self, Operator, OperatorChange, Trace};
use super::records::{self, Place, ReadAccount};
use super::{Node, change_log, load};
use crate::audit::{ENTRY_RECORDS_BYTES_MAX, Origin, RecordBytes};
use crate::catalog::Catalog;
use crate::directory::{
    Census, OperatorFile, OperatorPreset, OperatorUpdate, PolicyId, Presets, digest,
    operator_presets_update,
};
use crate::engine::World;
use crate::store::{Batcher, Commit, Entry, Mutation, Revision, Store, StoreError, policy_files};

/// How often the records are tried when other nodes write them too.
const RECORD_ATTEMPTS_MAX: u32 = 16;
/// Most bytes of the digest's record with its key.
const DIGEST_RECORD_BYTES_MAX: usize = 256;

/// Mutations beside the presets in a commit: the digest, the operator's head, the log's entry.
const SPARE_MUTATIONS: usize = 3;
/// What head and entry take at most, beside the records in the entry.
const LOG_BYTES_MAX: usize = ENTRY_RECORDS_BYTES_MAX + 4 * 1024;

/// Where the operator's own presets are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFiles {
    /// Path patterns, as of the crate `glob`.
    pub patterns: Vec<String>,
}

/// What all accounts have in common, at one moment.
#[derive(Debug)]
pub struct Shared {
    /// Presets, the operator's among them.
    pub presets: Presets,
    /// The same, compiled.
    pub world: Arc<World>,
    /// The digest of the operator's files as recorded; none when there never were any.
    pub digest: Option<String>,
}

impl Shared {
    pub(super) fn new(
        operator: &[OperatorPreset],
        digest: Option<String>,
        catalog: &Arc<Catalog>,
    ) -> Self {
        let presets = Presets::new(operator);
        let (general, shared) = (presets.general_input(), presets.shared_input());
        let world = Arc::new(World::new(Arc::clone(catalog), general, shared));
        Self { presets, world, digest }
    }
}

/// The presets' records.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    pub(super) presets: Vec<OperatorPreset>,
    pub(super) digest: Option<String>,
    /// Of the digest's record.
    pub(super) digest_entry: Option<Entry>,
    /// Of the presets' records.
    pub(super) entries: Vec<Entry>,
}

/// Looks at the files again and again until the node stops.
pub(super) async fn poll(node: Arc<Node>, files: PolicyFiles) {
    let mut stopping = node.stopping.subscribe();
    let pause = Duration::from_millis(node.settings.policies_poll_ms.max(1));
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stopping.wait_for(|is_stopping| *is_stopping) => return,
        }
        node.check_policy_files(&files).await;
    }
}

/// What stands for a digest while what it is of is recorded in several commits.
fn unfinished(digest: &str) -> String {
    format!("unfinished {digest}")
}

/// A commit of presets, if nobody else has recorded any since.
fn presets_commit(
    digest_at: Option<Revision>,
    presets: Vec<Mutation>,
    digest: &str,
    census: Census,
) -> Commit {
    let key = records::presets_digest_key();
    let mut commit = match digest_at {
        Some(revision) => Commit::new().require_at(key.clone(), revision),
        None => Commit::new().require_absent(key.clone()),
    };
    commit.mutations = presets;
    commit.put(key, records::encode_digest(digest, census))
}

/// Presets on their way into the store.
struct Recording {
    operator: Operator,
    /// Of the digest's record.
    digest_at: Option<Revision>,
    /// As recorded so far, by key.
    presets: BTreeMap<Vec<u8>, Vec<u8>>,
    trace: Trace,
}

impl Recording {
    /// Commits presets with their digest, their census and the entry of the operator's log; none
    /// when another node was faster.
    async fn commit(
        &mut self,
        store: &dyn Store,
        presets: Vec<Mutation>,
        digest: &str,
    ) -> Result<Option<Revision>, NodeError> {
        let mut changed = Vec::with_capacity(presets.len());
        for mutation in &presets {
            let Mutation::Put { key, value } = mutation else { continue };
            let before = self.presets.insert(key.clone(), value.clone());
            changed.push(RecordBytes { key: key.clone(), before, after: Some(value.clone()) });
        }
        let census = records::count(&self.presets);
        let commit = presets_commit(self.digest_at, presets, digest, census);
        let change = OperatorChange {
            operations: &["RecordPresets"],
            records: changed,
            census: None,
            trace: &self.trace,
        };
        match store.commit(self.operator.log(commit, change)).await {
            Ok(revision) => {
                self.digest_at = Some(revision);
                self.operator.committed(revision);
                Ok(Some(revision))
            }
            Err(StoreError::Conflict { key }) => match change_log::written_over(&key) {
                Some(fault) => Err(fault),
                None => Ok(None),
            },
            Err(other) => Err(other.into()),
        }
    }
}

impl Node {
    /// Compares the operator's files with the records now, records what is new, and returns when it
    /// is in force here. Faults are reported by [`Node::readiness`].
    pub async fn check_policy_files(&self, files: &PolicyFiles) {
        let mut last_seen = self.presets_turn.lock().await;
        let patterns = files.patterns.clone();
        let found = tokio::task::spawn_blocking(move || policy_files::find(&patterns)).await;
        let found = match found {
            Ok(Ok(found)) => found,
            Ok(Err(fault)) => {
                warn!(%fault, "the operator's policy files cannot be found");
                return self.health.set_preset_problem(Some(fault.to_string()));
            }
            Err(fault) => {
                return self.health.set_preset_problem(Some(format!("looking failed: {fault}")));
            }
        };
        let found: Vec<OperatorFile> = found
            .into_iter()
            .map(|file| OperatorFile { name: file.stem, content: file.content })
            .collect();
        let seen = digest(&found);
        let is_recorded = self.shared().digest.as_deref() == Some(seen.as_str());
        // A preset that was kept for its users may have none left.
        let is_released = self.kept_presets.take_released() && is_recorded;
        if !is_released && !self.must_record(last_seen.as_deref(), &seen) {
            let differs =
                "the policy files of this node are not the ones on record: make them equal";
            return self.health.set_preset_problem((!is_recorded).then(|| differs.to_owned()));
        }
        match self.record_policy_files(&found).await {
            Ok(()) => {
                *last_seen = Some(seen);
                self.health.set_preset_problem(None);
            }
            Err(problem) => {
                error!(%problem, "the operator's policy files cannot be recorded");
                if is_released {
                    self.kept_presets.anything_changed();
                }
                self.health.set_preset_problem(Some(problem.to_string()));
            }
        }
    }

    /// Whether the files are this node's news. A node of a shared store that starts with other
    /// files than recorded cannot tell whose are right; files that change under it are meant.
    fn must_record(&self, last_seen: Option<&str>, seen: &str) -> bool {
        let shared = self.shared();
        match (last_seen, shared.digest.as_deref()) {
            (Some(last_seen), _) => last_seen != seen,
            (None, Some(recorded)) => {
                self.store.is_exclusive() || recorded == seen || recorded == unfinished(seen)
            }
            (None, None) => true,
        }
    }

    async fn record_policy_files(&self, found: &[OperatorFile]) -> Result<(), NodeError> {
        for _ in 0..RECORD_ATTEMPTS_MAX {
            let (entries, _) = self.store.read_prefix(&records::presets_prefix()).await?;
            let recorded = records::decode_presets(&entries)?;
            let attached = self.attached_presets(&recorded.presets, found).await?;
            let is_attached = |id: PolicyId| attached.contains(&id);
            let update =
                operator_presets_update(&recorded.presets, found, &*self.catalog, is_attached);
            self.report(&update);
            if self.commit_presets(&recorded, &update).await? {
                return Ok(());
            }
        }
        Err(StoreError::Unavailable {
            detail: "other nodes keep changing the operator's presets".to_owned(),
        }
        .into())
    }

    /// Commits what is new; false when another node was faster. What is more than a commit of this
    /// engine goes in several, and the digest on record is no node's until the last.
    async fn commit_presets(
        &self,
        recorded: &Recorded,
        update: &OperatorUpdate,
    ) -> Result<bool, NodeError> {
        let has_digest = recorded.digest.as_deref() == Some(update.digest.as_str());
        if has_digest && update.records.is_empty() {
            return Ok(true);
        }
        self.check_writable()?;
        let mut batches = Batcher::new(
            self.store.commit_limits(),
            usize::MAX,
            SPARE_MUTATIONS,
            DIGEST_RECORD_BYTES_MAX + LOG_BYTES_MAX,
        );
        let mut recording = Recording {
            operator: operator::read(&*self.store).await?,
            digest_at: recorded.digest_entry.as_ref().map(|entry| entry.revision),
            presets: recorded.entries.iter().map(|it| (it.key.clone(), it.value.clone())).collect(),
            trace: Trace { origin: Origin::default(), at: self.now() },
        };
        for preset in &update.records {
            let (key, value) = records::encode_preset(preset);
            if let Some(full) = batches.push(Mutation::Put { key, value }) {
                let digest = unfinished(&update.digest);
                if recording.commit(&*self.store, full, &digest).await?.is_none() {
                    return Ok(false);
                }
            }
        }
        let last = recording.commit(&*self.store, batches.take(), &update.digest).await?;
        let Some(revision) = last else { return Ok(false) };
        info!(presets = update.records.len(), %revision, "operator presets recorded");
        let waited_ms = self.settings.visible_wait_ms;
        if !self.wait_applied(revision, waited_ms).await {
            return Err(NodeError::NotVisible { revision: revision.0, waited_ms });
        }
        Ok(true)
    }

    fn report(&self, update: &OperatorUpdate) {
        let reports = update.problems.iter().map(|problem| {
            let kept = if problem.is_kept { "; its last good content stays in force" } else { "" };
            (problem.name.clone(), format!("{}{kept}", problem.message))
        });
        let reports: Vec<(String, String)> = reports.collect();
        for (name, report) in &reports {
            warn!(preset = name, report, "an operator preset is not in force as it stands");
        }
        self.health.set_preset_reports(reports);
    }

    /// The presets without a file that some account uses. Reads every account, so it is asked only
    /// when a file is gone.
    async fn attached_presets(
        &self,
        recorded: &[OperatorPreset],
        found: &[OperatorFile],
    ) -> Result<BTreeSet<PolicyId>, NodeError> {
        let gone: Vec<PolicyId> = recorded
            .iter()
            .filter(|preset| !preset.is_withdrawn)
            .filter(|preset| !found.iter().any(|file| file.name == preset.name))
            .map(|preset| preset.id)
            .collect();
        self.kept_presets.look_after(gone.iter().copied());
        let mut attached = BTreeSet::new();
        if gone.is_empty() {
            return Ok(attached);
        }
        let (entries, _) = self.store.read_prefix(&records::accounts_prefix()).await?;
        let mut by_account: Vec<(u64, Vec<Entry>)> = Vec::new();
        for entry in entries {
            let Place::Account(owner_uin) = records::place(&entry.key) else { continue };
            match by_account.last_mut() {
                Some((last, entries)) if *last == owner_uin => entries.push(entry),
                _ => by_account.push((owner_uin, vec![entry])),
            }
        }
        for (owner_uin, entries) in by_account {
            let Some(found) = records::decode_account(owner_uin, &entries)? else { continue };
            let ReadAccount { state, last_change: _, damage } = found;
            if let Some(fault) = damage {
                return Err(self.name_damage(owner_uin, &state, fault).await);
            }
            attached.extend(gone.iter().copied().filter(|id| state.uses_policy(*id)));
        }
        Ok(attached)
    }

    /// Takes the presets from the records. While they cannot be read, no account can be loaded.
    pub(super) async fn reload_presets(&self) -> Result<(), NodeError> {
        let result = load::read_shared(&*self.store, &self.catalog).await;
        let problem = result.as_ref().err().map(ToString::to_string);
        self.health.set_record_problem("presets", problem.clone());
        self.presets_problem.store(problem.map(Arc::new));
        self.shared.store(Arc::new(result?));
        Ok(())
    }
}
