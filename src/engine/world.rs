//! What all accounts share: the catalog, the general policies, and the presets.
//!
//! Built once from the program's and the operator's files, immutable, and shared by all snapshots.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::compile::CompiledPolicy;
use super::index::PolicySet;
use super::input::PolicyInput;
use crate::catalog::{Catalog, general_policies, presets};

/// What all accounts have in common: the catalog, the policies that bind everybody, and the shared
/// policies that may be attached in every account (presets and the operator's own).
#[derive(Debug)]
pub struct World {
    catalog: Arc<Catalog>,
    general: PolicySet,
    shared: BTreeMap<u64, Arc<CompiledPolicy>>,
}

impl World {
    /// Compiles what is shared. `general` binds every principal (rule D-13).
    #[must_use]
    pub fn new(catalog: Arc<Catalog>, general: Vec<PolicyInput>, shared: Vec<PolicyInput>) -> Self {
        let compile =
            |input: PolicyInput| (input.id, Arc::new(CompiledPolicy::new(input, &catalog)));
        let general: BTreeMap<_, _> = general.into_iter().map(compile).collect();
        let shared = shared.into_iter().map(compile).collect();
        let general = PolicySet::new(general.into_values().collect(), catalog.len());
        Self { catalog, general, shared }
    }

    /// The world of the program as shipped, with these shared policies besides the presets: general
    /// policies and presets come from `catalog`.
    #[must_use]
    pub fn shipped(catalog: Arc<Catalog>, more: Vec<PolicyInput>) -> Self {
        let general = general_policies().iter().map(PolicyInput::from_preset).collect();
        let shared = presets().iter().map(PolicyInput::from_preset).chain(more).collect();
        Self::new(catalog, general, shared)
    }

    /// The catalog that everything is compiled for.
    #[must_use]
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// The policies that bind everybody, ascending by id.
    pub fn general(&self) -> impl Iterator<Item = &PolicyInput> {
        self.general.policies().iter().map(|policy| policy.input())
    }

    /// The shared policies, ascending by id.
    pub fn shared(&self) -> impl Iterator<Item = &PolicyInput> {
        self.shared.values().map(|policy| policy.input())
    }

    /// The shared policy of this id.
    #[must_use]
    pub fn shared_policy(&self, id: u64) -> Option<&Arc<CompiledPolicy>> {
        self.shared.get(&id)
    }

    pub(super) fn general_set(&self) -> &PolicySet {
        &self.general
    }
}
