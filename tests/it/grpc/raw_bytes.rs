//! Bytes that are no message: the caller is told that, and which field; the server goes on.

use camgate::service::proto as pb;
use prost::Message;
use prost::bytes::{Buf, BufMut, Bytes};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use super::{ALLOW_ALL, APPS, ROOT, TestServer, app};

const CREATE_POLICY: &str = "/camgate.v1.AdministrationService/CreatePolicy";
const CHECK: &str = "/camgate.v1.AuthorizationService/Check";
const WATCH: &str = "/camgate.v1.WatchService/Watch";

/// Sends and receives bytes as they are.
#[derive(Debug, Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

async fn send(server: &TestServer, path: &'static str, message: Vec<u8>) -> Result<Bytes, Status> {
    let channel = Channel::from_shared(format!("http://{}", server.address)).unwrap();
    let mut client = Grpc::new(channel.connect_lazy());
    client.ready().await.unwrap();
    let path = PathAndQuery::from_static(path);
    client.unary(Request::new(message), path, Raw).await.map(tonic::Response::into_inner)
}

fn create_policy() -> Vec<u8> {
    let request = pb::CreatePolicyRequest {
        owner_uin: ROOT,
        name: "政策".to_owned(),
        document: ALLOW_ALL.to_owned(),
        ..Default::default()
    };
    request.encode_to_vec()
}

#[tokio::test]
async fn bytes_that_are_no_message_are_the_callers_fault() {
    let mut server = TestServer::memory().await;
    server.create_account().await;
    let whole = create_policy();
    let cut = whole[..whole.len() - 1].to_vec();
    let table: [(&'static str, Vec<u8>, &str); 7] = [
        (CREATE_POLICY, b"\x22\x02\xc3\x28".to_vec(), "document"),
        (CREATE_POLICY, cut, "document"),
        // Field 1 is a number, and here a text; field 2 the other way round.
        (CREATE_POLICY, b"\x0a\x01x".to_vec(), "owner_uin"),
        (CREATE_POLICY, b"\x10\x01".to_vec(), "name"),
        // `if_revision` within `options`.
        (CREATE_POLICY, b"\xa2\x06\x03\x0a\x01\xff".to_vec(), "options.if_revision"),
        (CHECK, vec![0xff; 64], ""),
        (WATCH, b"\x00".to_vec(), ""),
    ];
    for (path, message, field) in table {
        let status = send(&server, path, message).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{path} {field}: {status:?}");
        assert!(status.message().contains(field), "{}", status.message());
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().reason, "BAD_ENCODING");
        let violations = details.bad_request().map(|it| it.field_violations.clone());
        let violation = violations.unwrap_or_default().into_iter().next();
        assert_eq!(violation.map(|it| it.field).unwrap_or_default(), field);
    }
    // The server goes on, and what was refused left no trace.
    let answer = send(&server, CREATE_POLICY, whole).await.unwrap();
    let answer = pb::CreatePolicyResponse::decode(answer).unwrap();
    assert_eq!(answer.policy.unwrap().name, "政策");
    assert_eq!(server.outcome(ROOT, "im:SendMsg", &app(APPS[0])).await, pb::Outcome::Allow);
    server.stop().await;
}

#[tokio::test]
async fn messages_over_the_limit_are_refused_unread() {
    let mut server = TestServer::memory().await;
    server.create_account().await;
    for (path, bytes) in [(CHECK, 4 * 1024 * 1024 + 1), (WATCH, 64 * 1024 + 1)] {
        let status = send(&server, path, vec![0xff; bytes]).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{path}: {status:?}");
        assert!(status.message().contains("limit"), "{}", status.message());
    }
    assert_eq!(server.outcome(ROOT, "im:SendMsg", &app(APPS[0])).await, pb::Outcome::Allow);
    server.stop().await;
}
