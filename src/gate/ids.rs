//! The ids of a call's resources: found by the name of their parameter, in any of its spellings and
//! at any depth.
//!
//! Every one that is found counts: the service behind may read any of them. A value under such a
//! name that is no id is refused, never skipped.

use std::collections::BTreeSet;

use super::form::{FormValue, Members, excerpt};
use super::params::Params;
use super::refusal::Refusal;
use super::settings::{ID_BYTES_MAX, IDS_MAX, PARAM_DEPTH_MAX};
use crate::lang::id;

/// The ids of one type of resource that the parameters name, sorted.
///
/// # Errors
/// [`Refusal::BadId`] or [`Refusal::TooMany`].
pub(super) fn find(kind: &Kind<'_>, params: &Params) -> Result<BTreeSet<String>, Refusal> {
    let mut found = BTreeSet::new();
    for members in &params.parts {
        walk(kind, members, 0, &mut found)?;
    }
    if found.len() > IDS_MAX {
        let actual = found.len();
        return Err(Refusal::TooMany { what: "resources", limit: IDS_MAX, actual });
    }
    Ok(found)
}

/// A type of resource, as parameters name it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind<'a> {
    /// Its name in the catalog, such as `sdkappid`.
    pub(super) name: &'a str,
    /// Whether its ids are whole numbers from 1 up.
    pub(super) is_number: bool,
}

/// The type of the apps that every account registers.
pub(super) const APPS: Kind<'static> = Kind { name: "sdkappid", is_number: true };

impl Kind<'_> {
    /// Whether a parameter of this name holds such ids: `SdkAppId`, `sdk_app_id`, `SDKAppIDs`,
    /// `SdkAppIdList`, and, as one action of IM has it, `IMSdkAppId`.
    pub(super) fn is_named(&self, parameter: &str) -> bool {
        let folded = fold(parameter);
        let own = fold(self.name);
        let plain = folded.strip_prefix("im").filter(|rest| !rest.is_empty()).unwrap_or(&folded);
        [folded.as_str(), plain].into_iter().any(|it| {
            let rest = it.strip_prefix(own.as_str());
            matches!(rest, Some("" | "s" | "list" | "lists" | "set" | "sets" | "slist"))
        })
    }

    /// An id in its one spelling.
    pub(super) fn id(&self, name: &str, value: &FormValue) -> Result<String, Refusal> {
        let expected = if self.is_number {
            "a whole number from 1 up, or a list of them"
        } else {
            "a text of 1 to 256 bytes, or a list of them"
        };
        let text = match value {
            FormValue::Text(text) => text.clone(),
            FormValue::Number(number) if number.as_u64().is_some() => number.to_string(),
            FormValue::Null
            | FormValue::Flag(_)
            | FormValue::Number(_)
            | FormValue::List(_)
            | FormValue::Members(_) => String::new(),
        };
        let is_one = if self.is_number {
            id::parse(&text).is_some()
        } else {
            (1..=ID_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
        };
        if is_one { Ok(text) } else { Err(Refusal::BadId { name: excerpt(name), expected }) }
    }
}

/// The name without case, `_` and `-`.
fn fold(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

fn walk(
    kind: &Kind<'_>,
    members: &Members,
    depth: usize,
    found: &mut BTreeSet<String>,
) -> Result<(), Refusal> {
    for (name, value) in members {
        if kind.is_named(name) {
            take(kind, name, value, found)?;
        } else {
            descend(kind, value, depth, found)?;
        }
    }
    Ok(())
}

fn descend(
    kind: &Kind<'_>,
    value: &FormValue,
    depth: usize,
    found: &mut BTreeSet<String>,
) -> Result<(), Refusal> {
    if depth > PARAM_DEPTH_MAX {
        let (what, limit) = ("levels of parameters", PARAM_DEPTH_MAX);
        return Err(Refusal::TooMany { what, limit, actual: depth });
    }
    match value {
        FormValue::Members(members) => walk(kind, members, depth + 1, found),
        FormValue::List(items) => {
            items.iter().try_for_each(|item| descend(kind, item, depth + 1, found))
        }
        FormValue::Null | FormValue::Flag(_) | FormValue::Number(_) | FormValue::Text(_) => Ok(()),
    }
}

/// The id, or the ids, under one name. In a query a list's items are named 0, 1 and so on.
fn take(
    kind: &Kind<'_>,
    name: &str,
    value: &FormValue,
    found: &mut BTreeSet<String>,
) -> Result<(), Refusal> {
    match value {
        // As if it were not there, which is how the official clients leave a parameter out.
        FormValue::Null => {}
        FormValue::List(items) => {
            for item in items {
                found.insert(kind.id(name, item)?);
            }
        }
        FormValue::Members(members)
            if members.keys().all(|key| key.bytes().all(|byte| byte.is_ascii_digit())) =>
        {
            for item in members.values() {
                found.insert(kind.id(name, item)?);
            }
        }
        FormValue::Flag(_) | FormValue::Number(_) | FormValue::Text(_) | FormValue::Members(_) => {
            found.insert(kind.id(name, value)?);
        }
    }
    Ok(())
}
