//! Where traces go: `[tracing]`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{InvalidSettings, collector};
use crate::service::TraceSettings;

/// `[tracing]` as written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawTracing {
    otlp_endpoint: Option<String>,
    ca_file: Option<PathBuf>,
    service_name: String,
    sample_ratio: f64,
}

impl Default for RawTracing {
    fn default() -> Self {
        Self {
            otlp_endpoint: None,
            ca_file: None,
            service_name: "camgate".to_owned(),
            sample_ratio: 0.01,
        }
    }
}

impl RawTracing {
    /// The settings; none where nothing is traced.
    ///
    /// # Errors
    /// When a value cannot be used.
    pub(super) fn settings(self) -> Result<Option<TraceSettings>, InvalidSettings> {
        let Self { otlp_endpoint, ca_file, service_name, sample_ratio } = self;
        let refuse = |text: String| Err(InvalidSettings(text));
        if !(0.0..=1.0).contains(&sample_ratio) {
            return refuse(format!(
                "`tracing.sample_ratio` is `{sample_ratio}`, expected a share from 0 to 1, such as \
                 0.01"
            ));
        }
        let keys = ("tracing.otlp_endpoint", "tracing.ca_file");
        collector::check(keys, otlp_endpoint.as_deref(), ca_file.as_deref())?;
        let Some(endpoint) = otlp_endpoint else { return Ok(None) };
        if service_name.is_empty() {
            return refuse("`tracing.service_name` is empty: give the service a name".to_owned());
        }
        Ok(Some(TraceSettings {
            ca_file,
            service_name,
            sample_ratio,
            ..TraceSettings::new(endpoint)
        }))
    }
}
