//! What a port takes on at a time, and whom it sends away when there is more.
//!
//! A call has a place while the server works on it, by [`Class`], so that one kind cannot starve
//! another; it has none while the server waits for its client: for the rest of a message, or until
//! an answer is read. Such calls are bounded in number, in bytes and in time, and where there are
//! too many the connection with most of them is cut. What cannot be taken on is refused at once,
//! before its message is decoded. It must never count for one connection what another did, and
//! never refuse a health check because of other calls.

mod body;
mod call;
mod grpc;
mod limits;
mod peer;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

pub use limits::LimitSettings;

pub(super) use call::Call;
pub(super) use grpc::{Admission, IsShed};
pub(super) use limits::{
    CONNECTION_WINDOW_BYTES, FAULTY_STREAMS_MAX, RESET_STREAMS_MAX, RETRY_AFTER,
    STREAM_WINDOW_BYTES,
};
pub(super) use peer::{CUTS, Cut, Peer};

/// Ticks that an answer may stand unread.
const TICKS_UNREAD_MAX: usize = 4;
/// Connections are cut for others' sake at most this often: those that were need time to go.
const RELIEF_INTERVAL: Duration = Duration::from_millis(10);

/// Kinds of calls, each with places of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// One decision.
    Check,
    /// Many decisions: batches, searches, explanations.
    Batch,
    /// Everything that reads and writes accounts.
    Administration,
    /// What goes on until its client leaves.
    Stream,
    /// Whether the server is there; also what it offers.
    Health,
}

/// All of them.
const CLASSES: [Class; 5] =
    [Class::Check, Class::Batch, Class::Administration, Class::Stream, Class::Health];

impl Class {
    /// What metrics and messages call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Batch => "batch",
            Self::Administration => "administration",
            Self::Stream => "stream",
            Self::Health => "health",
        }
    }
}

/// Why a call is not gone on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// The server works on as many of its kind as it takes on.
    #[error(
        "the server is working on {limit} calls of the kind `{}`, as many as it takes on at a \
         time: wait and try again",
        .class.name()
    )]
    Busy {
        /// The kind.
        class: Class,
        /// How many it takes on.
        limit: usize,
    },
    /// There are too many calls that wait for their clients.
    #[error("the server has {limit} open calls, as many as it takes on: wait and try again")]
    OpenCalls {
        /// How many it takes on.
        limit: usize,
    },
    /// Long messages and answers take as much memory as they may.
    #[error(
        "long messages and answers take the {limit} bytes that they may have together: wait and \
         try again"
    )]
    Buffers {
        /// How many they may take.
        limit: usize,
    },
    /// The message is too long.
    #[error("the message has {actual} bytes, over the limit of {limit}: send less at a time")]
    MessageTooLong {
        /// Most bytes of a message of this service.
        limit: usize,
        /// Its own.
        actual: usize,
    },
    /// The message did not come.
    #[error("the message, or 64 KiB more of it, did not come within {limit_ms} ms")]
    MessageLate {
        /// How long it was waited for.
        limit_ms: u64,
    },
    /// The deadline that the caller gave has passed.
    #[error(
        "the call's deadline has passed: a write may have been made all the same; read, or repeat \
         it with the same `request_id`"
    )]
    Deadline,
    /// It took longer than any call may.
    #[error(
        "the call took longer than {limit_ms} ms: a write may have been made all the same; read, \
         or repeat it with the same `request_id`"
    )]
    TooSlow {
        /// How long one may take.
        limit_ms: u64,
    },
}

/// What one port has taken on.
#[derive(Debug)]
pub(super) struct Port {
    name: &'static str,
    limits: LimitSettings,
    /// Counts up by itself; a coarse clock for what is too frequent to look at a fine one.
    tick: AtomicUsize,
    /// Calls being worked on, by class.
    places: [AtomicUsize; CLASSES.len()],
    open: AtomicUsize,
    buffered: AtomicUsize,
    peers: Mutex<HashMap<u64, Arc<Peer>>>,
    next_id: AtomicU64,
    /// Somebody could not be taken on because of those who wait for their clients.
    is_pressed: AtomicBool,
    pressed: Notify,
    shed: [AtomicU64; CLASSES.len()],
    late: AtomicU64,
    cuts: [AtomicU64; CUTS.len()],
}

/// One port in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Load {
    /// Which port.
    pub(super) port: &'static str,
    /// Connections there are.
    pub(super) connections: usize,
    /// Calls that are there at all.
    pub(super) open: usize,
    /// About how many bytes long messages and answers take.
    pub(super) buffered: usize,
    /// By class: calls being worked on, and calls that were sent away.
    pub(super) classes: Vec<(&'static str, usize, u64)>,
    /// Calls that were ended because a time had passed.
    pub(super) late: u64,
    /// Connections that were cut, by reason.
    pub(super) cuts: Vec<(&'static str, u64)>,
}

impl Port {
    /// One with nothing to do.
    pub(super) fn new(name: &'static str, limits: LimitSettings) -> Arc<Self> {
        Arc::new(Self {
            name,
            limits,
            tick: AtomicUsize::new(0),
            places: Default::default(),
            open: AtomicUsize::new(0),
            buffered: AtomicUsize::new(0),
            peers: Mutex::default(),
            next_id: AtomicU64::new(0),
            is_pressed: AtomicBool::new(false),
            pressed: Notify::new(),
            shed: Default::default(),
            late: AtomicU64::new(0),
            cuts: Default::default(),
        })
    }

    pub(super) fn limits(&self) -> &LimitSettings {
        &self.limits
    }

    fn peers(&self) -> MutexGuard<'_, HashMap<u64, Arc<Peer>>> {
        // Nothing that holds it can fail halfway.
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn places_max(&self, class: Class) -> usize {
        match class {
            Class::Check => self.limits.checks_max,
            Class::Batch => self.limits.batches_max,
            Class::Administration => self.limits.administration_max,
            Class::Stream => self.limits.streams_max,
            Class::Health => limits::HEALTH_CHECKS_MAX,
        }
    }

    fn now(&self) -> usize {
        self.tick.load(Ordering::Relaxed)
    }

    /// A new connection.
    pub(super) fn connected(self: &Arc<Self>) -> Arc<Peer> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let peer = Arc::new(Peer::new(Arc::clone(self), id));
        self.peers().insert(id, Arc::clone(&peer));
        peer
    }

    /// A connection is gone.
    pub(super) fn disconnected(&self, peer: &Peer) {
        self.peers().remove(&peer.id);
    }

    /// A place of a class, when there is one. The last of them are for connections with few calls:
    /// who sends many at a time must not make all others wait.
    fn enter(&self, class: Class, calls: usize) -> Result<(), Refused> {
        let limit = self.places_max(class);
        let kept = if calls > limits::FEW_CALLS_MAX { limit / limits::KEPT_SHARE } else { 0 };
        let Some(place) = self.places.get(class as usize) else { return Ok(()) };
        if place.fetch_add(1, Ordering::Relaxed) < limit - kept {
            return Ok(());
        }
        place.fetch_sub(1, Ordering::Relaxed);
        Err(self.shed(class, Refused::Busy { class, limit }))
    }

    fn leave(&self, class: Class) {
        if let Some(place) = self.places.get(class as usize) {
            place.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn shed(&self, class: Class, why: Refused) -> Refused {
        if let Some(shed) = self.shed.get(class as usize) {
            shed.fetch_add(1, Ordering::Relaxed);
        }
        why
    }

    fn count_late(&self) {
        self.late.fetch_add(1, Ordering::Relaxed);
    }

    fn count_cut(&self, why: Cut) {
        if let Some(count) = self.cuts.get(why as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Those who wait for their clients take room that others need.
    fn press(&self) {
        if !self.is_pressed.swap(true, Ordering::Relaxed) {
            self.pressed.notify_one();
        }
    }

    /// Makes room for one more connection: cuts the one that is of least use. False when all are.
    pub(super) fn make_room(&self) -> bool {
        let now = self.now();
        let peers = self.peers();
        let least = peers
            .values()
            .filter_map(|peer| Some((peer.use_now(now)?, peer)))
            .min_by_key(|(usefulness, _)| *usefulness);
        least.is_some_and(|(_, peer)| peer.cut(Cut::Idle))
    }

    /// Cuts connections that make the server wait most, until what waits is well within limits.
    fn relieve(&self) {
        self.is_pressed.store(false, Ordering::Relaxed);
        let peers = self.peers();
        let mut open = self.open.load(Ordering::Relaxed);
        let mut buffered = self.buffered.load(Ordering::Relaxed);
        let mut greedy: Vec<_> = Vec::new();
        for peer in peers.values() {
            let (calls, bytes) = (peer.lagging(), peer.buffered());
            if peer.is_cut() {
                open = open.saturating_sub(peer.open());
                buffered = buffered.saturating_sub(bytes);
            } else if calls >= limits::GREEDY_CALLS_MIN || bytes > 0 {
                greedy.push((calls, bytes, peer));
            }
        }
        let is_well = |now: usize, limit: usize| now <= limit - limit / 4;
        greedy.sort_unstable_by_key(|(_, bytes, _)| *bytes);
        while !is_well(buffered, self.limits.buffer_bytes_max) {
            let Some((_, bytes, peer)) = greedy.pop().filter(|(_, bytes, _)| *bytes > 0) else {
                break;
            };
            peer.cut(Cut::Greedy);
            buffered = buffered.saturating_sub(bytes);
            open = open.saturating_sub(peer.open());
        }
        greedy.sort_unstable_by_key(|(calls, _, _)| *calls);
        while !is_well(open, self.limits.open_calls_max) {
            let Some((calls, _, peer)) = greedy.pop() else { break };
            if calls < limits::GREEDY_CALLS_MIN {
                break;
            }
            peer.cut(Cut::Greedy);
            open = open.saturating_sub(peer.open());
        }
    }

    /// Cuts connections whose answers have stood unread for too long.
    fn look(&self) {
        let now = self.tick.fetch_add(1, Ordering::Relaxed) + 1;
        if self.is_pressed.load(Ordering::Relaxed) {
            self.relieve();
        }
        for peer in self.peers().values() {
            if peer.is_unread_since(now) {
                peer.cut(Cut::Unread);
            }
            peer.forget_given_up();
        }
    }

    /// Looks after the connections of the port. Never ends by itself.
    pub(super) async fn watch_over(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(self.limits.tick());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.reset();
        let mut reliefs = tokio::time::interval(RELIEF_INTERVAL);
        reliefs.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let pressed = async {
                self.pressed.notified().await;
                reliefs.tick().await;
            };
            tokio::select! {
                _ = ticks.tick() => self.look(),
                () = pressed => self.relieve(),
            }
        }
    }

    /// The port in numbers.
    pub(super) fn load(&self) -> Load {
        let number = |counts: &[AtomicU64], at: usize| {
            counts.get(at).map_or(0, |count| count.load(Ordering::Relaxed))
        };
        let classes = CLASSES.into_iter().map(|class| {
            let place = self.places.get(class as usize);
            let under_way = place.map_or(0, |place| place.load(Ordering::Relaxed));
            (class.name(), under_way, number(&self.shed, class as usize))
        });
        Load {
            port: self.name,
            connections: self.peers().len(),
            open: self.open.load(Ordering::Relaxed),
            buffered: self.buffered.load(Ordering::Relaxed),
            classes: classes.collect(),
            late: self.late.load(Ordering::Relaxed),
            cuts: CUTS
                .iter()
                .map(|(cut, name)| (*name, number(&self.cuts, *cut as usize)))
                .collect(),
        }
    }
}
