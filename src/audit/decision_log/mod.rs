//! The decision log: one line of JSON for each decision, in files that prove themselves.
//!
//! A [`DecisionRecord`] says all that a decision was made from and what it was. The node gives it
//! to a [`DecisionLog`], which seals it into a chain of digests and writes it; in the mode
//! `never_drop` nobody is given an answer whose record is not written. `read` goes the other way,
//! for people and for replays. It must never write a secret, and never lose a record silently: what
//! is not logged is counted, and the log itself says so.

mod files;
mod follow;
mod forwarded;
mod line;
mod log;
mod queue;
mod read;
mod record;
mod rules;
mod settings;
mod writer;

pub use files::FileFault;
pub use follow::LogFollower;
pub use forwarded::{ForwardCounts, ForwardPosition, ForwardVitals};
pub use line::{LineFault, Seal};
pub use log::{DecisionLog, LogFault, LogOpening, LogVitals, Taken};
pub use read::{LogLine, LogReader, ReadFault, log_files};
pub use record::{
    ContextEntry, DecisionRecord, DeterminingRecord, DroppedRecord, Entry, ErrorRecord,
    FilterRecord, MaybeMasked, OpenedRecord, PrincipalRecord, SCHEMA_VERSION, SessionRecord,
};
pub use rules::{LeaveOut, MASKED, MaskedField, Rules};
pub use settings::{DecisionLogSettings, ForwardTo, LogMode};
