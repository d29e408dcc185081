//! What several test modules share: walking the repository, reading Rust source, building accounts.

pub(crate) mod repo;
pub(crate) mod source;
