//! Paths in one reading: what two programs could take for two paths is refused.
//!
//! Dot segments, empty segments, encoded slashes, doubled encodings, backslashes and matrix
//! parameters all mean one thing to some servers and another to the rest. Before the route table.

use percent_encoding::percent_decode_str;

use super::refusal::Refusal;
use super::settings::{PATH_BYTES_MAX, PATH_SEGMENTS_MAX};

/// The decoded segments of a path; a last `/` gives an empty last one, and `/` alone gives none.
///
/// # Errors
/// [`Refusal::Path`] or [`Refusal::TooMany`].
pub(super) fn segments(path: &str) -> Result<Vec<String>, Refusal> {
    if path.len() > PATH_BYTES_MAX {
        return Err(Refusal::Path("is longer than 4096 bytes"));
    }
    let Some(rest) = path.strip_prefix('/') else {
        return Err(Refusal::Path("must begin with `/`"));
    };
    if rest.is_empty() {
        return Ok(Vec::new());
    }
    let count = rest.split('/').count();
    if count > PATH_SEGMENTS_MAX {
        let (what, limit) = ("segments in its path", PATH_SEGMENTS_MAX);
        return Err(Refusal::TooMany { what, limit, actual: count });
    }
    let mut segments = Vec::with_capacity(count);
    for (at, segment) in rest.split('/').enumerate() {
        if segment.is_empty() && at + 1 < count {
            return Err(Refusal::Path("has an empty segment: write one `/`"));
        }
        segments.push(decoded(segment)?);
    }
    Ok(segments)
}

fn decoded(segment: &str) -> Result<String, Refusal> {
    if !has_whole_escapes(segment) {
        return Err(Refusal::Path("has a `%` without two hexadecimal digits"));
    }
    let Ok(text) = percent_decode_str(segment).decode_utf8() else {
        return Err(Refusal::Path("is not valid UTF-8"));
    };
    if text.contains(['/', '\\', ';', '%', '?', '#']) || text.chars().any(char::is_control) {
        return Err(Refusal::Path(
            "has `/`, `\\`, `;`, `%`, `?`, `#` or a control character inside a segment",
        ));
    }
    if text == "." || text == ".." {
        return Err(Refusal::Path("has a `.` or `..` segment: write the path it leads to"));
    }
    Ok(text.into_owned())
}

fn has_whole_escapes(segment: &str) -> bool {
    segment.split('%').skip(1).all(|after| {
        let digits = after.as_bytes();
        digits.first().is_some_and(u8::is_ascii_hexdigit)
            && digits.get(1).is_some_and(u8::is_ascii_hexdigit)
    })
}
