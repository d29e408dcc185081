//! What several test modules share: walking the repository, reading Rust source, building accounts.

#[cfg(feature = "server")]
pub(crate) mod account;
#[cfg(feature = "server")]
pub(crate) mod authority;
#[cfg(feature = "server")]
pub(crate) mod change_log;
#[cfg(feature = "etcd")]
pub(crate) mod etcd;
pub(crate) mod repo;
pub(crate) mod source;
#[cfg(feature = "server")]
pub(crate) mod wrapped_store;
