//! Every maximum of the language, in one place, with its unit and reason.
//!
//! Constants only. Parsers and validators report limit and actual value when one is exceeded.

/// Longest policy, in characters, white space between tokens not counted (rule L-10, 598/10609).
pub const POLICY_CHARS_MAX: usize = 6_144;
/// Longest policy text accepted for reading at all, in bytes: ten times the above, for indentation.
pub const POLICY_BYTES_MAX: usize = 64 * 1024;
/// Deepest nesting of arrays and objects; the grammar itself needs seven with the wrapper (rule
/// L-10).
pub const POLICY_DEPTH_MAX: usize = 16;
/// Most findings reported for one document; more are counted, not listed.
pub const FINDINGS_MAX: usize = 200;
/// Longest action name in a request or a policy, in bytes.
pub const ACTION_BYTES_MAX: usize = 256;
/// Longest resource name in a request, in bytes.
pub const RESOURCE_BYTES_MAX: usize = 2_048;
/// Longest condition key, in bytes.
pub const CONDITION_KEY_BYTES_MAX: usize = 256;
/// Most keys in one request's context.
pub const CONTEXT_KEYS_MAX: usize = 100;
/// Most values under one key of a request's context.
pub const CONTEXT_VALUES_MAX: usize = 200;
/// Longest value in a request's context, in bytes.
pub const CONTEXT_VALUE_BYTES_MAX: usize = 4_096;
/// Most digits of a number, so that comparing two is cheap.
pub const NUMBER_DIGITS_MAX: usize = 64;
/// Largest decimal exponent of a number, either sign.
pub const NUMBER_EXPONENT_MAX: i32 = 9_999;
/// Longest excerpt of the author's text quoted in a finding, in characters.
pub const EXCERPT_CHARS_MAX: usize = 80;
