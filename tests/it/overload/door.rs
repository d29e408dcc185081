//! The HTTP port when it has too much to do.

use camgate::service::LimitSettings;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::Bed;

/// A request whose body does not come.
const HALF: &[u8] = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{";

fn post(path: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Connection: close\r\nContent-Length: 2\r\n\r\n{{}}"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_one_too_many_is_told_when_to_try_again_and_health_is_spared() {
    let bed = Bed::start(LimitSettings { open_calls_max: 1, ..LimitSettings::default() }).await;
    let first = loop {
        let mut first = TcpStream::connect(bed.http).await.unwrap();
        first.write_all(HALF).await.unwrap();
        let open = bed.until("an open call", "calls_open", &[("port", "http")], |it| it == 2);
        tokio::select! {
            () = open => break first,
            // Who looks has a call too: where that was there before, this one was sent away.
            readable = first.readable() => readable.unwrap(),
        }
    };
    // As each surface says it: the API's clients read no other status than 200.
    let api = bed.send(&post("/")).await;
    assert!(api.starts_with("HTTP/1.1 200"), "{api}");
    assert!(api.contains("RequestLimitExceeded"), "{api}");
    for path in ["/access/v1/evaluation", "/gate/v1/forward-auth"] {
        let answer = bed.send(&post(path)).await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{path}: {answer}");
        assert!(answer.to_ascii_lowercase().contains("retry-after: 1\r\n"), "{path}: {answer}");
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        let answer = bed.get(path).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
    let shed = [("port", "http"), ("class", "check")];
    assert_eq!(bed.metric("calls_shed", &shed).await, 2);
    // Who leaves makes room; the call that asks is the other one.
    drop(first);
    bed.until("no other call", "calls_open", &[("port", "http")], |count| count == 1).await;
    let answer = bed.send(&post("/access/v1/evaluation")).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}
