//! Random command sequences keep what must always be true of an account.

use std::collections::{BTreeMap, BTreeSet};

use camgate::directory::{
    AccountState, AddToGroup, AttachPolicy, Attachment, BoundaryTarget, Command, CommandResult,
    CreateAccessKey, CreateApp, CreateGroup, CreatePolicy, CreatePolicyVersion, CreateRole,
    CreateSubAccount, DeleteAccessKey, DeleteApp, DeleteBoundary, DeleteGroup, DeletePolicy,
    DeletePolicyVersion, DeleteRole, DeleteSubAccount, DetachPolicy, Executed, KeyStatus,
    PasswordHash, PolicyId, PolicyRef, Profile, ProfileUpdate, PutBoundary, RemoveFromGroup,
    RoleId, RoleRef, SealedSecret, SetDefaultPolicyVersion, SubAccountKind, TagRole, Target,
    UntagRole, UpdateAccessKey, UpdatePolicy, UpdateRole, UpdateSubAccount, VersionNumber, execute,
    execute_all, snapshot_input,
};
use proptest::prelude::*;

use super::{ALLOW, DENY, Fixture, OWNER, TRUST, secret_id};

/// A small pool of names, so that commands meet each other; the last one is refused.
pub(crate) const NAMES: [&str; 5] = ["a", "b", "运营", "策略-1", "bad name"];

pub(crate) fn name() -> impl Strategy<Value = String> {
    prop::sample::select(NAMES.as_slice()).prop_map(str::to_owned)
}

pub(crate) fn uin() -> impl Strategy<Value = u64> {
    100_000_001_u64..100_000_006
}

pub(crate) fn document() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(vec![ALLOW, DENY, "{"]).prop_map(|text| text.as_bytes().to_vec())
}

pub(crate) fn policy() -> impl Strategy<Value = PolicyRef> {
    prop_oneof![
        4 => name().prop_map(PolicyRef::Name),
        2 => (1_000_000_u64..1_000_006).prop_map(|id| PolicyRef::Id(PolicyId(id))),
        1 => (1_u64..6).prop_map(|id| PolicyRef::Id(PolicyId(id))),
    ]
}

pub(crate) fn group() -> impl Strategy<Value = camgate::directory::GroupRef> {
    name().prop_map(|name| name.as_str().into())
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        uin().prop_map(Target::User),
        group().prop_map(Target::Group),
        role().prop_map(Target::Role),
    ]
}

pub(crate) fn role() -> impl Strategy<Value = RoleRef> {
    prop_oneof![
        3 => name().prop_map(RoleRef::Name),
        1 => (0_u64..4).prop_map(|n| RoleRef::Id(RoleId(RoleId::MIN.0 + n))),
    ]
}

pub(crate) fn bounded() -> impl Strategy<Value = BoundaryTarget> {
    prop_oneof![uin().prop_map(BoundaryTarget::User), role().prop_map(BoundaryTarget::Role)]
}

pub(crate) fn trust() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(vec![TRUST, ALLOW]).prop_map(|text| text.as_bytes().to_vec())
}

fn roles() -> BoxedStrategy<Command> {
    prop_oneof![
        3 => (name(), description(), trust(), 0_u32..50_000, any::<bool>()).prop_map(
            |(name, description, trust_policy, session_duration_s, console_login)| {
                let tags = BTreeMap::from([("team".to_owned(), name.clone())]);
                Command::CreateRole(CreateRole {
                    name,
                    description,
                    trust_policy,
                    session_duration_s,
                    console_login,
                    tags,
                })
            }
        ),
        1 => (role(), prop::option::of(description()), prop::option::of(trust())).prop_map(
            |(role, description, trust_policy)| {
                let (session_duration_s, console_login) = (Some(7_200), None);
                Command::UpdateRole(UpdateRole {
                    role,
                    description,
                    trust_policy,
                    session_duration_s,
                    console_login,
                })
            }
        ),
        1 => (role(), any::<bool>())
            .prop_map(|(role, force)| Command::DeleteRole(DeleteRole { role, force })),
        1 => (role(), name(), name()).prop_map(|(role, key, value)| {
            Command::TagRole(TagRole { role, tags: BTreeMap::from([(key, value)]) })
        }),
        1 => (role(), name())
            .prop_map(|(role, key)| Command::UntagRole(UntagRole { role, keys: vec![key] })),
    ]
    .boxed()
}

fn access_keys() -> BoxedStrategy<Command> {
    let holder = prop_oneof![3 => uin(), 1 => Just(OWNER.uin)];
    let holder_wanted = || prop::option::of(uin());
    let id = (0_u8..5).prop_map(secret_id);
    let status = prop_oneof![Just(KeyStatus::Active), Just(KeyStatus::Inactive)];
    prop_oneof![
        3 => (holder, id.clone(), name()).prop_map(|(holder, secret_id, description)| {
            let sealed_secret = SealedSecret(description.as_bytes().into());
            Command::CreateAccessKey(CreateAccessKey {
                holder,
                secret_id,
                sealed_secret,
                description,
            })
        }),
        1 => (id.clone(), holder_wanted(), status).prop_map(|(secret_id, holder, status)| {
            let (status, description) = (Some(status), None);
            Command::UpdateAccessKey(UpdateAccessKey { secret_id, holder, status, description })
        }),
        1 => (id, holder_wanted()).prop_map(|(secret_id, holder)| {
            Command::DeleteAccessKey(DeleteAccessKey { secret_id, holder })
        }),
    ]
    .boxed()
}

fn profile() -> impl Strategy<Value = Profile> {
    (any::<bool>(), any::<bool>(), prop::option::of(Just("$argon2id$".to_owned()))).prop_map(
        |(console_login, need_reset_password, hash)| Profile {
            console_login,
            need_reset_password,
            password_hash: hash.map(PasswordHash),
            phone_num: "13800000000".to_owned(),
            country_code: "86".to_owned(),
            email: "someone@example.com".to_owned(),
        },
    )
}

fn version() -> impl Strategy<Value = VersionNumber> {
    (1_u32..7).prop_map(VersionNumber)
}

fn users_and_groups() -> BoxedStrategy<Command> {
    prop_oneof![
        (uin(), name(), name(), profile()).prop_map(|(uin, name, remark, profile)| {
            // The kind goes with the uin, so that two random accounts can be planned into another.
            let kind = SubAccountKind::ALL[usize::try_from(uin % 4).unwrap()];
            Command::CreateSubAccount(CreateSubAccount { uin, name, kind, remark, profile })
        }),
        (uin(), name()).prop_map(|(uin, name)| {
            let profile = ProfileUpdate { console_login: Some(false), ..ProfileUpdate::default() };
            let (name, remark) = (Some(name), None);
            Command::UpdateSubAccount(UpdateSubAccount { uin, name, remark, profile })
        }),
        (uin(), any::<bool>(), any::<bool>()).prop_map(|(uin, force, delete_keys)| {
            Command::DeleteSubAccount(DeleteSubAccount { uin, force, delete_keys })
        }),
        name().prop_map(|name| Command::CreateGroup(CreateGroup { remark: name.clone(), name })),
        (group(), any::<bool>())
            .prop_map(|(group, force)| Command::DeleteGroup(DeleteGroup { group, force })),
        (group(), uin()).prop_map(|(group, uin)| Command::AddToGroup(AddToGroup { group, uin })),
        (group(), uin())
            .prop_map(|(group, uin)| Command::RemoveFromGroup(RemoveFromGroup { group, uin })),
        (1_u64..4, name()).prop_map(|(sdkappid, name)| {
            let tags = BTreeMap::from([("team".to_owned(), name.clone())]);
            Command::CreateApp(CreateApp { sdkappid, name, tags })
        }),
        (1_u64..4).prop_map(|sdkappid| Command::DeleteApp(DeleteApp { sdkappid })),
    ]
    .boxed()
}

pub(crate) fn description() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), Just("说明".to_owned()), Just("app \"team\"".to_owned())]
}

fn policies() -> BoxedStrategy<Command> {
    prop_oneof![
        3 => (name(), description(), document()).prop_map(|(name, description, document)| {
            let tags = BTreeMap::new();
            Command::CreatePolicy(CreatePolicy { name, description, document, tags })
        }),
        1 => (policy(), prop::option::of(description()), document()).prop_map(
            |(policy, description, document)| {
                let document = Some(document);
                Command::UpdatePolicy(UpdatePolicy { policy, description, document })
            }
        ),
        2 => (policy(), document(), any::<bool>()).prop_map(|(policy, document, set_default)| {
            Command::CreatePolicyVersion(CreatePolicyVersion { policy, document, set_default })
        }),
        1 => (policy(), version()).prop_map(|(policy, version)| {
            Command::SetDefaultPolicyVersion(SetDefaultPolicyVersion { policy, version })
        }),
        1 => (policy(), version()).prop_map(|(policy, version)| {
            Command::DeletePolicyVersion(DeletePolicyVersion { policy, version })
        }),
        1 => (policy(), any::<bool>())
            .prop_map(|(policy, force)| Command::DeletePolicy(DeletePolicy { policy, force })),
        3 => (policy(), target())
            .prop_map(|(policy, target)| Command::AttachPolicy(AttachPolicy { policy, target })),
        1 => (policy(), target())
            .prop_map(|(policy, target)| Command::DetachPolicy(DetachPolicy { policy, target })),
        1 => (bounded(), policy())
            .prop_map(|(target, policy)| Command::PutBoundary(PutBoundary { target, policy })),
        1 => bounded().prop_map(|target| Command::DeleteBoundary(DeleteBoundary { target })),
    ]
    .boxed()
}

/// One command, about things of small pools of names.
pub(crate) fn command() -> impl Strategy<Value = Command> {
    prop_oneof![4 => users_and_groups(), 4 => policies(), 2 => roles(), 1 => access_keys()]
}

/// Up to forty commands, of which many are refused.
pub(crate) fn commands() -> impl Strategy<Value = Vec<Command>> {
    prop::collection::vec(command(), 0..40)
}

/// What comes of the commands that are not refused, on the account of the fixture.
pub(crate) fn play(commands: &[Command]) -> Fixture {
    let mut fixture = Fixture::new();
    for command in commands {
        let _ = fixture.run(command);
    }
    fixture
}

fn check_attachments(state: &AccountState, attachments: &[Attachment]) {
    let ids: BTreeSet<PolicyId> = attachments.iter().map(|it| it.policy).collect();
    assert_eq!(ids.len(), attachments.len(), "no policy is attached twice");
    for id in ids {
        assert!(!id.is_custom() || state.policy(id).is_some(), "{id} is dangling");
    }
}

fn check_unique<'a>(names: impl Iterator<Item = &'a str>) {
    let mut seen = BTreeSet::new();
    for name in names {
        assert!(seen.insert(name), "{name} twice");
    }
}

fn check(state: &AccountState) {
    let account = state.account.as_ref().unwrap();
    assert!(state.policies.keys().all(|id| *id < account.next_policy_id && id.is_custom()));
    assert!(state.groups.keys().all(|id| *id < account.next_group_id));
    check_unique(state.sub_accounts.values().map(|it| &*it.name));
    check_unique(state.live_groups().map(|it| it.name.as_str()));
    check_unique(state.live_policies().map(|it| it.name.as_str()));
    for user in state.sub_accounts.values() {
        check_attachments(state, &user.attachments);
        assert!(user.groups.iter().all(|id| state.group(*id).is_some()));
        assert!(user.boundary.is_none_or(|id| !id.is_custom() || state.policy(id).is_some()));
        let is_bare = user.attachments.is_empty() && user.groups.is_empty();
        assert!(user.kind.is_principal() || (is_bare && user.boundary.is_none()));
    }
    for group in state.live_groups() {
        check_attachments(state, &group.attachments);
    }
    check_unique(state.roles.values().map(|it| it.name.as_str()));
    assert!(state.roles.keys().all(|id| *id >= RoleId::MIN && *id < account.next_role_id));
    for role in state.roles.values() {
        check_attachments(state, &role.attachments);
        assert!(role.boundary.is_none_or(|id| !id.is_custom() || state.policy(id).is_some()));
        assert!(role.trust.valid().is_some() && role.session_duration_s <= 43_200);
    }
    let uids: BTreeSet<u64> = state.sub_accounts.values().map(|it| it.uid).collect();
    assert_eq!(uids.len(), state.sub_accounts.len(), "no uid twice");
    assert!(uids.iter().all(|uid| *uid < account.next_uid));
    for key in state.access_keys.values() {
        assert!(state.keys_of(key.holder).count() <= 2);
        let user = state.sub_account(key.holder);
        assert!(key.holder == OWNER.uin || user.is_some_and(|it| it.kind.is_principal()));
    }
    for policy in state.live_policies() {
        assert!(state.default_version(policy.id).is_some());
        let count = state.versions_of(policy.id).count();
        assert!((1..=5).contains(&count));
        assert!(state.versions_of(policy.id).all(|it| it.number < policy.next_version));
    }
    for (id, _) in state.versions.keys() {
        assert!(state.policy(*id).is_some(), "a version without its policy");
    }
}

/// The index names exactly the keys that are there.
fn check_key_index(fixture: &Fixture) {
    for id in (0..5).map(secret_id) {
        let entry = fixture.globals.secret(id).unwrap();
        assert_eq!(entry.is_some(), fixture.state.access_key(id).is_some());
        assert!(entry.is_none_or(|it| it.owner_uin == OWNER.uin && it.secret_id == id));
    }
}

/// The counters of an account.
fn counters(state: &AccountState) -> [u64; 4] {
    let account = state.account.as_ref().unwrap();
    let (policy, group) = (account.next_policy_id.0, account.next_group_id.0);
    [policy, group, account.next_role_id.0, account.next_uid]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_sequence_keeps_the_invariants(commands in commands()) {
        let mut fixture = Fixture::new();
        for command in &commands {
            let before = counters(&fixture.state);
            let old = fixture.state.clone();
            match fixture.run(command) {
                Ok(Executed { changes, .. }) => {
                    prop_assert!(changes.windows(2).all(|pair| pair[0].key() < pair[1].key()));
                    let own = changes.iter().filter(|it| !it.key().is_global()).count();
                    prop_assert_eq!(own == 0, old == fixture.state, "changes are the difference");
                }
                Err(error) => {
                    prop_assert_eq!(&old, &fixture.state);
                    prop_assert!(!error.to_string().is_empty() && !error.code().is_empty());
                }
            }
            let after = counters(&fixture.state);
            prop_assert!(before.iter().zip(&after).all(|(before, after)| before <= after));
            check(&fixture.state);
            check_key_index(&fixture);
        }
        let input = snapshot_input(&fixture.state, &fixture.presets, 1).unwrap();
        let users_and_roles = fixture.state.sub_accounts.len() + fixture.state.roles.len();
        prop_assert_eq!(input.principals.len(), users_and_roles + 1);
        prop_assert_eq!(input.policies.len(), fixture.state.live_policies().count());
    }

    #[test]
    fn all_at_once_is_one_after_the_other(commands in commands()) {
        let mut fixture = Fixture::new();
        let start = fixture.clone();
        let mut accepted = Vec::new();
        let mut results: Vec<CommandResult> = Vec::new();
        for command in commands {
            // One clock for both ways, so that times are equal.
            if let Ok(executed) = execute(&fixture.state, &command, &fixture.env()) {
                fixture.apply(&executed.changes);
                results.push(executed.result());
                accepted.push(command);
            }
        }
        let executed = execute_all(&start.state, &accepted, &start.env()).unwrap();
        prop_assert_eq!(&executed.results, &results);
        let mut state = start.state.clone();
        for change in &executed.changes {
            state.apply(change);
        }
        prop_assert_eq!(state, fixture.state);
    }
}
