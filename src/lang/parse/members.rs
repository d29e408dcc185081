//! The members of an object whose keys are fixed: unknown and repeated keys are findings.
//!
//! It must never ignore a key (rules L-02, L-03): an ignored `notaction` would widen access.

use std::collections::BTreeSet;

use super::{ErrorCode, Finding, Findings, Member, did_you_mean};
use crate::lang::findings::excerpt;

/// The known members of an object, the first of each key.
pub(super) struct Fields<'n> {
    known: Vec<&'n Member>,
}

impl<'n> Fields<'n> {
    /// Sorts members into known ones and findings. `place` names the object in messages; `code` is
    /// for keys that have no code of their own.
    pub(super) fn read(
        members: impl IntoIterator<Item = &'n Member>,
        keys: &[&'static str],
        (place, code): (&str, ErrorCode),
        findings: &mut Findings,
    ) -> Self {
        let mut fields = Self { known: Vec::new() };
        for member in members {
            let key = member.key.value.as_str();
            if !keys.contains(&key) {
                findings.push(unknown(member, keys, (place, code), findings));
            } else if fields.get(key).is_some() {
                findings.push(repeated(member, code_of(key, code), place));
            } else {
                fields.known.push(member);
            }
        }
        fields
    }

    /// The member with this key.
    pub(super) fn get(&self, key: &str) -> Option<&'n Member> {
        self.known.iter().find(|member| member.key.value == key).copied()
    }
}

/// Notes every key that occurs again, in an object whose keys are free (rule L-03).
pub(super) fn refuse_repeated(
    members: &[Member],
    code: ErrorCode,
    place: &str,
    findings: &mut Findings,
) {
    let mut seen = BTreeSet::new();
    for member in members {
        if !seen.insert(member.key.value.as_str()) {
            findings.push(repeated(member, code, place));
        }
    }
}

fn repeated(member: &Member, code: ErrorCode, place: &str) -> Finding {
    let key = excerpt(&member.key.value);
    Finding::error(code, member.key.span, format!("{place} has `{key}` more than once"))
        .found(&key)
        .expected(format!("one `{key}`"))
        .help("keep one; put several values into one list")
}

fn unknown(
    member: &Member,
    keys: &[&'static str],
    (place, code): (&str, ErrorCode),
    findings: &Findings,
) -> Finding {
    let key = member.key.value.as_str();
    let lower = key.to_lowercase();
    let plain: String = lower.chars().filter(|c| !matches!(c, '_' | '-')).collect();
    let help = match plain.as_str() {
        "notaction" | "notresource" | "notprincipal" => Some(format!(
            "`{}` would mean everything that is not listed, also what is added later, and so widen \
             access; list what is meant and take exceptions away with a deny statement",
            excerpt(key)
        )),
        "sid" | "id" | "description" | "comment" | "name" => {
            Some("a policy document holds no names or comments; remove it".to_owned())
        }
        _ if keys.contains(&lower.as_str()) => {
            Some(format!("element names are lower case: `{lower}`"))
        }
        "principal" => Some("put `principal` into the statements of a trust policy".to_owned()),
        _ => did_you_mean(key, keys.iter().copied(), findings),
    };
    let code = if lower == "principal" || plain == "notprincipal" {
        ErrorCode::PrincipalError
    } else {
        code
    };
    let message = format!("{place} has the unknown key `{}`", excerpt(key));
    let listed: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
    Finding::error(code, member.key.span, message)
        .found(key)
        .expected(listed.join(", "))
        .help("remove it; keys that are not known are never ignored")
        .help_maybe(help)
}

fn code_of(key: &str, otherwise: ErrorCode) -> ErrorCode {
    match key {
        "version" => ErrorCode::VersionError,
        "effect" => ErrorCode::EffectError,
        "action" => ErrorCode::ActionError,
        "resource" => ErrorCode::ResourceError,
        "condition" => ErrorCode::ConditionError,
        "principal" => ErrorCode::PrincipalError,
        _ => otherwise,
    }
}
