//! Custom policies and their versions.
//!
//! The author's bytes are kept; the checked form stands beside them, so that building a snapshot
//! again parses nothing. A stored text that cannot be read stays what it is and is never skipped
//! (rule D-05).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::lang::diagnostic::Diagnostic;
use crate::lang::valid::ValidPolicy;

use super::id::{PolicyId, UnixMillis, VersionNumber};

/// A custom policy, without its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its id; 1,000,000 or more.
    pub id: PolicyId,
    /// Its name, unique among the account's custom policies and different from every preset's.
    pub name: String,
    /// Free text.
    pub description: String,
    /// When it was created.
    pub created_at: UnixMillis,
    /// When its description, its default or a version last changed.
    pub updated_at: UnixMillis,
    /// The version that counts.
    pub default_version: VersionNumber,
    /// The number that the next version gets.
    pub next_version: VersionNumber,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// One version of a custom policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyVersion {
    /// The policy it belongs to.
    pub policy: PolicyId,
    /// Its number.
    pub number: VersionNumber,
    /// When it was created.
    pub created_at: UnixMillis,
    /// The document.
    pub body: PolicyBody,
}

/// A policy's document: the author's bytes, and what they mean.
#[derive(Debug, Clone)]
pub enum PolicyBody {
    /// The document as checked; its `source` is the author's text.
    Readable(Arc<ValidPolicy>),
    /// A stored text that cannot be read: whoever it is attached to is denied (rule D-05).
    Unreadable {
        /// The bytes as stored.
        bytes: Arc<[u8]>,
        /// Why.
        findings: Arc<[Diagnostic]>,
    },
}

impl PolicyBody {
    /// The author's text, byte for byte (rule L-12).
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Readable(policy) => policy.source().as_bytes(),
            Self::Unreadable { bytes, .. } => bytes,
        }
    }

    /// The checked document, if it can be read.
    #[must_use]
    pub fn valid(&self) -> Option<&Arc<ValidPolicy>> {
        match self {
            Self::Readable(policy) => Some(policy),
            Self::Unreadable { .. } => None,
        }
    }
}

/// Two bodies are equal when their bytes are: what they mean follows from that.
impl PartialEq for PolicyBody {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for PolicyBody {}
