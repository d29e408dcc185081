//! Access keys.

use serde_json::{Value, json};

use super::CamServer;

#[tokio::test]
async fn at_most_two_keys_each_shown_once() {
    let server = CamServer::start().await;
    let root = &server.root;
    let uin = root.call("AddUser", json!({"Name": "alice"})).await["Uin"].clone();
    let params = json!({"TargetUin": uin, "Description": "ci@build:1"});
    let made = root.call("CreateAccessKey", params).await["AccessKey"].clone();
    assert_eq!((&made["Status"], &made["Description"]), (&json!("Active"), &json!("ci@build:1")));
    assert_eq!(made["SecretAccessKey"].as_str().unwrap().len(), 32);
    root.call("CreateAccessKey", json!({"TargetUin": uin})).await;
    assert_eq!(
        root.refused("CreateAccessKey", json!({"TargetUin": uin})).await,
        "OperationDenied.AccessKeyOverLimit"
    );
    let listed = root.call("ListAccessKeys", json!({"TargetUin": uin})).await;
    let keys = listed["AccessKeys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    assert!(keys.iter().all(|key| key["SecretAccessKey"] == Value::Null));
    let own = root.call("ListAccessKeys", json!({})).await;
    assert_eq!(own["AccessKeys"][0]["AccessKeyId"], json!(root.credential.id));
    let used =
        json!({"SecretIdList": [made["AccessKeyId"], "AKIDnosuchkey0000000000000000000000"]});
    let rows = root.call("GetSecurityLastUsed", used).await["SecretIdLastUsedRows"].clone();
    assert_eq!(rows.as_array().unwrap().len(), 1);
    assert_eq!(rows[0]["SecretId"], made["AccessKeyId"]);
    server.stop().await;
}

#[tokio::test]
async fn keys_belong_to_their_holder() {
    let server = CamServer::start().await;
    let root = &server.root;
    let (_, alice) = root.new_user("alice").await;
    let (bob_uin, bob) = root.new_user("bob").await;
    let not_there = "ResourceNotFound.SecretNotExist";
    for (params, code) in [
        (json!({"AccessKeyId": alice.credential.id, "TargetUin": bob_uin}), not_there),
        (json!({"AccessKeyId": alice.credential.id}), not_there),
        (json!({"AccessKeyId": "x", "TargetUin": bob_uin}), not_there),
    ] {
        assert_eq!(root.refused("DeleteAccessKey", params.clone()).await, code, "{params}");
    }
    let document = r#"{"version":"2.0","statement":[{"effect":"allow","action":"cam:*",
        "resource":"*"}]}"#;
    let params = json!({"PolicyName": "admin", "PolicyDocument": document});
    let policy = root.call("CreatePolicy", params).await["PolicyId"].clone();
    root.call("AttachUserPolicy", json!({"PolicyId": policy, "AttachUin": bob_uin})).await;
    let roots = json!({"AccessKeyId": root.credential.id, "TargetUin": super::ROOT});
    assert_eq!(bob.refused("DeleteAccessKey", roots).await, "OperationDenied.SubUin");
    assert_eq!(
        bob.refused("CreateAccessKey", json!({"TargetUin": super::ROOT})).await,
        "OperationDenied.SubUin"
    );
    assert_eq!(
        bob.refused("CreateAccessKey", json!({"TargetUin": 5})).await,
        "ResourceNotFound.UserNotExist"
    );
    let own = bob.call("CreateAccessKey", json!({})).await["AccessKey"].clone();
    let second = bob.with(&own["AccessKeyId"], &own["SecretAccessKey"]);
    second.call("DeleteAccessKey", json!({"AccessKeyId": bob.credential.id})).await;
    assert_eq!(bob.refused("ListUsers", json!({})).await, "AuthFailure.SecretIdNotFound");
    second.call("ListUsers", json!({})).await;
    let wrong = json!({"AccessKeyId": own["AccessKeyId"], "Status": "Off"});
    assert_eq!(second.refused("UpdateAccessKey", wrong).await, "InvalidParameterValue");
    server.stop().await;
}
