//! `kill -9` while decisions are logged: what was answered is there, and the next start goes on.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use camgate::audit::decision_log::LineFault;
use camgate::service::proto as pb;
use camgate::service::proto::authorization_service_client::AuthorizationServiceClient;
use tokio::task::JoinSet;

use super::{decisions, lines};
use crate::command::Served;
use crate::grpc::{ROOT, app, question};

const ROUNDS: usize = 4;
/// Answers after which the server is killed, while more are under way.
const ANSWERS: usize = 300;

/// Asks until the server is gone; the ids of what it answered.
async fn ask_until_gone(url: String, given: Arc<AtomicUsize>) -> Vec<String> {
    let mut ids = Vec::new();
    let Ok(mut client) = AuthorizationServiceClient::connect(url).await else { return ids };
    let entries = vec![question(ROOT, "im:DescribeConfInfo", &app(1_400_000_001)); 5];
    while let Ok(answer) = client
        .batch_check(pb::BatchCheckRequest { entries: entries.clone(), consistency: None })
        .await
    {
        for entry in answer.into_inner().entries {
            let Some(pb::batch_check_entry::Result::Decision(decision)) = entry.result else {
                panic!("{entry:?}");
            };
            ids.push(decision.decision_id);
        }
        given.fetch_add(entries.len(), Ordering::Relaxed);
    }
    ids
}

/// Waits for so many answers.
async fn answers(given: &AtomicUsize, wanted: usize) {
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    while given.load(Ordering::Relaxed) < wanted {
        ticks.tick().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_is_in_the_log_after_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let file = folder.join("decisions.jsonl");
    // Small files, so that kills meet files that are put aside too.
    let config = "[decision_log]\nfile = \"decisions.jsonl\"\nrotate_size = \"1MiB\"\n";
    fs::write(folder.join("camgate.toml"), config).unwrap();
    let args = ["--dev", "--config", "camgate.toml", "--store", "sled:store"];
    let mut answered: BTreeSet<String> = BTreeSet::new();
    for round in 0..ROUNDS {
        let server = Served::start(folder, &args);
        let (mut asking, given) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
        for _ in 0..4 {
            asking.spawn(ask_until_gone(server.url(), Arc::clone(&given)));
        }
        answers(&given, ANSWERS * (round + 1)).await;
        server.kill();
        while let Some(ids) = asking.join_next().await {
            answered.extend(ids.unwrap());
        }
        let all = lines(&file);
        let last = all.last().unwrap().number;
        for line in &all {
            // Nothing but the very last record may be wrong, and it is named.
            let is_cut = matches!(line.fault, Some(LineFault::Incomplete { .. }));
            assert!(line.fault.is_none() || (is_cut && line.number == last), "{line:?}");
        }
    }
    drop(Served::start(folder, &args));
    let logged: BTreeSet<String> =
        decisions(&file).into_iter().map(|record| record.id.to_string()).collect();
    let missing: Vec<&String> = answered.difference(&logged).collect();
    assert!(missing.is_empty(), "answered and not logged: {missing:?}");
    assert!(answered.len() > ROUNDS * ANSWERS, "{}", answered.len());
}
