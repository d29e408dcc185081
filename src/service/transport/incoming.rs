//! From a listener to connections: accepted one after the other, shaken hands with side by side.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::{unconstrained, yield_now};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_stream::wrappers::ReceiverStream;
use tracing::{debug, warn};

use super::connection::{Connection, Place};
use super::tls::Tls;
use crate::service::overload::{Cut, Peer, Port};

/// Connections that are ready before somebody serves them.
const READY_MAX: usize = 4_096;
/// Connections that the kernel keeps until they are accepted; fewer where it is set to fewer.
const WAITING_MAX: u32 = 4_096;
/// Connections that are accepted before anything else may be done.
const ACCEPTED_AT_A_TIME_MAX: usize = 1_024;
/// Longest wait for one of the connections to end, after another could not be accepted.
const ACCEPT_WAIT_MAX: Duration = Duration::from_millis(100);

/// Makes connections of what a listener accepts.
#[derive(Debug, Clone)]
pub(in crate::service) struct Acceptor {
    tls: Option<Arc<Tls>>,
    config: fn(&Tls) -> Arc<ServerConfig>,
    port: Arc<Port>,
    /// Whether its clients speak HTTP/2.
    is_grpc: bool,
}

impl Acceptor {
    /// For the gRPC port.
    pub(in crate::service) fn grpc(tls: Option<Arc<Tls>>, port: Arc<Port>) -> Self {
        Self { tls, config: Tls::grpc, port, is_grpc: true }
    }

    /// For the HTTP port.
    pub(in crate::service) fn http(tls: Option<Arc<Tls>>, port: Arc<Port>) -> Self {
        Self { tls, config: Tls::http, port, is_grpc: false }
    }

    /// The connection, once its handshake is done.
    async fn accept(
        &self,
        stream: TcpStream,
        address: SocketAddr,
        place: Place,
    ) -> io::Result<Connection> {
        // Only a matter of speed.
        let _ = stream.set_nodelay(true);
        let load = Registered::new(&self.port);
        let Some(tls) = &self.tls else {
            return Ok(Connection::plain(stream, address, load.stays(), place));
        };
        let acceptor = TlsAcceptor::from((self.config)(tls));
        let limit = Duration::from_millis(self.port.limits().handshake_ms_max);
        let shaken = tokio::select! {
            shaken = tokio::time::timeout(limit, acceptor.accept(stream)) => shaken,
            () = poll_fn(|context| load.peer.poll_cut(context)) => {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        };
        let shaken = shaken.unwrap_or_else(|_| {
            load.peer.cut(Cut::Handshake);
            Err(io::ErrorKind::TimedOut.into())
        });
        tls.shaken(shaken.is_err());
        Ok(Connection::tls(shaken?, address, load.stays(), place))
    }
}

/// A connection that is counted, until it is handed on or gone.
struct Registered {
    peer: Arc<Peer>,
    stays: bool,
}

impl Registered {
    fn new(port: &Arc<Port>) -> Self {
        Self { peer: port.connected(), stays: false }
    }

    fn stays(mut self) -> Arc<Peer> {
        self.stays = true;
        Arc::clone(&self.peer)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        if !self.stays {
            self.peer.port().disconnected(&self.peer);
        }
    }
}

/// Room for connections.
struct Places {
    free: Arc<Semaphore>,
    /// Told when one of them ends.
    freed: Arc<Notify>,
}

/// Listens on an address; must be called within a runtime.
pub(in crate::service) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As everywhere where servers are started again. On Windows it would let others listen too.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING_MAX)
}

/// The connections of a listener as they become ready, so many at a time: a further one takes the
/// place of one that is idle, or waits. It ends when nobody takes them any more.
pub(in crate::service) fn incoming(
    listener: TcpListener,
    acceptor: Acceptor,
    connections_max: usize,
) -> ReceiverStream<io::Result<Connection>> {
    let (ready, connections) = mpsc::channel(READY_MAX);
    // Not held to the usual number of steps at a time: where connections come and go by the
    // thousand, those that wait to be accepted would soon be too many for the kernel.
    tokio::spawn(unconstrained(accept_all(listener, acceptor, connections_max, ready)));
    ReceiverStream::new(connections)
}

async fn accept_all(
    listener: TcpListener,
    acceptor: Acceptor,
    connections_max: usize,
    ready: mpsc::Sender<io::Result<Connection>>,
) {
    let places =
        Places { free: Arc::new(Semaphore::new(connections_max)), freed: Arc::new(Notify::new()) };
    let has_handshakes = acceptor.tls.is_some();
    let mut accepted_at_a_time = 0;
    loop {
        accepted_at_a_time += 1;
        if accepted_at_a_time > ACCEPTED_AT_A_TIME_MAX {
            accepted_at_a_time = 0;
            yield_now().await;
        }
        let accepted = tokio::select! {
            accepted = accept_one(&listener, &places, &acceptor.port) => accepted,
            () = ready.closed() => return,
        };
        let Some((stream, address, place)) = accepted else { continue };
        let (acceptor, ready) = (acceptor.clone(), ready.clone());
        let hand_on = async move {
            match acceptor.accept(stream, address, place).await {
                Ok(connection) => {
                    let connection =
                        if acceptor.is_grpc { connection.with_hello() } else { connection };
                    // An error means that nothing is served any more.
                    drop(ready.send(Ok(connection)).await);
                }
                Err(error) => debug!(%address, %error, "no handshake"),
            }
        };
        // Only a handshake takes time; a task would have to wait for its turn.
        if has_handshakes {
            tokio::spawn(hand_on);
        } else {
            hand_on.await;
        }
    }
}

/// The next connection, when there is room for one more.
async fn accept_one(
    listener: &TcpListener,
    places: &Places,
    port: &Port,
) -> Option<(TcpStream, SocketAddr, Place)> {
    let accepted = match listener.accept().await {
        Ok((stream, address)) => {
            let permit = place(places, port).await?;
            return Some((stream, address, Place::new(permit, &places.freed)));
        }
        Err(error) => error,
    };
    if is_of_the_client(&accepted) {
        debug!(error = %accepted, "a connection was gone before it was accepted");
        return None;
    }
    // Out of descriptors, say: to try again at once would only spin. A connection that ends gives
    // one back; those of the rest of the program do not tell.
    let ended = places.freed.notified();
    warn!(error = %accepted, "a connection could not be accepted");
    port.make_room();
    let _either = tokio::time::timeout(ACCEPT_WAIT_MAX, ended).await;
    None
}

/// A place for one more connection; where there is none, another connection has to go.
async fn place(places: &Places, port: &Port) -> Option<OwnedSemaphorePermit> {
    if let Ok(permit) = Arc::clone(&places.free).try_acquire_owned() {
        return Some(permit);
    }
    loop {
        port.make_room();
        let free = Arc::clone(&places.free).acquire_owned();
        // When all are in use, one may be idle a moment later.
        if let Ok(permit) = tokio::time::timeout(ACCEPT_WAIT_MAX, free).await {
            return permit.ok();
        }
    }
}

/// Whether only the one connection failed, which must not make the others wait.
fn is_of_the_client(error: &io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
