//! How old an answer may be, on a store that other nodes write too.
//!
//! A node is up to date at a moment when it has applied what was the store's head at that moment.
//! From then on its answers grow older, until the next time it can say so. An answer that is older
//! than a little is marked with its age; beyond `max_staleness` there is none. It must never take
//! silence for news: without an answer of the store nothing is confirmed. A store with one node
//! only is always up to date.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::error::NodeError;
use super::settings::NodeSettings;

/// When the node was last up to date.
#[derive(Debug)]
pub(super) struct Freshness {
    /// Whether others can write the store.
    is_shared: bool,
    started: Instant,
    /// In milliseconds since the start.
    confirmed_ms: AtomicU64,
    stale_after_ms: u64,
    staleness_max_ms: u64,
}

impl Freshness {
    /// A node that is up to date now.
    pub(super) fn new(is_exclusive: bool, settings: &NodeSettings) -> Self {
        Self {
            is_shared: !is_exclusive,
            started: Instant::now(),
            confirmed_ms: AtomicU64::new(0),
            stale_after_ms: settings.stale_after_ms,
            staleness_max_ms: settings.staleness_max_ms,
        }
    }

    fn ms_at(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.started).as_millis();
        u64::try_from(since).unwrap_or(u64::MAX)
    }

    /// The node has everything that was there at this moment.
    pub(super) fn confirm(&self, at: Instant) {
        self.confirmed_ms.fetch_max(self.ms_at(at), Ordering::Relaxed);
    }

    /// How long ago the node was last known to be up to date, in milliseconds.
    pub(super) fn age_ms(&self) -> u64 {
        if !self.is_shared {
            return 0;
        }
        self.ms_at(Instant::now()).saturating_sub(self.confirmed_ms.load(Ordering::Relaxed))
    }

    /// What an answer that is given now must be marked with: its age, or 0.
    ///
    /// # Errors
    /// [`NodeError::Stale`] when it would be too old.
    pub(super) fn mark_ms(&self) -> Result<u64, NodeError> {
        let age_ms = self.age_ms();
        if age_ms > self.staleness_max_ms {
            return Err(NodeError::Stale { age_ms, limit_ms: self.staleness_max_ms });
        }
        Ok(if age_ms > self.stale_after_ms { age_ms } else { 0 })
    }

    /// That what is said now needs no mark, for what cannot carry one.
    ///
    /// # Errors
    /// [`NodeError::Stale`] when it would.
    pub(super) fn check_unmarked(&self) -> Result<(), NodeError> {
        match self.mark_ms()? {
            0 => Ok(()),
            age_ms => Err(NodeError::Stale { age_ms, limit_ms: self.stale_after_ms }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn answers_are_marked_and_then_refused() {
        let settings =
            NodeSettings { stale_after_ms: 1_000, staleness_max_ms: 5_000, ..Default::default() };
        let freshness = Freshness::new(false, &settings);
        let old = |age_ms: u64| Freshness {
            started: freshness.started.checked_sub(Duration::from_millis(age_ms)).unwrap(),
            confirmed_ms: AtomicU64::new(0),
            ..Freshness::new(false, &settings)
        };
        assert_eq!(freshness.mark_ms().unwrap(), 0);
        assert!((2_000..3_000).contains(&old(2_000).mark_ms().unwrap()));
        assert!(matches!(old(6_000).mark_ms(), Err(NodeError::Stale { limit_ms: 5_000, .. })));
        assert!(freshness.check_unmarked().is_ok());
        let unmarked = old(2_000).check_unmarked();
        assert!(matches!(unmarked, Err(NodeError::Stale { limit_ms: 1_000, .. })));
        let again = old(6_000);
        again.confirm(Instant::now());
        assert_eq!(again.mark_ms().unwrap(), 0);
        // What was asked long ago confirms no more than that.
        let late = old(6_000);
        late.confirm(late.started + Duration::from_millis(3_000));
        assert!((3_000..4_000).contains(&late.mark_ms().unwrap()));
    }

    #[test]
    fn a_store_of_ones_own_is_always_fresh() {
        let settings =
            NodeSettings { stale_after_ms: 0, staleness_max_ms: 0, ..Default::default() };
        let started = Instant::now().checked_sub(Duration::from_secs(60)).unwrap();
        let freshness = Freshness { started, ..Freshness::new(true, &settings) };
        assert_eq!(freshness.mark_ms().unwrap(), 0);
    }
}
