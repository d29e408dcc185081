//! The numbers that a decision log runs with. Names carry their units.

use std::path::PathBuf;
use std::time::Duration;

use super::rules::Rules;

/// What happens when records cannot be written as fast as decisions are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogMode {
    /// An answer waits for its record, and is not given without it.
    #[default]
    NeverDrop,
    /// Answers wait for nothing; what finds no room is counted.
    BestEffort,
}

impl LogMode {
    /// `never_drop` or `best_effort`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NeverDrop => "never_drop",
            Self::BestEffort => "best_effort",
        }
    }
}

/// Where the lines of a log are sent to as well: an OpenTelemetry collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardTo {
    /// Its address, e.g. `http://127.0.0.1:4317`: OTLP over gRPC.
    pub endpoint: String,
    /// Who signed its certificate, in PEM; for `https://`.
    pub ca_file: Option<PathBuf>,
}

/// How a decision log is kept.
#[derive(Debug, Clone)]
pub struct DecisionLogSettings {
    /// The file that is written; those before lie beside it.
    pub file: PathBuf,
    /// When it cannot keep up.
    pub mode: LogMode,
    /// Longest that an answer waits for its record (`never_drop`).
    pub wait_max: Duration,
    /// Most bytes of records that are not written yet.
    pub buffer_bytes_max: usize,
    /// A file of this size is put aside.
    pub rotate_bytes: u64,
    /// A file of this age is put aside.
    pub rotate_after: Duration,
    /// Most files put aside; the oldest go first. None: all are kept.
    pub files_max: Option<usize>,
    /// How often what is written is made to survive a power cut.
    pub sync_every: Duration,
    /// What is left out, and what is masked.
    pub rules: Rules,
    /// Where its lines are sent to.
    pub forward: Option<ForwardTo>,
}

impl DecisionLogSettings {
    /// The settings of this file, with everything else as it is without a word.
    #[must_use]
    pub fn new(file: PathBuf) -> Self {
        Self {
            file,
            mode: LogMode::default(),
            wait_max: Duration::from_secs(1),
            buffer_bytes_max: 16 * 1024 * 1024,
            rotate_bytes: 256 * 1024 * 1024,
            rotate_after: Duration::from_secs(24 * 60 * 60),
            files_max: Some(30),
            sync_every: Duration::from_secs(1),
            rules: Rules::default(),
            forward: None,
        }
    }
}
