//! Policies attached to users, groups and roles, and their lists.

use serde_json::{Value, json};

use super::CamServer;
use super::policies::create;

const TRUST: &str = r#"{"version":"2.0","statement":[{"effect":"allow",
    "action":"name/sts:AssumeRole","principal":{"qcs":["qcs::cam::uin/12345678:root"]}}]}"#;

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|it| it["PolicyName"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn attached_policies_are_listed_in_the_shapes_of_each_action() {
    let server = CamServer::start().await;
    let root = &server.root;
    let (uin, _) = root.new_user("alice").await;
    let group = root.call("CreateGroup", json!({"GroupName": "ops"})).await["GroupId"].clone();
    let info = json!({"Info": [{"GroupId": group, "Uin": uin}]});
    root.call("AddUserToGroup", info).await;
    let (direct, grouped, both) =
        (create(root, "direct").await, create(root, "grouped").await, create(root, "both").await);
    for id in [direct, both, both] {
        root.call("AttachUserPolicy", json!({"PolicyId": id, "AttachUin": uin})).await;
    }
    for id in [grouped, both] {
        root.call("AttachGroupPolicy", json!({"PolicyId": id, "AttachGroupId": group})).await;
    }
    let listed = root.call("ListAttachedUserPolicies", json!({"TargetUin": uin})).await;
    assert_eq!(names(&listed["List"]), ["direct", "both"]);
    assert_eq!(listed["List"][0]["PolicyId"], json!(direct), "a number here");
    assert_eq!(listed["List"][0]["PolicyType"], "User");
    let of_group = json!({"TargetGroupId": group, "Keyword": "bo"});
    let listed = root.call("ListAttachedGroupPolicies", of_group).await;
    assert_eq!(names(&listed["List"]), ["both"]);
    for (reach, expected) in [
        (0, vec!["direct", "grouped", "both"]),
        (1, vec!["direct", "both"]),
        (2, vec!["grouped", "both"]),
    ] {
        let params = json!({"TargetUin": uin, "Rp": 20, "Page": 1, "AttachType": reach});
        let listed = root.call("ListAttachedUserAllPolicies", params).await;
        assert_eq!(names(&listed["PolicyList"]), expected, "{reach}");
    }
    let params = json!({"TargetUin": uin, "Rp": 1, "Page": 3, "AttachType": 0, "StrategyType": 1});
    let listed = root.call("ListAttachedUserAllPolicies", params).await;
    let last = &listed["PolicyList"][0];
    assert_eq!(listed["TotalNum"], json!(3));
    assert_eq!(last["PolicyId"], json!(both.to_string()), "a text here");
    assert_eq!((&last["StrategyType"], &last["CreateMode"]), (&json!("1"), &json!("2")));
    assert_eq!(last["Groups"], json!([{"GroupId": group, "GroupName": "ops"}]));
    let entities = root.call("ListEntitiesForPolicy", json!({"PolicyId": both})).await;
    let kinds: Vec<_> = entities["List"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["RelatedType"].as_u64().unwrap(), it["Name"].as_str().unwrap()))
        .collect();
    assert_eq!(kinds, [(1, "alice"), (2, "ops")]);
    let groups = json!({"PolicyId": both, "EntityFilter": "Group"});
    assert_eq!(root.call("ListEntitiesForPolicy", groups).await["TotalNum"], json!(1));
    let bad = json!({"PolicyId": both, "EntityFilter": "group"});
    assert_eq!(
        root.refused("ListEntitiesForPolicy", bad).await,
        "InvalidParameter.EntityFilterError"
    );
    root.call("DetachGroupPolicy", json!({"PolicyId": both, "DetachGroupId": group})).await;
    root.call("DetachUserPolicy", json!({"PolicyId": both, "DetachUin": uin})).await;
    assert_eq!(
        root.call("ListEntitiesForPolicy", json!({"PolicyId": both})).await["TotalNum"],
        json!(0)
    );
    server.stop().await;
}

#[tokio::test]
async fn who_is_not_there_holds_nothing() {
    let server = CamServer::start().await;
    let root = &server.root;
    let id = create(root, "p").await;
    let no_user = "ResourceNotFound.UserNotExist";
    for (action, params, code) in [
        ("AttachUserPolicy", json!({"PolicyId": id, "AttachUin": 5}), no_user),
        (
            "AttachUserPolicy",
            json!({"PolicyId": 5, "AttachUin": 5}),
            "ResourceNotFound.PolicyIdNotFound",
        ),
        ("DetachUserPolicy", json!({"PolicyId": id, "DetachUin": 5}), no_user),
        ("ListAttachedUserPolicies", json!({"TargetUin": 5}), no_user),
        (
            "AttachGroupPolicy",
            json!({"PolicyId": id, "AttachGroupId": 5}),
            "ResourceNotFound.GroupNotExist",
        ),
        (
            "ListAttachedGroupPolicies",
            json!({"TargetGroupId": 5}),
            "ResourceNotFound.GroupNotExist",
        ),
        (
            "AttachRolePolicy",
            json!({"PolicyId": id, "AttachRoleName": "r"}),
            "InvalidParameter.RoleNotExist",
        ),
        ("AttachRolePolicy", json!({"PolicyId": id}), "MissingParameter"),
        (
            "ListAttachedRolePolicies",
            json!({"RoleId": "x", "Page": 1, "Rp": 20}),
            "InvalidParameter.RoleNotExist",
        ),
    ] {
        assert_eq!(root.refused(action, params.clone()).await, code, "{action} {params}");
    }
    server.stop().await;
}

#[tokio::test]
async fn roles_are_made_found_changed_tagged_bounded_and_deleted() {
    let server = CamServer::start().await;
    let root = &server.root;
    let params = json!({
        "RoleName": "ops", "PolicyDocument": TRUST, "Description": "值班", "SessionDuration": "3600",
        "Tags": [{"Key": "team", "Value": "im"}],
    });
    let id = root.call("CreateRole", params.clone()).await["RoleId"].clone();
    assert_eq!(id.as_str().unwrap().len(), 19, "a text of 19 digits");
    assert_eq!(root.refused("CreateRole", params).await, "InvalidParameter.RoleNameInUse");
    let read = root.call("GetRole", json!({"RoleName": "ops"})).await["RoleInfo"].clone();
    assert_eq!((&read["RoleId"], &read["PolicyDocument"]), (&id, &json!(TRUST)));
    assert_eq!((&read["SessionDuration"], &read["RoleType"]), (&json!(3600), &json!("user")));
    let number: u64 = id.as_str().unwrap().parse().unwrap();
    let longer = json!({"RoleId": number, "SessionDuration": 7200});
    root.call("UpdateRoleSessionDuration", longer).await;
    root.call("UpdateRoleDescription", json!({"RoleName": "ops", "Description": "d"})).await;
    root.call("UpdateAssumeRolePolicy", json!({"RoleId": id, "PolicyDocument": TRUST})).await;
    root.call("TagRole", json!({"RoleId": id, "Tags": [{"Key": "a", "Value": "b"}]})).await;
    root.call("UntagRole", json!({"RoleId": id, "TagKeys": ["team"]})).await;
    let tagged = json!({"Page": 1, "Rp": 20, "Tags": [{"Key": "a", "Value": "b"}]});
    let listed = root.call("DescribeRoleList", tagged).await;
    let role = &listed["List"][0];
    assert_eq!((&listed["TotalNum"], &role["Description"]), (&json!(1), &json!("d")));
    assert_eq!(
        (&role["SessionDuration"], &role["Tags"]),
        (&json!(7200), &json!([{"Key": "a", "Value": "b"}]))
    );
    let none = json!({"Page": 1, "Rp": 20, "Tags": [{"Key": "team", "Value": "im"}]});
    assert_eq!(root.call("DescribeRoleList", none).await["TotalNum"], json!(0));

    let policy = create(root, "p").await;
    root.call("AttachRolePolicy", json!({"PolicyName": "p", "AttachRoleName": "ops"})).await;
    let of_role = json!({"RoleName": "ops", "Page": 1, "Rp": 20, "PolicyType": "User"});
    let listed = root.call("ListAttachedRolePolicies", of_role).await;
    assert_eq!(names(&listed["List"]), ["p"]);
    let summary = root.call("GetAccountSummary", json!({})).await;
    assert_eq!((&summary["Roles"], &summary["Policies"]), (&json!(1), &json!(1)));
    let empty = root.call("GetRolePermissionBoundary", json!({"RoleId": id})).await;
    assert_eq!(empty["PolicyId"], Value::Null);
    root.call("PutRolePermissionsBoundary", json!({"RoleId": id, "PolicyId": policy})).await;
    let bounded = root.call("GetRolePermissionBoundary", json!({"RoleId": id})).await;
    assert_eq!((&bounded["PolicyId"], &bounded["PolicyType"]), (&json!(policy), &json!(1)));
    root.call("DeleteRolePermissionsBoundary", json!({"RoleName": "ops"})).await;
    root.call("DetachRolePolicy", json!({"PolicyId": policy, "DetachRoleId": id})).await;
    root.call("AttachRolePolicy", json!({"PolicyId": policy, "AttachRoleId": id})).await;
    root.call("DeleteRole", json!({"RoleId": id, "RoleName": "ops"})).await;
    assert_eq!(
        root.refused("GetRole", json!({"RoleId": id})).await,
        "InvalidParameter.RoleNotExist"
    );
    for (params, code) in [
        (json!({"RoleName": "a b", "PolicyDocument": TRUST}), "InvalidParameter.RoleNameError"),
        (json!({"RoleName": "r", "PolicyDocument": "{}"}), "InvalidParameter.StatementError"),
        (
            json!({"RoleName": "r", "PolicyDocument": TRUST, "SessionDuration": 43201}),
            "InvalidParameter.ParamError",
        ),
        (
            json!({"RoleName": "r", "PolicyDocument": TRUST,
            "Tags": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}),
            "InvalidParameterValue",
        ),
    ] {
        assert_eq!(root.refused("CreateRole", params.clone()).await, code, "{params}");
    }
    server.stop().await;
}

#[tokio::test]
async fn boundaries_of_users_are_put_read_and_taken_away() {
    let server = CamServer::start().await;
    let root = &server.root;
    let (uin, _) = root.new_user("alice").await;
    let policy = create(root, "cap").await;
    root.call("PutUserPermissionsBoundary", json!({"TargetUin": uin, "PolicyId": policy})).await;
    let read = root.call("GetUserPermissionBoundary", json!({"TargetUin": uin})).await;
    assert_eq!(read["PolicyName"], "cap");
    assert_eq!(root.refused("DeletePolicy", json!({"PolicyId": [policy]})).await, "ResourceInUse");
    root.call("DeleteUserPermissionsBoundary", json!({"TargetUin": uin})).await;
    let read = root.call("GetUserPermissionBoundary", json!({"TargetUin": uin})).await;
    assert_eq!(read["PolicyName"], Value::Null);
    let nobody = json!({"TargetUin": 5, "PolicyId": policy});
    assert_eq!(
        root.refused("PutUserPermissionsBoundary", nobody).await,
        "ResourceNotFound.UserNotExist"
    );
    server.stop().await;
}

#[tokio::test]
async fn the_services_that_policies_grant_are_told_with_their_actions() {
    let server = CamServer::start().await;
    let root = &server.root;
    let (uin, _) = root.new_user("alice").await;
    let id = create(root, "im").await;
    root.call("AttachUserPolicy", json!({"PolicyId": id, "AttachUin": uin})).await;
    let action = "ListPoliciesGrantingServiceAccess";
    let listed = root.call(action, json!({"TargetUin": uin})).await["List"].clone();
    let nodes = listed.as_array().unwrap();
    assert_eq!(nodes.len(), 1);
    assert_eq!(nodes[0]["Service"]["ServiceType"], "im");
    assert_eq!(nodes[0]["Policy"][0]["PolicyId"], json!(id.to_string()));
    let names: Vec<_> = nodes[0]["Action"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["Name"].as_str().unwrap())
        .collect();
    assert!(names.len() > 50 && names.iter().all(|name| name.starts_with("Describe")));
    let cam = json!({"TargetUin": uin, "ServiceType": "cam"});
    assert_eq!(root.call(action, cam).await["List"], json!([]));
    server.stop().await;
}
