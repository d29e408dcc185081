//! Why the node refuses or cannot answer: one enum, which `service/status.rs` turns into codes.
//!
//! A deny is no error. It must never carry a stored value or a secret.

use super::access::AccessError;
use super::callers_write::CallersError;
use crate::audit::decision_log::{FileFault, LogFault};
use crate::authn::password::PasswordError;
use crate::authn::vault::VaultError;
use crate::authn::vault::keyring::KeyringError;
use crate::catalog::CatalogError;
use crate::directory::folder::PlanError;
use crate::directory::{DirectoryError, ExecuteAllError};
use crate::engine::{RequestFault, SearchFault};
use crate::lang::action::ActionFault;
use crate::lang::condition::ContextFault;
use crate::lang::diagnostic::Diagnostic;
use crate::lang::resource::ResourceFault;
use crate::store::StoreError;
use crate::store::archive::ArchiveError;
use crate::store::record::CensusFault;

/// Why a node could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// A field of the request is missing, too large or of the wrong shape.
    #[error("field `{field}` {problem}")]
    BadField {
        /// Path of the field in the request.
        field: String,
        /// What is wrong and what was expected.
        problem: String,
    },
    /// More of something than a request may have.
    #[error("field `{field}` has {actual} {unit}, the limit is {limit}: split the request")]
    OverLimit {
        /// Path of the field in the request.
        field: String,
        /// What is counted.
        unit: &'static str,
        /// The greatest accepted number.
        limit: usize,
        /// The number found.
        actual: usize,
    },
    /// A console password is not taken.
    #[error("{0}")]
    Password(#[from] PasswordError),
    /// The request's action is no action name.
    #[error("action `{action}` {fault}: write `service:Name`, e.g. `im:DescribeConfInfo`")]
    Action {
        /// The text given, shortened.
        action: String,
        /// What is wrong with it.
        fault: ActionFault,
    },
    /// The request's resource is no resource name.
    #[error(
        "resource `{resource}` {fault}: write `*` or six segments, \
         e.g. `qcs::im::uin/12345678:sdkappid/1400000001`"
    )]
    Resource {
        /// The text given, shortened.
        resource: String,
        /// What is wrong with it.
        fault: ResourceFault,
    },
    /// The request's context is refused.
    #[error("{0}")]
    Context(#[from] ContextFault),
    /// The request is refused before it is decided (rules D-15, D-18, F-01).
    #[error("{0}")]
    Request(#[from] RequestFault),
    /// A search is refused.
    #[error("{0}")]
    Search(#[from] SearchFault),
    /// A uin that belongs to several accounts was given without an owner.
    #[error("uin {uin} acts in several accounts: set `owner_uin` to one of {}", join(.owners))]
    AmbiguousPrincipal {
        /// The uin.
        uin: u64,
        /// The accounts it may mean.
        owners: Vec<u64>,
    },
    /// Not a revision token.
    #[error("`{token}` is no revision token: pass one that camgate returned, unchanged")]
    BadToken {
        /// The text given, shortened.
        token: String,
    },
    /// A token of another store.
    #[error("the revision token is from another store: drop it and read again")]
    ForeignToken,
    /// Not a page token of this list.
    #[error(
        "`{token}` is no page token of this list: pass `next_page_token` unchanged, with the \
             same request"
    )]
    BadPageToken {
        /// The text given, shortened.
        token: String,
    },
    /// Not yet at the revision asked for.
    #[error(
        "this node is at revision {applied}, not yet at {wanted} after {waited_ms} ms: try again"
    )]
    NotYet {
        /// The revision asked for.
        wanted: u64,
        /// The revision applied here.
        applied: u64,
        /// How long it waited.
        waited_ms: u64,
    },
    /// The node does not know whether it is up to date, for too long.
    #[error(
        "this node was last known to be up to date {age_ms} ms ago, more than the {limit_ms} ms \
         that are allowed: it cannot reach the store; ask another node, or try again"
    )]
    Stale {
        /// How long ago that was.
        age_ms: u64,
        /// The most that is allowed.
        limit_ms: u64,
    },
    /// A node that runs could not read what would be written.
    #[error(
        "node `{id}` (version {version}) reads records up to format {reads}, and this program \
         writes format {writes}: stop that node or upgrade it, then write"
    )]
    OlderNodes {
        /// The node.
        id: String,
        /// Its program's version.
        version: String,
        /// The newest format that it reads.
        reads: u32,
        /// The format that would be written.
        writes: u32,
    },
    /// The change is durable, but this node does not show it yet.
    #[error(
        "the change is stored at revision {revision} but is not visible here after {waited_ms} ms: \
         do not repeat it, read with `at_least`"
    )]
    NotVisible {
        /// The revision of the change.
        revision: u64,
        /// How long it waited.
        waited_ms: u64,
    },
    /// The account changed after the token of `if_revision`.
    #[error("account {owner_uin} changed after the revision given: read it again and retry")]
    Changed {
        /// The account.
        owner_uin: u64,
    },
    /// Others kept changing the account.
    #[error("account {owner_uin} was changed by others {attempts} times in a row: retry")]
    Contended {
        /// The account.
        owner_uin: u64,
        /// How often the write was tried.
        attempts: u32,
    },
    /// The request id was used for another request.
    #[error("request id `{request_id}` was used for a different request: use a new one")]
    RequestIdReused {
        /// The id.
        request_id: String,
    },
    /// There is no such account.
    #[error("account {owner_uin} does not exist: create it first")]
    NoAccount {
        /// The account.
        owner_uin: u64,
    },
    /// There is no such thing in the account.
    #[error("{noun} `{name}` does not exist in account {owner_uin}")]
    NotFound {
        /// What kind of thing.
        noun: &'static str,
        /// Its id or name as given.
        name: String,
        /// The account.
        owner_uin: u64,
    },
    /// A policy text was refused.
    #[error("policy `{name}` has {} findings; the first: {}", .findings.len(), first(.findings))]
    Policy {
        /// The name it was given under.
        name: String,
        /// All findings, in document order.
        findings: Vec<Diagnostic>,
    },
    /// An account folder was refused.
    #[error("the folder has {} faults; the first: {}", .faults.len(), first_of(.faults))]
    Folder {
        /// All faults, each with its file and place.
        faults: Vec<String>,
    },
    /// There is no plan from an account to a folder.
    #[error("{0}")]
    Plan(#[from] PlanError),
    /// The directory refused one of several commands.
    #[error("{0}")]
    Commands(#[from] ExecuteAllError),
    /// The directory refused a command.
    #[error("{0}")]
    Directory(#[from] DirectoryError),
    /// The store refused or failed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// Who calls may not do that.
    #[error("{0}")]
    Access(#[from] AccessError),
    /// The decision is not in the decision log, and must be there before it is told.
    #[error("no answer is given that is not logged: {0}")]
    DecisionLog(#[from] LogFault),
    /// The decision log cannot be opened.
    #[error("{0}")]
    DecisionLogFile(#[from] FileFault),
    /// A change of service callers is refused.
    #[error("{0}")]
    Callers(#[from] CallersError),
    /// The store holds a part of an archive.
    #[error(
        "an import into this store has not ended, so it holds only a part: run `camgate import` \
         again with the same archive, or use another store"
    )]
    ImportUnfinished,
    /// The store cannot be exported.
    #[error("{0}")]
    Archive(#[from] ArchiveError),
    /// The store has secrets, and no master key was given to open them.
    #[error(
        "the store's secrets are sealed under a master key: give its file with \
         `--master-key-file`, or its line in CAMGATE_MASTER_KEY"
    )]
    MasterKeyWanted,
    /// The store has no secrets, so there is nothing to rotate.
    #[error("the store has no secrets yet: start the server with the new master key")]
    NoKeyring,
    /// Not a session token of this store.
    #[error("the session token is none of this server's: pass one that it returned, unchanged")]
    BadSessionToken,
    /// There is no master key.
    #[error(
        "this server has no master key, so it keeps no secrets: `camgate master-key new FILE` \
         makes one, `--master-key-file FILE` uses it"
    )]
    NoMasterKey,
    /// The keyring of the store does not open.
    #[error("{0}")]
    Keyring(#[from] KeyringError),
    /// Something was not sealed, or does not open.
    #[error("{0}")]
    Vault(#[from] VaultError),
    /// A catalog file was refused.
    #[error("{0}")]
    Catalog(#[from] CatalogError),
    /// A stored record cannot be read.
    #[error("stored record `{key}` cannot be read: {problem}")]
    Record {
        /// Its key, printable.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// The records of an account are not those that were committed.
    #[error(
        "account {owner_uin} is out of service, because its head does not know its records: \
         {fault}{}; restore the store from a backup", named(.names)
    )]
    Damaged {
        /// The account.
        owner_uin: u64,
        /// What was counted and what is there.
        fault: CensusFault,
        /// The records that differ from the change log, or were changed without the head.
        names: Vec<String>,
    },
    /// A watch asked for changes that are no longer kept.
    #[error("changes after the token are no longer kept: begin again without `after`")]
    Compacted,
    /// The node is stopping.
    #[error("this node is stopping: ask another one")]
    Stopping,
    /// A fault of the program.
    #[error("{0}")]
    Internal(String),
}

fn join(owners: &[u64]) -> String {
    owners.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}

fn named(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) }
}

fn first_of(faults: &[String]) -> &str {
    faults.first().map_or("", |it| it)
}

fn first(findings: &[Diagnostic]) -> String {
    findings.first().map(ToString::to_string).unwrap_or_default()
}

/// A user's text for a message: at most 128 characters of it.
pub(crate) fn shorten(text: &str) -> String {
    text.chars().take(128).collect()
}
