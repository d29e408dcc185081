//! Records on their way to the file: taken from decisions, waited for by answers.
//!
//! A lock that is held for a copy, and one number that says how far the file is. The writer is
//! woken for many records together: being woken costs more than writing does. It must never let an
//! answer go that the file does not have, unless the log may drop.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
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
    /// Records ever given to the writer.
    given: u64,
    /// Whether the writer was told to begin.
    is_due: bool,
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
    linger: Option<Duration>,
    /// How many of the records taken are written.
    pub(super) written: watch::Sender<u64>,
    /// Told when it begins and when it ends, not in between.
    pub(super) failing: watch::Sender<Failing>,
}

impl Queue {
    /// With a `linger`, what was taken is written that long after the first record; without, when
    /// somebody needs it. Half of `bytes_max` is always written at once.
    pub(super) fn new(bytes_max: usize, linger: Option<Duration>) -> Self {
        let (written, failing) = (watch::Sender::new(0), watch::Sender::new(None));
        let (waiting, wake) = (Mutex::default(), Condvar::new());
        Self { waiting, wake, bytes_max, linger, written, failing }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a record: its position, or how many bytes wait already when there is no room.
    pub(super) fn push(&self, body: &[u8]) -> Result<u64, usize> {
        let mut waiting = self.lock();
        let bytes = waiting.batch.bytes.len();
        if waiting.is_closed || bytes.saturating_add(body.len()) > self.bytes_max {
            return Err(bytes);
        }
        waiting.batch.bytes.extend_from_slice(body);
        let end = waiting.batch.bytes.len();
        waiting.batch.ends.push(end);
        waiting.taken += 1;
        let position = waiting.taken;
        // Also in the midst of lingering: half of what there is room for is not waited with.
        let is_much = bytes < self.bytes_max / 2 && end >= self.bytes_max / 2;
        let begins = self.linger.is_some() && !waiting.is_due;
        waiting.is_due |= is_much || begins;
        drop(waiting);
        if is_much || begins {
            self.wake.notify_one();
        }
        Ok(position)
    }

    /// Somebody needs the record at this position to be written.
    pub(super) fn hurry(&self, position: u64) {
        let mut waiting = self.lock();
        if waiting.is_due || position <= waiting.given {
            return;
        }
        waiting.is_due = true;
        drop(waiting);
        self.wake.notify_one();
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
        let is_idle = |waiting: &mut Waiting| !waiting.is_due && !waiting.is_closed;
        let mut waiting = self.wait(self.lock(), idle, is_idle);
        if let Some(linger) = self.linger.filter(|_| !waiting.batch.is_empty()) {
            let is_little = |waiting: &mut Waiting| {
                waiting.batch.bytes.len() < self.bytes_max / 2 && !waiting.is_closed
            };
            waiting = self.wait(waiting, linger, is_little);
        }
        waiting.is_due = false;
        waiting.given = waiting.taken;
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
        self.wait(self.lock(), pause, |waiting| !waiting.is_closed).is_closed
    }

    fn wait<'q>(
        &self,
        waiting: MutexGuard<'q, Waiting>,
        most: Duration,
        goes_on: impl FnMut(&mut Waiting) -> bool,
    ) -> MutexGuard<'q, Waiting> {
        let waited = self.wake.wait_timeout_while(waiting, most, goes_on);
        waited.unwrap_or_else(PoisonError::into_inner).0
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than any test may take.
    const FOREVER: Duration = Duration::from_secs(600);

    fn next(queue: &Queue, idle: Duration) -> (Next, Vec<Vec<u8>>) {
        let mut batch = Batch::default();
        let next = queue.next(&mut batch, idle);
        (next, batch.bodies().map(<[u8]>::to_vec).collect())
    }

    #[test]
    fn what_an_answer_waits_for_is_written_with_all_that_came_meanwhile() {
        let queue = Queue::new(1_000, None);
        let first = queue.push(b"one").unwrap();
        queue.push(b"two").unwrap();
        queue.hurry(first);
        let written = vec![b"one".to_vec(), b"two".to_vec()];
        assert_eq!(next(&queue, FOREVER), (Next::Write, written));
        // It is on its way: nobody is woken for it again.
        queue.hurry(first);
        assert_eq!(next(&queue, Duration::ZERO), (Next::Idle, Vec::new()));
    }

    #[test]
    fn what_nobody_waits_for_is_written_after_a_while_or_when_it_is_much() {
        let queue = Queue::new(100, None);
        queue.push(&[7; 49]).unwrap();
        assert_eq!(next(&queue, Duration::ZERO).0, Next::Write);
        queue.push(&[7; 50]).unwrap();
        assert_eq!(next(&queue, FOREVER), (Next::Write, vec![vec![7; 50]]));
        let lingers = Queue::new(100, Some(Duration::from_millis(1)));
        lingers.push(b"one").unwrap();
        assert_eq!(next(&lingers, FOREVER), (Next::Write, vec![b"one".to_vec()]));
        let lingers = Queue::new(100, Some(FOREVER));
        lingers.push(&[7; 50]).unwrap();
        assert_eq!(next(&lingers, FOREVER).0, Next::Write);
    }

    #[test]
    fn a_closed_queue_gives_what_it_has_and_ends() {
        let queue = Queue::new(100, Some(FOREVER));
        queue.push(b"one").unwrap();
        queue.close();
        assert_eq!(next(&queue, FOREVER), (Next::Write, vec![b"one".to_vec()]));
        assert_eq!(next(&queue, FOREVER).0, Next::End);
        assert_eq!(queue.push(b"two"), Err(0));
    }
}
