//! The nearest catalogued spelling of an unknown action. The only user of `strsim`.
//!
//! For messages to people; never part of a decision. Bounded: few edits, short texts, and only the
//! actions of services whose name is near.

use super::index::Catalog;
use super::limits::{NEAREST_BYTES_MAX, NEAREST_EDITS_MAX};
use super::service::{Action, Service};

/// Edits between a service's abbreviation and the one that may be meant.
const SERVICE_EDITS_MAX: usize = 1;

/// The catalogued action with the fewest edits (case is free), the first in order among equals.
pub(super) fn nearest(catalog: &Catalog, service: &str, name: &str) -> Option<String> {
    let written = format!("{service}:{name}").to_ascii_lowercase();
    if written.len() > NEAREST_BYTES_MAX {
        return None;
    }
    // At most a quarter of the name may differ, so that `im:X` is not taken for `im:Get`.
    let edits_max = (name.len() / 4).clamp(1, NEAREST_EDITS_MAX);
    candidates(catalog, service)
        .filter_map(|action| Some((edits(action, &written, edits_max)?, action)))
        .min_by_key(|(edits, action)| (*edits, action.id))
        .map(|(_, action)| action.qualified_name())
}

fn candidates<'a>(catalog: &'a Catalog, service: &str) -> impl Iterator<Item = &'a Action> {
    let known = catalog.service(service).is_some();
    let folded = service.to_ascii_lowercase();
    let near = move |it: &&Service| match known {
        true => *it.abbreviation == *folded,
        false => strsim::osa_distance(&it.abbreviation, &folded) <= SERVICE_EDITS_MAX,
    };
    catalog.services().filter(near).flat_map(|it| catalog.actions_of(&it.abbreviation))
}

fn edits(action: &Action, written: &str, edits_max: usize) -> Option<usize> {
    let spelling = action.qualified_name().to_ascii_lowercase();
    if spelling.len().abs_diff(written.len()) > edits_max * 4 {
        return None; // A character has at most four bytes, so this many edits are too few.
    }
    let edits = strsim::osa_distance(&spelling, written);
    (edits <= edits_max).then_some(edits)
}
