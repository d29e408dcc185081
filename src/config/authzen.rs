//! `[authzen]` of the configuration: how AuthZEN's words map onto CAM's.

use serde::{Deserialize, Serialize};

use super::InvalidSettings;
use crate::service::AuthzenSettings;

/// The table as written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawAuthzen {
    base_url: String,
    account: u64,
    service: String,
    subject_types: Vec<String>,
}

impl Default for RawAuthzen {
    fn default() -> Self {
        let AuthzenSettings { base_url, account, service, subject_types } =
            AuthzenSettings::default();
        Self { base_url, account, service, subject_types }
    }
}

impl RawAuthzen {
    /// The settings.
    ///
    /// # Errors
    /// The first value that cannot be used.
    pub(super) fn settings(self) -> Result<AuthzenSettings, InvalidSettings> {
        let Self { base_url, account, service, subject_types } = self;
        let rest = base_url.strip_prefix("https://").or_else(|| base_url.strip_prefix("http://"));
        let is_url =
            rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['?', '#', '{', '}', ' ']));
        if !base_url.is_empty() && !is_url {
            return Err(InvalidSettings(format!(
                "`authzen.base_url` is `{base_url}`, expected a URL without query such as \
                 `https://pdp.example.com`"
            )));
        }
        let is_service = !service.is_empty()
            && service.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if !is_service {
            return Err(InvalidSettings(format!(
                "`authzen.service` is `{service}`, expected an abbreviation such as `im`"
            )));
        }
        Ok(AuthzenSettings { base_url, account, service, subject_types })
    }
}
