//! The parameters of a call: its query, and its JSON body when there is one.
//!
//! Both are kept: which of them the service behind reads is not for us to guess, so ids are looked
//! for in either.

use super::form::{Members, read_json, read_query};
use super::http::{Body, HttpRequest};
use super::refusal::Refusal;
use super::settings::BODY_BYTES_MAX;

/// What the parameters were found in, one after the other.
#[derive(Debug, Clone, Default)]
pub(super) struct Params {
    pub(super) parts: Vec<Members>,
    /// Whether there may be a body that could not be looked at.
    pub(super) is_body_unread: Option<Refusal>,
}

/// Reads the parameters. A body that cannot be looked at is noted, for a call whose route names its
/// resource can do without.
///
/// # Errors
/// A query or a JSON body that can be read in two ways, a body in a GET, or too long a one.
pub(super) fn read(request: &HttpRequest) -> Result<Params, Refusal> {
    let mut params = Params { parts: vec![read_query(&request.query)?], is_body_unread: None };
    match &request.body {
        Body::Partial => params.is_body_unread = Some(Refusal::PartialBody),
        Body::Absent => params.is_body_unread = Some(Refusal::AbsentBody),
        Body::Whole(bytes) if bytes.len() > BODY_BYTES_MAX => {
            return Err(Refusal::BodyTooLong { limit: BODY_BYTES_MAX, actual: bytes.len() });
        }
        Body::Whole(bytes) if bytes.is_empty() => {}
        Body::Whole(_) if request.is_bodiless() => {
            return Err(Refusal::BodyInGet { method: request.method.clone() });
        }
        Body::Whole(_) if !is_json(request)? => params.is_body_unread = Some(Refusal::NotJson),
        Body::Whole(bytes) => params.parts.push(read_json(bytes)?),
    }
    Ok(params)
}

/// Whether the body is JSON in UTF-8 by its content type.
fn is_json(request: &HttpRequest) -> Result<bool, Refusal> {
    let Some(kind) = request.header("content-type")? else { return Ok(false) };
    let mut parts = kind.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|media| media.eq_ignore_ascii_case("application/json"));
    let is_utf8 = parts.filter(|part| !part.is_empty()).all(|part| {
        part.split_once('=').is_some_and(|(name, value)| {
            name.trim().eq_ignore_ascii_case("charset")
                && value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
    });
    Ok(is_json && is_utf8)
}
