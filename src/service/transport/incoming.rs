//! From a listener to connections: accepted one after the other, shaken hands with side by side.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_stream::wrappers::ReceiverStream;
use tracing::{debug, warn};

use super::connection::{Connection, Place};
use super::tls::Tls;

/// Longest handshake.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// Connections that are ready before somebody serves them.
const READY_MAX: usize = 64;
/// Longest wait for one of the connections to end, after another could not be accepted.
const ACCEPT_WAIT_MAX: Duration = Duration::from_millis(100);

/// Makes connections of what a listener accepts.
#[derive(Debug, Clone)]
pub(in crate::service) struct Acceptor {
    tls: Option<Arc<Tls>>,
    config: fn(&Tls) -> Arc<ServerConfig>,
}

impl Acceptor {
    /// For the gRPC port.
    pub(in crate::service) fn grpc(tls: Option<Arc<Tls>>) -> Self {
        Self { tls, config: Tls::grpc }
    }

    /// For the HTTP port.
    pub(in crate::service) fn http(tls: Option<Arc<Tls>>) -> Self {
        Self { tls, config: Tls::http }
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
        let Some(tls) = &self.tls else { return Ok(Connection::plain(stream, address, place)) };
        let acceptor = TlsAcceptor::from((self.config)(tls));
        let shaken = tokio::time::timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await;
        let shaken = shaken.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)));
        tls.shaken(shaken.is_err());
        let stream = shaken?;
        Ok(Connection::tls(stream, address, place))
    }
}

/// Room for connections.
struct Places {
    free: Arc<Semaphore>,
    /// Told when one of them ends.
    freed: Arc<Notify>,
}

/// The connections of a listener as they become ready, so many at a time: further ones wait to be
/// accepted. It ends when nobody takes them any more.
pub(in crate::service) fn incoming(
    listener: TcpListener,
    acceptor: Acceptor,
    connections_max: usize,
) -> ReceiverStream<io::Result<Connection>> {
    let (ready, connections) = mpsc::channel(READY_MAX);
    tokio::spawn(accept_all(listener, acceptor, connections_max, ready));
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
    loop {
        let accepted = tokio::select! {
            accepted = accept_one(&listener, &places) => accepted,
            () = ready.closed() => return,
        };
        let Some((stream, address, place)) = accepted else { continue };
        let (acceptor, ready) = (acceptor.clone(), ready.clone());
        tokio::spawn(async move {
            match acceptor.accept(stream, address, place).await {
                // An error means that nothing is served any more.
                Ok(connection) => drop(ready.send(Ok(connection)).await),
                Err(error) => debug!(%address, %error, "no handshake"),
            }
        });
    }
}

/// The next connection, when there is room for one more.
async fn accept_one(
    listener: &TcpListener,
    places: &Places,
) -> Option<(TcpStream, SocketAddr, Place)> {
    let permit = Arc::clone(&places.free).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, address)) => Some((stream, address, Place::new(permit, &places.freed))),
        Err(error) if is_of_the_client(&error) => {
            debug!(%error, "a connection was gone before it was accepted");
            None
        }
        Err(error) => {
            // Out of descriptors, say: to try again at once would only spin. A connection that ends
            // gives one back; those of the rest of the program do not tell.
            let ended = places.freed.notified();
            warn!(%error, "a connection could not be accepted");
            let _either = tokio::time::timeout(ACCEPT_WAIT_MAX, ended).await;
            None
        }
    }
}

/// Whether only the one connection failed, which must not make the others wait.
fn is_of_the_client(error: &io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
