//! The walk of a verification: every entry of a scan, in the order of their keys.
//!
//! Accounts come first, then the logs, then the global indexes, so each can be compared with what
//! came before.

use std::collections::BTreeSet;
use std::mem;

use super::logs::{Known, Logs, finding, problem};
use super::{Finding, Verified};
use crate::directory::{Account, AccountState, ChangeHead, GlobalKey, Record};
use crate::node::damage::Suspect;
use crate::node::error::NodeError;
use crate::node::records::{self, ReadAccount};
use crate::store::Entry;
use crate::store::key::{self, StoredKey};
use crate::store::record::{self, Stored};

/// What an index record says of an account, or an account of what the index must have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Belongs {
    Root(u64),
    Uin(u64, u64),
    App(u64, u64),
    Secret(String, u64),
}

impl Belongs {
    fn owner_uin(&self) -> u64 {
        match self {
            Self::Root(owner) | Self::Uin(_, owner) | Self::App(_, owner) => *owner,
            Self::Secret(_, owner) => *owner,
        }
    }

    fn key(&self) -> Vec<u8> {
        match self {
            Self::Root(uin) | Self::Uin(uin, _) => records::global_key(GlobalKey::Uin(*uin)),
            Self::App(app, _) => records::global_key(GlobalKey::App(*app)),
            Self::Secret(id, _) => format!("k/{id}").into_bytes(),
        }
    }
}

/// Where a walk is.
#[derive(Debug)]
pub(super) struct Walk {
    /// Of one account only.
    only: Option<u64>,
    /// The account whose records come, and those that have come.
    account: Option<(u64, Vec<Entry>)>,
    logs: Logs,
    /// What the indexes must have and have not shown yet.
    expected: BTreeSet<Belongs>,
    /// The operator's records.
    operator: Vec<Entry>,
    presets: Vec<Entry>,
    /// The census of a shelf and its records, while they come.
    shelf: Vec<Entry>,
    /// Shelves that do not have the records that were counted, by the beginning of their keys.
    shelf_faults: Vec<(Vec<u8>, Finding)>,
    /// The keys of index records that something was found about.
    indexed: Vec<String>,
    found: Vec<Finding>,
    verified: Verified,
}

impl Walk {
    pub(super) fn new(only: Option<u64>) -> Self {
        Self {
            only,
            account: None,
            logs: Logs::default(),
            expected: BTreeSet::new(),
            operator: Vec::new(),
            presets: Vec::new(),
            shelf: Vec::new(),
            shelf_faults: Vec::new(),
            indexed: Vec::new(),
            found: Vec::new(),
            verified: Verified::default(),
        }
    }

    pub(super) fn found(&mut self) -> Vec<Finding> {
        mem::take(&mut self.found)
    }

    pub(super) fn verified(&self) -> Verified {
        self.verified
    }

    fn is_wanted(&self, owner_uin: u64) -> bool {
        self.only.is_none_or(|only| only == owner_uin)
    }

    fn find(&mut self, owner_uin: u64, key: &[u8], problem: String) {
        self.found.push(finding(owner_uin, key, problem));
    }

    /// The next entry.
    pub(super) fn take(&mut self, entry: Entry) {
        let owner_uin = key::owner_of(&entry.key);
        if self.account.as_ref().is_some_and(|(current, _)| Some(*current) != owner_uin) {
            self.end_account();
        }
        if !self.shelf.first().is_some_and(|first| is_on_shelf(&first.key, &entry.key)) {
            self.end_shelf();
        }
        if let Some(owner_uin) = owner_uin {
            if self.is_wanted(owner_uin) {
                let (_, entries) = self.account.get_or_insert_with(|| (owner_uin, Vec::new()));
                entries.push(entry);
            }
            return;
        }
        match key::parse(&entry.key) {
            Some(StoredKey::ChangeEntry { owner_uin, sequence }) => {
                if self.is_wanted(owner_uin) {
                    self.verified.entries = self.verified.entries.saturating_add(1);
                    self.verified.records = self.verified.records.saturating_add(1);
                    let found = self.logs.take(owner_uin, sequence, entry);
                    self.found.extend(found);
                }
            }
            Some(StoredKey::IndexCensus(_)) => {
                self.readable(records::OPERATOR, &entry);
                self.shelf.push(entry);
            }
            Some(StoredKey::Global(_)) => {
                self.index(&entry);
                if self.shelf.is_empty() {
                    self.without_census(&entry);
                } else {
                    self.shelf.push(entry);
                }
            }
            Some(StoredKey::OperatorHead | StoredKey::Caller(_)) => self.operator.push(entry),
            Some(StoredKey::OperatorPreset(_) | StoredKey::OperatorDigest) => {
                self.presets.push(entry);
            }
            Some(StoredKey::DoneRequest { owner_uin, .. }) => {
                if self.is_wanted(owner_uin) {
                    self.readable(owner_uin, &entry);
                }
            }
            Some(
                StoredKey::Account { .. }
                | StoredKey::NextUin
                | StoredKey::StoreId
                | StoredKey::Keyring
                | StoredKey::Import
                | StoredKey::KeyUse(_),
            )
            | None => {
                if self.only.is_none() {
                    self.readable(records::OPERATOR, &entry);
                }
            }
        }
    }

    /// That a record can be read.
    fn readable(&mut self, owner_uin: u64, entry: &Entry) -> Option<Stored> {
        self.verified.records = self.verified.records.saturating_add(1);
        match record::decode(&entry.key, &entry.value) {
            Ok(stored) => Some(stored),
            Err(error) => {
                self.find(owner_uin, &entry.key, problem(&NodeError::from(error)));
                None
            }
        }
    }

    /// A record on a shelf that has no census, which every version that counts gives it.
    fn without_census(&mut self, entry: &Entry) {
        let Some(StoredKey::Global(key)) = key::parse(&entry.key) else { return };
        let Some(prefix) = records::shelf_prefix(key) else { return };
        let census = records::index_census_key(&prefix);
        let is_known = self.found.iter().any(|it| it.key == records::text(&census));
        if self.only.is_none() && records::is_counted(entry) && !is_known {
            self.find(records::OPERATOR, &census, "it is missing".to_owned());
        }
    }

    /// A shelf of an index: its records are those that were counted.
    fn end_shelf(&mut self) {
        let entries = mem::take(&mut self.shelf);
        let Some(first) = entries.first() else { return };
        let Some(StoredKey::IndexCensus(prefix)) = key::parse(&first.key) else { return };
        let fault = records::decode_shelf(&prefix, entries).err();
        if let Some(NodeError::Record { key, problem }) = fault {
            self.shelf_faults.push((
                prefix,
                Finding { owner_uin: records::OPERATOR, key, sequence: 0, problem },
            ));
        }
    }

    fn end_account(&mut self) {
        let Some((owner_uin, entries)) = self.account.take() else { return };
        self.verified.accounts = self.verified.accounts.saturating_add(1);
        let before = self.found.len();
        for entry in &entries {
            self.readable(owner_uin, entry);
        }
        let is_readable = self.found.len() == before;
        let head_key = records::head_key(owner_uin);
        let head = entries.iter().find(|entry| entry.key == head_key);
        let head = head.and_then(|entry| records::decode_head(entry).ok());
        let Some(head) = head else {
            if is_readable {
                self.find(owner_uin, &head_key, "it is missing".to_owned());
            }
            return;
        };
        let mut known = Known { head: head.change_head, suspect: None };
        if is_readable && let Ok(Some(read)) = records::decode_account(owner_uin, &entries) {
            let ReadAccount { state, last_change: _, damage } = read;
            let is_counted = head.census.is_some();
            self.verified.uncounted =
                self.verified.uncounted.saturating_add(u64::from(!is_counted));
            self.expect(&head, &state);
            known.suspect = damage.map(|fault| {
                let nameless = finding(owner_uin, &head_key, fault.to_string());
                (Suspect::new(owner_uin, &state), nameless)
            });
        }
        self.logs.know(owner_uin, known);
    }

    /// What the indexes must have of an account.
    fn expect(&mut self, head: &Account, state: &AccountState) {
        let owner_uin = head.owner.uin;
        self.expected.insert(Belongs::Root(owner_uin));
        self.expected.extend(state.sub_accounts.keys().map(|uin| Belongs::Uin(*uin, owner_uin)));
        self.expected.extend(state.apps.keys().map(|app| Belongs::App(*app, owner_uin)));
        let secrets = state.access_keys.keys();
        self.expected.extend(secrets.map(|id| Belongs::Secret(id.to_string(), owner_uin)));
    }

    /// A record of an index: each account that it names must know it.
    fn index(&mut self, entry: &Entry) {
        let Ok(stored) = record::decode(&entry.key, &entry.value) else {
            if self.only.is_none() {
                self.readable(records::OPERATOR, entry);
                self.indexed.push(records::text(&entry.key));
            }
            return;
        };
        self.verified.records = self.verified.records.saturating_add(1);
        let Stored::Global(stored) = stored else { return };
        for belongs in said(&stored) {
            let owner_uin = belongs.owner_uin();
            if !self.expected.remove(&belongs) && self.is_wanted(owner_uin) {
                let problem = format!("it names account {owner_uin}, which knows nothing of it");
                self.indexed.push(records::text(&entry.key));
                self.find(owner_uin, &entry.key, problem);
            }
        }
    }

    /// The operator's records and log.
    fn end_operator(&mut self) {
        let entries = mem::take(&mut self.operator);
        let head_key = records::operator_head_key();
        let (heads, callers): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|entry| entry.key == head_key);
        let presets = mem::take(&mut self.presets);
        let mut is_readable = true;
        for entry in callers.iter().chain(&presets) {
            is_readable &= self.readable(records::OPERATOR, entry).is_some();
        }
        let mut suspects = Vec::new();
        let mut suspect = |prefix: &[u8], entries: &[Entry], fault: NodeError| {
            let mut nameless = finding(records::OPERATOR, prefix, fault.to_string());
            if let NodeError::Record { key, problem } = fault {
                nameless = Finding { key, problem, ..nameless };
            }
            suspects.push((prefix.to_vec(), Suspect::of_entries(entries), nameless));
        };
        let mut change_head = ChangeHead::default();
        match heads.first().map(records::decode_operator_head) {
            None if callers.iter().any(records::is_counted) => {
                self.find(records::OPERATOR, &head_key, "it is missing".to_owned());
            }
            None => {}
            Some(Err(error)) => self.find(records::OPERATOR, &head_key, problem(&error)),
            Some(Ok(head)) => {
                change_head = head.change_head;
                if let Err(fault) = records::check_callers(&head.census, &callers) {
                    suspect(key::CALLERS, &callers, fault);
                }
            }
        }
        if is_readable && let Err(fault) = records::decode_presets(&presets) {
            suspect(key::OPERATOR_PRESETS, &presets, fault);
        }
        let found = self.logs.operator(change_head, suspects);
        self.found.extend(found);
    }

    /// The end of the scan: everything that is left to say.
    pub(super) fn finish(mut self) -> (Vec<Finding>, Verified) {
        self.end_account();
        self.end_shelf();
        let found = self.logs.end();
        self.found.extend(found);
        if self.only.is_none() || self.only == Some(records::OPERATOR) {
            self.end_operator();
        }
        for belongs in mem::take(&mut self.expected) {
            let owner_uin = belongs.owner_uin();
            let problem = format!("it is missing, or does not name account {owner_uin}");
            self.find(owner_uin, &belongs.key(), problem);
        }
        // What has a name by now need not be counted.
        for (prefix, fault) in mem::take(&mut self.shelf_faults) {
            let prefix = records::text(&prefix);
            let is_named = self.indexed.iter().any(|key| key.starts_with(&prefix))
                || self.found.iter().any(|it| it.key.starts_with(&prefix));
            if !is_named && self.only.is_none() {
                self.found.push(fault);
            }
        }
        (self.found, self.verified)
    }
}

/// Whether two keys are of records on one shelf.
fn is_on_shelf(first: &[u8], next: &[u8]) -> bool {
    match (key::parse(first), key::parse(next)) {
        (Some(StoredKey::IndexCensus(prefix)), Some(StoredKey::Global(key))) => {
            records::shelf_prefix(key) == Some(prefix)
        }
        _ => false,
    }
}

/// The accounts that an index record names.
fn said(record: &Record) -> Vec<Belongs> {
    match record {
        Record::UinEntry(entry) => {
            let root = entry.is_root.then_some(Belongs::Root(entry.uin));
            let owners = entry.owner_uins.iter().map(|owner| Belongs::Uin(entry.uin, *owner));
            root.into_iter().chain(owners).collect()
        }
        Record::AppEntry(entry) => vec![Belongs::App(entry.sdkappid, entry.owner_uin)],
        Record::SecretEntry(entry) => {
            vec![Belongs::Secret(entry.secret_id.to_string(), entry.owner_uin)]
        }
        Record::Account(_)
        | Record::SubAccount(_)
        | Record::Group(..)
        | Record::Policy(..)
        | Record::Version(_)
        | Record::App(_)
        | Record::Role(_)
        | Record::AccessKey(_) => Vec::new(),
    }
}
