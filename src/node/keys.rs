//! Access keys by their SecretId: whose a key is, and the secret that it signs with.
//!
//! A key counts only while it is active and its holder exists. Whoever asks learns nothing of keys
//! that do not count. It must never keep a secret longer than the question takes.

use super::error::NodeError;
use super::{Node, records};
use crate::authn::secret::SecretKey;
use crate::directory::{GlobalKey, KeyStatus, SecretId};

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

impl Node {
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
