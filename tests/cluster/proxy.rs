//! Proxies between the members of a cluster, which cut a member off: its traffic stands still, in
//! both directions, with its connections open.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OnceCell, watch};

use crate::etcd::free_ports;

/// How often it is looked up whose a connection is.
const LOOKS_MAX: u32 = 10;

/// Before each member's port for the others.
pub(crate) struct Proxies {
    /// Where the members listen, and where they are told to reach each other.
    pub(crate) peer_ports: Vec<u16>,
    pub(crate) advertised: Vec<u16>,
    cut: watch::Sender<BTreeSet<usize>>,
    pids: Pids,
}

/// The members' process ids, which tell who has connected.
type Pids = Arc<Mutex<Vec<Option<u32>>>>;

/// The members at both ends of a connection.
struct Ends {
    to: usize,
    /// The port that it comes from, and the proxy's: only both together name a connection.
    ports: (u16, u16),
    /// Found when it first matters: members connect before anybody knows their processes.
    from: OnceCell<Option<usize>>,
    pids: Pids,
}

impl Ends {
    /// Who has connected.
    async fn from(&self) -> Option<usize> {
        let look = || async {
            let (pids, ports) = (self.pids.lock().unwrap().clone(), self.ports);
            // The kernel's table leaves out lines while it changes: one look that finds nobody says
            // nothing, and a connection that is taken for nobody's would go round the cut.
            let looks = move || (0..LOOKS_MAX).find_map(|_| owner(&pids, ports));
            tokio::task::spawn_blocking(looks).await.unwrap()
        };
        *self.from.get_or_init(look).await
    }

    /// Returns when neither end is cut off; false when the proxies are gone.
    async fn open(&self, cut: &mut watch::Receiver<BTreeSet<usize>>) -> bool {
        loop {
            let now = cut.borrow_and_update().clone();
            if now.is_empty() {
                return true;
            }
            let is_cut =
                now.contains(&self.to) || self.from().await.is_some_and(|from| now.contains(&from));
            if !is_cut {
                return true;
            }
            if cut.changed().await.is_err() {
                return false;
            }
        }
    }
}

impl Proxies {
    pub(crate) async fn start(size: usize) -> Self {
        let pids = Arc::new(Mutex::new(vec![None; size]));
        let cut = watch::Sender::new(BTreeSet::new());
        let peer_ports = free_ports(size);
        let mut advertised = Vec::new();
        for (to, port) in peer_ports.iter().copied().enumerate() {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let own = listener.local_addr().unwrap().port();
            advertised.push(own);
            let (cut, pids) = (cut.subscribe(), Arc::clone(&pids));
            tokio::spawn(async move {
                while let Ok((stream, from)) = listener.accept().await {
                    let (ports, pids) = ((from.port(), own), Arc::clone(&pids));
                    let ends = Ends { to, ports, from: OnceCell::new(), pids };
                    tokio::spawn(forward(stream, port, cut.clone(), ends));
                }
            });
        }
        Self { peer_ports, advertised, cut, pids }
    }

    /// Says which process a member is now.
    pub(crate) fn know(&self, member: usize, pid: Option<u32>) {
        self.pids.lock().unwrap()[member] = pid;
    }

    /// Cuts a member off.
    pub(crate) fn cut(&self, member: usize) {
        self.cut.send_modify(|cut| _ = cut.insert(member));
    }

    /// Lets all traffic go on.
    pub(crate) fn heal(&self) {
        self.cut.send_modify(BTreeSet::clear);
    }
}

async fn forward(
    mut stream: TcpStream,
    port: u16,
    cut: watch::Receiver<BTreeSet<usize>>,
    ends: Ends,
) {
    let Ok(mut target) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let (mut read, mut write) = stream.split();
    let (mut target_read, mut target_write) = target.split();
    let _ = tokio::join!(
        pump(&mut read, &mut target_write, cut.clone(), &ends),
        pump(&mut target_read, &mut write, cut, &ends),
    );
}

/// Copies while neither end is cut off.
async fn pump(
    from: &mut (impl tokio::io::AsyncRead + Unpin),
    to: &mut (impl tokio::io::AsyncWrite + Unpin),
    mut cut: watch::Receiver<BTreeSet<usize>>,
    ends: &Ends,
) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(length) = from.read(&mut bytes).await {
        if length == 0 || !ends.open(&mut cut).await {
            break;
        }
        if to.write_all(&bytes[..length]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}

/// Which of the processes has the connection between these ports of 127.0.0.1, at its first end.
/// Another connection may leave from the same port to elsewhere.
fn owner(pids: &[Option<u32>], (from, to): (u16, u16)) -> Option<usize> {
    let (local, remote) = (format!("0100007F:{from:04X}"), format!("0100007F:{to:04X}"));
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    // The number of the connection, its own end, the other one.
    let is_its = |line: &&str| {
        let mut parts = line.split_whitespace().skip(1);
        parts.next() == Some(&local) && parts.next() == Some(&remote)
    };
    let inode = table.lines().find(is_its)?.split_whitespace().nth(9)?;
    let wanted = format!("socket:[{inode}]");
    pids.iter().position(|pid| {
        let files = pid.and_then(|pid| std::fs::read_dir(format!("/proc/{pid}/fd")).ok());
        files.is_some_and(|files| {
            files.flatten().any(|file| {
                std::fs::read_link(file.path()).is_ok_and(|link| link.to_string_lossy() == wanted)
            })
        })
    })
}
