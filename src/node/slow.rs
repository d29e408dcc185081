//! Calls that take too long, told to the log: a few a second, and how many were left out.
//!
//! A line has the method, the account, the time and where it went, and the decision's id where
//! there is one. It must never say what was asked about, and never fill the log.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::warn;

use super::meters::Meter;
use super::notes::Notes;

/// Most lines within [`SPAN`].
const LINES_MAX: u32 = 10;
/// The time that lines are counted in.
const SPAN: Duration = Duration::from_secs(1);

/// What is counted of slow calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SlowVitals {
    /// All of them.
    pub slow: u64,
    /// Those that are not in the log.
    pub left_out: u64,
}

/// The lines of the current span of time.
#[derive(Debug, Default)]
struct Lines {
    began: Option<Instant>,
    written: u32,
    /// Not told yet.
    left_out: u64,
}

/// What becomes of one slow call.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    /// It is told, and how many were left out before it.
    Told { left_out: u64 },
    /// It is left out; the first one since some were told has to see to it that it is said.
    LeftOut { is_first: bool },
}

impl Lines {
    fn turn(&mut self, now: Instant) -> Turn {
        let is_over = self.began.is_none_or(|began| now.saturating_duration_since(began) >= SPAN);
        if is_over {
            (self.began, self.written) = (Some(now), 0);
        }
        if self.written < LINES_MAX {
            self.written += 1;
            return Turn::Told { left_out: std::mem::take(&mut self.left_out) };
        }
        self.left_out += 1;
        Turn::LeftOut { is_first: self.left_out == 1 }
    }
}

/// The slow calls of a node.
#[derive(Debug)]
pub(super) struct SlowCalls {
    /// From when on a call is slow; never without it.
    slow: Option<Duration>,
    count: AtomicU64,
    left_out: AtomicU64,
    lines: Arc<Mutex<Lines>>,
}

impl SlowCalls {
    /// Those that take at least so many milliseconds; none for 0.
    pub(super) fn new(slow_ms: u64) -> Self {
        Self {
            slow: (slow_ms > 0).then(|| Duration::from_millis(slow_ms)),
            count: AtomicU64::new(0),
            left_out: AtomicU64::new(0),
            lines: Arc::default(),
        }
    }

    pub(super) fn vitals(&self) -> SlowVitals {
        SlowVitals {
            slow: self.count.load(Ordering::Relaxed),
            left_out: self.left_out.load(Ordering::Relaxed),
        }
    }

    /// Tells of a call if it was slow. To be called within a runtime.
    pub(super) fn look(&self, meter: &Meter, owner_uin: u64, took: Duration, notes: &Notes) {
        if self.slow.is_some_and(|slow| took >= slow) {
            self.tell(meter, owner_uin, took, notes);
        }
    }

    #[cold]
    fn tell(&self, meter: &Meter, owner_uin: u64, took: Duration, notes: &Notes) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let turn = self.lines.lock().unwrap_or_else(PoisonError::into_inner).turn(now);
        match turn {
            Turn::Told { left_out } => say(meter, owner_uin, took, notes, left_out),
            Turn::LeftOut { is_first } => {
                self.left_out.fetch_add(1, Ordering::Relaxed);
                if is_first {
                    // Perhaps no slow call follows whose line could say it.
                    tokio::spawn(say_left_out(Arc::clone(&self.lines)));
                }
            }
        }
    }
}

fn say(meter: &Meter, owner_uin: u64, took: Duration, notes: &Notes, left_out: u64) {
    let owner_uin = notes.last.map_or(owner_uin, |last| last.owner_uin);
    let stages: Vec<String> = notes
        .waits()
        .map(|(stage, it)| format!("{}={}ms", stage.as_str(), it.as_millis()))
        .collect();
    warn!(
        surface = meter.surface(),
        method = meter.method(),
        owner_uin,
        elapsed_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        waited = stages.join(" "),
        decisions = notes.decisions,
        decision_id = notes.last.as_ref().map_or("", |last| last.id()),
        left_out,
        "a call was slow"
    );
}

/// After a while, how many were left out, unless a line has said it by then.
async fn say_left_out(lines: Arc<Mutex<Lines>>) {
    tokio::time::sleep(SPAN).await;
    let left_out = {
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut lines.left_out)
    };
    if left_out > 0 {
        warn!(left_out, "calls were slow, and are not told one by one: there were too many");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_told_in_a_few_lines() {
        let mut lines = Lines::default();
        let start = Instant::now();
        let mut told = 0;
        for _ in 0..1_000 {
            match lines.turn(start) {
                Turn::Told { left_out } => {
                    assert_eq!(left_out, 0);
                    told += 1;
                }
                Turn::LeftOut { is_first } => assert_eq!(is_first, lines.left_out == 1),
            }
        }
        assert_eq!((told, lines.left_out), (LINES_MAX, 1_000 - u64::from(LINES_MAX)));
        assert_eq!(lines.turn(start + SPAN), Turn::Told { left_out: 990 });
        assert_eq!(lines.turn(start + SPAN), Turn::Told { left_out: 0 });
    }

    #[test]
    fn nothing_is_slow_without_a_limit() {
        let meter = super::super::meters::Meters::default().of("grpc", "Check");
        let calls = SlowCalls::new(0);
        calls.look(&meter, 0, Duration::MAX, &Notes::default());
        assert_eq!(calls.vitals(), SlowVitals::default());
        let calls = SlowCalls::new(100);
        calls.look(&meter, 0, Duration::from_micros(99_999), &Notes::default());
        assert_eq!(calls.vitals(), SlowVitals::default());
        calls.look(&meter, 0, Duration::from_millis(100), &Notes::default());
        assert_eq!(calls.vitals(), SlowVitals { slow: 1, left_out: 0 });
    }
}
