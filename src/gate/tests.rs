//! The gate's reading: what is mapped to what, and what is refused with which code.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::*;
use crate::catalog::Catalog;
use crate::lang::condition::Facts as _;

const TC3: &str = "TC3-HMAC-SHA256 Credential=AKID0123456789abcdef/2026-01-01/im/tc3_request, \
     SignedHeaders=content-type;host, \
     Signature=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> HttpRequest {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    HttpRequest {
        method: method.into(),
        path: path.into(),
        query: query.into(),
        headers: headers.iter().map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec())).collect(),
        body: Body::Whole(body.as_bytes().to_vec()),
        client: IpAddr::from([203, 0, 113, 7]),
        trusts_identity: false,
    }
}

/// A signed POST with a JSON body.
fn call(action: &str, body: &str) -> HttpRequest {
    let headers =
        [("authorization", TC3), ("content-type", "application/json"), ("x-tc-action", action)];
    request("POST", "/", &headers, body)
}

fn with(mut request: HttpRequest, name: &str, value: &str) -> HttpRequest {
    request.headers.push((name.into(), value.as_bytes().to_vec()));
    request
}

fn mapped(request: &HttpRequest) -> Result<Mapped, Refusal> {
    map(&GateSettings::default(), Catalog::builtin(), request, &Named::default())
}

fn code(request: &HttpRequest) -> &'static str {
    mapped(request).map_or_else(|refusal| refusal.code(), |_| "OK")
}

fn apps(request: &HttpRequest) -> Vec<u64> {
    mapped(request).unwrap().apps.into_iter().collect()
}

fn names(request: &HttpRequest) -> Vec<String> {
    let mapped = mapped(request).unwrap();
    let names = mapped.resources(Catalog::builtin(), 12_345_678).unwrap();
    names.iter().map(|it| it.text().to_owned()).collect()
}

#[test]
fn a_signed_call_is_its_action_on_its_app() {
    let mapped = mapped(&call("DescribeConfInfo", r#"{"SdkAppId": 1400000001}"#)).unwrap();
    assert_eq!(mapped.proof, Proof::Signed { service: "im".into() });
    assert_eq!(mapped.action.to_string(), "im:DescribeConfInfo");
    assert_eq!(mapped.apps, BTreeSet::from([1_400_000_001]));
    let names = mapped.resources(Catalog::builtin(), 12_345_678).unwrap();
    assert_eq!(names.len(), 1);
    assert_eq!(names[0].text(), "qcs::im::uin/12345678:sdkappid/1400000001");
    let ip = mapped.context.values("qcs:ip").unwrap();
    assert_eq!(ip[0].to_string(), "203.0.113.7");
    assert!(!mapped.applies_filter);
}

#[test]
fn an_app_is_found_under_any_spelling_and_at_any_depth() {
    for body in [
        r#"{"SdkAppId": 7}"#,
        r#"{"SdkAppid": "7"}"#,
        r#"{"SDKAppID": 7}"#,
        r#"{"sdkappid": 7}"#,
        r#"{"sdk_app_id": 7}"#,
        r#"{"Sdk-App-Id": 7}"#,
        r#"{"IMSdkAppId": 7}"#,
        r#"{"SdkAppIds": [7]}"#,
        r#"{"SdkAppIdList": ["7"]}"#,
        r#"{"名称": "即时通信", "App": {"SdkAppId": 7}}"#,
        r#"{"Apps": [{"Name": "a"}, {"SdkAppId": 7}]}"#,
    ] {
        assert_eq!(apps(&call("DescribeConfInfo", body)), [7], "{body}");
    }
    let two = r#"{"SdkAppId": 7, "Move": {"ToSdkAppId": 9, "sdkAppId": 8}}"#;
    assert_eq!(apps(&call("DescribeConfInfo", two)), [7, 8]);
    let query = request(
        "GET",
        "/?SdkAppIds.0=7&SdkAppIds.1=8",
        &[("authorization", TC3), ("x-tc-action", "DescribeConfInfo")],
        "",
    );
    assert_eq!(
        names(&query),
        ["qcs::im::uin/12345678:sdkappid/7", "qcs::im::uin/12345678:sdkappid/8"]
    );
}

#[test]
fn body_and_query_both_count() {
    let mut both = call("DescribeConfInfo", r#"{"SdkAppId": 7}"#);
    both.query = "SdkAppId=8".into();
    assert_eq!(apps(&both), [7, 8]);
}

#[test]
fn granularity_says_what_is_asked_about() {
    assert_eq!(names(&call("CheckIfIMNewUser", "{}")), ["*"]);
    assert_eq!(names(&call("DescribeIMAppList", "{}")), [""]);
    let region = with(call("DescribeApiFrequency", r#"{"SdkAppId":7}"#), "x-tc-region", "ap-gz");
    assert_eq!(names(&region), ["qcs::im:ap-gz:uin/12345678:sdkappid/7"]);
    // The app counts also where the action is about none.
    assert_eq!(apps(&call("CheckIfIMNewUser", r#"{"SdkAppId": 9}"#)), [9]);
}

#[test]
fn a_call_that_can_be_read_in_two_ways_is_refused() {
    let ok = || call("DescribeConfInfo", r#"{"SdkAppId": 7}"#);
    assert_eq!(code(&ok()), "OK");
    for (request, expected) in [
        (call("DescribeConfInfo", r#"{"SdkAppId": 7, "SdkAppId": 8}"#), "InvalidParameter"),
        (call("DescribeConfInfo", r#"{"a": {"x": 1, "x": 2}, "SdkAppId": 7}"#), "InvalidParameter"),
        (call("DescribeConfInfo", r#"[{"SdkAppId": 7}]"#), "InvalidParameter"),
        (call("DescribeConfInfo", r#"{"SdkAppId": 7"#), "InvalidParameter"),
        (call("DescribeConfInfo", "{}"), "MissingParameter"),
        (call("DescribeConfInfo", ""), "MissingParameter"),
        (call("DescribeConfInfo", r#"{"SdkAppId": null}"#), "MissingParameter"),
        (call("DescribeConfInfo", r#"{"SdkAppIds": []}"#), "MissingParameter"),
        (call("DescribeConfInfo", r#"{"SdkAppId": 7.0}"#), "InvalidParameterValue"),
        (call("DescribeConfInfo", r#"{"SdkAppId": -7}"#), "InvalidParameterValue"),
        (call("DescribeConfInfo", r#"{"SdkAppId": 0}"#), "InvalidParameterValue"),
        (call("DescribeConfInfo", r#"{"SdkAppId": "07"}"#), "InvalidParameterValue"),
        (call("DescribeConfInfo", r#"{"SdkAppId": "*"}"#), "InvalidParameterValue"),
        (call("DescribeConfInfo", r#"{"SdkAppId": true}"#), "InvalidParameterValue"),
        (call("DescribeConfInfo", r#"{"SdkAppId": {"a": 7}}"#), "InvalidParameterValue"),
        (call("DescribeConfInfo", r#"{"SdkAppIds": [7, [8]]}"#), "InvalidParameterValue"),
        (call("describeConfInfo", r#"{"SdkAppId": 7}"#), "InvalidAction"),
        (call("NoSuchAction", r#"{"SdkAppId": 7}"#), "InvalidAction"),
        (call("Describe*", r#"{"SdkAppId": 7}"#), "InvalidAction"),
        (
            call("DescribeConfInfo", r#"{"SdkAppId": 7, "Action": "RemoveUser"}"#),
            "InvalidParameter",
        ),
        (with(ok(), "x-tc-action", "RemoveUser"), "InvalidRequest"),
        (with(ok(), "x_tc_action", "RemoveUser"), "InvalidRequest"),
        (with(ok(), "x_camgate_uin", "1"), "InvalidRequest"),
        (with(ok(), "authorization", TC3), "InvalidRequest"),
        (with(ok(), "content-encoding", "gzip"), "InvalidRequest"),
        (with(ok(), "content-type", "application/json"), "InvalidRequest"),
        (with(ok(), "x-http-method-override", "DELETE"), "InvalidRequest"),
        (with(ok(), "x-original-url", "/admin"), "InvalidRequest"),
        (with(ok(), "x-tc-content-sha256", "UNSIGNED-PAYLOAD"), "AuthFailure.InvalidAuthorization"),
        (with(ok(), "cookie", "camgate_session=x"), "AuthFailure.InvalidAuthorization"),
        (HttpRequest { body: Body::Absent, ..ok() }, "InvalidRequest"),
        (HttpRequest { body: Body::Partial, ..ok() }, "InvalidRequest"),
        (HttpRequest { path: "/x".into(), ..ok() }, "InvalidRequest"),
        (HttpRequest { path: "//".into(), ..ok() }, "InvalidRequest"),
        (HttpRequest { method: "PUT".into(), ..ok() }, "UnsupportedProtocol"),
        (HttpRequest { method: "GET".into(), ..ok() }, "InvalidRequest"),
        (HttpRequest { query: "Action=RemoveUser".into(), ..ok() }, "InvalidParameter"),
        (HttpRequest { query: "SdkAppId=8&SdkAppId=9".into(), ..ok() }, "InvalidParameter"),
        (HttpRequest { headers: Vec::new(), ..ok() }, "AuthFailure.InvalidAuthorization"),
    ] {
        assert_eq!(code(&request), expected, "{:?} {:?}", request.headers, request.body);
    }
    let text = |kind: &str| {
        let mut request = ok();
        request.headers.retain(|(name, _)| name != "content-type");
        with(request, "content-type", kind)
    };
    assert_eq!(code(&text("application/json; charset=utf-8")), "OK");
    for kind in ["text/plain", "application/json; charset=utf-7", "multipart/form-data"] {
        assert_eq!(code(&text(kind)), "InvalidRequest", "{kind}");
    }
}

#[test]
fn too_much_is_refused_with_the_limit() {
    let many: Vec<u64> = (1..=101).collect();
    let refusal = mapped(&call("DescribeConfInfo", &format!("{{\"SdkAppIds\": {many:?}}}")));
    let text = refusal.unwrap_err().to_string();
    assert!(text.contains("101 resources") && text.contains("at most 100"), "{text}");
    let long = format!("{{\"SdkAppId\": 7, \"a\": \"{}\"}}", "x".repeat(BODY_BYTES_MAX));
    let refusal = mapped(&call("DescribeConfInfo", &long)).unwrap_err();
    assert_eq!(refusal.code(), "RequestSizeLimitExceeded");
    assert!(refusal.to_string().contains("1048576"), "{refusal}");
    let deep = format!("{}{}", r#"{"a":"#.repeat(100), r#"{"SdkAppId":7}"#) + &"}".repeat(100);
    assert_eq!(code(&call("DescribeConfInfo", &deep)), "RequestSizeLimitExceeded");
}

#[test]
fn the_service_of_a_signature_must_be_served() {
    let settings = GateSettings { services: vec!["trtc".into()], ..GateSettings::default() };
    let request = call("DescribeConfInfo", r#"{"SdkAppId": 7}"#);
    let refusal = map(&settings, Catalog::builtin(), &request, &Named::default()).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "the service `im` is not behind this gate, which serves `trtc`"
    );
}

#[test]
fn only_a_trusted_proxy_names_the_caller() {
    let settings = GateSettings {
        trusted_identity_header: Some("x-auth-uin".into()),
        ..GateSettings::default()
    };
    let named = |value: &str, trusts_identity: bool| {
        let headers = [("x-auth-uin", value), ("x-tc-action", "CheckIfIMNewUser")];
        let request = HttpRequest { trusts_identity, ..request("GET", "/", &headers, "") };
        map(&settings, Catalog::builtin(), &request, &Named::default()).map(|it| it.proof)
    };
    assert_eq!(named("100001", true), Ok(Proof::Trusted { uin: 100_001, owner_uin: None }));
    let owned = Proof::Trusted { uin: 100_001, owner_uin: Some(12_345_678) };
    assert_eq!(named("12345678/100001", true), Ok(owned));
    for (value, trusts_identity) in [
        ("100001", false),
        ("", true),
        ("0", true),
        ("1/2/3", true),
        ("alice", true),
        ("1,2", true),
    ] {
        let code = named(value, trusts_identity).unwrap_err().code();
        assert_eq!(code, "AuthFailure.UnauthorizedOperation", "{value}");
    }
    // Off, the header is any other header.
    let headers = [("x-auth-uin", "100001"), ("x-tc-action", "CheckIfIMNewUser")];
    let request = HttpRequest { trusts_identity: true, ..request("GET", "/", &headers, "") };
    assert_eq!(code(&request), "AuthFailure.InvalidAuthorization");
    // A look-alike is refused beside a signature too.
    let twin = with(call("CheckIfIMNewUser", "{}"), "x_auth_uin", "1");
    let refusal = map(&settings, Catalog::builtin(), &twin, &Named::default()).unwrap_err();
    assert_eq!(refusal, Refusal::ForgedIdentity { header: "x-auth-uin".into() });
}

#[test]
fn a_console_session_is_a_cookie_of_the_same_site() {
    let cookie = [("cookie", "a=b; camgate_session=t0ken"), ("x-tc-action", "CheckIfIMNewUser")];
    let get = request("GET", "/", &cookie, "");
    assert_eq!(mapped(&get).unwrap().proof, Proof::Session("t0ken".into()));
    let mut post = request("POST", "/", &cookie, "{}");
    post = with(post, "content-type", "application/json");
    assert_eq!(code(&post), "OK");
    assert_eq!(code(&with(post.clone(), "sec-fetch-site", "same-origin")), "OK");
    for site in ["cross-site", "same-site"] {
        let refusal = mapped(&with(post.clone(), "sec-fetch-site", site)).unwrap_err();
        assert_eq!(refusal, Refusal::CrossSite);
    }
    assert_eq!(code(&with(get, "cookie", "camgate_session=other")), "InvalidRequest");
}

fn routes(entries: &[(&str, &str, &str, Option<&str>)]) -> Result<RouteTable, RouteFault> {
    let raw: Vec<RawRoute> = entries
        .iter()
        .map(|(method, path, action, resource)| RawRoute {
            methods: vec![(*method).to_owned()],
            path: (*path).to_owned(),
            action: (*action).to_owned(),
            resource: resource.map(str::to_owned),
            applies_filter: None,
        })
        .collect();
    RouteTable::new(&raw)
}

#[test]
fn routes_map_paths_to_actions_and_resources() {
    let table = routes(&[
        ("GET", "/v1/apps", "im:DescribeIMAppList", None),
        ("GET", "/v1/apps/{sdkappid}", "im:DescribeConfInfo", None),
        ("PUT", "/v1/apps/{sdkappid}", "im:DeleteAccount", None),
        ("POST", "/todos/{owner}/{id}", "todo:Update", Some("qcs::todo:::todo/{owner}/{id}")),
        ("GET", "/", "im:CheckIfIMNewUser", None),
    ]);
    let settings = GateSettings { routes: table.unwrap(), ..GateSettings::default() };
    let ask = |method: &str, path: &str, body: Body| {
        let request = request(method, path, &[("cookie", "camgate_session=t")], "");
        let request = HttpRequest { body, ..request };
        map(&settings, Catalog::builtin(), &request, &Named::default())
    };
    let empty = || Body::Whole(Vec::new());
    for (method, path, action, names) in [
        ("GET", "/v1/apps", "im:DescribeIMAppList", vec![""]),
        ("GET", "/v1/apps/7", "im:DescribeConfInfo", vec!["qcs::im::uin/1:sdkappid/7"]),
        ("GET", "/", "im:CheckIfIMNewUser", vec!["*"]),
        ("POST", "/todos/alice/a%20b", "todo:Update", vec!["qcs::todo:::todo/alice/a b"]),
        ("POST", "/todos/%E5%BC%A0/1", "todo:Update", vec!["qcs::todo:::todo/张/1"]),
    ] {
        let mapped = ask(method, path, empty()).unwrap();
        assert_eq!(mapped.action.to_string(), action, "{path}");
        let found = mapped.resources(Catalog::builtin(), 1).unwrap();
        let found: Vec<&str> = found.iter().map(crate::engine::Resource::text).collect();
        assert_eq!(found, names, "{path}");
    }
    // A path that names the app does without the body; a body that is there counts too.
    assert_eq!(ask("PUT", "/v1/apps/7", Body::Absent).unwrap().apps, BTreeSet::from([7]));
    for (method, path, code) in [
        ("DELETE", "/v1/apps/7", "InvalidAction"),
        ("GET", "/v1/apps/", "InvalidAction"),
        ("GET", "/v1/apps/7/8", "InvalidAction"),
        ("GET", "/V1/apps/7", "InvalidAction"),
        ("GET", "/v1/apps/x", "InvalidParameterValue"),
        ("GET", "/v1//apps", "InvalidRequest"),
        ("GET", "/v1/./apps", "InvalidRequest"),
        ("GET", "/v1/x/../apps", "InvalidRequest"),
        ("GET", "/v1/apps/%2e%2e", "InvalidRequest"),
        ("GET", "/v1/apps/7%2F8", "InvalidRequest"),
        ("GET", "/v1/apps/%252e", "InvalidRequest"),
        ("GET", "/v1/apps/7;a=b", "InvalidRequest"),
        ("GET", "/v1\\apps", "InvalidRequest"),
        ("GET", "/v1/apps/%zz", "InvalidRequest"),
        ("GET", "/v1/apps/%ff", "InvalidRequest"),
        ("GET", "v1/apps", "InvalidRequest"),
        ("GET", "/v1/apps/%00", "InvalidRequest"),
    ] {
        let refusal = ask(method, path, empty()).unwrap_err();
        assert_eq!(refusal.code(), code, "{method} {path}: {refusal}");
    }
    let twice = request("GET", "/v1/apps", &[("cookie", "camgate_session=t")], "");
    let twice = with(twice, "x-tc-action", "CheckIfIMNewUser");
    let refusal = map(&settings, Catalog::builtin(), &twice, &Named::default()).unwrap_err();
    assert!(matches!(refusal, Refusal::TwoActions { .. }), "{refusal}");
}

#[test]
fn a_table_with_two_routes_for_one_request_is_refused() {
    let plain = ("GET", "/a/b", "im:DescribeConfInfo", None);
    for (other, expected) in [
        (("GET", "/a/b", "im:RemoveUser", None), "an earlier route"),
        (("GET", "/a/{x}", "im:RemoveUser", None), "an earlier route"),
        (("GET", "/{x}/{y}", "im:RemoveUser", None), "an earlier route"),
        (("GET", "a", "im:RemoveUser", None), "must begin with `/`"),
        (("GET", "/a/{}", "im:RemoveUser", None), "`{}` is neither"),
        (("GET", "/{x}/{x}", "im:RemoveUser", None), "comes twice"),
        (("get", "/c", "im:RemoveUser", None), "names in capitals"),
        (("GET", "/c", "im:*", None), "has a star"),
        (("GET", "/c/{x}", "im:X", Some("qcs::im:::t/{y}")), "no `{y}` in its path"),
        (("GET", "/c/{x}", "im:X", Some("qcs::{x}:::t/1")), "before the last segment"),
        (("GET", "/c/{x}", "im:X", Some("t/{x}")), "before the last segment"),
    ] {
        let text = routes(&[plain, other]).unwrap_err().to_string();
        assert!(text.contains(expected), "{text}");
    }
    assert!(routes(&[plain, ("POST", "/a/b", "im:RemoveUser", None)]).is_ok());
}

#[test]
fn what_the_proxys_route_says_counts_and_nothing_beside_it() {
    let named = Named {
        action: Some("im:DescribeConfInfo".into()),
        resource: Some("qcs::im:::sdkappid/7".into()),
        ..Named::default()
    };
    let settings = GateSettings::default();
    let plain = request("POST", "/any/where", &[("cookie", "camgate_session=t")], "");
    let plain = HttpRequest { body: Body::Absent, ..plain };
    let mapped = map(&settings, Catalog::builtin(), &plain, &named).unwrap();
    assert_eq!(mapped.apps, BTreeSet::from([7]));
    let both = with(plain.clone(), "x-tc-action", "RemoveUser");
    assert!(matches!(
        map(&settings, Catalog::builtin(), &both, &named),
        Err(Refusal::TwoActions { .. })
    ));
    let wrong = Named { action: Some("im:describeConfInfo".into()), ..named.clone() };
    let refusal = map(&settings, Catalog::builtin(), &plain, &wrong).unwrap_err();
    assert!(matches!(refusal, Refusal::CaseTwin { .. }), "{refusal}");
    let unknown = Named { action: Some("im:Own".into()), resource: None, ..named };
    let refusal = map(&settings, Catalog::builtin(), &plain, &unknown).unwrap_err();
    assert_eq!(refusal.code(), "InvalidAction");
}
