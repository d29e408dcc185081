//! Who calls, on every surface: from what a connection and a request show to what may be done.
//!
//! An interceptor stands before each gRPC service, and a middleware before the HTTP surfaces that
//! services call; they put an [`Access`] into the request, and every method asks it. A request
//! without one is nobody's. It must never tell a token, also not in an error.

use std::sync::Arc;

use axum::extract::Request as HttpRequest;
use axum::middleware::Next;
use axum::response::Response;
use tonic::service::Interceptor;
use tonic::{Request, Status};

use super::status::status;
use super::transport::PeerInfo;
use crate::directory::service_caller::{Proof, TokenDigest};
use crate::node::{Access, Node};

/// Where a token stands, after `Bearer `.
const AUTHORIZATION: &str = "authorization";
/// Where it stands when that header is somebody else's.
const TOKEN_HEADER: &str = "x-camgate-token";
/// Longest token that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 256;

/// Where a surface looks for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenIn {
    /// In its own header, or a bearer's.
    Either,
    /// In its own header only: the other one is that of a proxy's client.
    OwnHeader,
}

/// The token of a request.
fn token<'a>(place: TokenIn, header: impl Fn(&str) -> Option<&'a str>) -> Option<TokenDigest> {
    let bearer = || {
        let (scheme, token) = header(AUTHORIZATION)?.split_once(' ')?;
        let is_bearer = place == TokenIn::Either && scheme.eq_ignore_ascii_case("bearer");
        is_bearer.then_some(token.trim())
    };
    let token = header(TOKEN_HEADER).or_else(bearer)?;
    // One that is too long is no token of ours: its digest is nobody's.
    let token = if token.len() > TOKEN_BYTES_MAX { "" } else { token };
    Some(TokenDigest::of(token))
}

fn proof<'a>(
    peer: Option<&PeerInfo>,
    place: TokenIn,
    header: impl Fn(&str) -> Option<&'a str>,
) -> Proof {
    let identities = peer.map(|peer| Arc::clone(&peer.identities)).unwrap_or_default();
    Proof { identities, token: token(place, header) }
}

/// Stands before a gRPC service.
#[derive(Debug, Clone)]
pub(super) struct Callers {
    node: Arc<Node>,
    /// Whether nobody gets as far as the service.
    refuses: bool,
}

impl Callers {
    /// Nobody gets through.
    pub(super) fn only(node: &Arc<Node>) -> Self {
        Self { node: Arc::clone(node), refuses: true }
    }

    /// Nobody gets through too, and the service says so in its own words.
    pub(super) fn told(node: &Arc<Node>) -> Self {
        Self { node: Arc::clone(node), refuses: false }
    }
}

impl Interceptor for Callers {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let access = if self.node.requires_callers() {
            let header = |name: &str| request.metadata().get(name)?.to_str().ok();
            let peer = request.extensions().get::<PeerInfo>();
            self.node.access(proof(peer, TokenIn::Either, header))
        } else {
            Access::Open
        };
        if self.refuses {
            access.check_known().map_err(|error| status(error.into()))?;
        }
        request.extensions_mut().insert(access);
        Ok(request)
    }
}

/// What the one who sent a request may.
pub(super) fn of_request<T>(request: &Request<T>) -> Access {
    request.extensions().get::<Access>().cloned().unwrap_or(Access::Nobody)
}

/// The same of a request of the HTTP port.
pub(super) fn of_http(request: &HttpRequest) -> Access {
    request.extensions().get::<Access>().cloned().unwrap_or(Access::Nobody)
}

/// Stands before an HTTP surface.
pub(super) async fn middleware(
    node: Arc<Node>,
    place: TokenIn,
    mut request: HttpRequest,
    next: Next,
) -> Response {
    let header = |name: &str| request.headers().get(name)?.to_str().ok();
    let access = node.access(proof(request.extensions().get::<PeerInfo>(), place, header));
    request.extensions_mut().insert(access);
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_bearers_or_stands_in_its_own_header() {
        let look = |place: TokenIn, headers: &[(&str, &'static str)]| {
            let headers = headers.to_vec();
            let header =
                move |name: &str| headers.iter().find(|(it, _)| *it == name).map(|(_, text)| *text);
            token(place, header)
        };
        let find = |headers: &[(&str, &'static str)]| look(TokenIn::Either, headers);
        let expected = Some(TokenDigest::of("cgt_x"));
        assert_eq!(find(&[("authorization", "Bearer cgt_x")]), expected);
        assert_eq!(find(&[("authorization", "bearer  cgt_x ")]), expected);
        let signed = ("authorization", "TC3-HMAC-SHA256 Credential=x");
        assert_eq!(find(&[signed]), None);
        assert_eq!(find(&[signed, ("x-camgate-token", "cgt_x")]), expected);
        assert_eq!(find(&[]), None);
        let client = ("authorization", "Bearer cgt_y");
        assert_eq!(look(TokenIn::OwnHeader, &[client]), None);
        let both = [client, ("x-camgate-token", "cgt_x")];
        assert_eq!(look(TokenIn::OwnHeader, &both), expected);
        let long: &'static str = Box::leak("x".repeat(257).into_boxed_str());
        assert_ne!(find(&[("x-camgate-token", long)]), Some(TokenDigest::of(long)));
    }
}
