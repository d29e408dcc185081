//! Records on their way to the file: taken from decisions, waited for by answers.
//!
//! A lock that is held for a copy, and one number that says how far the file is. It must never let
//! an answer go that the file does not have, unless the log may drop.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// Records that are not written yet, one after the other.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    /// Where each record ends.
    pub(super) ends: Vec<usize>,
    /// Dropped before the first of them.
    pub(super) dropped: u64,
}

impl Batch {
    /// The records.
    pub(super) fn bodies(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts.zip(&self.ends).map(|(start, end)| self.bytes.get(*start..*end).unwrap_or_default())
    }

    fn is_empty(&self) -> bool {
        self.ends.is_empty() && self.dropped == 0
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.dropped = 0;
    }
}

#[derive(Debug, Default)]
struct Waiting {
    batch: Batch,
    /// Records ever taken.
    taken: u64,
    dropped_ever: u64,
    is_closed: bool,
}

/// Since when nothing can be written, and why; none when it can.
pub(super) type Failing = Option<(Instant, Arc<str>)>;

/// What the writer is to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Write what was taken.
    Write,
    /// Nothing came in time.
    Idle,
    /// Nothing will come any more.
    End,
}

#[derive(Debug)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    bytes_max: usize,
    /// How many of the records taken are written.
    pub(super) written: watch::Sender<u64>,
    /// Told when it begins and when it ends, not in between.
    pub(super) failing: watch::Sender<Failing>,
}

impl Queue {
    pub(super) fn new(bytes_max: usize) -> Self {
        let (written, failing) = (watch::Sender::new(0), watch::Sender::new(None));
        Self { waiting: Mutex::default(), wake: Condvar::new(), bytes_max, written, failing }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a record: its position, or how many bytes wait already when there is no room.
    pub(super) fn push(&self, body: &[u8]) -> Result<u64, usize> {
        let mut waiting = self.lock();
        let bytes = waiting.batch.bytes.len();
        if waiting.is_closed || bytes.saturating_add(body.len()) > self.bytes_max {
            return Err(bytes);
        }
        let was_empty = waiting.batch.is_empty();
        waiting.batch.bytes.extend_from_slice(body);
        let end = waiting.batch.bytes.len();
        waiting.batch.ends.push(end);
        waiting.taken += 1;
        let position = waiting.taken;
        drop(waiting);
        if was_empty {
            self.wake.notify_one();
        }
        Ok(position)
    }

    /// Counts a record that is not taken.
    pub(super) fn drop_one(&self) {
        let mut waiting = self.lock();
        waiting.batch.dropped += 1;
        waiting.dropped_ever += 1;
    }

    /// Bytes that wait, and records ever dropped.
    pub(super) fn vitals(&self) -> (usize, u64) {
        let waiting = self.lock();
        (waiting.batch.bytes.len(), waiting.dropped_ever)
    }

    /// Nothing is taken any more.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.wake.notify_all();
    }

    /// Waits for records and puts them into `batch`, whose memory is used again.
    pub(super) fn next(&self, batch: &mut Batch, idle: Duration) -> Next {
        batch.clear();
        let waiting = self.lock();
        let is_idle = |waiting: &mut Waiting| waiting.batch.is_empty() && !waiting.is_closed;
        let waited = self.wake.wait_timeout_while(waiting, idle, is_idle);
        let (mut waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match (waiting.batch.is_empty(), waiting.is_closed) {
            (false, _) => {
                std::mem::swap(batch, &mut waiting.batch);
                Next::Write
            }
            (true, true) => Next::End,
            (true, false) => Next::Idle,
        }
    }

    /// Waits a while before something is tried again; whether the log was closed.
    pub(super) fn pause(&self, pause: Duration) -> bool {
        let waited = self.wake.wait_timeout_while(self.lock(), pause, |waiting| !waiting.is_closed);
        waited.unwrap_or_else(PoisonError::into_inner).0.is_closed
    }

    /// As many records more are written.
    pub(super) fn wrote(&self, records: usize) {
        self.written.send_modify(|written| *written = written.saturating_add(records as u64));
        self.failing.send_if_modified(|failing| failing.take().is_some());
    }

    /// Nothing can be written.
    pub(super) fn fails(&self, problem: &str) {
        self.failing.send_if_modified(|failing| {
            let is_news = failing.is_none();
            failing.get_or_insert_with(|| (Instant::now(), problem.into()));
            is_news
        });
    }
}
