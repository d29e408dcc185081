//! Access keys: adding, changing, deleting; and the global index of their SecretIds.

use std::sync::Arc;

use super::{find_principal, not_found};
use crate::directory::access_key::{AccessKey, KeyStatus, SealedSecret, SecretEntry, SecretId};
use crate::directory::change::{Record, RecordKey};
use crate::directory::command::{CommandResult, CreateAccessKey, DeleteAccessKey, UpdateAccessKey};
use crate::directory::error::{DirectoryError, Noun};
use crate::directory::execute::Draft;
use crate::directory::global::GlobalKey;
use crate::directory::name;
use crate::directory::quota::Quota;

pub(super) fn create(
    draft: &mut Draft<'_>,
    command: &CreateAccessKey,
) -> Result<CommandResult, DirectoryError> {
    let CreateAccessKey { holder, secret_id, sealed_secret, description } = command;
    let quotas = draft.env.quotas;
    let owner_uin = draft.account()?.owner.uin;
    if *holder != owner_uin {
        find_principal(draft, *holder)?;
    }
    name::check_key_description(description, quotas)?;
    let (noun, max) = (Noun::AccessKey, SealedSecret::BYTES_MAX);
    let actual = sealed_secret.0.len();
    if !(1..=max).contains(&actual) {
        let (field, unit) = ("sealed secret", "bytes");
        return Err(DirectoryError::BadLength { noun, field, unit, min: 1, max, actual });
    }
    // Made at random, so it is taken only when something is wrong; a key is never given twice.
    if draft.secret_entry(*secret_id)?.is_some() || draft.state.access_key(*secret_id).is_some() {
        return Err(DirectoryError::NameInUse { noun, name: secret_id.to_string() });
    }
    let there_would_be = draft.state.keys_of(*holder).count().saturating_add(1);
    Quota::AccessKeysPerHolder.check(quotas.access_keys_per_holder_max, there_would_be)?;
    draft.put(Record::SecretEntry(SecretEntry { secret_id: *secret_id, owner_uin }));
    let key = AccessKey {
        secret_id: *secret_id,
        holder: *holder,
        status: KeyStatus::Active,
        description: description.clone(),
        created_at: draft.env.now,
        sealed_secret: sealed_secret.clone(),
    };
    draft.put(Record::AccessKey(Arc::new(key)));
    Ok(CommandResult::Done)
}

pub(super) fn update(
    draft: &mut Draft<'_>,
    command: &UpdateAccessKey,
) -> Result<CommandResult, DirectoryError> {
    let UpdateAccessKey { secret_id, holder, status, description } = command;
    if status.is_none() && description.is_none() {
        return Err(DirectoryError::NothingToChange { noun: Noun::AccessKey });
    }
    let mut key = find_key(draft, *secret_id, *holder)?;
    let changed = Arc::make_mut(&mut key);
    if let Some(status) = status {
        changed.status = *status;
    }
    if let Some(description) = description {
        name::check_key_description(description, draft.env.quotas)?;
        changed.description.clone_from(description);
    }
    draft.put(Record::AccessKey(key));
    Ok(CommandResult::Done)
}

pub(super) fn delete(
    draft: &mut Draft<'_>,
    command: &DeleteAccessKey,
) -> Result<CommandResult, DirectoryError> {
    let key = find_key(draft, command.secret_id, command.holder)?;
    remove(draft, &key)?;
    Ok(CommandResult::Done)
}

/// Takes a key away, and its entry in the index.
pub(super) fn remove(draft: &mut Draft<'_>, key: &AccessKey) -> Result<(), DirectoryError> {
    let owner_uin = draft.account()?.owner.uin;
    let entry = draft.secret_entry(key.secret_id)?;
    if entry.is_some_and(|entry| entry.owner_uin == owner_uin) {
        draft.delete(RecordKey::Global(GlobalKey::Secret(key.secret_id)));
    }
    draft.delete(RecordKey::AccessKey(key.secret_id));
    Ok(())
}

/// The key that is meant. One of another holder is as if it were not there.
fn find_key(
    draft: &Draft<'_>,
    secret_id: SecretId,
    holder: Option<u64>,
) -> Result<Arc<AccessKey>, DirectoryError> {
    let found = draft.state.access_key(secret_id);
    let found = found.filter(|key| holder.is_none_or(|holder| holder == key.holder));
    found.cloned().ok_or_else(|| not_found(Noun::AccessKey, secret_id))
}
