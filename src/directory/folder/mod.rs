//! The account folder: one account as files, for authoring, review, offline checks and tests.
//!
//! A value, without I/O: files come and go as a map from path to bytes. What a folder says is the
//! whole of an account's custom policies, groups, apps and attachments; sub-accounts that it does
//! not name are left alone unless asked. So is the description of a policy for which the folder has
//! none. Versions but the default, and times, are not part of it. (Design section 6.)

mod diff;
mod effects;
mod export;
mod holdings;
mod json;
mod parse;
mod plan;
mod rename;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::lang::diagnostic::{Diagnostic, Severity};
use crate::lang::document::DocumentKind;
use crate::lang::variable::Owner;
use crate::lang::vocabulary::Vocabulary;

use super::document;
use super::global::{GlobalKey, Globals};
use super::id::UnixMillis;
use super::preset::{PresetOrigin, Presets};
use super::quota::Quotas;
use super::state::AccountState;
use super::sub_account::SubAccountKind;
use super::{Env, execute_all};

pub use plan::{Plan, PlanError, PlanOptions, PlanStep, Widening};

/// Most files in a folder; the default quota of policies, and as many cases, fit six times.
pub const FOLDER_FILES_MAX: usize = 20_000;
/// Most bytes in a folder's files together.
pub const FOLDER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The file that names the account and everything but the documents.
pub const ACCOUNT_FILE: &str = "account.json";

/// An app in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderApp {
    /// What people call it.
    pub name: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A sub-account in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderSubAccount {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: SubAccountKind,
    /// Free text.
    pub remark: String,
    /// Names of its groups.
    pub groups: Vec<String>,
    /// Names of its policies, the folder's own or presets.
    pub policies: Vec<String>,
    /// Name of its boundary policy.
    pub boundary: Option<String>,
}

/// A group in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderGroup {
    /// Free text.
    pub remark: String,
    /// Names of its policies, the folder's own or presets.
    pub policies: Vec<String>,
}

/// One account as files, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// The root account.
    pub owner: Owner,
    /// The apps, by SdkAppId.
    pub apps: BTreeMap<u64, FolderApp>,
    /// The sub-accounts, by uin.
    pub sub_accounts: BTreeMap<u64, FolderSubAccount>,
    /// The groups, by name.
    pub groups: BTreeMap<String, FolderGroup>,
    /// The policies' documents, by name.
    pub policies: BTreeMap<String, Vec<u8>>,
    /// The policies' descriptions, by name; each has a document too. Without an entry a policy
    /// keeps the description it has, and a new one gets none; an empty text removes it.
    pub descriptions: BTreeMap<String, String>,
    /// The files of cases, by name: read by `analysis`.
    pub cases: BTreeMap<String, Vec<u8>>,
}

/// Something wrong in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderFault {
    /// The file, relative to the folder.
    pub file: String,
    /// The JSON path of the place, e.g. `sub_accounts[0].groups[1]`; empty for the whole file.
    pub path: String,
    /// What is wrong, what was expected, what to do.
    pub message: String,
    /// The language's finding, where the fault is in a policy document.
    pub finding: Option<Diagnostic>,
}

impl FolderFault {
    pub(super) fn new(file: &str, path: &str, message: impl Into<String>) -> Self {
        let (file, path, message) = (file.to_owned(), path.to_owned(), message.into());
        Self { file, path, message, finding: None }
    }
}

impl fmt::Display for FolderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A fault without a file is about the whole folder.
        if !self.file.is_empty() {
            f.write_str(&self.file)?;
            if !self.path.is_empty() {
                write!(f, " ({})", self.path)?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.message)
    }
}

impl Folder {
    /// Reads a folder's files, given by path with `/` between names. The shape of every file but
    /// the cases is checked, and that every name refers to something; documents are checked by
    /// [`Folder::check`].
    ///
    /// # Errors
    /// All faults, by file and place.
    pub fn parse(files: &BTreeMap<String, Vec<u8>>) -> Result<Self, Vec<FolderFault>> {
        parse::parse(files)
    }

    /// The files of an account; reading them back gives the same folder.
    ///
    /// # Errors
    /// A fault for each attachment that has no name: its preset is not known here.
    pub fn export(
        state: &AccountState,
        presets: &Presets,
    ) -> Result<BTreeMap<String, Vec<u8>>, Vec<FolderFault>> {
        export::export(state, presets)
    }

    /// Checks the documents, and that attached names are policies of the folder or presets. The
    /// second part of the result are lints, which refuse nothing.
    #[must_use]
    pub fn check(
        &self,
        presets: &Presets,
        vocabulary: &dyn Vocabulary,
    ) -> (Vec<FolderFault>, Vec<FolderFault>) {
        let mut faults = Vec::new();
        let mut lints = Vec::new();
        for (name, bytes) in &self.policies {
            let file = policy_file(name);
            let findings = match document::check(
                bytes,
                vocabulary,
                Some(self.owner),
                DocumentKind::Identity,
            ) {
                Ok((_, findings)) => findings,
                Err(error) => error.findings().to_vec(),
            };
            for finding in findings {
                let is_error = finding.severity == Severity::Error;
                let mut fault = FolderFault::new(&file, &finding.path, finding.to_string());
                fault.finding = Some(finding);
                if is_error { faults.push(fault) } else { lints.push(fault) }
            }
        }
        faults.extend(self.unknown_policies(presets));
        (faults, lints)
    }

    /// The state of an account that holds what the folder says and nothing else, for work without
    /// a server. Times are zero.
    ///
    /// # Errors
    /// All faults of [`Folder::check`], else the first thing that the rules of accounts refuse.
    pub fn state(
        &self,
        presets: &Presets,
        vocabulary: &dyn Vocabulary,
    ) -> Result<AccountState, Vec<FolderFault>> {
        let (faults, _) = self.check(presets, vocabulary);
        if !faults.is_empty() {
            return Err(faults);
        }
        let (quotas, globals) = (Quotas::default(), Globals::assume_absent());
        let env =
            Env { now: UnixMillis(0), quotas: &quotas, presets, vocabulary, globals: &globals };
        let fault = |message: String| vec![FolderFault::new(ACCOUNT_FILE, "", message)];
        let mut state = AccountState::default();
        let plan = self
            .plan(&state, &env, PlanOptions::default())
            .map_err(|error| fault(error.to_string()))?;
        let executed = execute_all(&state, &plan.commands(), &env)
            .map_err(|error| fault(error.to_string()))?;
        for change in &executed.changes {
            state.apply(change);
        }
        Ok(state)
    }

    /// What to do so that an account becomes what the folder says, in an order that never widens
    /// access before it narrows it. Names and not ids are used for what the steps create.
    ///
    /// # Errors
    /// [`PlanError`] when it cannot be done.
    pub fn plan(
        &self,
        state: &AccountState,
        env: &Env<'_>,
        options: PlanOptions,
    ) -> Result<Plan, PlanError> {
        plan::plan(self, state, env, options)
    }

    /// The global records that must be read before planning on a state.
    #[must_use]
    pub fn global_reads(&self, state: &AccountState) -> BTreeSet<GlobalKey> {
        let old_uins: BTreeSet<u64> = state.sub_accounts.keys().copied().collect();
        let new_uins: BTreeSet<u64> = self.sub_accounts.keys().copied().collect();
        let old_apps: BTreeSet<u64> = state.apps.keys().copied().collect();
        let new_apps: BTreeSet<u64> = self.apps.keys().copied().collect();
        let uins = old_uins.symmetric_difference(&new_uins).copied().map(GlobalKey::Uin);
        let apps = old_apps.symmetric_difference(&new_apps).copied().map(GlobalKey::App);
        uins.chain(apps).chain([GlobalKey::Uin(self.owner.uin)]).collect()
    }

    /// Faults for attached names that are neither policies of the folder nor presets.
    fn unknown_policies(&self, presets: &Presets) -> Vec<FolderFault> {
        let mut faults = Vec::new();
        let is_known = |name: &String| {
            self.policies.contains_key(name)
                || presets.named(name).is_some_and(|it| it.origin != PresetOrigin::General)
        };
        let mut look = |whose: String, names: &mut dyn Iterator<Item = &String>| {
            for name in names.filter(|name| !is_known(name)) {
                let message = format!(
                    "{whose} has the policy `{name}`, which is neither a file in `policies/` nor a \
                     preset"
                );
                faults.push(FolderFault::new(ACCOUNT_FILE, "", message));
            }
        };
        for (name, group) in &self.groups {
            look(format!("the group `{name}`"), &mut group.policies.iter());
        }
        for user in self.sub_accounts.values() {
            let mut names = user.policies.iter().chain(&user.boundary);
            look(format!("the sub-account `{}`", user.name), &mut names);
        }
        faults
    }
}

fn policy_file(name: &str) -> String {
    format!("policies/{name}.json")
}
