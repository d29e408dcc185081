//! Access keys by their SecretId: whose a key is, and the secret that it signs with.
//!
//! A key counts only while it is active and its holder exists. Whoever asks learns nothing of keys
//! that do not count. It must never keep a secret longer than the question takes.

use super::error::NodeError;
use super::{Node, records};
use crate::authn::random::NoEntropy;
use crate::authn::secret::{SecretKey, generate_key_id};
use crate::authn::vault::VaultError;
use crate::directory::{GlobalKey, KeyStatus, SealedSecret, SecretId};

/// A permanent key that may sign.
#[derive(Debug, Clone)]
pub struct SigningKey {
    /// Its public half.
    pub secret_id: SecretId,
    /// The account it belongs to.
    pub owner_uin: u64,
    /// Who holds it: the root's uin, or a sub-account's.
    pub holder: u64,
    /// Its secret half.
    pub secret: SecretKey,
}

/// A key that is about to be created: its secret is shown once and then known only sealed.
#[derive(Debug)]
pub struct NewKey {
    /// Its public half.
    pub secret_id: SecretId,
    /// Its secret half, for the one reply that shows it.
    pub secret: SecretKey,
    /// The same, for the record.
    pub sealed_secret: SealedSecret,
}

impl Node {
    /// Makes a key for an account, at random.
    ///
    /// # Errors
    /// [`NodeError::NoMasterKey`], or without randomness.
    pub fn new_key(&self, owner_uin: u64) -> Result<NewKey, NodeError> {
        let no_entropy = |error: NoEntropy| NodeError::from(VaultError::from(error));
        let id = generate_key_id().map_err(no_entropy)?;
        let id = SecretId::parse(&id)
            .ok_or_else(|| NodeError::Internal("a generated SecretId is none".to_owned()))?;
        self.seal_key(owner_uin, id, SecretKey::generate().map_err(no_entropy)?)
    }

    /// Seals a key that was chosen elsewhere, for an account.
    ///
    /// # Errors
    /// [`NodeError::NoMasterKey`], or without randomness.
    pub fn seal_key(
        &self,
        owner_uin: u64,
        secret_id: SecretId,
        secret: SecretKey,
    ) -> Result<NewKey, NodeError> {
        let sealed = self.vault()?.seal_secret(owner_uin, secret_id.as_str(), &secret)?;
        Ok(NewKey { secret_id, secret, sealed_secret: SealedSecret(sealed.into()) })
    }

    /// The key with this id; none when there is none, when it is inactive, or when its holder is
    /// gone.
    ///
    /// # Errors
    /// [`NodeError::NoMasterKey`], or when a record cannot be read or does not open.
    pub async fn signing_key(&self, id: SecretId) -> Result<Option<SigningKey>, NodeError> {
        let (entry, _) = self.store.read(&records::global_key(GlobalKey::Secret(id))).await?;
        let Some(entry) = entry else { return Ok(None) };
        let owner_uin = records::decode_secret(&entry)?.owner_uin;
        let Some(view) = self.view(owner_uin).await? else { return Ok(None) };
        let Some(key) = view.state.access_key(id) else { return Ok(None) };
        let is_held = key.holder == owner_uin || view.state.sub_account(key.holder).is_some();
        if key.status != KeyStatus::Active || !is_held {
            return Ok(None);
        }
        let secret = self.vault()?.open_secret(owner_uin, id.as_str(), &key.sealed_secret.0)?;
        Ok(Some(SigningKey { secret_id: id, owner_uin, holder: key.holder, secret }))
    }
}
