//! What several test modules share: walking the repository, reading Rust source, building accounts.

#[cfg(feature = "server")]
pub(crate) mod account;
pub(crate) mod repo;
pub(crate) mod source;
