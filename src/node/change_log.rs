//! The change log of an account: written with every change, read in order.
//!
//! A commit that changes an account carries one entry, and the account's head, which the commit
//! rewrites under a precondition, says where the log ends; so entries are never lost, doubled or
//! out of order, however many nodes write. Reading says of each entry whether what follows it
//! proves it; it must never leave out an entry that cannot be read.

use std::sync::Arc;

use super::Node;
use super::error::NodeError;
use super::write::Prepared;
use super::{operator, records};
use crate::audit::{
    ChangeEntry, Link, Omitted, Origin, RecordBytes, RecordChange, digest, record_changes, verify,
};
use crate::directory::{
    Account, AccountState, Change, ChangeHead, Globals, Record, RecordKey, UnixMillis,
    global_record,
};
use crate::store::record::Counted;
use crate::store::{Commit, Revision};

/// A page ends with the entry that brings it to this many stored bytes.
const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A change of an account that is to be committed.
#[derive(Clone, Copy)]
pub(super) struct Logged<'a> {
    pub(super) owner_uin: u64,
    /// The account before the change.
    pub(super) state: &'a AccountState,
    /// The global records that the change may be about, before it.
    pub(super) globals: &'a Globals,
    pub(super) prepared: &'a Prepared,
    pub(super) origin: &'a Origin,
    pub(super) at: UnixMillis,
}

/// One entry as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedChange {
    /// Its number.
    pub sequence: u64,
    /// The revision of the commit that wrote it, and with it the change; none when it is missing.
    pub revision: Option<Revision>,
    /// What it says; none when it is missing or cannot be read.
    pub entry: Option<ChangeEntry>,
    /// Why it is not proved by what follows it; none when it is.
    pub problem: Option<String>,
}

/// A stretch of an account's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeLogPage {
    /// In order, without a gap.
    pub changes: Vec<LoggedChange>,
    /// The number of the last entry there is.
    pub last_sequence: u64,
    /// The revision this is true at.
    pub revision: Revision,
}

/// Puts a change into the commit, with the entry about it and the head that names the entry.
pub(super) fn add_changes(mut commit: Commit, it: &Logged<'_>) -> Result<Commit, NodeError> {
    let Logged { owner_uin, state, prepared, .. } = *it;
    let mut account = state.account.clone();
    for change in &prepared.changes {
        match change {
            Change::Put(Record::Account(changed)) => account = Some(Arc::clone(changed)),
            Change::Put(_) | Change::Delete(_) => {
                commit.mutations.push(records::mutation(owner_uin, change));
            }
        }
    }
    let Some(account) = account else {
        let detail = format!("a change of account {owner_uin}, which does not exist");
        return Err(NodeError::Internal(detail));
    };
    let before = state.account.as_ref().map_or_else(ChangeHead::default, |it| it.change_head);
    let entry = entry(&before, it);
    let key = records::change_entry_key(owner_uin, entry.sequence);
    let bytes = records::encode_change_entry(&entry);
    let change_head = ChangeHead { sequence: entry.sequence, digest: digest(&bytes) };
    let census = Some(Counted::of(owner_uin, state).after(state, &prepared.changes));
    let head = Account { change_head, census, ..(*account).clone() };
    let head = Record::Account(Arc::new(head));
    let commit = commit.put(records::head_key(owner_uin), records::encode(&head));
    // The head says that there is none; what is there all the same must never be written over.
    Ok(commit.require_absent(key.clone()).put(key, bytes))
}

/// The fault when a commit met this key where it must not be: an entry of the log that the head,
/// which the commit found as it was read, does not know. Any other conflict is a race.
pub(super) fn written_over(key: &[u8]) -> Option<NodeError> {
    records::is_change_entry(key).then(|| after_the_end(key))
}

/// The fault of an entry that the head does not know.
pub(super) fn after_the_end(key: &[u8]) -> NodeError {
    let problem = "the account's head says that the change log ends before it".to_owned();
    NodeError::Record { key: records::text(key), problem }
}

fn entry(head: &ChangeHead, it: &Logged<'_>) -> ChangeEntry {
    let changes = it.prepared.changes.iter().map(|change| record_bytes(it, change)).collect();
    let (records, omitted): (Vec<RecordChange>, Option<Omitted>) = record_changes(changes);
    let mut operations: Vec<String> = Vec::new();
    for name in &it.prepared.operations {
        if !operations.iter().any(|known| known == name) {
            operations.push((*name).to_owned());
        }
    }
    let empty = ChangeEntry::after(head, it.owner_uin, it.at, it.origin.clone());
    ChangeEntry { operations, records, omitted, ..empty }
}

fn record_bytes(it: &Logged<'_>, change: &Change) -> RecordBytes {
    let key = change.key();
    let before = if let RecordKey::Global(global) = key {
        global_record(it.globals, global)
    } else {
        it.state.record(key)
    };
    let after = match change {
        Change::Put(record) => Some(record),
        Change::Delete(_) => None,
    };
    RecordBytes {
        key: records::key_of(it.owner_uin, key),
        before: before.as_ref().map(records::encode_for_log),
        after: after.map(records::encode_for_log),
    }
}

/// An entry with its stored length and what the chain is made of.
struct Found {
    change: LoggedChange,
    link: Option<Link>,
    byte_len: usize,
}

impl Node {
    /// The entries of an account's log, or, as of account 0, of the operator's, from `first` on, at
    /// most `limit`. Fewer than that do not
    /// mean that it ends: `last_sequence` says so.
    ///
    /// # Errors
    /// [`NodeError::NoAccount`], [`NodeError::NotYet`], or what the store says. A faulty entry is
    /// no error: it is in the answer, with what is wrong with it.
    pub async fn change_log(
        &self,
        owner_uin: u64,
        first: u64,
        limit: usize,
        at_least: Option<Revision>,
    ) -> Result<ChangeLogPage, NodeError> {
        self.wait_at_least(at_least).await?;
        let applied = self.applied_revision();
        let (head, as_of) = self.log_end(owner_uin).await?;
        let mut changes: Vec<LoggedChange> = Vec::new();
        let mut bytes = 0_usize;
        let mut sequence = first.max(1);
        // One ahead: the entry after the last one of the page proves it.
        let mut next = self.find_entry(owner_uin, sequence, &head).await?;
        while let Some(mut found) = next.take() {
            if changes.len() >= limit || bytes >= PAGE_BYTES_MAX {
                break;
            }
            sequence = sequence.saturating_add(1);
            next = self.find_entry(owner_uin, sequence, &head).await?;
            let problem = unproved(owner_uin, &head, &found, next.as_ref());
            found.change.problem = found.change.problem.take().or(problem);
            bytes = bytes.saturating_add(found.byte_len);
            changes.push(found.change);
        }
        let revision = as_of.max(applied);
        Ok(ChangeLogPage { changes, last_sequence: head.sequence, revision })
    }

    /// Where a log ends, and the revision this is true at.
    async fn log_end(&self, owner_uin: u64) -> Result<(ChangeHead, Revision), NodeError> {
        if owner_uin == records::OPERATOR {
            return operator::change_head(&*self.store).await;
        }
        let view = self.existing_view(owner_uin).await?;
        let head = view.state.account.as_ref().map(|it| it.change_head);
        Ok((head.unwrap_or_default(), view.as_of))
    }

    /// The entry of this number, as it is; none after the end of the log.
    async fn find_entry(
        &self,
        owner_uin: u64,
        sequence: u64,
        head: &ChangeHead,
    ) -> Result<Option<Found>, NodeError> {
        if sequence > head.sequence {
            return Ok(None);
        }
        let key = records::change_entry_key(owner_uin, sequence);
        let (stored, _) = self.store.read(&key).await?;
        let Some(stored) = stored else {
            let problem = Some("it is missing".to_owned());
            let change = LoggedChange { sequence, revision: None, entry: None, problem };
            return Ok(Some(Found { change, link: None, byte_len: 0 }));
        };
        let (byte_len, revision) = (stored.value.len(), Some(stored.revision));
        let (entry, problem) = match records::decode_change_entry(&stored) {
            Ok(entry) => (Some(entry), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let link = entry.as_ref().map(|entry| Link::new(entry, &stored.value));
        let change = LoggedChange { sequence, revision, entry, problem };
        Ok(Some(Found { change, link, byte_len }))
    }
}

/// Why what follows an entry, the next one or the head, does not prove it.
fn unproved(
    owner_uin: u64,
    head: &ChangeHead,
    found: &Found,
    next: Option<&Found>,
) -> Option<String> {
    let link = found.link?;
    let Some(before) = link.sequence.checked_sub(1) else {
        return Some("it has no number".to_owned());
    };
    let proof = match next {
        None => *head,
        Some(Found { link: Some(next), .. }) => {
            ChangeHead { sequence: link.sequence, digest: next.previous }
        }
        Some(Found { link: None, .. }) => {
            return Some(format!("nothing proves it: entry {} is faulty", link.sequence + 1));
        }
    };
    // Of the first entry the beginning is known; the others are taken to follow what they name.
    let digest = if before == 0 { ChangeHead::default().digest } else { link.previous };
    let start = ChangeHead { sequence: before, digest };
    verify(owner_uin, &start, [&link], &proof).err().map(|fault| fault.to_string())
}
