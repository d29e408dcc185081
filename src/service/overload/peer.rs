//! The other end of one connection, as load counts it.
//!
//! Its numbers are touched by its own calls only. It must never be cut while the server works on a
//! call that came in lately, unless its client is what the server waits for.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use super::limits::{FOLLOWED_SHARE, GIVEN_UP_MAX};
use super::{Port, TICKS_UNREAD_MAX};

/// Ticks whose unread answers are counted apart.
const RING: usize = 8;
/// Ticks without a new call after which a connection counts as idle.
const IDLE_TICKS: usize = 2;

/// Why a connection was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::service) enum Cut {
    /// It did not begin as it must, or not in time.
    Handshake,
    /// Its client did not read its answers.
    Unread,
    /// Its client took no bytes.
    Stalled,
    /// It was of no use, and another one needed its place.
    Idle,
    /// Its calls took most of what all may take.
    Greedy,
    /// Its client gave up very many calls.
    GivenUp,
}

/// All of them, with the names that metrics have for them.
pub(in crate::service) const CUTS: [(Cut, &str); 6] = [
    (Cut::Handshake, "handshake"),
    (Cut::Unread, "unread"),
    (Cut::Stalled, "stalled"),
    (Cut::Idle, "idle"),
    (Cut::Greedy, "greedy"),
    (Cut::GivenUp, "given_up"),
];

/// Not cut.
const WHOLE: u8 = u8::MAX;

/// The other end of one connection.
#[derive(Debug)]
pub(in crate::service) struct Peer {
    pub(super) port: Arc<Port>,
    pub(super) id: u64,
    /// Calls that are there at all, and the long streams among them.
    open: AtomicU32,
    streams: AtomicU32,
    has_called: AtomicBool,
    /// The tick of its last new call.
    last_call: AtomicUsize,
    /// Calls whose message has not come.
    arriving: AtomicU32,
    /// Answers that were handed out and not asked for more of, by the tick in which they were.
    unread: [AtomicU32; RING],
    answers: AtomicU32,
    given_up: AtomicU32,
    buffered: AtomicUsize,
    cut: AtomicU8,
    /// Who reads and writes the connection.
    waker: Mutex<Option<Waker>>,
}

impl Peer {
    pub(super) fn new(port: Arc<Port>, id: u64) -> Self {
        let now = port.now();
        Self {
            port,
            id,
            open: AtomicU32::new(0),
            streams: AtomicU32::new(0),
            has_called: AtomicBool::new(false),
            last_call: AtomicUsize::new(now),
            arriving: AtomicU32::new(0),
            unread: Default::default(),
            answers: AtomicU32::new(0),
            given_up: AtomicU32::new(0),
            buffered: AtomicUsize::new(0),
            cut: AtomicU8::new(WHOLE),
            waker: Mutex::default(),
        }
    }

    /// The port it is on.
    pub(in crate::service) fn port(&self) -> &Arc<Port> {
        &self.port
    }

    /// Ends the connection; false when it was ended before.
    pub(in crate::service) fn cut(&self, why: Cut) -> bool {
        let cut = self.cut.compare_exchange(WHOLE, why as u8, Ordering::Release, Ordering::Relaxed);
        if cut.is_err() {
            return false;
        }
        self.port.count_cut(why);
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// Whether it was cut.
    pub(in crate::service) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire) != WHOLE
    }

    /// Whether it is cut; the task is told when it will be.
    pub(in crate::service) fn poll_cut(&self, context: &Context<'_>) -> Poll<()> {
        {
            let mut waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
            match &mut *waker {
                Some(waker) => waker.clone_from(context.waker()),
                None => *waker = Some(context.waker().clone()),
            }
        }
        // After the waker is in its place: whoever cuts looks for it afterwards.
        if self.is_cut() { Poll::Ready(()) } else { Poll::Pending }
    }

    pub(super) fn opened(&self, is_stream: bool) {
        self.open.fetch_add(1, Ordering::Relaxed);
        if is_stream {
            self.streams.fetch_add(1, Ordering::Relaxed);
        }
        self.last_call.store(self.port.now(), Ordering::Relaxed);
    }

    pub(super) fn closed(&self, is_stream: bool) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        if is_stream {
            self.streams.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// A call was worked on.
    pub(super) fn was_served(&self) {
        // It is mostly true already: no write then.
        if !self.has_called.load(Ordering::Relaxed) {
            self.has_called.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn arrives(&self) {
        self.arriving.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn arrived(&self) {
        self.arriving.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether the next short answer stands for the others.
    pub(super) fn is_followed(&self) -> bool {
        self.answers.fetch_add(1, Ordering::Relaxed).is_multiple_of(FOLLOWED_SHARE)
    }

    /// Something was handed out, of so many calls; says where it is counted.
    pub(super) fn handed_out(&self, calls: u32) -> usize {
        let at = self.port.now() % RING;
        if let Some(count) = self.unread.get(at) {
            count.fetch_add(calls, Ordering::Relaxed);
        }
        at
    }

    /// It was read.
    pub(super) fn was_read(&self, at: usize, calls: u32) {
        if let Some(count) = self.unread.get(at) {
            count.fetch_sub(calls, Ordering::Relaxed);
        }
    }

    /// Whether something has stood unread for as long as it may.
    pub(super) fn is_unread_since(&self, now: usize) -> bool {
        // One tick more: what was handed out at the end of a tick is no tick old.
        let Some(since) = now.checked_sub(TICKS_UNREAD_MAX + 1) else { return false };
        let count = self.unread.get(since % RING);
        count.is_some_and(|count| count.load(Ordering::Relaxed) > 0)
    }

    /// A call was given up by its client.
    pub(super) fn gave_up(&self) {
        if self.given_up.fetch_add(1, Ordering::Relaxed) >= GIVEN_UP_MAX {
            self.cut(Cut::GivenUp);
        }
    }

    pub(super) fn forget_given_up(&self) {
        self.given_up.store(0, Ordering::Relaxed);
    }

    pub(super) fn hold(&self, bytes: usize) {
        self.buffered.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn let_go(&self, bytes: usize) {
        self.buffered.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(super) fn buffered(&self) -> usize {
        self.buffered.load(Ordering::Relaxed)
    }

    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed) as usize
    }

    /// Calls that wait for their client.
    pub(super) fn lagging(&self) -> u32 {
        let unread = self.unread.iter().map(|count| count.load(Ordering::Relaxed));
        unread.fold(self.arriving.load(Ordering::Relaxed), u32::saturating_add)
    }

    /// How useful the connection is, least first; none when it is in use. Those that never called
    /// go first, then idle ones, then those whose calls have made no progress.
    pub(super) fn use_now(&self, now: usize) -> Option<(u8, usize, u64)> {
        let last_call = self.last_call.load(Ordering::Relaxed);
        if self.is_cut() || self.streams.load(Ordering::Relaxed) > 0 {
            return None;
        }
        let is_idle = self.open.load(Ordering::Relaxed) == 0;
        if is_idle && !self.has_called.load(Ordering::Relaxed) {
            return Some((0, 0, self.id));
        }
        let is_quiet = now.saturating_sub(last_call) >= IDLE_TICKS;
        is_quiet.then_some((if is_idle { 1 } else { 2 }, last_call, self.id))
    }
}
