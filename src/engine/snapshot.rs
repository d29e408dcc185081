//! One account at one revision, compiled and immutable.
//!
//! [`AccountSnapshot::build`] is a function of its input and the [`World`]; `previous` only saves
//! work and never shows in a decision. Nothing is changed after it is built, so readers share it
//! without locks.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::compile::CompiledPolicy;
use super::index::PolicySet;
use super::input::{
    AccountInput, AppInput, Attachment, PolicyBody, PolicyInput, PrincipalInput, PrincipalKind, Via,
};
use super::world::World;
use crate::lang::condition::ContextValue;
use crate::lang::variable::Owner;

/// What principals with the same attachments have in common.
#[derive(Debug)]
pub(super) struct Grants {
    attachments: Vec<Attachment>,
    pub(super) set: Arc<PolicySet>,
}

impl Grants {
    /// The ways in which a policy came here, sorted.
    pub(super) fn ways(&self, policy_id: u64) -> impl Iterator<Item = &Via> {
        self.attachments.iter().filter(move |it| it.policy_id == policy_id).map(|it| &it.via)
    }
}

/// One uin, as compiled. Small: an account may hold a million of them.
#[derive(Debug)]
pub(super) struct Principal {
    pub(super) uin: u64,
    pub(super) kind: PrincipalKind,
    pub(super) grants: Arc<Grants>,
    /// Set when a boundary is; an empty set is a boundary that is gone (rule D-09).
    pub(super) boundary: Option<Arc<PolicySet>>,
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
    policies: BTreeMap<u64, Arc<CompiledPolicy>>,
    sets: BTreeMap<Vec<u64>, Arc<PolicySet>>,
    /// Ascending by uin.
    principals: Vec<Principal>,
    place_of_uin: HashMap<u64, u32>,
    /// Ascending by id.
    apps: Vec<App>,
}

impl AccountSnapshot {
    /// Compiles the account. What `previous`, an earlier snapshot of the same account, holds
    /// unchanged is shared with it.
    #[must_use]
    pub fn build(input: AccountInput, world: &Arc<World>, previous: Option<&Self>) -> Self {
        let AccountInput { owner, revision, principals, policies, apps } = input;
        // Compiled forms hold catalog numbers, so another catalog makes them worthless.
        let previous = previous.filter(|it| Arc::ptr_eq(it.world.catalog(), world.catalog()));
        let reuse = |input: PolicyInput| {
            let old = previous.and_then(|it| it.policies.get(&input.id)).filter(|old| {
                let (old, new) = (old.input(), &input);
                old.version == new.version && old.name == new.name && same(&old.body, &new.body)
            });
            let policy = old.cloned();
            (
                input.id,
                policy.unwrap_or_else(|| Arc::new(CompiledPolicy::new(input, world.catalog()))),
            )
        };
        let policies = policies.into_iter().map(reuse).collect();
        let mut builder =
            Builder { world, previous, policies, sets: BTreeMap::new(), grants: HashMap::new() };
        let by_uin: BTreeMap<u64, PrincipalInput> =
            principals.into_iter().map(|it| (it.uin, it)).collect();
        let principals: Vec<Principal> =
            by_uin.into_values().map(|input| builder.principal(input)).collect();
        let place_of_uin = principals
            .iter()
            .enumerate()
            .filter_map(|(place, it)| Some((it.uin, u32::try_from(place).ok()?)))
            .collect();
        let apps: BTreeMap<u64, App> =
            apps.into_iter().map(|app| (app.sdkappid, App::new(app))).collect();
        let Builder { policies, sets, .. } = builder;
        Self {
            world: Arc::clone(world),
            owner,
            revision,
            policies,
            sets,
            principals,
            place_of_uin,
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
        self.policies.values().map(|policy| policy.input())
    }

    /// The account's own policies, compiled.
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
        self.principals.len()
    }

    /// The kind of this uin; none when the account does not have it.
    #[must_use]
    pub fn principal_kind(&self, uin: u64) -> Option<PrincipalKind> {
        self.principal(uin).map(|it| it.kind)
    }

    /// The ids of the registered apps, ascending.
    pub fn sdkappids(&self) -> impl Iterator<Item = u64> {
        self.apps.iter().map(|app| app.sdkappid)
    }

    /// The uins after `after`, ascending.
    pub(super) fn uins_after(&self, after: Option<u64>) -> impl Iterator<Item = u64> {
        let start = self.principals.partition_point(|it| after.is_some_and(|uin| it.uin <= uin));
        self.principals.iter().skip(start).map(|it| it.uin)
    }

    pub(super) fn principal(&self, uin: u64) -> Option<&Principal> {
        let place = self.place_of_uin.get(&uin)?;
        self.principals.get(usize::try_from(*place).ok()?)
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

/// The sharing that goes on while one snapshot is built.
struct Builder<'a> {
    world: &'a World,
    previous: Option<&'a AccountSnapshot>,
    policies: BTreeMap<u64, Arc<CompiledPolicy>>,
    sets: BTreeMap<Vec<u64>, Arc<PolicySet>>,
    grants: HashMap<Vec<Attachment>, Arc<Grants>>,
}

impl Builder<'_> {
    fn principal(&mut self, input: PrincipalInput) -> Principal {
        let PrincipalInput { uin, kind, attachments, boundary } = input;
        let boundary = boundary.map(|id| self.set([id]));
        Principal { uin, kind, grants: self.grants(attachments), boundary }
    }

    fn grants(&mut self, mut attachments: Vec<Attachment>) -> Arc<Grants> {
        attachments.sort_unstable();
        attachments.dedup();
        if let Some(grants) = self.grants.get(&attachments) {
            return Arc::clone(grants);
        }
        let set = self.set(attachments.iter().map(|it| it.policy_id));
        let grants = Arc::new(Grants { attachments: attachments.clone(), set });
        self.grants.insert(attachments, Arc::clone(&grants));
        grants
    }

    /// The set of these policies, given in ascending order; ids that are nobody's mean nothing.
    fn set(&mut self, ids: impl IntoIterator<Item = u64>) -> Arc<PolicySet> {
        let found = |id: u64| self.policies.get(&id).or_else(|| self.world.shared_policy(id));
        let mut policies: Vec<Arc<CompiledPolicy>> =
            ids.into_iter().filter_map(|id| found(id).cloned()).collect();
        policies.dedup_by_key(|policy| policy.input().id);
        let key: Vec<u64> = policies.iter().map(|policy| policy.input().id).collect();
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
