//! A snapshot that is made from the one before by what has changed is the one that is built.

use std::collections::BTreeMap;
use std::sync::Arc;

use camgate::engine::{
    AccountChange, AccountInput, AccountSnapshot, NoTrace, PolicyInput, PrincipalInput, Request,
    Wanted, candidates, decide, explain,
};

use crate::generate::{Dice, account, request, world};

/// Chains of changes.
const CHAINS: u64 = 150;
/// Changes in a chain.
const STEPS: usize = 8;
/// Requests after each change.
const REQUESTS: usize = 6;

fn by_uin(account: &AccountInput) -> BTreeMap<u64, &PrincipalInput> {
    account.principals.iter().map(|it| (it.uin, it)).collect()
}

fn by_id(account: &AccountInput) -> BTreeMap<u64, &PolicyInput> {
    account.policies.iter().map(|it| (it.id, it)).collect()
}

/// What makes the one account the other.
fn difference(before: &AccountInput, after: &AccountInput) -> AccountChange {
    let (old, new) = (by_uin(before), by_uin(after));
    let (old_policies, new_policies) = (by_id(before), by_id(after));
    let changed = new.iter().filter(|(uin, it)| old.get(uin) != Some(it));
    let changed_policies = new_policies.iter().filter(|(id, it)| old_policies.get(id) != Some(it));
    AccountChange {
        revision: after.revision,
        principals: changed.map(|(_, it)| (*it).clone()).collect(),
        gone_principals: old.keys().filter(|uin| !new.contains_key(uin)).copied().collect(),
        policies: changed_policies.map(|(_, it)| (*it).clone()).collect(),
        gone_policies: old_policies
            .keys()
            .filter(|id| !new_policies.contains_key(id))
            .copied()
            .collect(),
        apps: (before.apps != after.apps).then(|| after.apps.clone()),
    }
}

/// An account that has a few things of another one in place of its own, as a write leaves it.
fn changed(dice: &mut Dice<'_>, mut now: AccountInput, other: &AccountInput) -> AccountInput {
    now.revision += 1;
    for _ in 0..=dice.below(3) {
        match dice.below(6) {
            0 if now.principals.len() > 2 => {
                let at = dice.below(now.principals.len());
                now.principals.remove(at);
            }
            1 if !now.policies.is_empty() => {
                let at = dice.below(now.policies.len());
                now.policies.remove(at);
            }
            2 | 3 => {
                let it = &other.principals[dice.below(other.principals.len())];
                now.principals.retain(|old| old.uin != it.uin);
                now.principals.push(it.clone());
            }
            4 if !other.policies.is_empty() => {
                let it = &other.policies[dice.below(other.policies.len())];
                now.policies.retain(|old| old.id != it.id);
                now.policies.push(it.clone());
            }
            _ => now.apps.clone_from(&other.apps),
        }
    }
    // A uin once, as in an account.
    let unique: BTreeMap<u64, PrincipalInput> =
        now.principals.into_iter().map(|it| (it.uin, it)).collect();
    now.principals = unique.into_values().collect();
    now
}

fn assert_same(updated: &AccountSnapshot, built: &AccountSnapshot, requests: &[Request]) {
    assert_eq!(updated.revision(), built.revision());
    assert_eq!(updated.principal_count(), built.principal_count());
    assert!(updated.policies().eq(built.policies()));
    assert!(updated.sdkappids().eq(built.sdkappids()));
    let everything = Wanted { service: None, kind: None };
    assert_eq!(candidates(updated, &everything), candidates(built, &everything));
    for request in requests {
        let expected = decide(built, request, &mut NoTrace);
        assert_eq!(decide(updated, request, &mut NoTrace), expected);
        assert_eq!(explain(updated, request), explain(built, request));
    }
}

#[test]
fn an_updated_snapshot_is_the_one_that_is_built() {
    let (mut shared, mut moved) = (0, 0);
    for seed in 0..CHAINS {
        let mut dice = Dice::from_seed(seed);
        let (world, mut now) = (Arc::new(world(&mut dice)), account(&mut dice).input);
        let mut snapshot = AccountSnapshot::build(now.clone(), &world, None);
        for _ in 0..STEPS {
            let other = account(&mut dice).input;
            let next = changed(&mut dice, now.clone(), &other);
            let change = difference(&now, &next);
            moved += change.principals.len();
            shared += next.principals.len() - change.principals.len();
            snapshot = snapshot.updated(change);
            let built = AccountSnapshot::build(next.clone(), &world, None);
            let requests: Vec<Request> =
                (0..REQUESTS).map(|_| request(&mut dice, world.catalog())).collect();
            assert_same(&snapshot, &built, &requests);
            now = next;
        }
    }
    assert!(moved > 500 && shared > 500, "{moved} principals moved, {shared} stayed");
}
