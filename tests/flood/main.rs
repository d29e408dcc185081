//! A flood: several times what the server can do, from clients good, greedy and hostile. No answer
//! is wrong, nothing crashes, memory stays within its bound, and who keeps to limits is served.
//!
//! `CAMGATE_FLOOD_SECONDS` (10) is how long; `make soak` gives ten minutes. The server is a process
//! of its own, with the limits that it has by itself when it is optimised.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that meets the unexpected must fail where it stands, and says what it did"
)]

mod good;
mod hostile;
#[expect(dead_code, reason = "other tests use the rest")]
#[path = "../it/support/repo.rs"]
mod repo;
mod server;
mod truth;
#[expect(dead_code, reason = "other tests use the rest")]
#[path = "../it/overload/wire.rs"]
mod wire;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use camgate::node::Tokens;
use camgate::service::proto;
use camgate::service::proto::administration_service_client::AdministrationServiceClient;
use camgate::store::Revision;
use tokio::runtime::{Builder, Runtime};
use tonic::transport::Channel;

use crate::good::Tally;
use crate::hostile::{KINDS, Kind};
use crate::server::Server;
use crate::truth::{Dice, Question};

/// Most memory of the server, in MiB; well under the worst that `docs/reliability.md` has.
const RESIDENT_MIB_MAX: u64 = 512;
/// Clients within their limits.
const MODERATE: usize = 8;
/// Calls of each greedy connection: as many as it may have.
const GREEDY_CALLS: usize = 256;

/// How much there is of everything.
struct Scale {
    /// Greedy connections.
    greedy: usize,
    /// Connections that ask as much as they may and look at no answer.
    blind: usize,
    /// Tasks of each other hostile kind.
    hostile: usize,
    /// What a client within its limits calls served.
    served_within: Duration,
    /// What the server takes on, if not as much as it does by itself.
    checks_max: Option<&'static str>,
}

/// A program that is not optimised does a tenth, and so do its clients.
const SCALE: Scale = if cfg!(debug_assertions) {
    let (served_within, checks_max) = (Duration::from_secs(5), Some("64"));
    Scale { greedy: 1, blind: 8, hostile: 1, served_within, checks_max }
} else {
    let served_within = Duration::from_secs(1);
    Scale { greedy: 2, blind: 24, hostile: 8, served_within, checks_max: None }
};
/// Least share of the questions of clients within their limits that is served, in percent.
const SERVED_PERCENT_MIN: f64 = 99.0;

/// What all share.
pub(crate) struct Flood {
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    questions: Vec<Question>,
    pub(crate) dice: Dice,
    is_over: AtomicBool,
    pub(crate) moderate: Tally,
    pub(crate) greedy: Tally,
    pub(crate) latencies: Mutex<Vec<Duration>>,
    pub(crate) hostile: AtomicU64,
    pub(crate) blind_answered: AtomicU64,
    pub(crate) blind_shed: AtomicU64,
    pub(crate) probes_answered: AtomicU64,
    /// What could not be done in time, and when.
    pub(crate) probes_missed: Mutex<Vec<(&'static str, Duration)>>,
    pub(crate) started: Instant,
    /// The token of a revision that there is not.
    pub(crate) future: String,
}

impl Flood {
    pub(crate) fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }

    /// Any question.
    pub(crate) fn question(&self) -> &Question {
        &self.questions[self.dice.below(self.questions.len())]
    }

    pub(crate) fn either_port(&self) -> SocketAddr {
        if self.dice.below(2) == 0 { self.grpc } else { self.http }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's own setting, read nowhere else")]
fn seconds() -> u64 {
    std::env::var("CAMGATE_FLOOD_SECONDS").map_or(10, |text| text.parse().unwrap())
}

/// Makes the account, and says which uins the server gave.
async fn prepare(server: &Server) -> (BTreeMap<String, u64>, String) {
    let channel = Channel::from_shared(format!("http://{}", server.grpc)).unwrap();
    let mut admin = AdministrationServiceClient::new(channel.connect().await.unwrap());
    let (owner_uin, app_id) = (truth::OWNER, truth::APP_ID);
    let account = proto::CreateAccountRequest { owner_uin, app_id, options: None };
    admin.create_account(account).await.unwrap();
    let files = truth::folder();
    let folder = proto::ApplyAccountRequest { owner_uin, files, ..Default::default() };
    let applied = admin.apply_account(folder).await.unwrap().into_inner();
    let token = applied.result.unwrap().revision;
    let tokens = Tokens::like(&token).unwrap();
    let future = tokens.write(Revision(tokens.read(&token).unwrap().0 + 1_000_000));
    let request = proto::ListSubAccountsRequest { owner_uin, ..Default::default() };
    let users = admin.list_sub_accounts(request).await.unwrap().into_inner().sub_accounts;
    (users.into_iter().map(|user| (user.name, user.uin)).collect(), future)
}

fn runtime(threads: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(threads).enable_all().build().unwrap()
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

#[test]
fn a_flood_is_survived_and_who_keeps_to_limits_is_served() {
    let mut server = Server::start(SCALE.checks_max);
    // The good ones do not share a runtime with those who keep theirs busy.
    let (calm, busy) = (runtime(1), runtime(2));
    let (uins, future) = calm.block_on(prepare(&server));
    let flood = Arc::new(Flood {
        grpc: server.grpc,
        http: server.http,
        questions: truth::questions(&uins),
        dice: Dice::new(11),
        is_over: AtomicBool::new(false),
        moderate: Tally::default(),
        greedy: Tally::default(),
        latencies: Mutex::default(),
        hostile: AtomicU64::new(0),
        blind_answered: AtomicU64::new(0),
        blind_shed: AtomicU64::new(0),
        probes_answered: AtomicU64::new(0),
        probes_missed: Mutex::default(),
        started: Instant::now(),
        future,
    });
    let mut good = tokio::task::JoinSet::new();
    for _ in 0..MODERATE {
        good.spawn_on(good::moderate(Arc::clone(&flood)), calm.handle());
    }
    good.spawn_on(good::probe(Arc::clone(&flood)), calm.handle());
    for _ in 0..SCALE.greedy {
        busy.spawn(good::greedy(Arc::clone(&flood), GREEDY_CALLS));
    }
    for kind in KINDS {
        let tasks = if kind == Kind::Blind { SCALE.blind } else { SCALE.hostile };
        for _ in 0..tasks {
            busy.spawn(hostile::attack(Arc::clone(&flood), kind));
        }
    }
    let started = Instant::now();
    let resident_max = calm.block_on(async {
        let mut looks = tokio::time::interval(Duration::from_millis(200));
        let mut resident_max = 0;
        while started.elapsed() < Duration::from_secs(seconds()) {
            looks.tick().await;
            assert!(server.runs(), "the server has crashed");
            resident_max = resident_max.max(server.resident_mib());
        }
        flood.is_over.store(true, Ordering::Relaxed);
        good.join_all().await;
        resident_max
    });
    busy.shutdown_background();
    assert!(server.runs(), "the server has crashed");
    judge(&flood, started.elapsed(), resident_max);
}

fn judge(flood: &Flood, elapsed: Duration, resident_max: u64) {
    let number = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let (moderate, greedy) = (&flood.moderate, &flood.greedy);
    let mut latencies = flood.latencies.lock().unwrap().clone();
    latencies.sort();
    let asked = latencies.len();
    let served = number(&moderate.right) as f64 * 100.0 / asked as f64;
    let at = |percent: usize| ms(latencies[(asked * percent / 100).min(asked - 1)]);
    let wrong = [moderate, greedy].map(|it| it.wrong.lock().unwrap().clone()).concat();
    let answered = number(&flood.probes_answered);
    let missed = flood.probes_missed.lock().unwrap().clone();
    let probes = answered + missed.len() as u64;
    let (blind_answered, blind_shed) = (number(&flood.blind_answered), number(&flood.blind_shed));
    println!(
        "flood: {} s, {} good answers, {blind_answered} answers that nobody looked at, {} shed, {} \
         ended, {} hostile connections, {} wrong, rss max {resident_max} MiB (bound \
         {RESIDENT_MIB_MAX}), good clients {served:.2} % of {asked} served within {} ms, p50 {:.1} \
         ms, p99 {:.1} ms, health answered {answered} of {probes}",
        elapsed.as_secs(),
        number(&moderate.right) + number(&greedy.right),
        number(&moderate.shed) + number(&greedy.shed) + blind_shed,
        number(&moderate.failed) + number(&greedy.failed),
        number(&flood.hostile),
        wrong.len(),
        SCALE.served_within.as_millis(),
        at(50),
        at(99),
    );
    assert!(wrong.is_empty(), "{:#?}", &wrong[..wrong.len().min(10)]);
    assert!(resident_max <= RESIDENT_MIB_MAX, "{resident_max} MiB");
    assert!(number(&greedy.right) > 1_000, "there was a load");
    assert!(blind_shed > 0, "it was more than the server takes on");
    assert!(served >= SERVED_PERCENT_MIN, "{served} % were served");
    assert!(missed.len() as u64 * 20 <= probes, "{missed:?}");
}
