//! What a change of an account would change in its decisions, over the cases of a folder.
//!
//! Both states are compiled and asked the same questions; nothing of it outlives the answer. It
//! must never be taken for a check: questions about other accounts' apps count as unregistered.

use std::collections::BTreeMap;

use super::presets::Shared;
use crate::analysis::{Asked, CaseFile, Expectation, PrincipalRef, requests};
use crate::directory::{AccountState, snapshot_input};
use crate::engine::{AccountSnapshot, NoTrace, Outcome, decide};

/// Most questions that one preview asks.
pub const PREVIEW_REQUESTS_MAX: usize = 20_000;

/// A question that is answered otherwise after the change. An outcome is none when the question
/// is refused, or when nobody of the principal's name is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseChange {
    /// The case, as `file: name`.
    pub case_name: String,
    /// Who asks, as the case names them.
    pub principal: String,
    /// The action, as written.
    pub action: String,
    /// The resource, as written.
    pub resource: String,
    /// The outcome before.
    pub before: Option<Outcome>,
    /// The outcome after.
    pub after: Option<Outcome>,
    /// The outcome that the case expects; none when it expects a refusal.
    pub expected: Option<Outcome>,
}

/// What changes between two states, and notices about cases that could not be asked. `cases` are
/// the texts of the case files, by name.
#[must_use]
pub fn preview(
    before: &AccountState,
    after: &AccountState,
    shared: &Shared,
    cases: &BTreeMap<String, Vec<u8>>,
) -> (Vec<CaseChange>, Vec<String>) {
    let mut notices = Vec::new();
    let mut files = Vec::new();
    for (name, text) in cases {
        match CaseFile::parse(name, text) {
            Ok(file) => files.push(file),
            Err(faults) => notices
                .extend(faults.first().map(|fault| format!("cases that cannot be read: {fault}"))),
        }
    }
    if files.is_empty() {
        return (Vec::new(), notices);
    }
    let Some(new) = snapshot(after, shared) else { return (Vec::new(), notices) };
    let old = snapshot(before, shared);
    let old_answers = old.map(|old| outcomes(&old, before, &files));
    let new_names = |who: &PrincipalRef| uin_of(after, who);
    let mut changes = Vec::new();
    for (place, asked) in requests(&new, &new_names, &files).enumerate() {
        if place >= PREVIEW_REQUESTS_MAX {
            notices.push(format!(
                "only the first {PREVIEW_REQUESTS_MAX} questions of the cases were asked"
            ));
            break;
        }
        let now = outcome(&new, &asked);
        // Without an account nobody was allowed anything.
        let was = match &old_answers {
            Some(answers) => answers.get(place).copied().flatten(),
            None => now.map(|_| Outcome::Deny),
        };
        if was != now {
            changes.push(change(&asked, was, now));
        }
    }
    (changes, notices)
}

fn snapshot(state: &AccountState, shared: &Shared) -> Option<AccountSnapshot> {
    let input = snapshot_input(state, &shared.presets, 0)?;
    Some(AccountSnapshot::build(input, &shared.world, None))
}

fn uin_of(state: &AccountState, who: &PrincipalRef) -> Option<u64> {
    match who {
        PrincipalRef::Root => state.owner().map(|owner| owner.uin),
        PrincipalRef::Name(name) => state.sub_account_named(name).map(|it| it.uin),
        PrincipalRef::Uin(uin) => Some(*uin),
    }
}

fn outcomes(
    snapshot: &AccountSnapshot,
    state: &AccountState,
    files: &[CaseFile],
) -> Vec<Option<Outcome>> {
    let names = |who: &PrincipalRef| uin_of(state, who);
    let asked = requests(snapshot, &names, files).take(PREVIEW_REQUESTS_MAX);
    asked.map(|asked| outcome(snapshot, &asked)).collect()
}

fn outcome(snapshot: &AccountSnapshot, asked: &Asked<'_>) -> Option<Outcome> {
    let request = asked.request.as_ref().ok()?;
    Some(decide(snapshot, request, &mut NoTrace).outcome)
}

fn change(asked: &Asked<'_>, before: Option<Outcome>, after: Option<Outcome>) -> CaseChange {
    CaseChange {
        case_name: format!("{}: {}", asked.file, asked.case.name),
        principal: asked.principal.to_string(),
        action: asked.action.to_owned(),
        resource: asked.resource.to_owned(),
        before,
        after,
        expected: match &asked.case.expect {
            Expectation::Answer(expected) => Some(expected.outcome),
            Expectation::Refused => None,
        },
    }
}
