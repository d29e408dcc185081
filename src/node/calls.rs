//! Calls that have ended: counted, told to the log when they were slow, and told to an observer,
//! which is tracing and stands above.
//!
//! It must never wait: this runs after an answer is made and before it is given.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::Node;
use super::meters::{Ending, Meter, Meters};
use super::notes::{Notes, Waits};
use super::slow::SlowCalls;

/// What a node keeps of calls.
#[derive(Debug)]
pub(super) struct Calls {
    meters: Meters,
    /// What they waited for.
    pub(super) waits: Waits,
    pub(super) slow: SlowCalls,
    /// Who else is told of them.
    pub(super) observer: OnceLock<Arc<dyn CallObserver>>,
}

impl Calls {
    pub(super) fn new(slow_ms: u64) -> Self {
        Self {
            meters: Meters::default(),
            waits: Waits::default(),
            slow: SlowCalls::new(slow_ms),
            observer: OnceLock::new(),
        }
    }
}

/// A call that has ended.
#[derive(Debug, Clone, Copy)]
pub struct EndedCall<'a> {
    /// Protocol and method.
    pub meter: &'a Meter,
    /// The account that it named; 0 for none.
    pub owner_uin: u64,
    /// How long it took.
    pub took: Duration,
    /// How it ended; none when it was answered.
    pub ending: Option<&'a Ending>,
    /// What it has left behind.
    pub notes: &'a Notes,
}

/// Spans of traced calls in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpanVitals {
    /// Those that a collector has taken.
    pub sent: u64,
    /// Those that could not be sent.
    pub failed: u64,
    /// Those that found no room in the queue.
    pub dropped: u64,
}

/// Is told of calls.
pub trait CallObserver: fmt::Debug + Send + Sync {
    /// A call has ended; this runs where it ran.
    fn ended(&self, call: &EndedCall<'_>);

    /// What became of what it was told.
    fn vitals(&self) -> SpanVitals;
}

impl Node {
    /// How calls went; those who serve them say so here.
    #[must_use]
    pub fn meters(&self) -> &Meters {
        &self.calls.meters
    }

    /// A call has ended: it is counted, and told to the log when it was slow. `owner_uin` is the
    /// account that it named. To be called within a runtime.
    pub fn call_ended(
        &self,
        meter: &Meter,
        owner_uin: u64,
        took: Duration,
        ending: Option<Ending>,
        notes: &Notes,
    ) {
        if let Some(observer) = self.calls.observer.get() {
            observer.ended(&EndedCall { meter, owner_uin, took, ending: ending.as_ref(), notes });
        }
        meter.ended(Some(took), ending);
        self.look_if_slow(meter, owner_uin, took, notes);
    }

    /// Has somebody told of every call from now on; the first one who asks for it.
    pub fn observe_calls(&self, observer: Arc<dyn CallObserver>) {
        // A second one is never told; there is one program, and it asks once.
        let _ = self.calls.observer.set(observer);
    }

    /// Tells the log of a call if it was slow. To be called within a runtime.
    pub fn look_if_slow(&self, meter: &Meter, owner_uin: u64, took: Duration, notes: &Notes) {
        self.calls.slow.look(meter, owner_uin, took, notes);
    }
}
