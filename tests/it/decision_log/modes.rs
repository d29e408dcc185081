//! The two modes: an answer that waits for its record, and one that waits for nothing.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use camgate::audit::decision_log::{
    DecisionLogSettings, Entry, LogFault, LogMode, LogVitals, Taken,
};
use camgate::node::NodeSettings;
use camgate::service::proto as pb;
use camgate::store::MemoryStore;
use std::sync::Arc;
use tonic::Code;

use super::{decisions, lines, open, record};
use crate::grpc::{ROOT, TestServer};

/// A file that can be opened, and has no room ever.
const FULL: &str = "/dev/full";

fn full(mode: LogMode) -> DecisionLogSettings {
    DecisionLogSettings {
        mode,
        wait_max: Duration::from_millis(300),
        ..DecisionLogSettings::new(PathBuf::from(FULL))
    }
}

#[tokio::test]
async fn without_its_record_an_answer_is_not_given() {
    let log = open(full(LogMode::NeverDrop));
    let taken = log.take(record("a")).unwrap();
    let began = Instant::now();
    assert_eq!(log.written(taken).await, Err(LogFault::Late { waited_ms: 300 }));
    assert!(began.elapsed() >= Duration::from_millis(250), "back-pressure comes first");
    // Who comes later does not wait as long for what has failed for long.
    let taken = log.take(record("b")).unwrap();
    let began = Instant::now();
    assert!(log.written(taken).await.is_err());
    assert!(began.elapsed() < Duration::from_millis(250), "{:?}", began.elapsed());
    let LogVitals { written, dropped, problem, .. } = log.vitals();
    assert_eq!((written, dropped), (0, 0));
    assert!(problem.unwrap().contains("No space left"));
}

#[tokio::test]
async fn without_room_a_record_is_refused_or_counted() {
    let small = |mode| DecisionLogSettings { buffer_bytes_max: 4_000, ..full(mode) };
    let log = open(small(LogMode::NeverDrop));
    let refused = (0..100).find_map(|_| log.take(record("a")).err());
    let Some(LogFault::Full { waiting_bytes, bytes_max: 4_000 }) = refused else {
        panic!("{refused:?}");
    };
    assert!(waiting_bytes > 3_000 && waiting_bytes <= 4_000, "{waiting_bytes}");
    let log = open(small(LogMode::BestEffort));
    for _ in 0..100 {
        let taken = log.take(record("a")).unwrap();
        assert_eq!(taken, Taken::default(), "nothing waits");
        log.written(taken).await.unwrap();
    }
    let LogVitals { written, dropped, waiting_bytes, .. } = log.vitals();
    assert_eq!(written, 0);
    // The first few fit in, and were perhaps taken out again by the writer.
    assert!((90..100).contains(&dropped), "{dropped}");
    assert!(waiting_bytes <= 4_000);
}

#[tokio::test]
async fn what_is_dropped_is_counted_exactly_and_said_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let settings = DecisionLogSettings {
        mode: LogMode::BestEffort,
        buffer_bytes_max: 2_000,
        ..DecisionLogSettings::new(folder.path().join("decisions.jsonl"))
    };
    let log = open(settings.clone());
    for place in 0..5_000 {
        let _ = log.take(record(&place.to_string())).unwrap();
    }
    log.close();
    let LogVitals { written, dropped, .. } = log.vitals();
    assert_eq!(written + dropped, 5_000);
    assert!(dropped > 0, "a buffer of two records cannot hold all");
    assert_eq!(decisions(&settings.file).len() as u64, written);
    let told: u64 = lines(&settings.file)
        .into_iter()
        .map(|line| match line.entry {
            Some(Entry::Dropped(dropped)) => dropped.count,
            Some(Entry::Opened(_) | Entry::Decision(_) | Entry::Closed {}) | None => 0,
        })
        .sum();
    assert_eq!(told, dropped);
}

async fn server(settings: DecisionLogSettings) -> TestServer {
    let settings = NodeSettings { decision_log: Some(settings), ..NodeSettings::default() };
    let mut server = TestServer::start(Arc::new(MemoryStore::new()), None, settings).await;
    server.create_account().await;
    server
}

fn question() -> pb::CheckRequest {
    pb::CheckRequest {
        principal: Some(pb::Principal {
            id: Some(pb::principal::Id::Uin(ROOT)),
            ..Default::default()
        }),
        action: "im:DescribeConfInfo".to_owned(),
        resource: format!("qcs::im::uin/{ROOT}:sdkappid/1400000001"),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_fails_closed_or_decides_on_as_the_mode_says() {
    let mut strict = server(full(LogMode::NeverDrop)).await;
    let mut ready = strict.node.readiness();
    let refused = strict.authz.check(question()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    assert!(refused.message().contains("no answer is given that is not logged"), "{refused}");
    let batch = pb::BatchCheckRequest { entries: vec![question(); 3], consistency: None };
    assert_eq!(strict.authz.batch_check(batch).await.unwrap_err().code(), Code::Unavailable);
    let explained = pb::ExplainRequest { check: Some(question()) };
    assert_eq!(strict.authz.explain(explained).await.unwrap_err().code(), Code::Unavailable);
    let not_ready = ready.wait_for(|readiness| !readiness.is_ready()).await.unwrap().clone();
    assert!(not_ready.problems[0].contains("the decision log cannot be written: No space"));

    let mut lenient = server(full(LogMode::BestEffort)).await;
    let mut ready = lenient.node.readiness();
    let decision = lenient.authz.check(question()).await.unwrap().into_inner().decision.unwrap();
    assert_eq!(decision.outcome(), pb::Outcome::Allow);
    let told = ready.wait_for(|readiness| !readiness.reports.is_empty()).await.unwrap().clone();
    assert!(told.is_ready() && told.reports[0].contains("the decision log"), "{told:?}");
}
