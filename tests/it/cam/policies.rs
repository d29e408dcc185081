//! Policies and their versions.

use serde_json::{Value, json};

use super::CamServer;
use super::client::Client;

pub(crate) const ALLOW: &str = r#"{"version":"2.0","statement":[{"effect":"allow",
    "action":["name/im:Describe*"],"resource":["*"]}]}"#;
const DENY: &str =
    r#"{"version":"2.0","statement":[{"effect":"deny","action":"im:*","resource":"*"}]}"#;

pub(crate) async fn create(root: &Client, name: &str) -> u64 {
    let params = json!({"PolicyName": name, "PolicyDocument": ALLOW});
    root.call("CreatePolicy", params).await["PolicyId"].as_u64().unwrap()
}

#[tokio::test]
async fn a_policy_is_created_read_changed_and_deleted() {
    let server = CamServer::start().await;
    let root = &server.root;
    let params = json!({
        "PolicyName": "im-ops", "PolicyDocument": ALLOW, "Description": "只读",
        "Tags": [{"Key": "team", "Value": "im"}],
    });
    let id = root.call("CreatePolicy", params.clone()).await["PolicyId"].clone();
    assert_eq!(root.refused("CreatePolicy", params).await, "FailedOperation.PolicyNameInUse");
    let read = root.call("GetPolicy", json!({"PolicyId": id})).await;
    assert_eq!(read["PolicyDocument"], ALLOW, "as text, byte for byte");
    assert_eq!((&read["PolicyName"], &read["Type"]), (&json!("im-ops"), &json!(1)));
    assert_eq!(read["Tags"], json!([{"Key": "team", "Value": "im"}]));
    let time = read["AddTime"].as_str().unwrap();
    assert_eq!((time.len(), time.as_bytes()[10]), (19, b' '), "{time}");

    // By id, by name, and by both when they agree.
    let by_name = json!({"PolicyName": "im-ops", "Description": "read"});
    assert_eq!(root.call("UpdatePolicy", by_name).await["PolicyId"], id);
    let by_both = json!({"PolicyId": id, "PolicyName": "im-ops", "PolicyDocument": DENY});
    root.call("UpdatePolicy", by_both).await;
    let read = root.call("GetPolicy", json!({"PolicyId": id})).await;
    assert_eq!((&read["PolicyDocument"], &read["Description"]), (&json!(DENY), &json!("read")));
    for (params, code) in [
        (
            json!({"PolicyId": id, "PolicyName": "other", "Description": "x"}),
            "ResourceNotFound.PolicyIdNotFound",
        ),
        (json!({"PolicyId": id}), "InvalidParameter.ParamError"),
        (json!({"PolicyId": id, "Alias": "x"}), "InvalidParameterValue"),
        (json!({"PolicyId": 5_000_000, "Description": "x"}), "ResourceNotFound.PolicyIdNotFound"),
        (json!({"PolicyId": 1, "Description": "x"}), "FailedOperation.Unmodifiable"),
        (json!({"PolicyId": id, "PolicyDocument": "{}"}), "InvalidParameter.StatementError"),
        (
            json!({"PolicyId": id, "Description": "x".repeat(301)}),
            "InvalidParameter.DescriptionLengthOverlimit",
        ),
    ] {
        assert_eq!(root.refused("UpdatePolicy", params.clone()).await, code, "{params}");
    }
    root.call("DeletePolicy", json!({"PolicyId": [id]})).await;
    let gone = root.refused("GetPolicy", json!({"PolicyId": id})).await;
    assert_eq!(gone, "ResourceNotFound.PolicyIdNotFound");
    server.stop().await;
}

#[tokio::test]
async fn several_policies_are_deleted_together_or_not_at_all() {
    let server = CamServer::start().await;
    let root = &server.root;
    let (one, two) = (create(root, "one").await, create(root, "two").await);
    let (uin, _) = root.new_user("alice").await;
    root.call("AttachUserPolicy", json!({"PolicyId": two, "AttachUin": uin})).await;
    let both = json!({"PolicyId": [one, two]});
    assert_eq!(root.refused("DeletePolicy", both.clone()).await, "ResourceInUse");
    root.call("GetPolicy", json!({"PolicyId": one})).await;
    root.call("DetachUserPolicy", json!({"PolicyId": two, "DetachUin": uin})).await;
    let before = server.node.applied_revision();
    root.call("DeletePolicy", both).await;
    assert_eq!(server.node.applied_revision().0, before.0 + 1, "one commit");
    assert_eq!(
        root.refused("DeletePolicy", json!({"PolicyId": []})).await,
        "InvalidParameter.ParamError"
    );
    let many: Vec<u64> = (0..51).collect();
    assert_eq!(
        root.refused("DeletePolicy", json!({"PolicyId": many})).await,
        "InvalidParameterValue"
    );
    server.stop().await;
}

#[tokio::test]
async fn lists_are_paged_filtered_and_whole() {
    let server = CamServer::start().await;
    let root = &server.root;
    for number in 0..7 {
        create(root, &format!("custom-{number}")).await;
    }
    let mut seen: Vec<Value> = Vec::new();
    for page in 1..=4 {
        let params = json!({"Scope": "Local", "Rp": "2", "Page": page});
        let answer = root.call("ListPolicies", params).await;
        assert_eq!(answer["TotalNum"], json!(7));
        seen.extend(answer["List"].as_array().unwrap().iter().cloned());
    }
    assert_eq!(seen.len(), 7);
    let names: Vec<&str> = seen.iter().map(|it| it["PolicyName"].as_str().unwrap()).collect();
    assert!(names.is_sorted() && seen.iter().all(|it| it["Type"] == json!(1)), "{names:?}");
    let presets = root.call("ListPolicies", json!({"Scope": "QCS", "Rp": 200})).await;
    let presets = presets["List"].as_array().unwrap();
    assert!(presets.iter().any(|it| it["PolicyName"] == "QcloudIMReadOnlyAccess"));
    assert!(presets.iter().all(|it| it["Type"] == json!(2)));
    let all = root.call("ListPolicies", json!({})).await;
    assert_eq!(all["TotalNum"], json!(7 + presets.len()));
    assert_eq!(all["List"].as_array().unwrap().len(), 20.min(7 + presets.len()));
    let found = root.call("ListPolicies", json!({"Keyword": "custom-3"})).await;
    assert_eq!(found["TotalNum"], json!(1));
    let long = root.refused("ListPolicies", json!({"Keyword": "x".repeat(129)})).await;
    assert_eq!(long, "InvalidParameter.SearchKeywordLengthError");
    server.stop().await;
}

#[tokio::test]
async fn versions_are_added_switched_rolled_back_and_deleted() {
    let server = CamServer::start().await;
    let root = &server.root;
    let id = create(root, "im-ops").await;
    let params = json!({"PolicyId": id, "PolicyDocument": DENY, "SetAsDefault": true});
    assert_eq!(root.call("CreatePolicyVersion", params).await["VersionId"], json!(2));
    let document = |it: &Value| it["PolicyDocument"].clone();
    assert_eq!(document(&root.call("GetPolicy", json!({"PolicyId": id})).await), DENY);
    let versions =
        root.call("ListPolicyVersions", json!({"PolicyId": id})).await["Versions"].clone();
    let flags: Vec<_> = versions
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["VersionId"].as_u64().unwrap(), it["IsDefaultVersion"].as_u64().unwrap()))
        .collect();
    assert_eq!(flags, [(2, 1), (1, 0)]);
    let date = versions[0]["CreateDate"].as_str().unwrap();
    assert!(date.ends_with('Z') && date.as_bytes()[10] == b'T', "{date}");
    root.call("SetDefaultPolicyVersion", json!({"PolicyId": id, "VersionId": 1})).await;
    assert_eq!(document(&root.call("GetPolicy", json!({"PolicyId": id})).await), ALLOW);
    let read = root.call("GetPolicyVersion", json!({"PolicyId": id, "VersionId": 2})).await;
    assert_eq!(read["PolicyVersion"]["Document"], DENY);
    for (action, params, code) in [
        (
            "DeletePolicyVersion",
            json!({"PolicyId": id, "VersionId": [1]}),
            "FailedOperation.PolicyVersionAlreadyDefault",
        ),
        (
            "GetPolicyVersion",
            json!({"PolicyId": id, "VersionId": 9}),
            "InvalidParameter.PolicyVersionNotExists",
        ),
        (
            "SetDefaultPolicyVersion",
            json!({"PolicyId": id, "VersionId": 4_294_967_296_u64}),
            "InvalidParameter.PolicyVersionNotExists",
        ),
        (
            "CreatePolicyVersion",
            json!({"PolicyId": 77, "PolicyDocument": ALLOW,
            "SetAsDefault": "false"}),
            "ResourceNotFound.PolicyIdNotFound",
        ),
    ] {
        assert_eq!(root.refused(action, params).await, code, "{action}");
    }
    for _ in 0..3 {
        let more = json!({"PolicyId": id, "PolicyDocument": ALLOW, "SetAsDefault": false});
        root.call("CreatePolicyVersion", more).await;
    }
    let full = json!({"PolicyId": id, "PolicyDocument": ALLOW, "SetAsDefault": false});
    assert_eq!(
        root.refused("CreatePolicyVersion", full).await,
        "FailedOperation.PolicyVersionFull"
    );
    root.call("DeletePolicyVersion", json!({"PolicyId": id, "VersionId": [2, 3]})).await;
    let left = root.call("ListPolicyVersions", json!({"PolicyId": id})).await;
    assert_eq!(left["Versions"].as_array().unwrap().len(), 3);
    // A preset has the one version that counts.
    let presets = root.call("ListPolicies", json!({"Scope": "QCS", "Rp": 1})).await;
    let preset = &presets["List"][0]["PolicyId"];
    let versions = root.call("ListPolicyVersions", json!({"PolicyId": preset})).await;
    assert_eq!(versions["Versions"].as_array().unwrap().len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn a_refused_document_names_its_fault() {
    let server = CamServer::start().await;
    let statement = |inside: &str| format!(r#"{{"version":"2.0","statement":[{{{inside}}}]}}"#);
    for (document, code) in [
        ("no json".to_owned(), "InvalidParameter.PolicyDocumentError"),
        (r#"{"version":"3.0","statement":[]}"#.to_owned(), "InvalidParameter.VersionError"),
        (
            statement(r#""effect":"Allow","action":"*","resource":"*""#),
            "InvalidParameter.EffectError",
        ),
        (
            statement(r#""effect":"allow","action":"x","resource":"*""#),
            "InvalidParameter.ActionError",
        ),
        (
            statement(r#""effect":"allow","action":"*","resource":"arn:x""#),
            "InvalidParameter.ResourceQcsError",
        ),
    ] {
        let params = json!({"PolicyName": "p", "PolicyDocument": document});
        assert_eq!(server.root.refused("CreatePolicy", params).await, code, "{document}");
    }
    server.stop().await;
}
