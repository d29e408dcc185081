//! What the operator has and no account: service callers and presets, and the change log of both.
//!
//! The log is chained as an account's is, and stands where that of account 0 would; its head also
//! counts the callers, so that one which was altered, added or lost outside of it is noticed. Every
//! change of callers or presets carries one entry, in its commit. It must never be taken for an
//! account: nobody is a principal of it.

use super::error::NodeError;
use super::records;
use crate::audit::{ChangeEntry, Origin, RecordBytes, digest, record_changes};
use crate::directory::{Census, ChangeHead, UnixMillis};
use crate::store::record::OperatorHead;
use crate::store::{Commit, Entry, Revision, Store};

/// Who changes something of the operator's, from where, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Who and from where.
    pub origin: Origin,
    /// When.
    pub at: UnixMillis,
}

/// The head and the callers' records, at one revision.
#[derive(Debug)]
pub(super) struct Operator {
    head: OperatorHead,
    /// Of the head's record; none while there is none.
    head_at: Option<Revision>,
    /// The callers' records.
    pub(super) callers: Vec<Entry>,
    /// What the head counts that is not so.
    pub(super) problem: Option<NodeError>,
}

/// A change of the operator's records that is to be committed.
pub(super) struct OperatorChange<'a> {
    pub(super) operations: &'a [&'static str],
    pub(super) records: Vec<RecordBytes>,
    /// Of the service callers after it; none when it changes none.
    pub(super) census: Option<Census>,
    pub(super) trace: &'a Trace,
}

/// Reads the head and the callers.
///
/// # Errors
/// When the store cannot be read, or the head. What the head counts and is not so is no error.
pub(super) async fn read(store: &dyn Store) -> Result<Operator, NodeError> {
    let (entries, _) = store.read_prefix(&records::operator_prefix()).await?;
    let head_key = records::operator_head_key();
    let (heads, callers): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|entry| entry.key == head_key);
    let found = heads.first();
    let head = found.map(records::decode_operator_head).transpose()?;
    let problem = match &head {
        Some(head) => records::check_callers(&head.census, &callers).err(),
        // Without a head nobody has counted: so it was before format 3, and only then.
        None => callers.iter().find(|it| records::is_counted(it)).map(|it| NodeError::Record {
            key: records::text(&it.key),
            problem: "the head of the operator's records is missing".to_owned(),
        }),
    };
    let census = || records::census_of(&callers);
    let head = head.unwrap_or_else(|| OperatorHead { census: census(), ..Default::default() });
    Ok(Operator { head, head_at: found.map(|it| it.revision), callers, problem })
}

/// Where the operator's change log ends.
///
/// # Errors
/// When the head cannot be read.
pub(super) async fn change_head(store: &dyn Store) -> Result<(ChangeHead, Revision), NodeError> {
    let (entry, at) = store.read(&records::operator_head_key()).await?;
    let head = entry.as_ref().map(records::decode_operator_head).transpose()?;
    Ok((head.unwrap_or_default().change_head, at))
}

impl Operator {
    /// Puts the entry about a change into its commit, and the head that names the entry. The head
    /// is where writers meet: the commit is refused when another was faster.
    pub(super) fn log(&mut self, commit: Commit, change: OperatorChange<'_>) -> Commit {
        let OperatorChange { operations, records: changed, census, trace } = change;
        let Trace { origin, at } = trace;
        let (records, omitted) = record_changes(changed);
        let empty =
            ChangeEntry::after(&self.head.change_head, records::OPERATOR, *at, origin.clone());
        let operations = operations.iter().map(|it| (*it).to_owned()).collect();
        let entry = ChangeEntry { operations, records, omitted, ..empty };
        let bytes = records::encode_change_entry(&entry);
        let change_head = ChangeHead { sequence: entry.sequence, digest: digest(&bytes) };
        let head_key = records::operator_head_key();
        let commit = match self.head_at {
            Some(revision) => commit.require_at(head_key.clone(), revision),
            None => commit.require_absent(head_key.clone()),
        };
        let census = census.unwrap_or(self.head.census);
        self.head = OperatorHead { change_head, census };
        let key = records::change_entry_key(records::OPERATOR, entry.sequence);
        let commit = commit.put(head_key, records::encode_operator_head(&self.head));
        commit.require_absent(key.clone()).put(key, bytes)
    }

    /// The commit of [`Operator::log`] was done.
    pub(super) fn committed(&mut self, at: Revision) {
        self.head_at = Some(at);
    }
}
