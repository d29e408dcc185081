//! One account at one revision, compiled and immutable.
//!
//! [`AccountSnapshot::build`] is a function of its input and the [`World`]; `previous` only saves
//! work and never shows in a decision. Nothing is changed after it is built, so readers share it
//! without locks.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::HashMap;

use super::compile::CompiledPolicy;
use super::index::PolicySet;
use super::input::{
    AccountInput, AppInput, Attachment, PolicyBody, PolicyInput, PrincipalInput, PrincipalKind, Via,
};
use super::world::World;
use crate::lang::condition::ContextValue;
use crate::lang::variable::Owner;

/// What principals of the same kind with the same policies have in common.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    pub(super) kind: PrincipalKind,
    pub(super) set: Arc<PolicySet>,
    /// Set when a boundary is; an empty set is a boundary that is gone (rule D-09).
    pub(super) boundary: Option<Arc<PolicySet>>,
    pub(super) boundary_id: Option<u64>,
    /// Sorted, each once.
    pub(super) attachments: Arc<[Attachment]>,
    /// How many principals have it; none: the place is free.
    pub(super) users: u32,
}

impl Profile {
    /// The ways in which a policy came here, sorted.
    pub(super) fn ways(&self, policy_id: u64) -> impl Iterator<Item = &Via> {
        self.attachments.iter().filter(move |it| it.policy_id == policy_id).map(|it| &it.via)
    }
}

/// Everybody: a uin and the place of its profile. An account may hold a million of them, and a
/// decision looks up one, so there is nothing else in it.
#[derive(Debug, PartialEq, Eq, Default, Clone)]
pub(super) struct Principals {
    pub(super) profile_of_uin: HashMap<u64, u32>,
    /// Ascending.
    pub(super) uins: Vec<u64>,
}

/// One registered app, as compiled.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct App {
    pub(super) sdkappid: u64,
    /// The values of `qcs:resource_tag` (rule D-17).
    pub(super) tags: Vec<ContextValue>,
}

/// One account at one revision, compiled. Immutable.
#[derive(Debug)]
pub struct AccountSnapshot {
    pub(super) world: Arc<World>,
    pub(super) owner: Owner,
    pub(super) revision: u64,
    pub(super) policies: HashMap<u64, Arc<CompiledPolicy>>,
    /// Those of the profiles in use, by the ids of their policies.
    pub(super) sets: Sets,
    pub(super) profiles: Vec<Profile>,
    pub(super) principals: Arc<Principals>,
    /// Ascending by id.
    pub(super) apps: Arc<[App]>,
}

/// Sets of policies by the ids of those that were found.
pub(super) type Sets = HashMap<Arc<[u64]>, Arc<PolicySet>>;

impl AccountSnapshot {
    /// Compiles the account. What `previous`, an earlier snapshot of the same account, holds
    /// unchanged is shared with it.
    #[must_use]
    pub fn build(input: AccountInput, world: &Arc<World>, previous: Option<&Self>) -> Self {
        let AccountInput { owner, revision, principals, policies, apps } = input;
        // Compiled forms hold catalog numbers, so another catalog makes them worthless.
        let previous = previous.filter(|it| Arc::ptr_eq(it.world.catalog(), world.catalog()));
        let compiled = |input: PolicyInput| {
            let id = input.id;
            let old = previous.and_then(|it| it.policies.get(&id)).filter(|old| says(old, &input));
            let new = || Arc::new(CompiledPolicy::new(input, world.catalog()));
            (id, old.cloned().unwrap_or_else(new))
        };
        let policies = policies.into_iter().map(compiled).collect();
        let mut builder = Builder {
            world,
            previous,
            policies,
            sets: HashMap::default(),
            profiles: Vec::new(),
            known: HashMap::default(),
        };
        let principals = builder.principals(principals);
        let shared = previous.map(|it| &it.principals).filter(|it| ***it == principals);
        let principals = shared.cloned().unwrap_or_else(|| Arc::new(principals));
        let Builder { policies, sets, profiles, .. } = builder;
        Self {
            world: Arc::clone(world),
            owner,
            revision,
            policies,
            sets,
            profiles,
            principals,
            apps: compiled_apps(apps),
        }
    }

    /// What the account has in common with others.
    #[must_use]
    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// The root account.
    #[must_use]
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// The store's revision that this is.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The account's own policies, ascending by id; shared ones stand in the [`World`].
    pub fn policies(&self) -> impl Iterator<Item = &PolicyInput> {
        let mut policies: Vec<&PolicyInput> = self.policies.values().map(|it| it.input()).collect();
        policies.sort_unstable_by_key(|policy| policy.id);
        policies.into_iter()
    }

    /// How many statements each different set of policies has.
    pub fn set_sizes(&self) -> impl Iterator<Item = usize> {
        self.sets.values().map(|set| set.policies().iter().map(|it| it.statements().len()).sum())
    }

    /// How many policies of its own the account has.
    #[must_use]
    pub fn policy_count(&self) -> usize {
        self.policies.len()
    }

    /// The account's own policies, compiled, in any order.
    pub(super) fn compiled(&self) -> impl Iterator<Item = &CompiledPolicy> {
        self.policies.values().map(AsRef::as_ref)
    }

    /// The policies that are attached to somebody or are a boundary, some of them several times.
    pub(super) fn attached(&self) -> impl Iterator<Item = &CompiledPolicy> {
        let sets = self.profiles.iter().filter(|profile| profile.users > 0);
        sets.flat_map(|profile| [Some(&profile.set), profile.boundary.as_ref()])
            .flatten()
            .flat_map(|set| set.policies())
            .map(AsRef::as_ref)
    }

    /// How many uins the account has.
    #[must_use]
    pub fn principal_count(&self) -> usize {
        self.principals.uins.len()
    }

    /// The kind of this uin; none when the account does not have it.
    #[must_use]
    pub fn principal_kind(&self, uin: u64) -> Option<PrincipalKind> {
        self.profile(uin).map(|it| it.kind)
    }

    /// The ids of the registered apps, ascending.
    pub fn sdkappids(&self) -> impl Iterator<Item = u64> {
        self.apps.iter().map(|app| app.sdkappid)
    }

    /// Whether the app is registered in the account.
    #[must_use]
    pub fn has_app(&self, sdkappid: u64) -> bool {
        self.app(sdkappid).is_some()
    }

    /// The uins after `after`, ascending.
    pub(super) fn uins_after(&self, after: Option<u64>) -> impl Iterator<Item = u64> {
        let uins = &self.principals.uins;
        let start = uins.partition_point(|uin| after.is_some_and(|after| *uin <= after));
        uins.iter().skip(start).copied()
    }

    /// What decides for this uin; none when the account does not have it.
    #[inline]
    pub(super) fn profile(&self, uin: u64) -> Option<&Profile> {
        let place = self.principals.profile_of_uin.get(&uin)?;
        self.profiles.get(*place as usize)
    }

    pub(super) fn app(&self, sdkappid: u64) -> Option<&App> {
        let place = self.apps.binary_search_by_key(&sdkappid, |app| app.sdkappid).ok()?;
        self.apps.get(place)
    }
}

/// The apps, ascending by id.
pub(super) fn compiled_apps(apps: Vec<AppInput>) -> Arc<[App]> {
    let apps: BTreeMap<u64, App> =
        apps.into_iter().map(|app| (app.sdkappid, App::new(app))).collect();
    apps.into_values().collect()
}

impl App {
    fn new(input: AppInput) -> Self {
        let tags =
            input.tags.iter().map(|(key, value)| ContextValue::Text(format!("{key}&{value}")));
        Self { sdkappid: input.sdkappid, tags: tags.collect() }
    }
}

/// Whether a compiled policy is of the same name, version and content as this one.
pub(super) fn says(old: &CompiledPolicy, new: &PolicyInput) -> bool {
    let old = old.input();
    old.version == new.version && old.name == new.name && same(&old.body, &new.body)
}

fn same(old: &PolicyBody, new: &PolicyBody) -> bool {
    match (old, new) {
        (PolicyBody::Valid(old), PolicyBody::Valid(new)) => {
            Arc::ptr_eq(old, new) || old.document() == new.document()
        }
        (PolicyBody::Unreadable(old), PolicyBody::Unreadable(new)) => old == new,
        (PolicyBody::Valid(_), PolicyBody::Unreadable(_))
        | (PolicyBody::Unreadable(_), PolicyBody::Valid(_)) => false,
    }
}

/// Kind, attachments and boundary: principals that agree in them share a profile.
type ProfileKey = (PrincipalKind, Arc<[Attachment]>, Option<u64>);

/// What a principal's profile must be.
pub(super) fn profile_key(input: PrincipalInput) -> ProfileKey {
    let PrincipalInput { uin: _, kind, mut attachments, boundary } = input;
    attachments.sort_unstable();
    attachments.dedup();
    (kind, attachments.into(), boundary)
}

/// The sharing that goes on while one snapshot is made.
pub(super) struct Builder<'a> {
    pub(super) world: &'a World,
    pub(super) previous: Option<&'a AccountSnapshot>,
    pub(super) policies: HashMap<u64, Arc<CompiledPolicy>>,
    pub(super) sets: Sets,
    pub(super) profiles: Vec<Profile>,
    pub(super) known: HashMap<ProfileKey, u32>,
}

impl Builder<'_> {
    fn principals(&mut self, inputs: Vec<PrincipalInput>) -> Principals {
        let mut profile_of_uin = HashMap::default();
        profile_of_uin.reserve(inputs.len());
        for input in inputs {
            let uin = input.uin;
            let place = self.profile(profile_key(input));
            if let Some(before) = profile_of_uin.insert(uin, place) {
                leave(&mut self.profiles, before);
            }
        }
        let mut uins: Vec<u64> = profile_of_uin.keys().copied().collect();
        uins.sort_unstable();
        Principals { profile_of_uin, uins }
    }

    /// The place of a principal's profile, which has one more user now.
    fn profile(&mut self, key: ProfileKey) -> u32 {
        if let Some(place) = self.known.get(&key).copied() {
            join(&mut self.profiles, place);
            return place;
        }
        let profile = self.new_profile(key.clone());
        // Beyond 2^32 profiles memory has long ended.
        let place = u32::try_from(self.profiles.len()).unwrap_or(u32::MAX);
        self.profiles.push(profile);
        self.known.insert(key, place);
        place
    }

    /// A profile with one user.
    pub(super) fn new_profile(&mut self, key: ProfileKey) -> Profile {
        let (kind, attachments, boundary_id) = key;
        let set = self.set(attachments.iter().map(|it| it.policy_id));
        let boundary = boundary_id.map(|id| self.set([id]));
        Profile { kind, set, boundary, boundary_id, attachments, users: 1 }
    }

    /// The set of these policies, given in ascending order; ids that are nobody's mean nothing.
    pub(super) fn set(&mut self, ids: impl IntoIterator<Item = u64>) -> Arc<PolicySet> {
        let found = |id: u64| self.policies.get(&id).or_else(|| self.world.shared_policy(id));
        let mut policies: Vec<Arc<CompiledPolicy>> =
            ids.into_iter().filter_map(|id| found(id).cloned()).collect();
        policies.dedup_by_key(|policy| policy.input().id);
        let key: Arc<[u64]> = policies.iter().map(|policy| policy.input().id).collect();
        if let Some(set) = self.sets.get(&key) {
            return Arc::clone(set);
        }
        let unchanged = |old: &&Arc<PolicySet>| {
            let pairs = old.policies().iter().zip(&policies);
            old.policies().len() == policies.len()
                && pairs.into_iter().all(|(a, b)| Arc::ptr_eq(a, b))
        };
        let old = self.previous.and_then(|it| it.sets.get(&key)).filter(unchanged).cloned();
        let set =
            old.unwrap_or_else(|| Arc::new(PolicySet::new(policies, self.world.catalog().len())));
        self.sets.insert(key, Arc::clone(&set));
        set
    }
}

/// One more user of a profile.
pub(super) fn join(profiles: &mut [Profile], place: u32) {
    if let Some(profile) = profiles.get_mut(place as usize) {
        profile.users = profile.users.saturating_add(1);
    }
}

/// One user less.
pub(super) fn leave(profiles: &mut [Profile], place: u32) {
    if let Some(profile) = profiles.get_mut(place as usize) {
        profile.users = profile.users.saturating_sub(1);
    }
}
