//! Attachments and boundaries, and what the engine gets of them.

use std::sync::Arc;

use camgate::directory::{
    AddToGroup, BoundaryTarget, Change, Command, DeleteBoundary, DetachPolicy, ErrorKind,
    PolicyBody, PolicyId, PolicyVersion, PutBoundary, Record, RecordKey, Target, UnixMillis,
    VersionNumber, snapshot_input,
};
use camgate::engine::{PolicyBody as InputBody, PrincipalKind, Via};

use super::{ALICE, ALLOW, BOB, Fixture, OWNER, attach};

fn detach(policy: PolicyId, target: Target) -> Command {
    Command::DetachPolicy(DetachPolicy { policy: policy.into(), target })
}

#[test]
fn attaching_twice_and_detaching_nothing_change_nothing() {
    let mut fixture = Fixture::new();
    let id = fixture.policy("p", ALLOW);
    fixture.idle(detach(id, Target::User(ALICE)));
    fixture.attach(id, Target::User(ALICE));
    fixture.idle(attach(id, Target::User(ALICE)));
    fixture.done(detach(id, Target::User(ALICE)));
    assert_eq!(
        fixture.refused(detach(PolicyId(77), Target::User(ALICE))).kind(),
        ErrorKind::NotFound
    );
    assert_eq!(fixture.refused(attach(id, Target::User(404))).kind(), ErrorKind::NotFound);
    let general = fixture.refused(attach("GeneralMfaRequired", Target::User(ALICE)));
    assert_eq!(general.kind(), ErrorKind::NotFound);
}

#[test]
fn attachments_keep_their_order_and_have_a_quota() {
    let mut fixture = Fixture::new();
    fixture.quotas.attachments_per_target_max = 2;
    let ids = ["c", "a", "b"].map(|name| fixture.policy(name, ALLOW));
    let group = fixture.group("ops");
    for target in [Target::User(ALICE), Target::Group(group.into())] {
        fixture.attach(ids[1], target.clone());
        fixture.attach(ids[0], target.clone());
        let error = fixture.refused(attach(ids[2], target));
        assert_eq!(error.code(), "InvalidParameter.AttachmentFull");
    }
    let attached = &fixture.state.sub_account(ALICE).unwrap().attachments;
    assert_eq!(attached.iter().map(|it| it.policy).collect::<Vec<_>>(), [ids[1], ids[0]]);
}

#[test]
fn a_boundary_is_set_replaced_and_taken_away() {
    let mut fixture = Fixture::new();
    let id = fixture.policy("p", ALLOW);
    let put = |policy: PolicyId| {
        Command::PutBoundary(PutBoundary {
            target: BoundaryTarget::User(BOB),
            policy: policy.into(),
        })
    };
    fixture.done(put(id));
    fixture.idle(put(id));
    fixture.done(put(PolicyId(1)));
    assert_eq!(fixture.state.sub_account(BOB).unwrap().boundary, Some(PolicyId(1)));
    let remove = Command::DeleteBoundary(DeleteBoundary { target: BoundaryTarget::User(BOB) });
    fixture.done(remove.clone());
    fixture.idle(remove);
}

#[test]
fn the_engine_gets_direct_and_group_policies_and_boundaries() {
    // rule D-03
    let mut fixture = Fixture::new();
    let direct = fixture.policy("direct", ALLOW);
    let through = fixture.policy("through", ALLOW);
    let group = fixture.group("运维");
    fixture.attach(direct, Target::User(ALICE));
    fixture.attach(through, Target::Group(group.into()));
    fixture.done(Command::AddToGroup(AddToGroup { group: group.into(), uin: ALICE }));
    fixture.done(Command::PutBoundary(PutBoundary {
        target: BoundaryTarget::User(ALICE),
        policy: direct.into(),
    }));
    let input = snapshot_input(&fixture.state, &fixture.presets, 7).unwrap();
    assert_eq!((input.owner, input.revision), (OWNER, 7));
    assert_eq!(input.principals[0].kind, PrincipalKind::Root);
    let alice = input.principals.iter().find(|it| it.uin == ALICE).unwrap();
    let via: Vec<_> = alice.attachments.iter().map(|it| (it.policy_id, it.via.clone())).collect();
    let name = Arc::from("运维");
    let expected = [(direct.0, Via::Direct), (through.0, Via::Group { id: group.0, name })];
    assert_eq!(via, expected);
    assert_eq!(alice.boundary, Some(direct.0));
    assert_eq!(input.policies.len(), 2);
    assert!(input.policies.iter().all(|it| matches!(it.body, InputBody::Valid(_))));
}

#[test]
fn what_cannot_be_read_or_is_missing_denies_and_what_was_deleted_means_nothing() {
    // rule D-05
    let mut fixture = Fixture::new();
    let id = fixture.policy("p", ALLOW);
    let group = fixture.group("ops");
    fixture.attach(id, Target::User(ALICE));
    fixture.done(Command::AddToGroup(AddToGroup { group: group.into(), uin: ALICE }));
    let unreadable = |fixture: &Fixture| {
        let input = snapshot_input(&fixture.state, &fixture.presets, 1).unwrap();
        let alice = input.principals.iter().find(|it| it.uin == ALICE).unwrap();
        let bad: Vec<u64> = input
            .policies
            .iter()
            .filter(|it| matches!(it.body, InputBody::Unreadable(_)))
            .map(|it| it.id)
            .collect();
        alice.attachments.iter().filter(|it| bad.contains(&it.policy_id)).count()
    };
    assert_eq!(unreadable(&fixture), 0);
    let mut damaged = fixture.clone();
    let body = PolicyBody::load(b"{\"version\":");
    assert!(body.problem().is_some());
    let (number, created_at) = (VersionNumber(1), UnixMillis(0));
    let version = PolicyVersion { policy: id, number, created_at, body };
    damaged.state.apply(&Change::Put(Record::Version(Arc::new(version))));
    assert_eq!(unreadable(&damaged), 1);
    for key in [RecordKey::Version(id, number), RecordKey::Policy(id), RecordKey::Group(group)] {
        let mut damaged = fixture.clone();
        damaged.state.apply(&Change::Delete(key));
        assert_eq!(unreadable(&damaged), 1, "{key:?}");
    }
    // A reference to a tombstone, as an older program may have left it.
    let mut deleted = fixture.clone();
    deleted.done(Command::DetachPolicy(DetachPolicy {
        policy: id.into(),
        target: Target::User(ALICE),
    }));
    deleted.done(Command::DeletePolicy(camgate::directory::DeletePolicy {
        policy: id.into(),
        force: false,
    }));
    let alice = fixture.state.record(RecordKey::SubAccount(ALICE)).unwrap();
    deleted.state.apply(&Change::Put(alice));
    assert_eq!(unreadable(&deleted), 0);
    deleted.done(detach(id, Target::User(ALICE)));
    assert!(deleted.state.sub_account(ALICE).unwrap().attachments.is_empty());
}
