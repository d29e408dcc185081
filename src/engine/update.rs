//! From one snapshot to the next by what has changed: the cost is that of the change, not that of
//! the account, but for copying its tables.
//!
//! What comes out is what [`AccountSnapshot::build`] makes of the whole account; nothing of the
//! snapshot before is touched. It looks up nothing and checks nothing, as `build` does not.

use std::collections::BTreeSet;
use std::sync::Arc;

use foldhash::{HashMap, HashSet};

use super::compile::CompiledPolicy;
use super::index::PolicySet;
use super::input::{AppInput, PolicyInput, PrincipalInput};
use super::snapshot::{
    AccountSnapshot, Builder, Profile, compiled_apps, join, leave, profile_key, says,
};

/// What is different in an account at a later revision.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountChange {
    /// The store's revision that comes out.
    pub revision: u64,
    /// Principals that are new or other than before, as they are now; each uin once.
    pub principals: Vec<PrincipalInput>,
    /// Principals that are gone.
    pub gone_principals: Vec<u64>,
    /// Policies of the account that are new or other than before, as they are now.
    pub policies: Vec<PolicyInput>,
    /// Policies of the account that are gone.
    pub gone_policies: Vec<u64>,
    /// All apps, when any of them is other than before.
    pub apps: Option<Vec<AppInput>>,
}

impl AccountSnapshot {
    /// The account after a change.
    #[must_use]
    pub fn updated(&self, change: AccountChange) -> Self {
        let AccountChange { revision, principals, gone_principals, policies, gone_policies, apps } =
            change;
        let mut builder = Builder {
            world: &self.world,
            previous: None,
            policies: self.policies.clone(),
            sets: self.sets.clone(),
            profiles: self.profiles.clone(),
            known: HashMap::default(),
        };
        let touched = builder.change_policies(policies, gone_policies);
        builder.change_profiles(&touched);
        let principals = self.changed_principals(&mut builder, principals, &gone_principals);
        builder.drop_unused_sets();
        let Builder { policies, sets, profiles, .. } = builder;
        Self {
            world: Arc::clone(&self.world),
            owner: self.owner,
            revision,
            policies,
            sets,
            profiles,
            principals: principals.unwrap_or_else(|| Arc::clone(&self.principals)),
            apps: apps.map_or_else(|| Arc::clone(&self.apps), compiled_apps),
        }
    }

    /// Whether two snapshots are made of the same account: what debug builds ask after an update.
    #[must_use]
    pub fn is_same_account(&self, other: &Self) -> bool {
        let policies = |it: &Self| -> Vec<PolicyInput> { it.policies().cloned().collect() };
        let is_same_profile = |uin: u64| match (self.profile(uin), other.profile(uin)) {
            (Some(own), Some(others)) => {
                own.kind == others.kind
                    && own.boundary_id == others.boundary_id
                    && own.attachments == others.attachments
                    && own.set.is_same(&others.set)
                    && match (&own.boundary, &others.boundary) {
                        (Some(own), Some(others)) => own.is_same(others),
                        (own, others) => own.is_none() && others.is_none(),
                    }
            }
            (own, others) => own.is_none() && others.is_none(),
        };
        (self.owner, self.revision) == (other.owner, other.revision)
            && self.principals.uins == other.principals.uins
            && self.principals.uins.iter().all(|uin| is_same_profile(*uin))
            && self.apps == other.apps
            && policies(self) == policies(other)
    }

    /// Everybody after the change; none when the same uins have the same profiles as before.
    fn changed_principals(
        &self,
        builder: &mut Builder<'_>,
        changed: Vec<PrincipalInput>,
        gone: &[u64],
    ) -> Option<Arc<super::snapshot::Principals>> {
        let mut after: Option<super::snapshot::Principals> = None;
        for input in changed {
            let uin = input.uin;
            let before = self.principals.profile_of_uin.get(&uin).copied();
            let place = builder.moved_to(before, input);
            if before != Some(place) {
                let after = after.get_or_insert_with(|| (*self.principals).clone());
                after.profile_of_uin.insert(uin, place);
                if let Err(at) = after.uins.binary_search(&uin) {
                    after.uins.insert(at, uin);
                }
            }
        }
        for uin in gone {
            let after = after.get_or_insert_with(|| (*self.principals).clone());
            if let Some(place) = after.profile_of_uin.remove(uin) {
                leave(&mut builder.profiles, place);
            }
            if let Ok(at) = after.uins.binary_search(uin) {
                after.uins.remove(at);
            }
        }
        after.map(Arc::new)
    }
}

impl Builder<'_> {
    /// Puts the policies in their places; the ids of those that are other than before.
    fn change_policies(&mut self, changed: Vec<PolicyInput>, gone: Vec<u64>) -> BTreeSet<u64> {
        let mut touched = BTreeSet::new();
        for input in changed {
            let id = input.id;
            if self.policies.get(&id).is_some_and(|old| says(old, &input)) {
                continue;
            }
            let compiled = CompiledPolicy::new(input, self.world.catalog());
            self.policies.insert(id, Arc::new(compiled));
            touched.insert(id);
        }
        for id in gone {
            if self.policies.remove(&id).is_some() {
                touched.insert(id);
            }
        }
        touched
    }

    /// Makes the profiles that name one of these policies anew.
    fn change_profiles(&mut self, touched: &BTreeSet<u64>) {
        if touched.is_empty() {
            return;
        }
        self.sets.retain(|ids, _| !ids.iter().any(|id| touched.contains(id)));
        let mut profiles = std::mem::take(&mut self.profiles);
        for profile in profiles.iter_mut().filter(|profile| profile.users > 0) {
            let names = profile.attachments.iter().any(|it| touched.contains(&it.policy_id));
            if names || profile.boundary_id.is_some_and(|id| touched.contains(&id)) {
                let key = (profile.kind, Arc::clone(&profile.attachments), profile.boundary_id);
                *profile = Profile { users: profile.users, ..self.new_profile(key) };
            }
        }
        self.profiles = profiles;
    }

    /// Where a principal's profile is now, which was at `before`.
    fn moved_to(&mut self, before: Option<u32>, input: PrincipalInput) -> u32 {
        let key = profile_key(input);
        let is_wanted = |profile: &Profile| {
            profile.users > 0
                && profile.kind == key.0
                && profile.attachments == key.1
                && profile.boundary_id == key.2
        };
        let known = self.profiles.iter().position(is_wanted);
        if let Some(before) = before {
            leave(&mut self.profiles, before);
        }
        if let Some(place) = known.and_then(|place| u32::try_from(place).ok()) {
            join(&mut self.profiles, place);
            return place;
        }
        let profile = self.new_profile(key);
        let free = self.profiles.iter().position(|profile| profile.users == 0);
        let place = free.unwrap_or(self.profiles.len());
        match self.profiles.get_mut(place) {
            Some(free) => *free = profile,
            None => self.profiles.push(profile),
        }
        u32::try_from(place).unwrap_or(u32::MAX)
    }

    fn drop_unused_sets(&mut self) {
        let used = self.profiles.iter().filter(|profile| profile.users > 0);
        let used: HashSet<*const PolicySet> = used
            .flat_map(|profile| [Some(&profile.set), profile.boundary.as_ref()])
            .flatten()
            .map(Arc::as_ptr)
            .collect();
        self.sets.retain(|_, set| used.contains(&Arc::as_ptr(set)));
    }
}
