//! What attached policies can do: allow, deny, or both. Plans judge their steps by it.

use super::Folder;
use super::plan::{Phase, Widening};
use crate::directory::execute::Env;
use crate::directory::id::PolicyId;
use crate::directory::policy::PolicyBody;
use crate::directory::state::AccountState;
use crate::directory::sub_account::Attachment;
use crate::lang::document::Effect;

/// A policy as a folder can name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    /// A custom policy of the account, by name.
    Custom(String),
    /// A preset, by id.
    Preset(PolicyId),
    /// A custom policy that was deleted, or whose record is missing.
    Gone(PolicyId),
}

/// The effects of the statements of some policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Effects {
    allows: bool,
    denies: bool,
}

impl Effects {
    pub(super) fn or(self, other: Self) -> Self {
        Self { allows: self.allows || other.allows, denies: self.denies || other.denies }
    }

    /// What it means when somebody gets these policies.
    pub(super) fn gained(self) -> (Phase, Widening) {
        match (self.allows, self.denies) {
            (true, _) => (Phase::Widen, Widening::Widens),
            (false, true) => (Phase::Narrow, Widening::Narrows),
            (false, false) => (Phase::Prepare, Widening::Neutral),
        }
    }

    /// What it means when somebody loses these policies.
    pub(super) fn lost(self) -> (Phase, Widening) {
        match (self.allows, self.denies) {
            (_, true) => (Phase::Release, Widening::Widens),
            (true, false) => (Phase::Narrow, Widening::Narrows),
            (false, false) => (Phase::Prepare, Widening::Neutral),
        }
    }

    fn of(body: &PolicyBody) -> Self {
        let PolicyBody::Readable(policy) = body else {
            // Whoever has it is denied everything (rule D-05).
            return Self { allows: false, denies: true };
        };
        let has = |effect| policy.statements().iter().any(|it| it.effect() == effect);
        Self { allows: has(Effect::Allow), denies: has(Effect::Deny) }
    }
}

/// What the two sides of a plan say about policies.
#[derive(Debug, Clone, Copy)]
pub(super) struct World<'a> {
    pub(super) folder: &'a Folder,
    pub(super) state: &'a AccountState,
    pub(super) env: &'a Env<'a>,
}

impl World<'_> {
    /// A stored id as a folder can name it.
    pub(super) fn named(&self, id: PolicyId) -> Named {
        match self.state.policy(id) {
            Some(policy) => Named::Custom(policy.name.clone()),
            None if id.is_custom() => Named::Gone(id),
            None => Named::Preset(id),
        }
    }

    /// A folder's name; none when it is nobody's. The folder's own policies come first.
    pub(super) fn wanted(&self, name: &str) -> Option<Named> {
        if self.folder.policies.contains_key(name) {
            return Some(Named::Custom(name.to_owned()));
        }
        Some(Named::Preset(self.env.presets.named(name)?.id))
    }

    /// What a policy can do, as it is and as it will be.
    pub(super) fn effects(&self, policy: &Named) -> Effects {
        match policy {
            Named::Custom(name) => self.custom_effects(name),
            Named::Preset(id) => match self.env.presets.get(*id) {
                Some(preset) => Effects::of(&preset.body),
                None => Effects { allows: false, denies: true },
            },
            // A tombstone means nothing; a missing record denies.
            Named::Gone(id) => {
                Effects { allows: false, denies: !self.state.policies.contains_key(id) }
            }
        }
    }

    /// What stored attachments can do together.
    pub(super) fn stored_effects(&self, attachments: &[Attachment]) -> Effects {
        let effects = attachments.iter().map(|it| self.effects(&self.named(it.policy)));
        effects.fold(Effects::default(), Effects::or)
    }

    /// The name of a policy, for people.
    pub(super) fn shown(&self, policy: &Named) -> String {
        match policy {
            Named::Custom(name) => name.clone(),
            Named::Preset(id) | Named::Gone(id) => match self.env.presets.get(*id) {
                Some(preset) => preset.name.clone(),
                None => id.to_string(),
            },
        }
    }

    fn custom_effects(&self, name: &str) -> Effects {
        let wanted = self.folder.policies.get(name).map(|bytes| PolicyBody::load(bytes));
        let wanted = wanted.as_ref().map(Effects::of).unwrap_or_default();
        let Some(policy) = self.state.policy_named(name) else { return wanted };
        let stored = match self.state.default_version(policy.id) {
            Some(version) => Effects::of(&version.body),
            None => Effects { allows: false, denies: true },
        };
        stored.or(wanted)
    }
}
