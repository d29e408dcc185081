//! `[api]` of the configuration: how often the CAM API may be called.

use serde::{Deserialize, Serialize};

use crate::service::ApiSettings;
use crate::service::cam::{CAM_PER_SECOND, STS_PER_SECOND};

/// What is absent has its default, which the trial mode changes.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawApi {
    requests_per_second: Option<u32>,
    sts_requests_per_second: Option<u32>,
    pub(super) refuse_replays: bool,
}

impl RawApi {
    /// The settings; `dev` has no limits that are not written.
    pub(super) fn settings(&self, dev: bool) -> ApiSettings {
        let usual = |rate: u32| if dev { 0 } else { rate };
        ApiSettings {
            requests_per_second: self.requests_per_second.unwrap_or(usual(CAM_PER_SECOND)),
            sts_requests_per_second: self.sts_requests_per_second.unwrap_or(usual(STS_PER_SECOND)),
        }
    }
}
