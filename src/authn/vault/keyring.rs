//! The keyring: the store's record that keeps the data key, wrapped under the master key.
//!
//! Another master key than the one it was wrapped under is told apart by name before anything is
//! tried, so that the operator reads which key is wanted. A record that is not whole is refused;
//! nothing ever makes a new data key where one exists, because all secrets would be lost.

use prost::Message as _;
use thiserror::Error;
use zeroize::Zeroizing;

use super::keys::DataKey;
use super::master_key::MasterKey;
use super::sealed::Seal;
use super::{Vault, VaultError, proto};

const FORMAT: u32 = 1;
/// Longest record, in bytes; ours have about 100.
const KEYRING_BYTES_MAX: usize = 1_024;

/// Why a keyring does not open.
#[derive(Debug, Error)]
pub enum KeyringError {
    /// It is wrapped under another master key.
    #[error(
        "the store's secrets are sealed under the master key `{wanted}`, but the key given is \
         `{given}`; give the right file, or rotate with `camgate master-key rotate`"
    )]
    OtherMasterKey {
        /// The id of the key that it is wrapped under.
        wanted: String,
        /// The id of the key that was given.
        given: String,
    },
    /// It cannot be read.
    #[error("the record `n/keyring` is damaged; restore the store from a copy")]
    Damaged,
    /// Its format is of a later version.
    #[error("the record `n/keyring` has format {0}; this version reads 1")]
    Format(u32),
    /// Wrapping failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// What rotating the master key makes of a keyring.
#[derive(Debug, PartialEq, Eq)]
pub enum Rewrapped {
    /// The record to store.
    New(Vec<u8>),
    /// It is under the new key already: there is nothing to do.
    Already,
}

/// Makes a keyring with a new data key, for a store that has none.
///
/// # Errors
/// [`KeyringError::Vault`], without randomness.
pub fn create(master: &MasterKey) -> Result<(Vec<u8>, Vault), KeyringError> {
    let data_key = DataKey::generate().map_err(VaultError::from)?;
    Ok((wrap(master, &data_key)?, Vault::new(&data_key)))
}

/// Opens the vault of a store.
///
/// # Errors
/// As [`KeyringError`] has it.
pub fn open(record: &[u8], master: &MasterKey) -> Result<Vault, KeyringError> {
    Ok(Vault::new(&unwrap(&read(record)?, master)?))
}

/// The id of the master key that a keyring is wrapped under.
///
/// # Errors
/// [`KeyringError::Damaged`] and [`KeyringError::Format`].
pub fn master_key_id(record: &[u8]) -> Result<String, KeyringError> {
    Ok(read(record)?.master_key_id.escape_debug().take(32).collect())
}

/// Wraps the data key under another master key. The data key, and so everything sealed, stays.
///
/// # Errors
/// As [`KeyringError`] has it; when neither key fits, about the old one.
pub fn rewrap(record: &[u8], old: &MasterKey, new: &MasterKey) -> Result<Rewrapped, KeyringError> {
    let keyring = read(record)?;
    if keyring.master_key_id == new.id() {
        unwrap(&keyring, new)?;
        return Ok(Rewrapped::Already);
    }
    let data_key = unwrap(&keyring, old)?;
    Ok(Rewrapped::New(wrap(new, &data_key)?))
}

fn read(record: &[u8]) -> Result<proto::Keyring, KeyringError> {
    if record.len() > KEYRING_BYTES_MAX {
        return Err(KeyringError::Damaged);
    }
    let keyring = proto::Keyring::decode(record).map_err(|_| KeyringError::Damaged)?;
    if keyring.format != FORMAT {
        return Err(KeyringError::Format(keyring.format));
    }
    Ok(keyring)
}

fn unwrap(keyring: &proto::Keyring, master: &MasterKey) -> Result<DataKey, KeyringError> {
    let proto::Keyring { format: _, master_key_id, wrapped_data_key } = keyring;
    if *master_key_id != master.id() {
        let wanted = master_key_id.escape_debug().take(32).collect();
        return Err(KeyringError::OtherMasterKey { wanted, given: master.id() });
    }
    let opened = seal(master).open(master_key_id.as_bytes(), wrapped_data_key);
    let bytes = opened.map_err(|_| KeyringError::Damaged)?;
    let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| KeyringError::Damaged)?;
    Ok(DataKey(Zeroizing::new(key)))
}

fn wrap(master: &MasterKey, data_key: &DataKey) -> Result<Vec<u8>, KeyringError> {
    let master_key_id = master.id();
    let wrapped = seal(master).seal(master_key_id.as_bytes(), data_key.0.as_slice())?;
    let keyring = proto::Keyring { format: FORMAT, master_key_id, wrapped_data_key: wrapped };
    Ok(keyring.encode_to_vec())
}

fn seal(master: &MasterKey) -> Seal {
    Seal::new("data key", &master.derive("camgate data key 1"))
}
