//! When access keys were last used: noted in memory, written now and then, and at the end.
//!
//! At most one record a minute for each key, outside of accounts, so that using a key never
//! contends with changing the account. Losing a note loses nothing but its minute; so what has no
//! room is dropped, and a store that fails is tried again later.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::warn;

use super::error::NodeError;
use super::{Node, records};
use crate::directory::{SecretId, UnixMillis};
use crate::store::Commit;
use crate::store::record::KeyUse;

/// Most keys whose uses are noted or remembered.
const KEYS_MAX: usize = 100_000;
/// Most records of one commit.
const COMMIT_KEYS_MAX: usize = 500;

#[derive(Debug, Default)]
struct Inner {
    /// What is to be written.
    noted: HashMap<SecretId, UnixMillis>,
    /// What this node wrote, so that it is not written again within the interval.
    written: HashMap<SecretId, UnixMillis>,
}

/// The notes.
#[derive(Debug)]
pub(super) struct KeyUses {
    inner: Mutex<Inner>,
    interval_ms: u64,
}

impl KeyUses {
    pub(super) fn new(interval_ms: u64) -> Self {
        Self { inner: Mutex::default(), interval_ms }
    }

    /// Notes a use.
    pub(super) fn note(&self, id: SecretId, at: UnixMillis) {
        let interval_ms = i64::try_from(self.interval_ms).unwrap_or(i64::MAX);
        let mut inner = self.inner();
        let is_fresh = |last: &UnixMillis| at.0.saturating_sub(last.0) < interval_ms;
        if inner.written.get(&id).is_some_and(is_fresh) {
            return;
        }
        if inner.noted.len() < KEYS_MAX || inner.noted.contains_key(&id) {
            inner.noted.insert(id, at);
        }
    }

    fn take(&self) -> Vec<KeyUse> {
        let mut inner = self.inner();
        let noted = std::mem::take(&mut inner.noted);
        noted
            .into_iter()
            .map(|(secret_id, last_used_at)| KeyUse { secret_id, last_used_at })
            .collect()
    }

    fn note_written(&self, uses: &[KeyUse]) {
        let mut inner = self.inner();
        if inner.written.len() + uses.len() > KEYS_MAX {
            inner.written.clear();
        }
        inner.written.extend(uses.iter().map(|it| (it.secret_id, it.last_used_at)));
    }

    fn noted(&self, id: SecretId) -> Option<UnixMillis> {
        self.inner().noted.get(&id).copied()
    }

    /// How many are to be written.
    pub(super) fn pending(&self) -> usize {
        self.inner().noted.len()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes the notes until the node ends.
pub(super) async fn run(node: Arc<Node>) {
    let mut ended = node.ended.subscribe();
    let pause = Duration::from_millis(node.settings.key_use_interval_ms.max(1));
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = ended.wait_for(|has_ended| *has_ended) => return,
        }
        node.write_key_uses().await;
    }
}

impl Node {
    /// Writes what is noted. To be called before the end, too.
    pub async fn write_key_uses(&self) {
        let keys_max = COMMIT_KEYS_MAX.min(self.store.commit_limits().mutations_max);
        for uses in self.key_uses.take().chunks(keys_max.max(1)) {
            match self.commit_key_uses(uses).await {
                Ok(()) => self.key_uses.note_written(uses),
                Err(problem) => {
                    warn!(%problem, "the last uses of keys were not written; trying again later");
                    uses.iter().for_each(|it| self.key_uses.note(it.secret_id, it.last_used_at));
                }
            }
        }
    }

    async fn commit_key_uses(&self, uses: &[KeyUse]) -> Result<(), NodeError> {
        let mut commit = Commit::new();
        for it in uses {
            // A key that was deleted meanwhile leaves no record behind.
            if self.index.secret(&*self.store, it.secret_id).await?.is_some() {
                let key = records::key_use_key(it.secret_id);
                commit = commit.put(key, records::encode_key_use(it));
            }
        }
        if !commit.mutations.is_empty() {
            self.check_writable()?;
            self.store.commit(commit).await?;
        }
        Ok(())
    }

    /// When keys were last used, as far as this node knows; none for those that never were.
    ///
    /// # Errors
    /// When a record cannot be read.
    pub async fn key_uses(
        &self,
        ids: &[SecretId],
    ) -> Result<BTreeMap<SecretId, UnixMillis>, NodeError> {
        let mut uses = BTreeMap::new();
        for id in ids {
            let (entry, _) = self.store.read(&records::key_use_key(*id)).await?;
            let stored = entry.as_ref().map(records::decode_key_use).transpose()?;
            let noted = self.key_uses.noted(*id);
            if let Some(last) = stored.map(|it| it.last_used_at).max(noted) {
                uses.insert(*id, last);
            }
        }
        Ok(uses)
    }
}
