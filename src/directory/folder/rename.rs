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
        let aside = format!("renaming-{first}");
        // When everyone waits, it is a ring: one steps aside and waits on. Having done so in vain,
        // two want the same name; then the rename stands as it is, and will be refused.
        let next = next.or_else(|| (names.get(&first) == Some(&aside)).then_some(first));
        let (uin, name) = match next.and_then(|uin| wanted.remove_entry(&uin)) {
            Some(rename) => rename,
            None => (first, aside),
        };
        names.insert(uin, name.clone());
        renames.push((uin, name));
    }
    renames
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(u64, &str)]) -> BTreeMap<u64, String> {
        pairs.iter().map(|(uin, name)| (*uin, (*name).to_owned())).collect()
    }

    #[test]
    fn a_chain_needs_no_step_aside_and_a_ring_needs_one() {
        let names = map(&[(1, "a"), (2, "b"), (3, "c")]);
        let chain = order(&names, map(&[(1, "b"), (2, "x")]));
        assert_eq!(chain, [(2, "x".to_owned()), (1, "b".to_owned())]);
        let ring = order(&names, map(&[(1, "b"), (2, "c"), (3, "a")]));
        assert_eq!(ring.len(), 4);
        assert_eq!(ring.first(), Some(&(1, "renaming-1".to_owned())));
    }

    #[test]
    fn two_that_want_one_name_end_too() {
        let names = map(&[(1, "x"), (2, "b"), (3, "c")]);
        let renames = order(&names, map(&[(1, "b"), (2, "c"), (3, "b")]));
        assert!(renames.contains(&(1, "b".to_owned())) && renames.contains(&(3, "b".to_owned())));
    }
}
