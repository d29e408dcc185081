//! Who watches a decision being made. `decide` is written once; what is recorded is up to the
//! trace.
//!
//! [`NoTrace`] costs nothing. A trace may ask to see every attached statement instead of only those
//! that the index proposes; it can never change a decision.

use super::decision::{Layer, Reason};
use super::evaluate::Verdict;
use super::facts::{Overlay, Target};
use super::index::Entry;

/// One statement that was tested, as the engine sees it.
#[derive(Debug)]
pub struct Visit<'a> {
    pub(super) layer: Layer,
    pub(super) entry: Entry<'a>,
    pub(super) verdict: &'a Verdict,
    pub(super) overlay: &'a Overlay<'a>,
}

/// One resource that is about to be, or was, decided.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub(super) target: Target<'a>,
}

/// Watches a decision.
pub trait Trace {
    /// Whether every attached statement is tested, or only those that can match.
    const EVERY_STATEMENT: bool;
    /// A resource is about to be decided.
    fn begin(&mut self, asked: Asked<'_>);
    /// A statement was tested.
    fn visit(&mut self, visit: Visit<'_>);
    /// The resource was decided.
    fn end(&mut self, reason: Reason);
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTrace;

impl Trace for NoTrace {
    const EVERY_STATEMENT: bool = false;

    #[inline]
    fn begin(&mut self, _asked: Asked<'_>) {}

    #[inline]
    fn visit(&mut self, _visit: Visit<'_>) {}

    #[inline]
    fn end(&mut self, _reason: Reason) {}
}
