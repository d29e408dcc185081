//! Many nodes on a real etcd cluster of three, while things die: nothing acknowledged is lost, no
//! answer is older than its token, and nothing is seen by half.
//!
//! `CAMGATE_CLUSTER_SECONDS` (15) is how long faults happen at random; `make soak` gives ten
//! minutes. A failure prints what was seen that may not be.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected must fail where it stands, and says what it did"
)]

#[path = "../it/support/etcd.rs"]
mod etcd;
mod faults;
mod history;
mod load;
mod proxy;
mod server;
mod sizes;

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use camgate::authn::vault::master_key::MasterKey;
use camgate::store::{EtcdStore, NodeEntry, Revision, Store, StoreError};
use tempfile::TempDir;
use tonic::Code;

use crate::etcd::{Cluster, within};
use crate::faults::Faults;
use crate::history::{Event, Truth};
use crate::load::{Load, revision};
use crate::proxy::Proxies;
use crate::server::Server;

/// Nodes of every test.
const NODES: usize = 3;

/// Asks until it succeeds, as it does when a fault is over.
async fn done<T, E, F: Future<Output = Result<T, E>>>(what: &str, ask: impl Fn() -> F) -> T {
    within(what, async {
        loop {
            if let Ok(answer) = ask().await {
                break answer;
            }
        }
    })
    .await
}

/// A cluster behind proxies, nodes on it, and the key that they share.
struct Setting {
    cluster: Cluster,
    proxies: Proxies,
    servers: Vec<Option<Server>>,
    key: PathBuf,
    _dir: TempDir,
}

impl Setting {
    /// Every node knows all members.
    async fn start() -> Self {
        Self::start_knowing(|_, urls| urls.to_vec()).await
    }

    /// Every node knows the members that `known` names.
    async fn start_knowing(known: impl Fn(usize, &[String]) -> Vec<String>) -> Self {
        let proxies = Proxies::start(NODES).await;
        let (ports, advertised) = (proxies.peer_ports.clone(), proxies.advertised.clone());
        let starting = move || Cluster::start(&ports, &advertised);
        let cluster = tokio::task::spawn_blocking(starting).await.unwrap();
        for (at, member) in cluster.members.iter().enumerate() {
            proxies.know(at, member.pid());
        }
        let dir = TempDir::new().unwrap();
        let key = dir.path().join("master.key");
        MasterKey::generate().unwrap().create_file(&key).unwrap();
        let urls = cluster.urls();
        let servers = tokio::task::block_in_place(|| {
            (0..NODES).map(|at| Some(Server::start(&known(at, &urls), &key))).collect()
        });
        Self { cluster, proxies, servers, key, _dir: dir }
    }

    fn urls(&self) -> Vec<String> {
        self.servers.iter().flatten().map(|server| server.url.clone()).collect()
    }

    async fn store(&self) -> EtcdStore {
        self.cluster.store("camgate").await
    }
}

/// Follows the store from its beginning, whatever happens to members.
async fn collect(store: Arc<EtcdStore>, truth: Arc<Mutex<Truth>>, seen: Arc<Mutex<Revision>>) {
    loop {
        let from = *seen.lock().unwrap();
        let Ok(mut watch) = store.watch(from).await else { continue };
        loop {
            match watch.next().await {
                Some(Ok(change)) => {
                    truth.lock().unwrap().take(&change);
                    *seen.lock().unwrap() = change.revision;
                }
                Some(Err(StoreError::Unavailable { .. })) => break,
                Some(Err(other)) => panic!("the history is not whole: {other}"),
                None => return,
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's own setting, read nowhere else")]
fn seconds() -> u64 {
    std::env::var("CAMGATE_CLUSTER_SECONDS").map_or(15, |text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_while_things_die() {
    let setting = Setting::start().await;
    let load = Load::prepare(setting.urls(), 6).await;
    let store = Arc::new(setting.store().await);
    let (truth, seen) = (Arc::new(Mutex::new(Truth::default())), Arc::default());
    let collecting =
        tokio::spawn(collect(Arc::clone(&store), Arc::clone(&truth), Arc::clone(&seen)));
    let running = tokio::spawn(Arc::clone(&load).run());
    let mut faults = Faults::new(setting, Arc::clone(&load), Arc::clone(&seen));
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(seconds()) {
        faults.next().await;
    }
    load.stop.store(true, Ordering::Relaxed);
    running.await.unwrap();
    let head = done("the store's head", || store.head()).await;
    within("the whole history", async {
        while *seen.lock().unwrap() < head {
            tokio::task::yield_now().await;
        }
    })
    .await;
    collecting.abort();
    let events = std::mem::take(&mut *load.events.lock().unwrap());
    let truth = truth.lock().unwrap();
    let violations = truth.violations(&events);
    let count = |is: fn(&Event) -> bool| events.iter().filter(|event| is(event)).count();
    let written = count(|it| matches!(it, Event::Written { .. }));
    let checked = count(|it| matches!(it, Event::Checked { .. }));
    let swapped = count(|it| matches!(it, Event::Swapped { .. }));
    println!(
        "cluster: {} s, {}; {} commits, {written} acknowledged writes, {checked} answers, {swapped} \
         batches about swaps, {} violations",
        started.elapsed().as_secs(),
        faults.summary(),
        truth.len(),
        violations.len()
    );
    assert!(violations.is_empty(), "{:#?}", &violations[..violations.len().min(10)]);
    assert!(written > 20 && checked > 100 && swapped > 20, "there was a load");
}

/// A node that only knows a member that is cut off, and what it answers without a token and with.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_checker_notices_when_tokens_are_not_waited_for() {
    let known = |at: usize, urls: &[String]| match at {
        2 => vec![urls[2].clone()],
        _ => urls[..2].to_vec(),
    };
    let setting = Setting::start_knowing(known).await;
    let urls = setting.urls();
    let load = Load::prepare(urls.clone(), 1).await;
    let uin = load.users[0];
    let granted = load.write(&urls[0], uin, true).await.unwrap();
    assert_eq!(load.check(&urls[2], uin, &granted).await.unwrap().outcome, 1);
    setting.proxies.cut(2);
    // The member that is cut off may have led: then the write has to wait for an election.
    let revoked = done("a revocation", || load.write(&urls[0], uin, false)).await;
    // With the token there is no answer: it would be older.
    let refused = load.check(&urls[2], uin, &revoked).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    // Without it there is one, which a checker that expects the token must report.
    let old = load.check(&urls[2], uin, "").await.unwrap();
    let event = Event::Checked {
        uin,
        is_allowed: old.outcome == 1,
        revision: revision(&old.revision),
        token: revision(&revoked),
    };
    let violations = Truth::default().violations(&[event]);
    assert!(violations[0].contains("older than its token"), "{violations:?}");
    setting.proxies.heal();
    let decision = done("an answer", || load.check(&urls[2], uin, &revoked)).await;
    assert_eq!(decision.outcome, 2, "{decision:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_a_majority_reads_go_on_and_say_their_age() {
    let mut setting = Setting::start().await;
    let urls = setting.urls();
    let load = Load::prepare(urls.clone(), 1).await;
    let uin = load.users[0];
    let token = load.write(&urls[0], uin, true).await.unwrap();
    for url in &urls {
        assert_eq!(load.check(url, uin, &token).await.unwrap().stale_ms, 0);
    }
    setting.cluster.members[0].kill();
    setting.cluster.members[1].kill();
    let started = Instant::now();
    let refused = load.write(&urls[0], uin, false).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    for url in &urls {
        let marked = within("an answer with its age", async {
            loop {
                let decision = load.check(url, uin, &token).await.unwrap();
                assert_eq!(decision.outcome, 1);
                if decision.stale_ms > 0 {
                    break decision;
                }
            }
        })
        .await;
        assert!((3_000..60_000).contains(&marked.stale_ms), "{marked:?}");
    }
    tokio::task::block_in_place(|| {
        let members = &mut setting.cluster.members;
        std::thread::scope(|scope| {
            for member in members[..2].iter_mut() {
                scope.spawn(|| member.restart());
            }
        });
    });
    // Nothing else is started again.
    for url in &urls {
        let token = done("a write", || load.write(url, uin, false)).await;
        within("an answer of today", async {
            loop {
                let decision = done("an answer", || load.check(url, uin, &token)).await;
                assert_eq!(decision.outcome, 2);
                if decision.stale_ms == 0 {
                    break;
                }
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_change_is_visible_on_other_nodes_soon() {
    let setting = Setting::start().await;
    let urls = setting.urls();
    let load = Load::prepare(urls.clone(), 1).await;
    let uin = load.users[0];
    let mut times = Vec::new();
    for round in 0..60 {
        let has = round % 2 == 0;
        let token = load.write(&urls[round % 3], uin, has).await.unwrap();
        let acknowledged = Instant::now();
        let decision = load.check(&urls[(round + 1) % 3], uin, &token).await.unwrap();
        times.push(acknowledged.elapsed());
        assert_eq!(decision.outcome == 1, has);
    }
    times.sort();
    let median = times[times.len() / 2];
    println!("cluster: visible on another node after {median:?}, the longest {:?}", times[59]);
    assert!(median <= Duration::from_millis(50), "{median:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_an_older_node_cannot_read_is_not_written() {
    let setting = Setting::start().await;
    let urls = setting.urls();
    let load = Load::prepare(urls.clone(), 1).await;
    let uin = load.users[0];
    load.write(&urls[0], uin, true).await.unwrap();
    let older = setting.store().await;
    let value = br#"{"version":"0.0.9","reads_format_max":1}"#.to_vec();
    let entry = NodeEntry { id: "older".to_owned(), value };
    older.announce(&entry).await.unwrap();
    for url in &urls {
        // Each node learns it with its next heartbeat.
        let refused = within("a refusal", async {
            loop {
                older.announce(&entry).await.unwrap();
                if let Err(refused) = load.write(url, uin, true).await {
                    break refused;
                }
            }
        })
        .await;
        assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
        assert!(refused.message().contains("node `older` (version 0.0.9)"), "{refused}");
        assert!(load.check(url, uin, "").await.is_ok(), "reads go on");
    }
    drop(older);
    // When it is gone, writes go on by themselves.
    done("writes again", || load.write(&urls[0], uin, false)).await;
}
