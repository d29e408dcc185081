//! How often a caller may call an action, on this node.
//!
//! Counted for authenticated callers only, so that nobody uses up another's share. The number of
//! counted pairs is bounded: when it is reached, new pairs are refused until old ones are idle.

use std::num::NonZeroU32;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::ApiSettings;
use super::authenticate::Caller;
use super::description::{Action, Service};
use super::error::CamError;

/// Calls of one action of CAM by one caller in a second, as CAM documents.
pub const CAM_PER_SECOND: u32 = 20;
/// The same for STS.
pub const STS_PER_SECOND: u32 = 600;
/// Most pairs of caller and action that are counted at a time.
const PAIRS_MAX: usize = 100_000;

/// Who calls what: owner, acting principal, action.
type Pair = (u64, u64, String);

/// Counts calls.
#[derive(Debug)]
pub(super) struct Rates {
    cam: Option<Rate>,
    sts: Option<Rate>,
}

#[derive(Debug)]
struct Rate {
    per_second: NonZeroU32,
    limiter: DefaultKeyedRateLimiter<Pair>,
}

impl Rates {
    pub(super) fn new(settings: ApiSettings) -> Self {
        let rate = |per_second: u32| {
            let per_second = NonZeroU32::new(per_second)?;
            Some(Rate { per_second, limiter: RateLimiter::keyed(Quota::per_second(per_second)) })
        };
        Self {
            cam: rate(settings.requests_per_second),
            sts: rate(settings.sts_requests_per_second),
        }
    }

    /// Counts one call.
    ///
    /// # Errors
    /// `RequestLimitExceeded`.
    pub(super) fn check(
        &self,
        caller: &Caller,
        service: &Service,
        action: &Action,
    ) -> Result<(), CamError> {
        let rate = if service.service == "sts" { &self.sts } else { &self.cam };
        let Some(Rate { per_second, limiter }) = rate else { return Ok(()) };
        let pair = (caller.owner_uin, caller.principal, action.name.clone());
        if limiter.len() >= PAIRS_MAX {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
        let is_full = limiter.len() >= PAIRS_MAX;
        if !is_full && limiter.check_key(&pair).is_ok() {
            return Ok(());
        }
        let message = format!(
            "more than {per_second} calls of `{}` in a second: wait and try again",
            action.name
        );
        Err(CamError::new("RequestLimitExceeded", message))
    }
}
