//! TC3-HMAC-SHA256: whether a request was signed with the secret that belongs to its SecretId.
//!
//! Two steps, because the secret is found between them: [`read`] takes the request's parts as they
//! were received and refuses everything that needs no secret, [`SignedRequest::verify`] proves the
//! signature and yields [`Verified`], which nothing else can make. `X-TC-Action` is not signed by
//! the official clients; who captures a request can send its body again under another action
//! within five minutes, unless the [`ReplayGuard`] is on.

mod authorization;
mod canonical;
mod error;
mod replay;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use jiff::tz::Offset;
use zeroize::Zeroizing;

pub use authorization::{AUTHORIZATION_BYTES_MAX, Authorization, SIGNED_HEADERS_MAX, parse};
pub use error::Tc3Error;
pub use replay::ReplayGuard;

use super::secret::SecretKey;
use error::cut;

/// How far the timestamp may be from the server's time, in seconds, to both sides.
pub const WINDOW_S: i64 = 300;
/// Longest token of a temporary key, in bytes (spec section 5).
pub const TOKEN_BYTES_MAX: usize = 4_096;
/// Most digits of a timestamp: enough until the year 5138.
const TIMESTAMP_DIGITS_MAX: usize = 11;

/// A request as it was received: nothing decoded, sorted or trimmed.
#[derive(Clone, Copy)]
pub struct RequestParts<'a> {
    /// The method, in upper case.
    pub method: &'a str,
    /// The path, still encoded.
    pub path: &'a str,
    /// The query without its `?`, still encoded.
    pub query: &'a str,
    /// The headers in the order of arrival, repeated ones repeated.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The body.
    pub body: &'a [u8],
}

/// A well-formed signed request within the window. Not yet proven.
pub struct SignedRequest {
    authorization: Authorization,
    timestamp: i64,
    string_to_sign: String,
    token: Option<Zeroizing<String>>,
}

/// Proof that a request was signed with the secret of its SecretId.
#[derive(Clone, PartialEq, Eq)]
pub struct Verified {
    secret_id: String,
    timestamp: i64,
    signature: [u8; 32],
}

/// Reads the headers that authenticate a request, and checks all that needs no secret.
///
/// # Errors
/// What is wrong, each with its official code.
pub fn read(
    parts: &RequestParts<'_>,
    expected_service: &str,
    now_ms: i64,
) -> Result<SignedRequest, Tc3Error> {
    if !matches!(parts.method, "GET" | "POST") {
        return Err(Tc3Error::Method { method: cut(parts.method) });
    }
    let header = only_header(parts, "authorization")?.ok_or(Tc3Error::NotSigned)?;
    let authorization = parse(header)?;
    let timestamp = read_timestamp(parts)?;
    check_window(timestamp, now_ms)?;
    let expected = utc_date(timestamp)?;
    if authorization.date != expected {
        return Err(Tc3Error::Date { found: authorization.date, expected });
    }
    if authorization.service != expected_service {
        let expected = expected_service.to_owned();
        return Err(Tc3Error::Service { found: authorization.service, expected });
    }
    let request = canonical::canonical_request(parts, &authorization.signed_headers)?;
    let string_to_sign = canonical::string_to_sign(&authorization, timestamp, &request);
    let token = read_token(parts)?;
    Ok(SignedRequest { authorization, timestamp, string_to_sign, token })
}

impl SignedRequest {
    /// Whose secret must have signed.
    #[must_use]
    pub fn secret_id(&self) -> &str {
        &self.authorization.secret_id
    }

    /// The token that came with a temporary key.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_ref().map(|token| token.as_str())
    }

    /// Proves the signature, in constant time.
    ///
    /// # Errors
    /// [`Tc3Error::Signature`].
    pub fn verify(self, key: &SecretKey) -> Result<Verified, Tc3Error> {
        if !canonical::is_signed_by(&self.authorization, &self.string_to_sign, key) {
            return Err(Tc3Error::Signature);
        }
        let Authorization { secret_id, signature, .. } = self.authorization;
        Ok(Verified { secret_id, timestamp: self.timestamp, signature })
    }
}

impl Verified {
    /// The SecretId whose secret signed.
    #[must_use]
    pub fn secret_id(&self) -> &str {
        &self.secret_id
    }
}

/// A signature within its window is worth as much as a password: not shown.
impl std::fmt::Debug for Verified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verified").field("secret_id", &self.secret_id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for SignedRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let id = &self.authorization.secret_id;
        f.debug_struct("SignedRequest").field("secret_id", id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for RequestParts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = f.debug_struct("RequestParts");
        text.field("method", &self.method).field("path", &self.path).finish_non_exhaustive()
    }
}

/// The value of a header, none when it is not there.
///
/// # Errors
/// [`Tc3Error::Repeated`]: which of two values counts is not for us to guess.
fn only_header<'a>(parts: &RequestParts<'a>, name: &str) -> Result<Option<&'a [u8]>, Tc3Error> {
    let mut values = parts.headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
    match (values.next(), values.next()) {
        (found, None) => Ok(found.map(|(_, value)| *value)),
        (_, Some(_)) => Err(Tc3Error::Repeated { name: cut(name) }),
    }
}

fn read_timestamp(parts: &RequestParts<'_>) -> Result<i64, Tc3Error> {
    let value = only_header(parts, "x-tc-timestamp")?.ok_or(Tc3Error::NoTimestamp)?.trim_ascii();
    let is_number = (1..=TIMESTAMP_DIGITS_MAX).contains(&value.len())
        && value.iter().all(u8::is_ascii_digit)
        // One number has one text, or the signed text would not be the sent one.
        && (value.len() == 1 || value.first() != Some(&b'0'));
    let text = std::str::from_utf8(value).ok().filter(|_| is_number);
    text.and_then(|text| text.parse().ok()).ok_or(Tc3Error::BadTimestamp)
}

fn check_window(timestamp: i64, now_ms: i64) -> Result<(), Tc3Error> {
    // Digits are bounded, so this cannot overflow; if it did, it would be out of the window.
    let ahead_ms = timestamp.saturating_mul(1_000).saturating_sub(now_ms);
    let seconds = ahead_ms.saturating_abs() / 1_000;
    if ahead_ms.saturating_abs() <= WINDOW_S * 1_000 {
        return Ok(());
    }
    let side = if ahead_ms > 0 { "ahead of" } else { "behind" };
    Err(Tc3Error::Expired { seconds, side })
}

fn utc_date(timestamp: i64) -> Result<String, Tc3Error> {
    let time = Timestamp::from_second(timestamp).map_err(|_| Tc3Error::BadTimestamp)?;
    Ok(Offset::UTC.to_datetime(time).date().to_string())
}

fn read_token(parts: &RequestParts<'_>) -> Result<Option<Zeroizing<String>>, Tc3Error> {
    let Some(value) = only_header(parts, "x-tc-token")? else { return Ok(None) };
    let value = value.trim_ascii();
    // Official clients send an empty header for a key that is not temporary.
    if value.is_empty() {
        return Ok(None);
    }
    if value.len() > TOKEN_BYTES_MAX || !value.iter().all(u8::is_ascii_graphic) {
        return Err(Tc3Error::BadToken);
    }
    let text = std::str::from_utf8(value).map_err(|_| Tc3Error::BadToken)?;
    Ok(Some(Zeroizing::new(text.to_owned())))
}
