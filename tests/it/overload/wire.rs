//! Clients that do what no well-meant client does: HTTP/2 by hand, and calls that stop halfway.

use std::net::SocketAddr;
use std::time::Duration;

use h2::client::{Connection, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request};
use prost::Message;
use prost::bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Longest wait for anything, on a machine that does much else.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// What is bound to happen.
pub(super) async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(WAIT_MAX, work).await;
    waited.unwrap_or_else(|_| panic!("{what}: not within {WAIT_MAX:?}"))
}

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// An empty frame of settings.
pub(super) const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const GOAWAY: u8 = 7;
const PING: u8 = 6;
const SETTINGS_KIND: u8 = 4;
const ACK: u8 = 1;
/// END_HEADERS, and that with END_STREAM.
pub(super) const OPEN: u8 = 4;

/// One frame.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Headers as literals that no table remembers.
fn literal(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| {
        assert!(text.len() < 127, "longer lengths are written otherwise");
        [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
    };
    [vec![0], text(name), text(value)].concat()
}

/// The headers of a call.
pub(super) fn call_headers(path: &str) -> Vec<u8> {
    let all = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "x"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    all.iter().flat_map(|(name, value)| literal(name, value)).collect()
}

/// A connection whose frames are written by hand.
pub(super) struct RawClient {
    pub(super) stream: TcpStream,
}

/// A frame that the server sent: its kind, its stream, and what it holds.
pub(super) type Read = (u8, u32, Vec<u8>);

impl RawClient {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&[PREFACE, SETTINGS].concat()).await.unwrap();
        Self { stream }
    }

    /// Writes, and whether that was possible.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// The next frame; none when the connection has ended.
    pub(super) async fn read(&mut self) -> Option<Read> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut payload).await.ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some((head[3], stream, payload))
    }

    /// As `read`, and answers what a live client answers.
    pub(super) async fn read_alive(&mut self) -> Option<Read> {
        let (kind, stream, payload) = self.read().await?;
        match kind {
            PING => drop(self.write(&frame(PING, ACK, 0, &payload)).await),
            SETTINGS_KIND if !payload.is_empty() => {
                self.write(&frame(SETTINGS_KIND, ACK, 0, &[])).await;
            }
            _ => {}
        }
        Some((kind, stream, payload))
    }

    /// Reads until the server ends the connection; says what it sent before.
    pub(super) async fn until_ended(&mut self) -> Vec<Read> {
        within("the end of a connection", async {
            let mut read = Vec::new();
            while let Some(frame) = self.read().await {
                read.push(frame);
            }
            read
        })
        .await
    }
}

/// Writes bytes one by one, a pause between them, until the server ends the connection. What the
/// server sent meanwhile.
pub(super) async fn drip(stream: &mut TcpStream, bytes: &[u8], pause: Duration) -> Vec<u8> {
    let mut pauses = tokio::time::interval(pause);
    let mut bytes = bytes.iter().cycle();
    let mut read = Vec::new();
    within("the end of a slow connection", async {
        loop {
            let mut some = [0; 1_024];
            tokio::select! {
                _ = pauses.tick() => {
                    if stream.write_all(&[*bytes.next().unwrap()]).await.is_err() {
                        break;
                    }
                }
                count = stream.read(&mut some) => match count {
                    Ok(0) | Err(_) => break,
                    Ok(count) => read.extend(&some[..count]),
                },
            }
        }
    })
    .await;
    read
}

/// A client that speaks HTTP/2 as it must, and gRPC as the test says.
pub(super) struct Http2 {
    send: SendRequest<Bytes>,
    connection: JoinHandle<()>,
}

/// How a call ended: its gRPC status and message, and the bytes of its messages.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) http: u16,
    pub(super) status: i32,
    pub(super) message: String,
    pub(super) bytes: usize,
}

/// A call that goes on.
pub(super) struct Going {
    pub(super) answer: ResponseFuture,
    pub(super) body: SendStream<Bytes>,
}

/// A message as gRPC writes it.
pub(super) fn message(message: &impl Message) -> Bytes {
    let bytes = message.encode_to_vec();
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    [&[0], &length[..], &bytes].concat().into()
}

impl Http2 {
    /// Reads as much of every answer as the server sends at once.
    pub(super) async fn connect(address: SocketAddr) -> Self {
        Self::connect_with_window(address, 1 << 20).await
    }

    /// Reads only so many bytes of every answer.
    pub(super) async fn connect_with_window(address: SocketAddr, bytes: u32) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap(), bytes).await.unwrap()
    }

    /// The same over a stream that there is; none when the server does not want it.
    pub(super) async fn over(stream: TcpStream, window_bytes: u32) -> Option<Self> {
        let mut builder = h2::client::Builder::new();
        // Of all answers together: what is not read of one must not hold up the others.
        builder.initial_connection_window_size(1 << 26);
        let (send, connection): (_, Connection<_, Bytes>) =
            builder.initial_window_size(window_bytes).handshake(stream).await.ok()?;
        // How it ended is of no interest, that it did is.
        let connection = tokio::spawn(async move { drop(connection.await) });
        Some(Self { send: send.ready().await.ok()?, connection })
    }

    /// Begins a call.
    pub(super) fn begin(&mut self, path: &str, headers: &[(&str, &str)]) -> Going {
        self.try_begin(path, headers).unwrap()
    }

    /// The same; none when the connection has ended.
    pub(super) fn try_begin(&mut self, path: &str, headers: &[(&str, &str)]) -> Option<Going> {
        let mut request = Request::post(format!("http://x{path}"));
        for (name, value) in [("content-type", "application/grpc"), ("te", "trailers")] {
            request = request.header(name, value);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        let (answer, body) = self.send.send_request(request, false).ok()?;
        Some(Going { answer, body })
    }

    /// One call with one message.
    pub(super) async fn call(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        bytes: Bytes,
    ) -> Ended {
        let mut going = self.begin(path, headers);
        going.body.send_data(bytes, true).unwrap();
        going.ended().await
    }

    /// Waits until the connection is gone.
    pub(super) async fn ended(self) {
        within("the end of a connection", self.connection).await.unwrap();
    }
}

fn status(headers: &HeaderMap) -> Option<(i32, String)> {
    let text = |name: &str| Some(headers.get(name)?.to_str().unwrap().to_owned());
    let message = text("grpc-message").unwrap_or_default();
    Some((text("grpc-status")?.parse().unwrap(), message))
}

impl Going {
    /// Reads it to its end.
    pub(super) async fn ended(self) -> Ended {
        within("the end of a call", async {
            let (head, body) = self.answer.await.unwrap().into_parts();
            let http = head.status.as_u16();
            if let Some((status, message)) = status(&head.headers) {
                return Ended { http, status, message, bytes: 0 };
            }
            let (bytes, trailers) = read(body).await.unwrap();
            let (status, message) = status(&trailers).unwrap_or((-1, String::new()));
            Ended { http, status, message, bytes }
        })
        .await
    }
}

async fn read(mut body: RecvStream) -> Result<(usize, HeaderMap), h2::Error> {
    let mut bytes = 0;
    while let Some(data) = body.data().await {
        let data = data?;
        bytes += data.len();
        body.flow_control().release_capacity(data.len())?;
    }
    Ok((bytes, body.trailers().await?.unwrap_or_default()))
}
