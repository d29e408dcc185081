//! About how many bytes an account takes in memory, so that loaded accounts keep to a budget.
//!
//! An estimate from what the account holds: close enough to keep a node within its memory, and
//! quick enough to be made again at every write. It decides nothing but who makes room.

use super::view::AccountView;
use crate::directory::{AccountState, Profile, Slot, SubAccount};
use crate::engine::AccountSnapshot;

/// What an account takes that has nothing in it.
const ACCOUNT_BYTES: usize = 4_096;
/// A sub-account without its texts, in the directory's maps and in the engine's.
const SUB_ACCOUNT_BYTES: usize = 192;
/// Other records without their texts.
const RECORD_BYTES: usize = 240;
/// One attachment or membership.
const LINK_BYTES: usize = 16;
/// A policy's version without its text.
const VERSION_BYTES: usize = 1_200;
/// What a byte of a policy's text becomes: the text itself, its parts with their places, and what
/// was checked and compiled.
const VERSION_FACTOR: usize = 9;
/// A statement in the index of a set of policies.
const INDEXED_BYTES: usize = 130;

/// About how many bytes a view keeps taken.
pub(super) fn bytes_of(view: &AccountView) -> usize {
    state_bytes(&view.state).saturating_add(snapshot_bytes(&view.snapshot))
}

fn state_bytes(state: &AccountState) -> usize {
    let users: usize = state.sub_accounts.values().map(|it| sub_account_bytes(it)).sum();
    let versions: usize = state.versions.values().map(|it| it.body.bytes().len()).sum();
    let groups = state.groups.values().map(|slot| match slot {
        Slot::Live(group) => group.name.len() + group.attachments.len() * LINK_BYTES,
        Slot::Deleted(gone) => gone.name.len(),
    });
    let roles = state.roles.values().map(|role| role.attachments.len() * LINK_BYTES);
    let tags = state.apps.values().flat_map(|app| &app.tags);
    let texts: usize = groups
        .chain(roles)
        .chain(tags.map(|(key, value)| RECORD_BYTES / 2 + key.len() + value.len()))
        .sum();
    let records = state.groups.len()
        + state.policies.len()
        + state.apps.len()
        + state.roles.len() * 2
        + state.access_keys.len() * 2;
    ACCOUNT_BYTES
        + users
        + versions * VERSION_FACTOR
        + state.versions.len() * VERSION_BYTES
        + records * RECORD_BYTES
        + texts
}

fn sub_account_bytes(user: &SubAccount) -> usize {
    let Profile { password_hash, phone_num, country_code, email, .. } = &*user.profile;
    let secret = password_hash.as_ref().map_or(0, |hash| hash.0.len());
    let profile = secret + phone_num.len() + country_code.len() + email.len();
    SUB_ACCOUNT_BYTES
        + user.name.len()
        + user.remark.len()
        + user.groups.len() * LINK_BYTES
        + if profile == 0 { 0 } else { RECORD_BYTES + profile }
}

fn snapshot_bytes(snapshot: &AccountSnapshot) -> usize {
    snapshot.set_sizes().map(|statements| RECORD_BYTES + statements * INDEXED_BYTES).sum()
}
