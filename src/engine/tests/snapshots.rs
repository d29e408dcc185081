//! Sharing inside and between snapshots.

use super::*;

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
    let first = snapshot.principal(200_000_000_000).unwrap();
    let last = snapshot.principal(200_000_000_999).unwrap();
    assert!(Arc::ptr_eq(&first.grants, &last.grants));
    assert_eq!(snapshot.principal_count(), 1_002);
    // Design section 8: at most 300 bytes; a place in the table and one in the map.
    assert!(size_of::<snapshot::Principal>() <= 40);
}

#[test]
fn what_is_unchanged_is_shared_with_the_snapshot_before() {
    let world = shipped();
    let first = AccountSnapshot::build(account(1), &world, None);
    let mut next = account(1);
    next.revision = 6;
    next.policies.push(policy(1_000_002, DENY_ALL));
    let second = AccountSnapshot::build(next.clone(), &world, Some(&first));
    let set =
        |snapshot: &AccountSnapshot| Arc::clone(&snapshot.principal(ALICE).unwrap().grants.set);
    assert!(Arc::ptr_eq(&set(&first), &set(&second)));
    assert_eq!((first.revision(), second.revision()), (5, 6));
    // Another version is compiled anew.
    next.policies[0] = PolicyInput { version: 2, ..policy(1_000_001, DENY_ALL) };
    let third = AccountSnapshot::build(next, &world, Some(&second));
    assert!(!Arc::ptr_eq(&set(&second), &set(&third)));
}

#[test]
fn the_index_proposes_few_statements_however_many_are_attached() {
    let one = |place: u64| {
        let statement = format!(
            r#"{{"effect":"allow","action":"im:*","resource":"qcs::im:::sdkappid/{}"}}"#,
            1_400_000_000 + place
        );
        policy(1_000_001 + place, &statement)
    };
    let snapshot = AccountSnapshot::build(Fixture::new((0..200).map(one)).input, &shipped(), None);
    let catalog = shipped();
    let id = catalog.catalog().action_id("im", "RemoveUser");
    let Resource::Name(name) = Resource::parse(APP1).unwrap() else { panic!("a name") };
    let set = &snapshot.principal(ALICE).unwrap().grants.set;
    assert_eq!(set.all().count(), 200);
    assert_eq!(set.candidates(id, facts::Target::Name(&name)).count(), 1);
    assert_eq!(set.candidates(id, facts::Target::Star).count(), 0);
}
