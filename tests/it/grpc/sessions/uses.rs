//! A session token as principal, in every question that takes one.

use camgate::directory::{BoundaryTarget, PutBoundary};
use camgate::node::CheckQuery;

use super::*;

const ACTION: &str = "im:SetConfInfo";

#[tokio::test]
async fn a_role_session_acts_as_the_role_and_nothing_else() {
    // rule D-25
    let mut world = World::new().await;
    world.grant_usual(&policy("allow", ACTION)).await;
    world.grant(Target::User(world.alice), "own", &policy("allow", "im:RemoveUser")).await;
    let token = world.session().await.token;
    assert_eq!(world.reason(&token, ACTION).await, "allow");
    // What alice may do does not come along, and what the role may do is not alice's.
    assert_eq!(world.reason(&token, "im:RemoveUser").await, "implicit_deny:identity");
    let (alice, app) = (world.alice, app(APPS[1]));
    assert_eq!(world.server.outcome(alice, ACTION, &app).await, pb::Outcome::Deny);
    // A role without a session is nobody.
    let role = world.role.0;
    let decision = world.server.check(super::super::question(role, ACTION, &app)).await;
    assert_eq!(decision.reason(), pb::Reason::UnknownPrincipal);
    let mut named = super::super::question(role, ACTION, &app);
    named.principal.as_mut().unwrap().owner_uin = ROOT;
    let decision = world.server.check(named).await;
    assert_eq!(decision.reason(), pb::Reason::UnknownPrincipal);
    world.server.stop().await;
}

#[tokio::test]
async fn the_role_is_who_conditions_see() {
    // rule D-25
    let mut world = World::new().await;
    let is_role = format!(
        r#"{{"version":"2.0","statement":[{{"effect":"allow","action":"{ACTION}","resource":"*",
          "condition":{{"string_equal":{{"qcs:uin":"{}"}}}}}}]}}"#,
        world.role
    );
    world.grant_usual(&is_role).await;
    let token = world.session().await.token;
    assert_eq!(world.reason(&token, ACTION).await, "allow");
    world.server.stop().await;
}

#[tokio::test]
async fn session_policy_and_boundary_cap_a_role() {
    let mut world = World::new().await;
    world.grant_usual(ALLOW_ALL).await;
    let caller = world.alice().await;
    let request =
        AssumeRole { policy: Some(policy("allow", "im:Describe*")), ..assume(ROOT, world.role) };
    let capped = world.node().assume_role(&caller, request).await.unwrap().token;
    let free = world.session().await.token;
    assert_eq!(world.reason(&capped, "im:DescribeConfInfo").await, "allow");
    assert_eq!(world.reason(&capped, ACTION).await, "implicit_deny:session");
    assert_eq!(world.reason(&free, ACTION).await, "allow");
    let id = world.server.create_policy("boundary", &policy("allow", ACTION)).await;
    let boundary = PutBoundary {
        target: BoundaryTarget::Role(world.role.into()),
        policy: PolicyId(id).into(),
    };
    world.apply(ROOT, Command::PutBoundary(boundary)).await;
    assert_eq!(world.reason(&free, ACTION).await, "allow");
    assert_eq!(world.reason(&free, "im:DescribeConfInfo").await, "implicit_deny:boundary");
    // What both allow is nothing.
    assert_eq!(world.reason(&capped, "im:DescribeConfInfo").await, "implicit_deny:boundary");
    assert_eq!(world.reason(&capped, ACTION).await, "implicit_deny:session");
    world.server.stop().await;
}

#[tokio::test]
async fn a_federation_token_is_the_caller_within_a_policy() {
    // rule D-26; spec examples 47, 48
    let mut world = World::new().await;
    world.grant(Target::User(world.alice), "sts", &policy("allow", "sts:*")).await;
    world.grant(Target::User(world.alice), "own", &policy("allow", "im:*")).await;
    let caller = world.alice().await;
    let narrow = federation(&policy("allow", "im:Describe*"));
    let narrow = world.node().federation_token(&caller, narrow).await.unwrap().token;
    assert_eq!(world.reason(&narrow, "im:DescribeConfInfo").await, "allow");
    assert_eq!(world.reason(&narrow, ACTION).await, "implicit_deny:session");
    let wide = world.node().federation_token(&caller, federation(ALLOW_ALL)).await.unwrap().token;
    assert_eq!(world.reason(&wide, ACTION).await, "allow");
    assert_eq!(world.reason(&wide, "cam:CreateUser").await, "implicit_deny:identity");
    world.server.stop().await;
}

#[tokio::test]
async fn every_question_takes_a_session_token() {
    let mut world = World::new().await;
    world.grant_usual(&policy("allow", ACTION)).await;
    let token = world.session().await.token;
    let ask = || question(&token, ACTION);
    let batch = pb::BatchCheckRequest { entries: vec![ask(), ask()], consistency: None };
    let answer = world.server.authz.batch_check(batch).await.unwrap().into_inner();
    for entry in answer.entries {
        let Some(pb::batch_check_entry::Result::Decision(decision)) = entry.result else {
            panic!("no decision: {entry:?}");
        };
        assert_eq!(decision.outcome(), pb::Outcome::Allow);
    }
    let explain = pb::ExplainRequest { check: Some(ask()) };
    let explained = world.server.authz.explain(explain).await.unwrap().into_inner();
    assert_eq!(explained.decision.unwrap().outcome(), pb::Outcome::Allow);
    let stream = tokio_stream::iter(vec![ask()]);
    let mut answers = world.server.authz.stream_check(stream).await.unwrap().into_inner();
    let entry = answers.message().await.unwrap().unwrap();
    assert!(matches!(entry.result, Some(pb::batch_check_entry::Result::Decision(_))));
    let simulate = pb::SimulateRequest { check: Some(ask()), ..Default::default() };
    let simulated = world.server.authz.simulate(simulate).await.unwrap().into_inner();
    assert_eq!(simulated.stored.unwrap().outcome(), pb::Outcome::Allow);
    world.server.stop().await;
}

#[tokio::test]
async fn a_search_for_principals_leaves_roles_out() {
    // rule D-25
    let mut world = World::new().await;
    world.grant_usual(&policy("allow", ACTION)).await;
    let search = pb::ListPrincipalsRequest {
        owner_uin: ROOT,
        action: ACTION.to_owned(),
        resource: app(APPS[1]),
        ..Default::default()
    };
    let found = world.server.authz.list_principals(search).await.unwrap().into_inner();
    assert_eq!(found.uins, [ROOT]);
    world.server.stop().await;
}

#[tokio::test]
async fn tokens_that_are_none_of_ours_are_refused() {
    let mut world = World::new().await;
    world.grant_usual(ALLOW_ALL).await;
    let token = world.session().await.token;
    let mut other = World::new().await;
    other.grant_usual(ALLOW_ALL).await;
    let foreign = other.session().await.token;
    let mut tampered = token.clone().into_bytes();
    tampered[40] = if tampered[40] == b'A' { b'B' } else { b'A' };
    let tampered = String::from_utf8(tampered).unwrap();
    for bad in [foreign, tampered, format!("{token}A"), "A".repeat(5_000), String::new()] {
        let status = world.server.authz.check(question(&bad, ACTION)).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument, "{bad:.20}: {status:?}");
        assert!(!status.message().contains(&token));
    }
    let mut elsewhere = question(&token, ACTION);
    elsewhere.principal.as_mut().unwrap().owner_uin = OTHER;
    let status = world.server.authz.check(elsewhere).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    other.server.stop().await;
    world.server.stop().await;
}

#[tokio::test]
async fn a_session_says_nothing_secret_in_debug() {
    let mut world = World::new().await;
    world.grant_usual(ALLOW_ALL).await;
    let credentials = world.session().await;
    let session = world.node().open_session(&credentials.token).unwrap();
    let caller = world.caller(&temporary(&credentials)).await.unwrap();
    let query: Option<CheckQuery> = None;
    let shown = format!("{credentials:?} {session:?} {caller:?} {query:?}");
    assert!(!shown.contains(credentials.secret.expose()) && !shown.contains(&credentials.token));
    world.server.stop().await;
}
