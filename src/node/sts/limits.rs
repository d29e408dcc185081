//! What names, durations and session policies may be (spec sections 5 and 6).

use super::outcome::StsError;
use crate::catalog::Catalog;
use crate::lang;
use crate::lang::diagnostic::{Diagnostic, ErrorCode, Severity};
use crate::lang::document::DocumentKind;
use crate::lang::limits::POLICY_BYTES_MAX;
use crate::lang::valid::Scope;
use crate::lang::variable::Owner;

/// Seconds of a role session when none are asked for, and at most.
const ROLE_DURATION_S: u64 = 7_200;
const ROLE_DURATION_S_MAX: u64 = 43_200;
/// The same for tokens of users, by whose key it is.
const USER_DURATION_S: u64 = 1_800;
const ROOT_DURATION_S_MAX: u64 = 7_200;
const SUB_ACCOUNT_DURATION_S_MAX: u64 = 129_600;
/// Characters of a session's name and of an external id.
const NAME_CHARS_MIN: usize = 2;
const NAME_CHARS_MAX: usize = 128;

/// Checks the name of a session or of a federated user: 2 to 128 of `[\w+=,.@_-]`.
pub(super) fn check_name(field: &'static str, text: &str) -> Result<(), StsError> {
    check_word(field, text, "+=,.@_-")
}

/// Checks an external id: 2 to 128 of `[\w+=,.@:/-]`.
pub(super) fn check_external_id(text: &str) -> Result<(), StsError> {
    check_word("ExternalId", text, "_+=,.@:/-")
}

fn check_word(field: &'static str, text: &str, signs: &'static str) -> Result<(), StsError> {
    let is_sized = (NAME_CHARS_MIN..=NAME_CHARS_MAX).contains(&text.len());
    let is_fine = |c: char| c.is_ascii_alphanumeric() || signs.contains(c);
    if is_sized && text.chars().all(is_fine) {
        return Ok(());
    }
    Err(StsError::BadWord { field, signs })
}

/// The seconds of a role session; `role_max` is the role's own maximum, 0 when it has none.
pub(super) fn role_duration(asked: Option<u64>, role_max: u32) -> Result<u64, StsError> {
    let max = match u64::from(role_max) {
        0 => ROLE_DURATION_S_MAX,
        own => own.min(ROLE_DURATION_S_MAX),
    };
    duration(asked, ROLE_DURATION_S.min(max), max)
}

/// The seconds of a user's token.
pub(super) fn user_duration(asked: Option<u64>, is_root: bool) -> Result<u64, StsError> {
    let max = if is_root { ROOT_DURATION_S_MAX } else { SUB_ACCOUNT_DURATION_S_MAX };
    duration(asked, USER_DURATION_S, max)
}

fn duration(asked: Option<u64>, default: u64, max: u64) -> Result<u64, StsError> {
    let actual = asked.unwrap_or(default);
    if (1..=max).contains(&actual) { Ok(actual) } else { Err(StsError::Duration { actual, max }) }
}

/// Checks a session policy as one about to be stored in the account; its text, if it may be used.
pub(super) fn check_policy(
    text: String,
    owner: Owner,
    catalog: &Catalog,
) -> Result<String, StsError> {
    if text.len() > POLICY_BYTES_MAX {
        return Err(StsError::PolicyTooLong { bytes: text.len() });
    }
    let scope = Scope { vocabulary: catalog, owner: Some(owner), kind: DocumentKind::Identity };
    let checked = lang::check(text.as_bytes(), &scope);
    if checked.policy.is_some() {
        return Ok(text);
    }
    let mut findings = checked.findings;
    findings.retain(|finding| finding.severity == Severity::Error);
    Err(StsError::BadPolicy { code: policy_code(&findings), findings })
}

/// The STS code of the first error.
fn policy_code(findings: &[Diagnostic]) -> &'static str {
    let is = |code: ErrorCode| findings.first().is_some_and(|it| it.code.as_str() == code.as_str());
    if is(ErrorCode::ResourceUinError) {
        "InvalidParameter.GrantOtherResource"
    } else if findings.first().is_some_and(|it| it.code.as_str().contains("Resource")) {
        "InvalidParameter.ResouceError"
    } else if is(ErrorCode::PolicyDocumentError) {
        "InvalidParameter.StrategyFormatError"
    } else {
        "InvalidParameter.StrategyInvalid"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: Owner = Owner { uin: 12_345_678, app_id: 1_250_000_001 };

    #[test]
    fn durations_have_defaults_and_bounds() {
        assert_eq!(role_duration(None, 0).unwrap(), 7_200);
        assert_eq!(role_duration(None, 600).unwrap(), 600);
        assert_eq!(role_duration(Some(43_200), 0).unwrap(), 43_200);
        assert_eq!(user_duration(None, true).unwrap(), 1_800);
        assert_eq!(user_duration(Some(7_200), true).unwrap(), 7_200);
        assert_eq!(user_duration(Some(129_600), false).unwrap(), 129_600);
        for refused in [
            role_duration(Some(43_201), 0),
            role_duration(Some(601), 600),
            role_duration(Some(0), 0),
            user_duration(Some(7_201), true),
            user_duration(Some(129_601), false),
            user_duration(Some(u64::MAX), false),
        ] {
            assert_eq!(refused.unwrap_err().code(), Some("InvalidParameter.OverTimeError"));
        }
    }

    #[test]
    fn names_have_an_alphabet() {
        for good in ["ab", "a+=,.@_-b", &"x".repeat(128)] {
            assert!(check_name("Name", good).is_ok(), "{good}");
        }
        for bad in ["", "a", "a b", "a/b", "名字", &"x".repeat(129)] {
            assert!(check_name("Name", bad).is_err(), "{bad}");
        }
        assert!(check_external_id("a:/b").is_ok());
        assert!(check_external_id("a b").is_err());
    }

    #[test]
    fn session_policies_are_checked_as_stored_ones() {
        let policy = |statement: &str| format!(r#"{{"version":"2.0","statement":[{statement}]}}"#);
        let check = |text: String| check_policy(text, HOME, Catalog::builtin());
        let allow = r#"{"effect":"allow","action":"im:*","resource":"*"}"#;
        assert_eq!(check(policy(allow)).unwrap(), policy(allow));
        let foreign = allow.replace(r#""*"}"#, r#""qcs::im::uin/99999999:*"}"#);
        let principal = allow.replace(r#""effect""#, r#""principal":"*","effect""#);
        for (text, code) in [
            ("not json".to_owned(), "InvalidParameter.StrategyFormatError"),
            (policy(&foreign), "InvalidParameter.GrantOtherResource"),
            (policy(&allow.replace(r#""*"}"#, r#""qcs:x"}"#)), "InvalidParameter.ResouceError"),
            (policy(&allow.replace("allow", "perhaps")), "InvalidParameter.StrategyInvalid"),
            (policy(&principal), "InvalidParameter.StrategyInvalid"),
            ("x".repeat(POLICY_BYTES_MAX + 1), "InvalidParameter.PolicyTooLong"),
        ] {
            assert_eq!(check(text.clone()).unwrap_err().code(), Some(code), "{text:.80}");
        }
    }
}
