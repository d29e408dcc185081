//! The gate as proxies ask it, over real connections: who gets through, as whom, and what everybody
//! else is told.

mod console;
mod ext_authz;
mod forward_auth;
mod stale;

use std::collections::BTreeMap;

use camgate::gate::GateSettings;
use camgate::node::NodeSettings;
use camgate::service::envoy::auth::attribute_context::{HttpRequest, Peer, Request};
use camgate::service::envoy::auth::check_response::HttpResponse;
use camgate::service::envoy::auth::{AttributeContext, CheckRequest, CheckResponse};
use camgate::service::envoy::core::address::Address as Which;
use camgate::service::envoy::core::{Address, SocketAddress};
use camgate::service::proto as pb;
use serde_json::{Value, json};

use crate::cam::client::{Client, Credential, Outgoing};
use crate::cam::{CamServer, OTHER, ROOT, new_key};

const IM: (&str, &str) = ("im", "2020-04-16");
/// Apps of the root, and one of the other account.
const APPS: [u64; 3] = [1_400_000_000, 1_400_000_001, 1_400_000_002];
const FOREIGN: u64 = 1_400_000_009;

/// A server whose root has apps, and a user who may use the second and the third one, but not
/// delete accounts in the second.
struct Gated {
    server: CamServer,
    /// Alice's key; she signs for the API of IM.
    alice: Client,
    alice_uin: u64,
}

impl Gated {
    async fn start(gate: GateSettings, node: NodeSettings) -> Self {
        Self::with(CamServer::start_gate(gate, node).await).await
    }

    async fn with(mut server: CamServer) -> Self {
        for (owner_uin, sdkappid) in APPS.map(|id| (ROOT, id)).into_iter().chain([(OTHER, FOREIGN)])
        {
            let app = pb::CreateAppRequest {
                owner_uin,
                sdkappid,
                name: format!("应用 {sdkappid}"),
                ..pb::CreateAppRequest::default()
            };
            server.admin.create_app(app).await.unwrap();
        }
        let (alice_uin, alice) = server.root.new_user("alice").await;
        let policy = json!({"version": "2.0", "statement": [
            {"effect": "allow", "action": ["im:*"],
             "resource": [name(APPS[1]), name(APPS[2])]},
            {"effect": "deny", "action": "im:DeleteAccount", "resource": name(APPS[1])},
            {"effect": "allow", "action": "im:CheckIfIMNewUser", "resource": "*"},
        ]});
        let made = server
            .root
            .call("CreatePolicy", json!({"PolicyName": "im", "PolicyDocument": policy.to_string()}))
            .await;
        let attach = json!({"PolicyId": made["PolicyId"], "AttachUin": alice_uin});
        server.root.call("AttachUserPolicy", attach).await;
        Self { server, alice, alice_uin }
    }

    async fn plain() -> Self {
        Self::start(GateSettings::default(), NodeSettings::default()).await
    }

    /// What the gate answers Envoy about a request.
    async fn envoy(&mut self, request: CheckRequest) -> Told {
        Told::of(self.server.envoy.check(request).await.unwrap().into_inner())
    }

    /// What it answers about a signed call.
    async fn call(&mut self, action: &str, params: Value) -> Told {
        let outgoing = self.alice.post(IM, action, &params);
        self.envoy(seen(&outgoing)).await
    }

    /// A key of a role or a user of the other account.
    async fn foreign(&self) -> Credential {
        new_key(&self.server.node, OTHER, OTHER).await
    }
}

fn name(sdkappid: u64) -> String {
    format!("qcs::im::uin/{ROOT}:sdkappid/{sdkappid}")
}

/// A request as Envoy describes it with `with_request_body`.
fn seen(outgoing: &Outgoing) -> CheckRequest {
    let mut headers: BTreeMap<String, String> = outgoing
        .headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .collect();
    headers.insert(":method".into(), outgoing.method.clone());
    headers.insert(":path".into(), outgoing.target.clone());
    let host = headers.remove("host").unwrap_or_default();
    headers.insert(":authority".into(), host.clone());
    if !outgoing.body.is_empty() {
        headers.insert("content-length".into(), outgoing.body.len().to_string());
        headers.insert("x-envoy-auth-partial-body".into(), "false".into());
    }
    let http = HttpRequest {
        method: outgoing.method.clone(),
        path: outgoing.target.clone(),
        host,
        headers,
        raw_body: outgoing.body.clone(),
        protocol: "HTTP/1.1".into(),
        ..HttpRequest::default()
    };
    let source = SocketAddress { address: "203.0.113.7".into(), port_specifier: None };
    let address = Some(Address { address: Some(Which::SocketAddress(source)) });
    CheckRequest {
        attributes: Some(AttributeContext {
            source: Some(Peer { address }),
            request: Some(Request { http: Some(http) }),
            ..AttributeContext::default()
        }),
    }
}

/// The parts of a description that tests spoil.
fn http(request: &mut CheckRequest) -> &mut HttpRequest {
    request.attributes.as_mut().unwrap().request.as_mut().unwrap().http.as_mut().unwrap()
}

fn extend(mut request: CheckRequest, name: &str, value: &str) -> CheckRequest {
    let extensions = &mut request.attributes.as_mut().unwrap().context_extensions;
    extensions.insert(name.into(), value.into());
    request
}

/// What Envoy was told.
#[derive(Debug)]
struct Told {
    /// gRPC code: 0 lets the request go on.
    grpc: i32,
    /// Headers set on the request, or on the answer to the client.
    set: BTreeMap<String, String>,
    removed: Vec<String>,
    /// For the client of a denied request.
    status: i32,
    body: Value,
    metadata: BTreeMap<String, Value>,
}

impl Told {
    fn of(response: CheckResponse) -> Self {
        let text = |it: prost_types::Value| match it.kind {
            Some(prost_types::value::Kind::StringValue(text)) => json!(text),
            Some(prost_types::value::Kind::NumberValue(number)) => json!(number),
            _ => Value::Null,
        };
        let metadata = response.dynamic_metadata.unwrap().fields;
        let metadata = metadata.into_iter().map(|(name, it)| (name, text(it))).collect();
        let (headers, removed, status, body) = match response.http_response.unwrap() {
            HttpResponse::OkResponse(ok) => (ok.headers, ok.headers_to_remove, 200, Value::Null),
            HttpResponse::DeniedResponse(denied) => {
                let body = serde_json::from_str(&denied.body).unwrap();
                (denied.headers, Vec::new(), denied.status.unwrap().code, body)
            }
        };
        let overwrites = |it: &camgate::service::envoy::core::HeaderValueOption| {
            // OVERWRITE_IF_EXISTS_OR_ADD: a client's own header must not stay beside it.
            assert_eq!(it.append_action, 2, "{it:?}");
            let header = it.header.clone().unwrap();
            (header.key, header.value)
        };
        Self {
            grpc: response.status.unwrap().code,
            set: headers.iter().map(overwrites).collect(),
            removed,
            status,
            body,
            metadata,
        }
    }

    fn is_allowed(&self) -> bool {
        self.grpc == 0
    }

    /// The code in the API's envelope.
    fn api_code(&self) -> &str {
        assert!(!self.is_allowed(), "{self:?}");
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(self.set["content-type"], "application/json");
        self.body["Response"]["Error"]["Code"].as_str().unwrap()
    }
}
