//! Time and randomness: the one place of the node where the clock is read.
//!
//! Everything below takes time as a parameter, so tests can stand still. It must never be asked
//! for anything that decides by itself.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use uuid::{Builder, Uuid};

use crate::lang::hex::hex;

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

/// As [`decision_id_at`], of one that is made now.
pub(super) fn new_decision_id() -> String {
    decision_id_at(Timestamp::now())
}

/// A new id of a decision that was made at this time: a UUID of version 7, so that ids sort by
/// time, to the millisecond.
pub(super) fn decision_id_at(now: Timestamp) -> String {
    let now_ms = u64::try_from(now.as_millisecond()).unwrap_or_default();
    // `Uuid::now_v7` takes a lock that all cores share, to count within a millisecond. Two of the
    // bytes of a random uuid are not all random.
    let [a, b, c, d, e, f, _, g, _, h, i, j, ..] = Uuid::new_v4().into_bytes();
    let uuid = Builder::from_unix_timestamp_millis(now_ms, &[a, b, c, d, e, f, g, h, i, j]);
    let mut text = Uuid::encode_buffer();
    uuid.into_uuid().hyphenated().encode_lower(&mut text).to_owned()
}

/// A random part of a time.
pub(super) fn random_part(of: Duration) -> Duration {
    let [a, b, c, d, ..] = Uuid::new_v4().into_bytes();
    // The first bytes are random all over: those of version and variant come later.
    let part = f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX);
    of.mul_f64(part)
}

/// Sixteen unpredictable hexadecimal digits: the id of a store.
pub(super) fn new_store_id() -> String {
    let bytes = Uuid::now_v7().into_bytes();
    hex(bytes.get(8..).unwrap_or_default())
}

/// As many: the id of a running node.
pub(super) fn new_node_id() -> String {
    new_store_id()
}
