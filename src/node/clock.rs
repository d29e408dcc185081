//! Time and randomness: the one place of the node where the clock is read.
//!
//! Everything below takes time as a parameter, so tests can stand still. It must never be asked
//! for anything that decides by itself.

use std::fmt;

use jiff::Timestamp;
use uuid::Uuid;

/// Tells the time.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Now, in UTC.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A new id of a decision: a UUID of version 7, so that ids sort by time.
pub(super) fn new_decision_id() -> String {
    Uuid::now_v7().to_string()
}

/// Sixteen unpredictable hexadecimal digits: the id of a store.
pub(super) fn new_store_id() -> String {
    let bytes = Uuid::now_v7().into_bytes();
    bytes.iter().skip(8).map(|byte| format!("{byte:02x}")).collect()
}
