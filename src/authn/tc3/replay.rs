//! Refuses a signature that was used before, as long as its timestamp could still pass.
//!
//! Bounded, and fail-closed: when there is no room for another signature, the request is refused,
//! because forgetting one that has not expired would let it in again. A cache that evicts would do
//! just that, so this is a set with an order of expiry. A clock that steps back does not bring
//! forgotten signatures back to life: what had expired once stays refused.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, PoisonError};

use super::{Tc3Error, Verified, WINDOW_S};

/// The signatures seen within their window.
#[derive(Debug)]
pub struct ReplayGuard {
    entries_max: usize,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    signatures: HashSet<[u8; 32]>,
    /// The same, by the last millisecond at which they pass the window.
    by_expiry: BTreeSet<(i64, [u8; 32])>,
    /// The latest time ever told.
    latest_ms: i64,
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seen").field("count", &self.signatures.len()).finish_non_exhaustive()
    }
}

impl ReplayGuard {
    /// Remembers at most so many signatures.
    #[must_use]
    pub fn new(entries_max: usize) -> Self {
        Self { entries_max, seen: Mutex::default() }
    }

    /// Takes a proven request's signature for its one use.
    ///
    /// # Errors
    /// [`Tc3Error::Replayed`], [`Tc3Error::GuardFull`], or [`Tc3Error::Expired`] after the clock
    /// was set back.
    pub fn admit(&self, request: &Verified, now_ms: i64) -> Result<(), Tc3Error> {
        // A panic elsewhere cannot leave the two sets worse than one entry apart.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.forget_expired(now_ms);
        let expiry = request.timestamp.saturating_add(WINDOW_S).saturating_mul(1_000);
        if expiry < seen.latest_ms {
            let seconds = (seen.latest_ms - expiry) / 1_000 + WINDOW_S;
            return Err(Tc3Error::Expired { seconds, side: "behind" });
        }
        if seen.signatures.contains(&request.signature) {
            return Err(Tc3Error::Replayed);
        }
        if seen.signatures.len() >= self.entries_max {
            return Err(Tc3Error::GuardFull);
        }
        seen.signatures.insert(request.signature);
        seen.by_expiry.insert((expiry, request.signature));
        Ok(())
    }

    /// How many signatures it remembers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).signatures.len()
    }

    /// Whether it remembers none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Seen {
    fn forget_expired(&mut self, now_ms: i64) {
        self.latest_ms = self.latest_ms.max(now_ms);
        while self.by_expiry.first().is_some_and(|(expiry, _)| *expiry < self.latest_ms) {
            if let Some((_, signature)) = self.by_expiry.pop_first() {
                self.signatures.remove(&signature);
            }
        }
    }
}
