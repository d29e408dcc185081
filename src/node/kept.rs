//! The operator's presets whose files are gone and which are kept because some account uses them.
//!
//! Whether any account still uses one takes reading every account, so it is asked again only after
//! an account let go of one; the applier says so for the accounts that are loaded. An account that
//! is written on this node is loaded, so the node that served the write always notices. It must
//! never decide that a preset is unused.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::directory::{AccountState, PolicyId};

#[derive(Debug, Default)]
struct Inner {
    ids: BTreeSet<PolicyId>,
    /// Whether some account let go of one of `ids` since it was asked.
    is_released: bool,
}

/// What is kept, and whether to look again.
#[derive(Debug, Default)]
pub(super) struct KeptPresets {
    inner: Mutex<Inner>,
}

impl KeptPresets {
    /// From now on these are looked after. To be called before the accounts are read, so that what
    /// changes meanwhile is noticed.
    pub(super) fn look_after(&self, ids: impl Iterator<Item = PolicyId>) {
        self.inner().ids = ids.collect();
    }

    /// Notes that an account changed.
    pub(super) fn account_changed(&self, before: &AccountState, after: &AccountState) {
        let mut inner = self.inner();
        let lets_go = |id: &PolicyId| before.uses_policy(*id) && !after.uses_policy(*id);
        inner.is_released = inner.is_released || inner.ids.iter().any(lets_go);
    }

    /// Notes that any account may have let go of any preset.
    pub(super) fn anything_changed(&self) {
        let mut inner = self.inner();
        inner.is_released = !inner.ids.is_empty();
    }

    /// Whether an account let go of one since this was asked last.
    pub(super) fn take_released(&self) -> bool {
        std::mem::take(&mut self.inner().is_released)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
