//! The members of a cluster, and which of them is asked.
//!
//! A call goes to one member. When that member does not answer, the next is asked: a read always, a
//! commit only while it is certain that it was never sent, because nobody can tell whether a commit
//! that was sent took effect. While nobody leads the cluster all are asked again and again, for an
//! election is soon over. Every call has a deadline. It knows nothing of keys.

use std::error::Error as _;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use etcd_client::{Client, ConnectOptions, Error};
use tokio::sync::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tonic::{Code, ConnectError};

use crate::store::error::StoreError;

/// Longest wait for one member's answer to a read, while there are others to ask.
const ATTEMPT: Duration = Duration::from_millis(1_000);

/// Shortest time from asking all members to asking all again.
const ROUND: Duration = Duration::from_millis(100);

/// Whether a call may be sent a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It changes nothing.
    Always,
    /// It changes something: only when it was never sent.
    Unsent,
}

/// The members, asked one at a time.
pub(super) struct Pool {
    members: Vec<Member>,
    options: ConnectOptions,
    deadline: Duration,
    /// The place of the member that answered last.
    preferred: AtomicUsize,
}

struct Member {
    url: String,
    client: Mutex<Option<Client>>,
}

impl fmt::Debug for Pool {
    // The options hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.members.iter().map(|member| &member.url)).finish()
    }
}

/// What a failed attempt tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// The member was never reached.
    Unsent,
    /// The member did not answer, or not for the cluster.
    Unanswered,
    /// The cluster answered: another member would say the same.
    Answered,
}

fn failure(error: &Error) -> Failure {
    let status = match error {
        Error::GRpcStatus(status) => status,
        Error::TransportError(_) | Error::IoError(_) => return Failure::Unsent,
        Error::InvalidArgs(_)
        | Error::InvalidUri(_)
        | Error::Utf8Error(_)
        | Error::InvalidMetadataValue(_)
        | Error::EndpointError(_)
        | Error::EndpointsNotManaged => return Failure::Answered,
        Error::WatchError(_)
        | Error::LeaseKeepAliveError(_)
        | Error::ElectError(_)
        | Error::Internal(_) => return Failure::Unanswered,
    };
    let mut cause = status.source();
    while let Some(error) = cause {
        if error.is::<ConnectError>() {
            return Failure::Unsent;
        }
        cause = error.source();
    }
    // Said before anything is proposed: clients ask for a leader first.
    if status.message().ends_with("no leader") {
        return Failure::Unsent;
    }
    match status.code() {
        Code::Unavailable
        | Code::DeadlineExceeded
        | Code::Cancelled
        | Code::Unknown
        | Code::Internal
        | Code::Aborted
        | Code::DataLoss => Failure::Unanswered,
        Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Unauthenticated => Failure::Answered,
    }
}

/// Whether etcd says that it no longer has a revision.
pub(super) fn is_compacted(error: &Error) -> bool {
    matches!(error, Error::GRpcStatus(status)
        if status.code() == Code::OutOfRange && status.message().contains("compacted"))
}

/// Whether an answer was longer than this client takes.
pub(super) fn is_too_long(error: &Error) -> bool {
    matches!(error, Error::GRpcStatus(status)
        if status.code() == Code::OutOfRange && status.message().contains("too large"))
}

/// An error as callers of the store see it.
pub(super) fn unavailable(error: &Error) -> StoreError {
    StoreError::Unavailable { detail: format!("etcd: {}", describe(error)) }
}

/// What an error says, without what only this client's authors can read: the innermost cause.
fn describe(error: &Error) -> String {
    // etcd-client's own errors hide what is in them.
    let (mut text, mut cause) = match error {
        Error::GRpcStatus(status) => (status.message().to_owned(), status.source()),
        Error::TransportError(inner) => (inner.to_string(), inner.source()),
        Error::IoError(inner) => (inner.to_string(), inner.source()),
        Error::InvalidArgs(_)
        | Error::InvalidUri(_)
        | Error::WatchError(_)
        | Error::Utf8Error(_)
        | Error::LeaseKeepAliveError(_)
        | Error::ElectError(_)
        | Error::InvalidMetadataValue(_)
        | Error::EndpointError(_)
        | Error::EndpointsNotManaged
        | Error::Internal(_) => (error.to_string(), error.source()),
    };
    while let Some(error) = cause {
        let inner = error.to_string();
        // Outer ones repeat what they are about.
        if !inner.is_empty() && !text.contains(&inner) {
            text = format!("{text}: {inner}");
        }
        cause = error.source();
    }
    text
}

/// What rustls says of a certificate that it does not believe.
const BAD_CERTIFICATE: &str = "invalid peer certificate";

/// What a member does that hangs up on a client without a certificate, in the words of the layers
/// that notice it.
const HUNG_UP: [&str; 6] =
    ["closed", "canceled", "Broken pipe", "reset", "CertificateRequired", "BadCertificate"];

/// What is said of a member that gave no answer.
fn describe_failure(url: &str, error: &Error) -> String {
    let text = describe(error);
    let is_hung_up = url.starts_with("https://") && HUNG_UP.iter().any(|it| text.contains(it));
    let hint = if is_hung_up {
        "; the member closed the connection: it may want a client's certificate, \
         `certificate_file` and `key_file` of `[etcd]`"
    } else {
        ""
    };
    format!("{url}: {text}{hint}")
}

impl Pool {
    /// The members with these URLs; nothing is connected yet.
    pub(super) fn new(urls: Vec<String>, options: ConnectOptions, deadline: Duration) -> Self {
        let members = urls.into_iter().map(|url| Member { url, client: Mutex::new(None) });
        Self { members: members.collect(), options, deadline, preferred: AtomicUsize::new(0) }
    }

    /// Calls one member after the other until one answers.
    ///
    /// # Errors
    /// The cluster's own error, inside; [`StoreError::Unavailable`] when nobody answered in time.
    pub(super) async fn call<T, F>(
        &self,
        repeat: Repeat,
        work: impl Fn(Client) -> F,
    ) -> Result<Result<T, Error>, StoreError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        Ok(self.call_one(repeat, work).await?.map(|(answer, _)| answer))
    }

    /// As [`Pool::call`], of what changes nothing; with the place of the member that answered, for
    /// [`Pool::leave`] when what it answered with breaks later.
    pub(super) async fn open<T, F>(
        &self,
        work: impl Fn(Client) -> F,
    ) -> Result<Result<(T, usize), Error>, StoreError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        self.call_one(Repeat::Always, work).await
    }

    async fn call_one<T, F>(
        &self,
        repeat: Repeat,
        work: impl Fn(Client) -> F,
    ) -> Result<Result<(T, usize), Error>, StoreError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let until = Instant::now() + self.deadline;
        let first = self.preferred.load(Ordering::Relaxed);
        let mut last = String::from("no member was asked");
        // A round that took longer than that is followed by the next at once.
        let mut rounds = interval(ROUND);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for attempt in 0_usize.. {
            let place = (first + attempt) % self.members.len().max(1);
            if attempt.is_multiple_of(self.members.len().max(1)) {
                rounds.tick().await;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let Some(member) = self.members.get(place) else { break };
            let limit = match repeat {
                Repeat::Always => left.min(ATTEMPT),
                Repeat::Unsent => left,
            };
            let mut is_sent = false;
            let result = timeout(limit, async {
                let client = member.client(&self.options).await?;
                is_sent = true;
                work(client).await
            });
            let kind = match result.await {
                Ok(Ok(answer)) => {
                    self.preferred.store(place, Ordering::Relaxed);
                    return Ok(Ok((answer, place)));
                }
                Ok(Err(error)) => {
                    last = describe_failure(&member.url, &error);
                    // Asking again makes no certificate better.
                    if last.contains(BAD_CERTIFICATE) {
                        break;
                    }
                    let kind = failure(&error);
                    if kind == Failure::Answered {
                        return Ok(Err(error));
                    }
                    kind
                }
                Err(_) => {
                    last = format!("{}: no answer within {} ms", member.url, limit.as_millis());
                    if is_sent { Failure::Unanswered } else { Failure::Unsent }
                }
            };
            self.leave(place).await;
            if repeat == Repeat::Unsent && kind != Failure::Unsent {
                break;
            }
        }
        Err(StoreError::Unavailable { detail: format!("etcd: {last}") })
    }

    /// Connects to this member anew, and asks the next one from now on if this was the one.
    pub(super) async fn leave(&self, place: usize) {
        let next = (place + 1) % self.members.len().max(1);
        let _is_ours =
            self.preferred.compare_exchange(place, next, Ordering::Relaxed, Ordering::Relaxed);
        if let Some(member) = self.members.get(place) {
            *member.client.lock().await = None;
        }
    }
}

impl Member {
    /// The client of this member, connected on first use.
    async fn client(&self, options: &ConnectOptions) -> Result<Client, Error> {
        let mut client = self.client.lock().await;
        if let Some(client) = &*client {
            return Ok(client.clone());
        }
        let new = Client::connect([&self.url], Some(options.clone())).await?;
        *client = Some(new.clone());
        Ok(new)
    }
}
