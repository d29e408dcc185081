//! `[console]` of the configuration: how console sessions last and travel.

use serde::{Deserialize, Serialize};

use super::InvalidSettings;
use crate::service::ConsoleSettings;

/// Shortest and longest session, in seconds: a minute and a day.
const SESSION_SECONDS: std::ops::RangeInclusive<u32> = 60..=86_400;

/// The table as written. What is absent has its default, which the trial mode changes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawConsole {
    session_seconds: u32,
    secure_cookie: Option<bool>,
}

impl Default for RawConsole {
    fn default() -> Self {
        Self { session_seconds: 7_200, secure_cookie: None }
    }
}

impl RawConsole {
    /// How sessions travel: over TLS only, but for trials.
    pub(super) fn settings(&self, dev: bool) -> ConsoleSettings {
        ConsoleSettings { secure_cookie: self.secure_cookie.unwrap_or(!dev) }
    }

    /// How long sessions last, in milliseconds.
    ///
    /// # Errors
    /// When it is out of bounds.
    pub(super) fn session_ms(&self) -> Result<i64, InvalidSettings> {
        if SESSION_SECONDS.contains(&self.session_seconds) {
            return Ok(i64::from(self.session_seconds) * 1_000);
        }
        let (least, most) = (SESSION_SECONDS.start(), SESSION_SECONDS.end());
        Err(InvalidSettings(format!(
            "`console.session_seconds` is {}, accepted are {least} to {most}",
            self.session_seconds
        )))
    }
}
