//! Envoy's external authorization over gRPC.

use super::*;

#[tokio::test]
async fn an_allowed_call_goes_on_as_its_caller() {
    let mut gated = Gated::plain().await;
    let told = gated.call("DescribeConfInfo", json!({"SdkAppId": APPS[1]})).await;
    assert!(told.is_allowed(), "{told:?}");
    assert_eq!(told.set["x-camgate-uin"], gated.alice_uin.to_string());
    assert_eq!(told.set["x-camgate-owner-uin"], ROOT.to_string());
    assert_eq!(told.set["x-camgate-decision-id"], told.metadata["decision_id"]);
    assert!(told.removed.contains(&"x-camgate-filter".to_owned()), "{told:?}");
    assert_eq!(told.metadata["outcome"], "ALLOW");
    assert_eq!(told.metadata["cache_ms"], 1000.0);
    assert_eq!(told.metadata["action"], "im:DescribeConfInfo");
    assert!(told.metadata["revision"].as_str().is_some_and(|it| !it.is_empty()));
    // What a client sends under these names is taken off or written over.
    let mut outgoing = gated.alice.post(IM, "DescribeConfInfo", &json!({"SdkAppId": APPS[1]}));
    outgoing.headers.push(("X-Camgate-Uin".into(), ROOT.to_string()));
    let told = gated.envoy(seen(&outgoing)).await;
    assert_eq!(told.set["x-camgate-uin"], gated.alice_uin.to_string());
}

#[tokio::test]
async fn a_denied_call_is_answered_in_the_apis_envelope() {
    let mut gated = Gated::plain().await;
    let told = gated.call("DescribeConfInfo", json!({"SdkAppId": APPS[0]})).await;
    assert_eq!(told.api_code(), "AuthFailure.UnauthorizedOperation");
    assert_eq!(told.grpc, 7);
    let error = &told.body["Response"]["Error"];
    let message = error["Message"].as_str().unwrap();
    assert!(message.contains("perform operation (im:DescribeConfInfo)"), "{message}");
    assert!(message.contains(&format!("resource ({}) has no", name(APPS[0]))), "{message}");
    assert_eq!(error["Decision"]["Reason"], "implicit_deny");
    assert_eq!(told.metadata["reason"], "implicit_deny");
    let told = gated.call("DeleteAccount", json!({"SdkAppId": APPS[1]})).await;
    assert_eq!(told.body["Response"]["Error"]["Decision"]["Statements"][0]["Statement"], 1);
    // All apps of a call must be allowed.
    let both = json!({"SdkAppIds": [APPS[2], APPS[1]]});
    assert!(gated.call("DescribeConfInfo", both.clone()).await.is_allowed());
    let told = gated.call("DeleteAccount", both).await;
    assert_eq!(told.api_code(), "AuthFailure.UnauthorizedOperation");
}

#[tokio::test]
async fn an_app_outside_the_account_is_refused_whatever_the_policies_say() {
    let mut gated = Gated::plain().await;
    gated.alice = gated.server.root.clone();
    assert!(gated.call("DescribeConfInfo", json!({"SdkAppId": APPS[0]})).await.is_allowed());
    let foreign = gated.call("DescribeConfInfo", json!({"SdkAppId": FOREIGN})).await;
    let unknown = gated.call("DescribeConfInfo", json!({"SdkAppId": 1_400_000_777})).await;
    for (told, id) in [(foreign, FOREIGN), (unknown, 1_400_000_777)] {
        assert_eq!(told.api_code(), "AuthFailure.UnauthorizedOperation");
        // The words tell nothing about who else has it.
        let message = told.body["Response"]["Error"]["Message"].as_str().unwrap();
        assert_eq!(message, format!("the app {id} is not registered in your account"));
    }
    // Also beside an own one, and where the action is about none.
    let both = gated.call("DescribeConfInfo", json!({"SdkAppIds": [APPS[0], FOREIGN]})).await;
    assert_eq!(both.api_code(), "AuthFailure.UnauthorizedOperation");
    let none = gated.call("CheckIfIMNewUser", json!({"SdkAppId": FOREIGN})).await;
    assert_eq!(none.api_code(), "AuthFailure.UnauthorizedOperation");
    // The other root is let to its own.
    let credential = gated.foreign().await;
    gated.alice.credential = credential;
    assert!(gated.call("DescribeConfInfo", json!({"SdkAppId": FOREIGN})).await.is_allowed());
}

#[tokio::test]
async fn what_was_changed_on_the_way_is_refused() {
    let mut gated = Gated::plain().await;
    let good = gated.alice.post(IM, "DescribeConfInfo", &json!({"SdkAppId": APPS[1]}));
    assert!(gated.envoy(seen(&good)).await.is_allowed());
    let mut spoilt: Vec<(&str, CheckRequest)> = Vec::new();
    let mut tampered = good.clone();
    tampered.body = json!({"SdkAppId": APPS[2]}).to_string().into_bytes();
    spoilt.push(("AuthFailure.SignatureFailure", seen(&tampered)));
    let mut old = good.clone();
    gated.alice.sign(&mut old, "im", jiff::Timestamp::now().as_second() - 400);
    spoilt.push(("AuthFailure.SignatureExpire", seen(&old)));
    let mut other = good.clone();
    gated.alice.sign(&mut other, "cvm", jiff::Timestamp::now().as_second());
    spoilt.push(("InvalidAction", seen(&other)));
    let mut unsigned = good.clone();
    unsigned.headers.retain(|(name, _)| name != "Authorization");
    spoilt.push(("AuthFailure.InvalidAuthorization", seen(&unsigned)));
    let mut garbled = good.clone();
    garbled.headers.retain(|(name, _)| name != "Authorization");
    garbled.headers.push(("Authorization".into(), "TC3-HMAC-SHA256 nonsense".into()));
    spoilt.push(("AuthFailure.InvalidAuthorization", seen(&garbled)));
    let mut partial = seen(&good);
    http(&mut partial).raw_body.truncate(5);
    http(&mut partial).headers.insert("x-envoy-auth-partial-body".into(), "true".into());
    spoilt.push(("InvalidRequest", partial.clone()));
    // A client's word that the body is whole proves nothing.
    http(&mut partial).headers.insert("x-envoy-auth-partial-body".into(), "false".into());
    spoilt.push(("InvalidRequest", partial));
    // Of a body in chunks, the beginning that fills Envoy's buffer looks like all of it.
    let mut unstated = seen(&good);
    http(&mut unstated).headers.remove("content-length");
    http(&mut unstated).protocol = "HTTP/2".into();
    spoilt.push(("InvalidRequest", unstated.clone()));
    http(&mut unstated).headers.insert("transfer-encoding".into(), "chunked".into());
    http(&mut unstated).protocol = "HTTP/1.1".into();
    spoilt.push(("InvalidRequest", unstated));
    let mut without = seen(&good);
    http(&mut without).raw_body.clear();
    spoilt.push(("InvalidRequest", without.clone()));
    http(&mut without).headers.remove("content-length");
    http(&mut without).headers.insert("transfer-encoding".into(), "chunked".into());
    spoilt.push(("InvalidRequest", without.clone()));
    http(&mut without).headers.remove("transfer-encoding");
    http(&mut without).protocol = "HTTP/2".into();
    spoilt.push(("InvalidRequest", without));
    for (code, request) in spoilt {
        let told = gated.envoy(request.clone()).await;
        assert_eq!(told.api_code(), code, "{request:?}");
        assert_eq!(told.metadata["cache_ms"], 0.0);
    }
}

#[tokio::test]
async fn a_signature_counts_once_where_replays_are_refused() {
    let node = NodeSettings { refuse_replays: true, ..NodeSettings::default() };
    let mut gated = Gated::start(GateSettings::default(), node).await;
    let outgoing = gated.alice.post(IM, "DescribeConfInfo", &json!({"SdkAppId": APPS[1]}));
    let first = gated.envoy(seen(&outgoing)).await;
    assert!(first.is_allowed());
    assert_eq!(first.metadata["cache_ms"], 0.0);
    let again = gated.envoy(seen(&outgoing)).await;
    assert_eq!(again.api_code(), "AuthFailure.SignatureFailure");
}

#[tokio::test]
async fn a_temporary_credential_passes_until_it_ends() {
    let mut gated = Gated::plain().await;
    let sts = json!({"DurationSeconds": 900, "Name": "temp", "Policy": json!({
        "version": "2.0",
        "statement": [{"effect": "allow", "action": "im:Describe*", "resource": "*"}],
    }).to_string()});
    let outgoing = gated.server.root.post(crate::cam::client::STS, "GetFederationToken", &sts);
    let answer = gated.server.root.send(&outgoing).await.response();
    let text = |name: &str| answer["Credentials"][name].as_str().unwrap().to_owned();
    gated.alice.credential = Credential {
        id: text("TmpSecretId"),
        secret: text("TmpSecretKey"),
        token: Some(text("Token")),
    };
    let told = gated.call("DescribeConfInfo", json!({"SdkAppId": APPS[0]})).await;
    assert!(told.is_allowed(), "{told:?}");
    assert_eq!(told.set["x-camgate-uin"], ROOT.to_string());
    let told = gated.call("DeleteAccount", json!({"SdkAppId": APPS[0]})).await;
    assert_eq!(told.api_code(), "AuthFailure.UnauthorizedOperation");
}

#[tokio::test]
async fn a_list_goes_on_with_its_filter_where_filters_are_applied() {
    let mut gated = Gated::plain().await;
    let told = gated.call("DescribeIMAppList", json!({})).await;
    assert_eq!(told.api_code(), "AuthFailure.UnauthorizedOperation");
    assert_eq!(told.metadata["reason"], "filter_unsupported");
    let outgoing = gated.alice.post(IM, "DescribeIMAppList", &json!({}));
    let told = gated.envoy(extend(seen(&outgoing), "applies_filter", "true")).await;
    assert_eq!(told.set["x-camgate-filter"], format!("sdkappid:{},{}", APPS[1], APPS[2]));
    // A list that names an app may name only what may be seen.
    let outgoing = gated.alice.post(IM, "DescribeIMAppList", &json!({"SdkAppId": APPS[0]}));
    let told = gated.envoy(extend(seen(&outgoing), "applies_filter", "true")).await;
    assert_eq!(told.api_code(), "AuthFailure.UnauthorizedOperation");
    // Who may see all is let through either way.
    gated.alice = gated.server.root.clone();
    let told = gated.call("DescribeIMAppList", json!({})).await;
    assert_eq!(told.set["x-camgate-filter"], "all");
}

#[tokio::test]
async fn a_route_names_action_and_resource_and_only_a_trusted_proxy_the_caller() {
    let gate = GateSettings {
        trusted_identity_header: Some("x-auth-uin".into()),
        trusted_proxies: vec!["203.0.113.0/24".parse().unwrap()],
        ..GateSettings::default()
    };
    let mut gated = Gated::start(gate, NodeSettings::default()).await;
    let uin = gated.alice_uin.to_string();
    let outgoing = Outgoing {
        method: "POST".into(),
        target: "/v1/settings?x=1".into(),
        headers: vec![("Host".into(), "im.example".into()), ("X-Auth-Uin".into(), uin)],
        body: b"not json".to_vec(),
    };
    let route = |resource: u64| {
        let request = extend(seen(&outgoing), "action", "im:DescribeConfInfo");
        extend(request, "resource", &format!("qcs::im:::sdkappid/{resource}"))
    };
    assert!(gated.envoy(route(APPS[1])).await.is_allowed());
    let told = gated.envoy(route(APPS[0])).await;
    assert_eq!((told.grpc, told.status), (7, 403));
    assert_eq!(told.body["Error"]["Code"], "AuthFailure.UnauthorizedOperation");
    assert_eq!(gated.envoy(route(FOREIGN)).await.status, 403);
    // From elsewhere the header is forged, unless the route's configuration says who set it.
    let elsewhere = |mut request: CheckRequest| {
        let source = request.attributes.as_mut().unwrap().source.as_mut().unwrap();
        let address = SocketAddress { address: "198.51.100.1".into(), port_specifier: None };
        source.address = Some(Address { address: Some(Which::SocketAddress(address)) });
        request
    };
    let told = gated.envoy(elsewhere(route(APPS[1]))).await;
    assert_eq!((told.grpc, told.status), (7, 403));
    let said = extend(elsewhere(route(APPS[1])), "identity_header", "trusted");
    assert!(gated.envoy(said).await.is_allowed());
    // Nobody at all is 401; a misspelt extension and a missing address are refused.
    let mut nobody = route(APPS[1]);
    http(&mut nobody).headers.remove("x-auth-uin");
    let told = gated.envoy(nobody).await;
    assert_eq!((told.grpc, told.status), (16, 401));
    assert_eq!(gated.envoy(extend(route(APPS[1]), "resorce", "*")).await.status, 403);
    let mut nowhere = route(APPS[1]);
    nowhere.attributes.as_mut().unwrap().source = None;
    assert_eq!(gated.envoy(nowhere).await.status, 403);
    assert_eq!(gated.envoy(CheckRequest { attributes: None }).await.status, 403);
    // Somebody whom nobody knows.
    let mut stranger = route(APPS[1]);
    http(&mut stranger).headers.insert("x-auth-uin".into(), "42".into());
    assert_eq!(gated.envoy(stranger).await.status, 403);
}

#[tokio::test]
async fn conditions_see_the_address_that_envoy_saw() {
    let mut gated = Gated::plain().await;
    let policy = json!({"version": "2.0", "statement": [{
        "effect": "deny", "action": "im:*", "resource": "*",
        "condition": {"ip_equal": {"qcs:ip": "203.0.113.0/24"}},
    }]});
    let made = json!({"PolicyName": "ip", "PolicyDocument": policy.to_string()});
    let made = gated.server.root.call("CreatePolicy", made).await;
    let attach = json!({"PolicyId": made["PolicyId"], "AttachUin": gated.alice_uin});
    gated.server.root.call("AttachUserPolicy", attach).await;
    let mut outgoing = gated.alice.post(IM, "DescribeConfInfo", &json!({"SdkAppId": APPS[1]}));
    outgoing.headers.push(("X-Forwarded-For".into(), "198.51.100.1".into()));
    let told = gated.envoy(seen(&outgoing)).await;
    assert_eq!(told.metadata["reason"], "explicit_deny");
}
