//! A small client of the API: signs by its own reading of the specification, and speaks HTTP by
//! hand, so that what is sent is what the test says.

use std::net::SocketAddr;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) const CAM: (&str, &str) = ("cam", "2019-01-16");
pub(crate) const STS: (&str, &str) = ("sts", "2018-08-13");

/// A key that signs, with the token of a temporary one.
#[derive(Debug, Clone)]
pub(crate) struct Credential {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
}

/// One request, still to be changed by a test that wants it wrong.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Incoming {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Incoming {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The inside of the envelope; every answer of the API has one, and a request id.
    pub(crate) fn response(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        let body: Value = serde_json::from_str(&self.body).unwrap();
        let response = body["Response"].clone();
        assert!(response["RequestId"].as_str().is_some_and(|id| !id.is_empty()), "{self:?}");
        response
    }

    /// The code of a refusal; empty for a success.
    pub(crate) fn code(&self) -> String {
        self.response()["Error"]["Code"].as_str().unwrap_or_default().to_owned()
    }
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Signs as the official Python client does: content type and host.
pub(crate) fn authorization(
    credential: &Credential,
    service: &str,
    timestamp: i64,
    request: &Outgoing,
) -> String {
    let header = |name: &str| {
        let found = request.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone()).unwrap()
    };
    let query = request.target.split_once('?').map_or("", |(_, query)| query);
    let canonical = format!(
        "{}\n/\n{query}\ncontent-type:{}\nhost:{}\n\ncontent-type;host\n{}",
        request.method,
        header("content-type"),
        header("host"),
        hex(&Sha256::digest(&request.body)),
    );
    let date = jiff::Timestamp::from_second(timestamp).unwrap().strftime("%Y-%m-%d").to_string();
    let scope = format!("{date}/{service}/tc3_request");
    let hash = hex(&Sha256::digest(canonical.as_bytes()));
    let to_sign = format!("TC3-HMAC-SHA256\n{timestamp}\n{scope}\n{hash}");
    let mut key = format!("TC3{}", credential.secret).into_bytes();
    for part in [date.as_str(), service, "tc3_request"] {
        key = hmac(&key, part);
    }
    let signature = hex(&hmac(&key, &to_sign));
    let id = &credential.id;
    format!(
        "TC3-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders=content-type;host, \
         Signature={signature}"
    )
}

/// A client of one server.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) credential: Credential,
}

impl Client {
    /// A signed POST of an action, to send or to spoil.
    pub(crate) fn post(&self, service: (&str, &str), action: &str, params: &Value) -> Outgoing {
        let body = params.to_string().into_bytes();
        let mut request = self.request("POST", "/", "application/json", service, action, body);
        self.sign(&mut request, service.0, jiff::Timestamp::now().as_second());
        request
    }

    /// A signed GET of an action, with a query as it stands.
    pub(crate) fn get(&self, service: (&str, &str), action: &str, query: &str) -> Outgoing {
        let form = "application/x-www-form-urlencoded";
        let target = if query.is_empty() { "/".to_owned() } else { format!("/?{query}") };
        let mut request = self.request("GET", &target, form, service, action, Vec::new());
        self.sign(&mut request, service.0, jiff::Timestamp::now().as_second());
        request
    }

    fn request(
        &self,
        method: &str,
        target: &str,
        content_type: &str,
        (_, version): (&str, &str),
        action: &str,
        body: Vec<u8>,
    ) -> Outgoing {
        let mut headers = vec![
            ("Host".to_owned(), self.address.to_string()),
            ("Content-Type".to_owned(), content_type.to_owned()),
            ("X-TC-Action".to_owned(), action.to_owned()),
            ("X-TC-Version".to_owned(), version.to_owned()),
        ];
        if let Some(token) = &self.credential.token {
            headers.push(("X-TC-Token".to_owned(), token.clone()));
        }
        Outgoing { method: method.to_owned(), target: target.to_owned(), headers, body }
    }

    /// Signs a request anew, at a time.
    pub(crate) fn sign(&self, request: &mut Outgoing, service: &str, timestamp: i64) {
        request.headers.retain(|(name, _)| name != "Authorization" && name != "X-TC-Timestamp");
        let value = authorization(&self.credential, service, timestamp, request);
        request.headers.push(("Authorization".to_owned(), value));
        request.headers.push(("X-TC-Timestamp".to_owned(), timestamp.to_string()));
    }

    /// Sends a request on a connection of its own.
    pub(crate) async fn send(&self, request: &Outgoing) -> Incoming {
        let Outgoing { method, target, headers, body } = request;
        let mut text = format!("{method} {target} HTTP/1.1\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("Content-Length: {}\r\nConnection: close\r\n\r\n", body.len()));
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(body);
        // A server that has refused already may close before everything is written.
        let _ = stream.write_all(&bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        parse(&String::from_utf8(answer).unwrap())
    }

    /// Calls an action of CAM and gives what came back.
    pub(crate) async fn raw(&self, action: &str, params: Value) -> Incoming {
        self.send(&self.post(CAM, action, &params)).await
    }

    /// Calls an action of CAM that must succeed.
    pub(crate) async fn call(&self, action: &str, params: Value) -> Value {
        let response = self.raw(action, params).await.response();
        assert_eq!(response["Error"], Value::Null, "{action}: {response}");
        response
    }

    /// Calls an action of CAM that must be refused; gives the code.
    pub(crate) async fn refused(&self, action: &str, params: Value) -> String {
        let code = self.raw(action, params.clone()).await.code();
        assert_ne!(code, "", "{action} {params} was not refused");
        code
    }

    /// The same server with another key.
    pub(crate) fn with(&self, id: &Value, secret: &Value) -> Self {
        let text = |it: &Value| it.as_str().unwrap().to_owned();
        let credential = Credential { id: text(id), secret: text(secret), token: None };
        Self { address: self.address, credential }
    }

    /// A new user with a key, and a client that signs with it.
    pub(crate) async fn new_user(&self, name: &str) -> (u64, Self) {
        let added = self.call("AddUser", json!({"Name": name, "UseApi": 1})).await;
        (added["Uin"].as_u64().unwrap(), self.with(&added["SecretId"], &added["SecretKey"]))
    }
}

pub(super) fn parse(text: &str) -> Incoming {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    Incoming { status, headers: headers.collect(), body: body.to_owned() }
}
