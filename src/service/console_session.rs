//! `/gate/v1/session`: signing in to consoles with a password, and signing out.
//!
//! The session goes into a cookie that scripts cannot read and other sites cannot send. Only JSON
//! is taken, which no form of another site can post. It must never put a token into a body.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::post;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, SET_COOKIE};
use jiff::Timestamp;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::cam::error::CamError;
use super::http::receive;
use super::measured::{measured, of_http};
use super::status;
use crate::gate::SESSION_COOKIE;
use crate::gate::form::{FormValue, Members, read_json};
use crate::node::{Node, SignInError};

/// Where browsers sign in.
const PATH: &str = "/gate/v1/session";

/// How console sessions travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsoleSettings {
    /// Whether browsers send the cookie over TLS only.
    pub secure_cookie: bool,
}

impl Default for ConsoleSettings {
    fn default() -> Self {
        Self { secure_cookie: true }
    }
}

/// The routes of this surface.
pub(super) fn router(node: Arc<Node>, settings: ConsoleSettings) -> Router {
    let begin = move |request: Request| {
        let node = Arc::clone(&node);
        async move {
            let meter = node.meters().of("console", "sign_in");
            let ending =
                |it: &Result<Begun, _>| it.as_ref().err().map(|(status, _)| of_http(*status));
            let answer = match measured(&node, &meter, sign_in(&node, request), ending).await {
                Ok(Begun { cookie, seconds, body }) => {
                    let cookie = cookie_text(&cookie, seconds, settings);
                    (StatusCode::OK, body, Some(cookie))
                }
                Err((status, error)) => {
                    let error = json!({"Code": error.code, "Message": error.message});
                    (status, json!({"Error": error}), None)
                }
            };
            respond(answer)
        }
    };
    let end =
        async move || respond((StatusCode::OK, json!({}), Some(cookie_text("", 0, settings))));
    Router::new().route(PATH, post(begin).delete(end))
}

struct Begun {
    cookie: Zeroizing<String>,
    seconds: i64,
    body: Value,
}

async fn sign_in(node: &Node, request: Request) -> Result<Begun, (StatusCode, CamError)> {
    let bad = |error: CamError| (StatusCode::BAD_REQUEST, error);
    let received = receive::receive(request).await.map_err(|error| {
        let is_busy = error.code == receive::TOO_MUCH;
        let status =
            if is_busy { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::BAD_REQUEST };
        (status, error)
    })?;
    let kind = received.header("content-type").unwrap_or_default();
    let media = kind.split(';').next().unwrap_or_default().trim();
    if !media.eq_ignore_ascii_case("application/json") {
        let message = "the content type must be `application/json`";
        let error = CamError::new("InvalidRequest", message);
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, error));
    }
    let body = Zeroizing::new(received.body);
    let members = read_json(&body)
        .map_err(|fault| bad(CamError::new("InvalidParameter", fault.to_string())))?;
    let (owner_uin, name, password) = credentials(members).map_err(bad)?;
    let source: IpAddr = received.peer;
    let signed_in = node.sign_in(owner_uin, &name, password, source).await.map_err(refused)?;
    let ends = Timestamp::from_millisecond(signed_in.expires_at_ms);
    let seconds = signed_in.expires_at_ms.saturating_sub(node.now().0) / 1_000;
    let body = json!({
        "Uin": signed_in.uin,
        "OwnerUin": owner_uin,
        "ExpiresAt": ends.map(|at| at.to_string()).unwrap_or_default(),
    });
    Ok(Begun { cookie: signed_in.token, seconds, body })
}

/// The three members; others are not known.
fn credentials(mut members: Members) -> Result<(u64, String, Zeroizing<String>), CamError> {
    let owner_uin = match members.remove("OwnerUin") {
        Some(FormValue::Number(number)) => number.as_u64(),
        Some(FormValue::Text(text)) => text.parse().ok(),
        _ => None,
    };
    let owner_uin =
        owner_uin.ok_or_else(|| CamError::bad_type("OwnerUin", "the uin of the account"))?;
    let mut text = |name: &str| match members.remove(name) {
        Some(FormValue::Text(text)) => Ok(text),
        _ => Err(CamError::bad_type(name, "a text")),
    };
    let (name, password) = (text("Name")?, Zeroizing::new(text("Password")?));
    match members.keys().next() {
        Some(_) => {
            let message = "only `OwnerUin`, `Name` and `Password` are known: leave others out";
            Err(CamError::new("UnknownParameter", message))
        }
        None => Ok((owner_uin, name, password)),
    }
}

fn refused(error: SignInError) -> (StatusCode, CamError) {
    let message = error.to_string();
    match error {
        SignInError::Wrong => {
            (StatusCode::UNAUTHORIZED, CamError::new("AuthFailure.SignInFailure", message))
        }
        SignInError::MustReset => {
            (StatusCode::FORBIDDEN, CamError::new("AuthFailure.PasswordExpired", message))
        }
        SignInError::TooMany => {
            (StatusCode::TOO_MANY_REQUESTS, CamError::new("RequestLimitExceeded", message))
        }
        SignInError::Node(error) => (StatusCode::SERVICE_UNAVAILABLE, status::cam(error)),
    }
}

/// The cookie; none of its parts can end it early, for a token is letters, digits, `-` and `_`.
fn cookie_text(token: &str, seconds: i64, settings: ConsoleSettings) -> Zeroizing<String> {
    let secure = if settings.secure_cookie { "; Secure" } else { "" };
    Zeroizing::new(format!(
        "{SESSION_COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}"
    ))
}

fn respond((status, body, cookie): (StatusCode, Value, Option<Zeroizing<String>>)) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(Ok(mut cookie)) = cookie.map(|cookie| HeaderValue::from_str(&cookie)) {
        cookie.set_sensitive(true);
        headers.insert(SET_COOKIE, cookie);
    }
    response
}
