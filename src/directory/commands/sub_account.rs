//! Sub-accounts: creating, changing, deleting; and the global index of their uins.

use std::sync::Arc;

use thin_vec::ThinVec;

use super::access_key;
use super::account::check_id;
use super::find_sub_account;
use crate::directory::attachments::Attachments;
use crate::directory::change::{Record, RecordKey};
use crate::directory::command::{
    CommandResult, CreateSubAccount, DeleteSubAccount, ProfileUpdate, UpdateSubAccount,
};
use crate::directory::error::{DirectoryError, Noun};
use crate::directory::execute::Draft;
use crate::directory::global::UinEntry;
use crate::directory::name;
use crate::directory::quota::Quota;
use crate::directory::sub_account::{PasswordHash, Profile, SubAccount, SubAccountKind};

pub(super) fn create(
    draft: &mut Draft<'_>,
    command: &CreateSubAccount,
) -> Result<CommandResult, DirectoryError> {
    let CreateSubAccount { uin, name, kind, remark, profile } = command;
    let quotas = draft.env.quotas;
    check_id(Noun::SubAccount, *uin)?;
    name::check_name(Noun::SubAccount, name, quotas)?;
    name::check_remark(Noun::SubAccount, remark, quotas)?;
    if draft.state.sub_account(*uin).is_some() {
        return Err(DirectoryError::IdInUse { noun: Noun::SubAccount, id: *uin });
    }
    check_free_name(draft, *uin, name)?;
    let entry = joined(draft, *uin, *kind)?;
    let there_would_be = draft.state.sub_accounts.len().saturating_add(1);
    Quota::SubAccountsPerAccount.check(quotas.sub_accounts_per_account_max, there_would_be)?;
    check_profile(draft, *uin, *kind, profile)?;
    let uid = draft.account()?.next_uid;
    let Some(next) = uid.checked_add(1) else {
        return Err(DirectoryError::IdsExhausted { noun: Noun::SubAccount });
    };
    draft.update_account(|account| account.next_uid = next)?;
    let sub_account = SubAccount {
        uin: *uin,
        uid,
        name: name.as_str().into(),
        kind: *kind,
        remark: remark.as_str().into(),
        created_at: draft.env.now,
        attachments: Attachments::default(),
        groups: ThinVec::new(),
        boundary: None,
        profile: profile.clone().into(),
    };
    draft.put(Record::UinEntry(Arc::new(entry)));
    draft.put(Record::SubAccount(Arc::new(sub_account)));
    Ok(CommandResult::Done)
}

pub(super) fn update(
    draft: &mut Draft<'_>,
    command: &UpdateSubAccount,
) -> Result<CommandResult, DirectoryError> {
    let UpdateSubAccount { uin, name, remark, profile } = command;
    if name.is_none() && remark.is_none() && *profile == ProfileUpdate::default() {
        return Err(DirectoryError::NothingToChange { noun: Noun::SubAccount });
    }
    let mut sub_account = find_sub_account(draft, *uin)?;
    let changed = Arc::make_mut(&mut sub_account);
    if let Some(name) = name {
        name::check_name(Noun::SubAccount, name, draft.env.quotas)?;
        check_free_name(draft, *uin, name)?;
        changed.name = name.as_str().into();
    }
    if let Some(remark) = remark {
        name::check_remark(Noun::SubAccount, remark, draft.env.quotas)?;
        changed.remark = remark.as_str().into();
    }
    update_profile(&mut changed.profile, profile);
    check_profile(draft, *uin, changed.kind, &changed.profile)?;
    draft.put(Record::SubAccount(sub_account));
    Ok(CommandResult::Done)
}

pub(super) fn delete(
    draft: &mut Draft<'_>,
    command: &DeleteSubAccount,
) -> Result<CommandResult, DirectoryError> {
    let DeleteSubAccount { uin, force, delete_keys } = command;
    let owner_uin = draft.account()?.owner.uin;
    let sub_account = find_sub_account(draft, *uin)?;
    let is_in_use = !sub_account.attachments.is_empty()
        || !sub_account.groups.is_empty()
        || sub_account.boundary.is_some();
    if is_in_use && !force {
        return Err(DirectoryError::SubAccountInUse {
            name: sub_account.name.to_string(),
            policies: sub_account.attachments.len(),
            groups: sub_account.groups.len(),
        });
    }
    let keys: Vec<_> = draft.state.keys_of(*uin).cloned().collect();
    if !keys.is_empty() && !delete_keys {
        let name = sub_account.name.to_string();
        return Err(DirectoryError::HaveKeys { name, keys: keys.len() });
    }
    for key in keys {
        access_key::remove(draft, &key)?;
    }
    // The entry stays without this owner, so that the uin never becomes someone else's.
    if let Some(mut entry) = draft.uin_entry(*uin)? {
        Arc::make_mut(&mut entry).owner_uins.retain(|owner| *owner != owner_uin);
        draft.put(Record::UinEntry(entry));
    }
    draft.delete(RecordKey::SubAccount(*uin));
    Ok(CommandResult::Done)
}

fn update_profile(profile: &mut Profile, update: &ProfileUpdate) {
    let ProfileUpdate {
        console_login,
        need_reset_password,
        password_hash,
        phone_num,
        country_code,
        email,
    } = update.clone();
    set(&mut profile.console_login, console_login);
    set(&mut profile.need_reset_password, need_reset_password);
    set(&mut profile.password_hash, password_hash.map(Some));
    set(&mut profile.phone_num, phone_num);
    set(&mut profile.country_code, country_code);
    set(&mut profile.email, email);
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn check_profile(
    draft: &Draft<'_>,
    uin: u64,
    kind: SubAccountKind,
    profile: &Profile,
) -> Result<(), DirectoryError> {
    name::check_contacts(profile, draft.env.quotas)?;
    let may_log_in = profile.console_login || profile.password_hash.is_some();
    if may_log_in && !kind.is_principal() {
        return Err(DirectoryError::NotAPrincipal { uin });
    }
    let actual = profile.password_hash.as_ref().map_or(1, |hash| hash.0.len());
    let max = PasswordHash::BYTES_MAX;
    if !(1..=max).contains(&actual) {
        let (noun, field, unit) = (Noun::SubAccount, "password hash", "bytes");
        return Err(DirectoryError::BadLength { noun, field, unit, min: 1, max, actual });
    }
    Ok(())
}

fn check_free_name(draft: &Draft<'_>, uin: u64, name: &str) -> Result<(), DirectoryError> {
    match draft.state.sub_account_named(name) {
        Some(other) if other.uin != uin => {
            Err(DirectoryError::NameInUse { noun: Noun::SubAccount, name: name.to_owned() })
        }
        Some(_) | None => Ok(()),
    }
}

/// The global record of a uin once it has joined this account as a sub-account of this kind.
fn joined(draft: &Draft<'_>, uin: u64, kind: SubAccountKind) -> Result<UinEntry, DirectoryError> {
    let owner_uin = draft.account()?.owner.uin;
    if uin == owner_uin {
        let reason = "it is the account's own root, which cannot be its own sub-account";
        return Err(DirectoryError::UinUnsuitable { uin, reason });
    }
    let entry = draft.uin_entry(uin)?;
    let mut entry = entry.map_or_else(|| UinEntry::unseen(uin), Arc::unwrap_or_clone);
    match kind {
        SubAccountKind::Collaborator => {
            if entry.home_uin.is_some() {
                let reason = "it is a sub-account; only a root account can be a collaborator";
                return Err(DirectoryError::UinUnsuitable { uin, reason });
            }
            let limit = draft.env.quotas.accounts_per_collaborator_max;
            let there_would_be = entry.owner_uins.len().saturating_add(1);
            Quota::AccountsPerCollaborator.check(limit, there_would_be)?;
        }
        SubAccountKind::SubUser
        | SubAccountKind::WecomSubUser
        | SubAccountKind::MessageRecipient => {
            if entry.is_root || (entry.home_uin.is_none() && !entry.owner_uins.is_empty()) {
                let reason = "it is a root account; add it as a collaborator";
                return Err(DirectoryError::UinUnsuitable { uin, reason });
            }
            if entry.home_uin.is_some_and(|home| home != owner_uin) {
                return Err(DirectoryError::TakenElsewhere { noun: Noun::SubAccount, id: uin });
            }
            entry.home_uin = Some(owner_uin);
        }
    }
    entry.owner_uins.push(owner_uin);
    Ok(entry)
}
