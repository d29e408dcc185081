//! What is written to the standard error: `[log]`.

use serde::{Deserialize, Serialize};

use crate::node::SLOW_MS;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// `[log]` as written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLog {
    pub(super) filter: String,
    pub(super) format: LogFormat,
    pub(super) slow_ms: u64,
}

impl Default for RawLog {
    fn default() -> Self {
        Self { filter: "camgate=info,warn".into(), format: LogFormat::Text, slow_ms: SLOW_MS }
    }
}
