//! Console sessions (rule D-28): signing in over HTTP, and passing the gate with the cookie.

use super::*;
use crate::cam::client::Incoming;

const PASSWORD: &str = "Correct-密码-1";

/// A request of a browser without a signature.
fn browser(method: &str, target: &str, headers: &[(&str, &str)], body: &Value) -> Outgoing {
    let mut all = vec![("Host".to_owned(), "console.example".to_owned())];
    all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    Outgoing { method: method.into(), target: target.into(), headers: all, body }
}

const JSON: (&str, &str) = ("Content-Type", "application/json");

impl Gated {
    /// Lets alice sign in.
    async fn with_console(self) -> Self {
        let update = json!({"Name": "alice", "ConsoleLogin": 1, "Password": PASSWORD,
            "NeedResetPassword": 0});
        self.server.root.call("UpdateUser", update).await;
        self
    }

    async fn sign_in(&self, name: &str, password: &str) -> Incoming {
        let body = json!({"OwnerUin": ROOT, "Name": name, "Password": password});
        self.server.root.send(&browser("POST", "/gate/v1/session", &[JSON], &body)).await
    }

    /// The cookie of a new session, as a browser sends it back.
    async fn cookie(&self) -> String {
        let answer = self.sign_in("alice", PASSWORD).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let cookie = answer.header("set-cookie").unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }
}

/// A console's call, as Envoy sees it.
fn console_call(cookie: &str, action: &str, body: &Value) -> CheckRequest {
    let headers = [JSON, ("Cookie", cookie), ("X-TC-Action", action)];
    seen(&browser("POST", "/", &headers, body))
}

#[tokio::test]
async fn a_user_signs_in_and_passes_as_themselves() {
    let mut gated = Gated::plain().await.with_console().await;
    let answer = gated.sign_in("alice", PASSWORD).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["Uin"], gated.alice_uin);
    assert!(!answer.body.contains("camgate_session"));
    let cookie = answer.header("set-cookie").unwrap().to_owned();
    for part in ["; Path=/", "; HttpOnly", "; SameSite=Strict", "; Max-Age=7", "; Secure"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let cookie = cookie.split(';').next().unwrap();
    let told =
        gated.envoy(console_call(cookie, "DescribeConfInfo", &json!({"SdkAppId": APPS[1]}))).await;
    assert!(told.is_allowed(), "{told:?}");
    assert_eq!(told.set["x-camgate-uin"], gated.alice_uin.to_string());
    let told =
        gated.envoy(console_call(cookie, "DeleteAccount", &json!({"SdkAppId": APPS[1]}))).await;
    assert_eq!(told.api_code(), "AuthFailure.UnauthorizedOperation");
    let out = browser("DELETE", "/gate/v1/session", &[], &Value::Null);
    let out = gated.server.root.send(&out).await;
    assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"));
}

#[tokio::test]
async fn a_session_ends_with_the_password_and_with_the_right_to_sign_in() {
    let mut gated = Gated::plain().await.with_console().await;
    let call =
        |cookie: &str| console_call(cookie, "DescribeConfInfo", &json!({"SdkAppId": APPS[1]}));
    for change in [
        json!({"Name": "alice", "Password": "Another-密码-2", "NeedResetPassword": 0}),
        json!({"Name": "alice", "ConsoleLogin": 0}),
        json!({"Name": "alice", "NeedResetPassword": 1}),
    ] {
        let cookie = gated.cookie().await;
        assert!(gated.envoy(call(&cookie)).await.is_allowed());
        gated.server.root.call("UpdateUser", change.clone()).await;
        let told = gated.envoy(call(&cookie)).await;
        assert_eq!(told.api_code(), "AuthFailure.TokenFailure", "{change}");
        gated = gated.with_console().await;
    }
    let cookie = gated.cookie().await;
    gated.server.root.call("DeleteUser", json!({"Name": "alice", "Force": 1})).await;
    assert_eq!(gated.envoy(call(&cookie)).await.api_code(), "AuthFailure.TokenFailure");
}

#[tokio::test]
async fn tokens_of_one_kind_are_not_of_the_other() {
    let mut gated = Gated::plain().await.with_console().await;
    let outgoing = gated.server.root.post(
        crate::cam::client::STS,
        "GetSessionToken",
        &json!({"DurationSeconds": 900}),
    );
    let answer = gated.server.root.send(&outgoing).await.response();
    let token = answer["Credentials"]["Token"].as_str().unwrap();
    let cookie = format!("camgate_session={token}");
    let told = gated.envoy(console_call(&cookie, "DescribeIMAppList", &json!({}))).await;
    assert_eq!(told.api_code(), "AuthFailure.TokenFailure");
    let cookie = gated.cookie().await;
    gated.alice.credential.token = cookie.strip_prefix("camgate_session=").map(str::to_owned);
    let told = gated.call("DescribeConfInfo", json!({"SdkAppId": APPS[1]})).await;
    assert_eq!(told.api_code(), "AuthFailure.TokenFailure");
}

#[tokio::test]
async fn whoever_may_not_sign_in_is_told_the_same() {
    let gated = Gated::plain().await;
    // No console login, nobody, and the wrong password.
    let mut answers = vec![gated.sign_in("alice", PASSWORD).await];
    let gated = gated.with_console().await;
    answers.push(gated.sign_in("nobody", PASSWORD).await);
    answers.push(gated.sign_in("alice", "Wrong-1aaa").await);
    answers.push(gated.sign_in(&"长".repeat(200), PASSWORD).await);
    for answer in &answers {
        assert_eq!(answer.status, 401, "{answer:?}");
        assert_eq!(answer.body, answers[0].body);
        assert_eq!(answer.header("set-cookie"), None);
    }
    let reset = json!({"Name": "alice", "NeedResetPassword": 1});
    gated.server.root.call("UpdateUser", reset).await;
    assert_eq!(gated.sign_in("alice", PASSWORD).await.status, 403);
    // Ten attempts for one name, then one in thirty seconds.
    let mut last = 0;
    for _ in 0..11 {
        last = gated.sign_in("mallory", PASSWORD).await.status;
    }
    assert_eq!(last, 429);
}

#[tokio::test]
async fn only_json_with_the_three_members_signs_in() {
    let gated = Gated::plain().await.with_console().await;
    let whole = json!({"OwnerUin": ROOT, "Name": "alice", "Password": PASSWORD}).to_string();
    let twice = whole.replacen('{', r#"{"Name":"root","#, 1);
    let more = whole.replacen('{', r#"{"Remember":true,"#, 1);
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(1024 * 1024));
    for (kind, body, status) in [
        ("application/json; charset=utf-8", whole.as_str(), 200),
        ("application/x-www-form-urlencoded", &whole, 415),
        ("text/plain", &whole, 415),
        ("application/json", &twice, 400),
        ("application/json", &more, 400),
        ("application/json", "{", 400),
        ("application/json", "", 400),
        ("application/json", r#"{"OwnerUin":"x","Name":"a","Password":"b"}"#, 400),
        ("application/json", r#"{"OwnerUin":1,"Name":["a"],"Password":"b"}"#, 400),
        ("application/json", &long, 400),
    ] {
        let kind = [("Content-Type", kind)];
        let mut request = browser("POST", "/gate/v1/session", &kind, &Value::Null);
        request.body = body.as_bytes().to_vec();
        let answer = gated.server.root.send(&request).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
}
