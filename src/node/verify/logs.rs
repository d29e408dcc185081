//! The change logs of a scan, in the order of their owners: each is walked against its head.

use std::collections::BTreeMap;

use super::Finding;
use super::chain::{Chain, Seen};
use crate::audit::Link;
use crate::directory::ChangeHead;
use crate::node::damage::{RecordFault, Suspect};
use crate::node::error::NodeError;
use crate::node::records;
use crate::store::Entry;
use crate::store::record::change_entry_place;

/// What is known of an account when its log comes.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) head: ChangeHead,
    /// When its records are not those that were counted: the records, and what the fault is
    /// without names.
    pub(super) suspect: Option<(Suspect, Finding)>,
}

/// All logs.
#[derive(Default)]
pub(super) struct Logs {
    /// The accounts whose logs have not come yet.
    known: BTreeMap<u64, Known>,
    current: Option<(Chain, Option<(Suspect, Finding)>)>,
    /// The last account whose log came without its head.
    headless: Option<u64>,
    /// The operator's log, whose head comes later.
    operator: Vec<(u64, Entry)>,
}

impl std::fmt::Debug for Logs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logs").field("known", &self.known.len()).finish_non_exhaustive()
    }
}

/// An entry, as it is found under a key.
fn seen(entry: &Entry, suspect: Option<&mut Suspect>) -> Seen {
    match records::decode_change_entry(entry) {
        Ok(read) => {
            if let Some(suspect) = suspect {
                suspect.hear(&read);
            }
            Seen::Entry(Link::new(&read, &entry.value))
        }
        Err(error) => Seen::Faulty(match change_entry_place(&entry.value) {
            Some((owner, sequence)) if records::change_entry_key(owner, sequence) != entry.key => {
                format!("it was exchanged: this is entry {sequence} of account {owner}")
            }
            Some(_) | None => problem(&error),
        }),
    }
}

/// What is wrong with a record, without its key.
pub(super) fn problem(error: &NodeError) -> String {
    let NodeError::Record { problem, .. } = error else { return error.to_string() };
    format!("it cannot be read: {problem}")
}

pub(super) fn finding(owner_uin: u64, key: &[u8], problem: String) -> Finding {
    Finding { owner_uin, key: records::text(key), sequence: 0, problem }
}

/// The findings about records that were not those counted: by name where the log has them.
fn named(owner_uin: u64, faults: Vec<RecordFault>, nameless: Finding) -> Vec<Finding> {
    if faults.is_empty() {
        return vec![nameless];
    }
    let named = |fault: RecordFault| finding(owner_uin, &fault.key, fault.reason());
    faults.into_iter().map(named).collect()
}

impl Logs {
    pub(super) fn know(&mut self, owner_uin: u64, known: Known) {
        self.known.insert(owner_uin, known);
    }

    /// The next entry of a log; what was found when it is the first of another.
    pub(super) fn take(&mut self, owner_uin: u64, sequence: u64, entry: Entry) -> Vec<Finding> {
        if owner_uin == records::OPERATOR {
            self.operator.push((sequence, entry));
            return Vec::new();
        }
        let mut found = Vec::new();
        if self.current.as_ref().is_none_or(|(chain, _)| chain.owner_uin() != owner_uin) {
            found = self.up_to(owner_uin);
            match self.known.remove(&owner_uin) {
                Some(Known { head, suspect }) => {
                    self.current = Some((Chain::new(owner_uin, head), suspect));
                }
                None => {
                    if self.headless.replace(owner_uin) != Some(owner_uin) {
                        let problem = "it is missing, and there is a change log of its account";
                        let key = records::head_key(owner_uin);
                        found.push(finding(owner_uin, &key, problem.to_owned()));
                    }
                    return found;
                }
            }
        }
        if let Some((chain, suspect)) = &mut self.current {
            let seen = seen(&entry, suspect.as_mut().map(|(suspect, _)| suspect));
            chain.see(sequence, seen);
        }
        found
    }

    fn end_current(&mut self) -> Vec<Finding> {
        let Some((chain, suspect)) = self.current.take() else { return Vec::new() };
        let owner_uin = chain.owner_uin();
        let mut found = chain.finish();
        if let Some((mut suspect, nameless)) = suspect {
            suspect.set_whole(found.is_empty());
            let faults = suspect.faults(&records::account_prefix(owner_uin));
            found.extend(named(owner_uin, faults, nameless));
        }
        found
    }

    /// Ends the logs of all accounts before this one.
    fn up_to(&mut self, owner_uin: u64) -> Vec<Finding> {
        let mut found = self.end_current();
        while let Some(first) = self.known.first_entry().filter(|it| *it.key() < owner_uin) {
            let (owner_uin, Known { head, suspect }) = first.remove_entry();
            self.current = Some((Chain::new(owner_uin, head), suspect));
            found.extend(self.end_current());
        }
        found
    }

    /// No more entries come, but for the operator's head.
    pub(super) fn end(&mut self) -> Vec<Finding> {
        self.up_to(u64::MAX)
    }

    /// The operator's log, whose head is here now; `suspects` are the operator's records that are
    /// not those that were counted, by the prefix of their keys.
    pub(super) fn operator(
        &mut self,
        head: ChangeHead,
        mut suspects: Vec<(Vec<u8>, Suspect, Finding)>,
    ) -> Vec<Finding> {
        let mut chain = Chain::new(records::OPERATOR, head);
        for (sequence, entry) in std::mem::take(&mut self.operator) {
            chain.see(sequence, seen(&entry, None));
            if let Ok(read) = records::decode_change_entry(&entry) {
                suspects.iter_mut().for_each(|(_, suspect, _)| suspect.hear(&read));
            }
        }
        let mut found = chain.finish();
        let is_whole = found.is_empty();
        for (prefix, mut suspect, nameless) in suspects {
            suspect.set_whole(is_whole);
            found.extend(named(records::OPERATOR, suspect.faults(&prefix), nameless));
        }
        found
    }
}
