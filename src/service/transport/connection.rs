//! One connection: its bytes, and who is at its other end.
//!
//! One that was cut ends at once, whichever way it is used next; so does one whose client takes no
//! bytes, or does not say in time that it speaks HTTP/2.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::{Sleep, sleep};
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use crate::service::overload::{Cut, Peer};

/// What a client of HTTP/2 sends first: the preface, and an empty frame of settings.
const HELLO_BYTES: usize = 24 + 9;

/// Who is at the other end of a connection; kept with each of its requests.
#[derive(Debug, Clone)]
pub struct PeerInfo {
    /// Its address.
    pub address: SocketAddr,
    /// The names in the certificate that it proved to have, by DNS and by URI; empty without one.
    pub identities: Arc<[String]>,
    load: Arc<Peer>,
}

impl PeerInfo {
    /// What it takes of the server.
    pub(in crate::service) fn load(&self) -> &Arc<Peer> {
        &self.load
    }
}

/// A connection of either kind.
pub(in crate::service) struct Connection {
    stream: Stream,
    peer: PeerInfo,
    /// Until its client has said what it speaks.
    hello: Option<Hello>,
    /// While its client takes no bytes.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Its place among the connections that there may be.
    _place: Place,
}

/// The first bytes of a connection, as far as they have not come.
struct Hello {
    missing: usize,
    late: Pin<Box<Sleep>>,
}

enum Stream {
    Plain(TcpStream),
    // Much larger than the other.
    Tls(Box<TlsStream<TcpStream>>),
}

/// A place among the connections that there may be; who waits for one to be free is told.
pub(super) struct Place {
    permit: Option<OwnedSemaphorePermit>,
    freed: Arc<Notify>,
}

impl Place {
    pub(super) fn new(permit: OwnedSemaphorePermit, freed: &Arc<Notify>) -> Self {
        Self { permit: Some(permit), freed: Arc::clone(freed) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.permit.take());
        self.freed.notify_waiters();
    }
}

impl Connection {
    /// One without TLS.
    pub(super) fn plain(
        stream: TcpStream,
        address: SocketAddr,
        load: Arc<Peer>,
        place: Place,
    ) -> Self {
        let peer = PeerInfo { address, identities: Arc::new([]), load };
        Self::new(Stream::Plain(stream), peer, place)
    }

    /// One whose handshake is done.
    pub(super) fn tls(
        stream: TlsStream<TcpStream>,
        address: SocketAddr,
        load: Arc<Peer>,
        place: Place,
    ) -> Self {
        let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let identities = certificates.first().map(super::tls::identities).unwrap_or_default();
        let peer = PeerInfo { address, identities: identities.into(), load };
        Self::new(Stream::Tls(Box::new(stream)), peer, place)
    }

    fn new(stream: Stream, peer: PeerInfo, place: Place) -> Self {
        Self { stream, peer, hello: None, stalled: None, _place: place }
    }

    /// Its client must say in time that it speaks HTTP/2.
    pub(super) fn with_hello(mut self) -> Self {
        let wait = Duration::from_millis(self.peer.load.port().limits().handshake_ms_max);
        self.hello = Some(Hello { missing: HELLO_BYTES, late: Box::pin(sleep(wait)) });
        self
    }

    /// Why it ends, once it was cut.
    fn poll_end(&self, context: &Context<'_>) -> Poll<io::Error> {
        ready!(self.peer.load.poll_cut(context));
        Poll::Ready(io::ErrorKind::ConnectionAborted.into())
    }

    fn end(&self, why: Cut) -> io::Error {
        self.peer.load.cut(why);
        io::ErrorKind::TimedOut.into()
    }

    /// No bytes came, or so many did.
    fn was_read(&mut self, read: Poll<usize>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match (read, &mut self.hello) {
            (Poll::Ready(count), Some(hello)) => {
                hello.missing = hello.missing.saturating_sub(count);
                if hello.missing == 0 {
                    self.hello = None;
                }
            }
            (Poll::Pending, Some(hello)) => {
                if hello.late.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Err(self.end(Cut::Handshake)));
                }
            }
            (_, None) => {}
        }
        match read {
            Poll::Ready(_) => Poll::Ready(Ok(())),
            Poll::Pending => self.poll_end(context).map(Err),
        }
    }

    /// Some bytes were taken, or none.
    fn was_written<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let limit = self.peer.load.port().limits().unread_ms_max;
        let stalled =
            self.stalled.get_or_insert_with(|| Box::pin(sleep(Duration::from_millis(limit))));
        if stalled.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(self.end(Cut::Stalled)));
        }
        self.poll_end(context).map(Err)
    }

    /// Who is at the other end.
    pub(in crate::service) fn peer(&self) -> &PeerInfo {
        &self.peer
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let load = &self.peer.load;
        load.port().disconnected(load);
    }
}

impl Connected for Connection {
    type ConnectInfo = PeerInfo;

    fn connect_info(&self) -> PeerInfo {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let connection = self.get_mut();
        if connection.peer.load.is_cut() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let before = buffer.filled().len();
        let read = match &mut connection.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        };
        let read = match read {
            Poll::Ready(Ok(())) => Poll::Ready(buffer.filled().len().saturating_sub(before)),
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        };
        connection.was_read(read, context)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let connection = self.get_mut();
        if connection.peer.load.is_cut() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let written = match &mut connection.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        };
        connection.was_written(written, context)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let connection = self.get_mut();
        if connection.peer.load.is_cut() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let written = match &mut connection.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
        };
        connection.was_written(written, context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let connection = self.get_mut();
        if connection.peer.load.is_cut() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let written = match &mut connection.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(context, parts),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(context, parts),
        };
        connection.was_written(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }
}
