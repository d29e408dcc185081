//! Who says that they call: one proof, taken from the headers and not yet believed.
//!
//! The node proves it. Two proofs in one request are refused, for the gate and the service behind
//! it might take different ones.

use super::http::{Body, HttpRequest};
use super::refusal::Refusal;
use super::settings::GateSettings;
use crate::authn::tc3;
use crate::lang::id;

/// The cookie of a console session.
pub const SESSION_COOKIE: &str = "camgate_session";

/// What is to be proven.
#[derive(Clone, PartialEq, Eq)]
pub enum Proof {
    /// A TC3 signature over this service.
    Signed {
        /// The service of the scope.
        service: String,
    },
    /// A console session's token.
    Session(String),
    /// Named by a trusted proxy.
    Trusted {
        /// Who.
        uin: u64,
        /// In which account; none: the only one.
        owner_uin: Option<u64>,
    },
}

/// Tokens are secrets.
impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Signed { service } => f.debug_struct("Signed").field("service", service).finish(),
            Self::Session(_) => f.write_str("Session(…)"),
            Self::Trusted { uin, owner_uin } => {
                f.debug_tuple("Trusted").field(uin).field(owner_uin).finish()
            }
        }
    }
}

/// The one proof of a request.
///
/// # Errors
/// None, two, or one that cannot be accepted here.
pub(super) fn proof(settings: &GateSettings, request: &HttpRequest) -> Result<Proof, Refusal> {
    let found = [
        ("a signature", signed(settings, request)?),
        ("a console session", session(request)?),
        ("the identity header", trusted(settings, request)?),
    ];
    let mut found = found.into_iter().filter_map(|(name, proof)| Some((name, proof?)));
    match (found.next(), found.next()) {
        (None, _) => Err(Refusal::NoProof),
        (Some((_, proof)), None) => Ok(proof),
        (Some((first, _)), Some((second, _))) => Err(Refusal::TwoProofs { first, second }),
    }
}

/// Whether the request has a TC3 signature, good or bad: its sender reads the API's envelope.
#[must_use]
pub fn is_signed(request: &HttpRequest) -> bool {
    request.headers.iter().any(|(name, value)| {
        name == "authorization"
            && value.trim_ascii_start().get(..3).is_some_and(|it| it.eq_ignore_ascii_case(b"TC3"))
    })
}

fn signed(settings: &GateSettings, request: &HttpRequest) -> Result<Option<Proof>, Refusal> {
    if !is_signed(request) {
        return Ok(None);
    }
    let Some(header) = request.header("authorization")? else { return Ok(None) };
    let service = tc3::parse(header.as_bytes())?.service;
    if !settings.services.contains(&service) {
        return Err(Refusal::Service { found: service, served: settings.services.clone() });
    }
    match &request.body {
        Body::Partial => return Err(Refusal::PartialBody),
        Body::Absent => return Err(Refusal::AbsentBody),
        Body::Whole(bytes) => {
            let leaves_out = request.header("x-tc-content-sha256")?.is_some();
            if leaves_out && !bytes.is_empty() {
                return Err(Refusal::UnsignedPayload);
            }
        }
    }
    Ok(Some(Proof::Signed { service }))
}

fn session(request: &HttpRequest) -> Result<Option<Proof>, Refusal> {
    let mut found: Option<&str> = None;
    for (name, value) in &request.headers {
        if name != "cookie" {
            continue;
        }
        let Ok(text) = std::str::from_utf8(value) else {
            return Err(Refusal::header("cookie", "is not valid UTF-8"));
        };
        for pair in text.split(';') {
            let Some((name, value)) = pair.trim().split_once('=') else { continue };
            if name.trim() != SESSION_COOKIE {
                continue;
            }
            if found.is_some() {
                return Err(Refusal::header("cookie", "has two console sessions: keep one"));
            }
            found = Some(value.trim().trim_matches('"'));
        }
    }
    let Some(token) = found.filter(|token| !token.is_empty()) else { return Ok(None) };
    // The cookie is SameSite; this is for browsers that do not know it, and for misconfiguration.
    let site = request.header("sec-fetch-site")?.unwrap_or("none");
    if !request.is_bodiless() && !matches!(site, "none" | "same-origin") {
        return Err(Refusal::CrossSite);
    }
    Ok(Some(Proof::Session(token.to_owned())))
}

fn trusted(settings: &GateSettings, request: &HttpRequest) -> Result<Option<Proof>, Refusal> {
    let Some(header) = &settings.trusted_identity_header else { return Ok(None) };
    // Some frameworks also find it under a name with `_`, which no proxy has set.
    let twin = |name: &str| name != header && name.replace('_', "-") == *header;
    if request.headers.iter().any(|(name, _)| twin(name)) {
        return Err(Refusal::ForgedIdentity { header: header.clone() });
    }
    let Some(value) = request.header(header)? else { return Ok(None) };
    if !request.trusts_identity {
        return Err(Refusal::ForgedIdentity { header: header.clone() });
    }
    let bad = || Refusal::BadIdentity { header: header.clone() };
    let (owner_uin, uin) = match value.split_once('/') {
        Some((owner_uin, uin)) => (Some(id::parse(owner_uin).ok_or_else(bad)?), uin),
        None => (None, value),
    };
    Ok(Some(Proof::Trusted { uin: id::parse(uin).ok_or_else(bad)?, owner_uin }))
}
