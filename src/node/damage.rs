//! Which records of an account are not what its change log says: for errors and for `audit verify`.
//!
//! A census tells that something is wrong, the log tells what: the newest entry about a record has
//! the record, or its digest. Only what the log is silent about cannot be named. It must never
//! repair anything, nor take a record for right because the log cannot be read.

use std::collections::BTreeMap;
use std::fmt;

use super::Node;
use super::error::NodeError;
use super::records;
use crate::audit::{ChangeEntry, Content, digest};
use crate::directory::{AccountState, ChangeHead, RecordKey};
use crate::store::Entry;
use crate::store::record::CensusFault;

/// Most entries of a log that are looked at for one error.
const ENTRIES_MAX: u64 = 2_000;
/// Most records that one error names.
const NAMES_MAX: usize = 8;

/// What a record is, in the form that the log has: without secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    sha256: [u8; 32],
    length: u64,
}

impl Form {
    fn of(bytes: &[u8]) -> Self {
        Self { sha256: digest(bytes), length: u64::try_from(bytes.len()).unwrap_or(u64::MAX) }
    }

    fn of_content(content: &Content) -> Self {
        match content {
            Content::Whole(bytes) => Self::of(bytes),
            Content::Digest { sha256, length } => Self { sha256: *sha256, length: *length },
        }
    }
}

/// What is wrong with one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecordFault {
    /// Its key.
    pub(super) key: Vec<u8>,
    /// The entry that says otherwise; none when no entry is about it.
    pub(super) sequence: Option<u64>,
    pub(super) what: What,
}

/// In which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Missing,
    Altered,
    Added,
}

impl RecordFault {
    /// What is wrong, without the key.
    pub(super) fn reason(&self) -> String {
        match (self.what, self.sequence) {
            (What::Missing, Some(sequence)) => {
                format!("it is missing: entry {sequence} of the change log put it")
            }
            (What::Altered, Some(sequence)) => {
                format!("it was altered: entry {sequence} of the change log has another")
            }
            (What::Added, Some(sequence)) => {
                format!("it is there: entry {sequence} of the change log deleted it")
            }
            (_, None) => "it is there, and no entry of the change log is about it".to_owned(),
        }
    }
}

impl fmt::Display for RecordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", records::text(&self.key), self.reason())
    }
}

/// The records of an account as they are, in the form of the log; without the head, which the log
/// itself moves.
#[derive(Debug, Default)]
pub(super) struct Suspect {
    records: BTreeMap<Vec<u8>, Form>,
    /// By the newest entry about each.
    said: BTreeMap<Vec<u8>, (u64, Option<Form>)>,
    /// Whether every entry was looked at.
    is_whole: bool,
    /// Whether an entry had no room for all that it is about.
    has_omitted: bool,
}

fn is_head(key: &[u8]) -> bool {
    records::record_key(key) == Some(RecordKey::Account)
}

impl Suspect {
    pub(super) fn new(owner_uin: u64, state: &AccountState) -> Self {
        let forms = state.records().map(|record| {
            let key = records::key_of(owner_uin, record.key());
            (key, Form::of(&records::encode_for_log(&record)))
        });
        let records = forms.filter(|(key, _)| !is_head(key)).collect();
        Self { records, ..Self::default() }
    }

    /// The operator's records, which the log has as they are.
    pub(super) fn of_entries(entries: &[Entry]) -> Self {
        let forms = entries.iter().map(|entry| (entry.key.clone(), Form::of(&entry.value)));
        Self { records: forms.collect(), ..Self::default() }
    }

    /// Takes what an entry says, unless a newer one was heard of the same record.
    pub(super) fn hear(&mut self, entry: &ChangeEntry) {
        for change in &entry.records {
            let known = self.said.get(&change.key).map_or(0, |(sequence, _)| *sequence);
            if known < entry.sequence {
                let after = change.after.as_ref().map(Form::of_content);
                self.said.insert(change.key.clone(), (entry.sequence, after));
            }
        }
        self.has_omitted |= entry.omitted.is_some();
    }

    /// Whether every entry from the first to the last is heard: only then is silence evidence.
    pub(super) fn set_whole(&mut self, is_whole: bool) {
        self.is_whole = is_whole;
    }

    /// The records below a prefix that differ from what was heard; heads do not count, which the
    /// log itself moves.
    pub(super) fn faults(&self, prefix: &[u8]) -> Vec<RecordFault> {
        let mut faults = Vec::new();
        for (key, (sequence, after)) in &self.said {
            if is_head(key) || !key.starts_with(prefix) {
                continue;
            }
            let what = match (after, self.records.get(key)) {
                (Some(_), None) => What::Missing,
                (Some(after), Some(found)) if after != found => What::Altered,
                (None, Some(_)) => What::Added,
                (Some(_), Some(_)) | (None, None) => continue,
            };
            faults.push(RecordFault { key: key.clone(), sequence: Some(*sequence), what });
        }
        let silent = self.records.keys().filter(|key| {
            key.starts_with(prefix) && !is_head(key) && !self.said.contains_key(*key)
        });
        if self.is_whole && !self.has_omitted {
            faults.extend(silent.map(|key| RecordFault {
                key: key.clone(),
                sequence: None,
                what: What::Added,
            }));
        }
        faults
    }
}

impl Node {
    /// The error for records that are not those that were counted, with their names.
    pub(super) async fn name_damage(
        &self,
        owner_uin: u64,
        state: &AccountState,
        fault: CensusFault,
    ) -> NodeError {
        let head = state.account.as_ref().map_or_else(ChangeHead::default, |it| it.change_head);
        let known = self.damaged.get(&owner_uin);
        if let Some((sequence, found, names)) = known
            && (sequence, found) == (head.sequence, fault.found)
        {
            return NodeError::Damaged { owner_uin, fault, names };
        }
        let mut suspect = Suspect::new(owner_uin, state);
        let oldest = head.sequence.saturating_sub(ENTRIES_MAX);
        suspect.set_whole(oldest == 0);
        for sequence in (oldest.saturating_add(1)..=head.sequence).rev() {
            let key = records::change_entry_key(owner_uin, sequence);
            // What cannot be read says nothing; the error stands without it.
            let entry = self.store.read(&key).await.ok().and_then(|(entry, _)| entry);
            match entry.map(|entry| records::decode_change_entry(&entry)) {
                Some(Ok(entry)) => suspect.hear(&entry),
                Some(Err(_)) | None => suspect.set_whole(false),
            }
        }
        let faults = suspect.faults(&records::account_prefix(owner_uin));
        let names: Vec<String> = faults.iter().take(NAMES_MAX).map(ToString::to_string).collect();
        self.damaged.insert(owner_uin, (head.sequence, fault.found, names.clone()));
        NodeError::Damaged { owner_uin, fault, names }
    }
}
