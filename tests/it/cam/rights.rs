//! Who may call what: the engine decides, and a refusal says how.

use serde_json::json;

use super::{CamServer, OTHER, ROOT};
use camgate::service::proto as pb;

/// Reading of CAM, and nothing else.
const READ_ONLY: &str = r#"{"version":"2.0","statement":[{"effect":"allow",
    "action":["cam:Get*","cam:List*","cam:Describe*"],"resource":"*"}]}"#;

#[tokio::test]
async fn a_user_may_call_exactly_what_its_policies_say() {
    let server = CamServer::start().await;
    let root = &server.root;
    let (uin, user) = root.new_user("alice").await;
    let denied = "AuthFailure.UnauthorizedOperation";
    let refusal = user.raw("ListUsers", json!({})).await.response();
    let error = &refusal["Error"];
    assert_eq!(error["Code"], denied);
    let message = error["Message"].as_str().unwrap();
    let words = "you are not authorized to perform operation (cam:ListUsers)\nresource (*) has no \
                 permission";
    assert!(message.contains(words), "{message}");
    let request_id = refusal["RequestId"].as_str().unwrap();
    assert!(message.contains(&format!("[request id:{request_id}]")), "{message}");
    assert_eq!(error["Decision"]["Reason"], "implicit_deny");
    assert_eq!(error["Decision"]["Layer"], "identity");

    let params = json!({"PolicyName": "read", "PolicyDocument": READ_ONLY});
    let policy = root.call("CreatePolicy", params).await["PolicyId"].clone();
    root.call("AttachUserPolicy", json!({"PolicyId": policy, "AttachUin": uin})).await;
    assert_eq!(user.call("ListUsers", json!({})).await["Data"][0]["Uin"], json!(uin));
    user.call("GetPolicy", json!({"PolicyId": policy})).await;
    assert_eq!(user.refused("CreateGroup", json!({"GroupName": "ops"})).await, denied);
    assert_eq!(user.refused("DeleteUser", json!({"Name": "alice"})).await, denied);
    root.call("DetachUserPolicy", json!({"PolicyId": policy, "DetachUin": uin})).await;
    assert_eq!(user.refused("ListUsers", json!({})).await, denied);
    server.stop().await;
}

#[tokio::test]
async fn accounts_do_not_see_each_other() {
    let server = CamServer::start().await;
    let (root, other) = (&server.root, server.other().await);
    let (uin, _) = root.new_user("alice").await;
    assert_eq!(other.call("ListUsers", json!({})).await["Data"], json!([]));
    assert_eq!(
        other.refused("GetUser", json!({"Name": "alice"})).await,
        "ResourceNotFound.UserNotExist"
    );
    let attach = json!({"PolicyId": 1, "AttachUin": uin});
    assert_eq!(other.refused("AttachUserPolicy", attach).await, "ResourceNotFound.UserNotExist");
    let app_id = other.call("GetUserAppId", json!({})).await;
    assert_eq!(app_id["OwnerUin"], json!(OTHER.to_string()));
    server.stop().await;
}

#[tokio::test]
async fn keys_that_are_disabled_or_deleted_are_unknown() {
    let server = CamServer::start().await;
    let root = &server.root;
    let (uin, user) = root.new_user("alice").await;
    let unknown = "AuthFailure.SecretIdNotFound";
    let key = user.credential.id.clone();
    let switch = |status: &str| json!({"AccessKeyId": key, "TargetUin": uin, "Status": status});
    let denied = "AuthFailure.UnauthorizedOperation";
    assert_eq!(user.refused("ListUsers", json!({})).await, denied);
    root.call("UpdateAccessKey", switch("Inactive")).await;
    assert_eq!(user.refused("ListUsers", json!({})).await, unknown);
    root.call("UpdateAccessKey", switch("Active")).await;
    assert_eq!(user.refused("ListUsers", json!({})).await, denied);
    root.call("DeleteAccessKey", json!({"AccessKeyId": key, "TargetUin": uin})).await;
    assert_eq!(user.refused("ListUsers", json!({})).await, unknown);
    server.stop().await;
}

#[tokio::test]
async fn a_check_over_grpc_changes_with_the_revision_of_the_call() {
    let mut server = CamServer::start().await;
    let root = server.root.clone();
    let (uin, _) = root.new_user("alice").await;
    let document = r#"{"version":"2.0","statement":[{"effect":"allow","action":"im:*",
        "resource":"*"}]}"#;
    let params = json!({"PolicyName": "im", "PolicyDocument": document});
    let policy = root.call("CreatePolicy", params).await["PolicyId"].clone();
    for (action, field, outcome) in [
        ("AttachUserPolicy", "AttachUin", pb::Outcome::Allow),
        ("DetachUserPolicy", "DetachUin", pb::Outcome::Deny),
    ] {
        let answer = root.raw(action, json!({"PolicyId": policy, field: uin})).await;
        assert_eq!(answer.code(), "");
        let at_least = answer.header("x-camgate-revision").unwrap().to_owned();
        let resource = format!("qcs::im::uin/{ROOT}:sdkappid/1400000001");
        let mut question = crate::grpc::question(uin, "im:DescribeConfInfo", &resource);
        question.consistency = Some(pb::Consistency { at_least });
        let decision = server.authz.check(question).await.unwrap().into_inner().decision.unwrap();
        assert_eq!(decision.outcome(), outcome, "{decision:?}");
    }
    let account = pb::GetAccountRequest { owner_uin: ROOT, consistency: None };
    assert_eq!(server.admin.get_account(account).await.unwrap().into_inner().policies, 1);
    server.stop().await;
}
