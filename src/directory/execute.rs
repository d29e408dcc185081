//! From a command to changes: the one door by which a state is altered.
//!
//! Commands work on a draft, a scratch copy of the state that remembers what was touched. What
//! comes out is the difference between draft and state, so a command that changes nothing yields
//! nothing, and several commands in one commit yield the last value of each record.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::lang::diagnostic::Diagnostic;
use crate::lang::vocabulary::Vocabulary;

use super::access_key::{SecretEntry, SecretId};
use super::account::Account;
use super::app::AppEntry;
use super::change::{Change, Record, RecordKey};
use super::command::{Command, CommandResult};
use super::commands;
use super::error::DirectoryError;
use super::global::{GlobalKey, Globals, UinEntry};
use super::id::UnixMillis;
use super::preset::Presets;
use super::quota::Quotas;
use super::state::AccountState;

/// What a command is executed against, besides the account's state.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    /// The time of the change.
    pub now: UnixMillis,
    /// How many of everything there may be.
    pub quotas: &'a Quotas,
    /// The presets that can be attached.
    pub presets: &'a Presets,
    /// The catalogued actions, for checking documents.
    pub vocabulary: &'a dyn Vocabulary,
    /// The global records that [`Command::global_reads`] asks for.
    pub globals: &'a Globals,
}

impl std::fmt::Debug for Env<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Env").field("now", &self.now).finish_non_exhaustive()
    }
}

/// What one command or a list of commands comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// What to write: no record twice, sorted by key, nothing that is so already. Empty when the
    /// commands change nothing.
    pub changes: Vec<Change>,
    /// One per command, in order.
    pub results: Vec<CommandResult>,
    /// Lints about the documents written, in order; none of them is an error.
    pub findings: Vec<Diagnostic>,
}

impl Executed {
    /// The last command's result: the result, where there was one command.
    #[must_use]
    pub fn result(&self) -> CommandResult {
        self.results.last().copied().unwrap_or(CommandResult::Done)
    }
}

/// Executes one command.
///
/// # Errors
/// [`DirectoryError`]; the state is as before.
pub fn execute(
    state: &AccountState,
    command: &Command,
    env: &Env<'_>,
) -> Result<Executed, DirectoryError> {
    let mut draft = Draft::new(state, env);
    let result = draft.run(command)?;
    Ok(draft.finish(vec![result]))
}

/// A list of commands was refused at one of them. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("command {number} ({name}) is refused: {error}")]
pub struct ExecuteAllError {
    /// Which command, from 1.
    pub number: usize,
    /// The command's name.
    pub name: &'static str,
    /// Why.
    pub error: DirectoryError,
}

/// Executes several commands in order, each on what the ones before it made, all or nothing.
///
/// # Errors
/// [`ExecuteAllError`] for the first command that is refused; the state is as before.
pub fn execute_all(
    state: &AccountState,
    commands: &[Command],
    env: &Env<'_>,
) -> Result<Executed, ExecuteAllError> {
    let mut draft = Draft::new(state, env);
    let mut results = Vec::with_capacity(commands.len());
    for (index, command) in commands.iter().enumerate() {
        let result = draft.run(command).map_err(|error| ExecuteAllError {
            number: index.saturating_add(1),
            name: command.name(),
            error,
        })?;
        results.push(result);
    }
    Ok(draft.finish(results))
}

/// A scratch copy of the state, and what was touched in it.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    base: &'a AccountState,
    /// The state as the commands so far have made it.
    pub(super) state: AccountState,
    /// What the commands are executed against.
    pub(super) env: Env<'a>,
    globals: Globals,
    touched: BTreeSet<RecordKey>,
    findings: Vec<Diagnostic>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(base: &'a AccountState, env: &Env<'a>) -> Self {
        Self {
            base,
            state: base.clone(),
            env: *env,
            globals: env.globals.clone(),
            touched: BTreeSet::new(),
            findings: Vec::new(),
        }
    }

    /// Executes one command on the draft.
    pub(super) fn run(&mut self, command: &Command) -> Result<CommandResult, DirectoryError> {
        commands::run(self, command)
    }

    /// The account's head.
    pub(super) fn account(&self) -> Result<&Arc<Account>, DirectoryError> {
        self.state.account.as_ref().ok_or(DirectoryError::NoAccount)
    }

    /// Alters the account's head.
    pub(super) fn update_account(
        &mut self,
        change: impl FnOnce(&mut Account),
    ) -> Result<(), DirectoryError> {
        let mut account = self.account()?.clone();
        change(Arc::make_mut(&mut account));
        self.put(Record::Account(account));
        Ok(())
    }

    /// Writes a record.
    pub(super) fn put(&mut self, record: Record) {
        self.touched.insert(record.key());
        match &record {
            Record::UinEntry(entry) => self.globals.set_uin(entry.uin, Some(entry.clone())),
            Record::AppEntry(entry) => self.globals.set_app(entry.sdkappid, Some(*entry)),
            Record::SecretEntry(entry) => self.globals.set_secret(entry.secret_id, Some(*entry)),
            Record::Account(_)
            | Record::SubAccount(_)
            | Record::Group(..)
            | Record::Policy(..)
            | Record::Version(_)
            | Record::App(_)
            | Record::Role(_)
            | Record::AccessKey(_) => self.state.apply(&Change::Put(record)),
        }
    }

    /// Deletes a record.
    pub(super) fn delete(&mut self, key: RecordKey) {
        self.touched.insert(key);
        match key {
            RecordKey::Global(GlobalKey::Uin(uin)) => self.globals.set_uin(uin, None),
            RecordKey::Global(GlobalKey::App(sdkappid)) => self.globals.set_app(sdkappid, None),
            RecordKey::Global(GlobalKey::Secret(id)) => self.globals.set_secret(id, None),
            RecordKey::Account
            | RecordKey::SubAccount(_)
            | RecordKey::Group(_)
            | RecordKey::Policy(_)
            | RecordKey::Version(..)
            | RecordKey::App(_)
            | RecordKey::Role(_)
            | RecordKey::AccessKey(_) => self.state.apply(&Change::Delete(key)),
        }
    }

    /// The global record of a uin, as the commands so far have made it.
    pub(super) fn uin_entry(&self, uin: u64) -> Result<Option<Arc<UinEntry>>, DirectoryError> {
        Ok(self.globals.uin(uin)?.cloned())
    }

    /// The global record of an app, as the commands so far have made it.
    pub(super) fn app_entry(&self, sdkappid: u64) -> Result<Option<AppEntry>, DirectoryError> {
        self.globals.app(sdkappid)
    }

    /// The global record of an access key, as the commands so far have made it.
    pub(super) fn secret_entry(
        &self,
        secret_id: SecretId,
    ) -> Result<Option<SecretEntry>, DirectoryError> {
        self.globals.secret(secret_id)
    }

    /// Adds lints about a document that was written.
    pub(super) fn add_findings(&mut self, findings: Vec<Diagnostic>) {
        self.findings.extend(findings);
    }

    /// The difference between draft and state.
    pub(super) fn finish(self, results: Vec<CommandResult>) -> Executed {
        let changes = self.touched.iter().filter_map(|key| self.change(*key)).collect();
        Executed { changes, results, findings: self.findings }
    }

    fn change(&self, key: RecordKey) -> Option<Change> {
        let (before, after) = match key {
            RecordKey::Global(global) => {
                (global_record(self.env.globals, global), global_record(&self.globals, global))
            }
            RecordKey::Account
            | RecordKey::SubAccount(_)
            | RecordKey::Group(_)
            | RecordKey::Policy(_)
            | RecordKey::Version(..)
            | RecordKey::App(_)
            | RecordKey::Role(_)
            | RecordKey::AccessKey(_) => (self.base.record(key), self.state.record(key)),
        };
        if before == after {
            return None;
        }
        Some(after.map_or(Change::Delete(key), Change::Put))
    }
}

/// A global record; none when it is absent. Only to be asked about records that commands have
/// touched, which they read before.
#[must_use]
pub fn global_record(globals: &Globals, key: GlobalKey) -> Option<Record> {
    match key {
        GlobalKey::Uin(uin) => globals.uin(uin).ok().flatten().cloned().map(Record::UinEntry),
        GlobalKey::App(sdkappid) => globals.app(sdkappid).ok().flatten().map(Record::AppEntry),
        GlobalKey::Secret(id) => globals.secret(id).ok().flatten().map(Record::SecretEntry),
    }
}
