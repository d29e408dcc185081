//! The `Authorization` header, read strictly: three named parts, each once, within bounds.
//!
//! `TC3-HMAC-SHA256 Credential=<SecretId>/<date>/<service>/tc3_request,
//! SignedHeaders=content-type;host, Signature=<64 hexadecimal digits>`

use super::error::{Tc3Error, cut};
use crate::authn::secret::{SECRET_ID_PREFIX, is_secret_id};

/// Longest `Authorization` header, in bytes.
pub const AUTHORIZATION_BYTES_MAX: usize = 4_096;
/// Most headers that a client may sign.
pub const SIGNED_HEADERS_MAX: usize = 32;
/// Longest name of a signed header, in bytes.
const HEADER_NAME_BYTES_MAX: usize = 128;
/// Longest name of a service, in bytes.
const SERVICE_BYTES_MAX: usize = 32;
const ALGORITHM: &str = "TC3-HMAC-SHA256";
const SCOPE_END: &str = "tc3_request";
/// What must be signed at least (spec section 9.1).
const MUST_BE_SIGNED: [&str; 2] = ["content-type", "host"];

/// The parts of a well-formed header. Nothing is proven by it yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    /// Whose secret made the signature; has the shape of a SecretId.
    pub secret_id: String,
    /// The day of the scope, `YYYY-MM-DD` by its shape.
    pub date: String,
    /// The service of the scope.
    pub service: String,
    /// The names of the signed headers, lower-cased, in the client's order; `content-type` and
    /// `host` are among them, and none comes twice.
    pub signed_headers: Vec<String>,
    /// The signature.
    pub signature: [u8; 32],
}

/// Reads the header's value.
///
/// # Errors
/// What is wrong with it.
pub fn parse(value: &[u8]) -> Result<Authorization, Tc3Error> {
    if value.len() > AUTHORIZATION_BYTES_MAX {
        return malformed("it is longer than 4096 bytes");
    }
    let Ok(text) = std::str::from_utf8(value) else { return malformed("it is not ASCII") };
    if !text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return malformed("it is not ASCII");
    }
    if text == "SKIP" {
        return malformed("`SKIP` is for unsigned actions, which this server does not have");
    }
    let Some((ALGORITHM, fields)) = text.split_once(' ') else {
        return malformed("it must begin with `TC3-HMAC-SHA256` and one blank");
    };
    let [credential, headers, signature] = read_fields(fields)?;
    let (secret_id, date, service) = read_credential(credential)?;
    Ok(Authorization {
        secret_id,
        date,
        service,
        signed_headers: read_signed_headers(headers)?,
        signature: read_signature(signature)?,
    })
}

fn malformed<T>(why: &'static str) -> Result<T, Tc3Error> {
    Err(Tc3Error::Malformed { why })
}

/// The values of the three fields, in any order, each there once.
fn read_fields(text: &str) -> Result<[&str; 3], Tc3Error> {
    let names = ["Credential", "SignedHeaders", "Signature"];
    let mut values: [Option<&str>; 3] = [None; 3];
    for field in text.split(',') {
        let Some((name, value)) = field.trim_start_matches(' ').split_once('=') else {
            return malformed("its parts must be `Name=value`, with commas between them");
        };
        let slot = names.iter().position(|known| *known == name).and_then(|at| values.get_mut(at));
        match slot {
            None => return malformed("its parts are Credential, SignedHeaders and Signature"),
            Some(Some(_)) => return malformed("one of its parts comes twice"),
            Some(slot) => *slot = Some(value),
        }
    }
    let [Some(credential), Some(headers), Some(signature)] = values else {
        return malformed("it must have Credential, SignedHeaders and Signature");
    };
    Ok([credential, headers, signature])
}

fn read_credential(text: &str) -> Result<(String, String, String), Tc3Error> {
    let mut parts = text.split('/');
    let (Some(secret_id), Some(date), Some(service), Some(SCOPE_END), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return malformed("Credential must be `<SecretId>/<date>/<service>/tc3_request`");
    };
    if !is_date(date) {
        return malformed("the date in Credential must be `YYYY-MM-DD`");
    }
    let is_service = (1..=SERVICE_BYTES_MAX).contains(&service.len())
        && service.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if !is_service {
        return malformed("the service in Credential must be 1 to 32 of `a`-`z` and `0`-`9`");
    }
    if !secret_id.starts_with(SECRET_ID_PREFIX) {
        return Err(Tc3Error::NotASecretId { secret_id: cut(secret_id) });
    }
    if !is_secret_id(secret_id) {
        return Err(Tc3Error::NoSuchSecretId { secret_id: cut(secret_id) });
    }
    Ok((secret_id.to_owned(), date.to_owned(), service.to_owned()))
}

fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

fn read_signed_headers(text: &str) -> Result<Vec<String>, Tc3Error> {
    let mut names: Vec<String> = Vec::new();
    for name in text.split(';') {
        if names.len() == SIGNED_HEADERS_MAX {
            return malformed("SignedHeaders names more than 32 headers");
        }
        let is_name = (1..=HEADER_NAME_BYTES_MAX).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !is_name {
            return malformed("SignedHeaders must be names of headers with `;` between them");
        }
        let name = name.to_ascii_lowercase();
        if names.contains(&name) {
            return malformed("SignedHeaders names a header twice");
        }
        names.push(name);
    }
    match MUST_BE_SIGNED.into_iter().find(|must| !names.iter().any(|name| name == must)) {
        Some(name) => Err(Tc3Error::Unsigned { name }),
        None => Ok(names),
    }
}

fn read_signature(text: &str) -> Result<[u8; 32], Tc3Error> {
    let wrong = || Tc3Error::Malformed { why: "Signature must be 64 digits of `0`-`9`, `a`-`f`" };
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return Err(wrong());
    }
    let mut signature = [0; 32];
    let (pairs, _) = digits.as_chunks::<2>();
    for (byte, [high, low]) in signature.iter_mut().zip(pairs) {
        *byte = digit(*high).zip(digit(*low)).map(|(h, l)| h << 4 | l).ok_or_else(wrong)?;
    }
    Ok(signature)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}
