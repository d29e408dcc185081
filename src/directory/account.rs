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

/// Which records there are, in a few bytes: how many, and the exclusive or of a digest of each. A
/// change moves it by what it changes; whoever reads all records compares. It tells damage, not
/// malice: who can write records can write their census too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// How many records.
    pub records: u64,
    /// The exclusive or of their digests.
    pub sum: [u8; 32],
}

impl Census {
    /// With one record more.
    #[must_use]
    pub fn with(self, digest: &[u8; 32]) -> Self {
        Self { records: self.records.wrapping_add(1), sum: xor(self.sum, digest) }
    }

    /// With one record less.
    #[must_use]
    pub fn without(self, digest: &[u8; 32]) -> Self {
        Self { records: self.records.wrapping_sub(1), sum: xor(self.sum, digest) }
    }
}

fn xor(mut sum: [u8; 32], digest: &[u8; 32]) -> [u8; 32] {
    sum.iter_mut().zip(digest).for_each(|(byte, other)| *byte ^= other);
    sum
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
    /// Which records the account has beside this one; none while it was last written by a version
    /// that did not count them. Whoever commits moves it; commands leave it alone.
    pub census: Option<Census>,
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
            census: None,
        }
    }
}
