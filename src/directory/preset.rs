//! Presets: policies that every account can attach and none can change.
//!
//! Three sorts: those that ship with the program, the general policies that bind everyone without
//! being attached (rule D-13), and the operator's own. This file only holds and finds them; how the
//! operator's files become records is `operator`'s part.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalog;
use crate::engine::PolicyInput;

use super::id::{PolicyId, VersionNumber};
use super::operator::OperatorPreset;
use super::policy::PolicyBody;
use super::snapshot::policy_input;

/// Where a preset comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PresetOrigin {
    /// It ships with the program.
    BuiltIn,
    /// It ships with the program and binds everyone; it cannot be attached.
    General,
    /// The operator's own file.
    Operator,
}

/// One preset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preset {
    /// Its id; below 1,000,000, and never reused.
    pub id: PolicyId,
    /// Its name.
    pub name: String,
    /// Counts the contents it has had; 1 for what ships with the program.
    pub version: VersionNumber,
    /// The document.
    pub body: PolicyBody,
    /// What it grants, in Chinese; empty for the operator's own.
    pub description_zh: String,
    /// What it grants, in English; empty for the operator's own.
    pub description_en: String,
    /// Whether the vendor's own text is not public, so that this one follows its description.
    pub is_reconstructed: bool,
    /// Where it comes from.
    pub origin: PresetOrigin,
    /// Whether it was withdrawn: it cannot be attached any more, and stays in force where it is.
    pub is_withdrawn: bool,
}

impl Preset {
    /// Whether it can be attached, or set as a boundary.
    #[must_use]
    pub fn is_attachable(&self) -> bool {
        self.origin != PresetOrigin::General && !self.is_withdrawn
    }
}

/// All presets, by id and by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presets {
    by_id: BTreeMap<PolicyId, Arc<Preset>>,
    by_name: BTreeMap<String, PolicyId>,
}

impl Presets {
    /// Those that ship with the program.
    #[must_use]
    pub fn built_in() -> Self {
        Self::new(&[])
    }

    /// Those that ship with the program, and the operator's own as they are recorded. A name of
    /// the operator's never hides one that ships.
    #[must_use]
    pub fn new(operator: &[OperatorPreset]) -> Self {
        let built_in = catalog::presets().iter().map(|it| from_catalog(it, PresetOrigin::BuiltIn));
        let general =
            catalog::general_policies().iter().map(|it| from_catalog(it, PresetOrigin::General));
        let operator = operator.iter().map(from_operator);
        let mut presets = Self { by_id: BTreeMap::new(), by_name: BTreeMap::new() };
        for preset in built_in.chain(general).chain(operator) {
            presets.by_name.entry(preset.name.clone()).or_insert(preset.id);
            presets.by_id.entry(preset.id).or_insert_with(|| Arc::new(preset));
        }
        presets
    }

    /// The preset with this id.
    #[must_use]
    pub fn get(&self, id: PolicyId) -> Option<&Arc<Preset>> {
        self.by_id.get(&id)
    }

    /// The preset with this name, compared exactly.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Arc<Preset>> {
        self.by_id.get(self.by_name.get(name)?)
    }

    /// All presets, ascending by id; withdrawn and general ones too.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Preset>> {
        self.by_id.values()
    }

    /// The general policies, for the engine's world (rule D-13).
    #[must_use]
    pub fn general_input(&self) -> Vec<PolicyInput> {
        self.inputs(|preset| preset.origin == PresetOrigin::General)
    }

    /// The presets that may be attached somewhere, for the engine's world. A withdrawn one is
    /// among them: where it is attached after all, its last good content stays in force.
    #[must_use]
    pub fn shared_input(&self) -> Vec<PolicyInput> {
        self.inputs(|preset| preset.origin != PresetOrigin::General)
    }

    fn inputs(&self, is_wanted: impl Fn(&Preset) -> bool) -> Vec<PolicyInput> {
        let wanted = self.by_id.values().filter(|preset| is_wanted(preset));
        wanted.map(|it| policy_input(it.id, &it.name, it.version, &it.body)).collect()
    }
}

impl Default for Presets {
    fn default() -> Self {
        Self::built_in()
    }
}

fn from_catalog(preset: &catalog::Preset, origin: PresetOrigin) -> Preset {
    Preset {
        id: PolicyId(preset.id),
        name: preset.name.to_owned(),
        version: VersionNumber::FIRST,
        body: PolicyBody::load(preset.document),
        description_zh: preset.description_zh.to_owned(),
        description_en: preset.description_en.to_owned(),
        is_reconstructed: preset.reconstructed,
        origin,
        is_withdrawn: false,
    }
}

fn from_operator(preset: &OperatorPreset) -> Preset {
    Preset {
        id: preset.id,
        name: preset.name.clone(),
        version: preset.version,
        body: preset.body.clone(),
        description_zh: String::new(),
        description_en: String::new(),
        is_reconstructed: false,
        origin: PresetOrigin::Operator,
        is_withdrawn: preset.is_withdrawn,
    }
}
