//! Names, remarks, descriptions and tags: what they may look like (spec section 5).
//!
//! The documented alphabet is letters, digits and `+=,.@-_`. Letters and digits of every script
//! count, Chinese above all; case matters, and nothing is normalised.

use std::collections::BTreeMap;

use super::error::{DirectoryError, Noun};
use super::quota::{Quota, Quotas};
use super::sub_account::Profile;

/// Longest part of a text quoted in a message, in characters.
const QUOTED_CHARS_MAX: usize = 80;

/// Checks the name of a policy.
///
/// # Errors
/// [`DirectoryError::BadLength`] or [`DirectoryError::BadText`].
pub(super) fn check_policy_name(name: &str, quotas: &Quotas) -> Result<(), DirectoryError> {
    check_chars(Noun::Policy, "name", name, 1, quotas.policy_name_chars_max)?;
    check_word(Noun::Policy, name)
}

/// Checks the name of a sub-account or a group.
///
/// # Errors
/// [`DirectoryError::BadLength`] or [`DirectoryError::BadText`].
pub(super) fn check_name(noun: Noun, name: &str, quotas: &Quotas) -> Result<(), DirectoryError> {
    check_chars(noun, "name", name, 1, quotas.name_chars_max)?;
    check_word(noun, name)
}

/// Checks the name of a role.
///
/// # Errors
/// [`DirectoryError::BadLength`] or [`DirectoryError::BadText`].
pub(super) fn check_role_name(name: &str, quotas: &Quotas) -> Result<(), DirectoryError> {
    check_chars(Noun::Role, "name", name, 1, quotas.role_name_chars_max)?;
    check_word(Noun::Role, name)
}

/// Checks the name of an app: as written in consoles, so inner spaces are fine.
///
/// # Errors
/// [`DirectoryError::BadLength`] or [`DirectoryError::BadText`].
pub(super) fn check_app_name(name: &str, quotas: &Quotas) -> Result<(), DirectoryError> {
    check_chars(Noun::App, "name", name, 1, quotas.app_name_chars_max)?;
    let rule = "must hold no control characters, and no space at its ends";
    if name.trim() == name {
        return check_alphabet(Noun::App, "name", name, rule, |c| !c.is_control());
    }
    Err(bad_text(Noun::App, "name", rule, name))
}

/// Checks a remark.
///
/// # Errors
/// [`DirectoryError::BadLength`].
pub(super) fn check_remark(noun: Noun, text: &str, quotas: &Quotas) -> Result<(), DirectoryError> {
    check_bytes(noun, "remark", text, quotas.remark_bytes_max)
}

/// Checks the description of a policy or a role.
///
/// # Errors
/// [`DirectoryError::BadLength`].
pub(super) fn check_description(
    noun: Noun,
    text: &str,
    quotas: &Quotas,
) -> Result<(), DirectoryError> {
    check_bytes(noun, "description", text, quotas.description_bytes_max)
}

/// Checks the description of an access key; it may be empty.
///
/// # Errors
/// [`DirectoryError::BadLength`] or [`DirectoryError::BadText`].
pub(super) fn check_key_description(text: &str, quotas: &Quotas) -> Result<(), DirectoryError> {
    check_chars(Noun::AccessKey, "description", text, 0, quotas.key_description_chars_max)?;
    let rule = "must hold only letters, digits and `_+=,.@:/-`";
    let is_fine = |c: char| c.is_alphanumeric() || "_+=,.@:/-".contains(c);
    check_alphabet(Noun::AccessKey, "description", text, rule, is_fine)
}

/// Checks how a sub-account can be reached; each may be empty.
///
/// # Errors
/// [`DirectoryError::BadLength`] or [`DirectoryError::BadText`].
pub(super) fn check_contacts(profile: &Profile, quotas: &Quotas) -> Result<(), DirectoryError> {
    let Profile { phone_num, country_code, email, .. } = profile;
    let noun = Noun::SubAccount;
    let rule = "must hold only digits, spaces and `+-`";
    let is_number = |c: char| c.is_ascii_digit() || " +-".contains(c);
    check_chars(noun, "phone number", phone_num, 0, quotas.phone_num_chars_max)?;
    check_alphabet(noun, "phone number", phone_num, rule, is_number)?;
    check_chars(noun, "country code", country_code, 0, quotas.country_code_chars_max)?;
    check_alphabet(noun, "country code", country_code, rule, is_number)?;
    check_chars(noun, "e-mail address", email, 0, quotas.email_chars_max)?;
    let rule = "must have the form `name@host`, without spaces";
    let is_split = email
        .split_once('@')
        .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'));
    if !email.is_empty() && !is_split {
        return Err(bad_text(noun, "e-mail address", rule, email));
    }
    check_alphabet(noun, "e-mail address", email, rule, |c| !c.is_whitespace() && !c.is_control())
}

/// Checks the tags of an app, a policy or a role. An `&` in a key would make `key&value` ambiguous
/// (rule D-17).
///
/// # Errors
/// [`DirectoryError::QuotaExceeded`], [`DirectoryError::BadLength`] or [`DirectoryError::BadText`].
pub(super) fn check_tags(
    tags: &BTreeMap<String, String>,
    quota: Quota,
    limit: usize,
    quotas: &Quotas,
) -> Result<(), DirectoryError> {
    quota.check(limit, tags.len())?;
    for (key, value) in tags {
        check_chars(Noun::Tag, "key", key, 1, quotas.tag_key_chars_max)?;
        check_chars(Noun::Tag, "value", value, 0, quotas.tag_value_chars_max)?;
        let rule = "must hold no `&` and no control characters";
        check_alphabet(Noun::Tag, "key", key, rule, |c| c != '&' && !c.is_control())?;
        let rule = "must hold no control characters";
        check_alphabet(Noun::Tag, "value", value, rule, |c| !c.is_control())?;
    }
    Ok(())
}

fn check_chars(
    noun: Noun,
    field: &'static str,
    text: &str,
    min: usize,
    max: usize,
) -> Result<(), DirectoryError> {
    let actual = text.chars().count();
    if (min..=max).contains(&actual) {
        return Ok(());
    }
    Err(DirectoryError::BadLength { noun, field, unit: "characters", min, max, actual })
}

fn check_bytes(
    noun: Noun,
    field: &'static str,
    text: &str,
    max: usize,
) -> Result<(), DirectoryError> {
    if text.len() > max {
        let (unit, min, actual) = ("bytes", 0, text.len());
        return Err(DirectoryError::BadLength { noun, field, unit, min, max, actual });
    }
    Ok(())
}

fn check_word(noun: Noun, name: &str) -> Result<(), DirectoryError> {
    let rule = "must hold only letters, digits and `+=,.@-_`";
    check_alphabet(noun, "name", name, rule, |c| c.is_alphanumeric() || "+=,.@-_".contains(c))
}

fn check_alphabet(
    noun: Noun,
    field: &'static str,
    text: &str,
    rule: &'static str,
    is_fine: impl Fn(char) -> bool,
) -> Result<(), DirectoryError> {
    if text.chars().all(is_fine) {
        return Ok(());
    }
    Err(bad_text(noun, field, rule, text))
}

fn bad_text(noun: Noun, field: &'static str, rule: &'static str, text: &str) -> DirectoryError {
    let value = text.escape_debug().take(QUOTED_CHARS_MAX).collect();
    DirectoryError::BadText { noun, field, rule, value }
}
