//! Roles: principals without keys of their own, which others assume for a while.
//!
//! A role's trust policy says who may assume it; its attachments and its boundary say what the
//! session may do then. A trust policy that cannot be read trusts nobody.

use std::collections::BTreeMap;

use super::attachments::Attachments;
use super::id::{PolicyId, RoleId, UnixMillis};
use super::policy::PolicyBody;

/// A role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its id in its account, which also stands where a uin stands in decisions.
    pub id: RoleId,
    /// Its name, unique among the account's roles; never changes.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Who may assume it, as the author wrote it.
    pub trust: PolicyBody,
    /// The longest session in seconds; 0 means the default of whoever makes sessions.
    pub session_duration_s: u32,
    /// Whether people may switch to it in a console.
    pub console_login: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// When it was created.
    pub created_at: UnixMillis,
    /// When its description, trust policy, durations or tags last changed.
    pub updated_at: UnixMillis,
    /// The policies attached to it, in the order of attaching; no policy twice.
    pub attachments: Attachments,
    /// The policy that caps it, if there is one (rule D-09).
    pub boundary: Option<PolicyId>,
}
