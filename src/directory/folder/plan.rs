//! Plans: the commands that turn a state into what a folder says, in order.
//!
//! Steps come in phases, and every step that narrows access stands before every step that may
//! widen it. What a step does is judged from the effects of the documents it is about, and is
//! never called harmless when it might not be: a step that does both (a new document, losing a
//! policy that holds denies) counts as widening. Taken in one commit, no state in between is ever
//! seen.

use std::collections::BTreeMap;

use super::{Folder, diff};
use crate::directory::command::Command;
use crate::directory::error::DirectoryError;
use crate::directory::execute::{Draft, Env};
use crate::directory::state::AccountState;
use crate::lang::diagnostic::Diagnostic;
use crate::lang::variable::Owner;

/// What a step does to access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Widening {
    /// Somebody may lose access, nobody gains any.
    Narrows,
    /// No decision changes.
    Neutral,
    /// Somebody may gain access.
    Widens,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanStep {
    /// What to execute.
    pub command: Command,
    /// What it does, for people.
    pub summary: String,
    /// What it does to access.
    pub widening: Widening,
}

/// The steps from a state to a folder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// In order; empty when the state is what the folder says.
    pub steps: Vec<PlanStep>,
    /// The sub-accounts that the folder does not name and that are left alone: uin and name.
    pub unmanaged: Vec<(u64, String)>,
    /// Lints about the documents that would be written.
    pub findings: Vec<Diagnostic>,
}

impl Plan {
    /// The commands of the steps, in order.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        self.steps.iter().map(|step| step.command.clone()).collect()
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

/// What a plan may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlanOptions {
    /// Delete the sub-accounts that the folder does not name.
    pub prune: bool,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The folder is another account's.
    #[error(
        "the folder is for account {} with APPID {}, the server's account is {} with APPID {}",
        .folder.uin, .folder.app_id, .state.uin, .state.app_id
    )]
    OtherAccount {
        /// The folder's owner.
        folder: Owner,
        /// The state's owner.
        state: Owner,
    },
    /// A sub-account has another kind, and kinds never change.
    #[error("the sub-account {uin} is a {found}, the folder says {wanted}: delete it first")]
    OtherKind {
        /// The sub-account.
        uin: u64,
        /// Its kind.
        found: &'static str,
        /// The folder's.
        wanted: &'static str,
    },
    /// A name is attached that is neither the folder's nor a preset's.
    #[error("{whose} has the policy `{name}`, which is neither in the folder nor a preset")]
    UnknownPolicy {
        /// Who has it.
        whose: String,
        /// The name.
        name: String,
    },
    /// A step is refused.
    #[error("step {number}, {summary}, is refused: {error}")]
    Refused {
        /// Which step, from 1.
        number: usize,
        /// What it would do.
        summary: String,
        /// Why not.
        error: DirectoryError,
    },
}

/// When a step is taken. The order is that of the phases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Sub-accounts go, which frees their names.
    Prune,
    /// What changes no decision and others need.
    Prepare,
    /// What can only take access away.
    Narrow,
    /// Removals that may give access; they free quota for the rest.
    Release,
    /// All else that may give access.
    Widen,
    /// What nothing refers to any more goes.
    CleanUp,
}

/// Steps, by phase.
#[derive(Debug, Default)]
pub(super) struct Steps {
    by_phase: BTreeMap<Phase, Vec<PlanStep>>,
}

impl Steps {
    pub(super) fn push(
        &mut self,
        phase: Phase,
        widening: Widening,
        command: Command,
        summary: String,
    ) {
        let step = PlanStep { command, summary, widening };
        self.by_phase.entry(phase).or_default().push(step);
    }
}

pub(super) fn plan(
    folder: &Folder,
    state: &AccountState,
    env: &Env<'_>,
    options: PlanOptions,
) -> Result<Plan, PlanError> {
    let (steps, unmanaged) = diff::diff(folder, state, env, options)?;
    let steps: Vec<PlanStep> = steps.by_phase.into_values().flatten().collect();
    let mut draft = Draft::new(state, env);
    for (index, step) in steps.iter().enumerate() {
        draft.run(&step.command).map_err(|error| PlanError::Refused {
            number: index.saturating_add(1),
            summary: step.summary.clone(),
            error,
        })?;
    }
    let findings = draft.finish(Vec::new()).findings;
    Ok(Plan { steps, unmanaged, findings })
}
