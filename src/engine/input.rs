//! What a snapshot is built from: everything about one account that decisions depend on.
//!
//! Plain values in any order, filled by the directory. Ids that are nobody's mean nothing, as those
//! of deleted policies do. Nothing here is checked or compiled.

use std::sync::Arc;

use crate::catalog::Preset;
use crate::lang;
use crate::lang::valid::ValidPolicy;
use crate::lang::variable::Owner;

/// What a principal is in its account (spec 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrincipalKind {
    /// The root account itself.
    Root,
    /// An ordinary sub-account.
    SubUser,
    /// A sub-account from WeCom.
    WecomSubUser,
    /// A root account elsewhere that works here.
    Collaborator,
    /// A role, under its id; it acts through sessions only (rule D-21).
    Role,
    /// Receives messages and can never be a principal (rule D-12).
    MessageRecipient,
}

/// How a policy came to a principal; irrelevant to decisions (rule D-03), said by `explain`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Via {
    /// Attached to the principal itself.
    Direct,
    /// Attached to one of its groups.
    Group {
        /// The group's id.
        id: u64,
        /// The group's name.
        name: Arc<str>,
    },
}

/// One policy of a principal. The order is policy, way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attachment {
    /// The policy's id: one of the account's, or a shared one of the world's.
    pub policy_id: u64,
    /// How it came here.
    pub via: Via,
}

/// One uin of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalInput {
    /// The uin; unique in the account. The last one counts when it occurs twice.
    pub uin: u64,
    /// What it is.
    pub kind: PrincipalKind,
    /// Its policies and those of its groups, in any order, perhaps several times.
    pub attachments: Vec<Attachment>,
    /// The policy id of its permission boundary (rule D-09).
    pub boundary: Option<u64>,
}

/// The content of a policy's default version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyBody {
    /// A checked policy.
    Valid(Arc<ValidPolicy>),
    /// A record that cannot be read, and why, for readers (rule D-05).
    Unreadable(String),
}

/// One policy, in its default version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyInput {
    /// The policy's id.
    pub id: u64,
    /// The policy's name.
    pub name: Arc<str>,
    /// The version that counts, from 1.
    pub version: u32,
    /// What it says.
    pub body: PolicyBody,
}

impl PolicyInput {
    /// A policy that ships with the program; its only version is 1.
    #[must_use]
    pub fn from_preset(preset: &Preset) -> Self {
        let body = match lang::load(preset.document) {
            Ok(policy) => PolicyBody::Valid(Arc::new(policy)),
            Err(findings) => PolicyBody::Unreadable(
                findings.first().map_or_else(String::new, |finding| finding.message.clone()),
            ),
        };
        Self { id: preset.id, name: preset.name.into(), version: 1, body }
    }
}

/// One registered app of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppInput {
    /// The app's id.
    pub sdkappid: u64,
    /// Its registered tags, key and value (rule D-17).
    pub tags: Vec<(String, String)>,
}

/// Everything about one account that decisions depend on, at one revision. The lists are in any
/// order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountInput {
    /// The root account.
    pub owner: Owner,
    /// The store's revision that this is.
    pub revision: u64,
    /// Everybody, the root included.
    pub principals: Vec<PrincipalInput>,
    /// The account's own policies; the shared ones stand in the `World`.
    pub policies: Vec<PolicyInput>,
    /// The registered apps.
    pub apps: Vec<AppInput>,
}
