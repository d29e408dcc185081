//! Access keys by their SecretId: whose a key is, and the secret that it signs with.
//!
//! A key counts only while it is active and its holder exists. Whoever asks learns nothing of keys
//! that do not count. It must never keep a secret longer than the question takes.

use super::error::NodeError;
use super::sessions::has_user;
use super::{Node, Prepared, WriteJob, WriteOptions};
use crate::authn::random::NoEntropy;
use crate::authn::secret::{SecretKey, generate_key_id};
use crate::authn::vault::VaultError;
use crate::directory::{Command, CreateAccessKey, KeyStatus, SealedSecret, SecretId, execute};
use crate::store::Revision;

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

    /// Adds a key to an account, as any client's command would.
    ///
    /// # Errors
    /// As [`Node::write`].
    pub async fn add_key(
        &self,
        owner_uin: u64,
        holder: u64,
        key: &NewKey,
        description: &str,
    ) -> Result<Revision, NodeError> {
        let command = Command::CreateAccessKey(CreateAccessKey {
            holder,
            secret_id: key.secret_id,
            sealed_secret: key.sealed_secret.clone(),
            description: description.to_owned(),
        });
        let job = WriteJob {
            reads: &|state| command.global_reads(state),
            allot_uin: false,
            run: &|input| {
                let executed = execute(input.state, &command, &input.env)?;
                Ok(Prepared {
                    changes: executed.changes,
                    operations: vec![command.name()],
                    answer: Vec::new(),
                })
            },
        };
        Ok(self.write(owner_uin, &WriteOptions::default(), &job).await?.revision)
    }

    /// The key with this id; none when there is none, when it is inactive, or when its holder is
    /// gone.
    ///
    /// # Errors
    /// [`NodeError::NoMasterKey`], or when a record cannot be read or does not open.
    pub async fn signing_key(&self, id: SecretId) -> Result<Option<SigningKey>, NodeError> {
        let Some(entry) = self.index.secret(&*self.store, id).await? else { return Ok(None) };
        let owner_uin = entry.owner_uin;
        let Some(view) = self.view(owner_uin).await? else { return Ok(None) };
        let Some(key) = view.state.access_key(id) else { return Ok(None) };
        if key.status != KeyStatus::Active || !has_user(&view, key.holder) {
            return Ok(None);
        }
        let secret = self.vault()?.open_secret(owner_uin, id.as_str(), &key.sealed_secret.0)?;
        Ok(Some(SigningKey { secret_id: id, owner_uin, holder: key.holder, secret }))
    }
}
