//! Every method × every right.

use camgate::directory::service_caller::Right;
use camgate::service::proto::DESCRIPTORS;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tonic::Code;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::service::interceptor::InterceptedService;
use tonic_prost::ProstCodec;

use super::{Bearer, Guarded, bearer, only};

const RIGHTS: [Right; 5] =
    [Right::Check, Right::Explain, Right::Administer, Right::Watch, Right::Operate];

/// What a method needs. A method that is not here fails the test.
fn needed(service: &str, method: &str) -> Option<Right> {
    Some(match (service, method) {
        ("AuthorizationService", "Check" | "BatchCheck" | "StreamCheck") => Right::Check,
        (
            "AuthorizationService",
            "Explain" | "Simulate" | "ListResources" | "ListActions" | "ListPrincipals",
        ) => Right::Explain,
        ("AdministrationService", _) => Right::Administer,
        ("WatchService", "Watch") => Right::Watch,
        ("StoreService", "Export") => Right::Operate,
        // About everything; about one account it is for who administers that.
        ("AuditService", _) => Right::Operate,
        ("CallerService", _) => Right::Operate,
        _ => return None,
    })
}

/// All methods of the API: service, name, whether it is asked with a stream.
fn methods() -> Vec<(String, String, bool)> {
    let set = FileDescriptorSet::decode(DESCRIPTORS).unwrap();
    let files = set.file.iter().filter(|file| file.package() == "camgate.v1");
    let services = files.flat_map(|file| &file.service);
    services
        .flat_map(|service| {
            service.method.iter().map(|method| {
                let (service, name) = (service.name().to_owned(), method.name().to_owned());
                (service, name, method.client_streaming())
            })
        })
        .collect()
}

/// The status of an empty request.
async fn status(
    server: &Guarded,
    bearer: Bearer,
    service: &str,
    method: &str,
    is_stream: bool,
) -> Code {
    let link = InterceptedService::new(server.channel.clone(), bearer);
    let mut client = Grpc::new(link);
    client.ready().await.unwrap();
    let path: PathAndQuery = format!("/camgate.v1.{service}/{method}").parse().unwrap();
    let codec = ProstCodec::<(), ()>::default();
    let asked = if is_stream {
        let questions = tokio_stream::iter([()]);
        client.streaming(tonic::Request::new(questions), path, codec).await
    } else {
        client.server_streaming(tonic::Request::new(()), path, codec).await
    };
    match asked {
        Err(status) => status.code(),
        Ok(answer) => match answer.into_inner().message().await {
            Ok(_) => Code::Ok,
            Err(status) => status.code(),
        },
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_right_opens_its_methods_and_no_other() {
    let server = Guarded::start().await;
    let mut callers = Vec::new();
    for right in RIGHTS {
        callers.push((right, bearer(&server.caller(right.as_str(), only(right)).await)));
    }
    // Another one without any right, and what is nobody's.
    let none = bearer(&server.caller("none", Default::default()).await);
    let (id, revoked) = server.token("none", None).await;
    server.revoke("none", &id).await;
    let over = server.token("none", Some(1)).await.1;
    let nobodies = [Bearer::default(), bearer("cgt_"), bearer(&revoked), bearer(&over)];
    let methods = methods();
    assert!(methods.len() > 50, "{} methods", methods.len());
    for (service, method, is_stream) in &methods {
        let needed = needed(service, method).unwrap_or_else(|| panic!("{service}/{method}"));
        let ask = async |bearer: &Bearer| {
            status(&server, bearer.clone(), service, method, *is_stream).await
        };
        for (right, bearer) in &callers {
            let code = ask(bearer).await;
            let is_refused = matches!(code, Code::PermissionDenied | Code::Unauthenticated);
            assert_eq!(is_refused, *right != needed, "{service}/{method} by {right:?}: {code:?}");
        }
        assert_eq!(ask(&none).await, Code::PermissionDenied, "{service}/{method}");
        for nobody in &nobodies {
            assert_eq!(ask(nobody).await, Code::Unauthenticated, "{service}/{method}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_told_to_everybody() {
    let server = Guarded::start().await;
    let mut health = tonic_health::pb::health_client::HealthClient::new(server.channel.clone());
    let asked = health.check(tonic_health::pb::HealthCheckRequest::default()).await.unwrap();
    assert_eq!(asked.into_inner().status, 1);
}
