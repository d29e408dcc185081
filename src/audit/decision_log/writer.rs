//! The one thread that writes: it seals what was taken, writes it, and says how far it is.
//!
//! When the disk is full or broken it tries again until it succeeds, from the byte where it
//! stopped, so that the file goes on as if nothing had been. It must never leave out a record that
//! was taken, except at the end of the program, and then it says how many.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tracing::{error, info, warn};

use super::files::{FileFault, LogFile, sweep};
use super::line::Reached;
use super::queue::{Batch, Next, Queue};
use super::record::{DroppedRecord, Entry, OpenedRecord};
use super::settings::DecisionLogSettings;

/// How long a write that failed is left alone.
const RETRY: Duration = Duration::from_millis(50);
/// How long a file that could not be put aside is gone on with.
const ROTATE_RETRY: Duration = Duration::from_secs(60);
/// How often a full disk is tried again when the program is to end.
const TRIES_AT_THE_END: u32 = 20;

/// What the writer works with.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) queue: Arc<Queue>,
    pub(super) settings: DecisionLogSettings,
    pub(super) file: LogFile,
    pub(super) reached: Reached,
    /// What each file begins with; time and seal are filled in.
    pub(super) opened: OpenedRecord<'static>,
    /// Told when a file was put aside.
    pub(super) sweeper: Sender<()>,
    /// Sealed lines that are not in the file yet.
    pub(super) lines: Vec<u8>,
    /// When the file was synced last; none: nothing was written since.
    pub(super) unsynced_since: Option<Instant>,
    /// A file could not be put aside: not tried again before this.
    pub(super) rotate_not_before: Option<Instant>,
}

impl Writer {
    /// Says who writes from here on.
    pub(super) fn begin(&mut self) {
        let opened = OpenedRecord {
            time: Timestamp::now(),
            previous: self.reached.seal.to_string().into(),
            ..self.opened.clone()
        };
        self.add(&Entry::Opened(opened));
    }

    fn add(&mut self, entry: &Entry<'_>) {
        match serde_json::to_vec(entry) {
            Ok(body) => self.reached.write(&mut self.lines, &body),
            Err(error) => error!(%error, "a record of the decision log cannot be written as JSON"),
        }
    }

    /// Writes until the queue is closed and empty.
    pub(super) fn run(mut self) {
        let mut batch = Batch::default();
        let mut is_open = self.flush();
        while is_open {
            let next = self.queue.next(&mut batch, self.settings.sync_every);
            if next == Next::Write {
                self.seal(&batch);
                is_open = self.flush();
                self.queue.wrote(if is_open { batch.ends.len() } else { 0 });
            }
            self.sync();
            if next == Next::End {
                self.add(&Entry::Closed {});
                self.flush();
                break;
            }
            if self.rotate() {
                is_open = self.flush();
            }
        }
        if self.file.is_regular
            && let Err(problem) = self.file.sync()
        {
            error!(%problem, "the end of the decision log may not survive a power cut");
        }
    }

    fn seal(&mut self, batch: &Batch) {
        if batch.dropped > 0 {
            let dropped = DroppedRecord { time: Timestamp::now(), count: batch.dropped };
            warn!(count = dropped.count, "decisions are not in the decision log");
            self.add(&Entry::Dropped(dropped));
        }
        for body in batch.bodies() {
            self.reached.write(&mut self.lines, body);
        }
    }

    /// Writes all sealed lines, however long it takes; false when the program ends first.
    fn flush(&mut self) -> bool {
        let (mut done, mut tries, mut has_failed) = (0, 0_u32, false);
        while let Some(rest) = self.lines.get(done..).filter(|rest| !rest.is_empty()) {
            let problem = match self.file.write(rest) {
                Ok(0) => "nothing more can be written".to_owned(),
                Ok(written) => {
                    done += written;
                    tries = 0;
                    continue;
                }
                Err(problem) => problem.to_string(),
            };
            if !has_failed {
                has_failed = true;
                let file = self.file.path.display();
                error!(%file, problem, "the decision log cannot be written; it is tried again");
            }
            self.queue.fails(&problem);
            tries = tries.saturating_add(1);
            if self.queue.pause(RETRY) && tries >= TRIES_AT_THE_END {
                error!(bytes = rest.len(), "the end of the decision log is lost");
                return false;
            }
        }
        if has_failed {
            info!("the decision log can be written again");
        }
        self.lines.clear();
        self.unsynced_since.get_or_insert_with(Instant::now);
        true
    }

    fn sync(&mut self) {
        if self.unsynced_since.is_none_or(|since| since.elapsed() < self.settings.sync_every) {
            return;
        }
        self.unsynced_since = None;
        if !self.file.is_regular {
            return;
        }
        if let Err(problem) = self.file.sync() {
            error!(%problem, "the decision log may not survive a power cut");
        }
    }

    /// Puts the file aside when it is full or old; whether it did.
    fn rotate(&mut self) -> bool {
        let now = Timestamp::now();
        let age = now.duration_since(self.file.begun);
        let is_old = age.unsigned_abs() >= self.settings.rotate_after && !age.is_negative();
        let is_full = self.file.bytes >= self.settings.rotate_bytes;
        let is_due = self.file.is_regular && (is_full || is_old);
        let is_early = self.rotate_not_before.is_some_and(|time| Instant::now() < time);
        if !is_due || is_early {
            return false;
        }
        match self.file.rotate(self.reached.number, now) {
            Ok(()) => {
                self.rotate_not_before = None;
                self.begin();
                // The sweeper lives as long as the writer.
                let _ = self.sweeper.send(());
                true
            }
            Err(fault) => {
                error!(%fault, "the decision log's file cannot be put aside; it is gone on with");
                self.rotate_not_before = Some(Instant::now() + ROTATE_RETRY);
                false
            }
        }
    }
}

/// Compresses and deletes old files whenever one was put aside, until the writer ends.
pub(super) fn sweep_always(path: PathBuf, files_max: Option<usize>, told: Receiver<()>) {
    let sweep = || sweep(&path, files_max);
    let tell = |result: Result<(), FileFault>| {
        if let Err(fault) = result {
            error!(%fault, "old files of the decision log cannot be compressed or deleted");
        }
    };
    tell(sweep());
    for () in told {
        tell(sweep());
    }
}
