//! The text that is signed, and the signature of it (spec section 9.1).
//!
//! Everything enters as it was received: nothing is sorted, decoded or normalised but the names of
//! headers (lower case) and the blanks around their values.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::authorization::Authorization;
use super::error::{Tc3Error, cut};
use super::{RequestParts, only_header};
use crate::authn::secret::SecretKey;
use crate::lang::hex::hex;

/// The value of `X-TC-Content-SHA256` that leaves the body out of the signature.
const UNSIGNED_PAYLOAD: &[u8] = b"UNSIGNED-PAYLOAD";

/// The canonical request.
///
/// # Errors
/// When it names headers that are not there, or cannot be told apart from another request.
pub(super) fn canonical_request(
    parts: &RequestParts<'_>,
    signed_headers: &[String],
) -> Result<Vec<u8>, Tc3Error> {
    let mut text = Vec::with_capacity(512);
    for (part, what) in [(parts.method, "method"), (parts.path, "path"), (parts.query, "query")] {
        push_line(&mut text, part.as_bytes(), what)?;
    }
    for name in signed_headers {
        let value =
            only_header(parts, name)?.ok_or_else(|| Tc3Error::Absent { name: cut(name) })?;
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        push_line(&mut text, value.trim_ascii(), "value of a signed header")?;
    }
    text.push(b'\n');
    text.extend_from_slice(signed_headers.join(";").as_bytes());
    text.push(b'\n');
    text.extend_from_slice(hex(&payload_hash(parts)?).as_bytes());
    Ok(text)
}

/// A line break inside a part would let two requests have one canonical form.
fn push_line(text: &mut Vec<u8>, part: &[u8], what: &'static str) -> Result<(), Tc3Error> {
    if part.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return Err(Tc3Error::Control { part: what });
    }
    text.extend_from_slice(part);
    text.push(b'\n');
    Ok(())
}

/// The hash of the body, or of the one word that stands for an unsigned body.
pub(super) fn payload_hash(parts: &RequestParts<'_>) -> Result<[u8; 32], Tc3Error> {
    match only_header(parts, "x-tc-content-sha256")? {
        None => Ok(Sha256::digest(parts.body).into()),
        Some(UNSIGNED_PAYLOAD) => Ok(Sha256::digest(UNSIGNED_PAYLOAD).into()),
        Some(_) => Err(Tc3Error::BadPayloadHash),
    }
}

/// The text that the secret signs.
pub(super) fn string_to_sign(
    authorization: &Authorization,
    timestamp: i64,
    canonical_request: &[u8],
) -> String {
    let Authorization { date, service, .. } = authorization;
    let hash = hex(&Sha256::digest(canonical_request));
    format!("TC3-HMAC-SHA256\n{timestamp}\n{date}/{service}/tc3_request\n{hash}")
}

/// Whether the secret gives this signature for the text; compared in constant time.
pub(super) fn is_signed_by(
    authorization: &Authorization,
    string_to_sign: &str,
    key: &SecretKey,
) -> bool {
    let secret = Zeroizing::new([b"TC3", key.expose().as_bytes()].concat());
    let steps = [authorization.date.as_str(), &authorization.service, "tc3_request"];
    let mut step = secret;
    for part in steps {
        let Some(mac) = mac(&step, part) else { return false };
        step = Zeroizing::new(mac.finalize().into_bytes().to_vec());
    }
    mac(&step, string_to_sign).is_some_and(|mac| mac.verify_slice(&authorization.signature).is_ok())
}

/// HMAC-SHA256 takes keys of any length, so there always is one.
fn mac(key: &[u8], text: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(text.as_bytes());
    Some(mac)
}
