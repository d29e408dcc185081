//! One account as readers see it: the directory's state and the engine's snapshot of it.
//!
//! Built whole and then immutable, so a reader holds one consistent account however long it takes.
//! It must never be built from parts of two revisions.

use std::sync::Arc;

use super::presets::Shared;
use crate::directory::{AccountState, RecordKey, snapshot_change, snapshot_input};
use crate::engine::AccountSnapshot;
use crate::store::Revision;

/// An account that exists, at a revision.
#[derive(Debug)]
pub struct AccountView {
    /// What the records say.
    pub state: Arc<AccountState>,
    /// What decisions are made from.
    pub snapshot: Arc<AccountSnapshot>,
    /// Every change up to this revision is in it.
    pub as_of: Revision,
    /// The revision of the account's own last change.
    pub last_change: Revision,
}

/// The view after a commit changed some records of an account; none when the account does not exist
/// any more.
pub(super) fn update_view(
    state: Arc<AccountState>,
    changed: &[RecordKey],
    revision: Revision,
    shared: &Shared,
    previous: &AccountView,
) -> Option<AccountView> {
    let before = &previous.snapshot;
    // With more policies than records the account refers to what is missing.
    let is_whole = before.policy_count() == previous.state.live_policies().count();
    let change = (is_whole && Arc::ptr_eq(before.world(), &shared.world))
        .then(|| snapshot_change(&previous.state, &state, &shared.presets, revision.0, changed))
        .flatten();
    match change {
        Some(change) => {
            let snapshot = Arc::new(before.updated(change));
            debug_assert!(
                build_view(Arc::clone(&state), revision, revision, shared, None)
                    .is_some_and(|built| snapshot.is_same_account(&built.snapshot)),
                "an update and a new build differ after changes of {changed:?}"
            );
            Some(AccountView { state, snapshot, as_of: revision, last_change: revision })
        }
        None => build_view(state, revision, revision, shared, Some(previous)),
    }
}

/// Builds the view; none when the account does not exist. `previous` only saves work.
pub(super) fn build_view(
    state: Arc<AccountState>,
    as_of: Revision,
    last_change: Revision,
    shared: &Shared,
    previous: Option<&AccountView>,
) -> Option<AccountView> {
    let input = snapshot_input(&state, &shared.presets, last_change.0)?;
    let previous = previous.map(|it| &*it.snapshot);
    let snapshot = Arc::new(AccountSnapshot::build(input, &shared.world, previous));
    Some(AccountView { state, snapshot, as_of, last_change })
}
