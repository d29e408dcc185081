//! Connections: those that say nothing, read nothing, or nonsense.

use std::time::Duration;

use camgate::service::LimitSettings;
use camgate::service::proto as pb;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_stream::StreamExt as _;

use super::wire::{
    GOAWAY, HEADERS, Http2, OPEN, PREFACE, RST_STREAM, RawClient, SETTINGS, call_headers, drip,
    frame, message, within,
};
use super::{BATCH, Bed, CHECK, ROOT};

const DATA: u8 = 0;
const PRIORITY: u8 = 2;
const SETTINGS_KIND: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const REFUSED_STREAM: [u8; 4] = [0, 0, 0, 7];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_has_so_many_calls_at_a_time() {
    let limits = LimitSettings { calls_per_connection_max: 4, ..LimitSettings::default() };
    let bed = Bed::start(limits).await;
    let mut client = RawClient::connect(bed.grpc).await;
    for stream in [1, 3, 5, 7, 9] {
        client.write(&frame(HEADERS, OPEN, stream, &call_headers(CHECK))).await;
    }
    let refused = within("a refusal", async {
        loop {
            let (kind, stream, payload) = client.read_alive().await.unwrap();
            if kind == RST_STREAM {
                break (stream, payload);
            }
        }
    })
    .await;
    assert_eq!(refused, (9, REFUSED_STREAM.to_vec()));
    bed.until("four calls", "calls_open", &[("port", "grpc")], |count| count == 4).await;
    bed.serves().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_its_answers_is_cut() {
    let limits = LimitSettings { unread_ms_max: 400, ..LimitSettings::default() };
    let bed = Bed::start(limits).await;
    // It answers every ping, and takes ten bytes of each answer.
    let mut slow = Http2::connect_with_window(bed.grpc, 10).await;
    let mut calls = Vec::new();
    for _ in 0..20 {
        let mut call = slow.begin(CHECK, &[]);
        call.body.send_data(message(&Bed::question()), true).unwrap();
        calls.push(call);
    }
    slow.ended().await;
    drop(calls);
    assert_eq!(bed.cut("grpc", "unread").await, 1);
    bed.until("no calls", "calls_open", &[("port", "grpc")], |count| count == 0).await;
    // One that reads is served for as long as it likes.
    let request = pb::WatchRequest { owner_uin: ROOT, after: String::new() };
    let mut events = bed.watch().watch(request).await.unwrap().into_inner();
    for _ in 0..3 {
        within("a bookmark", events.next()).await.unwrap().unwrap();
    }
    bed.serves().await;
    assert_eq!(bed.cut("grpc", "unread").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_no_bytes_is_cut() {
    let limits = LimitSettings {
        unread_ms_max: 400,
        // It must not be the ping that notices.
        keepalive_interval_ms: 600_000,
        ..LimitSettings::default()
    };
    let bed = Bed::start(limits).await;
    let mut client = RawClient::connect(bed.grpc).await;
    // As much as HTTP/2 allows of every answer, and nothing of the connection itself.
    let window = (1_u32 << 31) - 1;
    let settings = [&[0, 4][..], &window.to_be_bytes()].concat();
    client.write(&frame(SETTINGS_KIND, 0, 0, &settings)).await;
    client.write(&frame(WINDOW_UPDATE, 0, 0, &(window - 65_535).to_be_bytes())).await;
    let batch = pb::BatchCheckRequest { entries: vec![Bed::question(); 50], consistency: None };
    let batch = message(&batch);
    within("a connection that is cut", async {
        let mut stream = 1_u32;
        // Always as many calls as it may have; those that the kernel takes are over.
        while bed.cut("grpc", "stalled").await == 0 {
            if bed.metric("calls_open", &[("port", "grpc")]).await > 0 {
                continue;
            }
            for _ in 0..50 {
                let headers = frame(HEADERS, OPEN, stream, &call_headers(BATCH));
                client.write(&[headers, frame(DATA, 1, stream, &batch)].concat()).await;
                stream += 2;
            }
        }
    })
    .await;
    assert!(!client.until_ended().await.is_empty());
    bed.serves().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_whose_client_is_gone_is_ended() {
    let limits = LimitSettings {
        keepalive_interval_ms: 100,
        keepalive_wait_ms_max: 100,
        ..LimitSettings::default()
    };
    let bed = Bed::start(limits).await;
    // Open as far as the server can see, and nobody answers its pings.
    let mut gone = RawClient::connect(bed.grpc).await;
    let mut here = RawClient::connect(bed.grpc).await;
    let (mut pings, is_ping) = (0, |read: &(u8, u32, Vec<u8>)| read.0 == 6);
    // One that answers them stays.
    let stays = within("three pings", async {
        while pings < 3 {
            pings += usize::from(is_ping(&here.read_alive().await.unwrap()));
        }
    });
    let (read, ()) = tokio::join!(gone.until_ended(), stays);
    assert_eq!(read.iter().filter(|read| is_ping(read)).count(), 1, "{read:?}");
    bed.serves().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preface_byte_by_byte_is_not_waited_for() {
    let limits = LimitSettings { handshake_ms_max: 300, ..LimitSettings::default() };
    let bed = Bed::start(limits).await;
    let mut slow = TcpStream::connect(bed.grpc).await.unwrap();
    drip(&mut slow, &[PREFACE, SETTINGS].concat(), Duration::from_millis(50)).await;
    let mut silent = TcpStream::connect(bed.grpc).await.unwrap();
    // What the server sends first by itself, and the end; an error is one too.
    let _ = within("the end", silent.read_to_end(&mut Vec::new())).await;
    assert_eq!(bed.cut("grpc", "handshake").await, 2);
    bed.serves().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_byte_by_byte_are_not_waited_for() {
    let limits = LimitSettings { http_headers_ms_max: 300, ..LimitSettings::default() };
    let bed = Bed::start(limits).await;
    let mut slow = TcpStream::connect(bed.http).await.unwrap();
    slow.write_all(b"POST / HTTP/1.1\r\n").await.unwrap();
    drip(&mut slow, b"X-A: b\r\n", Duration::from_millis(20)).await;
    let mut silent = TcpStream::connect(bed.http).await.unwrap();
    let answer = drip(&mut silent, b"G", Duration::from_secs(60)).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    bed.is_healthy().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_opened_and_reset_at_once_end_the_connection() {
    let bed = Bed::start(LimitSettings::default()).await;
    let mut client = RawClient::connect(bed.grpc).await;
    let reset = within("the end of a connection", async {
        let mut stream = 1_u32;
        loop {
            let headers = frame(HEADERS, OPEN, stream, &call_headers(CHECK));
            let reset = frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]);
            if !client.write(&[headers, reset].concat()).await {
                break stream / 2;
            }
            stream += 2;
        }
    })
    .await;
    assert!(reset < 500_000, "{reset} calls");
    bed.until("no calls", "calls_open", &[("port", "grpc")], |count| count == 0).await;
    bed.serves().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_are_none_end_the_connection() {
    let bed = Bed::start(LimitSettings::default()).await;
    let headers = call_headers(CHECK);
    let long = vec![0; 17_000];
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("data of no call", frame(DATA, 0, 0, b"x")),
        ("data of a call that is none", frame(DATA, 0, 7, b"x")),
        ("an even number", frame(HEADERS, OPEN, 2, &headers)),
        ("settings of five bytes", frame(SETTINGS_KIND, 0, 0, &[0; 5])),
        ("settings of a call", frame(SETTINGS_KIND, 0, 1, &[])),
        ("a window of nothing", frame(WINDOW_UPDATE, 0, 0, &[0; 4])),
        ("a window that overflows", frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff])),
        ("a continuation of nothing", frame(CONTINUATION, OPEN, 1, &headers)),
        ("a promise", frame(PUSH_PROMISE, OPEN, 1, &headers)),
        ("a priority of three bytes", frame(PRIORITY, 0, 0, &[0; 3])),
        ("a reset of no call", frame(RST_STREAM, 0, 0, &[0; 4])),
        ("a frame that is too long", frame(HEADERS, OPEN, 1, &long)),
        ("headers that are none", frame(HEADERS, OPEN, 1, &[0xff; 40])),
        ("noise", (0..2_000_u32).map(|it| (it * 7_919 % 251) as u8).collect()),
    ];
    for (what, bytes) in cases {
        let mut client = RawClient::connect(bed.grpc).await;
        client.write(&bytes).await;
        let read = client.until_ended().await;
        assert!(read.iter().all(|(kind, ..)| *kind != HEADERS), "{what}: {read:?}");
        assert!(read.iter().any(|(kind, ..)| *kind == GOAWAY), "{what}: {read:?}");
    }
    // And one that speaks something else.
    let mut stream = TcpStream::connect(bed.grpc).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    drip(&mut stream, b"x", Duration::from_millis(50)).await;
    bed.serves().await;
    assert_eq!(bed.metric("calls_open", &[("port", "grpc")]).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_makes_room_for_another() {
    let limits = LimitSettings {
        grpc_connections_max: 3,
        http_connections_max: 2,
        ..LimitSettings::default()
    };
    let bed = Bed::start(limits).await;
    // One in use, which must stay, and as many as there may be that say nothing.
    let request = pb::WatchRequest { owner_uin: ROOT, after: String::new() };
    let mut events = bed.watch().watch(request).await.unwrap().into_inner();
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(TcpStream::connect(bed.grpc).await.unwrap());
    }
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(bed.http).await.unwrap();
        // It may have been cut already.
        let _ = stream.write_all(b"POST / HTTP/1.1\r\nX-").await;
        slow.push(stream);
    }
    bed.serves().await;
    bed.is_healthy().await;
    assert!(bed.cut("grpc", "idle").await > 0);
    assert!(bed.cut("http", "idle").await > 0);
    assert!(bed.metric("connections", &[("port", "grpc")]).await <= 3);
    within("the next bookmark", events.next()).await.unwrap().unwrap();
}
