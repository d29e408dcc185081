//! Policies and their versions.

use camgate::directory::{
    BoundaryTarget, Command, CommandResult, CreatePolicyVersion, DeletePolicy, DeletePolicyVersion,
    DirectoryError, ErrorKind, PolicyId, PolicyRef, PutBoundary, SetDefaultPolicyVersion, Target,
    UpdatePolicy, VersionNumber,
};

use super::{ALICE, ALLOW, BOB, DENY, Fixture, attach, create_policy};

fn add_version(document: &str, set_default: bool) -> Command {
    let document = document.into();
    Command::CreatePolicyVersion(CreatePolicyVersion { policy: "p".into(), document, set_default })
}

fn set_default(version: u32) -> Command {
    let version = VersionNumber(version);
    Command::SetDefaultPolicyVersion(SetDefaultPolicyVersion { policy: "p".into(), version })
}

fn delete_version(version: u32) -> Command {
    let version = VersionNumber(version);
    Command::DeletePolicyVersion(DeletePolicyVersion { policy: "p".into(), version })
}

fn delete(policy: impl Into<PolicyRef>, force: bool) -> Command {
    Command::DeletePolicy(DeletePolicy { policy: policy.into(), force })
}

#[test]
fn policy_ids_start_at_a_million_and_are_never_reused() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.policy("p", ALLOW), PolicyId(1_000_000));
    fixture.done(delete("p", false));
    assert_eq!(fixture.policy("p", ALLOW), PolicyId(1_000_001));
    assert_eq!(fixture.refused(delete(PolicyId(1_000_000), true)).kind(), ErrorKind::NotFound);
    assert!(fixture.state.policies.contains_key(&PolicyId(1_000_000)), "a tombstone is left");
    assert_eq!(fixture.state.versions_of(PolicyId(1_000_000)).count(), 0);
}

#[test]
fn policy_names_have_limits_and_are_unique_also_among_presets() {
    let mut fixture = Fixture::new();
    fixture.done(create_policy(&"策".repeat(128), ALLOW));
    let error = fixture.refused(create_policy(&"策".repeat(129), ALLOW));
    assert_eq!(error.code(), "InvalidParameter.PolicyNameError");
    for name in ["", "a b", "a/b", "../x", "a\u{7f}"] {
        assert_eq!(fixture.refused(create_policy(name, ALLOW)).kind(), ErrorKind::Invalid);
    }
    for name in ["AdministratorAccess", "策".repeat(128).as_str()] {
        let error = fixture.refused(create_policy(name, ALLOW));
        assert_eq!(error.code(), "FailedOperation.PolicyNameInUse");
    }
    fixture.quotas.policies_per_account_max = 2;
    fixture.policy("p", ALLOW);
    assert_eq!(fixture.refused(create_policy("q", ALLOW)).code(), "FailedOperation.PolicyFull");
}

#[test]
fn descriptions_have_300_bytes() {
    let mut fixture = Fixture::new();
    fixture.policy("p", ALLOW);
    let describe = |text: String| {
        let (policy, description) = ("p".into(), Some(text));
        Command::UpdatePolicy(UpdatePolicy { policy, description, document: None })
    };
    fixture.done(describe("说".repeat(100)));
    fixture.idle(describe("说".repeat(100)));
    let error = fixture.refused(describe("说".repeat(101)));
    assert_eq!(error.code(), "InvalidParameter.DescriptionLengthOverlimit");
}

#[test]
fn a_bad_document_is_refused_with_all_findings() {
    // rules L-11, R-11
    let mut fixture = Fixture::new();
    let bad = r#"{"version":"3.0","statement":[{"effect":"Allow","action":"im:*",
        "resource":"qcs::im::uin/99:sdkappid/1"}]}"#;
    let error = fixture.refused(create_policy("p", bad));
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(error.code(), "InvalidParameter.VersionError");
    let codes: Vec<_> = error.findings().iter().map(|it| it.code.as_str()).collect();
    assert!(codes.contains(&"InvalidParameter.EffectError"), "{codes:?}");
    assert!(codes.contains(&"InvalidParameter.ResourceUinError"), "{codes:?}");
    let lint = ALLOW.replace("im:*", "im:NoSuchAction");
    let executed = fixture.run(&create_policy("p", &lint)).unwrap();
    assert!(!executed.findings.is_empty(), "lints do not refuse, but are told");
}

#[test]
fn the_authors_bytes_are_kept() {
    // rule L-12
    let mut fixture = Fixture::new();
    let text = ALLOW.replace(',', " ,\n\t");
    let id = fixture.policy("p", &text);
    assert_eq!(fixture.state.default_version(id).unwrap().body.bytes(), text.as_bytes());
}

#[test]
fn a_policy_has_five_versions_and_rolls_back() {
    let mut fixture = Fixture::new();
    let id = fixture.policy("p", ALLOW);
    for number in 2..=5 {
        let made = fixture.done(add_version(DENY, number == 3));
        assert_eq!(made, CommandResult::PolicyVersion(id, VersionNumber(number)));
    }
    assert_eq!(fixture.state.policy(id).unwrap().default_version, VersionNumber(3));
    let error = fixture.refused(add_version(DENY, true));
    assert_eq!(error.code(), "FailedOperation.PolicyVersionFull");
    fixture.done(set_default(1));
    fixture.idle(set_default(1));
    assert_eq!(fixture.state.default_version(id).unwrap().body.bytes(), ALLOW.as_bytes());
    let (policy, version) = (id, VersionNumber(1));
    let error = fixture.refused(delete_version(1));
    assert_eq!(error, DirectoryError::VersionIsDefault { policy, version });
    fixture.done(delete_version(5));
    assert_eq!(fixture.refused(delete_version(5)).kind(), ErrorKind::NotFound);
    assert_eq!(fixture.refused(set_default(5)).kind(), ErrorKind::NotFound);
    // A number is never used again.
    let made = fixture.done(add_version(DENY, false));
    assert_eq!(made, CommandResult::PolicyVersion(id, VersionNumber(6)));
}

#[test]
fn an_update_overwrites_the_default_version_in_place() {
    let mut fixture = Fixture::new();
    let id = fixture.policy("p", ALLOW);
    let update = |document: &str| {
        let (policy, document) = (PolicyRef::Id(id), Some(document.into()));
        Command::UpdatePolicy(UpdatePolicy { policy, description: None, document })
    };
    fixture.done(update(DENY));
    assert_eq!(fixture.state.versions_of(id).count(), 1);
    assert_eq!(fixture.state.default_version(id).unwrap().body.bytes(), DENY.as_bytes());
    fixture.idle(update(DENY));
}

#[test]
fn an_attached_policy_is_deleted_by_force_and_detached_in_the_same_changes() {
    let mut fixture = Fixture::new();
    let id = fixture.policy("p", ALLOW);
    let group = fixture.group("ops");
    fixture.attach("p", Target::User(ALICE));
    fixture.attach("p", Target::Group(group.into()));
    let error = fixture.refused(delete("p", false));
    assert_eq!(
        error.to_string(),
        "the policy `p` is attached to 1 users, 1 groups and 0 roles: detach it first, or force"
    );
    let executed = fixture.run(&delete("p", true)).unwrap();
    // Alice, the group, the tombstone, the version.
    assert_eq!(executed.changes.len(), 4, "{:?}", executed.changes);
    assert!(!fixture.state.uses_policy(id));
}

#[test]
fn a_boundary_is_not_deleted_even_by_force() {
    // rule D-09: without its boundary, bob could do more.
    let mut fixture = Fixture::new();
    let id = fixture.policy("p", ALLOW);
    fixture.done(Command::PutBoundary(PutBoundary {
        target: BoundaryTarget::User(BOB),
        policy: id.into(),
    }));
    for force in [false, true] {
        let error = fixture.refused(delete("p", force));
        assert_eq!(
            error,
            DirectoryError::PolicyIsBoundary { name: "p".into(), users: 1, roles: 0 }
        );
    }
}

#[test]
fn presets_are_read_only() {
    let mut fixture = Fixture::new();
    let error = fixture.refused(delete("AdministratorAccess", true));
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
    assert_eq!(fixture.refused(delete(PolicyId(77), true)).kind(), ErrorKind::NotFound);
    fixture.done(attach("AdministratorAccess", Target::User(ALICE)));
}
