//! User groups and their members.

use serde_json::json;

use super::CamServer;

#[tokio::test]
async fn members_join_and_leave_together_or_not_at_all() {
    let server = CamServer::start().await;
    let root = &server.root;
    let mut groups = Vec::new();
    for name in ["ops", "dev"] {
        groups.push(root.call("CreateGroup", json!({"GroupName": name})).await["GroupId"].clone());
    }
    let mut users = Vec::new();
    for name in ["alice", "bob"] {
        users.push(root.call("AddUser", json!({"Name": name})).await);
    }
    let before = server.node.applied_revision();
    let info = json!({"Info": [
        {"GroupId": groups[0], "Uin": users[0]["Uin"]},
        {"GroupId": groups[0], "Uid": users[1]["Uid"]},
        {"GroupId": groups[1], "Uid": users[0]["Uid"], "Uin": users[0]["Uin"]},
    ]});
    root.call("AddUserToGroup", info.clone()).await;
    assert_eq!(server.node.applied_revision().0, before.0 + 1, "one commit");
    root.call("AddUserToGroup", info).await;
    let read = root.call("GetGroup", json!({"GroupId": groups[0]})).await;
    assert_eq!(read["GroupNum"], json!(2));
    let members = root.call("ListUsersForGroup", json!({"GroupId": groups[0], "Rp": 1})).await;
    assert_eq!(
        (&members["TotalNum"], &members["UserInfo"][0]["Name"]),
        (&json!(2), &json!("alice"))
    );
    for by in [json!({"SubUin": users[0]["Uin"]}), json!({"Uid": users[0]["Uid"]})] {
        assert_eq!(root.call("ListGroupsForUser", by).await["TotalNum"], json!(2));
    }
    let half = json!({"Info": [
        {"GroupId": groups[1], "Uin": users[1]["Uin"]}, {"GroupId": 99, "Uin": users[1]["Uin"]},
    ]});
    assert_eq!(root.refused("AddUserToGroup", half).await, "ResourceNotFound.GroupNotExist");
    let in_dev = root.call("ListUsersForGroup", json!({"GroupId": groups[1]})).await;
    assert_eq!(in_dev["TotalNum"], json!(1), "not even the first");
    for (params, code) in [
        (json!({"Info": [{"GroupId": groups[0]}]}), "InvalidParameter.UserUinAndUinNotAllNull"),
        (json!({"Info": [{"GroupId": groups[0], "Uid": 99}]}), "ResourceNotFound.UserNotExist"),
        (
            json!({"Info": [{"GroupId": groups[0], "Uid": users[0]["Uid"], "Uin": users[1]["Uin"]}]}),
            "ResourceNotFound.UserNotExist",
        ),
        (json!({"Info": []}), "InvalidParameter.ParamError"),
        (json!({}), "MissingParameter"),
    ] {
        assert_eq!(root.refused("AddUserToGroup", params.clone()).await, code, "{params}");
    }
    let leave = json!({"Info": [{"GroupId": groups[0], "Uin": users[0]["Uin"]}]});
    root.call("RemoveUserFromGroup", leave).await;
    let read = root.call("GetGroup", json!({"GroupId": groups[0]})).await;
    assert_eq!((&read["GroupNum"], &read["UserInfo"][0]["Name"]), (&json!(1), &json!("bob")));
    server.stop().await;
}

#[tokio::test]
async fn groups_are_renamed_listed_and_deleted_with_members() {
    let server = CamServer::start().await;
    let root = &server.root;
    for name in ["ops", "dev", "dev-2"] {
        root.call("CreateGroup", json!({"GroupName": name, "Remark": "组"})).await;
    }
    root.call("UpdateGroup", json!({"GroupId": 1, "GroupName": "operations"})).await;
    let read = root.call("GetGroup", json!({"GroupId": 1})).await;
    assert_eq!((&read["GroupName"], &read["Remark"]), (&json!("operations"), &json!("组")));
    let found = root.call("ListGroups", json!({"Keyword": "dev", "Rp": 1, "Page": 2})).await;
    assert_eq!(
        (&found["TotalNum"], &found["GroupInfo"][0]["GroupName"]),
        (&json!(2), &json!("dev-2"))
    );
    let user = root.call("AddUser", json!({"Name": "alice"})).await;
    root.call("AddUserToGroup", json!({"Info": [{"GroupId": 2, "Uin": user["Uin"]}]})).await;
    root.call("DeleteGroup", json!({"GroupId": 2})).await;
    for (action, params, code) in [
        ("GetGroup", json!({"GroupId": 2}), "ResourceNotFound.GroupNotExist"),
        ("DeleteGroup", json!({"GroupId": 2}), "ResourceNotFound.GroupNotExist"),
        (
            "UpdateGroup",
            json!({"GroupId": 3, "GroupName": "operations"}),
            "InvalidParameter.GroupNameInUse",
        ),
        ("ListUsersForGroup", json!({"GroupId": 2}), "ResourceNotFound.GroupNotExist"),
    ] {
        assert_eq!(root.refused(action, params).await, code, "{action}");
    }
    server.stop().await;
}
