//! How far a log was sent to a collector: in memory for metrics, in a file for the next start.
//!
//! The file lies beside the log (`decisions.jsonl.sent`) and has the number of the last record that
//! the collector has taken. It must never say more than that; after a crash it may say less, and
//! then some records are sent twice.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What became of records that are sent to a collector.
#[derive(Debug, Default)]
pub struct ForwardCounts {
    /// Those that it has taken.
    pub sent: AtomicU64,
    /// Those that it refused for good.
    pub refused: AtomicU64,
    /// Those that were deleted before they were sent.
    pub missed: AtomicU64,
}

/// The same as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ForwardVitals {
    /// Those that the collector has taken.
    pub sent: u64,
    /// Those that it refused for good.
    pub refused: u64,
    /// Those that were deleted before they were sent.
    pub missed: u64,
}

impl ForwardCounts {
    /// As numbers.
    #[must_use]
    pub fn vitals(&self) -> ForwardVitals {
        ForwardVitals {
            sent: self.sent.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            missed: self.missed.load(Ordering::Relaxed),
        }
    }
}

/// The file that says how far a log was sent.
#[derive(Debug)]
pub struct ForwardPosition {
    path: PathBuf,
    part: PathBuf,
}

impl ForwardPosition {
    /// The one of a log.
    #[must_use]
    pub fn of(log: &Path) -> Self {
        let with = |ending: &str| {
            let mut name = log.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        };
        Self { path: with(".sent"), part: with(".sent.part") }
    }

    /// The number of the last record that was sent; none when nothing was ever to be sent. Reads
    /// the disk.
    ///
    /// # Errors
    /// When there is a file and it has no number.
    pub fn read(&self) -> io::Result<Option<u64>> {
        match std::fs::read_to_string(&self.path) {
            Ok(text) => text.trim().parse().map(Some).map_err(|_| {
                let path = self.path.display();
                io::Error::other(format!(
                    "`{path}` has no number of a record: delete it, and everything is sent anew"
                ))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps it. Writes the disk.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, number: u64) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        writeln!(options.open(&self.part)?, "{number}")?;
        std::fs::rename(&self.part, &self.path)
    }
}
