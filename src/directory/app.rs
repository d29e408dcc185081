//! Apps: the resources that the account's principals are granted, with their tags.

use std::collections::BTreeMap;

use super::id::UnixMillis;

/// An Instant Messaging app, registered by its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// Its id, unique across accounts; from 1 up.
    pub sdkappid: u64,
    /// What people call it.
    pub name: String,
    /// Its tags, `key&value` in `qcs:resource_tag` (rule D-17).
    pub tags: BTreeMap<String, String>,
    /// When it was registered.
    pub created_at: UnixMillis,
}

/// The global index record of an app: which account owns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppEntry {
    /// The app.
    pub sdkappid: u64,
    /// The uin of the account that owns it.
    pub owner_uin: u64,
}
