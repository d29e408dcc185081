//! The HTTP surfaces that services call, and Envoy's: known callers only, each in its own words.

use camgate::directory::service_caller::Right;
use camgate::service::bearer::Link;
use camgate::service::envoy::auth::CheckRequest;
use camgate::service::envoy::auth::authorization_client::AuthorizationClient;
use camgate::service::envoy::auth::check_response::HttpResponse;
use camgate::service::proto as pb;
use camgate::service::proto::administration_service_client::AdministrationServiceClient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::service::interceptor::InterceptedService;

use super::{Bearer, Guarded, OTHER, ROOT, all_in, bearer, only};

/// The status of a request of the HTTP port.
async fn ask(server: &Guarded, request: &str, headers: &[(&str, &str)], body: &str) -> u16 {
    let answer = send(server, request, headers, body).await;
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

/// The answer to a document that a caller sends.
pub(crate) async fn post(server: &Guarded, path: &str, token: &str, body: &str) -> String {
    let bearer = format!("Bearer {token}");
    let headers = [("Content-Type", "application/json"), ("Authorization", bearer.as_str())];
    send(server, &format!("POST {path}"), &headers, body).await
}

async fn send(server: &Guarded, request: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut stream = TcpStream::connect(server.http).await.unwrap();
    let headers: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let text = format!(
        "{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\
         {headers}\r\n{body}"
    );
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn evaluation(owner_uin: u64) -> String {
    format!(
        r#"{{"subject": {{"type": "user", "id": "{owner_uin}"}},
            "action": {{"name": "im:CheckIfIMNewUser"}},
            "resource": {{"type": "qcs", "id": "*"}}}}"#
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn authzen_is_for_who_may_check_and_who_may_explain() {
    let server = Guarded::start().await;
    let check = server.caller("check", only(Right::Check)).await;
    let explain = server.caller("explain", only(Right::Explain)).await;
    let here = server.caller("here", all_in(ROOT)).await;
    let search = format!(
        r#"{{"subject": {{"type": "user", "id": "{ROOT}"}}, "resource": {{"type": "qcs", "id": "*"}}}}"#
    );
    let json = ("Content-Type", "application/json");
    for (path, body, token, expected) in [
        ("evaluation", evaluation(ROOT), Some(&check), 200),
        ("evaluation", evaluation(ROOT), Some(&explain), 403),
        ("evaluation", evaluation(ROOT), None, 401),
        ("evaluation", evaluation(OTHER), Some(&here), 403),
        ("search/action", search.clone(), Some(&explain), 200),
        ("search/action", search.clone(), Some(&check), 403),
        ("search/action", search, None, 401),
    ] {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![json];
        headers.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
        let found = ask(&server, &format!("POST /access/v1/{path}"), &headers, &body).await;
        assert_eq!(found, expected, "{path} {token:?} {body}");
    }
    // Where to ask, and how the node is, everybody may know.
    for path in ["/.well-known/authzen-configuration", "/healthz", "/readyz", "/metrics"] {
        assert_eq!(ask(&server, &format!("GET {path}"), &[], "").await, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxies_are_known_by_a_header_that_is_no_clients() {
    let server = Guarded::start().await;
    let check = server.caller("check", only(Right::Check)).await;
    let explain = server.caller("explain", only(Right::Explain)).await;
    let proxied = [
        ("X-Original-URI", "/"),
        ("X-Original-Method", "GET"),
        ("X-Forwarded-For", "203.0.113.7"),
        // A client's own header is not the proxy's.
        ("Authorization", "TC3-HMAC-SHA256 Credential=x"),
    ];
    let with = |token| [proxied.as_slice(), &[("X-Camgate-Token", token)]].concat();
    let path = "GET /gate/v1/forward-auth";
    let nobody = ask(&server, path, &proxied, "").await;
    let refused = ask(&server, path, &with(explain.as_str()), "").await;
    // Known, and then refused for what the client sent.
    let known = ask(&server, path, &with(check.as_str()), "").await;
    assert_eq!((nobody, refused), (401, 403));
    // What a client shows to the API is not the proxy's, were it a token that counts.
    let bearer = format!("Bearer {check}");
    let client = [&proxied[..3], &[("Authorization", bearer.as_str())]].concat();
    let answer = send(&server, path, &client, "").await;
    assert!(answer.contains("AuthFailure.UnknownCaller"), "{answer}");
    let foreign = [&proxied[..3], &[("Authorization", "Bearer x"), ("X-Camgate-Token", &check)]];
    let answer = send(&server, path, &foreign.concat(), "").await;
    assert!(!answer.contains("UnknownCaller") && !answer.contains("200 OK"), "{answer}");
    assert!(known == 401 || known == 403, "{known}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn envoy_gets_a_denial_and_never_an_error() {
    let server = Guarded::start().await;
    let explain = server.caller("explain", only(Right::Explain)).await;
    for bearer in [Bearer::default(), bearer("cgt_x"), bearer(&explain)] {
        let link = InterceptedService::new(server.channel.clone(), bearer);
        let mut envoy = AuthorizationClient::new(link);
        // An error could let the request go on, with `failure_mode_allow`.
        let answer = envoy.check(CheckRequest::default()).await.unwrap().into_inner();
        assert_ne!(answer.status.unwrap().code, 0);
        assert!(matches!(answer.http_response, Some(HttpResponse::DeniedResponse(_))));
    }
}

#[cfg(feature = "layer")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deciders_inside_services_show_their_token() {
    use camgate::layer::{AskError, Credentials, Decider, Embedded, EmbeddedSettings};
    use camgate::layer::{Question, Remote, RemoteSettings};

    let server = Guarded::start().await;
    let token = server.caller("here", all_in(ROOT)).await;
    let mut admin = AdministrationServiceClient::new(Link::new(
        server.channel.clone(),
        bearer(&server.caller("administrator", only(Right::Administer)).await),
    ));
    let request = pb::CreateAccountRequest { owner_uin: ROOT, app_id: 1, options: None };
    admin.create_account(request).await.unwrap();
    let url = format!("http://{}", server.grpc);
    let question = Question {
        owner_uin: ROOT,
        uin: ROOT,
        action: "im:CheckIfIMNewUser".to_owned(),
        resource: "*".to_owned(),
        context: Default::default(),
        accepts_filter: false,
    };
    let shown = |token: Option<&str>| Credentials {
        token: token.map(str::to_owned),
        ..Credentials::default()
    };
    let remote = |credentials| {
        Remote::new(RemoteSettings {
            server: url.clone(),
            credentials,
            ..RemoteSettings::default()
        })
    };
    let known = remote(shown(Some(&token))).unwrap();
    assert!(known.ask(&question, None).await.unwrap().is_allowed);
    for credentials in [shown(None), shown(Some("cgt_x"))] {
        let refused = remote(credentials).unwrap().ask(&question, None).await.unwrap_err();
        assert!(matches!(refused, AskError::Unavailable(_)), "{refused}");
    }
    assert!(remote(shown(Some("\n"))).is_err());
    assert!(!format!("{:?}", shown(Some(&token))).contains(&token));
    let settings = EmbeddedSettings {
        server: url.clone(),
        credentials: shown(Some(&token)),
        ..EmbeddedSettings::new(ROOT)
    };
    let embedded = Embedded::start(settings).await.unwrap();
    let answered = async {
        loop {
            if let Ok(answer) = embedded.ask(&question, None).await {
                break answer;
            }
            tokio::task::yield_now().await;
        }
    };
    let answer = tokio::time::timeout(std::time::Duration::from_secs(20), answered).await.unwrap();
    assert!(answer.is_allowed);
}
