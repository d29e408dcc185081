//! The operator's own presets: from files on each node's disk to records in the store.
//!
//! Pure: files come as values. A name gets an id once and keeps it for ever. A file that breaks, or
//! vanishes while it is attached, keeps its last good content in force and is reported; one that
//! vanishes unattached is withdrawn, and comes back under the same id (design section 6).

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use crate::catalog;
use crate::lang::diagnostic::Diagnostic;
use crate::lang::document::DocumentKind;
use crate::lang::vocabulary::Vocabulary;

use super::document;
use super::id::{PolicyId, VersionNumber};
use super::name;
use super::policy::PolicyBody;
use super::quota::Quotas;
use crate::lang::hex::hex;

/// The stored record of one of the operator's presets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorPreset {
    /// Its id, from 500,000 to 999,999; allotted once per name.
    pub id: PolicyId,
    /// Its name: the file's stem.
    pub name: String,
    /// Counts the good contents it has had, from 1.
    pub version: VersionNumber,
    /// Its last good content.
    pub body: PolicyBody,
    /// Whether its file vanished while it was attached nowhere.
    pub is_withdrawn: bool,
}

/// One file of the operator's, as a node found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorFile {
    /// The file's stem.
    pub name: String,
    /// Its bytes, or why it cannot be read.
    pub content: Result<Vec<u8>, String>,
}

/// A file that is not in force as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorProblem {
    /// The preset's name.
    pub name: String,
    /// What is wrong and what to do.
    pub message: String,
    /// The findings about its text, if the text is what is wrong.
    pub findings: Vec<Diagnostic>,
    /// Whether an earlier content is in force in its place.
    pub is_kept: bool,
}

/// What the files come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorUpdate {
    /// The records to put, ascending by name; empty when all is recorded already.
    pub records: Vec<OperatorPreset>,
    /// What to report, ascending by name.
    pub problems: Vec<OperatorProblem>,
    /// The digest of the files as they stand, good or bad, in lower-case hexadecimal.
    pub digest: String,
}

/// Compares the files with the records. `is_attached` says whether any account uses a preset.
#[must_use]
pub fn operator_presets_update(
    recorded: &[OperatorPreset],
    files: &[OperatorFile],
    vocabulary: &dyn Vocabulary,
    is_attached: impl Fn(PolicyId) -> bool,
) -> OperatorUpdate {
    let by_name: BTreeMap<&str, &OperatorPreset> =
        recorded.iter().map(|it| (it.name.as_str(), it)).collect();
    let mut next_id =
        recorded.iter().map(|it| it.id.0.saturating_add(1)).max().unwrap_or(0).max(ID_MIN);
    let mut update =
        OperatorUpdate { records: Vec::new(), problems: Vec::new(), digest: digest(files) };
    let mut names: BTreeSet<&str> = files.iter().map(|file| file.name.as_str()).collect();
    names.extend(by_name.keys());
    for name in names {
        let record = by_name.get(name).copied();
        let found: Vec<&OperatorFile> = files.iter().filter(|file| file.name == name).collect();
        match (read(name, &found, vocabulary), record) {
            (Ok(Some(body)), Some(record)) => update.records.extend(renewed(record, body)),
            (Ok(Some(body)), None) if next_id < PolicyId::CUSTOM_MIN.0 => {
                update.records.push(created(next_id, name, body));
                next_id = next_id.saturating_add(1);
            }
            (Ok(Some(_)), None) => update.problems.push(problem(name, NO_ID, false)),
            (Ok(None), Some(record)) if record.is_withdrawn => {}
            (Ok(None), Some(record)) if is_attached(record.id) => {
                update.problems.push(problem(name, VANISHED, true));
            }
            (Ok(None), Some(record)) => {
                update.records.push(OperatorPreset { is_withdrawn: true, ..record.clone() });
            }
            (Ok(None), None) => {}
            (Err(mut problem), record) => {
                problem.is_kept = record.is_some_and(|record| !record.is_withdrawn);
                update.problems.push(problem);
            }
        }
    }
    update
}

const ID_MIN: u64 = PolicyId::OPERATOR_MIN.0;
const NO_ID: &str = "no id is left for it: the operator's presets have ids up to 999,999";
const VANISHED: &str = "its file is gone while it is attached: put the file back, or detach it";

/// What the files under one name hold; none when there is no file.
fn read(
    name: &str,
    files: &[&OperatorFile],
    vocabulary: &dyn Vocabulary,
) -> Result<Option<PolicyBody>, OperatorProblem> {
    let file = match files {
        [] => return Ok(None),
        [file] => file,
        _ => {
            let message = format!("{} files have this name: rename all but one", files.len());
            return Err(problem(name, &message, false));
        }
    };
    if let Err(error) = name::check_policy_name(name, &Quotas::default()) {
        return Err(problem(name, &error.to_string(), false));
    }
    let mut shipped = catalog::presets().iter().chain(catalog::general_policies());
    if shipped.any(|preset| preset.name == name) {
        return Err(problem(name, "a preset that ships has this name: rename the file", false));
    }
    let bytes = match &file.content {
        Ok(bytes) => bytes,
        Err(reason) => {
            return Err(problem(name, &format!("its file cannot be read: {reason}"), false));
        }
    };
    match document::check(bytes, vocabulary, None, DocumentKind::Identity) {
        Ok((body, _)) => Ok(Some(body)),
        Err(error) => {
            let message = error.to_string();
            let findings = error.findings().to_vec();
            Err(OperatorProblem { findings, ..problem(name, &message, false) })
        }
    }
}

fn problem(name: &str, message: &str, is_kept: bool) -> OperatorProblem {
    let (name, message) = (name.to_owned(), message.to_owned());
    OperatorProblem { name, message, findings: Vec::new(), is_kept }
}

fn created(id: u64, name: &str, body: PolicyBody) -> OperatorPreset {
    OperatorPreset {
        id: PolicyId(id),
        name: name.to_owned(),
        version: VersionNumber::FIRST,
        body,
        is_withdrawn: false,
    }
}

/// The record with the content of its file; none when that is what it is already.
fn renewed(record: &OperatorPreset, body: PolicyBody) -> Option<OperatorPreset> {
    let is_same = record.body == body;
    if is_same && !record.is_withdrawn {
        return None;
    }
    let version = VersionNumber(record.version.0.saturating_add(u32::from(!is_same)));
    Some(OperatorPreset {
        id: record.id,
        name: record.name.clone(),
        version,
        body,
        is_withdrawn: false,
    })
}

/// The digest of a set of files: of names and bytes, in order of names. A file that cannot be read
/// counts with its name only, so that it makes a difference too.
#[must_use]
pub fn digest(files: &[OperatorFile]) -> String {
    let mut sorted: Vec<_> =
        files.iter().map(|file| (file.name.as_bytes(), file.content.as_ref().ok())).collect();
    sorted.sort_unstable();
    let mut sha = Sha256::new();
    for (name, content) in sorted {
        sha.update(byte_len(name.len()));
        sha.update(name);
        match content {
            Some(bytes) => {
                sha.update([1]);
                sha.update(byte_len(bytes.len()));
                sha.update(bytes);
            }
            None => sha.update([0]),
        }
    }
    hex(&sha.finalize())
}

fn byte_len(len: usize) -> [u8; 8] {
    u64::try_from(len).unwrap_or(u64::MAX).to_be_bytes()
}
