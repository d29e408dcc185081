//! Commands: one per administration operation, as plain values.
//!
//! A command says what is wanted; `execute` checks it against the state and yields changes. Wishes
//! that are already true (attach what is attached, join a group twice, detach what is not attached)
//! are fine and change nothing, so that a repeated call is harmless; creating what exists and
//! deleting what does not exist are errors, because the caller means a particular thing by it.

use std::collections::BTreeMap;

use crate::lang::variable::Owner;

use super::access_key::{KeyStatus, SealedSecret, SecretId};
use super::global::GlobalKey;
use super::id::{GroupId, PolicyId, RoleId, VersionNumber};
use super::state::AccountState;
use super::sub_account::{PasswordHash, Profile, SubAccountKind};

/// A policy, by id or by name. A custom policy's name is looked up before a preset's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyRef {
    /// By id.
    Id(PolicyId),
    /// By name, compared exactly.
    Name(String),
}

impl From<PolicyId> for PolicyRef {
    fn from(id: PolicyId) -> Self {
        Self::Id(id)
    }
}

impl From<&str> for PolicyRef {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

/// A group, by id or by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupRef {
    /// By id.
    Id(GroupId),
    /// By name, compared exactly.
    Name(String),
}

impl From<GroupId> for GroupRef {
    fn from(id: GroupId) -> Self {
        Self::Id(id)
    }
}

impl From<&str> for GroupRef {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

/// A role, by id or by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleRef {
    /// By id.
    Id(RoleId),
    /// By name, compared exactly.
    Name(String),
}

impl From<RoleId> for RoleRef {
    fn from(id: RoleId) -> Self {
        Self::Id(id)
    }
}

impl From<&str> for RoleRef {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

/// What a policy is attached to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A sub-account, by uin.
    User(u64),
    /// A group.
    Group(GroupRef),
    /// A role.
    Role(RoleRef),
}

/// Whose boundary it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BoundaryTarget {
    /// A sub-account's, by uin.
    User(u64),
    /// A role's.
    Role(RoleRef),
}

/// Registers a root account. The state must be that of an account that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateAccount {
    /// The root's uin and APPID.
    pub owner: Owner,
}

/// Adds a sub-account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateSubAccount {
    /// Its uin. The caller gives it; the node allots one where an API does not name it.
    pub uin: u64,
    /// Its name, unique in the account.
    pub name: String,
    /// Its kind.
    pub kind: SubAccountKind,
    /// Free text.
    pub remark: String,
    /// What consoles and notices need.
    pub profile: Profile,
}

/// The fields of a profile that change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProfileUpdate {
    /// Whether it may log in to consoles.
    pub console_login: Option<bool>,
    /// Whether its next login must change the password.
    pub need_reset_password: Option<bool>,
    /// The hash of its new password.
    pub password_hash: Option<PasswordHash>,
    /// Its phone number.
    pub phone_num: Option<String>,
    /// The country code of its phone number.
    pub country_code: Option<String>,
    /// Its e-mail address.
    pub email: Option<String>,
}

/// Changes a sub-account's name, remark or profile; its kind never changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UpdateSubAccount {
    /// Which one.
    pub uin: u64,
    /// The new name.
    pub name: Option<String>,
    /// The new remark.
    pub remark: Option<String>,
    /// What changes of its profile.
    pub profile: ProfileUpdate,
}

/// Removes a sub-account from the account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeleteSubAccount {
    /// Which one.
    pub uin: u64,
    /// Also when it holds policies, is in groups, or has a boundary; all of these go with it.
    pub force: bool,
    /// Also when it has access keys; they go with it.
    pub delete_keys: bool,
}

/// Creates a group; its id is in the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateGroup {
    /// Its name, unique among the account's groups.
    pub name: String,
    /// Free text.
    pub remark: String,
}

/// Changes a group's name or remark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateGroup {
    /// Which one.
    pub group: GroupRef,
    /// The new name.
    pub name: Option<String>,
    /// The new remark.
    pub remark: Option<String>,
}

/// Deletes a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteGroup {
    /// Which one.
    pub group: GroupRef,
    /// Also when it has members or policies; both let go of it in the same commit.
    pub force: bool,
}

/// Puts a sub-account into a group. Fine when it is in it already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddToGroup {
    /// The group.
    pub group: GroupRef,
    /// The sub-account.
    pub uin: u64,
}

/// Takes a sub-account out of a group. Fine when it is not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoveFromGroup {
    /// The group.
    pub group: GroupRef,
    /// The sub-account.
    pub uin: u64,
}

/// Creates a custom policy with version 1 as its default; its id is in the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatePolicy {
    /// Its name, unique among the account's custom policies and the presets.
    pub name: String,
    /// Free text.
    pub description: String,
    /// The CAM document.
    pub document: Vec<u8>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// Changes a policy's description, or overwrites its default version in place. It cannot rename.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdatePolicy {
    /// Which one.
    pub policy: PolicyRef,
    /// The new description.
    pub description: Option<String>,
    /// The new document of the default version.
    pub document: Option<Vec<u8>>,
}

/// Adds a version to a policy; its number is in the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatePolicyVersion {
    /// Which policy.
    pub policy: PolicyRef,
    /// The CAM document.
    pub document: Vec<u8>,
    /// Whether it counts from now on.
    pub set_default: bool,
}

/// Makes a version the one that counts. Fine when it is already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetDefaultPolicyVersion {
    /// Which policy.
    pub policy: PolicyRef,
    /// Which version.
    pub version: VersionNumber,
}

/// Deletes a version that is not the default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletePolicyVersion {
    /// Which policy.
    pub policy: PolicyRef,
    /// Which version.
    pub version: VersionNumber,
}

/// Deletes a custom policy with all its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletePolicy {
    /// Which one.
    pub policy: PolicyRef,
    /// Also when it is attached: it is then detached everywhere in the same commit. A policy that
    /// is a boundary is refused even so, because taking the boundary away would widen access.
    pub force: bool,
}

/// Attaches a policy to a user, a group or a role. Fine when it is attached already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachPolicy {
    /// The policy, custom or preset.
    pub policy: PolicyRef,
    /// To what.
    pub target: Target,
}

/// Detaches a policy. Fine when it is not attached, also when the policy is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetachPolicy {
    /// The policy, custom or preset.
    pub policy: PolicyRef,
    /// From what.
    pub target: Target,
}

/// Sets the boundary of a sub-account or a role, in place of any it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutBoundary {
    /// Whose.
    pub target: BoundaryTarget,
    /// The policy, custom or preset.
    pub policy: PolicyRef,
}

/// Takes the boundary of a sub-account or a role away. Fine when it has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteBoundary {
    /// Whose.
    pub target: BoundaryTarget,
}

/// Registers an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateApp {
    /// Its id, unique across accounts.
    pub sdkappid: u64,
    /// What people call it.
    pub name: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// Changes an app's name or tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateApp {
    /// Which one.
    pub sdkappid: u64,
    /// The new name.
    pub name: Option<String>,
    /// All its tags from now on.
    pub tags: Option<BTreeMap<String, String>>,
}

/// Forgets an app; its id may then be registered again, also by another account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteApp {
    /// Which one.
    pub sdkappid: u64,
}

/// Creates a role; its id is in the result.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CreateRole {
    /// Its name, unique among the account's roles.
    pub name: String,
    /// Free text.
    pub description: String,
    /// The CAM document that says who may assume it.
    pub trust_policy: Vec<u8>,
    /// The longest session in seconds; 0 means the default of whoever makes sessions.
    pub session_duration_s: u32,
    /// Whether people may switch to it in a console.
    pub console_login: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// Changes a role; its name never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateRole {
    /// Which one.
    pub role: RoleRef,
    /// The new description.
    pub description: Option<String>,
    /// The new document that says who may assume it.
    pub trust_policy: Option<Vec<u8>>,
    /// The new longest session in seconds; 0 means the default.
    pub session_duration_s: Option<u32>,
    /// Whether people may switch to it in a console.
    pub console_login: Option<bool>,
}

/// Deletes a role. Its sessions end with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteRole {
    /// Which one.
    pub role: RoleRef,
    /// Also when it has policies or a boundary; these go with it.
    pub force: bool,
}

/// Gives a role tags, in place of those it has under the same keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagRole {
    /// Which one.
    pub role: RoleRef,
    /// The tags.
    pub tags: BTreeMap<String, String>,
}

/// Takes tags off a role. Fine for keys that it does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UntagRole {
    /// Which one.
    pub role: RoleRef,
    /// The keys.
    pub keys: Vec<String>,
}

/// Adds an access key, active. The caller made and sealed its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateAccessKey {
    /// Whose: the root's uin, or that of a sub-account.
    pub holder: u64,
    /// Its public half, made at random.
    pub secret_id: SecretId,
    /// Its secret half, sealed.
    pub sealed_secret: SealedSecret,
    /// Free text.
    pub description: String,
}

/// Changes an access key's status or description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateAccessKey {
    /// Which one.
    pub secret_id: SecretId,
    /// Whose it must be; none when it may be anybody's of the account.
    pub holder: Option<u64>,
    /// The new status.
    pub status: Option<KeyStatus>,
    /// The new description.
    pub description: Option<String>,
}

/// Deletes an access key for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteAccessKey {
    /// Which one.
    pub secret_id: SecretId,
    /// Whose it must be; none when it may be anybody's of the account.
    pub holder: Option<u64>,
}

/// Any administration operation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant holds the type of its name, which is documented")]
pub enum Command {
    CreateAccount(CreateAccount),
    CreateSubAccount(CreateSubAccount),
    UpdateSubAccount(UpdateSubAccount),
    DeleteSubAccount(DeleteSubAccount),
    CreateGroup(CreateGroup),
    UpdateGroup(UpdateGroup),
    DeleteGroup(DeleteGroup),
    AddToGroup(AddToGroup),
    RemoveFromGroup(RemoveFromGroup),
    CreatePolicy(CreatePolicy),
    UpdatePolicy(UpdatePolicy),
    CreatePolicyVersion(CreatePolicyVersion),
    SetDefaultPolicyVersion(SetDefaultPolicyVersion),
    DeletePolicyVersion(DeletePolicyVersion),
    DeletePolicy(DeletePolicy),
    AttachPolicy(AttachPolicy),
    DetachPolicy(DetachPolicy),
    PutBoundary(PutBoundary),
    DeleteBoundary(DeleteBoundary),
    CreateApp(CreateApp),
    UpdateApp(UpdateApp),
    DeleteApp(DeleteApp),
    CreateRole(CreateRole),
    UpdateRole(UpdateRole),
    DeleteRole(DeleteRole),
    TagRole(TagRole),
    UntagRole(UntagRole),
    CreateAccessKey(CreateAccessKey),
    UpdateAccessKey(UpdateAccessKey),
    DeleteAccessKey(DeleteAccessKey),
}

impl Command {
    /// The name of the operation, for logs and the change log: `CreatePolicy`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::CreateAccount(_) => "CreateAccount",
            Self::CreateSubAccount(_) => "CreateSubAccount",
            Self::UpdateSubAccount(_) => "UpdateSubAccount",
            Self::DeleteSubAccount(_) => "DeleteSubAccount",
            Self::CreateGroup(_) => "CreateGroup",
            Self::UpdateGroup(_) => "UpdateGroup",
            Self::DeleteGroup(_) => "DeleteGroup",
            Self::AddToGroup(_) => "AddToGroup",
            Self::RemoveFromGroup(_) => "RemoveFromGroup",
            Self::CreatePolicy(_) => "CreatePolicy",
            Self::UpdatePolicy(_) => "UpdatePolicy",
            Self::CreatePolicyVersion(_) => "CreatePolicyVersion",
            Self::SetDefaultPolicyVersion(_) => "SetDefaultPolicyVersion",
            Self::DeletePolicyVersion(_) => "DeletePolicyVersion",
            Self::DeletePolicy(_) => "DeletePolicy",
            Self::AttachPolicy(_) => "AttachPolicy",
            Self::DetachPolicy(_) => "DetachPolicy",
            Self::PutBoundary(_) => "PutBoundary",
            Self::DeleteBoundary(_) => "DeleteBoundary",
            Self::CreateApp(_) => "CreateApp",
            Self::UpdateApp(_) => "UpdateApp",
            Self::DeleteApp(_) => "DeleteApp",
            Self::CreateRole(_) => "CreateRole",
            Self::UpdateRole(_) => "UpdateRole",
            Self::DeleteRole(_) => "DeleteRole",
            Self::TagRole(_) => "TagRole",
            Self::UntagRole(_) => "UntagRole",
            Self::CreateAccessKey(_) => "CreateAccessKey",
            Self::UpdateAccessKey(_) => "UpdateAccessKey",
            Self::DeleteAccessKey(_) => "DeleteAccessKey",
        }
    }

    /// The global records that must be read before the command is executed on a state. The commit
    /// then requires those records to be as they were read.
    #[must_use]
    pub fn global_reads(&self, state: &AccountState) -> Vec<GlobalKey> {
        match self {
            Self::CreateAccount(it) => vec![GlobalKey::Uin(it.owner.uin)],
            Self::CreateSubAccount(it) => vec![GlobalKey::Uin(it.uin)],
            Self::DeleteSubAccount(it) => {
                let keys = state.keys_of(it.uin).filter(|_| it.delete_keys);
                let keys = keys.map(|key| GlobalKey::Secret(key.secret_id));
                [GlobalKey::Uin(it.uin)].into_iter().chain(keys).collect()
            }
            Self::CreateApp(it) => vec![GlobalKey::App(it.sdkappid)],
            Self::DeleteApp(it) => vec![GlobalKey::App(it.sdkappid)],
            Self::CreateAccessKey(it) => vec![GlobalKey::Secret(it.secret_id)],
            Self::DeleteAccessKey(it) => vec![GlobalKey::Secret(it.secret_id)],
            Self::UpdateSubAccount(_)
            | Self::CreateGroup(_)
            | Self::UpdateGroup(_)
            | Self::DeleteGroup(_)
            | Self::AddToGroup(_)
            | Self::RemoveFromGroup(_)
            | Self::CreatePolicy(_)
            | Self::UpdatePolicy(_)
            | Self::CreatePolicyVersion(_)
            | Self::SetDefaultPolicyVersion(_)
            | Self::DeletePolicyVersion(_)
            | Self::DeletePolicy(_)
            | Self::AttachPolicy(_)
            | Self::DetachPolicy(_)
            | Self::PutBoundary(_)
            | Self::DeleteBoundary(_)
            | Self::UpdateApp(_)
            | Self::CreateRole(_)
            | Self::UpdateRole(_)
            | Self::DeleteRole(_)
            | Self::TagRole(_)
            | Self::UntagRole(_)
            | Self::UpdateAccessKey(_) => Vec::new(),
        }
    }
}

/// What a command made, where that is not in the command itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandResult {
    /// Nothing to tell.
    Done,
    /// A group with this id.
    Group(GroupId),
    /// A policy with this id.
    Policy(PolicyId),
    /// A version of a policy.
    PolicyVersion(PolicyId, VersionNumber),
    /// A role with this id.
    Role(RoleId),
}
