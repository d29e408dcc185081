//! The bodies of a gRPC call: its message as it arrives, its answer as it leaves.
//!
//! Between two pieces of a message the server waits for its client, and so it does between two
//! pieces of an answer; both show here and nowhere else. They must pass on what they carry
//! unchanged.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use tonic::Status;
use tonic::body::Body;

use super::call::HandedOut;
use super::limits::{FOLLOWED_SHARE, PIECE_BYTES, SHORT_BYTES_MAX};
use super::{Call, Class, Refused};
use crate::service::status::{refused, trailers};

type Polled = Poll<Option<Result<Frame<Bytes>, Status>>>;

/// Bytes before each message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// The messages of a call, as they arrive.
pub(super) struct Arriving {
    inner: Body,
    call: Arc<Call>,
    message_bytes_max: usize,
    /// The prefix of the message that is arriving, as far as it is there, and what is missing.
    prefix: [u8; PREFIX_BYTES],
    prefix_read: usize,
    missing: usize,
    /// While the client is waited for, and how much has come since it began.
    late: Option<Pin<Box<Sleep>>>,
    since: usize,
    is_waiting: bool,
}

impl Arriving {
    pub(super) fn new(inner: Body, call: Arc<Call>, message_bytes_max: usize) -> Self {
        Self {
            inner,
            call,
            message_bytes_max,
            prefix: [0; PREFIX_BYTES],
            prefix_read: 0,
            missing: 0,
            late: None,
            since: 0,
            is_waiting: false,
        }
    }

    /// Follows the messages in some more bytes of them.
    fn follow(&mut self, mut bytes: &[u8]) -> Result<(), Refused> {
        while !bytes.is_empty() {
            if self.missing > 0 {
                let taken = self.missing.min(bytes.len());
                self.missing -= taken;
                bytes = bytes.get(taken..).unwrap_or_default();
                continue;
            }
            if self.prefix_read == PREFIX_BYTES {
                // The next message of a stream: the one before is not held any more.
                self.prefix_read = 0;
                self.call.let_go();
            }
            let wanted = PREFIX_BYTES - self.prefix_read;
            let (part, rest) = bytes.split_at(wanted.min(bytes.len()));
            let end = self.prefix_read + part.len();
            if let Some(place) = self.prefix.get_mut(self.prefix_read..end) {
                place.copy_from_slice(part);
            }
            self.prefix_read = end;
            bytes = rest;
            if end == PREFIX_BYTES {
                let [_, length @ ..] = self.prefix;
                self.missing = u32::from_be_bytes(length) as usize;
                let limit = self.message_bytes_max;
                if self.missing > limit {
                    return Err(Refused::MessageTooLong { limit, actual: self.missing });
                }
                // All of it: room for it is made when its length is known.
                self.call.reads(self.missing)?;
            }
        }
        Ok(())
    }

    /// Whether nothing is owed: a stream is silent between messages for as long as it likes.
    fn is_between(&self) -> bool {
        self.call.class() == Class::Stream
            && self.missing == 0
            && matches!(self.prefix_read, 0 | PREFIX_BYTES)
    }

    /// The client is waited for.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<Refused> {
        if self.is_between() {
            self.late = None;
            return Poll::Pending;
        }
        if !self.is_waiting {
            self.is_waiting = true;
            self.call.peer().arrives();
            if self.call.class() != Class::Stream {
                self.call.leave();
            }
        }
        let limit_ms = self.call.port().limits().message_wait_ms_max;
        let limit = Duration::from_millis(limit_ms);
        if self.since >= PIECE_BYTES {
            self.since = 0;
            self.late = None;
        }
        let late = self.late.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(late.as_mut().poll(context));
        self.call.port().count_late();
        Poll::Ready(Refused::MessageLate { limit_ms })
    }

    /// It is not waited for any more, and wants a place again.
    fn arrived(&mut self) -> Result<(), Refused> {
        if !std::mem::take(&mut self.is_waiting) {
            return Ok(());
        }
        self.call.peer().arrived();
        self.call.enter()
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if self.is_waiting {
            self.call.peer().arrived();
        }
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Polled {
        let body = self.get_mut();
        let Poll::Ready(frame) = Pin::new(&mut body.inner).poll_frame(context) else {
            let why = ready!(body.wait(context));
            return Poll::Ready(Some(Err(refused(why))));
        };
        if let Err(why) = body.arrived() {
            return Poll::Ready(Some(Err(refused(why))));
        }
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            body.since = body.since.saturating_add(data.len());
            if let Err(why) = body.follow(data) {
                return Poll::Ready(Some(Err(refused(why))));
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The answer of a call, as it leaves.
pub(super) struct Leaving {
    inner: Body,
    call: Arc<Call>,
    /// What is left of a message.
    rest: Bytes,
    /// Whether its last byte goes alone: it is asked for when all before it were read.
    is_followed: bool,
    /// Whether it stands for others.
    stands: bool,
    /// The piece that was handed out last, until more is asked for.
    handed_out: Option<HandedOut>,
    /// When the caller's deadline passes; for streams, whose answers go on after the call's.
    deadline: Option<Pin<Box<Sleep>>>,
    is_over: bool,
}

impl Leaving {
    pub(super) fn new(inner: Body, call: Arc<Call>, deadline: Option<Instant>) -> Self {
        let deadline = deadline.filter(|_| call.class() == Class::Stream);
        Self {
            inner,
            call,
            rest: Bytes::new(),
            is_followed: false,
            stands: false,
            handed_out: None,
            deadline: deadline.map(|deadline| Box::pin(sleep_until(deadline))),
            is_over: false,
        }
    }

    fn was_read(&mut self) {
        if let Some(handed_out) = self.handed_out.take() {
            self.call.was_read(handed_out);
        }
    }

    /// Takes the next message of the answer.
    fn take(&mut self, message: Bytes) -> Result<(), Refused> {
        let length = message.len();
        self.call.answers(length)?;
        self.rest = message;
        // HTTP/2 asks for more as soon as one byte was read. One of the short answers stands for
        // several: the extra frame would cost more than all else here.
        self.stands = length <= SHORT_BYTES_MAX && self.call.peer().is_followed();
        self.is_followed = length > SHORT_BYTES_MAX || self.stands;
        Ok(())
    }

    /// Hands out the next piece of `rest`.
    fn piece(&mut self) -> Frame<Bytes> {
        let length = self.rest.len();
        let is_last = length <= PIECE_BYTES;
        let stays = usize::from(is_last && self.is_followed && length > 1);
        let piece = self.rest.split_to(length.min(PIECE_BYTES).saturating_sub(stays));
        self.handed_out = Some(self.call.handed_out(if self.stands { FOLLOWED_SHARE } else { 1 }));
        Frame::data(piece)
    }

    /// Ends the answer with an error.
    fn end(&mut self, why: Refused) -> Polled {
        self.is_over = true;
        Poll::Ready(Some(Ok(Frame::trailers(trailers(&refused(why))))))
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let is_unread = self.handed_out.is_some() || !self.rest.is_empty();
        self.was_read();
        if is_unread && !self.is_over {
            self.call.peer().gave_up();
        }
    }
}

impl HttpBody for Leaving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Polled {
        let body = self.get_mut();
        body.was_read();
        if body.is_over {
            return Poll::Ready(None);
        }
        if !body.rest.is_empty() {
            return Poll::Ready(Some(Ok(body.piece())));
        }
        if let Some(deadline) = &mut body.deadline
            && deadline.as_mut().poll(context).is_ready()
        {
            body.call.port().count_late();
            return body.end(Refused::Deadline);
        }
        let frame = ready!(Pin::new(&mut body.inner).poll_frame(context));
        match frame {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    if let Err(why) = body.take(data) {
                        return body.end(why);
                    }
                    Poll::Ready(Some(Ok(body.piece())))
                }
                Err(trailers) => {
                    body.is_over = true;
                    Poll::Ready(Some(Ok(trailers)))
                }
            },
            other => {
                body.is_over = true;
                Poll::Ready(other)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || (self.rest.is_empty() && self.inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        // Of an answer that is ended with an error it is not true; gRPC's answers have none.
        SizeHint::new()
    }
}
