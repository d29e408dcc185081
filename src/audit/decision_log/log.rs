//! The log as the node uses it: give it a record, wait until it is written.
//!
//! Serializing happens where the decision was made, sealing and writing in one thread. In the mode
//! `never_drop` waiting fails when the record cannot be written in time, and then nobody may be
//! given the answer.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use tracing::error;

use super::files::{FileFault, LogFile};
use super::forwarded::{ForwardCounts, ForwardVitals};
use super::queue::Queue;
use super::record::{DecisionRecord, EntryRef, OpenedRecord, SCHEMA_VERSION};
use super::rules::MaskedField;
use super::settings::{DecisionLogSettings, LogMode};
use super::writer::{Writer, sweep_always};

/// About how long a record is.
const RECORD_BYTES: usize = 768;

/// How long records wait for others, where no answer waits for them.
const LINGER: Duration = Duration::from_millis(10);

/// Why an answer may not be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogFault {
    /// Its record was not written in time.
    #[error("the decision log could not be written within {waited_ms} ms")]
    Late {
        /// How long the answer waited.
        waited_ms: u64,
    },
    /// So many records wait that there is no room for one more.
    #[error("the decision log has {waiting_bytes} bytes waiting, at most {bytes_max} are held")]
    Full {
        /// Bytes that wait.
        waiting_bytes: usize,
        /// How many may.
        bytes_max: usize,
    },
    /// The record cannot be written as JSON.
    #[error("the decision cannot be written into the decision log")]
    Unwritable,
}

/// Who writes a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogOpening {
    /// The id of the running node.
    pub node: String,
    /// The digest of the catalog and the presets it decides with.
    pub shipped: String,
}

/// A record that was given to the log: what its answer waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[must_use = "in the mode `never_drop` an answer waits for its record"]
pub struct Taken(u64);

impl Taken {
    /// What waits for both.
    pub fn and(self, other: Self) -> Self {
        self.max(other)
    }
}

/// How a log is, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogVitals {
    /// Records written.
    pub written: u64,
    /// Records dropped.
    pub dropped: u64,
    /// Decisions left out by a rule.
    pub left_out: u64,
    /// Bytes that wait.
    pub waiting_bytes: usize,
    /// Why nothing can be written at this moment.
    pub problem: Option<String>,
    /// What became of records that are sent to a collector, if they are.
    pub forwarded: Option<ForwardVitals>,
}

/// A running decision log.
pub struct DecisionLog {
    settings: DecisionLogSettings,
    queue: Arc<Queue>,
    left_out: AtomicU64,
    forwarded: Arc<ForwardCounts>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl fmt::Debug for DecisionLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecisionLog").field("file", &self.settings.file).finish_non_exhaustive()
    }
}

impl DecisionLog {
    /// Opens the file, repairs its end, and begins to write. Reads and writes the disk.
    ///
    /// # Errors
    /// [`FileFault`].
    pub fn open(settings: DecisionLogSettings, opening: LogOpening) -> Result<Self, FileFault> {
        let (file, reached) = LogFile::open(&settings.file, Timestamp::now())?;
        let linger = match settings.mode {
            LogMode::NeverDrop => None,
            LogMode::BestEffort => Some(LINGER),
        };
        let queue = Arc::new(Queue::new(settings.buffer_bytes_max, linger));
        let (sweeper, told) = channel();
        let LogOpening { node, shipped } = opening;
        let opened = OpenedRecord {
            v: SCHEMA_VERSION,
            time: Timestamp::now(),
            previous: String::new().into(),
            node: node.into(),
            camgate: env!("CARGO_PKG_VERSION").into(),
            shipped: shipped.into(),
            mode: settings.mode.as_str().into(),
            mask: settings.rules.mask.iter().map(MaskedField::text).collect(),
            leave_out_rules: settings.rules.leave_out.len(),
        };
        let mut writer = Writer {
            queue: Arc::clone(&queue),
            settings: settings.clone(),
            file,
            reached,
            opened,
            sweeper,
            lines: Vec::new(),
            unsynced_since: None,
            rotate_not_before: None,
        };
        writer.begin();
        let (path, files_max) = (settings.file.clone(), settings.files_max);
        let io = |problem| FileFault::Io { path: settings.file.clone(), problem };
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let writing = thread("decision-log").spawn(move || writer.run()).map_err(io)?;
        let sweeping = thread("decision-log-old").spawn(move || {
            sweep_always(path, files_max, told);
        });
        let threads = Mutex::new(vec![writing, sweeping.map_err(io)?]);
        let (left_out, forwarded) = (AtomicU64::new(0), Arc::default());
        Ok(Self { settings, queue, left_out, forwarded, threads })
    }

    /// Takes the record of a decision.
    ///
    /// # Errors
    /// [`LogFault::Full`] in the mode `never_drop`, [`LogFault::Unwritable`].
    pub fn take(&self, mut record: DecisionRecord<'_>) -> Result<Taken, LogFault> {
        let rules = &self.settings.rules;
        if !rules.wants(&record) {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return Ok(Taken::default());
        }
        rules.mask(&mut record);
        let mut body = Vec::with_capacity(RECORD_BYTES);
        if let Err(error) = serde_json::to_writer(&mut body, &EntryRef::Decision(&record)) {
            error!(%error, "a decision cannot be written as JSON");
            return Err(LogFault::Unwritable);
        }
        match (self.queue.push(&body), self.settings.mode) {
            (Ok(position), LogMode::NeverDrop) => Ok(Taken(position)),
            (Ok(_), LogMode::BestEffort) => Ok(Taken::default()),
            (Err(waiting_bytes), LogMode::NeverDrop) => {
                Err(LogFault::Full { waiting_bytes, bytes_max: self.settings.buffer_bytes_max })
            }
            (Err(_), LogMode::BestEffort) => {
                self.queue.drop_one();
                Ok(Taken::default())
            }
        }
    }

    /// Waits until what was taken is written.
    ///
    /// # Errors
    /// [`LogFault::Late`].
    pub async fn written(&self, taken: Taken) -> Result<(), LogFault> {
        let Taken(position) = taken;
        if position == 0 {
            return Ok(());
        }
        // First all others that can decide at this moment: then they are written together.
        tokio::task::yield_now().await;
        self.queue.hurry(position);
        let mut written = self.queue.written.subscribe();
        if *written.borrow_and_update() >= position {
            return Ok(());
        }
        // Who comes when it has failed for long does not wait as long again.
        let failing = self.queue.failing.borrow().as_ref().map(|(since, _)| since.elapsed());
        let wait = self.settings.wait_max.saturating_sub(failing.unwrap_or_default());
        let reached = written.wait_for(|written| *written >= position);
        match tokio::time::timeout(wait, reached).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => {
                let waited_ms = u64::try_from(self.settings.wait_max.as_millis());
                Err(LogFault::Late { waited_ms: waited_ms.unwrap_or(u64::MAX) })
            }
        }
    }

    /// How it is.
    #[must_use]
    pub fn vitals(&self) -> LogVitals {
        let (waiting_bytes, dropped) = self.queue.vitals();
        let failing = self.queue.failing.borrow();
        LogVitals {
            written: *self.queue.written.borrow(),
            dropped,
            left_out: self.left_out.load(Ordering::Relaxed),
            waiting_bytes,
            problem: failing.as_ref().map(|(_, problem)| problem.to_string()),
            forwarded: self.settings.forward.as_ref().map(|_| self.forwarded.vitals()),
        }
    }

    /// Where it is told what became of records that are sent to a collector.
    #[must_use]
    pub fn forwarded(&self) -> Arc<ForwardCounts> {
        Arc::clone(&self.forwarded)
    }

    /// Whether answers depend on the log.
    #[must_use]
    pub fn must_be_written(&self) -> bool {
        self.settings.mode == LogMode::NeverDrop
    }

    /// Tells why nothing can be written, and when it can be again, for ever.
    pub async fn follow_problem(&self, mut tell: impl FnMut(Option<String>)) {
        let mut failing = self.queue.failing.subscribe();
        loop {
            let problem = failing.borrow_and_update().as_ref().map(|(_, it)| it.to_string());
            tell(problem);
            if failing.changed().await.is_err() {
                return;
            }
        }
    }

    /// Writes what there is and ends. Waits for the disk.
    pub fn close(&self) {
        self.queue.close();
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            if thread.join().is_err() {
                error!("a thread of the decision log ended with a panic");
            }
        }
    }
}

impl Drop for DecisionLog {
    fn drop(&mut self) {
        self.close();
    }
}
