//! Roles: their life, their trust policies, what they hold, and what stands in the way.

use std::collections::BTreeMap;

use camgate::directory::{
    BoundaryTarget, Command, DeleteBoundary, DeletePolicy, DeleteRole, DetachPolicy,
    DirectoryError, ErrorKind, PutBoundary, RoleId, TagRole, Target, UntagRole, UpdateRole,
    snapshot_input,
};
use camgate::engine::PrincipalKind;

use super::{ALLOW, Fixture, TRUST, attach, create_role};

fn update(role: &str) -> UpdateRole {
    UpdateRole {
        role: role.into(),
        description: None,
        trust_policy: None,
        session_duration_s: None,
        console_login: None,
    }
}

fn delete(role: &str, force: bool) -> Command {
    Command::DeleteRole(DeleteRole { role: role.into(), force })
}

fn tag(pairs: &[(&str, &str)]) -> Command {
    let tags = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Command::TagRole(TagRole { role: "deployer".into(), tags: tags.collect() })
}

#[test]
fn ids_have_nineteen_digits_and_are_never_used_again() {
    let mut fixture = Fixture::new();
    let first = fixture.role("deployer");
    assert_eq!(first, RoleId(4_611_686_018_427_387_904));
    assert_eq!(first.to_string().len(), 19);
    assert!(RoleId::is_role(first.0) && !RoleId::is_role((1 << 53) - 1));
    fixture.done(delete("deployer", false));
    assert_eq!(fixture.role("deployer"), RoleId(first.0 + 1));
    let by_id = DeleteRole { role: first.into(), force: true };
    let error = fixture.refused(Command::DeleteRole(by_id));
    assert_eq!(error.code(), "InvalidParameter.RoleNotExist");
}

#[test]
fn names_documents_and_durations_are_checked() {
    let mut fixture = Fixture::new();
    fixture.role("deployer");
    let error = fixture.refused(create_role("deployer"));
    assert_eq!(error.code(), "InvalidParameter.RoleNameInUse");
    let long = "r".repeat(129);
    for name in ["", "two words", &long] {
        assert_eq!(fixture.refused(create_role(name)).code(), "InvalidParameter.RoleNameError");
    }
    fixture.done(create_role(&"r".repeat(128)));
    // An identity policy names nobody who could assume the role.
    let mut command = update("deployer");
    command.trust_policy = Some(ALLOW.as_bytes().to_vec());
    let error = fixture.refused(Command::UpdateRole(command));
    assert!(matches!(error, DirectoryError::BadDocument { .. }), "{error}");
    let mut command = update("deployer");
    command.session_duration_s = Some(43_201);
    let error = fixture.refused(Command::UpdateRole(command.clone()));
    assert_eq!(error.code(), "InvalidParameter.ParamError");
    command.session_duration_s = Some(43_200);
    fixture.done(Command::UpdateRole(command));
    let mut command = update("deployer");
    command.description = Some("字".repeat(101));
    let error = fixture.refused(Command::UpdateRole(command));
    assert_eq!(error.code(), "InvalidParameter.DescriptionLengthOverlimit");
    let nothing = fixture.refused(Command::UpdateRole(update("deployer")));
    assert_eq!(nothing.kind(), ErrorKind::Invalid);
}

#[test]
fn an_update_changes_what_it_names_and_keeps_the_text() {
    let mut fixture = Fixture::new();
    let id = fixture.role("deployer");
    assert_eq!(fixture.state.role(id).unwrap().trust.bytes(), TRUST.as_bytes());
    let text = TRUST.replace(":root", ":uin/100000001");
    let command = UpdateRole {
        description: Some("部署".to_owned()),
        trust_policy: Some(text.clone().into_bytes()),
        console_login: Some(true),
        ..update("deployer")
    };
    fixture.done(Command::UpdateRole(command.clone()));
    let role = fixture.state.role(id).unwrap();
    assert_eq!((role.description.as_str(), role.console_login), ("部署", true));
    assert_eq!(role.trust.bytes(), text.as_bytes());
    assert!(role.updated_at > role.created_at);
    fixture.idle(Command::UpdateRole(command));
}

#[test]
fn tags_come_and_go_by_key() {
    let mut fixture = Fixture::new();
    let id = fixture.role("deployer");
    fixture.done(tag(&[("team", "im"), ("env", "prod")]));
    fixture.done(tag(&[("env", "test")]));
    fixture.idle(tag(&[("env", "test")]));
    let keys = vec!["team".to_owned(), "unknown".to_owned()];
    let untag = Command::UntagRole(UntagRole { role: "deployer".into(), keys });
    fixture.done(untag.clone());
    fixture.idle(untag);
    let expected = BTreeMap::from([("env".to_owned(), "test".to_owned())]);
    assert_eq!(fixture.state.role(id).unwrap().tags, expected);
    fixture.quotas.tags_per_role_max = 2;
    let error = fixture.refused(tag(&[("a", ""), ("b", "")]));
    assert_eq!(error.code(), "InvalidParameter.TagLimitExceeded");
    assert_eq!(fixture.refused(tag(&[("a&b", "")])).kind(), ErrorKind::Invalid);
}

#[test]
fn quotas_hold_at_n_and_refuse_n_plus_one() {
    let mut fixture = Fixture::new();
    fixture.quotas.roles_per_account_max = 1;
    fixture.quotas.attachments_per_target_max = 1;
    fixture.role("deployer");
    assert_eq!(fixture.refused(create_role("other")).code(), "InvalidParameter.RoleFull");
    let target = || Target::Role("deployer".into());
    let (p, q) = (fixture.policy("p", ALLOW), fixture.policy("q", ALLOW));
    fixture.attach(p, target());
    fixture.idle(attach(p, target()));
    assert_eq!(fixture.refused(attach(q, target())).code(), "InvalidParameter.AttachmentFull");
    let detach = Command::DetachPolicy(DetachPolicy { policy: p.into(), target: target() });
    fixture.done(detach.clone());
    fixture.idle(detach);
    fixture.attach(q, target());
}

#[test]
fn a_role_in_use_is_deleted_only_by_force() {
    let mut fixture = Fixture::new();
    let policy = fixture.policy("p", ALLOW);
    fixture.role("deployer");
    fixture.attach(policy, Target::Role("deployer".into()));
    let error = fixture.refused(delete("deployer", false));
    assert_eq!(error.kind(), ErrorKind::InUse);
    fixture.done(delete("deployer", true));
    assert!(fixture.state.roles.is_empty() && !fixture.state.uses_policy(policy));
}

#[test]
fn a_policy_of_a_role_is_in_use() {
    let mut fixture = Fixture::new();
    let policy = fixture.policy("p", ALLOW);
    let id = fixture.role("deployer");
    fixture.attach(policy, Target::Role(id.into()));
    let delete = |force| Command::DeletePolicy(DeletePolicy { policy: policy.into(), force });
    let error = fixture.refused(delete(false));
    let expected =
        DirectoryError::PolicyAttached { name: "p".into(), users: 0, groups: 0, roles: 1 };
    assert_eq!(error, expected);
    let target = || BoundaryTarget::Role(id.into());
    let bound = Command::PutBoundary(PutBoundary { target: target(), policy: policy.into() });
    fixture.done(bound.clone());
    fixture.idle(bound);
    let error = fixture.refused(delete(true));
    assert_eq!(error, DirectoryError::PolicyIsBoundary { name: "p".into(), users: 0, roles: 1 });
    let unbound = Command::DeleteBoundary(DeleteBoundary { target: target() });
    fixture.done(unbound.clone());
    fixture.idle(unbound);
    fixture.done(delete(true));
    assert!(fixture.state.role(id).unwrap().attachments.is_empty());
}

#[test]
fn a_role_is_a_principal_with_policies_and_a_boundary() {
    // rule D-21
    let mut fixture = Fixture::new();
    let policy = fixture.policy("p", ALLOW);
    let id = fixture.role("deployer");
    fixture.attach(policy, Target::Role(id.into()));
    let target = BoundaryTarget::Role(id.into());
    fixture.done(Command::PutBoundary(PutBoundary { target, policy: policy.into() }));
    let input = snapshot_input(&fixture.state, &fixture.presets, 1).unwrap();
    let role = input.principals.iter().find(|it| it.uin == id.0).unwrap();
    assert_eq!(role.kind, PrincipalKind::Role);
    assert_eq!(role.attachments.len(), 1);
    assert_eq!(role.boundary, Some(policy.0));
}
