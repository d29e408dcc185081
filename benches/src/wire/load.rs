//! The load: connections that always have a few requests under way, and an open loop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes};
use camgate::service::proto;
use http::uri::PathAndQuery;
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use super::BATCH;

/// Requests under way on each connection.
const UNDER_WAY: usize = 4;
/// Questions under way on each stream.
const STREAM_WINDOW: usize = 64;

/// Which call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Check,
    Batch,
    Stream,
}

impl Kind {
    fn path(self) -> PathAndQuery {
        PathAndQuery::from_static(match self {
            Self::Check => "/camgate.v1.AuthorizationService/Check",
            Self::Batch => "/camgate.v1.AuthorizationService/BatchCheck",
            Self::Stream => "/camgate.v1.AuthorizationService/StreamCheck",
        })
    }
}

/// Messages as the bytes that they are.
#[derive(Debug, Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// Connections and what they ask.
pub struct Load {
    kind: Kind,
    channels: Vec<Channel>,
    requests: Arc<Vec<Bytes>>,
}

/// Connects.
async fn channel(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
    endpoint.tcp_nodelay(true).connect().await.expect("a connection")
}

/// One call, its answer as bytes.
async fn call(channel: &Channel, kind: Kind, request: Bytes) -> Bytes {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.expect("a connection");
    let answer = grpc.unary(Request::new(request), kind.path(), Raw).await;
    answer.expect("an answer").into_inner()
}

impl Load {
    pub async fn connect(
        address: SocketAddr,
        connections: usize,
        kind: Kind,
        questions: &[proto::CheckRequest],
    ) -> Self {
        let requests: Vec<Bytes> = match kind {
            Kind::Check | Kind::Stream => {
                questions.iter().map(|it| it.encode_to_vec().into()).collect()
            }
            Kind::Batch => questions
                .chunks(BATCH)
                .map(|entries| {
                    let entries = entries.to_vec();
                    let batch = proto::BatchCheckRequest { entries, consistency: None };
                    batch.encode_to_vec().into()
                })
                .collect(),
        };
        let mut channels = Vec::new();
        for _ in 0..connections {
            channels.push(channel(address).await);
        }
        let load = Self { kind, channels, requests: Arc::new(requests) };
        load.look_at_the_first().await;
        load
    }

    /// The answers are decisions.
    async fn look_at_the_first(&self) {
        let (channel, request) = (&self.channels[0], self.requests[0].clone());
        match self.kind {
            Kind::Check => {
                let answer = call(channel, self.kind, request).await;
                let answer = proto::CheckResponse::decode(answer).expect("an answer");
                assert!(answer.decision.is_some(), "no decision");
            }
            Kind::Batch => {
                let answer = call(channel, self.kind, request).await;
                let answer = proto::BatchCheckResponse::decode(answer).expect("an answer");
                assert_eq!(answer.entries.len(), BATCH);
                assert!(answer.entries.iter().all(|entry| matches!(
                    entry.result,
                    Some(proto::batch_check_entry::Result::Decision(_))
                )));
            }
            Kind::Stream => {}
        }
    }

    /// Decisions in a second: every lane asks until the round is over.
    pub async fn rate(&self, round_ms: u64) -> f64 {
        let done = Arc::new(AtomicU64::new(0));
        let mut tasks = Vec::new();
        let started = Instant::now();
        let until = started + Duration::from_millis(round_ms);
        for (at, channel) in self.channels.iter().enumerate() {
            let lanes = if self.kind == Kind::Stream { 1 } else { UNDER_WAY };
            for lane in 0..lanes {
                let done = Arc::clone(&done);
                let (channel, requests) = (channel.clone(), Arc::clone(&self.requests));
                let (kind, first) = (self.kind, at * 31 + lane * 7);
                tasks.push(tokio::spawn(async move {
                    if kind == Kind::Stream {
                        stream(channel, requests, first, until, done).await;
                    } else {
                        unary(channel, kind, requests, first, until, done).await;
                    }
                }));
            }
        }
        for task in tasks {
            task.await.expect("no panic");
        }
        let (count, elapsed) = (done.load(Ordering::Relaxed), started.elapsed());
        count as f64 / elapsed.as_secs_f64()
    }
}

async fn unary(
    channel: Channel,
    kind: Kind,
    requests: Arc<Vec<Bytes>>,
    first: usize,
    until: Instant,
    done: Arc<AtomicU64>,
) {
    let decisions = if kind == Kind::Batch { BATCH as u64 } else { 1 };
    let mut at = first;
    while Instant::now() < until {
        let answer = call(&channel, kind, requests[at % requests.len()].clone()).await;
        assert!(!answer.is_empty(), "an empty answer");
        done.fetch_add(decisions, Ordering::Relaxed);
        at += 1;
    }
}

/// A stream with a window: for each answer one more question.
async fn stream(
    channel: Channel,
    requests: Arc<Vec<Bytes>>,
    first: usize,
    until: Instant,
    done: Arc<AtomicU64>,
) {
    let (ask, asked) = mpsc::channel(STREAM_WINDOW);
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.expect("a connection");
    let mut at = first;
    for _ in 0..STREAM_WINDOW {
        ask.try_send(requests[at % requests.len()].clone()).expect("room");
        at += 1;
    }
    let questions = Request::new(ReceiverStream::new(asked));
    let answers = grpc.streaming(questions, Kind::Stream.path(), Raw).await;
    let mut answers = answers.expect("a stream").into_inner();
    while Instant::now() < until {
        let answer = answers.message().await.expect("an answer").expect("an answer");
        assert!(!answer.is_empty(), "an empty answer");
        done.fetch_add(1, Ordering::Relaxed);
        ask.send(requests[at % requests.len()].clone()).await.expect("the stream is open");
        at += 1;
    }
}

/// Median and 99th percentile in microseconds of calls that begin at a fixed rate, whatever comes
/// of the ones before; counted from when each was due.
pub async fn open_loop(
    address: SocketAddr,
    questions: &[proto::CheckRequest],
    rate: f64,
) -> (f64, f64) {
    let mut channels = Vec::new();
    for _ in 0..8 {
        channels.push(channel(address).await);
    }
    let requests: Vec<Bytes> = questions.iter().map(|it| it.encode_to_vec().into()).collect();
    let calls = (rate as usize).clamp(100, 100_000);
    let started = Instant::now();
    let mut tasks = Vec::new();
    for at in 0..calls {
        let due = started + Duration::from_secs_f64(at as f64 / rate);
        if due > Instant::now() {
            tokio::time::sleep_until(due.into()).await;
        }
        let (channel, request) = (channels[at % 8].clone(), requests[at % requests.len()].clone());
        tasks.push(tokio::spawn(async move {
            call(&channel, Kind::Check, request).await;
            due.elapsed().as_secs_f64() * 1e6
        }));
    }
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.push(task.await.expect("no panic"));
    }
    latencies.sort_by(f64::total_cmp);
    (latencies[calls / 2], latencies[calls * 99 / 100])
}
