//! Temporary credentials over HTTP: made, used, capped, ended.

use serde_json::{Value, json};

use super::client::{CAM, Client, Credential, STS};
use super::{CamServer, OTHER, ROOT};

const DENIED: &str = "AuthFailure.UnauthorizedOperation";

fn trust(principal: &str) -> String {
    format!(
        r#"{{"version":"2.0","statement":[{{"effect":"allow","action":"name/sts:AssumeRole",
            "principal":{{"qcs":["{principal}"]}}}}]}}"#
    )
}

fn allow(action: &str) -> String {
    format!(
        r#"{{"version":"2.0","statement":[{{"effect":"allow","action":"{action}","resource":"*"}}]}}"#
    )
}

async fn sts(client: &Client, action: &str, params: Value) -> Value {
    client.send(&client.post(STS, action, &params)).await.response()
}

fn session(client: &Client, response: &Value) -> Client {
    let credentials = &response["Credentials"];
    let text =
        |name: &str| credentials[name].as_str().unwrap_or_else(|| panic!("{response}")).to_owned();
    let credential = Credential {
        id: text("TmpSecretId"),
        secret: text("TmpSecretKey"),
        token: Some(text("Token")),
    };
    Client { address: client.address, credential }
}

async fn attach(root: &Client, name: &str, document: &str, action: &str, target: Value) {
    let params = json!({"PolicyName": name, "PolicyDocument": document});
    let policy = root.call("CreatePolicy", params).await["PolicyId"].clone();
    let mut params = target;
    params["PolicyId"] = policy;
    root.call(action, params).await;
}

/// A role that the account's users may assume and that may list users.
async fn role(root: &Client) -> String {
    let params = json!({"RoleName": "lister", "PolicyDocument": trust(&format!("qcs::cam::uin/{ROOT}:root"))});
    let id = root.call("CreateRole", params).await["RoleId"].as_str().unwrap().to_owned();
    let target = json!({"AttachRoleName": "lister"});
    attach(root, "list", &allow("cam:List*"), "AttachRolePolicy", target).await;
    id
}

#[tokio::test]
async fn a_role_is_assumed_used_and_ends_with_the_role() {
    let server = CamServer::start().await;
    let root = &server.root;
    let id = role(root).await;
    let (uin, user) = root.new_user("alice").await;
    let arn = format!("qcs::cam::uin/{ROOT}:roleName/lister");
    let params = json!({"RoleArn": arn, "RoleSessionName": "cts", "DurationSeconds": 600});
    // The caller's own side is asked too.
    let refused = sts(&user, "AssumeRole", params.clone()).await;
    assert_eq!(refused["Error"]["Code"], DENIED);
    let target = json!({"AttachUin": uin});
    attach(root, "assume", &allow("sts:*"), "AttachUserPolicy", target).await;
    let made = sts(&user, "AssumeRole", params.clone()).await;
    let expired = made["ExpiredTime"].as_i64().unwrap();
    assert!((expired - jiff::Timestamp::now().as_second() - 600).abs() < 60, "{made}");
    assert!(made["Expiration"].as_str().unwrap().ends_with('Z'));
    let temporary = session(&user, &made);
    assert_eq!(temporary.call("ListUsers", json!({})).await["Data"][0]["Name"], "alice");
    assert_eq!(temporary.refused("GetUser", json!({"Name": "alice"})).await, DENIED);
    let got = temporary.send(&temporary.get(CAM, "ListGroups", "")).await;
    assert_eq!(got.code(), "");
    let who = sts(&temporary, "GetCallerIdentity", json!({})).await;
    assert_eq!(who["Error"]["Code"], DENIED, "the role may list, and no more");
    // Without its token a temporary key is nobody's; with a token of another key neither.
    let mut bare = temporary.clone();
    bare.credential.token = None;
    assert_eq!(bare.refused("ListUsers", json!({})).await, "AuthFailure.SecretIdNotFound");
    let mut mixed = user.clone();
    mixed.credential.token = temporary.credential.token.clone();
    assert_eq!(mixed.refused("ListUsers", json!({})).await, "AuthFailure.TokenFailure");
    let role_arn =
        json!({"RoleArn": format!("qcs::cam::uin/{ROOT}:role/{id}"), "RoleSessionName": "cts"});
    let by_id = session(&user, &sts(&user, "AssumeRole", role_arn).await);
    by_id.call("ListUsers", json!({})).await;
    root.call("DeleteRole", json!({"RoleName": "lister"})).await;
    for ended in [&temporary, &by_id] {
        assert_eq!(ended.refused("ListUsers", json!({})).await, "AuthFailure.TokenFailure");
    }
    let gone = sts(&user, "AssumeRole", params).await;
    assert_eq!(gone["Error"]["Code"], "ResourceNotFound.RoleNotFound");
    server.stop().await;
}

#[tokio::test]
async fn federation_tokens_and_session_tokens_act_as_their_user() {
    let server = CamServer::start().await;
    let root = &server.root;
    let (uin, user) = root.new_user("alice").await;
    attach(root, "all", &allow("*"), "AttachUserPolicy", json!({"AttachUin": uin})).await;
    // The policy comes URL-encoded once more, or as it stands.
    let encoded = allow("cam:ListUsers").bytes().map(|byte| format!("%{byte:02X}")).collect();
    for policy in [allow("cam:ListUsers"), encoded] {
        let params = json!({"Name": "SUN", "Policy": policy});
        let federated = session(&user, &sts(&user, "GetFederationToken", params).await);
        federated.call("ListUsers", json!({})).await;
        assert_eq!(federated.refused("ListGroups", json!({})).await, DENIED, "capped");
        let again =
            sts(&federated, "GetFederationToken", json!({"Name": "MOON", "Policy": allow("*")}));
        assert_eq!(again.await["Error"]["Code"], "FailedOperation.TempKeyNotAllowed");
    }
    let mfa = sts(&user, "GetSessionToken", json!({"SerialNumber": "x", "TokenCode": "1"})).await;
    assert_eq!(mfa["Error"]["Code"], "AuthFailure.MFAFailure");
    let temporary = session(&user, &sts(&user, "GetSessionToken", json!({})).await);
    temporary.call("ListGroups", json!({})).await;
    let who = sts(&temporary, "GetCallerIdentity", json!({})).await;
    let uin_text = uin.to_string();
    assert_eq!((&who["UserId"], &who["Type"]), (&json!(uin_text), &json!("CAMUser")));
    assert_eq!(who["AccountId"], json!(ROOT.to_string()));
    // It ends with the key it was made with, and stands again when that is active again.
    for (status, code) in [("Inactive", "AuthFailure.TokenFailure"), ("Active", "")] {
        let params = json!({"AccessKeyId": user.credential.id, "TargetUin": uin, "Status": status});
        root.call("UpdateAccessKey", params).await;
        assert_eq!(temporary.raw("ListGroups", json!({})).await.code(), code, "{status}");
    }
    root.call("DeleteUser", json!({"Name": "alice", "Force": 1})).await;
    assert_eq!(temporary.refused("ListGroups", json!({})).await, "AuthFailure.TokenFailure");
    server.stop().await;
}

#[tokio::test]
async fn roles_of_other_accounts_are_assumed_when_both_sides_agree() {
    let server = CamServer::start().await;
    let (root, other) = (&server.root, server.other().await);
    role(root).await;
    let arn = format!("qcs::cam::uin/{ROOT}:roleName/lister");
    let params = json!({"RoleArn": arn, "RoleSessionName": "cts"});
    let refused = sts(&other, "AssumeRole", params.clone()).await;
    assert_eq!(refused["Error"]["Code"], DENIED);
    let trusting = json!({"RoleName": "lister",
        "PolicyDocument": trust(&format!("qcs::cam::uin/{OTHER}:root"))});
    root.call("UpdateAssumeRolePolicy", trusting).await;
    let (uin, user) = other.new_user("bob").await;
    attach(
        &other,
        "assume",
        &allow("sts:AssumeRole"),
        "AttachUserPolicy",
        json!({"AttachUin": uin}),
    )
    .await;
    root.call("AddUser", json!({"Name": "alice"})).await;
    let temporary = session(&user, &sts(&user, "AssumeRole", params).await);
    let listed = temporary.call("ListUsers", json!({})).await;
    assert_eq!(listed["Data"][0]["Name"], "alice", "the role acts in its own account");
    server.stop().await;
}

#[tokio::test]
async fn wrong_requests_have_the_codes_of_sts() {
    let server = CamServer::start().await;
    let root = &server.root;
    role(root).await;
    let arn = format!("qcs::cam::uin/{ROOT}:roleName/lister");
    let with = |name: &str, value: Value| {
        let mut params = json!({"RoleArn": arn, "RoleSessionName": "cts"});
        params[name] = value;
        params
    };
    for (params, code) in [
        (with("RoleArn", json!("lister")), "InvalidParameter.ParamError"),
        (with("RoleSessionName", json!("x")), "InvalidParameter.ParamError"),
        (with("DurationSeconds", json!(43201)), "InvalidParameter.OverTimeError"),
        (with("DurationSeconds", json!("long")), "InvalidParameter"),
        (with("Policy", json!("%7B")), "InvalidParameter.StrategyFormatError"),
        (with("Policy", json!("%ff")), "InvalidParameter.StrategyFormatError"),
        (with("SourceIdentity", json!("1")), "UnsupportedOperation"),
        (with("TokenCode", json!("1")), "AuthFailure.MFAFailure"),
        (with("Extra", json!(1)), "UnknownParameter"),
    ] {
        let answer = sts(root, "AssumeRole", params.clone()).await;
        assert_eq!(answer["Error"]["Code"], code, "{params}: {answer}");
    }
    let keys = sts(root, "QueryApiKey", json!({})).await;
    assert_eq!(keys["IdKeys"][0]["SecretId"], json!(root.credential.id));
    assert_eq!(keys["IdKeys"][0]["Status"], json!(2));
    server.stop().await;
}
