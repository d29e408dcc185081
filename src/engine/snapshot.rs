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
#[derive(Debug)]
pub(super) struct Profile {
    pub(super) kind: PrincipalKind,
    pub(super) set: Arc<PolicySet>,
    /// Set when a boundary is; an empty set is a boundary that is gone (rule D-09).
    pub(super) boundary: Option<Arc<PolicySet>>,
    /// Sorted, each once.
    attachments: Box<[Attachment]>,
}

impl Profile {
    /// The ways in which a policy came here, sorted.
    pub(super) fn ways(&self, policy_id: u64) -> impl Iterator<Item = &Via> {
        self.attachments.iter().filter(move |it| it.policy_id == policy_id).map(|it| &it.via)
    }
}

/// Everybody: a uin and the place of its profile. An account may hold a million of them, and a
/// decision looks up one, so there is nothing else in it.
#[derive(Debug, PartialEq, Eq, Default)]
struct Principals {
    profile_of_uin: HashMap<u64, u32>,
    /// Ascending.
    uins: Box<[u64]>,
}

/// One registered app, as compiled.
#[derive(Debug)]
pub(super) struct App {
    pub(super) sdkappid: u64,
    /// The values of `qcs:resource_tag` (rule D-17).
    pub(super) tags: Vec<ContextValue>,
}

/// One account at one revision, compiled. Immutable.
#[derive(Debug)]
pub struct AccountSnapshot {
    world: Arc<World>,
    owner: Owner,
    revision: u64,
    policies: HashMap<u64, Arc<CompiledPolicy>>,
    /// By the ids of their policies.
    sets: HashMap<Box<[u64]>, Arc<PolicySet>>,
    profiles: Box<[Profile]>,
    principals: Arc<Principals>,
    /// Ascending by id.
    apps: Box<[App]>,
}

impl AccountSnapshot {
    /// Compiles the account. What `previous`, an earlier snapshot of the same account, holds
    /// unchanged is shared with it.
    #[must_use]
    pub fn build(input: AccountInput, world: &Arc<World>, previous: Option<&Self>) -> Self {
        let AccountInput { owner, revision, principals, policies, apps } = input;
        // Compiled forms hold catalog numbers, so another catalog makes them worthless.
        let previous = previous.filter(|it| Arc::ptr_eq(it.world.catalog(), world.catalog()));
        let compiled = |input: PolicyInput| {
            let old = previous.and_then(|it| it.policies.get(&input.id)).filter(|old| {
                let (old, new) = (old.input(), &input);
                old.version == new.version && old.name == new.name && same(&old.body, &new.body)
            });
            let id = input.id;
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
        let apps: BTreeMap<u64, App> =
            apps.into_iter().map(|app| (app.sdkappid, App::new(app))).collect();
        let Builder { policies, sets, profiles, .. } = builder;
        Self {
            world: Arc::clone(world),
            owner,
            revision,
            policies,
            sets,
            profiles: profiles.into(),
            principals,
            apps: apps.into_values().collect(),
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

    /// The account's own policies, compiled, in any order.
    pub(super) fn compiled(&self) -> impl Iterator<Item = &CompiledPolicy> {
        self.policies.values().map(AsRef::as_ref)
    }

    /// The policies that are attached to somebody or are a boundary, some of them several times.
    pub(super) fn attached(&self) -> impl Iterator<Item = &CompiledPolicy> {
        self.sets.values().flat_map(|set| set.policies()).map(AsRef::as_ref)
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

impl App {
    fn new(input: AppInput) -> Self {
        let tags =
            input.tags.iter().map(|(key, value)| ContextValue::Text(format!("{key}&{value}")));
        Self { sdkappid: input.sdkappid, tags: tags.collect() }
    }
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
type ProfileKey = (PrincipalKind, Box<[Attachment]>, Option<u64>);

/// The sharing that goes on while one snapshot is built.
struct Builder<'a> {
    world: &'a World,
    previous: Option<&'a AccountSnapshot>,
    policies: HashMap<u64, Arc<CompiledPolicy>>,
    sets: HashMap<Box<[u64]>, Arc<PolicySet>>,
    profiles: Vec<Profile>,
    known: HashMap<ProfileKey, u32>,
}

impl Builder<'_> {
    fn principals(&mut self, inputs: Vec<PrincipalInput>) -> Principals {
        let mut profile_of_uin = HashMap::default();
        profile_of_uin.reserve(inputs.len());
        for input in inputs {
            let uin = input.uin;
            profile_of_uin.insert(uin, self.profile(input));
        }
        let mut uins: Box<[u64]> = profile_of_uin.keys().copied().collect();
        uins.sort_unstable();
        Principals { profile_of_uin, uins }
    }

    /// The place of the principal's profile.
    fn profile(&mut self, input: PrincipalInput) -> u32 {
        let PrincipalInput { uin: _, kind, mut attachments, boundary } = input;
        attachments.sort_unstable();
        attachments.dedup();
        let key = (kind, attachments.into_boxed_slice(), boundary);
        if let Some(place) = self.known.get(&key) {
            return *place;
        }
        let set = self.set(key.1.iter().map(|it| it.policy_id));
        let boundary = boundary.map(|id| self.set([id]));
        // Beyond 2^32 profiles memory has long ended.
        let place = u32::try_from(self.profiles.len()).unwrap_or(u32::MAX);
        self.profiles.push(Profile { kind, set, boundary, attachments: key.1.clone() });
        self.known.insert(key, place);
        place
    }

    /// The set of these policies, given in ascending order; ids that are nobody's mean nothing.
    fn set(&mut self, ids: impl IntoIterator<Item = u64>) -> Arc<PolicySet> {
        let found = |id: u64| self.policies.get(&id).or_else(|| self.world.shared_policy(id));
        let mut policies: Vec<Arc<CompiledPolicy>> =
            ids.into_iter().filter_map(|id| found(id).cloned()).collect();
        policies.dedup_by_key(|policy| policy.input().id);
        let key: Box<[u64]> = policies.iter().map(|policy| policy.input().id).collect();
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
