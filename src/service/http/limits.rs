//! The limits of the HTTP port, all in one place.

use std::time::Duration;

/// Most connections at a time; more wait to be accepted.
pub(super) const CONNECTIONS_MAX: usize = 1_024;
/// Most bytes of a request's first line and headers together.
pub(super) const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Most headers of a request.
pub(super) const HEADERS_MAX: usize = 64;
/// Longest time for the headers of the next request; an idle connection ends after it too.
pub(super) const HEADERS_TIME_MAX: Duration = Duration::from_secs(60);
/// Longest body, in bytes: many times the longest policy document.
pub(super) const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Longest time for the body of a request.
pub(super) const BODY_TIME_MAX: Duration = Duration::from_secs(15);
