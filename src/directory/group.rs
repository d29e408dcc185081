//! User groups: they carry policies; membership stands on the member's record.

use super::attachments::Attachments;
use super::id::{GroupId, UnixMillis};

/// A user group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its id in its account.
    pub id: GroupId,
    /// Its name, unique among the account's groups.
    pub name: String,
    /// Free text.
    pub remark: String,
    /// When it was created.
    pub created_at: UnixMillis,
    /// The policies attached to it, in the order of attaching; no policy twice.
    pub attachments: Attachments,
}
