//! `/gate/v1/forward-auth`: nginx `auth_request`, Traefik's and Caddy's forward-auth.
//!
//! The proxy says by headers which request it asks about; only a proxy on this machine, or one that
//! the settings trust, is heard. Such proxies do not send the body, so what needs it is refused. It
//! must never take a header of the client for one of the proxy: which headers speak for the proxy
//! is a setting, not a matter of what is there.

use std::net::IpAddr;

use std::sync::Arc;

use axum::Router;
use axum::body::Body as HttpBody;
use axum::extract::Request;
use axum::middleware::from_fn;
use axum::response::Response;
use axum::routing::any;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, StatusCode};

use super::{Gate, Pass, Verdict};
use crate::gate::{Body, HttpRequest, Named, Refusal};
use crate::node::Surface;
use crate::service::access::{self, TokenIn};
use crate::service::transport::PeerInfo;

/// Where a proxy asks.
pub(in crate::service) const FORWARD_AUTH_PATH: &str = "/gate/v1/forward-auth";
/// Most addresses of a forwarding chain.
const HOPS_MAX: usize = 32;
/// Headers by which the proxy speaks, and those of its own connection: not the client's.
const OF_THE_PROXY: [&str; 13] = [
    "connection",
    "content-length",
    "host",
    "transfer-encoding",
    "x-camgate-action",
    "x-camgate-resource",
    "x-camgate-token",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-method",
    "x-forwarded-uri",
    "x-original-method",
    "x-original-uri",
];

/// The route of this surface.
pub(in crate::service) fn router(gate: Gate) -> Router {
    let known = gate.clone();
    let ask = move |request: Request| {
        let gate = gate.clone();
        async move {
            let access = access::of_http(&request);
            let verdict = match read(&gate, &request) {
                Ok((request, named)) => {
                    gate.verdict(Surface::ForwardAuth, &access, &request, &named).await
                }
                Err(refusal) => gate.refuse(Surface::ForwardAuth, refusal),
            };
            answer(verdict)
        }
    };
    let node = Arc::clone(&known.node);
    let place = TokenIn::OwnHeader;
    let who = move |request, next| access::middleware(Arc::clone(&node), place, request, next);
    Router::new().route(FORWARD_AUTH_PATH, any(ask)).layer(from_fn(who))
}

fn read(gate: &Gate, request: &Request) -> Result<(HttpRequest, Named), Refusal> {
    let headers = request.headers();
    let Some(peer) = request.extensions().get::<PeerInfo>().map(|peer| peer.address) else {
        return Err(Refusal::Proxy("connection", "has no address"));
    };
    let is_trusted = gate.settings.is_trusted_proxy(peer.ip());
    if !is_trusted && !peer.ip().to_canonical().is_loopback() {
        let problem = "is not one of `gate.trusted_proxies`: add its address there";
        return Err(Refusal::Proxy("address", problem));
    }
    let uri = one_of(headers, ["x-original-uri", "x-forwarded-uri"])?;
    let method = one_of(headers, ["x-original-method", "x-forwarded-method"])?;
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let host = match text(headers, "x-forwarded-host")? {
        Some(host) => Some(host),
        None => text(headers, "host")?,
    };
    let mut own: Vec<(String, Vec<u8>)> = headers
        .iter()
        .filter(|(name, _)| !OF_THE_PROXY.contains(&name.as_str()))
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect();
    own.extend(host.map(|host| ("host".to_owned(), host.as_bytes().to_vec())));
    let named = named(gate, headers)?;
    let request = HttpRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: own,
        body: body(method, headers),
        client: client(gate, headers)?,
        trusts_identity: is_trusted,
    };
    Ok((request, named))
}

/// What the proxy says about its route.
fn named(gate: &Gate, headers: &HeaderMap) -> Result<Named, Refusal> {
    let action = text(headers, "x-camgate-action")?.map(str::to_owned);
    let resource = text(headers, "x-camgate-resource")?.map(str::to_owned);
    match (gate.settings.action_headers, action, resource) {
        (false, None, None) => Ok(Named::default()),
        (false, _, _) => {
            let problem = "counts only with `gate.action_headers`, when the proxy always sets it";
            Err(Refusal::Proxy("X-Camgate-Action", problem))
        }
        (true, Some(action), Some(resource)) => {
            Ok(Named { action: Some(action), resource: Some(resource), ..Named::default() })
        }
        (true, _, _) => {
            let problem = "and `X-Camgate-Resource` must be set by the proxy on every request";
            Err(Refusal::Proxy("X-Camgate-Action", problem))
        }
    }
}

/// The value that stands under exactly one of two headers, or the same under both.
fn one_of<'a>(headers: &'a HeaderMap, names: [&'static str; 2]) -> Result<&'a str, Refusal> {
    let [first, second] = names;
    match (text(headers, first)?, text(headers, second)?) {
        (Some(one), None) | (None, Some(one)) => Ok(one),
        (Some(one), Some(two)) if one == two => Ok(one),
        (Some(_), Some(_)) => {
            Err(Refusal::Proxy(second, "says another thing than its twin: clear one of them"))
        }
        (None, None) => Err(Refusal::Proxy(first, "must be set by the proxy")),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let (first, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(Refusal::Proxy(name, "comes more than once: let the proxy set it"));
    }
    let Some(value) = first else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes());
    let text = text.map_err(|_| Refusal::Proxy(name, "is not valid UTF-8"))?;
    Ok(Some(text.trim()).filter(|text| !text.is_empty()))
}

/// Where the request comes from: the last address of the chain that is no trusted proxy.
fn client(gate: &Gate, headers: &HeaderMap) -> Result<IpAddr, Refusal> {
    const NAME: &str = "X-Forwarded-For";
    let mut chain: Vec<&str> = Vec::new();
    for value in headers.get_all("x-forwarded-for") {
        let Ok(text) = std::str::from_utf8(value.as_bytes()) else {
            return Err(Refusal::Proxy(NAME, "is not valid UTF-8"));
        };
        chain.extend(text.split(',').map(str::trim));
    }
    if chain.len() > HOPS_MAX {
        return Err(Refusal::Proxy(NAME, "names more than 32 addresses"));
    }
    let mut nearest = None;
    for hop in chain.iter().rev() {
        let Ok(address) = hop.parse::<IpAddr>() else {
            return Err(Refusal::Proxy(NAME, "must be a list of IP addresses"));
        };
        nearest = Some(address);
        if !gate.settings.is_trusted_proxy(address) {
            break;
        }
    }
    nearest.ok_or(Refusal::Proxy(NAME, "must be set by the proxy: it says who asks"))
}

/// Such proxies send no body; whether there is one shows only in the headers that they pass on.
fn body(method: &str, headers: &HeaderMap) -> Body {
    let length = headers.get("content-length").map(HeaderValue::as_bytes);
    let shows_none =
        length.is_none_or(|length| length == b"0") && !headers.contains_key("transfer-encoding");
    match shows_none && matches!(method, "GET" | "HEAD" | "OPTIONS") {
        true => Body::Whole(Vec::new()),
        false => Body::Absent,
    }
}

fn answer(verdict: Verdict) -> Response {
    let mut response = match verdict {
        Verdict::Allow(pass) => {
            let Pass { headers, metadata: _ } = *pass;
            let mut response = Response::new(HttpBody::empty());
            for (name, value) in headers {
                let Ok(value) = HeaderValue::try_from(value) else { continue };
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
            response
        }
        Verdict::Deny(denial) => {
            let status = StatusCode::from_u16(denial.http_status());
            let mut response = Response::new(HttpBody::from(denial.json()));
            *response.status_mut() = status.unwrap_or(StatusCode::FORBIDDEN);
            let kind = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, kind);
            response
        }
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
