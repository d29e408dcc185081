//! `/gate/v1/forward-auth` over HTTP.

use super::*;
use crate::cam::client::Incoming;

const PATH: &str = "/gate/v1/forward-auth";

/// What a proxy asks about a request of a client: all headers of the client, and its own.
fn asked(outgoing: &Outgoing, own: &[(&str, &str)]) -> Outgoing {
    let mut headers = outgoing.headers.clone();
    headers.extend(own.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Outgoing { method: "GET".into(), target: PATH.into(), headers, body: Vec::new() }
}

async fn ask(gated: &Gated, outgoing: &Outgoing, own: &[(&str, &str)]) -> Incoming {
    gated.server.root.send(&asked(outgoing, own)).await
}

fn signed_get(gated: &Gated, app: u64) -> (Outgoing, String) {
    let outgoing = gated.alice.get(IM, "DescribeConfInfo", &format!("SdkAppId={app}"));
    let target = outgoing.target.clone();
    (outgoing, target)
}

#[tokio::test]
async fn a_signed_get_passes_with_the_identity_headers() {
    let gated = Gated::plain().await;
    let (outgoing, uri) = signed_get(&gated, APPS[1]);
    let nginx = [
        ("X-Original-URI", uri.as_str()),
        ("X-Original-Method", "GET"),
        ("X-Forwarded-For", "203.0.113.7"),
    ];
    let answer = ask(&gated, &outgoing, &nginx).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("x-camgate-uin").unwrap(), gated.alice_uin.to_string());
    assert_eq!(answer.header("x-camgate-owner-uin").unwrap(), ROOT.to_string());
    assert!(answer.header("x-camgate-decision-id").is_some_and(|id| !id.is_empty()));
    let traefik = [
        ("X-Forwarded-Uri", uri.as_str()),
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-For", "203.0.113.7"),
    ];
    assert_eq!(ask(&gated, &outgoing, &traefik).await.status, 200);
    let (outgoing, uri) = signed_get(&gated, APPS[0]);
    let nginx = [
        ("X-Original-URI", uri.as_str()),
        ("X-Original-Method", "GET"),
        ("X-Forwarded-For", "203.0.113.7"),
    ];
    let answer = ask(&gated, &outgoing, &nginx).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert!(answer.body.contains("AuthFailure.UnauthorizedOperation"), "{answer:?}");
    assert_eq!(answer.header("x-camgate-uin"), None);
}

#[tokio::test]
async fn what_the_proxy_leaves_out_or_a_client_adds_is_refused() {
    let gated = Gated::plain().await;
    let (outgoing, uri) = signed_get(&gated, APPS[1]);
    let (uri, from) = (uri.as_str(), ("X-Forwarded-For", "203.0.113.7"));
    let whole = [("X-Original-URI", uri), ("X-Original-Method", "GET"), from];
    assert_eq!(ask(&gated, &outgoing, &whole).await.status, 200);
    let with = |more: (&'static str, &'static str)| [whole.as_slice(), &[more]].concat();
    let without = |at: usize| {
        let mut some = whole.to_vec();
        some.remove(at);
        some
    };
    for (own, status) in [
        (without(0), 403),
        (without(1), 403),
        (without(2), 403),
        (
            vec![("X-Original-URI", uri), ("X-Original-Method", "GET"), ("X-Forwarded-For", "a")],
            403,
        ),
        (vec![("X-Original-URI", uri), ("X-Original-Method", "POST"), from], 403),
        (
            vec![("X-Original-URI", "/?SdkAppId=1400000002"), ("X-Original-Method", "GET"), from],
            401,
        ),
        (with(("X-Forwarded-Uri", "/other")), 403),
        (with(("X-Forwarded-Method", "POST")), 403),
        (with(("X-Original-URI", "/again")), 403),
        (with(("X-Camgate-Action", "im:CheckIfIMNewUser")), 403),
        (with(("X-Camgate-Resource", "*")), 403),
        (with(("X-Original-URL", "/admin")), 403),
        (with(("Authorization", "Basic x")), 403),
    ] {
        let answer = ask(&gated, &outgoing, &own).await;
        assert_eq!(answer.status, status, "{own:?} {answer:?}");
        assert_eq!(answer.header("x-camgate-uin"), None);
    }
    let mut nobody = outgoing.clone();
    nobody.headers.retain(|(name, _)| name != "Authorization");
    assert_eq!(ask(&gated, &nobody, &whole).await.status, 401);
}

#[tokio::test]
async fn a_proxy_may_name_action_and_resource_where_the_settings_say_so() {
    let gate = GateSettings {
        action_headers: true,
        trusted_identity_header: Some("x-auth-uin".into()),
        trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()],
        ..GateSettings::default()
    };
    let gated = Gated::start(gate, NodeSettings::default()).await;
    let outgoing = Outgoing {
        method: "POST".into(),
        target: "/".into(),
        headers: vec![("Host".into(), "im.example".into())],
        body: Vec::new(),
    };
    let uin = gated.alice_uin.to_string();
    let base = [
        ("X-Original-URI", "/upload"),
        ("X-Original-Method", "POST"),
        ("X-Forwarded-For", "203.0.113.7, 127.0.0.1"),
        ("X-Auth-Uin", uin.as_str()),
    ];
    let own = |more: &[(&'static str, &'static str)]| [base.as_slice(), more].concat();
    let action = ("X-Camgate-Action", "im:DescribeConfInfo");
    for (more, status) in [
        (vec![action, ("X-Camgate-Resource", "qcs::im:::sdkappid/1400000001")], 200),
        (vec![action, ("X-Camgate-Resource", "qcs::im:::sdkappid/1400000000")], 403),
        (vec![action, ("X-Camgate-Resource", "qcs::im:::sdkappid/1400000009")], 403),
        (vec![action], 403),
        (vec![("X-Camgate-Resource", "*")], 403),
        (vec![], 403),
    ] {
        let answer = ask(&gated, &outgoing, &own(&more)).await;
        assert_eq!(answer.status, status, "{more:?} {answer:?}");
    }
}
