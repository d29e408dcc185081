//! Sharing inside and between snapshots.

use super::*;
use crate::engine::index::Kind;
use crate::lang::variable::Variables;

fn account(count: u64) -> AccountInput {
    let mut input = Fixture::of(ALLOW_ALL).input;
    for place in 0..count {
        let attachment = Attachment { policy_id: 1_000_001, via: Via::Direct };
        input.principals.push(PrincipalInput {
            uin: 200_000_000_000 + place,
            kind: PrincipalKind::SubUser,
            attachments: vec![attachment],
            boundary: None,
        });
    }
    input
}

#[test]
fn principals_with_the_same_policies_share_one_set() {
    let snapshot = AccountSnapshot::build(account(1_000), &shipped(), None);
    let first = snapshot.profile(200_000_000_000).unwrap();
    let last = snapshot.profile(200_000_000_999).unwrap();
    assert!(std::ptr::eq(first, last));
    assert_eq!(snapshot.principal_count(), 1_002);
}

#[test]
fn what_is_unchanged_is_shared_with_the_snapshot_before() {
    let world = shipped();
    let first = AccountSnapshot::build(account(1), &world, None);
    let mut next = account(1);
    next.revision = 6;
    next.policies.push(policy(1_000_002, DENY_ALL));
    let second = AccountSnapshot::build(next.clone(), &world, Some(&first));
    let set = |snapshot: &AccountSnapshot| Arc::clone(&snapshot.profile(ALICE).unwrap().set);
    assert!(Arc::ptr_eq(&set(&first), &set(&second)));
    assert_eq!((first.revision(), second.revision()), (5, 6));
    // Another version is compiled anew.
    next.policies[0] = PolicyInput { version: 2, ..policy(1_000_001, DENY_ALL) };
    let third = AccountSnapshot::build(next, &world, Some(&second));
    assert!(!Arc::ptr_eq(&set(&second), &set(&third)));
}

#[test]
fn the_index_finds_what_matches_however_much_is_attached() {
    let one = |place: u64| {
        let statement = format!(
            r#"{{"effect":"allow","action":"im:*","resource":"qcs::im:::sdkappid/{}"}}"#,
            1_400_000_000 + place
        );
        policy(1_000_001 + place, &statement)
    };
    let snapshot = AccountSnapshot::build(Fixture::new((0..200).map(one)).input, &shipped(), None);
    let Resource::Name(name) = Resource::parse(APP1).unwrap() else { panic!("a name") };
    let set = &snapshot.profile(ALICE).unwrap().set;
    assert_eq!(set.all().count(), 200);
    // Allows and statements that are left to be tested.
    let found = |action: &str, target| {
        let asked = Fixture::new([]).request(ALICE, action, APP1).unwrap();
        let variables = Variables { uin: ALICE, owner: snapshot.owner() };
        let mut found = (0, 0);
        asked.checked(|checked| {
            let overlay = facts::Overlay::new(&snapshot, checked, target);
            let question = evaluate::Question {
                action_id: asked.action_id(snapshot.world().catalog()),
                target,
                variables: &variables,
                overlay: &overlay,
            };
            set.find(&question, |kind, items| match kind {
                Kind::Allow => found.0 += items.len(),
                Kind::Conditional | Kind::Untested => found.1 += items.len(),
                Kind::Deny => {}
            });
        });
        found
    };
    let name = name.by_ref();
    let (one, star) = (facts::Target::Name(&name), facts::Target::Star);
    assert_eq!(found("im:DescribeConfInfo", one), (1, 0));
    // The manual's own example is in no catalog.
    assert_eq!(found("im:RemoveUser", one), (0, 1));
    assert_eq!(found("im:DescribeConfInfo", star), (0, 0));
}
