//! The facts of the wire that official clients depend on, and every refusal before an action.

use serde_json::json;

use super::client::{CAM, STS};
use super::{ApiSettings, CamServer};
use camgate::store::MemoryStore;

#[tokio::test]
async fn health_and_readiness_are_told_without_a_signature() {
    let server = CamServer::start().await;
    for (path, status, text) in
        [("/healthz", 200, "ok\n"), ("/readyz", 200, "ready\n"), ("/nothing", 404, "the API is")]
    {
        let mut request = server.root.get(CAM, "x", "");
        request.target = path.to_owned();
        let answer = server.root.send(&request).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.body.contains(text), "{path}: {answer:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_reply_is_json_without_a_charset_and_says_its_revision() {
    let server = CamServer::start().await;
    let answer = server.root.raw("CreateGroup", json!({"GroupName": "ops"})).await;
    assert_eq!(answer.response()["GroupId"], json!(1));
    let revision = answer.header("x-camgate-revision").unwrap();
    assert!(server.node.read_token(revision).unwrap().is_some());
    let read = server.root.raw("ListGroups", json!({})).await;
    assert!(read.header("x-camgate-revision").is_some());
    let refused = server.root.raw("CreateGroup", json!({"GroupName": "ops"})).await;
    assert_eq!(refused.code(), "InvalidParameter.GroupNameInUse");
    assert_eq!(refused.header("x-camgate-revision"), None);
    server.stop().await;
}

#[tokio::test]
async fn get_and_post_do_the_same() {
    let server = CamServer::start().await;
    let root = &server.root;
    root.call("CreateGroup", json!({"GroupName": "ops", "Remark": "值班 + 1"})).await;
    let posted = root.call("GetGroup", json!({"GroupId": "1"})).await;
    let got = root.send(&root.get(CAM, "GetGroup", "GroupId=1")).await.response();
    for field in ["GroupName", "Remark", "CreateTime", "UserInfo"] {
        assert_eq!(posted[field], got[field]);
    }
    assert_eq!(got["Remark"], "值班 + 1");
    let made = root.send(&root.get(CAM, "CreateGroup", "GroupName=dev&Remark=a+b%2B")).await;
    assert_eq!(made.response()["GroupId"], json!(2));
    assert_eq!(root.call("GetGroup", json!({"GroupId": 2})).await["Remark"], "a b+");
    server.stop().await;
}

#[tokio::test]
async fn hosts_are_signed_as_sent() {
    let server = CamServer::start().await;
    let root = &server.root;
    // What the official command line sends over plain HTTP.
    for host in [format!("http://{}", root.address), "cam.tencentcloudapi.com".to_owned()] {
        let mut request = root.post(CAM, "ListUsers", &json!({}));
        request.headers[0].1 = host;
        root.sign(&mut request, "cam", jiff::Timestamp::now().as_second());
        assert_eq!(root.send(&request).await.code(), "");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_request_has_its_official_code() {
    let server = CamServer::start().await;
    let root = &server.root;
    let now = jiff::Timestamp::now().as_second();
    let good = root.post(CAM, "ListUsers", &json!({}));
    let set = |name: &str, value: &str| {
        let mut request = good.clone();
        request.headers.retain(|(other, _)| other != name);
        if !value.is_empty() {
            request.headers.push((name.to_owned(), value.to_owned()));
        }
        request
    };
    let mut method = good.clone();
    method.method = "PUT".to_owned();
    let mut late = good.clone();
    root.sign(&mut late, "cam", now - 400);
    let mut early = good.clone();
    root.sign(&mut early, "cam", now + 400);
    let mut body = good.clone();
    body.body = b"{ }".to_vec();
    let mut other_service = good.clone();
    root.sign(&mut other_service, "sts", now);
    let mut wrong_type = good.clone();
    wrong_type.headers[1].1 = "text/plain".to_owned();
    root.sign(&mut wrong_type, "cam", now);
    let mut long = root.post(CAM, "ListUsers", &json!({}));
    long.body = vec![b' '; 1024 * 1024 + 1];
    let mut unknown = root.clone();
    unknown.credential.id = "AKIDnosuchkey0000000000000000000000".to_owned();
    let mut forged = root.clone();
    forged.credential.secret.push('x');
    for (request, code) in [
        (method, "UnsupportedProtocol"),
        (set("Authorization", ""), "AuthFailure.InvalidAuthorization"),
        (set("Authorization", "SKIP"), "AuthFailure.InvalidAuthorization"),
        (set("Authorization", "Basic eA=="), "AuthFailure.InvalidAuthorization"),
        (set("X-TC-Timestamp", ""), "MissingParameter"),
        (set("X-TC-Timestamp", "now"), "InvalidParameterValue"),
        (set("X-TC-Version", ""), "MissingParameter"),
        (set("X-TC-Version", "2017-03-12"), "NoSuchVersion"),
        (set("X-TC-Action", ""), "MissingParameter"),
        (set("X-TC-Action", "listUsers"), "InvalidAction"),
        (set("X-TC-Action", "AssumeRole"), "InvalidAction"),
        (set("X-TC-Action", "CreateSAMLProvider"), "UnsupportedOperation"),
        (set("X-TC-Token", "x"), "AuthFailure.TokenFailure"),
        (late, "AuthFailure.SignatureExpire"),
        (early, "AuthFailure.SignatureExpire"),
        (body, "AuthFailure.SignatureFailure"),
        (other_service, "AuthFailure.InvalidAuthorization"),
        (wrong_type, "InvalidRequest"),
        (long, "RequestSizeLimitExceeded"),
        (unknown.post(CAM, "ListUsers", &json!({})), "AuthFailure.SecretIdNotFound"),
        (forged.post(CAM, "ListUsers", &json!({})), "AuthFailure.SignatureFailure"),
        (root.post(CAM, "ListUsers", &json!({"Page": 1})), "UnknownParameter"),
        (root.post(CAM, "GetUser", &json!({})), "MissingParameter"),
        (root.post(CAM, "GetUser", &json!({"Name": 1})), "InvalidParameter"),
        (root.post(CAM, "ListPolicies", &json!({"Rp": 0})), "InvalidParameterValue"),
        (root.post(STS, "CreateGroup", &json!({})), "InvalidAction"),
    ] {
        let answer = root.send(&request).await;
        assert_eq!(answer.code(), code, "{request:?}: {answer:?}");
    }
    assert_eq!(root.send(&good).await.code(), "");
    server.stop().await;
}

#[tokio::test]
async fn callers_share_no_rate_and_actions_neither() {
    let api = ApiSettings { requests_per_second: 3, sts_requests_per_second: 0 };
    let server = CamServer::start_with(std::sync::Arc::new(MemoryStore::new()), api).await;
    let (root, other) = (&server.root, server.other().await);
    let mut codes = Vec::new();
    for _ in 0..60 {
        codes.push(root.raw("ListUsers", json!({})).await.code());
        if codes.last().is_some_and(|code| code == "RequestLimitExceeded") {
            break;
        }
    }
    assert_eq!(codes.last().map(String::as_str), Some("RequestLimitExceeded"));
    assert!(codes.len() > 3);
    assert_eq!(root.raw("ListGroups", json!({})).await.code(), "");
    assert_eq!(other.raw("ListUsers", json!({})).await.code(), "");
    server.stop().await;
}
