//! The head of an account: who owns it, and which ids come next.
//!
//! Every commit of an account rewrites its head record, so the counters here never run backwards.

use crate::lang::variable::Owner;

use super::id::{GroupId, PolicyId, RoleId, UnixMillis};

/// Where an account's change log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChangeHead {
    /// The number of the last entry; 0 when there is none.
    pub sequence: u64,
    /// The digest of the last entry; zeros when there is none.
    pub digest: [u8; 32],
}

/// A root account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The root's uin and APPID.
    pub owner: Owner,
    /// When it was registered here.
    pub created_at: UnixMillis,
    /// The id that the next custom policy gets.
    pub next_policy_id: PolicyId,
    /// The id that the next group gets.
    pub next_group_id: GroupId,
    /// The id that the next role gets.
    pub next_role_id: RoleId,
    /// The uid that the next sub-account gets.
    pub next_uid: u64,
    /// Where the change log ends. Whoever commits moves it; commands leave it alone.
    pub change_head: ChangeHead,
}

impl Account {
    /// The first sub-account's uid.
    pub const UID_MIN: u64 = 1;

    /// A new account without anything in it.
    #[must_use]
    pub fn new(owner: Owner, created_at: UnixMillis) -> Self {
        Self {
            owner,
            created_at,
            next_policy_id: PolicyId::CUSTOM_MIN,
            next_group_id: GroupId(1),
            next_role_id: RoleId::MIN,
            next_uid: Self::UID_MIN,
            change_head: ChangeHead::default(),
        }
    }
}
