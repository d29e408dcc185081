//! Why a command is refused: a plain enum, with CAM's code and a reader's message.
//!
//! It must never know a protocol: `service::status` has the only table from kinds to status codes.

use std::fmt;

use crate::lang::diagnostic::Diagnostic;

use super::global::GlobalKey;
use super::id::{PolicyId, VersionNumber};
use super::quota::Quota;

/// What sort of refusal it is; protocols map kinds, not single errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorKind {
    /// Something named in the command does not exist.
    NotFound,
    /// What the command creates exists.
    AlreadyExists,
    /// The command itself is wrong, whatever the state is.
    Invalid,
    /// The state does not allow it.
    FailedPrecondition,
    /// It would go over a quota.
    QuotaExceeded,
    /// Something that the command deletes is in use.
    InUse,
    /// A fault of the program, not of the caller.
    Internal,
}

/// The things that commands are about, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the words explain themselves")]
pub enum Noun {
    Account,
    SubAccount,
    Group,
    Policy,
    PolicyVersion,
    App,
    Tag,
    Role,
    AccessKey,
}

impl Noun {
    /// The word for it: `sub-account`, `policy version`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::SubAccount => "sub-account",
            Self::Group => "group",
            Self::Policy => "policy",
            Self::PolicyVersion => "policy version",
            Self::App => "app",
            Self::Tag => "tag",
            Self::Role => "role",
            Self::AccessKey => "access key",
        }
    }
}

impl fmt::Display for Noun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a command is refused. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// There is no such thing.
    #[error("there is no {noun} `{name}`: create it first, or check the id or name")]
    NotFound {
        /// What was looked for.
        noun: Noun,
        /// Its id or name, as given.
        name: String,
    },
    /// The account that the command is about does not exist.
    #[error("the account does not exist: create it first")]
    NoAccount,
    /// There is one with this id already.
    #[error("the {noun} `{id}` exists already: update it, or use another id")]
    IdInUse {
        /// What was to be created.
        noun: Noun,
        /// The id.
        id: u64,
    },
    /// A name is taken.
    #[error("the name `{name}` is in use by another {noun}: choose another name")]
    NameInUse {
        /// What carries the name.
        noun: Noun,
        /// The name.
        name: String,
    },
    /// A uin or SdkAppId belongs to somebody else. It is not said to whom.
    #[error("the {noun} `{id}` belongs to another account: use an id of your own")]
    TakenElsewhere {
        /// What the id names.
        noun: Noun,
        /// The id.
        id: u64,
    },
    /// A name, key or value breaks the rules.
    #[error("the {field} of the {noun} {rule}: it is `{value}`")]
    BadText {
        /// Whose text.
        noun: Noun,
        /// Which text: `name`, `key`.
        field: &'static str,
        /// What it must be: `must be ...`.
        rule: &'static str,
        /// The text, shortened.
        value: String,
    },
    /// A text is too long, or empty.
    #[error("the {field} of the {noun} has {actual} {unit}: it must have {min} to {max}")]
    BadLength {
        /// Whose text.
        noun: Noun,
        /// Which text.
        field: &'static str,
        /// `characters` or `bytes`.
        unit: &'static str,
        /// The least accepted number.
        min: usize,
        /// The greatest accepted number.
        max: usize,
        /// The number found.
        actual: usize,
    },
    /// An id is out of range.
    #[error("the id of the {noun} is {id}: it must be from {min} to {max}")]
    BadId {
        /// Whose id.
        noun: Noun,
        /// The id.
        id: u64,
        /// The least accepted id.
        min: u64,
        /// The greatest accepted id.
        max: u64,
    },
    /// A number is out of range.
    #[error("the {field} of the {noun} is {actual}: it must be from {min} to {max}")]
    BadNumber {
        /// Whose number.
        noun: Noun,
        /// Which number, with its unit.
        field: &'static str,
        /// The least accepted number.
        min: u64,
        /// The greatest accepted number.
        max: u64,
        /// The number found.
        actual: u64,
    },
    /// A policy document has errors. All findings are listed, in document order (rule L-11).
    #[error(
        "the policy document has {} errors; the first: {}",
        errors(.findings), first(.findings)
    )]
    BadDocument {
        /// The findings; one or more of them are errors.
        findings: Vec<Diagnostic>,
    },
    /// It would go over a quota.
    #[error(
        "there would be {actual} {}, the limit is {limit}: remove some first",
        .quota.counted()
    )]
    QuotaExceeded {
        /// Which one.
        quota: Quota,
        /// The greatest accepted number.
        limit: usize,
        /// The number there would be.
        actual: usize,
    },
    /// An id counter or version counter is used up.
    #[error("no {noun} can be created any more: its ids are used up")]
    IdsExhausted {
        /// What was to be created.
        noun: Noun,
    },
    /// A policy is attached, and the command does not force.
    #[error(
        "the policy `{name}` is attached to {users} users, {groups} groups and {roles} roles: \
         detach it first, or force"
    )]
    PolicyAttached {
        /// The policy.
        name: String,
        /// Users it is attached to.
        users: usize,
        /// Groups it is attached to.
        groups: usize,
        /// Roles it is attached to.
        roles: usize,
    },
    /// A policy is a boundary. Taking it away would widen access, so forcing does not help.
    #[error(
        "the policy `{name}` is the boundary of {users} users and {roles} roles: set another \
         boundary first"
    )]
    PolicyIsBoundary {
        /// The policy.
        name: String,
        /// Users it is the boundary of.
        users: usize,
        /// Roles it is the boundary of.
        roles: usize,
    },
    /// A group has members or policies, and the command does not force.
    #[error(
        "the group `{name}` has {members} members and {policies} policies: remove them, or force"
    )]
    GroupInUse {
        /// The group.
        name: String,
        /// Its members.
        members: usize,
        /// Its policies.
        policies: usize,
    },
    /// A sub-account holds policies, groups or a boundary, and the command does not force.
    #[error(
        "the sub-account `{name}` has {policies} policies and is in {groups} groups: remove these \
         and its boundary first, or force"
    )]
    SubAccountInUse {
        /// The sub-account.
        name: String,
        /// Policies attached to it directly.
        policies: usize,
        /// Groups it is in.
        groups: usize,
    },
    /// A sub-account has access keys, and the command does not delete them with it.
    #[error(
        "the sub-account `{name}` has {keys} access keys: delete them first, or ask to delete \
         them with it"
    )]
    HaveKeys {
        /// The sub-account.
        name: String,
        /// Its access keys.
        keys: usize,
    },
    /// A role has policies or a boundary, and the command does not force.
    #[error(
        "the role `{name}` has {policies} policies{}: remove these first, or force",
        if *.is_bounded { " and a boundary" } else { "" }
    )]
    RoleInUse {
        /// The role.
        name: String,
        /// Policies attached to it.
        policies: usize,
        /// Whether it has a boundary.
        is_bounded: bool,
    },
    /// The default version of a policy cannot be deleted.
    #[error("version {version} is the default of policy {policy}: make another the default first")]
    VersionIsDefault {
        /// The policy.
        policy: PolicyId,
        /// The version.
        version: VersionNumber,
    },
    /// Presets are read-only.
    #[error(
        "the policy `{name}` is a preset and cannot be changed: create a custom policy instead"
    )]
    PresetReadOnly {
        /// The preset.
        name: String,
    },
    /// A message recipient cannot hold policies or keys, be in groups, have a boundary or log in.
    #[error(
        "the sub-account {uin} is a message recipient: it cannot have policies, groups, access \
         keys or a console login"
    )]
    NotAPrincipal {
        /// The message recipient.
        uin: u64,
    },
    /// A uin cannot be used for this kind of sub-account.
    #[error("the uin {uin} cannot be added: {reason}")]
    UinUnsuitable {
        /// The uin.
        uin: u64,
        /// Why, and what to do.
        reason: &'static str,
    },
    /// A change must change something.
    #[error("nothing to change in the {noun}: give at least one of its fields")]
    NothingToChange {
        /// What was to be changed.
        noun: Noun,
    },
    /// The caller did not read a global record that the command needs.
    #[error("a global record was not read before the command was executed: {key:?}")]
    GlobalNotRead {
        /// Which one.
        key: GlobalKey,
    },
}

impl DirectoryError {
    /// What sort of refusal it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound { .. } | Self::NoAccount => ErrorKind::NotFound,
            Self::IdInUse { .. } | Self::NameInUse { .. } | Self::TakenElsewhere { .. } => {
                ErrorKind::AlreadyExists
            }
            Self::BadText { .. }
            | Self::BadLength { .. }
            | Self::BadId { .. }
            | Self::BadNumber { .. }
            | Self::BadDocument { .. }
            | Self::NothingToChange { .. } => ErrorKind::Invalid,
            Self::QuotaExceeded { .. } | Self::IdsExhausted { .. } => ErrorKind::QuotaExceeded,
            Self::PolicyAttached { .. }
            | Self::PolicyIsBoundary { .. }
            | Self::GroupInUse { .. }
            | Self::RoleInUse { .. }
            | Self::HaveKeys { .. }
            | Self::SubAccountInUse { .. } => ErrorKind::InUse,
            Self::VersionIsDefault { .. }
            | Self::PresetReadOnly { .. }
            | Self::NotAPrincipal { .. }
            | Self::UinUnsuitable { .. } => ErrorKind::FailedPrecondition,
            Self::GlobalNotRead { .. } => ErrorKind::Internal,
        }
    }

    /// CAM's error code (spec 9.5), e.g. `FailedOperation.PolicyNameInUse`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { noun, .. } => not_found_code(*noun),
            Self::NoAccount => not_found_code(Noun::Account),
            Self::NameInUse { noun, .. } | Self::IdInUse { noun, .. } => in_use_code(*noun),
            Self::TakenElsewhere { noun: Noun::App, .. } => "ResourceInUse",
            Self::TakenElsewhere { .. } => "OperationDenied.UinNotMatch",
            Self::BadText { noun, field, .. } | Self::BadLength { noun, field, .. } => {
                text_code(*noun, field)
            }
            Self::BadId { noun: Noun::Account | Noun::SubAccount, .. } => {
                "InvalidParameter.UinError"
            }
            Self::BadId { .. } | Self::BadNumber { .. } | Self::NothingToChange { .. } => {
                "InvalidParameter.ParamError"
            }
            Self::BadDocument { findings } => findings
                .iter()
                .find(|it| is_error(it))
                .map_or("InvalidParameter.PolicyDocumentError", |it| it.code.as_str()),
            Self::QuotaExceeded { quota, .. } => quota.code(),
            Self::IdsExhausted { .. } => "LimitExceeded",
            Self::PolicyAttached { .. }
            | Self::PolicyIsBoundary { .. }
            | Self::GroupInUse { .. }
            | Self::RoleInUse { .. }
            | Self::SubAccountInUse { .. } => "ResourceInUse",
            Self::HaveKeys { .. } => "OperationDenied.HaveKeys",
            Self::VersionIsDefault { .. } => "FailedOperation.PolicyVersionAlreadyDefault",
            Self::PresetReadOnly { .. } => "FailedOperation.Unmodifiable",
            Self::NotAPrincipal { .. } => "InvalidParameter.ParamError",
            Self::UinUnsuitable { .. } => "InvalidParameter.UinError",
            Self::GlobalNotRead { .. } => "InternalError",
        }
    }

    /// The findings about a policy document; empty for other refusals.
    #[must_use]
    pub fn findings(&self) -> &[Diagnostic] {
        if let Self::BadDocument { findings } = self { findings } else { &[] }
    }
}

fn not_found_code(noun: Noun) -> &'static str {
    match noun {
        Noun::Account | Noun::SubAccount => "ResourceNotFound.UserNotExist",
        Noun::Group => "ResourceNotFound.GroupNotExist",
        Noun::Policy => "ResourceNotFound.PolicyIdNotFound",
        Noun::PolicyVersion => "InvalidParameter.PolicyVersionNotExists",
        Noun::Role => "InvalidParameter.RoleNotExist",
        Noun::AccessKey => "ResourceNotFound.SecretNotExist",
        Noun::App | Noun::Tag => "ResourceNotFound.NotFound",
    }
}

fn in_use_code(noun: Noun) -> &'static str {
    match noun {
        Noun::Account | Noun::SubAccount => "InvalidParameter.SubUserNameInUse",
        Noun::Group => "InvalidParameter.GroupNameInUse",
        Noun::Policy | Noun::PolicyVersion => "FailedOperation.PolicyNameInUse",
        Noun::Role => "InvalidParameter.RoleNameInUse",
        Noun::App | Noun::Tag | Noun::AccessKey => "ResourceInUse",
    }
}

fn text_code(noun: Noun, field: &str) -> &'static str {
    match (noun, field) {
        (Noun::Policy, "name") => "InvalidParameter.PolicyNameError",
        (Noun::Policy | Noun::Role, "description") => "InvalidParameter.DescriptionLengthOverlimit",
        (Noun::Role, "name") => "InvalidParameter.RoleNameError",
        (Noun::SubAccount, "name") => "InvalidParameter.UserNameIllegal",
        _ => "InvalidParameter.ParamError",
    }
}

fn is_error(finding: &Diagnostic) -> bool {
    finding.severity == crate::lang::diagnostic::Severity::Error
}

fn errors(findings: &[Diagnostic]) -> usize {
    findings.iter().filter(|it| is_error(it)).count()
}

fn first(findings: &[Diagnostic]) -> String {
    findings.iter().find(|it| is_error(it)).map(ToString::to_string).unwrap_or_default()
}
