//! The indexes across accounts: uin → accounts, SdkAppId → owner, SecretId → owner.
//!
//! A command that needs index records says so ([`super::Command::global_reads`]). The node reads
//! those records first, passes what it found as [`Globals`], and commits under preconditions on
//! their revisions; so two accounts cannot both get one uin, app or key.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::access_key::{SecretEntry, SecretId};
use super::app::AppEntry;
use super::error::DirectoryError;

/// Names one record of a global index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GlobalKey {
    /// The record of a uin.
    Uin(u64),
    /// The record of an SdkAppId.
    App(u64),
    /// The record of an access key.
    Secret(SecretId),
}

/// The global index record of a uin. It stays when the last account lets go of the uin, so that
/// a uin never comes to mean someone else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UinEntry {
    /// The uin.
    pub uin: u64,
    /// Whether it is a root account here.
    pub is_root: bool,
    /// The account that created it as a sub-user, WeCom sub-user or message recipient, even if it
    /// was deleted since; none for roots and collaborators.
    pub home_uin: Option<u64>,
    /// The accounts it is a sub-account of, in the order of joining. Collaborators may have up to
    /// ten, others one.
    pub owner_uins: Vec<u64>,
}

impl UinEntry {
    /// The entry of a uin that was never seen.
    #[must_use]
    pub fn unseen(uin: u64) -> Self {
        Self { uin, is_root: false, home_uin: None, owner_uins: Vec::new() }
    }
}

/// The global records that a command may look at: what the node read, and that it read them.
#[derive(Debug, Clone, Default)]
pub struct Globals {
    uins: BTreeMap<u64, Option<Arc<UinEntry>>>,
    apps: BTreeMap<u64, Option<AppEntry>>,
    secrets: BTreeMap<SecretId, Option<SecretEntry>>,
    is_assumed_absent: bool,
}

impl Globals {
    /// Nothing read yet: a command that needs a record is refused.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every record that is not given counts as absent. For work without a store: folders
    /// checked offline, where no other account exists.
    #[must_use]
    pub fn assume_absent() -> Self {
        Self { is_assumed_absent: true, ..Self::default() }
    }

    /// Tells what was read under a uin; none when there is no record.
    pub fn set_uin(&mut self, uin: u64, entry: Option<Arc<UinEntry>>) {
        self.uins.insert(uin, entry);
    }

    /// Tells what was read under an SdkAppId; none when there is no record.
    pub fn set_app(&mut self, sdkappid: u64, entry: Option<AppEntry>) {
        self.apps.insert(sdkappid, entry);
    }

    /// Tells what was read under a SecretId; none when there is no record.
    pub fn set_secret(&mut self, secret_id: SecretId, entry: Option<SecretEntry>) {
        self.secrets.insert(secret_id, entry);
    }

    /// The record of a uin.
    ///
    /// # Errors
    /// [`DirectoryError::GlobalNotRead`] when nobody looked.
    pub fn uin(&self, uin: u64) -> Result<Option<&Arc<UinEntry>>, DirectoryError> {
        match self.uins.get(&uin) {
            Some(entry) => Ok(entry.as_ref()),
            None if self.is_assumed_absent => Ok(None),
            None => Err(DirectoryError::GlobalNotRead { key: GlobalKey::Uin(uin) }),
        }
    }

    /// The record of an SdkAppId.
    ///
    /// # Errors
    /// [`DirectoryError::GlobalNotRead`] when nobody looked.
    pub fn app(&self, sdkappid: u64) -> Result<Option<AppEntry>, DirectoryError> {
        match self.apps.get(&sdkappid) {
            Some(entry) => Ok(*entry),
            None if self.is_assumed_absent => Ok(None),
            None => Err(DirectoryError::GlobalNotRead { key: GlobalKey::App(sdkappid) }),
        }
    }

    /// The record of a SecretId.
    ///
    /// # Errors
    /// [`DirectoryError::GlobalNotRead`] when nobody looked.
    pub fn secret(&self, secret_id: SecretId) -> Result<Option<SecretEntry>, DirectoryError> {
        match self.secrets.get(&secret_id) {
            Some(entry) => Ok(*entry),
            None if self.is_assumed_absent => Ok(None),
            None => Err(DirectoryError::GlobalNotRead { key: GlobalKey::Secret(secret_id) }),
        }
    }
}
