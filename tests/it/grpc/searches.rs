//! Explanations, simulations and searches over gRPC.

use std::collections::BTreeSet;

use camgate::service::proto as pb;

use super::{APPS, ROOT, TestServer, app, question};

async fn prepare() -> (TestServer, u64) {
    let mut server = TestServer::memory().await;
    server.create_account().await;
    let alice = server.create_user("alice").await;
    // A catalogued action in place of the issue's, since only those can be listed.
    let document = super::POLICY.replace("RemoveUser", "DeleteIdentifier");
    let policy = server.create_policy("ops", &document).await;
    server.attach(policy, alice).await;
    (server, alice)
}

#[tokio::test]
async fn explain_says_what_every_statement_did() {
    let (mut server, alice) = prepare().await;
    let check = Some(question(alice, "im:DeleteIdentifier", &app(APPS[1])));
    let answer = server.authz.explain(pb::ExplainRequest { check }).await.unwrap().into_inner();
    assert_eq!(answer.decision.unwrap().reason(), pb::Reason::ExplicitDeny);
    let own: Vec<_> = answer.traces[0]
        .statements
        .iter()
        .filter(|it| it.policy_name == "ops")
        .map(|it| (it.statement, it.result(), it.via.as_str()))
        .collect();
    let matched = pb::StatementResult::Matched;
    assert_eq!(own, [(0, matched, "direct"), (1, matched, "direct")]);
    assert!(answer.summary[0].starts_with("DENY"), "{:?}", answer.summary);
    server.stop().await;
}

// rules D-09, D-10
#[tokio::test]
async fn simulate_decides_with_policies_that_are_not_stored() {
    let (mut server, alice) = prepare().await;
    let document = r#"{"version":"2.0","statement":[{"effect":"allow","action":"im:SendMsg","resource":"*"}]}"#;
    let inline = || pb::InlinePolicy { name: "what if".into(), document: document.to_owned() };
    let ask = |action: &str| Some(question(alice, action, &app(APPS[0])));
    let request = pb::SimulateRequest {
        check: ask("im:SendMsg"),
        policies: vec![inline()],
        ..Default::default()
    };
    let answer = server.authz.simulate(request.clone()).await.unwrap().into_inner();
    let decision = answer.decision.unwrap();
    assert_eq!(decision.outcome(), pb::Outcome::Allow);
    assert_eq!(decision.determining[0].policy_name, "what if");
    assert_eq!(answer.stored.unwrap().outcome(), pb::Outcome::Deny);
    let capped = |boundary, session_policies| pb::SimulateRequest {
        check: Some(question(alice, "im:DescribeConfInfo", &app(APPS[1]))),
        boundary,
        session_policies,
        ..Default::default()
    };
    for (request, layer) in [
        (capped(Some(inline()), vec![]), pb::Layer::Boundary),
        (capped(None, vec![inline()]), pb::Layer::Session),
    ] {
        let answer = server.authz.simulate(request).await.unwrap().into_inner();
        assert_eq!(answer.decision.unwrap().layer(), layer);
        assert_eq!(answer.stored.unwrap().outcome(), pb::Outcome::Allow);
    }
    let replaced = pb::SimulateRequest {
        check: Some(question(alice, "im:DescribeConfInfo", &app(APPS[1]))),
        replace_policies: true,
        ..Default::default()
    };
    let answer = server.authz.simulate(replaced).await.unwrap().into_inner();
    assert_eq!(answer.decision.unwrap().outcome(), pb::Outcome::Deny);
    // Nothing of it was stored.
    assert_eq!(server.outcome(alice, "im:SendMsg", &app(APPS[0])).await, pb::Outcome::Deny);
    let bad = pb::InlinePolicy { name: "bad".into(), document: "[]".to_owned() };
    let request = pb::SimulateRequest { policies: vec![bad], ..request };
    let status = server.authz.simulate(request).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    server.stop().await;
}

// Everything listed is what Check allows, page by page.
#[tokio::test]
async fn searches_find_exactly_what_check_allows() {
    let (mut server, alice) = prepare().await;
    let principal = question(alice, "", "").principal;
    let search = pb::ListResourcesRequest {
        principal: principal.clone(),
        action: "im:DeleteIdentifier".to_owned(),
        ..Default::default()
    };
    let found = server.authz.list_resources(search).await.unwrap().into_inner();
    assert_eq!(found.resources, [app(APPS[2])]);

    let mut actions = BTreeSet::new();
    let mut page_token = String::new();
    loop {
        let search = pb::ListActionsRequest {
            principal: principal.clone(),
            resource: app(APPS[1]),
            service: "im".to_owned(),
            page: Some(pb::PageRequest { page_size: 50, page_token }),
            ..Default::default()
        };
        let found = server.authz.list_actions(search).await.unwrap().into_inner();
        actions.extend(found.actions);
        page_token = found.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert!(actions.len() > 100, "{} actions", actions.len());
    assert!(!actions.contains("im:DeleteIdentifier"));
    assert!(actions.iter().all(|action| action.starts_with("im:")));
    for action in actions.iter().step_by(23) {
        assert_eq!(server.outcome(alice, action, &app(APPS[1])).await, pb::Outcome::Allow);
    }

    let search = pb::ListPrincipalsRequest {
        owner_uin: ROOT,
        action: "im:SendMsg".to_owned(),
        resource: app(APPS[1]),
        ..Default::default()
    };
    let found = server.authz.list_principals(search.clone()).await.unwrap().into_inner();
    assert_eq!(found.uins, [ROOT, alice]);
    let search = pb::ListPrincipalsRequest { owner_uin: 4_711, ..search };
    let status = server.authz.list_principals(search).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::NotFound);
    server.stop().await;
}
