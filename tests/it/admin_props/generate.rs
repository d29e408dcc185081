//! Random wishes: what somebody wants, in words that do not depend on what is there.
//!
//! Commands are those of the directory's own random tests, and more; their small pools of names
//! are made ids of the account at hand by `model`, so most references meet something.

use std::collections::BTreeMap;

use camgate::directory::{
    Command, CreateAccessKey, CreateApp, CreateGroup, CreatePolicy, CreatePolicyVersion,
    CreateSubAccount, DeleteAccessKey, DeleteBoundary, DeletePolicy, DeletePolicyVersion, GroupRef,
    PolicyRef, Profile, ProfileUpdate, SealedSecret, SetDefaultPolicyVersion, SubAccountKind,
    UpdateAccessKey, UpdateApp, UpdateGroup, UpdatePolicy, UpdateRole, UpdateSubAccount,
    VersionNumber,
};
use proptest::prelude::*;

use crate::directory::random::{
    bounded, command, description, document, group, name, policy, role, trust, uin,
};
use crate::directory::{ALLOW, create_policy, create_role, secret_id};

/// What somebody wants: one command, or what one call of the API asks for at once.
#[derive(Debug, Clone)]
pub(super) enum Wish {
    One(Command),
    /// A user that comes with an access key.
    UserWithKey(CreateSubAccount),
    /// Some policies deleted together.
    DeletePolicies(Vec<PolicyRef>),
    /// Some users put into groups together.
    Join(Vec<(GroupRef, u64)>),
    /// Some users taken out of groups together.
    Leave(Vec<(GroupRef, u64)>),
}

fn text() -> impl Strategy<Value = String> {
    let long = "备注".repeat(400);
    prop_oneof![
        2 => Just(String::new()),
        4 => Just("值班人员 — on call".to_owned()),
        1 => Just(long),
    ]
}

fn some<T: std::fmt::Debug>(it: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    prop::option::of(it)
}

fn tags() -> impl Strategy<Value = BTreeMap<String, String>> {
    let key = prop::sample::select(vec!["team", "环境", "层", "a&b"]).prop_map(str::to_owned);
    prop::collection::btree_map(key, name(), 0..2)
}

fn profile_update() -> impl Strategy<Value = ProfileUpdate> {
    let flag = some(any::<bool>());
    let phone_num = some(prop::sample::select(vec!["+86 138", "ring"]).prop_map(str::to_owned));
    let email = some(prop::sample::select(vec!["a@例子.cn", "nobody"]).prop_map(str::to_owned));
    (flag, some(any::<bool>()), phone_num, email).prop_map(|(login, reset, phone_num, email)| {
        ProfileUpdate {
            console_login: login,
            need_reset_password: reset,
            password_hash: None,
            phone_num,
            country_code: None,
            email,
        }
    })
}

fn user() -> impl Strategy<Value = CreateSubAccount> {
    (name(), text(), any::<bool>()).prop_map(|(name, remark, console_login)| {
        let kind = SubAccountKind::SubUser;
        let profile = Profile { console_login, ..Profile::default() };
        CreateSubAccount { uin: 0, name, kind, remark, profile }
    })
}

fn updates() -> BoxedStrategy<Command> {
    prop_oneof![
        2 => (group(), some(name()), some(text())).prop_map(|(group, name, remark)| {
            Command::UpdateGroup(UpdateGroup { group, name, remark })
        }),
        1 => (name(), text())
            .prop_map(|(name, remark)| Command::CreateGroup(CreateGroup { name, remark })),
        2 => (1_u64..4, name(), tags()).prop_map(|(sdkappid, name, tags)| {
            Command::CreateApp(CreateApp { sdkappid, name, tags })
        }),
        2 => (1_u64..4, some(name()), some(tags())).prop_map(|(sdkappid, name, tags)| {
            Command::UpdateApp(UpdateApp { sdkappid, name, tags })
        }),
        2 => (uin(), some(text()), profile_update()).prop_map(|(uin, remark, profile)| {
            let name = None;
            Command::UpdateSubAccount(UpdateSubAccount { uin, name, remark, profile })
        }),
        1 => (name(), description(), document(), tags()).prop_map(
            |(name, description, document, tags)| {
                Command::CreatePolicy(CreatePolicy { name, description, document, tags })
            }
        ),
        1 => (role(), trust()).prop_map(|(role, trust)| {
            Command::UpdateRole(UpdateRole { trust_policy: Some(trust), ..idle(role) })
        }),
        1 => (role(), text()).prop_map(|(role, text)| {
            Command::UpdateRole(UpdateRole { description: Some(text), ..idle(role) })
        }),
        1 => (role(), some(any::<bool>())).prop_map(|(role, console_login)| {
            Command::UpdateRole(UpdateRole { console_login, ..idle(role) })
        }),
    ]
    .boxed()
}

fn one_policy() -> impl Strategy<Value = PolicyRef> {
    name().prop_map(PolicyRef::Name)
}

/// A number that the few versions of a random policy may have.
fn version() -> impl Strategy<Value = VersionNumber> {
    (1_u32..4).prop_map(VersionNumber)
}

fn versions() -> BoxedStrategy<Command> {
    prop_oneof![
        4 => (one_policy(), any::<bool>()).prop_map(|(policy, set_default)| {
            let document = ALLOW.as_bytes().to_vec();
            Command::CreatePolicyVersion(CreatePolicyVersion { policy, document, set_default })
        }),
        2 => (one_policy(), version()).prop_map(|(policy, version)| {
            Command::SetDefaultPolicyVersion(SetDefaultPolicyVersion { policy, version })
        }),
        3 => (one_policy(), version()).prop_map(|(policy, version)| {
            Command::DeletePolicyVersion(DeletePolicyVersion { policy, version })
        }),
        1 => one_policy().prop_map(|policy| {
            Command::DeletePolicy(DeletePolicy { policy, force: false })
        }),
        2 => (one_policy(), some(description()), some(document())).prop_map(
            |(policy, description, document)| {
                Command::UpdatePolicy(UpdatePolicy { policy, description, document })
            }
        ),
        1 => bounded().prop_map(|target| Command::DeleteBoundary(DeleteBoundary { target })),
    ]
    .boxed()
}

fn idle(role: camgate::directory::RoleRef) -> UpdateRole {
    let (description, trust_policy, session_duration_s, console_login) = (None, None, None, None);
    UpdateRole { role, description, trust_policy, session_duration_s, console_login }
}

fn keys() -> BoxedStrategy<Command> {
    prop_oneof![
        2 => (uin(), name()).prop_map(|(holder, description)| {
            Command::CreateAccessKey(CreateAccessKey {
                holder,
                secret_id: secret_id(0),
                sealed_secret: SealedSecret(b"sealed".as_slice().into()),
                description,
            })
        }),
        1 => (0_u8..5).prop_map(|number| {
            let (secret_id, holder) = (secret_id(number), None);
            Command::DeleteAccessKey(DeleteAccessKey { secret_id, holder })
        }),
        1 => (0_u8..5, some(name())).prop_map(|(number, description)| {
            let (secret_id, holder, status) = (secret_id(number), None, None);
            Command::UpdateAccessKey(UpdateAccessKey { secret_id, holder, status, description })
        }),
    ]
    .boxed()
}

/// Wishes for several things at once.
fn together() -> BoxedStrategy<Wish> {
    let members = || prop::collection::vec((group(), uin()), 2..4);
    prop_oneof![
        2 => user().prop_map(Wish::UserWithKey),
        1 => prop::collection::vec(policy(), 2..4).prop_map(Wish::DeletePolicies),
        1 => members().prop_map(Wish::Join),
        1 => members().prop_map(Wish::Leave),
    ]
    .boxed()
}

/// What nearly every sequence can be about.
fn beginning() -> Vec<Wish> {
    let named = |name: &str| (name.to_owned(), String::new());
    let ((name, remark), kind) = (named("a"), SubAccountKind::SubUser);
    let (role, document) = (create_role("a"), create_policy("a", ALLOW));
    let profile = Profile::default();
    let user =
        CreateSubAccount { uin: 0, name: name.clone(), kind, remark: remark.clone(), profile };
    let group = Command::CreateGroup(CreateGroup { name, remark });
    [Command::CreateSubAccount(user), group, document, role].map(Wish::One).to_vec()
}

/// A sequence of which many a step is refused.
pub(super) fn wishes() -> impl Strategy<Value = Vec<Wish>> {
    let one = prop_oneof![8 => command(), 3 => updates(), 3 => versions(), 1 => keys()];
    let wish = prop_oneof![
        3 => user().prop_map(|it| Wish::One(Command::CreateSubAccount(it))),
        40 => one.prop_map(Wish::One),
        4 => together(),
    ];
    let rest = prop::collection::vec(wish, 40..70);
    (any::<bool>(), rest).prop_map(|(is_empty, rest)| {
        let mut wishes = if is_empty { Vec::new() } else { beginning() };
        wishes.extend(rest);
        wishes
    })
}
