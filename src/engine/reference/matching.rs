//! Actions and resources as texts (rules, V-01, V-03).
//!
//! A naive recursive matcher and plain splitting; nothing is prepared and nothing is remembered.

use crate::catalog::Catalog;
use crate::lang::action::ActionName;
use crate::lang::document::Effect;
use crate::lang::variable::{Owner, Variables};
use crate::lang::vocabulary::Vocabulary;

/// One sign of a pattern.
#[derive(Clone, Copy, PartialEq)]
enum Sign {
    Star,
    Plain(char),
}

/// The text with its variables' values put in (rule V-01); their characters are marked as plain
/// (rule V-03).
fn signs(text: &str, variables: Option<&Variables>) -> Vec<Sign> {
    let mut signs = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let value = variables.and_then(|variables| {
            let (name, after) = rest.strip_prefix("${")?.split_once('}')?;
            let value = match name {
                "uin" => variables.uin,
                "owner_uin" => variables.owner.uin,
                "app_id" => variables.owner.app_id,
                _ => return None,
            };
            Some((value, after))
        });
        if let Some((value, after)) = value {
            signs.extend(value.to_string().chars().map(Sign::Plain));
            rest = after;
        } else {
            signs.push(if first == '*' { Sign::Star } else { Sign::Plain(first) });
            rest = rest.strip_prefix(first).unwrap_or_default();
        }
    }
    signs
}

/// The text with its variables' values put in.
pub(super) fn fill(text: &str, variables: &Variables) -> String {
    let plain = |sign| match sign {
        Sign::Star => '*',
        Sign::Plain(character) => character,
    };
    signs(text, Some(variables)).into_iter().map(plain).collect()
}

/// Whether the pattern matches the whole text (rules, C-09).
pub(super) fn like(pattern: &str, text: &str, variables: Option<&Variables>) -> bool {
    fn go(pattern: &[Sign], text: &[char]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([Sign::Star, rest @ ..], _) if go(rest, text) => true,
            ([Sign::Star, ..], [_, tail @ ..]) => go(pattern, tail),
            ([Sign::Plain(own), rest @ ..], [first, tail @ ..]) => own == first && go(rest, tail),
            _ => false,
        }
    }
    go(&signs(pattern, variables), &text.chars().collect::<Vec<char>>())
}

/// Whether a statement's action matches.
pub(super) fn action_matches(
    pattern: &str,
    effect: Effect,
    action: &ActionName,
    catalog: &Catalog,
) -> bool {
    if pattern == "*" {
        return true; // rule A-01
    }
    if let Some(set) = pattern.strip_prefix("permid/") {
        // rule A-08
        let members = set.parse().ok().and_then(|number| catalog.action_set(number));
        return match members {
            Some(members) => members.contains(&action.to_string()),
            None => effect == Effect::Deny,
        };
    }
    // rule A-02
    let pattern = pattern.strip_prefix("name/").unwrap_or(pattern);
    let Some((service, name)) = pattern.split_once(':') else { return false };
    // rules
    (service == "*" || service == action.service()) && like(name, action.name(), None)
}

/// Whether a statement's resource matches the request's.
pub(super) fn resource_matches(pattern: &str, resource: &str, variables: &Variables) -> bool {
    if pattern == "*" {
        return true; // rule R-02
    }
    let (Some(own), Some(asked)) = (split(pattern), split(resource)) else {
        return false; // rule R-03: `resource` is the bare star
    };
    let [own_service, own_region, own_account, own_last] = own;
    let [service, region, account, last] = asked;
    // rule R-05
    let empty_is_any = |own: &str, asked: &str| own.is_empty() || like(own, asked, None);
    // rules
    let by_account = matches!(own_account, "*" | "uin/*")
        || account_of(own_account, &variables.owner) == account_of(account, &variables.owner);
    empty_is_any(own_service, service)
        && empty_is_any(own_region, region)
        && by_account
        // rules
        && like(own_last, last, Some(variables))
}

/// Service, region, account and last segment (rule R-01).
fn split(text: &str) -> Option<[&str; 4]> {
    let rest = text.strip_prefix("qcs::")?;
    let (service, rest) = rest.split_once(':')?;
    let (region, rest) = rest.split_once(':')?;
    let (account, last) = rest.split_once(':')?;
    Some([service, region, account, last])
}

/// The account in one spelling (rules, D-14).
fn account_of(account: &str, home: &Owner) -> String {
    if matches!(account, "" | "uin/") || account == format!("uid/{}", home.app_id) {
        format!("uin/{}", home.uin)
    } else {
        account.to_owned()
    }
}

/// The uin of a resource's owner, as far as the name tells (rule D-14).
pub(super) fn owner_of(resource: &str, home: &Owner) -> Option<u64> {
    let [_, _, account, _] = split(resource)?;
    account_of(account, home).strip_prefix("uin/")?.parse().ok()
}

/// The id of the app that a resource names.
pub(super) fn app_id_of(resource: &str) -> Option<u64> {
    let [_, _, _, last] = split(resource)?;
    let digits = last.strip_prefix("sdkappid/")?;
    let number: u64 = digits.parse().ok()?;
    (number > 0 && number.to_string() == digits).then_some(number)
}
