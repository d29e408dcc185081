//! Decoding: what the official clients send, and what nobody should.

use super::decode::{Form, decode};
use super::description::Description;
use super::error::CamError;
use super::params::Params;

fn read(action: &str, form: Form<'_>) -> Result<Params, CamError> {
    let description = Description::embedded().unwrap();
    let service = description.service("cam").unwrap();
    decode(service, service.action(action).unwrap(), form)
}

fn json(action: &str, text: &str) -> Result<Params, CamError> {
    read(action, Form::Json(text.as_bytes()))
}

fn query(action: &str, text: &str) -> Result<Params, CamError> {
    read(action, Form::Query(text))
}

#[test]
fn integers_come_as_numbers_or_as_digits() {
    for text in [r#"{"PolicyId":524497}"#, r#"{"PolicyId":"524497"}"#, r#" {"PolicyId" : 524497} "#]
    {
        assert_eq!(json("GetPolicy", text).unwrap().number("PolicyId"), Some(524_497), "{text}");
    }
    let greatest = r#"{"PolicyId":18446744073709551615}"#;
    assert_eq!(json("GetPolicy", greatest).unwrap().number("PolicyId"), Some(u64::MAX));
    for bad in [
        "-1",
        "1.0",
        "1e3",
        "18446744073709551616",
        "true",
        r#""""#,
        r#"" 1""#,
        r#""+1""#,
        r#""1.0""#,
        r#""١""#,
        "[1]",
        "{}",
    ] {
        let error = json("GetPolicy", &format!(r#"{{"PolicyId":{bad}}}"#)).unwrap_err();
        assert_eq!(error.code, "InvalidParameter", "{bad}");
        assert!(error.message.contains("`PolicyId`"), "{bad}: {}", error.message);
    }
}

#[test]
fn texts_are_not_numbers() {
    let error = json("GetUser", r#"{"Name":5}"#).unwrap_err();
    assert_eq!(error.code, "InvalidParameter");
    assert_eq!(json("GetUser", r#"{"Name":"群组"}"#).unwrap().text("Name"), Some("群组"));
}

#[test]
fn what_is_missing_unknown_or_there_twice_is_refused() {
    for (action, text, code, part) in [
        ("GetPolicy", "", "MissingParameter", "`PolicyId`"),
        ("GetPolicy", "{}", "MissingParameter", "`PolicyId`"),
        ("GetPolicy", r#"{"PolicyId":null}"#, "MissingParameter", "`PolicyId`"),
        ("GetPolicy", r#"{"PolicyId":1,"Policyid":1}"#, "UnknownParameter", "`Policyid`"),
        ("GetPolicy", r#"{"PolicyId":1,"PolicyId":1}"#, "InvalidParameter", "occurs twice"),
        ("GetPolicy", "[]", "InvalidParameter", "object"),
        ("GetPolicy", "{", "InvalidParameter", "object"),
        ("GetPolicy", r#"{"PolicyId":1} {}"#, "InvalidParameter", "object"),
        ("ListUsers", r#"{"Page":1}"#, "UnknownParameter", "`Page`"),
        (
            "AddUserToGroup",
            r#"{"Info":[{"GroupId":1,"uin":2}]}"#,
            "UnknownParameter",
            "`Info.0.uin`",
        ),
        ("AddUserToGroup", r#"{"Info":[1]}"#, "InvalidParameter", "`Info.0`"),
        ("AddUserToGroup", r#"{"Info":{"0":{"GroupId":1}}}"#, "InvalidParameter", "`Info`"),
        ("UpdatePolicy", r#"{"Description":"x"}"#, "MissingParameter", "`PolicyName`"),
        ("ListPoliciesGrantingServiceAccess", "{}", "InvalidParameter.ParamError", "exactly one"),
        (
            "ListPoliciesGrantingServiceAccess",
            r#"{"TargetUin":1,"GroupId":2}"#,
            "InvalidParameter.ParamError",
            "exactly one",
        ),
        ("ListPolicies", r#"{"Scope":"all"}"#, "InvalidParameter.ScopeError", "`QCS`"),
        ("ListPolicies", r#"{"Rp":201}"#, "InvalidParameterValue", "1 to 200"),
        ("ListPolicies", r#"{"Page":"0"}"#, "InvalidParameterValue", "1 to 200"),
    ] {
        let error = json(action, text).unwrap_err();
        assert_eq!(error.code, code, "{action} {text}: {}", error.message);
        assert!(error.message.contains(part), "{action} {text}: {}", error.message);
    }
    let many = format!(r#"{{"FilterSubAccountUin":[{}1]}}"#, "1,".repeat(50));
    assert_eq!(json("DescribeSubAccounts", &many).unwrap_err().code, "InvalidParameterValue");
}

#[test]
fn a_query_says_the_same_as_json() {
    let pairs = [
        ("GetPolicy", "PolicyId=17698703", r#"{"PolicyId":17698703}"#),
        ("DeletePolicy", "PolicyId.1=8&PolicyId.0=7", r#"{"PolicyId":[7,8]}"#),
        (
            "AddUserToGroup",
            "Info.0.GroupId=1&Info.0.Uin=2&Info.1.GroupId=3&Info.1.Uid=4",
            r#"{"Info":[{"GroupId":1,"Uin":2},{"GroupId":3,"Uid":4}]}"#,
        ),
        (
            "CreatePolicyVersion",
            "PolicyId=1&PolicyDocument=%7B%7D&SetAsDefault=true",
            r#"{"PolicyId":1,"PolicyDocument":"{}","SetAsDefault":true}"#,
        ),
        ("GetUser", "Name=%E7%BE%A4+a%2Bb", r#"{"Name":"群 a+b"}"#),
        ("ListUsers", "", "{}"),
    ];
    for (action, text, same) in pairs {
        assert_eq!(query(action, text).unwrap(), json(action, same).unwrap(), "{text}");
    }
    for (action, text, code) in [
        ("GetPolicy", "PolicyId=1&PolicyId=2", "InvalidParameter"),
        ("DeletePolicy", "PolicyId=1", "InvalidParameter"),
        ("DeletePolicy", "PolicyId.0=1&PolicyId.2=2", "InvalidParameter"),
        ("DeletePolicy", "PolicyId.00=1", "InvalidParameter"),
        ("DeletePolicy", "PolicyId.0=1&PolicyId.0.x=1", "InvalidParameter"),
        ("GetUser", "Name=%ff", "InvalidParameter"),
        ("GetUser", "a.b.c.d.e.f.g=1", "InvalidParameter"),
        ("GetUser", "Name=x&x", "UnknownParameter"),
    ] {
        assert_eq!(query(action, text).unwrap_err().code, code, "{text}");
    }
    let many: String = (0..1_001).map(|number| format!("x{number}=1&")).collect();
    assert_eq!(query("GetUser", &many).unwrap_err().code, "RequestSizeLimitExceeded");
}

#[test]
fn deep_bodies_do_not_exhaust_the_stack() {
    let deep = format!("{}{}", r#"{"a":"#.repeat(10_000), "}".repeat(10_000));
    assert_eq!(json("GetUser", &deep).unwrap_err().code, "InvalidParameter");
}
