//! Any bytes as an `Authorization` header, and as a whole signed request: no panic, what is read is
//! within bounds, and nothing verifies that no secret signed.
#![no_main]

use camgate::authn::secret::SecretKey;
use camgate::authn::tc3::{self, RequestParts, SIGNED_HEADERS_MAX};
use libfuzzer_sys::fuzz_target;

const NOW_MS: i64 = 1_717_200_000_000;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(parsed) = tc3::parse(bytes) {
        assert!((16..=40).contains(&parsed.secret_id.len()));
        assert!((2..=SIGNED_HEADERS_MAX).contains(&parsed.signed_headers.len()));
        // What was read, written as clients write it, reads the same.
        let hex: String = parsed.signature.iter().map(|byte| format!("{byte:02x}")).collect();
        let text = format!(
            "TC3-HMAC-SHA256 Credential={}/{}/{}/tc3_request, SignedHeaders={}, Signature={hex}",
            parsed.secret_id,
            parsed.date,
            parsed.service,
            parsed.signed_headers.join(";"),
        );
        assert_eq!(tc3::parse(text.as_bytes()).as_ref(), Ok(&parsed));
    }
    let (header, rest) = bytes.split_at(bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len()));
    let headers: [(&str, &[u8]); 5] = [
        ("host", b"cam.example.test"),
        ("content-type", b"application/json"),
        ("x-tc-timestamp", b"1717200000"),
        ("authorization", header),
        ("x-tc-token", rest),
    ];
    let parts =
        RequestParts { method: "POST", path: "/", query: "", headers: &headers, body: rest };
    if let Ok(signed) = tc3::read(&parts, "cam", NOW_MS) {
        let key = SecretKey::parse("nobody-signs-with-this-secret").expect("a secret");
        assert!(signed.verify(&key).is_err(), "a signature that nobody made");
    }
});
