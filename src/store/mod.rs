//! The store: a durable, versioned map of opaque bytes with atomic commits and a change stream.
//!
//! [`Store`] is the contract, and each engine keeps it: [`MemoryStore`] for tests and trials,
//! [`SledStore`] on one machine's disk, and `EtcdStore` (feature `etcd`) in a cluster that many
//! nodes share. This floor must never contain policy logic. The node (floor 3) reads an account's
//! records here, commits changes under preconditions, and follows the change stream.

pub mod archive;
mod change;
mod commit;
mod contract;
mod error;
#[cfg(feature = "etcd")]
mod etcd;
pub mod key;
mod memory;
pub mod policy_files;
mod proto;
pub mod record;
mod scan;
mod sled;

pub use self::sled::SledStore;
pub use change::{ChangeRetention, Watch};
pub use commit::{
    Batcher, ChangeSet, Commit, CommitLimits, KEY_BYTES_MAX, Mutation, Precondition,
    VALUE_BYTES_MAX,
};
pub use contract::{Entry, NodeEntry, Revision, Store, StoreFuture};
pub use error::{CommitLimit, StoreError};
#[cfg(feature = "etcd")]
pub use etcd::{EtcdCredentials, EtcdOptions, EtcdStore, EtcdTls};
pub use memory::MemoryStore;
pub use scan::Scan;
