//! The status table, row by row, with its machine-readable details; health and reflection.

use std::sync::Arc;

use camgate::authn::vault::master_key::MasterKey;
use camgate::directory::Quotas;
use camgate::node::{NodeError, NodeSettings, PolicyFiles};
use camgate::service::{ApiError, proto as pb};
use camgate::store::{CommitLimit, MemoryStore, Revision, StoreError};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;

use super::{APPS, ROOT, TestServer, app, question};

#[tokio::test]
async fn refused_questions_say_what_is_wrong() {
    let master_key = Some(MasterKey::generate().unwrap());
    let settings = NodeSettings { master_key, ..NodeSettings::default() };
    let mut server = TestServer::start(Arc::new(MemoryStore::new()), None, settings).await;
    server.create_account().await;
    let with_context = |key: &str, value: pb::context_value::Value| {
        let mut request = question(ROOT, "im:X", "*");
        let value = pb::ContextValue { value: Some(value) };
        request.context.insert(key.to_owned(), pb::ContextValues { values: vec![value] });
        request
    };
    let text = |text: &str| pb::context_value::Value::Text(text.to_owned());
    let mut of_session = question(ROOT, "im:X", "*");
    of_session.principal.as_mut().unwrap().id =
        Some(pb::principal::Id::SessionToken("t".to_owned()));
    let table = [
        (pb::CheckRequest::default(), "principal"),
        (question(0, "im:X", "*"), "principal.uin"),
        (of_session, "session token"),
        (question(ROOT, "", "*"), "action"),
        (question(ROOT, "im:*", "*"), "action"),
        (question(ROOT, "im:deleteidentifier", "*"), "im:DeleteIdentifier"), // rule D-18
        (question(ROOT, "im:RemoveUser", ""), "resource"),                   // rule F-01
        (question(ROOT, "im:X", "qcs::im"), "resource"),
        (question(ROOT, "im:X", &"x".repeat(5_000)), "resource"),
        (with_context("qcs:uin", text("1")), "qcs:uin"), // rule D-15
        (with_context("", text("1")), "context"),
        (with_context("k", pb::context_value::Value::Decimal("1.2.3".into())), "1.2.3"),
    ];
    for (request, expected) in table {
        let shown = format!("{request:?}");
        let status = server.authz.check(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{shown}");
        assert!(status.message().contains(expected), "{shown}: {}", status.message());
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!(info.domain, "camgate");
        assert!(!info.reason.is_empty());
    }
    server.stop().await;
}

#[tokio::test]
async fn a_server_without_a_master_key_refuses_sessions() {
    let mut server = TestServer::memory().await;
    server.create_account().await;
    let mut of_session = question(ROOT, "im:X", "*");
    of_session.principal.as_mut().unwrap().id =
        Some(pb::principal::Id::SessionToken("t".to_owned()));
    let status = server.authz.check(of_session).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("master key"), "{}", status.message());
    server.stop().await;
}

#[tokio::test]
async fn refused_commands_have_their_codes() {
    let quotas = Quotas { groups_per_account_max: 1, ..Default::default() };
    let settings = NodeSettings { quotas, ..Default::default() };
    let mut server = TestServer::start(Arc::new(MemoryStore::new()), None, settings).await;
    server.create_account().await;
    let alice = server.create_user("alice").await;
    let policy = server.create_policy("ops", super::POLICY).await;
    server.attach(policy, alice).await;

    let twice = pb::CreateAccountRequest { owner_uin: ROOT, app_id: 1, options: None };
    let status = server.admin.create_account(twice).await.unwrap_err();
    assert_eq!(status.code(), Code::AlreadyExists);

    let get = pb::GetAccountRequest { owner_uin: 99, ..Default::default() };
    assert_eq!(server.admin.get_account(get).await.unwrap_err().code(), Code::NotFound);

    let in_use =
        pb::DeletePolicyRequest { owner_uin: ROOT, policy_id: policy, ..Default::default() };
    let status = server.admin.delete_policy(in_use).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(status.get_error_details().error_info().unwrap().reason, "ResourceInUse");

    let group = |name: &str| pb::CreateGroupRequest {
        owner_uin: ROOT,
        name: name.to_owned(),
        ..Default::default()
    };
    server.admin.create_group(group("one")).await.unwrap();
    let status = server.admin.create_group(group("two")).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    let details = status.get_error_details();
    let metadata = &details.error_info().unwrap().metadata;
    assert_eq!((metadata["limit"].as_str(), metadata["actual"].as_str()), ("1", "2"));

    // All findings, each with its place (rule L-11).
    let bad = pb::CreatePolicyRequest {
        owner_uin: ROOT,
        name: "bad".to_owned(),
        document: r#"{"version":"3.0","statement":[{"effect":"Allow","action":"im:removeuser"}]}"#
            .to_owned(),
        ..Default::default()
    };
    let status = server.admin.create_policy(bad).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let details = status.get_error_details();
    assert!(details.error_info().unwrap().reason.starts_with("InvalidParameter."));
    assert!(details.bad_request().unwrap().field_violations.len() >= 3);

    let both = pb::AttachPolicyRequest {
        owner_uin: ROOT,
        policy_id: policy,
        uin: alice,
        group_id: 1,
        role_id: 0,
        options: None,
    };
    let status = server.admin.attach_policy(both).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    server.stop().await;
}

/// Rows that a healthy server does not reach.
#[test]
fn the_rest_of_the_table() {
    let unavailable = || StoreError::Unavailable { detail: "secret path".to_owned() };
    let too_large = StoreError::TooLarge { what: CommitLimit::CommitBytes, limit: 8, actual: 9 };
    let compacted = StoreError::Compacted { after: Revision(1), oldest: Revision(2) };
    let table = [
        (NodeError::NotYet { wanted: 2, applied: 1, waited_ms: 3 }, Code::Unavailable),
        (NodeError::Stopping, Code::Unavailable),
        (NodeError::Stale { age_ms: 2, limit_ms: 1 }, Code::Unavailable),
        (
            NodeError::OlderNodes { id: "a".into(), version: "0".into(), reads: 1, writes: 2 },
            Code::FailedPrecondition,
        ),
        (NodeError::NotVisible { revision: 1, waited_ms: 1 }, Code::DeadlineExceeded),
        (NodeError::Changed { owner_uin: 1 }, Code::Aborted),
        (NodeError::Contended { owner_uin: 1, attempts: 2 }, Code::Aborted),
        (NodeError::Compacted, Code::OutOfRange),
        (NodeError::Store(unavailable()), Code::Unavailable),
        (NodeError::Store(too_large), Code::ResourceExhausted),
        (NodeError::Store(compacted), Code::OutOfRange),
        (NodeError::Store(StoreError::Conflict { key: vec![1] }), Code::Aborted),
        (NodeError::Store(StoreError::Corrupt { detail: "x".into() }), Code::DataLoss),
        (NodeError::Store(StoreError::EmptyCommit), Code::Internal),
        (NodeError::Record { key: "k".into(), problem: "p".into() }, Code::DataLoss),
        (NodeError::Internal("secret path".to_owned()), Code::Internal),
    ];
    for (error, code) in table {
        let shown = format!("{error:?}");
        let api = ApiError::from(error);
        assert_eq!(api.code, code, "{shown}");
        // What only operators should read stays in the log.
        assert!(!api.message.contains("secret"), "{}", api.message);
    }
}

/// Fail closed: an account with a record that cannot be read is an error, never an answer.
#[tokio::test]
async fn damaged_records_are_data_loss() {
    use camgate::store::{Commit, Store, key};
    let store = Arc::new(MemoryStore::new());
    let mut server =
        TestServer::start(Arc::clone(&store) as _, None, NodeSettings::default()).await;
    server.create_account().await;
    let alice = server.create_user("alice").await;
    let resource = app(APPS[0]);
    assert_eq!(server.outcome(ROOT, "im:SendMsg", &resource).await, pb::Outcome::Allow);
    let damaged = key::record_key(ROOT, camgate::directory::RecordKey::SubAccount(alice));
    let revision = store.commit(Commit::new().put(damaged, b"\xff\xff".to_vec())).await.unwrap();
    let mut request = question(ROOT, "im:SendMsg", &resource);
    request.consistency = Some(pb::Consistency { at_least: server.node.token(revision) });
    let status = server.authz.check(request).await.unwrap_err();
    assert_eq!(status.code(), Code::DataLoss);
    server.stop().await;
}

/// Fail closed: presets that cannot be read leave every account without an answer.
#[tokio::test]
async fn damaged_presets_are_data_loss() {
    use camgate::store::{Commit, Store, key};
    let store = Arc::new(MemoryStore::new());
    let mut server =
        TestServer::start(Arc::clone(&store) as _, None, NodeSettings::default()).await;
    server.create_account().await;
    let preset = key::operator_preset_key("x");
    let damaged = Commit::new().put(preset.clone(), b"\xff\xff".to_vec());
    let ask = |revision, server: &TestServer| {
        let mut request = question(ROOT, "im:SendMsg", "*");
        let at_least = server.node.token(revision);
        request.consistency = Some(pb::Consistency { at_least });
        request
    };
    let request = ask(store.commit(damaged).await.unwrap(), &server);
    let status = server.authz.check(request).await.unwrap_err();
    assert_eq!(status.code(), Code::DataLoss);
    let mended = Commit::new().delete(preset);
    let request = ask(store.commit(mended).await.unwrap(), &server);
    assert_eq!(server.check(request).await.outcome(), pb::Outcome::Allow);
    server.stop().await;
}

#[tokio::test]
async fn health_follows_readiness() {
    let server = TestServer::memory().await;
    let channel = tonic::transport::Channel::from_shared(format!("http://{}", server.address));
    let mut health = HealthClient::new(channel.unwrap().connect_lazy());
    for service in ["", "camgate.v1.AuthorizationService", "camgate.v1.WatchService"] {
        let request = HealthCheckRequest { service: service.to_owned() };
        let answer = health.check(request).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
    }
    server.stop().await;
    let files = PolicyFiles { patterns: vec!["[".to_owned()] };
    let store = Arc::new(MemoryStore::new());
    let server = TestServer::start(store, Some(files), NodeSettings::default()).await;
    let channel = tonic::transport::Channel::from_shared(format!("http://{}", server.address));
    let mut health = HealthClient::new(channel.unwrap().connect_lazy());
    let answer = health.check(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(answer.status(), ServingStatus::NotServing);
    server.stop().await;
}

macro_rules! lists_services {
    ($address:expr, $version:ident) => {{
        use tonic_reflection::pb::$version::ServerReflectionRequest;
        use tonic_reflection::pb::$version::server_reflection_client::ServerReflectionClient;
        use tonic_reflection::pb::$version::server_reflection_request::MessageRequest;
        use tonic_reflection::pb::$version::server_reflection_response::MessageResponse;
        let channel = tonic::transport::Channel::from_shared(format!("http://{}", $address));
        let mut client = ServerReflectionClient::new(channel.unwrap().connect_lazy());
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let answers = client.server_reflection_info(tokio_stream::iter([request])).await.unwrap();
        let answer = answers.into_inner().message().await.unwrap().unwrap();
        let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
            panic!("{answer:?}")
        };
        let names: Vec<String> = list.service.into_iter().map(|it| it.name).collect();
        for service in ["Authorization", "Administration", "Watch"] {
            assert!(names.contains(&format!("camgate.v1.{service}Service")), "{names:?}");
        }
        assert!(names.contains(&"grpc.health.v1.Health".to_owned()), "{names:?}");
    }};
}

#[tokio::test]
async fn reflection_lists_the_services_in_both_versions() {
    let server = TestServer::memory().await;
    lists_services!(server.address, v1);
    lists_services!(server.address, v1alpha);
    server.stop().await;
}
