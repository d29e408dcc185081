//! Renaming sub-accounts so that no name is ever taken twice on the way, also when names are
//! swapped.

use std::collections::BTreeMap;

/// Orders renames, given as uin → new name, where `names` are all names now, by uin. A rename whose
/// name is still held by another rename's sub-account waits; in a ring one of them gets a name of
/// its own in between.
pub(super) fn order(
    names: &BTreeMap<u64, String>,
    mut wanted: BTreeMap<u64, String>,
) -> Vec<(u64, String)> {
    let mut names = names.clone();
    let mut renames = Vec::new();
    while let Some((first, _)) = wanted.first_key_value() {
        let first = *first;
        let is_free = |new: &String, wanted: &BTreeMap<u64, String>| {
            !names.iter().any(|(uin, name)| name == new && wanted.contains_key(uin))
        };
        let next = wanted.iter().find(|(_, new)| is_free(new, &wanted)).map(|(uin, _)| *uin);
        let (uin, name) = match next.and_then(|uin| wanted.remove_entry(&uin)) {
            Some(rename) => rename,
            // Everyone waits: a ring. One steps aside and waits on.
            None => (first, format!("renaming-{first}")),
        };
        names.insert(uin, name.clone());
        renames.push((uin, name));
    }
    renames
}
