//! Sub-accounts: the principals of an account, and its message recipients.

use std::fmt;
use std::ops::{Deref, DerefMut};

use thin_vec::ThinVec;

use super::attachments::Attachments;
use super::id::{GroupId, PolicyId, UnixMillis};

/// What kind of sub-account it is (spec section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubAccountKind {
    /// Created by, and belonging to, one root account.
    SubUser,
    /// Imported from WeCom; belongs to one root account.
    WecomSubUser,
    /// A root account elsewhere, added here.
    Collaborator,
    /// Receives notices only, and can never be a principal (rule D-12).
    MessageRecipient,
}

impl SubAccountKind {
    /// All kinds, in the order of the manual.
    pub const ALL: [Self; 4] =
        [Self::SubUser, Self::WecomSubUser, Self::Collaborator, Self::MessageRecipient];

    /// The word for it in account folders: `sub_user`, `wecom_sub_user`, `collaborator` or
    /// `message_recipient`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SubUser => "sub_user",
            Self::WecomSubUser => "wecom_sub_user",
            Self::Collaborator => "collaborator",
            Self::MessageRecipient => "message_recipient",
        }
    }

    /// The kind called `word`, compared exactly.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whether it can hold policies, groups and a boundary: all but message recipients.
    #[must_use]
    pub fn is_principal(self) -> bool {
        match self {
            Self::SubUser | Self::WecomSubUser | Self::Collaborator => true,
            Self::MessageRecipient => false,
        }
    }
}

/// A policy attached to a user or a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Attachment {
    /// The policy, custom or preset.
    pub policy: PolicyId,
    /// Since when.
    pub attached_at: UnixMillis,
}

/// The hash of a console password, in PHC notation; hidden from logs.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub String);

impl PasswordHash {
    /// Most bytes of one; several times what argon2id's hashes have.
    pub const BYTES_MAX: usize = 512;
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// What a sub-account needs for consoles and notices; none of it counts in decisions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Profile {
    /// Whether it may log in to consoles.
    pub console_login: bool,
    /// Whether its next login must change the password.
    pub need_reset_password: bool,
    /// The hash of its console password, if it has one.
    pub password_hash: Option<PasswordHash>,
    /// Its phone number, without the country code.
    pub phone_num: String,
    /// The country code of its phone number.
    pub country_code: String,
    /// Its e-mail address.
    pub email: String,
}

/// A profile that takes next to no room while nothing is in it, as most are.
#[derive(Debug, Clone, Default)]
pub struct ShortProfile(Option<Box<Profile>>);

/// The profile with nothing in it.
static NO_PROFILE: Profile = Profile {
    console_login: false,
    need_reset_password: false,
    password_hash: None,
    phone_num: String::new(),
    country_code: String::new(),
    email: String::new(),
};

impl From<Profile> for ShortProfile {
    fn from(profile: Profile) -> Self {
        Self((profile != NO_PROFILE).then(|| Box::new(profile)))
    }
}

impl Deref for ShortProfile {
    type Target = Profile;

    fn deref(&self) -> &Profile {
        self.0.as_deref().unwrap_or(&NO_PROFILE)
    }
}

impl DerefMut for ShortProfile {
    fn deref_mut(&mut self) -> &mut Profile {
        self.0.get_or_insert_default()
    }
}

impl PartialEq for ShortProfile {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for ShortProfile {}

/// A sub-account. There are a million of them in memory, so it has no room for what most do not
/// have: lists and texts are of the kinds that take least while they are short or empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubAccount {
    /// Its uin, unique across accounts but for collaborators.
    pub uin: u64,
    /// A second id of it in its account, never reused; 0 for those of before there were any.
    pub uid: u64,
    /// Its name, unique in its account.
    pub name: Box<str>,
    /// What kind it is; never changes.
    pub kind: SubAccountKind,
    /// Free text.
    pub remark: Box<str>,
    /// When it was created, or added here.
    pub created_at: UnixMillis,
    /// The policies attached to it, in the order of attaching; no policy twice.
    pub attachments: Attachments,
    /// The groups it is in, in the order of joining; no group twice.
    pub groups: ThinVec<GroupId>,
    /// The policy that caps it, if there is one (rule D-09).
    pub boundary: Option<PolicyId>,
    /// What consoles and notices need.
    pub profile: ShortProfile,
}
