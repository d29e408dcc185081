//! A request as a proxy saw it, and what the proxy's own configuration says about it.
//!
//! Nothing is decoded, sorted or trimmed. What a client can set and what only the proxy can set
//! are kept apart: [`HttpRequest`] is the client's, [`Named`] is the proxy's.

use std::net::IpAddr;

use super::refusal::Refusal;
use super::settings::HEADERS_MAX;

/// What is known of a request's body.
#[derive(Clone, PartialEq, Eq)]
pub enum Body {
    /// All of it; empty when there is none.
    Whole(Vec<u8>),
    /// There is or may be one, and the proxy did not send it.
    Absent,
    /// The proxy sent its beginning.
    Partial,
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(bytes) => write!(f, "Whole({} bytes)", bytes.len()),
            Self::Absent => f.write_str("Absent"),
            Self::Partial => f.write_str("Partial"),
        }
    }
}

/// A request that a proxy asks about.
#[derive(Clone)]
pub struct HttpRequest {
    /// The method, as sent.
    pub method: String,
    /// The path without the query, still encoded.
    pub path: String,
    /// The query without its `?`, still encoded.
    pub query: String,
    /// The headers, names in lower case, repeated ones repeated; `host` is among them.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Body,
    /// Where the request comes from, as the proxy knows it: `qcs:ip`.
    pub client: IpAddr,
    /// Whether the identity header was set by a trusted proxy.
    pub trusts_identity: bool,
}

/// What the proxy's configuration says about a route; no client can set it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Named {
    /// The action, as in policies.
    pub action: Option<String>,
    /// The resource: `*` or a six-segment name; an empty owner is the caller's account.
    pub resource: Option<String>,
    /// The service of an action that is named in `X-TC-Action` without a signature.
    pub service: Option<String>,
    /// Whether the service behind applies filters; none: as the settings say.
    pub applies_filter: Option<bool>,
}

/// Headers with which some frameworks take another method, path or action than the request has.
const REWRITING: [&str; 6] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
    "x-tc-method",
];
/// Headers that say who calls or what for, which some frameworks also find under names with `_`.
const TELLING: [&str; 8] = [
    "authorization",
    "content-encoding",
    "content-type",
    "cookie",
    "x-tc-action",
    "x-tc-region",
    "x-tc-timestamp",
    "x-tc-token",
];

impl HttpRequest {
    /// A header that may come once, as text without the blanks around it.
    ///
    /// # Errors
    /// [`Refusal::Header`] when it comes twice or is no text: which reading counts is not for us
    /// to guess.
    pub(super) fn header(&self, name: &str) -> Result<Option<&str>, Refusal> {
        let mut values = self.headers.iter().filter(|(other, _)| other == name);
        let (first, second) = (values.next(), values.next());
        if second.is_some() {
            return Err(Refusal::header(name, "comes more than once: send it once"));
        }
        let Some((_, value)) = first else { return Ok(None) };
        let text = std::str::from_utf8(value.trim_ascii());
        text.map(Some).map_err(|_| Refusal::header(name, "is not valid UTF-8"))
    }

    /// Whether the method never has a body that counts.
    pub(super) fn is_bodiless(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }

    /// Refuses what two programs might read in two ways.
    ///
    /// # Errors
    /// Too many headers, one that rewrites the request, or one that hides behind a `_`.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if self.headers.len() > HEADERS_MAX {
            let actual = self.headers.len();
            return Err(Refusal::TooMany { what: "headers", limit: HEADERS_MAX, actual });
        }
        for (name, _) in &self.headers {
            if REWRITING.contains(&name.as_str()) {
                return Err(Refusal::header(name, "would change what is asked for: leave it out"));
            }
            if name.contains('_') {
                let plain = name.replace('_', "-");
                if TELLING.contains(&plain.as_str()) || plain.starts_with("x-camgate-") {
                    return Err(Refusal::header(name, "is a look-alike: write `-`, not `_`"));
                }
            }
        }
        if let Some(coding) = self.header("content-encoding")?
            && !coding.eq_ignore_ascii_case("identity")
        {
            return Err(Refusal::header("content-encoding", "is not accepted: send plain bytes"));
        }
        let is_method = (1..=16).contains(&self.method.len())
            && self.method.bytes().all(|byte| byte.is_ascii_uppercase());
        if is_method { Ok(()) } else { Err(Refusal::Method) }
    }
}

/// Headers and bodies may hold secrets: not shown.
impl std::fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = f.debug_struct("HttpRequest");
        text.field("method", &self.method).field("path", &self.path).field("body", &self.body);
        text.finish_non_exhaustive()
    }
}
