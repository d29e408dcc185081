//! The limits of the HTTP port that no setting changes; the others are in `overload/limits.rs`.

use std::time::Duration;

/// Most bytes of a request's first line and headers together.
pub(super) const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Most headers of a request.
pub(super) const HEADERS_MAX: usize = 64;
/// Longest body, in bytes: many times the longest policy document.
pub(super) const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Longest time for the body of a request.
pub(super) const BODY_TIME_MAX: Duration = Duration::from_secs(15);
