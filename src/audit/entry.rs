//! One entry of the log, as a value. `store::record` gives it its bytes.

use crate::directory::{ChangeHead, UnixMillis};

/// Who asked for a change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Actor {
    /// Whoever runs the server: over gRPC, or the program itself.
    #[default]
    Operator,
    /// A caller that proved who it is with a key.
    Caller {
        /// The uin, or the role id, that acted.
        uin: u64,
        /// The account it belongs to.
        owner_uin: u64,
        /// The id of the key that signed.
        secret_id: String,
        /// The name of the session; empty for permanent keys.
        session: String,
    },
}

/// How a change was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// By a call within the program.
    #[default]
    Direct,
    /// By a call of the gRPC service.
    Grpc,
    /// By a signed call of CAM API 3.0.
    CamApi,
}

/// Where a change comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// Who asked.
    pub actor: Actor,
    /// How.
    pub protocol: Protocol,
    /// The name of the call, as its protocol has it; empty where there is none.
    pub call: String,
    /// The peer's address; empty where there is none.
    pub source: String,
    /// The id of the request; empty where there is none.
    pub request_id: String,
    /// The name of the service caller that brought it; empty where there is none.
    pub service_caller: String,
}

/// What a record was or became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Its bytes, secrets replaced.
    Whole(Vec<u8>),
    /// Of a record that is too large for the entry.
    Digest {
        /// The SHA-256 of its bytes.
        sha256: [u8; 32],
        /// How many there are.
        length: u64,
    },
}

/// One record put or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordChange {
    /// The record's key in the store.
    pub key: Vec<u8>,
    /// What it was; none when it was not there.
    pub before: Option<Content>,
    /// What it is now; none when it is gone.
    pub after: Option<Content>,
}

/// What stands for the records that have no room in the entry even as digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Omitted {
    /// How many records.
    pub records: u64,
    /// The SHA-256 over their keys and contents.
    pub sha256: [u8; 32],
}

/// One change of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeEntry {
    /// The account.
    pub owner_uin: u64,
    /// From 1 up without a gap.
    pub sequence: u64,
    /// The digest of the entry before; zeros in the first.
    pub previous: [u8; 32],
    /// When.
    pub at: UnixMillis,
    /// Who, and from where.
    pub origin: Origin,
    /// The names of the directory's commands, each once, in the order of their first use.
    pub operations: Vec<String>,
    /// Every record that changed, sorted by key.
    pub records: Vec<RecordChange>,
    /// What has no room in `records`.
    pub omitted: Option<Omitted>,
}

impl ChangeEntry {
    /// The place of an entry that follows `head`, still without content.
    #[must_use]
    pub fn after(head: &ChangeHead, owner_uin: u64, at: UnixMillis, origin: Origin) -> Self {
        Self {
            owner_uin,
            sequence: head.sequence.saturating_add(1),
            previous: head.digest,
            at,
            origin,
            operations: Vec::new(),
            records: Vec::new(),
            omitted: None,
        }
    }
}
