//! The node's vault: what seals secrets and tokens, opened with the master key at the start.
//!
//! A store that has a keyring does not start without the master key it is wrapped under; a store
//! without one starts either way, and then has no secrets. It must never replace a keyring.

use super::error::NodeError;
use super::{Node, records};
use crate::authn::vault::keyring::Rewrapped;
use crate::authn::vault::master_key::MasterKey;
use crate::authn::vault::{Vault, keyring};
use crate::store::{Commit, Store, StoreError};

/// The id of the master key that a store's secrets are sealed under; none when it has none.
///
/// # Errors
/// [`NodeError::Keyring`], or when the record cannot be read.
pub async fn master_key_id(store: &dyn Store) -> Result<Option<String>, NodeError> {
    let (entry, _) = store.read(&records::keyring_key()).await?;
    let Some(entry) = entry else { return Ok(None) };
    Ok(Some(keyring::master_key_id(&records::decode_keyring(&entry)?)?))
}

/// Opens the store's vault; makes its keyring on first use.
///
/// # Errors
/// [`NodeError::MasterKeyWanted`] when the store has a keyring and no key is given, or
/// [`NodeError::Keyring`].
pub(super) async fn open(
    store: &dyn Store,
    master_key: Option<&MasterKey>,
) -> Result<Option<Vault>, NodeError> {
    let key = records::keyring_key();
    loop {
        let (entry, _) = store.read(&key).await?;
        match (entry, master_key) {
            (Some(entry), Some(master)) => {
                return Ok(Some(keyring::open(&records::decode_keyring(&entry)?, master)?));
            }
            (Some(_), None) => return Err(NodeError::MasterKeyWanted),
            (None, None) => return Ok(None),
            (None, Some(master)) => {
                let (content, _) = keyring::create(master)?;
                let value = records::encode_keyring(&content);
                let commit = Commit::new().require_absent(key.clone()).put(key.clone(), value);
                match store.commit(commit).await {
                    // Another node may have been first: its keyring counts.
                    Ok(_) | Err(StoreError::Conflict { .. }) => {}
                    Err(other) => return Err(other.into()),
                }
            }
        }
    }
}

/// What rotating did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotated {
    /// The store's data key is wrapped under the new key now.
    Done,
    /// It was already.
    Already,
}

/// Wraps the store's data key under another master key, in one commit. Nothing that is sealed
/// changes, and doing it twice is doing it once.
///
/// # Errors
/// [`NodeError::Keyring`] when the old key is not the store's, [`NodeError::NoKeyring`].
pub async fn rotate_master_key(
    store: &dyn Store,
    old: &MasterKey,
    new: &MasterKey,
) -> Result<Rotated, NodeError> {
    let key = records::keyring_key();
    let (entry, _) = store.read(&key).await?;
    let entry = entry.ok_or(NodeError::NoKeyring)?;
    match keyring::rewrap(&records::decode_keyring(&entry)?, old, new)? {
        Rewrapped::Already => Ok(Rotated::Already),
        Rewrapped::New(content) => {
            let value = records::encode_keyring(&content);
            let commit = Commit::new().require_at(key.clone(), entry.revision).put(key, value);
            store.commit(commit).await?;
            Ok(Rotated::Done)
        }
    }
}

impl Node {
    /// What seals and opens secrets.
    ///
    /// # Errors
    /// [`NodeError::NoMasterKey`] when the node was started without one.
    pub fn vault(&self) -> Result<&Vault, NodeError> {
        self.vault.as_ref().ok_or(NodeError::NoMasterKey)
    }
}
