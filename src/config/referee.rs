//! `[referee]` of the configuration: which decisions are made a second time.

use serde::{Deserialize, Serialize};

use super::InvalidSettings;
use crate::node::{RefereeMode, RefereeSettings};

/// `[referee]` as written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawReferee {
    share: Option<f64>,
    mode: Mode,
}

/// What a disagreement does, as written.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Report,
    Strict,
}

impl RawReferee {
    /// The settings.
    ///
    /// # Errors
    /// For a share that is none.
    pub(super) fn settings(&self) -> Result<RefereeSettings, InvalidSettings> {
        let usual = RefereeSettings::default();
        let share = self.share.unwrap_or(usual.share);
        if !(0.0..=1.0).contains(&share) {
            return Err(InvalidSettings(format!(
                "`referee.share` is {share}, expected 0 to 1, such as 0.001: one decision of a \
                 thousand"
            )));
        }
        let mode = match self.mode {
            Mode::Report => RefereeMode::Report,
            Mode::Strict => RefereeMode::Strict,
        };
        Ok(RefereeSettings { share, mode })
    }
}
