//! Clients that mean no good, each kind in a task of its own that never stops by itself.
//!
//! They come from many addresses of the loopback network, so that ports do not run out.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use camgate::service::proto;
use prost::bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::MissedTickBehavior;

use crate::Flood;
use crate::wire::{
    Going, HEADERS, Http2, OPEN, PREFACE, RST_STREAM, RawClient, SETTINGS, call_headers, frame,
    message,
};

const CHECK: &str = "/camgate.v1.AuthorizationService/Check";
const BATCH: &str = "/camgate.v1.AuthorizationService/BatchCheck";
const WATCH: &str = "/camgate.v1.WatchService/Watch";
const APPLY: &str = "/camgate.v1.AdministrationService/ApplyAccount";
/// Calls that such a client has under way.
const BLIND_CALLS: usize = 200;
/// Least time between two connections of a task: several tasks open about a thousand a second.
const PAUSE: Duration = Duration::from_millis(8);
/// Longest that one hostile connection is kept.
const KEPT_MAX: Duration = Duration::from_secs(8);

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Asks as much as a connection may, again and again, and looks at no answer.
    Blind,
    /// Asks for a revision that there is not, and so waits in the server.
    Waiting,
    /// Connects, and leaves at once.
    Churn,
    /// Says nothing, or the preface and headers byte by byte, on both ports.
    Slowloris,
    /// Frames that are none.
    Garbage,
    /// Opens calls and resets them.
    RapidReset,
    /// Opens calls, and sends no message.
    NoMessage,
    /// Reads no answers.
    NoReading,
    /// Very long metadata.
    Metadata,
    /// Messages that are too long, too many, or no messages.
    Messages,
    /// Watches, and leaves.
    Watches,
    /// Requests of the HTTP port that are none, and bodies that are too long.
    Http,
}

pub(crate) const KINDS: [Kind; 12] = [
    Kind::Blind,
    Kind::Waiting,
    Kind::Churn,
    Kind::Slowloris,
    Kind::Garbage,
    Kind::RapidReset,
    Kind::NoMessage,
    Kind::NoReading,
    Kind::Metadata,
    Kind::Messages,
    Kind::Watches,
    Kind::Http,
];

/// Tries one kind over and over again.
pub(crate) async fn attack(flood: Arc<Flood>, kind: Kind) {
    let mut pauses = tokio::time::interval(PAUSE);
    pauses.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while flood.goes_on() {
        pauses.tick().await;
        flood.hostile.fetch_add(1, Ordering::Relaxed);
        // It ends by itself, is cut, or has been there for long enough.
        let _ = tokio::time::timeout(KEPT_MAX, once(&flood, kind)).await;
    }
}

/// A connection from some address of this machine.
async fn connect(flood: &Flood, to: SocketAddr) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().ok()?;
    let last = |dice: usize| u8::try_from(dice + 2).unwrap();
    let from = Ipv4Addr::new(127, 0, last(flood.dice.below(250)), last(flood.dice.below(250)));
    socket.bind(SocketAddr::from((from, 0))).ok()?;
    socket.connect(to).await.ok()
}

async fn raw(flood: &Flood) -> Option<RawClient> {
    let mut stream = connect(flood, flood.grpc).await?;
    stream.write_all(&[PREFACE, SETTINGS].concat()).await.ok()?;
    Some(RawClient { stream })
}

async fn http2(flood: &Flood, window: u32) -> Option<Http2> {
    Http2::over(connect(flood, flood.grpc).await?, window).await
}

async fn once(flood: &Flood, kind: Kind) -> Option<()> {
    match kind {
        Kind::Blind => {
            let check = message(&flood.question().asked);
            blind(flood, check).await?;
        }
        Kind::Waiting => {
            let at_least = flood.future.clone();
            let consistency = Some(proto::Consistency { at_least });
            let asked = proto::CheckRequest { consistency, ..flood.question().asked.clone() };
            blind(flood, message(&asked)).await?;
        }
        Kind::Churn => drop(connect(flood, flood.either_port()).await?),
        Kind::Slowloris => slowloris(flood).await?,
        Kind::Garbage => {
            let mut client = raw(flood).await?;
            let noise: Vec<u8> = (0..512).map(|_| flood.dice.below(256) as u8).collect();
            let framed = frame(flood.dice.below(12) as u8, 0, 1, &noise[..flood.dice.below(500)]);
            client.write(if flood.dice.below(2) == 0 { &noise } else { &framed }).await;
            while client.read().await.is_some() {}
        }
        Kind::RapidReset => {
            let mut client = raw(flood).await?;
            let headers = call_headers(CHECK);
            for call in 0..100_000_u32 {
                let stream = call * 2 + 1;
                let reset = frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]);
                let both = [frame(HEADERS, OPEN, stream, &headers), reset].concat();
                client.write(&both).await.then_some(())?;
            }
        }
        Kind::NoMessage => {
            let mut client = http2(flood, 65_535).await?;
            let calls: Vec<_> = (0..200).filter_map(|_| client.try_begin(CHECK, &[])).collect();
            client.ended().await;
            drop(calls);
        }
        Kind::NoReading => {
            let mut client = http2(flood, 0).await?;
            let batch = batch(flood, 100);
            let mut calls = Vec::new();
            for _ in 0..100 {
                let mut call = client.try_begin(BATCH, &[])?;
                call.body.send_data(batch.clone(), true).ok()?;
                calls.push(call);
            }
            client.ended().await;
        }
        Kind::Metadata => {
            let mut client = http2(flood, 65_535).await?;
            let long = "x".repeat(60_000);
            for _ in 0..20 {
                client.try_begin(CHECK, &[("x-long", &long)])?.answer.await.ok();
            }
        }
        Kind::Messages => messages(flood).await?,
        Kind::Watches => {
            let mut client = http2(flood, 65_535).await?;
            let request =
                proto::WatchRequest { owner_uin: crate::truth::OWNER, after: String::new() };
            for _ in 0..20 {
                let mut call = client.try_begin(WATCH, &[("grpc-timeout", "200m")])?;
                call.body.send_data(message(&request), true).ok()?;
                ended(call).await?;
            }
        }
        Kind::Http => http(flood).await?,
    }
    Some(())
}

/// Calls that cost the server much and this client little: their messages are made once.
async fn blind(flood: &Flood, check: Bytes) -> Option<()> {
    let mut client = http2(flood, 1 << 20).await?;
    let batch = batch(flood, 100);
    while flood.goes_on() {
        let mut calls = Vec::new();
        for call in 0..BLIND_CALLS {
            let (path, bytes) = if call % 20 == 0 { (BATCH, &batch) } else { (CHECK, &check) };
            let mut call = client.try_begin(path, &[])?;
            call.body.send_data(bytes.clone(), true).ok()?;
            calls.push(call);
        }
        for call in calls {
            let is_shed = ended(call).await?;
            let count = if is_shed { &flood.blind_shed } else { &flood.blind_answered };
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
    Some(())
}

async fn slowloris(flood: &Flood) -> Option<()> {
    let is_grpc = flood.dice.below(2) == 0;
    let to = if is_grpc { flood.grpc } else { flood.http };
    let mut stream = connect(flood, to).await?;
    let bytes = if is_grpc { PREFACE } else { b"POST / HTTP/1.1\r\nX-Slow: x\r\n" };
    let mut pauses = tokio::time::interval(Duration::from_millis(500));
    for byte in bytes.iter().cycle() {
        pauses.tick().await;
        stream.write_all(&[*byte]).await.ok()?;
    }
    Some(())
}

/// Reads a call to its end, if it has one; says whether it was sent away.
async fn ended(call: Going) -> Option<bool> {
    let (head, mut body) = call.answer.await.ok()?.into_parts();
    while let Some(data) = body.data().await {
        body.flow_control().release_capacity(data.ok()?.len()).ok()?;
    }
    Some(head.headers.get("grpc-status").is_some_and(|status| status == "8"))
}

fn batch(flood: &Flood, entries: usize) -> Bytes {
    let entries = (0..entries).map(|_| flood.question().asked.clone()).collect();
    message(&proto::BatchCheckRequest { entries, consistency: None })
}

fn prefixed(length: u32, bytes: &[u8]) -> Bytes {
    [&[0], &length.to_be_bytes()[..], bytes].concat().into()
}

async fn messages(flood: &Flood) -> Option<()> {
    let mut client = http2(flood, 65_535).await?;
    let (path, bytes, is_whole) = match flood.dice.below(6) {
        0 => (BATCH, batch(flood, 101), true),
        // A million entries.
        1 => (BATCH, prefixed(2_000_000, &[0x0a, 0x00].repeat(1_000_000)), true),
        2 => (BATCH, prefixed(u32::MAX, &[]), false),
        // A folder of which nothing comes.
        3 => (APPLY, prefixed(70 << 20, &[0; 1_000]), false),
        4 => (APPLY, prefixed(6_000_000, &[0x12, 0x00].repeat(3_000_000)), true),
        _ => {
            let noise: Vec<u8> = (0..500).map(|_| flood.dice.below(256) as u8).collect();
            (CHECK, prefixed(500, &noise), true)
        }
    };
    let mut call = client.try_begin(path, &[])?;
    call.body.send_data(bytes, is_whole).ok()?;
    ended(call).await.map(drop)
}

async fn http(flood: &Flood) -> Option<()> {
    let mut stream = connect(flood, flood.http).await?;
    let body = "x".repeat(2 << 20);
    let request = match flood.dice.below(4) {
        0 => format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
        1 => format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "y".repeat(100_000)),
        2 => "\0\u{1}\u{2} noise\r\n\r\n".to_owned(),
        _ => "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}".to_owned(),
    };
    stream.write_all(request.as_bytes()).await.ok()?;
    // Its first byte is enough.
    stream.read_exact(&mut [0; 1]).await.ok().map(drop)
}
