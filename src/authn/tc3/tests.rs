//! The specification's vectors, every refusal, and a small signer whose requests must verify.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::canonical::{canonical_request, payload_hash};
use super::*;
use crate::lang::hex::hex;

const SECRET_ID: &str = "AKIDEXAMPLE000000000000000000000000";
const SECRET_KEY: &str = "SKEXAMPLE00000000000000000000000";
const TIMESTAMP: i64 = 1_717_200_000;
const NOW_MS: i64 = TIMESTAMP * 1_000;
const POST_BODY: &str = r#"{"PolicyName":"im-ops","PolicyDocument":"{\"version\":\"2.0\",\"statement\":[{\"effect\":\"allow\",\"action\":[\"name/im:Describe*\"],\"resource\":[\"*\"]}]}"}"#;
const POST_SIGNATURE: &str = "ee080d2a17af9250430a3abfa1bd21aeea970ce8f584b4696bc90c217197227b";
const GET_SIGNATURE: &str = "36d26cc07e24a8aa3fa9b0cf01fc2a6d5b9ae7013bbcbcca1e62d5c2b771e832";

/// A request that owns its parts.
#[derive(Debug, Clone)]
struct Owned {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Owned {
    fn post(body: &str) -> Self {
        let content_type = "application/json";
        Self { body: body.into(), ..Self::new("POST", "", content_type) }
    }

    fn get(query: &str) -> Self {
        Self::new("GET", query, "application/x-www-form-urlencoded")
    }

    fn new(method: &str, query: &str, content_type: &str) -> Self {
        let headers = [
            ("Host", "cam.example.test".to_owned()),
            ("Content-Type", content_type.to_owned()),
            ("X-TC-Timestamp", TIMESTAMP.to_string()),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.into_bytes()));
        let (method, path, query) = (method.to_owned(), "/".to_owned(), query.to_owned());
        Self { method, path, query, headers: headers.into(), body: Vec::new() }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.and(name, value)
    }

    fn and(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.as_bytes().to_vec()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }

    fn value(&self, name: &str) -> String {
        let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        String::from_utf8(found.unwrap().1.clone()).unwrap().trim().to_owned()
    }

    fn with_parts<T>(&self, read: impl FnOnce(&RequestParts<'_>) -> T) -> T {
        let headers: Vec<(&str, &[u8])> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let Self { method, path, query, body, .. } = self;
        read(&RequestParts { method, path, query, headers: &headers, body })
    }

    /// Signs as the specification's formula reads, with this test's own code.
    fn sign(self, signed: &[&str], secret: &str) -> Self {
        let mut text = format!("{}\n{}\n{}\n", self.method, self.path, self.query);
        for name in signed {
            writeln!(text, "{}:{}", name.to_lowercase(), self.value(name)).unwrap();
        }
        let names = signed.join(";").to_lowercase();
        let is_unsigned = self.headers.iter().any(|(name, _)| name == "X-TC-Content-SHA256");
        let payload = if is_unsigned { b"UNSIGNED-PAYLOAD".as_slice() } else { &self.body };
        write!(text, "\n{names}\n{}", sha(payload)).unwrap();
        let timestamp = self.value("x-tc-timestamp");
        let date = "2024-06-01";
        let text = format!(
            "TC3-HMAC-SHA256\n{timestamp}\n{date}/cam/tc3_request\n{}",
            sha(text.as_bytes())
        );
        let mut key = format!("TC3{secret}").into_bytes();
        for step in [date, "cam", "tc3_request", &text] {
            key = mac(&key, step);
        }
        let signature = hex(&key);
        let header = format!(
            "TC3-HMAC-SHA256 Credential={SECRET_ID}/{date}/cam/tc3_request, \
             SignedHeaders={names}, Signature={signature}"
        );
        self.with("Authorization", &header)
    }

    fn read(&self) -> Result<SignedRequest, Tc3Error> {
        self.read_at(NOW_MS)
    }

    fn read_at(&self, now_ms: i64) -> Result<SignedRequest, Tc3Error> {
        self.with_parts(|parts| read(parts, "cam", now_ms))
    }

    fn verify(&self, secret: &str) -> Result<Verified, Tc3Error> {
        self.read()?.verify(&SecretKey::parse(secret).unwrap())
    }
}

fn sha(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn header(signature: &str) -> String {
    format!(
        "TC3-HMAC-SHA256 Credential={SECRET_ID}/2024-06-01/cam/tc3_request, \
         SignedHeaders=content-type;host, Signature={signature}"
    )
}

const USUAL: &[&str] = &["content-type", "host"];

fn signed_post() -> Owned {
    Owned::post(POST_BODY).sign(USUAL, SECRET_KEY)
}

#[test]
fn the_vectors_of_the_specification_verify() {
    let post = Owned::post(POST_BODY).with("Authorization", &header(POST_SIGNATURE));
    let signed: Vec<String> = USUAL.iter().map(|name| (*name).to_owned()).collect();
    post.with_parts(|parts| {
        let hash = hex(&payload_hash(parts).unwrap());
        assert_eq!(hash, "975fd1c7e370b2715c7935e8fcca3559f16971ef6b374f9182a378547bac51d1");
        let hash = sha(&canonical_request(parts, &signed).unwrap());
        assert_eq!(hash, "e3ffd74642371490b72978497c0e455aefca02b784030cf5da93bf11f719e7eb");
    });
    assert_eq!(post.verify(SECRET_KEY).unwrap().secret_id(), SECRET_ID);
    let get = Owned::get("PolicyId=17698703").with("Authorization", &header(GET_SIGNATURE));
    assert!(get.verify(SECRET_KEY).is_ok());
    assert!(matches!(get.verify("SKEXAMPLE00000000000000000000001"), Err(Tc3Error::Signature)));
    let swapped = Owned::post(POST_BODY).with("Authorization", &header(GET_SIGNATURE));
    assert!(matches!(swapped.verify(SECRET_KEY), Err(Tc3Error::Signature)));
}

#[test]
fn clients_may_sign_more_headers_in_any_order() {
    let request = Owned::post("{}")
        .with("X-TC-Action", " ListUsers ")
        .with("Content-Type", "application/json; charset=utf-8");
    for signed in [
        ["host", "content-type", "x-tc-action"].as_slice(),
        &["X-TC-Action", "Content-Type", "Host"],
        &["content-type", "host", "x-tc-timestamp"],
    ] {
        assert!(request.clone().sign(signed, SECRET_KEY).verify(SECRET_KEY).is_ok());
    }
    let signed = request.sign(&["content-type", "host", "x-tc-action"], SECRET_KEY);
    let other = signed.with("X-TC-Action", "DeleteUser");
    assert_eq!(other.verify(SECRET_KEY).unwrap_err(), Tc3Error::Signature);
}

#[test]
fn an_unsigned_body_may_change_only_when_it_is_declared() {
    let request = Owned::post("{}").with("X-TC-Content-SHA256", "UNSIGNED-PAYLOAD");
    let mut signed = request.sign(USUAL, SECRET_KEY);
    signed.body = b"other".to_vec();
    assert!(signed.verify(SECRET_KEY).is_ok());
    let undeclared = signed.clone().without("X-TC-Content-SHA256");
    assert_eq!(undeclared.verify(SECRET_KEY).unwrap_err(), Tc3Error::Signature);
    let declared = signed_post().with("X-TC-Content-SHA256", "UNSIGNED-PAYLOAD");
    assert_eq!(declared.verify(SECRET_KEY).unwrap_err(), Tc3Error::Signature);
    for value in ["", "unsigned-payload", &sha(b"other")] {
        let error = signed.clone().with("X-TC-Content-SHA256", value).read().unwrap_err();
        assert_eq!(error, Tc3Error::BadPayloadHash);
    }
}

#[test]
fn the_window_is_five_minutes_to_both_sides() {
    let signed = signed_post();
    for now_ms in [NOW_MS - 300_000, NOW_MS + 300_000, NOW_MS] {
        assert!(signed.read_at(now_ms).is_ok(), "{now_ms}");
    }
    for (now_ms, side) in [(NOW_MS - 300_001, "ahead of"), (NOW_MS + 300_001, "behind")] {
        let error = signed.read_at(now_ms).unwrap_err();
        assert_eq!(error, Tc3Error::Expired { seconds: 300, side });
        assert_eq!(error.code(), "AuthFailure.SignatureExpire");
    }
    for now_ms in [i64::MIN, i64::MAX, 0] {
        assert!(matches!(signed.read_at(now_ms), Err(Tc3Error::Expired { .. })));
    }
}

#[test]
fn requests_that_lack_something_are_refused_with_its_code() {
    let post = signed_post;
    let cases = [
        (post().without("authorization"), "AuthFailure.InvalidAuthorization", "no `Authorization`"),
        (post().without("x-tc-timestamp"), "MissingParameter", "X-TC-Timestamp"),
        (post().with("x-tc-timestamp", "now"), "InvalidParameterValue", "X-TC-Timestamp"),
        (post().with("x-tc-timestamp", "+1717200000"), "InvalidParameterValue", "digits"),
        (post().with("x-tc-timestamp", "01717200000"), "InvalidParameterValue", "digits"),
        (post().with("x-tc-timestamp", "171720000000"), "InvalidParameterValue", "digits"),
        (post().without("host"), "AuthFailure.InvalidAuthorization", "names `host`"),
        (post().and("Host", "other"), "AuthFailure.InvalidAuthorization", "more than once"),
        (post().and("authorization", "x"), "AuthFailure.InvalidAuthorization", "more than once"),
        (post().and("x-tc-timestamp", "1"), "AuthFailure.InvalidAuthorization", "more than once"),
        (post().with("host", "a\nb"), "AuthFailure.InvalidAuthorization", "control character"),
        (post().with("x-tc-token", "two words"), "AuthFailure.TokenFailure", "blanks"),
        (post().with("x-tc-token", &"a".repeat(4_097)), "AuthFailure.TokenFailure", "4096"),
        (Owned { method: "PUT".into(), ..post() }, "UnsupportedProtocol", "`PUT`"),
        (Owned { path: "/\n".into(), ..post() }, "AuthFailure.InvalidAuthorization", "path"),
        (Owned { query: "a\r".into(), ..post() }, "AuthFailure.InvalidAuthorization", "query"),
    ];
    for (request, code, text) in cases {
        let error = request.read().unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(text), "{error}");
    }
    let error = post().with_parts(|parts| read(parts, "sts", NOW_MS)).unwrap_err();
    assert_eq!(error, Tc3Error::Service { found: "cam".into(), expected: "sts".into() });
    let other_day = header(POST_SIGNATURE).replace("2024-06-01", "2024-06-02");
    let error = post().with("authorization", &other_day).read().unwrap_err();
    assert!(matches!(error, Tc3Error::Date { .. }), "{error}");
}

#[test]
fn malformed_authorizations_say_what_is_wrong() {
    let good = header(POST_SIGNATURE);
    let signature = format!("Signature={POST_SIGNATURE}");
    let long_id = format!("AKID{}", "a".repeat(37));
    let many = (0..33).map(|n| format!("h{n}")).collect::<Vec<_>>().join(";");
    let cases = [
        (String::new(), "must begin with"),
        ("SKIP".into(), "unsigned actions"),
        (good.replace("TC3-HMAC-SHA256 ", "TC3-HMAC-SHA1 "), "must begin with"),
        (good.replace("TC3-HMAC-SHA256 ", "tc3-hmac-sha256 "), "must begin with"),
        (good.replace("TC3-HMAC-SHA256 ", "TC3-HMAC-SHA256"), "must begin with"),
        (good.replace(&format!(", {signature}"), ""), "must have Credential"),
        (format!("{good}, {signature}"), "comes twice"),
        (format!("{good}, Extra=1"), "parts are"),
        (format!("{good},"), "`Name=value`"),
        (good.replace("Credential=", "credential="), "parts are"),
        (good.replace("/tc3_request", "/tc4_request"), "must be `<SecretId>"),
        (good.replace("/tc3_request", ""), "must be `<SecretId>"),
        (good.replace("/tc3_request", "/tc3_request/x"), "must be `<SecretId>"),
        (good.replace("2024-06-01", "2024/06/01"), "must be `<SecretId>"),
        (good.replace("2024-06-01", "20240601"), "YYYY-MM-DD"),
        (good.replace("/cam/", "/CAM/"), "service in Credential"),
        (good.replace("/cam/", "//"), "service in Credential"),
        (good.replace("content-type;host", ""), "names of headers"),
        (good.replace("content-type;host", "content-type;;host"), "names of headers"),
        (good.replace("content-type;host", "content-type;host "), "names of headers"),
        (good.replace("content-type;host", "content-type;host;HOST"), "twice"),
        (good.replace("content-type;host", &many), "more than 32"),
        (good.replace("content-type;host", "content-type"), "must name `host`"),
        (good.replace("content-type;host", "host"), "must name `content-type`"),
        (good.replace(POST_SIGNATURE, &POST_SIGNATURE.to_uppercase()), "64 digits"),
        (good.replace(POST_SIGNATURE, POST_SIGNATURE.get(1..).unwrap()), "64 digits"),
        (good.replace(POST_SIGNATURE, &format!("{POST_SIGNATURE}0")), "64 digits"),
        (good.replace(POST_SIGNATURE, &format!("{POST_SIGNATURE} ")), "64 digits"),
        (good.replace("AKID", "BKID"), "begin with `AKID`"),
        (good.replace(SECRET_ID, "AKID"), "no key `AKID`"),
        (good.replace(SECRET_ID, &long_id), "no key"),
        (good.replace(SECRET_ID, &format!("{SECRET_ID} ")), "no key"),
        (good.replace(SECRET_ID, &format!(" {SECRET_ID}")), "begin with `AKID`"),
        (format!("{good}{}", " ".repeat(4_096)), "4096"),
        (good.replace("cam", "cäm"), "ASCII"),
    ];
    for (text, why) in cases {
        let error = parse(text.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(why), "`{text}`: {error}");
        assert!(error.code().starts_with("AuthFailure."), "{error}");
    }
    assert!(parse(b"TC3-HMAC-SHA256 \xff").is_err());
    assert!(parse(good.as_bytes()).is_ok());
    let reordered = format!(
        "TC3-HMAC-SHA256 {signature},Credential={SECRET_ID}/2024-06-01/cam/tc3_request,   SignedHeaders=Host;Content-Type"
    );
    let parsed = parse(reordered.as_bytes()).unwrap();
    assert_eq!(parsed.signed_headers, ["host", "content-type"]);
}

#[test]
fn a_token_comes_along_and_an_empty_one_is_none() {
    let with = |value| signed_post().with("X-TC-Token", value).read().unwrap();
    assert_eq!(with("abc").token(), Some("abc"));
    assert_eq!(with("").token(), None);
    let shown = format!("{:?} {:?}", with("abc"), signed_post().verify(SECRET_KEY).unwrap());
    assert!(!shown.contains("abc") && !shown.contains("ee08"), "{shown}");
}

/// A proven request with its own signature.
fn proven(timestamp: i64, salt: u32) -> Verified {
    let signature = Sha256::digest(salt.to_be_bytes()).into();
    Verified { secret_id: SECRET_ID.into(), timestamp, signature }
}

#[test]
fn a_signature_is_admitted_once_until_it_expires() {
    let guard = ReplayGuard::new(10);
    let request = signed_post().verify(SECRET_KEY).unwrap();
    assert_eq!(guard.admit(&request, NOW_MS), Ok(()));
    assert_eq!(guard.admit(&request, NOW_MS), Err(Tc3Error::Replayed));
    assert_eq!(guard.admit(&request, NOW_MS + 300_000), Err(Tc3Error::Replayed));
    assert!(matches!(guard.admit(&request, NOW_MS + 300_001), Err(Tc3Error::Expired { .. })));
    assert!(guard.is_empty());
    // The clock steps back: the forgotten signature stays refused.
    assert!(matches!(guard.admit(&request, NOW_MS), Err(Tc3Error::Expired { .. })));
}

#[test]
fn a_full_guard_refuses_and_never_forgets() {
    let guard = ReplayGuard::new(2);
    for salt in 0..2 {
        assert_eq!(guard.admit(&proven(TIMESTAMP, salt), NOW_MS), Ok(()));
    }
    assert_eq!(guard.admit(&proven(TIMESTAMP, 2), NOW_MS), Err(Tc3Error::GuardFull));
    assert_eq!(guard.admit(&proven(TIMESTAMP, 0), NOW_MS), Err(Tc3Error::Replayed));
    let later = NOW_MS + 300_001;
    assert_eq!(guard.admit(&proven(TIMESTAMP + 300, 2), later), Ok(()));
    assert_eq!(guard.len(), 1);
}

proptest! {
    #[test]
    fn what_a_signer_signs_verifies_and_no_changed_byte_does(
        is_get: bool,
        text in "[ -~]{0,40}",
        extra in "[!-~]([ -~]{0,10}[!-~])?",
        secret in "[A-Za-z0-9]{16,64}",
        at: prop::sample::Index,
        part in 0_usize..7,
    ) {
        let request = if is_get { Owned::get(&text) } else { Owned::post(&text) };
        let request = request.with("X-TC-Extra", &extra);
        let signed = request.sign(&["content-type", "host", "x-tc-extra"], &secret);
        prop_assert!(signed.verify(&secret).is_ok());
        let mut changed = signed;
        let mut secret = secret;
        let flip = |bytes: &mut Vec<u8>| {
            let at = at.index(bytes.len());
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        };
        let flip_text = |text: &mut String| {
            let mut bytes = std::mem::take(text).into_bytes();
            flip(&mut bytes);
            *text = String::from_utf8(bytes).unwrap();
        };
        match part {
            0 if changed.body.is_empty() => changed.body.push(b' '),
            0 => flip(&mut changed.body),
            1 if changed.query.is_empty() => changed.query.push('a'),
            1 => flip_text(&mut changed.query),
            2 => flip_text(&mut changed.path),
            3 => flip_text(&mut secret),
            // Host, Content-Type, and the header that was added.
            4 | 5 => flip(&mut changed.headers[part - 4].1),
            _ => {
                let (_, header) = changed.headers.last_mut().unwrap();
                let at = header.len() - 64 + at.index(64);
                header[at] = if header[at] == b'0' { b'1' } else { b'0' };
            }
        }
        prop_assert!(changed.verify(&secret).is_err(), "part {}: {:?}", part, changed);
    }

    #[test]
    fn no_header_panics_the_parser(bytes: Vec<u8>, text in "[A-Za-z0-9=,;/ -]{0,200}") {
        let _ = parse(&bytes);
        // Two hundred such characters hold no 64 hexadecimal digits after all the rest.
        let is_refused = parse(format!("TC3-HMAC-SHA256 {text}").as_bytes()).is_err();
        prop_assert!(is_refused);
    }

    #[test]
    fn a_guard_stays_within_its_bound_and_admits_nothing_twice(
        requests in prop::collection::vec((0_u32..8, -300_i64..300, -400_000_i64..400_000), 0..60),
    ) {
        let guard = ReplayGuard::new(3);
        let mut admitted = std::collections::BTreeSet::new();
        for (salt, offset, clock) in requests {
            let verified = proven(TIMESTAMP + offset, salt);
            if guard.admit(&verified, NOW_MS + clock).is_ok() {
                prop_assert!(admitted.insert((salt, offset)), "admitted twice");
            }
            prop_assert!(guard.len() <= 3);
        }
    }
}
