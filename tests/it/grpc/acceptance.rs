//! The story that the whole must tell: root, alice, bob, one policy, nine answers, a restart.

use camgate::service::proto as pb;

use super::{APPS, ROOT, TestServer, app, on_every_store, question};

type Expected = (u64, &'static str, String, pb::Outcome, pb::Reason, Option<u32>);

fn answers(alice: u64, bob: u64) -> Vec<Expected> {
    use pb::Outcome::{Allow, Deny};
    use pb::Reason::{ExplicitDeny, ImplicitDeny, Root};
    let [app0, app1, app2] = APPS.map(app);
    let foreign = "qcs::im::uin/87654321:sdkappid/1400009999".to_owned();
    vec![
        (alice, "im:DescribeConfInfo", app1.clone(), Allow, pb::Reason::Allow, Some(0)),
        (alice, "im:RemoveUser", app1.clone(), Deny, ExplicitDeny, Some(1)),
        (alice, "im:RemoveUser", app2, Allow, pb::Reason::Allow, Some(0)),
        (alice, "im:DescribeConfInfo", app0, Deny, ImplicitDeny, None),
        (alice, "im:CheckIfIMNewUser", "*".to_owned(), Deny, ImplicitDeny, None),
        (alice, "trtc:DescribeAppStatList", app1.clone(), Deny, ImplicitDeny, None),
        (bob, "im:DescribeConfInfo", app1.clone(), Deny, ImplicitDeny, None),
        (ROOT, "im:RemoveUser", app1, Allow, Root, None),
        (ROOT, "im:RemoveUser", foreign, Deny, ImplicitDeny, None),
    ]
}

async fn ask_all(server: &mut TestServer, alice: u64, bob: u64) {
    for (uin, action, resource, outcome, reason, statement) in answers(alice, bob) {
        let decision = server.check(question(uin, action, &resource)).await;
        let asked = format!("{uin} {action} {resource}");
        assert_eq!((decision.outcome(), decision.reason()), (outcome, reason), "{asked}");
        let statements: Vec<u32> = decision.determining.iter().map(|it| it.statement).collect();
        assert_eq!(statements, statement.into_iter().collect::<Vec<_>>(), "{asked}");
        if statement.is_some() {
            assert_eq!(decision.determining[0].policy_name, "ops");
            assert_eq!(decision.determining[0].policy_version, 1);
        }
        assert_eq!(decision.owner_uin, ROOT);
        assert!(!decision.decision_id.is_empty() && !decision.revision.is_empty());
    }
}

async fn prepare(server: &mut TestServer) -> (u64, u64) {
    server.create_account().await;
    let alice = server.create_user("alice").await;
    let bob = server.create_user("bob").await;
    let policy = server.create_policy("ops", super::POLICY).await;
    server.attach(policy, alice).await;
    (alice, bob)
}

// rules D-01, D-04, D-06, D-07, D-08, R-03
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_nine_answers_of_the_issue() {
    on_every_store(|mut server| async move {
        let (alice, bob) = prepare(&mut server).await;
        ask_all(&mut server, alice, bob).await;
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answers_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = TestServer::sled(dir.path()).await;
    let (alice, bob) = prepare(&mut server).await;
    let revision = server.check(question(alice, "im:RemoveUser", "*")).await.revision;
    server.stop().await;
    let mut server = TestServer::sled(dir.path()).await;
    // The token of before the restart is still one of this store.
    let mut again = question(alice, "im:RemoveUser", "*");
    again.consistency = Some(pb::Consistency { at_least: revision });
    server.check(again).await;
    ask_all(&mut server, alice, bob).await;
    server.stop().await;
}

// rule D-12
#[tokio::test]
async fn an_unknown_principal_is_denied_and_not_an_error() {
    let mut server = TestServer::memory().await;
    server.create_account().await;
    for (uin, owner_uin) in [(4_711, 0), (4_711, ROOT), (ROOT, 99), (4_711, 99)] {
        let mut request = question(uin, "im:RemoveUser", "*");
        request.principal.as_mut().unwrap().owner_uin = owner_uin;
        let decision = server.check(request).await;
        assert_eq!(decision.reason(), pb::Reason::UnknownPrincipal, "{uin} in {owner_uin}");
        assert_eq!(decision.outcome(), pb::Outcome::Deny);
    }
    // Also a message recipient, who is known.
    let recipient = pb::CreateSubAccountRequest {
        owner_uin: ROOT,
        name: "收件人".to_owned(),
        kind: pb::SubAccountKind::MessageRecipient.into(),
        ..Default::default()
    };
    let made = server.admin.create_sub_account(recipient).await.unwrap().into_inner();
    let decision = server.check(question(made.sub_account.unwrap().uin, "im:X", "*")).await;
    assert_eq!(decision.reason(), pb::Reason::UnknownPrincipal);
    server.stop().await;
}

// rule D-08: what one account grants never reaches into another.
#[tokio::test]
async fn two_accounts_are_isolated() {
    const OTHER: u64 = 87_654_321;
    let mut server = TestServer::memory().await;
    let (alice, _) = prepare(&mut server).await;
    let account =
        pb::CreateAccountRequest { owner_uin: OTHER, app_id: 1_250_000_002, options: None };
    server.admin.create_account(account).await.unwrap();
    let theirs =
        pb::CreateAppRequest { owner_uin: OTHER, sdkappid: 1_500_000_000, ..Default::default() };
    let theirs = pb::CreateAppRequest { name: "theirs".to_owned(), ..theirs };
    server.admin.create_app(theirs).await.unwrap();
    let everything = server
        .create_policy(
            "everything",
            r#"{"version":"2.0","statement":[{"effect":"allow","action":"*","resource":"*"}]}"#,
        )
        .await;
    server.attach(everything, alice).await;
    let own = server.check(question(alice, "im:SendMsg", &app(APPS[0]))).await;
    assert_eq!(own.outcome(), pb::Outcome::Allow);
    // Named as theirs, and named as ours although it is registered as theirs.
    for resource in [
        "qcs::im::uin/87654321:sdkappid/1500000000",
        "qcs::im::uin/12345678:sdkappid/1500000000",
        "qcs::im:::sdkappid/1500000000",
    ] {
        let decision = server.check(question(alice, "im:SendMsg", resource)).await;
        assert_eq!(decision.outcome(), pb::Outcome::Deny, "{resource}");
        assert_eq!(decision.layer(), pb::Layer::Resource, "{resource}");
        let root = server.check(question(ROOT, "im:SendMsg", resource)).await;
        assert_eq!(root.outcome(), pb::Outcome::Deny, "{resource}");
    }
    // Nor can their app be taken.
    let taken =
        pb::CreateAppRequest { owner_uin: ROOT, sdkappid: 1_500_000_000, ..Default::default() };
    let taken = pb::CreateAppRequest { name: "mine".to_owned(), ..taken };
    let status = server.admin.create_app(taken).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::AlreadyExists);
    server.stop().await;
}

// A collaborator of several accounts must say where it acts.
#[tokio::test]
async fn an_ambiguous_collaborator_is_asked_for_its_owner() {
    const OTHER: u64 = 87_654_321;
    let mut server = TestServer::memory().await;
    server.create_account().await;
    let account =
        pb::CreateAccountRequest { owner_uin: OTHER, app_id: 1_250_000_002, options: None };
    server.admin.create_account(account).await.unwrap();
    let collaborator = pb::CreateSubAccountRequest {
        owner_uin: ROOT,
        uin: OTHER,
        name: "partner".to_owned(),
        kind: pb::SubAccountKind::Collaborator.into(),
        ..Default::default()
    };
    server.admin.create_sub_account(collaborator).await.unwrap();
    let status = server.authz.check(question(OTHER, "im:X", "*")).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    assert!(status.message().contains("12345678, 87654321"), "{}", status.message());
    let mut request = question(OTHER, "im:X", "*");
    request.principal.as_mut().unwrap().owner_uin = OTHER;
    assert_eq!(server.check(request.clone()).await.reason(), pb::Reason::Root);
    request.principal.as_mut().unwrap().owner_uin = ROOT;
    assert_eq!(server.check(request).await.reason(), pb::Reason::ImplicitDeny);
    server.stop().await;
}
