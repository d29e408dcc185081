//! The tower layer around an axum router and around a gRPC service.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use camgate::layer::{Answer, AskError, Decider, GateLayer, Refused};
use http::request::Parts;
use http::{Request, StatusCode};
use tower_layer::Layer as _;
use tower_service::Service as _;

use super::*;

/// A decider that says what the test wants.
#[derive(Debug)]
struct Says(Result<bool, AskError>);

impl Decider for Says {
    async fn ask(&self, _: &Question, _: Option<&str>) -> Result<Answer, AskError> {
        self.0.clone().map(|is_allowed| Answer {
            is_allowed,
            reason: if is_allowed { "allow" } else { "explicit_deny:identity" }.into(),
            revision: String::new(),
            decision_id: "d-1".into(),
            filter: None,
            age_ms: 0,
            is_cached: false,
        })
    }
}

fn map(parts: &Parts) -> Result<Question, Refused> {
    assert!(parts.headers.get("x-camgate-uin").is_none());
    let uin = parts.headers.get("x-user").ok_or(Refused("nobody calls".into()))?;
    let uin = uin.to_str().unwrap().parse().unwrap();
    Ok(question(uin, "im:DescribeConfInfo", APPS[1]))
}

async fn seen(request: Request<Body>) -> String {
    let reason = request.extensions().get::<Answer>().map(|answer| answer.reason.clone());
    let forged = request.headers().contains_key("x-camgate-uin");
    format!("{reason:?} {forged}")
}

async fn call(decider: Says, headers: &[(&str, &str)]) -> (StatusCode, String, http::HeaderMap) {
    let router = Router::new().route("/", get(seen));
    let mut service = GateLayer::new(Arc::new(decider), map).layer(router);
    let mut request = Request::builder().uri("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = service.call(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 10_000).await.unwrap();
    (parts.status, String::from_utf8(bytes.to_vec()).unwrap(), parts.headers)
}

#[tokio::test]
async fn only_an_allow_reaches_the_service() {
    let user = ("x-user", "7");
    let (status, body, _) = call(Says(Ok(true)), &[user, ("X-Camgate-Uin", "1")]).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, r#"Some("allow") false"#));
    for (decider, headers, text) in [
        (Says(Ok(false)), vec![user], "not authorized: explicit_deny:identity"),
        (Says(Ok(true)), vec![], "nobody calls"),
        (Says(Err(AskError::NoSnapshot { owner_uin: 1 })), vec![user], "no snapshot"),
        (Says(Err(AskError::Deadline { deadline_ms: 5 })), vec![user], "within 5 ms"),
    ] {
        let (status, body, headers) = call(decider, &headers).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert_eq!(headers["content-type"], "application/json");
        assert!(body.contains(text) && body.contains("UnauthorizedOperation"), "{body}");
    }
}

#[tokio::test]
async fn grpc_services_are_refused_in_their_own_way() {
    #[derive(Clone)]
    struct Inner;
    impl tower_service::Service<Request<tonic::body::Body>> for Inner {
        type Response = http::Response<tonic::body::Body>;
        type Error = std::convert::Infallible;
        type Future = std::future::Ready<Result<Self::Response, Self::Error>>;
        fn poll_ready(
            &mut self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), Self::Error>> {
            std::task::Poll::Ready(Ok(()))
        }
        fn call(&mut self, _: Request<tonic::body::Body>) -> Self::Future {
            std::future::ready(Ok(http::Response::new(tonic::body::Body::default())))
        }
    }
    for (decider, status) in [(Says(Ok(false)), Some("7")), (Says(Ok(true)), None)] {
        let mut service = GateLayer::new(Arc::new(decider), map).layer(Inner);
        let request = Request::builder()
            .header("content-type", "application/grpc")
            .header("x-user", "7")
            .body(tonic::body::Body::default())
            .unwrap();
        let response = service.call(request).await.unwrap();
        let found = response.headers().get("grpc-status").map(|it| it.to_str().unwrap());
        assert_eq!((response.status(), found), (StatusCode::OK, status));
    }
}
