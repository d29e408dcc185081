//! Real etcd members on loopback, as processes of their own: started, killed, stopped, restarted.
//!
//! Each runs under a shell that ends it when the test process is gone, whatever happened to it.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use camgate::store::{EtcdOptions, EtcdStore};
use tempfile::TempDir;

/// What is waited for comes, or the test fails.
pub(crate) async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(Duration::from_secs(60), work).await;
    waited.unwrap_or_else(|_| panic!("{what}: not within a minute"))
}

/// Starts etcd, says its process id, and ends it with the pipe from the test.
const GUARDIAN: &str =
    r#"etcd "$@" 2>&1 & pid=$!; echo "pid $pid"; read -r _; kill -9 $pid 2> /dev/null"#;

/// A cluster of members.
pub(crate) struct Cluster {
    pub(crate) members: Vec<Member>,
    _dir: TempDir,
}

/// A member, which may be running or not.
pub(crate) struct Member {
    /// Where clients reach it.
    pub(crate) url: String,
    arguments: Vec<String>,
    running: Option<Running>,
}

struct Running {
    guardian: Child,
    /// Closing it ends the member.
    _life: ChildStdin,
    pid: u32,
}

/// As many ports that nobody listens on now.
pub(crate) fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

impl Cluster {
    /// Starts a member for each of the ports where they listen to each other; they are told to
    /// reach each other at the ports that are advertised. Returns when each serves clients.
    pub(crate) fn start(peer_ports: &[u16], advertised: &[u16]) -> Self {
        Self::start_with(peer_ports, advertised, "http", &[])
    }

    /// The same, with what clients' addresses begin with, and further arguments of each member.
    pub(crate) fn start_with(
        peer_ports: &[u16],
        advertised: &[u16],
        scheme: &str,
        further: &[String],
    ) -> Self {
        let dir = TempDir::new().unwrap();
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let client_url = |port: u16| format!("{scheme}://127.0.0.1:{port}");
        let client_ports = free_ports(peer_ports.len());
        let ports: Vec<(u16, u16)> =
            client_ports.into_iter().zip(peer_ports.iter().copied()).collect();
        let named = |(at, port): (usize, &u16)| format!("m{at}={}", url(*port));
        let all: Vec<String> = advertised.iter().enumerate().map(named).collect();
        let mut members: Vec<Member> = ports
            .iter()
            .enumerate()
            .map(|(at, (client, peer))| {
                let data: PathBuf = dir.path().join(format!("m{at}"));
                let arguments = [
                    ("name", format!("m{at}")),
                    ("data-dir", data.display().to_string()),
                    ("listen-client-urls", client_url(*client)),
                    ("advertise-client-urls", client_url(*client)),
                    ("listen-peer-urls", url(*peer)),
                    ("initial-advertise-peer-urls", url(advertised[at])),
                    ("initial-cluster", all.join(",")),
                    ("heartbeat-interval", "50".to_owned()),
                    ("election-timeout", "500".to_owned()),
                    ("logger", "zap".to_owned()),
                    ("log-outputs", "stdout".to_owned()),
                ];
                let arguments = arguments.map(|(key, value)| format!("--{key}={value}"));
                let arguments = [&arguments[..], further].concat();
                Member { url: client_url(*client), arguments, running: None }
            })
            .collect();
        // All at once: none serves before most are there.
        let started: Vec<_> = members.iter_mut().map(Member::spawn).collect();
        started.into_iter().for_each(wait_until_it_serves);
        Self { members, _dir: dir }
    }

    /// The store in it under a prefix.
    pub(crate) async fn store(&self, prefix: &str) -> EtcdStore {
        let (members, prefix) = (self.urls(), prefix.to_owned());
        let options = EtcdOptions { members, prefix, credentials: None, tls: None };
        EtcdStore::open(options).await.unwrap()
    }

    /// What `--store` says of it.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.members.iter().map(|member| member.url.clone()).collect()
    }
}

impl Member {
    fn spawn(&mut self) -> BufReader<std::process::ChildStdout> {
        let mut guardian = Command::new("sh")
            .args(["-c", GUARDIAN, "sh"])
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let life = guardian.stdin.take().unwrap();
        let mut lines = BufReader::new(guardian.stdout.take().unwrap());
        let mut first = String::new();
        // The process id is said first, or among the first lines.
        let pid = loop {
            first.clear();
            assert!(lines.read_line(&mut first).unwrap() > 0, "no etcd: install etcd-server");
            if let Some(pid) = first.trim().strip_prefix("pid ") {
                break pid.parse().unwrap();
            }
        };
        self.running = Some(Running { guardian, _life: life, pid });
        lines
    }

    /// Starts it again; returns when it serves.
    pub(crate) fn restart(&mut self) {
        assert!(self.running.is_none(), "it runs");
        wait_until_it_serves(self.spawn());
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        if let Some(Running { mut guardian, _life, pid }) = self.running.take() {
            signal("-KILL", pid);
            drop(_life);
            guardian.wait().unwrap();
        }
    }

    /// Its process id, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.pid)
    }

    /// Stops it in its tracks, its connections open.
    pub(crate) fn freeze(&self) {
        signal("-STOP", self.running.as_ref().unwrap().pid);
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        signal("-CONT", self.running.as_ref().unwrap().pid);
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.kill();
    }
}

fn signal(which: &str, pid: u32) {
    let mut kill = Command::new("kill");
    let status = kill.args([which, &pid.to_string()]).status().unwrap();
    assert!(status.success(), "kill {which} {pid}");
}

/// Reads what it logs until it serves clients, and from then on, so that the pipe never fills.
fn wait_until_it_serves(mut lines: BufReader<std::process::ChildStdout>) {
    let mut line = String::new();
    let mut seen = String::new();
    loop {
        line.clear();
        let read = lines.read_line(&mut line).unwrap();
        assert!(read > 0, "etcd ended:\n{seen}");
        if line.contains("serving client traffic") {
            break;
        }
        seen.push_str(&line);
    }
    std::thread::spawn(move || {
        let mut rest = lines;
        let _ = std::io::copy(&mut rest, &mut std::io::sink());
    });
}
