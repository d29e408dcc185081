//! Registering a root account.

use std::sync::Arc;

use crate::directory::account::Account;
use crate::directory::change::Record;
use crate::directory::command::{CommandResult, CreateAccount};
use crate::directory::error::{DirectoryError, Noun};
use crate::directory::execute::Draft;
use crate::directory::global::UinEntry;

/// Largest uin, APPID and SdkAppId: exact in every JSON reader.
pub(super) const ID_MAX: u64 = (1 << 53) - 1;

pub(super) fn create(
    draft: &mut Draft<'_>,
    command: &CreateAccount,
) -> Result<CommandResult, DirectoryError> {
    let owner = command.owner;
    check_id(Noun::Account, owner.uin)?;
    check_id(Noun::Account, owner.app_id)?;
    if draft.state.account.is_some() {
        return Err(DirectoryError::IdInUse { noun: Noun::Account, id: owner.uin });
    }
    let mut entry = match draft.uin_entry(owner.uin)? {
        Some(entry) if entry.is_root => {
            return Err(DirectoryError::IdInUse { noun: Noun::Account, id: owner.uin });
        }
        Some(entry) if entry.home_uin.is_some() => {
            return Err(DirectoryError::TakenElsewhere { noun: Noun::Account, id: owner.uin });
        }
        Some(entry) => entry,
        None => Arc::new(UinEntry::unseen(owner.uin)),
    };
    Arc::make_mut(&mut entry).is_root = true;
    draft.put(Record::UinEntry(entry));
    let now = draft.env.now;
    draft.put(Record::Account(Arc::new(Account::new(owner, now))));
    Ok(CommandResult::Done)
}

/// Accepts ids from 1 to [`ID_MAX`].
pub(super) fn check_id(noun: Noun, id: u64) -> Result<(), DirectoryError> {
    if (1..=ID_MAX).contains(&id) {
        return Ok(());
    }
    Err(DirectoryError::BadId { noun, id, min: 1, max: ID_MAX })
}
