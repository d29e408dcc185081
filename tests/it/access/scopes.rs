//! Rights in some accounts and about some services, and callers that are revoked while they are
//! connected.

use std::collections::BTreeSet;
use std::time::Duration;

use camgate::directory::service_caller::{Accounts, Right, Rights};
use camgate::service::bearer::Link;
use camgate::service::proto as pb;
use camgate::service::proto::administration_service_client::AdministrationServiceClient;
use camgate::service::proto::authorization_service_client::AuthorizationServiceClient;
use camgate::service::proto::watch_service_client::WatchServiceClient;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use super::{Guarded, OTHER, ROOT, all_in, bearer, only};

fn link(server: &Guarded, token: &str) -> Link {
    Link::new(server.channel.clone(), bearer(token))
}

/// Two accounts, made by one who may.
async fn accounts(server: &Guarded) -> AdministrationServiceClient<Link> {
    let token = server.caller("administrator", only(Right::Administer)).await;
    let mut admin = AdministrationServiceClient::new(link(server, &token));
    for (owner_uin, app_id) in [(ROOT, 1_250_000_001), (OTHER, 1_250_000_002)] {
        let request = pb::CreateAccountRequest { owner_uin, app_id, options: None };
        admin.create_account(request).await.unwrap();
    }
    admin
}

fn question(owner_uin: u64, action: &str) -> pb::CheckRequest {
    pb::CheckRequest {
        // Without the owner, which the server finds.
        principal: Some(pb::Principal {
            id: Some(pb::principal::Id::Uin(owner_uin)),
            owner_uin: 0,
        }),
        action: action.to_owned(),
        resource: "*".to_owned(),
        ..Default::default()
    }
}

const ACTION: &str = "im:CheckIfIMNewUser";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_is_not_another() {
    let server = Guarded::start().await;
    accounts(&server).await;
    let token = server.caller("one", all_in(ROOT)).await;
    let mut authz = AuthorizationServiceClient::new(link(&server, &token));
    assert!(authz.check(question(ROOT, ACTION)).await.is_ok());
    for uin in [OTHER, 999] {
        let refused = authz.check(question(uin, ACTION)).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
    }
    let refused = authz.check(question(OTHER, ACTION)).await.unwrap_err();
    assert!(refused.message().contains("caller `one` has no right to check in account 87654321"));
    // In a batch the one fails alone.
    let entries = vec![question(ROOT, ACTION), question(OTHER, ACTION)];
    let batch = pb::BatchCheckRequest { entries, consistency: None };
    let answer = authz.batch_check(batch).await.unwrap().into_inner();
    let codes = answer.entries.iter().map(|entry| match &entry.result {
        Some(pb::batch_check_entry::Result::Decision(_)) => 0,
        Some(pb::batch_check_entry::Result::Error(error)) => error.code,
        None => 99,
    });
    assert_eq!(codes.collect::<Vec<_>>(), [0, 7]);
    let explain = |uin| pb::ExplainRequest { check: Some(question(uin, ACTION)) };
    assert!(authz.explain(explain(ROOT)).await.is_ok());
    assert_eq!(authz.explain(explain(OTHER)).await.unwrap_err().code(), Code::PermissionDenied);
    let search = |owner_uin| pb::ListPrincipalsRequest {
        owner_uin,
        action: ACTION.to_owned(),
        resource: "*".to_owned(),
        ..Default::default()
    };
    assert!(authz.list_principals(search(ROOT)).await.is_ok());
    let refused = authz.list_principals(search(OTHER)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    // Administration: what is not theirs is not even listed.
    let mut admin = AdministrationServiceClient::new(link(&server, &token));
    let listed = admin.list_accounts(pb::ListAccountsRequest::default()).await.unwrap();
    let listed: Vec<_> = listed.into_inner().accounts.iter().map(|it| it.owner_uin).collect();
    assert_eq!(listed, [ROOT]);
    let user = |owner_uin| pb::CreateSubAccountRequest {
        owner_uin,
        name: "alice".to_owned(),
        ..Default::default()
    };
    assert!(admin.create_sub_account(user(ROOT)).await.is_ok());
    let refused = admin.create_sub_account(user(OTHER)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let mut watch = WatchServiceClient::new(link(&server, &token));
    let follow = |owner_uin| pb::WatchRequest { owner_uin, after: String::new() };
    assert!(watch.watch(follow(ROOT)).await.is_ok());
    assert_eq!(watch.watch(follow(OTHER)).await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_is_not_another() {
    let server = Guarded::start().await;
    accounts(&server).await;
    let services = BTreeSet::from(["im".to_owned()]);
    let rights =
        Rights { check: Accounts::All, explain: Accounts::All, services, ..Rights::default() };
    let token = server.caller("im-only", rights).await;
    let mut authz = AuthorizationServiceClient::new(link(&server, &token));
    assert!(authz.check(question(ROOT, ACTION)).await.is_ok());
    let refused = authz.check(question(ROOT, "cam:ListUsers")).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
    let search = |service: &str| pb::ListActionsRequest {
        principal: question(ROOT, "").principal,
        resource: "*".to_owned(),
        service: service.to_owned(),
        ..Default::default()
    };
    assert!(authz.list_actions(search("im")).await.is_ok());
    for service in ["cam", ""] {
        let refused = authz.list_actions(search(service)).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{service}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_is_revoked_is_refused_on_open_connections() {
    let server = Guarded::start().await;
    accounts(&server).await;
    let first = server.caller("one", all_in(ROOT)).await;
    let (id, second) = server.token("one", None).await;
    let mut watch = WatchServiceClient::new(link(&server, &second));
    let follow = pb::WatchRequest { owner_uin: ROOT, after: String::new() };
    let mut events = watch.watch(follow).await.unwrap().into_inner();
    assert!(events.message().await.unwrap().is_some());
    let mut authz = AuthorizationServiceClient::new(link(&server, &second));
    let (questions, asked) = mpsc::channel(1);
    questions.send(question(ROOT, ACTION)).await.unwrap();
    let mut answers = authz.stream_check(ReceiverStream::new(asked)).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    assert!(matches!(answer.result, Some(pb::batch_check_entry::Result::Decision(_))));

    server.revoke("one", &id).await;
    let ended = async {
        loop {
            match events.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("it ended without saying why"),
                Err(status) => break status,
            }
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(20), ended).await.unwrap();
    assert_eq!(ended.code(), Code::Unauthenticated, "{ended}");
    questions.send(question(ROOT, ACTION)).await.unwrap();
    let answer = answers.message().await.unwrap().unwrap();
    let Some(pb::batch_check_entry::Result::Error(error)) = answer.result else {
        panic!("it was answered")
    };
    assert_eq!(error.code, Code::Unauthenticated as i32 as u32);
    assert_eq!(
        authz.check(question(ROOT, ACTION)).await.unwrap_err().code(),
        Code::Unauthenticated
    );
    // The other token goes on, until its caller is gone.
    let mut other = AuthorizationServiceClient::new(link(&server, &first));
    assert!(other.check(question(ROOT, ACTION)).await.is_ok());
    server.delete("one").await;
    let refused = other.check(question(ROOT, ACTION)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}
