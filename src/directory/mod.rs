//! The directory: accounts, sub-accounts, groups, roles, access keys, policies, attachments,
//! boundaries and apps.
//!
//! State as plain values, and commands that turn a state into changes. Pure in practice: no
//! storage, no wire types, no clock; time is a parameter. It must never decide a request. The node
//! (floor 3) reads records, calls [`execute`], commits the changes, and builds snapshots from
//! [`AccountState`].

mod access_key;
mod account;
mod app;
mod attachments;
mod change;
mod command;
mod commands;
mod document;
mod error;
mod execute;
pub mod folder;
mod global;
mod group;
mod id;
mod name;
mod operator;
mod policy;
mod preset;
mod quota;
mod role;
pub mod service_caller;
mod snapshot;
mod state;
mod sub_account;

pub use access_key::{AccessKey, KeyStatus, SealedSecret, SecretEntry, SecretId};
pub use account::{Account, Census, ChangeHead};
pub use app::{App, AppEntry};
pub use attachments::Attachments;
pub use change::{Change, Record, RecordKey};
pub use command::{
    AddToGroup, AttachPolicy, BoundaryTarget, Command, CommandResult, CreateAccessKey,
    CreateAccount, CreateApp, CreateGroup, CreatePolicy, CreatePolicyVersion, CreateRole,
    CreateSubAccount, DeleteAccessKey, DeleteApp, DeleteBoundary, DeleteGroup, DeletePolicy,
    DeletePolicyVersion, DeleteRole, DeleteSubAccount, DetachPolicy, GroupRef, PolicyRef,
    ProfileUpdate, PutBoundary, RemoveFromGroup, RoleRef, SetDefaultPolicyVersion, TagRole, Target,
    UntagRole, UpdateAccessKey, UpdateApp, UpdateGroup, UpdatePolicy, UpdateRole, UpdateSubAccount,
};
pub use error::{DirectoryError, ErrorKind, Noun};
pub use execute::{Env, ExecuteAllError, Executed, execute, execute_all, global_record};
pub use global::{GlobalKey, Globals, UinEntry};
pub use group::Group;
pub use id::{GroupId, PolicyId, RoleId, UnixMillis, VersionNumber};
pub use operator::{
    OperatorFile, OperatorPreset, OperatorProblem, OperatorUpdate, digest, operator_presets_update,
};
pub use policy::{Policy, PolicyBody, PolicyVersion};
pub use preset::{Preset, PresetOrigin, Presets};
pub use quota::{Quota, Quotas};
pub use role::Role;
pub use snapshot::{principal_kind, snapshot_change, snapshot_input};
pub use state::{AccountState, Slot, Tombstone};
pub use sub_account::{
    Attachment, PasswordHash, Profile, ShortProfile, SubAccount, SubAccountKind,
};
