//! Carrying out commands inside a write, for every protocol that administers.
//!
//! It must never change anything: the node commits what it yields.

use crate::directory::{AccountState, Change, Command, Executed, execute, execute_all};
use crate::node::{JobInput, NodeError};

/// Executes commands in order, all or nothing: what to write, and the account after it.
///
/// # Errors
/// [`NodeError::Directory`] for a single command, [`NodeError::Commands`] for one of several.
pub(super) fn execute_commands(
    input: &JobInput<'_>,
    commands: &[Command],
) -> Result<(Executed, AccountState), NodeError> {
    let executed = match commands {
        [command] => execute(input.state, command, &input.env)?,
        commands => execute_all(input.state, commands, &input.env)?,
    };
    let state = after(input.state, &executed.changes);
    Ok((executed, state))
}

/// The account as changes make it.
pub(super) fn after(state: &AccountState, changes: &[Change]) -> AccountState {
    let mut state = state.clone();
    changes.iter().for_each(|change| state.apply(change));
    state
}
