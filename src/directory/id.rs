//! Identifiers and times: new types, so that one is never taken for another.
//!
//! Uins and SdkAppIds stay `u64`, because the language and the engine speak of them so.

use std::fmt;

/// A policy's id: built-in presets below 500,000, the operator's own presets from 500,000 to
/// 999,999, custom policies from 1,000,000. Never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyId(pub u64);

impl PolicyId {
    /// The first id of the operator's own presets.
    pub const OPERATOR_MIN: Self = Self(500_000);
    /// The first id of custom policies; one past the presets.
    pub const CUSTOM_MIN: Self = Self(1_000_000);

    /// Whether a custom policy of an account has this id, or could have it.
    #[must_use]
    pub fn is_custom(self) -> bool {
        self >= Self::CUSTOM_MIN
    }
}

impl fmt::Display for PolicyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A group's id in its account: from 1 up, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u64);

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A role's id in its account: from 2^62 up, which no uin reaches, so that one number names a
/// principal of either kind. Never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleId(pub u64);

impl RoleId {
    /// The first role's id; 19 digits, as all after it.
    pub const MIN: Self = Self(1 << 62);

    /// Whether a number is a role's id, or could be, and so is no uin.
    #[must_use]
    pub fn is_role(number: u64) -> bool {
        number >= Self::MIN.0
    }
}

impl fmt::Display for RoleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The number of a policy's version: from 1 up, never reused within the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionNumber(pub u32);

impl VersionNumber {
    /// The first version's number.
    pub const FIRST: Self = Self(1);
}

impl fmt::Display for VersionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A time: milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixMillis(pub i64);
