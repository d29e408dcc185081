//! Where traces go: `[tracing]`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::InvalidSettings;
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
        let Some(endpoint) = otlp_endpoint else {
            if ca_file.is_some() {
                return refuse(
                    "`tracing.ca_file` is set, and `tracing.otlp_endpoint` is not: set the \
                     collector's address, such as `https://collector.example:4317`"
                        .to_owned(),
                );
            }
            return Ok(None);
        };
        match (endpoint.split_once("://").map(|(scheme, _)| scheme), &ca_file) {
            (Some("http"), None) | (Some("https"), Some(_)) => {}
            (Some("http"), Some(_)) => {
                return refuse(format!(
                    "`tracing.ca_file` is set, and `tracing.otlp_endpoint` is `{endpoint}`, which \
                     is reached without TLS: write `https://`, or leave the file away"
                ));
            }
            (Some("https"), None) => {
                return refuse(format!(
                    "`tracing.otlp_endpoint` is `{endpoint}`, and `tracing.ca_file` is not set: \
                     name the file with the certificate of who signs the collector's"
                ));
            }
            (Some(_) | None, _) => {
                return refuse(format!(
                    "`tracing.otlp_endpoint` is `{endpoint}`, expected a URL such as \
                     `http://127.0.0.1:4317`"
                ));
            }
        }
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
