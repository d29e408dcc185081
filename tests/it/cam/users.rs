//! Sub-accounts, as the manual tells their creation, and what is said about them.

use serde_json::{Value, json};

use super::{CamServer, ROOT};

#[tokio::test]
async fn a_user_comes_with_what_was_asked_for_in_one_commit() {
    let server = CamServer::start().await;
    let root = &server.root;
    let before = server.node.applied_revision();
    let params = json!({
        "Name": "alice", "Remark": "客服", "ConsoleLogin": 1, "UseApi": "1", "NeedResetPassword": 1,
        "PhoneNum": "13800000000", "CountryCode": "86", "Email": "alice@example.com",
    });
    let added = root.call("AddUser", params).await;
    assert_eq!(server.node.applied_revision().0, before.0 + 1, "one commit");
    assert_eq!(added["Password"].as_str().unwrap().len(), 32);
    assert!(added["SecretId"].as_str().unwrap().starts_with("AKID"));
    assert_eq!(added["SecretKey"].as_str().unwrap().len(), 32);
    let read = root.call("GetUser", json!({"Name": "alice"})).await;
    for field in ["Uin", "Uid", "Name"] {
        assert_eq!(read[field], added[field]);
    }
    assert_eq!((&read["Remark"], &read["ConsoleLogin"]), (&json!("客服"), &json!(1)));
    assert_eq!(
        (&read["PhoneNum"], &read["Email"]),
        (&json!("13800000000"), &json!("alice@example.com"))
    );
    for secret in ["Password", "SecretKey"] {
        assert_eq!(read[secret], Value::Null, "shown once");
    }
    let plain = root.call("AddUser", json!({"Name": "bob"})).await;
    for absent in ["Password", "SecretId", "SecretKey"] {
        assert_eq!(plain[absent], Value::Null);
    }
    let given = json!({"Name": "carol", "ConsoleLogin": 1, "Password": "Secret-123"});
    assert_eq!(root.call("AddUser", given).await["Password"], Value::Null, "only what was made");
    for (params, code) in [
        (json!({"Name": "alice"}), "InvalidParameter.SubUserNameInUse"),
        (json!({"Name": "a b"}), "InvalidParameter.UserNameIllegal"),
        (json!({"Name": ""}), "InvalidParameter.UserNameIllegal"),
        (
            json!({"Name": "d", "ConsoleLogin": 1, "Password": "weak"}),
            "InvalidParameter.PasswordViolatedRules",
        ),
        (json!({"Name": "d", "ConsoleLogin": 2}), "InvalidParameterValue"),
        (json!({"Name": "d", "Email": "nobody"}), "InvalidParameter.ParamError"),
    ] {
        assert_eq!(root.refused("AddUser", params.clone()).await, code, "{params}");
    }
    server.stop().await;
}

#[tokio::test]
async fn users_are_changed_by_name() {
    let server = CamServer::start().await;
    let root = &server.root;
    root.call("AddUser", json!({"Name": "alice", "Remark": "a"})).await;
    let params =
        json!({"Name": "alice", "Remark": "", "ConsoleLogin": 1, "Password": "Secret-123"});
    root.call("UpdateUser", params).await;
    let read = root.call("GetUser", json!({"Name": "alice"})).await;
    assert_eq!((&read["Remark"], &read["ConsoleLogin"]), (&json!(""), &json!(1)));
    for (params, code) in [
        (json!({"Name": "nobody", "Remark": "x"}), "ResourceNotFound.UserNotExist"),
        (json!({"Name": "alice"}), "InvalidParameter.ParamError"),
        (
            json!({"Name": "alice", "Password": "12345678"}),
            "InvalidParameter.PasswordViolatedRules",
        ),
    ] {
        assert_eq!(root.refused("UpdateUser", params.clone()).await, code, "{params}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_user_with_keys_is_deleted_by_force_only() {
    let server = CamServer::start().await;
    let root = &server.root;
    let (uin, user) = root.new_user("alice").await;
    let group = root.call("CreateGroup", json!({"GroupName": "ops"})).await["GroupId"].clone();
    root.call("AddUserToGroup", json!({"Info": [{"GroupId": group, "Uin": uin}]})).await;
    let name = json!({"Name": "alice"});
    assert_eq!(root.refused("DeleteUser", name.clone()).await, "OperationDenied.HaveKeys");
    // By force is a right of its own.
    let document = r#"{"version":"2.0","statement":[
        {"effect":"allow","action":"cam:*","resource":"*"},
        {"effect":"deny","action":"cam:DeleteApiKey","resource":"*"}]}"#;
    let params = json!({"PolicyName": "admin", "PolicyDocument": document});
    let policy = root.call("CreatePolicy", params).await["PolicyId"].clone();
    let (admin_uin, admin) = root.new_user("admin").await;
    root.call("AttachUserPolicy", json!({"PolicyId": policy, "AttachUin": admin_uin})).await;
    let force = json!({"Name": "alice", "Force": 1});
    assert_eq!(
        admin.refused("DeleteUser", force.clone()).await,
        "UnauthorizedOperation.DeleteApiKey"
    );
    root.call("DeleteUser", force.clone()).await;
    assert_eq!(user.refused("ListUsers", json!({})).await, "AuthFailure.SecretIdNotFound");
    assert_eq!(root.refused("DeleteUser", force).await, "ResourceNotFound.UserNotExist");
    assert_eq!(root.call("GetGroup", json!({"GroupId": group})).await["GroupNum"], json!(0));
    // Without keys nothing needs force: policies and groups let go.
    root.call("AddUser", json!({"Name": "bob"})).await;
    root.call("DeleteUser", json!({"Name": "bob"})).await;
    server.stop().await;
}

#[tokio::test]
async fn accounts_are_listed_in_every_shape() {
    let server = CamServer::start().await;
    let root = &server.root;
    let mut uins = Vec::new();
    for number in 0..5 {
        let params = json!({"Name": format!("user-{number}"), "Remark": number.to_string()});
        uins.push(root.call("AddUser", params).await["Uin"].as_u64().unwrap());
    }
    let listed = root.call("ListUsers", json!({})).await;
    let data = listed["Data"].as_array().unwrap();
    assert_eq!(data.iter().map(|it| it["Uin"].as_u64().unwrap()).collect::<Vec<_>>(), uins);
    let some = json!({"FilterSubAccountUin": [uins[3], uins[1].to_string(), 5]});
    let described = root.call("DescribeSubAccounts", some).await["SubAccounts"].clone();
    assert_eq!(described.as_array().unwrap().len(), 2);
    assert_eq!((&described[0]["Uin"], &described[0]["UserType"]), (&json!(uins[1]), &json!(2)));
    let mut seen = Vec::new();
    let mut marker = String::new();
    loop {
        let page = root.call("ListAccounts", json!({"MaxItems": 2, "Marker": marker})).await;
        let users = page["Users"].as_array().unwrap();
        assert!(users.iter().all(|it| it["UserType"] == "SubUser"));
        seen.extend(users.iter().map(|it| it["Uin"].as_u64().unwrap()));
        marker = page["Marker"].as_str().unwrap().to_owned();
        assert_eq!(page["IsTruncated"], json!(!marker.is_empty()));
        if marker.is_empty() {
            break;
        }
    }
    assert_eq!(seen, uins);
    assert_eq!(
        root.call("ListAccounts", json!({"UserType": "Collaborator"})).await["Users"],
        json!([])
    );
    assert_eq!(
        root.refused("ListAccounts", json!({"Marker": "x"})).await,
        "InvalidParameter.PaginationTokenInvalid"
    );
    let ids = root.call("GetUserAppId", json!({})).await;
    assert_eq!((&ids["Uin"], &ids["AppId"]), (&json!(ROOT.to_string()), &json!(1_250_000_001)));
    let summary = root.call("GetAccountSummary", json!({})).await;
    assert_eq!((&summary["User"], &summary["Idps"]), (&json!(5), &json!(0)));
    server.stop().await;
}
