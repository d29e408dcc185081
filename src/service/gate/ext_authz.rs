//! Envoy's external authorization, `envoy.service.auth.v3.Authorization`, on the gRPC port.
//!
//! Turns what Envoy knows about a request into the gate's words, and a verdict into Envoy's. It
//! must never answer with a gRPC error: an Envoy with `failure_mode_allow` would let the request go
//! on.

use std::net::IpAddr;

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value as ProtoValue};
use serde_json::{Map, Value};
use tonic::{Code, Request, Response, Status};

use super::{Denial, Gate, IDENTITY_HEADERS, Pass, Verdict};
use crate::gate::{Body, HttpRequest, Named, Refusal, RefusalClass, is_signed};
use crate::node::Surface;
use crate::service::access;
use crate::service::envoy::auth::attribute_context::{HttpRequest as EnvoyRequest, Peer};
use crate::service::envoy::auth::authorization_server::Authorization;
use crate::service::envoy::auth::check_response::HttpResponse;
use crate::service::envoy::auth::{
    AttributeContext, CheckRequest, CheckResponse, DeniedHttpResponse, OkHttpResponse,
};
use crate::service::envoy::core::address::Address;
use crate::service::envoy::core::header_value_option::HeaderAppendAction;
use crate::service::envoy::core::{HeaderValue, HeaderValueOption};
use crate::service::envoy::kind::{HttpStatus, StatusCode};
use crate::service::envoy::rpc;
use crate::service::overload::IsShed;

/// Where Envoy says whether it sent the whole body.
const PARTIAL_HEADER: &str = "x-envoy-auth-partial-body";

/// `envoy.service.auth.v3.Authorization` over the gate.
#[derive(Debug, Clone)]
pub struct ExtAuthz {
    gate: Gate,
}

impl ExtAuthz {
    /// The service of this gate.
    #[must_use]
    pub fn new(gate: Gate) -> Self {
        Self { gate }
    }
}

#[tonic::async_trait]
impl Authorization for ExtAuthz {
    async fn check(
        &self,
        request: Request<CheckRequest>,
    ) -> Result<Response<CheckResponse>, Status> {
        let access = access::of_request(&request);
        let is_shed = request.extensions().get::<IsShed>().is_some();
        let attributes = request.into_inner().attributes.unwrap_or_default();
        let response = match self.read(attributes) {
            Ok((request, _)) if is_shed => answer(Gate::overloaded(), reads_envelope(&request)),
            Ok((request, named)) => {
                let is_api = reads_envelope(&request);
                answer(
                    self.gate.verdict(Surface::ExtAuthz, &access, &request, &named).await,
                    is_api,
                )
            }
            Err((refusal, is_api)) => answer(self.gate.refuse(Surface::ExtAuthz, refusal), is_api),
        };
        Ok(Response::new(response))
    }
}

impl ExtAuthz {
    /// The request; what is refused comes with whether its sender reads the API's envelope.
    fn read(&self, attributes: AttributeContext) -> Result<(HttpRequest, Named), (Refusal, bool)> {
        let AttributeContext { source, request, mut context_extensions, .. } = attributes;
        let Some(http) = request.and_then(|request| request.http) else {
            return Err((Refusal::Method, false));
        };
        let is_partial = http.headers.get(PARTIAL_HEADER).is_some_and(|value| value == "true");
        let headers = headers(&http);
        let body = body(&http, &headers, is_partial);
        let (path, query) = http.path.split_once('?').unwrap_or((&http.path, ""));
        let says_trusted = context_extensions.remove("identity_header");
        let client = source.and_then(address);
        let mut request = HttpRequest {
            method: http.method.clone(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body,
            client: client.unwrap_or(IpAddr::from([0, 0, 0, 0])),
            trusts_identity: false,
        };
        let is_api = reads_envelope(&request);
        let refuse = |refusal| (refusal, is_api);
        let Some(client) = client else {
            let problem = "of the proxy's request must name the client's IP address";
            return Err(refuse(Refusal::Proxy("source", problem)));
        };
        request.trusts_identity = match says_trusted.as_deref() {
            Some("trusted") => true,
            None => self.gate.settings.is_trusted_proxy(client),
            Some(_) => {
                return Err(refuse(Refusal::Proxy("identity_header", "can only be `trusted`")));
            }
        };
        let named = named(context_extensions).map_err(refuse)?;
        Ok((request, named))
    }
}

/// What the route's configuration says. An unknown name is refused: it may be a misspelt one.
fn named(extensions: std::collections::BTreeMap<String, String>) -> Result<Named, Refusal> {
    let mut named = Named::default();
    for (name, value) in extensions {
        match name.as_str() {
            "action" => named.action = Some(value),
            "resource" => named.resource = Some(value),
            "service" => named.service = Some(value),
            "applies_filter" => {
                named.applies_filter = match value.as_str() {
                    "true" => Some(true),
                    "false" => Some(false),
                    _ => {
                        let problem = "must be `true` or `false`";
                        return Err(Refusal::Proxy("applies_filter", problem));
                    }
                }
            }
            _ => {
                let problem = "may name `action`, `resource`, `service`, `applies_filter` and \
                               `identity_header`";
                return Err(Refusal::Proxy("context_extensions", problem));
            }
        }
    }
    Ok(named)
}

/// Who asked Envoy. A pipe or a name is nobody that a condition could test.
fn address(peer: Peer) -> Option<IpAddr> {
    match peer.address?.address? {
        Address::SocketAddress(socket) => socket.address.parse().ok(),
        Address::Pipe(_) => None,
    }
}

/// The headers, the authority as `host`, and without what Envoy added for us.
fn headers(http: &EnvoyRequest) -> Vec<(String, Vec<u8>)> {
    let mut headers: Vec<(String, Vec<u8>)> = match &http.header_map {
        Some(map) if !map.headers.is_empty() => {
            let value = |it: &HeaderValue| match it.raw_value.is_empty() {
                true => it.value.clone().into_bytes(),
                false => it.raw_value.clone(),
            };
            map.headers.iter().map(|it| (it.key.to_ascii_lowercase(), value(it))).collect()
        }
        _ => {
            let one = |(name, value): (&String, &String)| {
                (name.to_ascii_lowercase(), value.clone().into_bytes())
            };
            http.headers.iter().map(one).collect()
        }
    };
    let has_host = headers.iter().any(|(name, _)| name == "host");
    headers.retain_mut(|(name, _)| {
        if name == ":authority" && !has_host {
            "host".clone_into(name);
        }
        !name.starts_with(':') && name != PARTIAL_HEADER
    });
    headers
}

/// What is known of the body. Clients can send `x-envoy-auth-partial-body` too, and Envoy leaves it
/// alone where it sends no body; so `false` proves nothing by itself. Nor does Envoy's own: of a
/// beginning exactly as long as what it sends it says `false`, while the rest is on its way. So a
/// body is whole only when it is as long as the request has said.
fn body(http: &EnvoyRequest, headers: &[(String, Vec<u8>)], is_partial: bool) -> Body {
    let bytes = match http.raw_body.is_empty() {
        true => http.body.clone().into_bytes(),
        false => http.raw_body.clone(),
    };
    let find = |name: &str| headers.iter().find(|(other, _)| other == name).map(|(_, it)| it);
    let length = find("content-length")
        .map(|it| std::str::from_utf8(it).ok().and_then(|it| it.trim().parse::<usize>().ok()));
    let is_http1 = http.protocol.starts_with("HTTP/1");
    let is_bodiless = matches!(http.method.as_str(), "GET" | "HEAD" | "OPTIONS");
    match (length, bytes.is_empty()) {
        _ if is_partial => Body::Partial,
        (Some(Some(length)), _) if length == bytes.len() => Body::Whole(bytes),
        (Some(_), true) => Body::Absent,
        (Some(_), false) => Body::Partial,
        (None, false) => Body::Partial,
        (None, true) if find("transfer-encoding").is_some() => Body::Absent,
        (None, true) if is_bodiless || is_http1 => Body::Whole(bytes),
        // Only HTTP/1 says whether there is one.
        (None, true) => Body::Absent,
    }
}

/// Whether the sender reads the API's envelope, which comes with status 200.
fn reads_envelope(request: &HttpRequest) -> bool {
    is_signed(request) || request.headers.iter().any(|(name, _)| name == "x-tc-action")
}

fn answer(verdict: Verdict, is_api: bool) -> CheckResponse {
    match verdict {
        Verdict::Allow(pass) => allowed(*pass),
        Verdict::Deny(denial) => denied(*denial, is_api),
    }
}

fn allowed(pass: Pass) -> CheckResponse {
    let Pass { headers, metadata } = pass;
    let is_set = |name: &&str| headers.iter().any(|(set, _)| set == name);
    let unset = IDENTITY_HEADERS.iter().filter(|name| !is_set(name));
    let remove = unset.map(|name| (*name).to_owned()).chain([PARTIAL_HEADER.to_owned()]);
    let ok = OkHttpResponse {
        headers_to_remove: remove.collect(),
        headers: headers.into_iter().map(|(name, value)| header(name, value)).collect(),
    };
    CheckResponse {
        status: Some(rpc::Status { code: Code::Ok.into(), message: String::new() }),
        dynamic_metadata: Some(structure(metadata)),
        http_response: Some(HttpResponse::OkResponse(ok)),
    }
}

fn denied(mut denial: Denial, is_api: bool) -> CheckResponse {
    let metadata = std::mem::take(&mut denial.metadata);
    let code = match denial.class {
        RefusalClass::Unauthenticated => Code::Unauthenticated,
        RefusalClass::Refused => Code::PermissionDenied,
        RefusalClass::CannotTell => Code::Unavailable,
    };
    let status = rpc::Status { code: code.into(), message: denial.message().to_owned() };
    let http_status = match denial.class {
        _ if is_api => StatusCode::Ok,
        RefusalClass::Unauthenticated => StatusCode::Unauthorized,
        RefusalClass::Refused => StatusCode::Forbidden,
        RefusalClass::CannotTell => StatusCode::ServiceUnavailable,
    };
    let body = if is_api { denial.envelope() } else { denial.json() };
    let response = DeniedHttpResponse {
        status: Some(HttpStatus { code: http_status.into() }),
        headers: vec![
            header("content-type", "application/json".to_owned()),
            header("cache-control", "no-store".to_owned()),
        ],
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    CheckResponse {
        status: Some(status),
        dynamic_metadata: Some(structure(metadata)),
        http_response: Some(HttpResponse::DeniedResponse(response)),
    }
}

/// A header that takes the place of whatever was there.
fn header(name: &str, value: String) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue { key: name.to_owned(), value, raw_value: Vec::new() }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
    }
}

fn structure(members: Map<String, Value>) -> Struct {
    Struct { fields: members.into_iter().map(|(name, it)| (name, proto_value(it))).collect() }
}

fn proto_value(value: Value) -> ProtoValue {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(flag) => Kind::BoolValue(flag),
        Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or_default()),
        Value::String(text) => Kind::StringValue(text),
        Value::Array(items) => {
            Kind::ListValue(ListValue { values: items.into_iter().map(proto_value).collect() })
        }
        Value::Object(members) => Kind::StructValue(structure(members)),
    };
    ProtoValue { kind: Some(kind) }
}
