//! Clients that mean well: some within limits of their own, some that ask far too much. Every
//! answer is compared with the right one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use camgate::service::proto;
use camgate::service::proto::authorization_service_client::AuthorizationServiceClient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::MissedTickBehavior;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::truth::Question;
use crate::{Flood, SCALE};

/// Pause between two questions of such a client.
const PAUSE: Duration = Duration::from_millis(20);
/// Entries of a batch.
const BATCH: usize = 100;

/// What came of the questions.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Right answers, of single questions and of entries.
    pub(crate) right: AtomicU64,
    /// Wrong ones, and what was wrong with the first few.
    pub(crate) wrong: Mutex<Vec<String>>,
    /// Sent away.
    pub(crate) shed: AtomicU64,
    /// Ended otherwise: late, or with their connection.
    pub(crate) failed: AtomicU64,
}

impl Tally {
    fn decision(&self, question: &Question, decision: Option<&proto::Decision>) {
        let outcome = decision.map(proto::Decision::outcome);
        if outcome == Some(question.expected) {
            self.right.fetch_add(1, Ordering::Relaxed);
        } else {
            self.wrong.lock().unwrap().push(format!("{question:?}: {decision:?}"));
        }
    }

    fn refusal(&self, code: Code) {
        let count = if code == Code::ResourceExhausted { &self.shed } else { &self.failed };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

fn endpoint(flood: &Flood) -> Endpoint {
    let endpoint = Endpoint::from_shared(format!("http://{}", flood.grpc)).unwrap();
    endpoint.tcp_nodelay(true)
}

/// One that keeps to its limits: one question at a time, some pause between them.
pub(crate) async fn moderate(flood: Arc<Flood>) {
    let channel: Channel = endpoint(&flood).connect_lazy();
    let mut client = AuthorizationServiceClient::new(channel);
    let mut pauses = tokio::time::interval(PAUSE);
    pauses.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while flood.goes_on() {
        pauses.tick().await;
        let question = flood.question();
        let started = Instant::now();
        let answer =
            tokio::time::timeout(SCALE.served_within, client.check(question.asked.clone()));
        let is_served = match answer.await {
            Ok(Ok(answer)) => {
                flood.moderate.decision(question, answer.into_inner().decision.as_ref());
                true
            }
            Ok(Err(status)) => {
                flood.moderate.refusal(status.code());
                false
            }
            Err(_) => {
                flood.moderate.failed.fetch_add(1, Ordering::Relaxed);
                false
            }
        };
        let took = if is_served { started.elapsed() } else { SCALE.served_within };
        flood.latencies.lock().unwrap().push(took);
    }
}

/// One that always has as many questions under way as a connection may have.
pub(crate) async fn greedy(flood: Arc<Flood>, calls: usize) {
    let client = AuthorizationServiceClient::new(endpoint(&flood).connect_lazy());
    let mut lanes = tokio::task::JoinSet::new();
    for lane in 0..calls {
        let (flood, mut client) = (Arc::clone(&flood), client.clone());
        lanes.spawn(async move {
            while flood.goes_on() {
                if lane % 32 == 0 {
                    batch(&flood, &mut client).await;
                    continue;
                }
                let question = flood.question();
                match client.check(question.asked.clone()).await {
                    Ok(answer) => {
                        flood.greedy.decision(question, answer.into_inner().decision.as_ref());
                    }
                    Err(status) => flood.greedy.refusal(status.code()),
                }
            }
        });
    }
    lanes.join_all().await;
}

async fn batch(flood: &Flood, client: &mut AuthorizationServiceClient<Channel>) {
    let questions: Vec<&Question> = (0..BATCH).map(|_| flood.question()).collect();
    let entries = questions.iter().map(|question| question.asked.clone()).collect();
    let batch = proto::BatchCheckRequest { entries, consistency: None };
    match client.batch_check(batch).await {
        Ok(answer) => {
            for (question, entry) in questions.into_iter().zip(answer.into_inner().entries) {
                let decision = match &entry.result {
                    Some(proto::batch_check_entry::Result::Decision(decision)) => Some(decision),
                    Some(proto::batch_check_entry::Result::Error(_)) | None => None,
                };
                flood.greedy.decision(question, decision);
            }
        }
        Err(status) => flood.greedy.refusal(status.code()),
    }
}

/// Asks how the server is, each time on new connections, as those who watch over it do.
pub(crate) async fn probe(flood: Arc<Flood>) {
    let mut pauses = tokio::time::interval(PAUSE * 10);
    pauses.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while flood.goes_on() {
        pauses.tick().await;
        let (step, at) = (Mutex::new("connect"), flood.started.elapsed());
        let asked = tokio::time::timeout(SCALE.served_within, ask(&flood, &step)).await;
        if asked.is_ok_and(|it| it.is_some()) {
            flood.probes_answered.fetch_add(1, Ordering::Relaxed);
        } else {
            flood.probes_missed.lock().unwrap().push((*step.lock().unwrap(), at));
        }
    }
}

/// Asks both ports; `step` says how far it came.
async fn ask(flood: &Flood, step: &Mutex<&'static str>) -> Option<()> {
    let channel = endpoint(flood).connect().await.ok()?;
    *step.lock().unwrap() = "gRPC health";
    let request = HealthCheckRequest::default();
    HealthClient::new(channel).check(request).await.ok()?;
    *step.lock().unwrap() = "connect by HTTP";
    let mut stream = TcpStream::connect(flood.http).await.ok()?;
    *step.lock().unwrap() = "/healthz";
    let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    answer.starts_with(b"HTTP/1.1 200").then_some(())
}
