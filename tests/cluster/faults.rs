//! Faults, one after the other, at random: each begins, lasts, and is made good again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use camgate::store::Revision;
use etcd_client::{Client, CompactionOptions};

use crate::Setting;
use crate::etcd::within;
use crate::load::Load;
use crate::server::Server;

/// The kinds, each as often as the others.
const KINDS: [&str; 6] = [
    "killed member",
    "killed leader",
    "frozen member",
    "member cut off",
    "killed node",
    "compaction",
];

/// What happens to the setting.
pub(crate) struct Faults {
    setting: Setting,
    load: Arc<Load>,
    /// What the collector of the history has, beyond which nothing is compacted.
    seen: Arc<Mutex<Revision>>,
    random: u64,
    counts: BTreeMap<&'static str, usize>,
}

impl Faults {
    pub(crate) fn new(setting: Setting, load: Arc<Load>, seen: Arc<Mutex<Revision>>) -> Self {
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
        println!("cluster: seed {seed}");
        Self { setting, load, seen, random: u64::from(seed) | 1, counts: BTreeMap::new() }
    }

    fn below(&mut self, limit: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random >> 11).unwrap() % limit
    }

    /// How often each happened.
    pub(crate) fn summary(&self) -> String {
        let counts: Vec<String> =
            self.counts.iter().map(|(kind, count)| format!("{kind} ×{count}")).collect();
        counts.join(", ")
    }

    /// One fault, from its beginning to its end, and a while of peace.
    pub(crate) async fn next(&mut self) {
        let kind = KINDS[self.below(KINDS.len())];
        *self.counts.entry(kind).or_default() += 1;
        let member = match kind {
            "killed leader" => self.leader().await,
            _ => self.below(self.setting.cluster.members.len()),
        };
        // Longer than an election takes.
        let while_it_lasts = Duration::from_millis(1_000 + self.below(2_000) as u64);
        match kind {
            "killed member" | "killed leader" => {
                self.setting.cluster.members[member].kill();
                self.go_on(while_it_lasts).await;
                let restarted = &mut self.setting.cluster.members[member];
                tokio::task::block_in_place(|| restarted.restart());
                self.setting.proxies.know(member, restarted.pid());
            }
            "frozen member" => {
                self.setting.cluster.members[member].freeze();
                self.go_on(while_it_lasts).await;
                self.setting.cluster.members[member].thaw();
            }
            "member cut off" => {
                self.setting.proxies.cut(member);
                self.go_on(while_it_lasts).await;
                self.setting.proxies.heal();
            }
            "killed node" => self.kill_node(while_it_lasts).await,
            _ => self.compact().await,
        }
        let peace = Duration::from_millis(500 + self.below(1_000) as u64);
        self.go_on(peace).await;
    }

    /// Waits until the load has gone on for so long: it must, whatever one fault does to it.
    async fn go_on(&self, at_least: Duration) {
        let (started, mut progress) = (Instant::now(), self.load.progress.subscribe());
        within("the load goes on", async {
            while started.elapsed() < at_least {
                progress.changed().await.unwrap();
            }
        })
        .await;
    }

    async fn kill_node(&mut self, while_it_lasts: Duration) {
        let at = self.below(self.setting.servers.len());
        if let Some(server) = self.setting.servers[at].take() {
            server.kill();
        }
        self.go_on(while_it_lasts).await;
        let (urls, key) = (self.setting.cluster.urls(), self.setting.key.clone());
        let server = tokio::task::block_in_place(|| Server::start(&urls, &key));
        self.load.nodes.lock().unwrap()[at] = server.url.clone();
        self.setting.servers[at] = Some(server);
    }

    /// Compacts what the collector has seen, under the nodes' watches.
    async fn compact(&mut self) {
        let at = i64::try_from(self.seen.lock().unwrap().0).unwrap();
        if let Ok(mut client) = Client::connect(self.setting.cluster.urls(), None).await {
            let options = CompactionOptions::new().with_physical();
            let _may_be_compacted_already = client.compact(at, Some(options)).await;
        }
    }

    /// The member that leads now; the first while nobody does.
    async fn leader(&self) -> usize {
        for (at, member) in self.setting.cluster.members.iter().enumerate() {
            let Ok(mut client) = Client::connect([&member.url], None).await else { continue };
            let Ok(status) = client.status().await else { continue };
            let own = status.header().map(|header| header.member_id());
            if own == Some(status.leader()) {
                return at;
            }
        }
        0
    }
}
