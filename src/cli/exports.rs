//! What a server sends to collectors, traces and its decision log: begun before it serves, and sent
//! to the end.

#[cfg(feature = "otlp")]
use std::sync::Arc;
#[cfg(feature = "otlp")]
use std::time::Duration;

use super::answer::CliError;
use crate::config::Settings;
use crate::node::Node;
use crate::service::Sampling;
#[cfg(feature = "otlp")]
use crate::service::{CollectorError, LogForwarding, Spans};

/// How long the last of each may take, when the server ends.
#[cfg(feature = "otlp")]
const SHUT: Duration = Duration::from_secs(2);

/// What sends.
#[derive(Debug)]
pub(super) struct Exports {
    /// Which calls are traced, if any are.
    pub(super) sampling: Option<Sampling>,
    #[cfg(feature = "otlp")]
    spans: Option<Arc<Spans>>,
    #[cfg(feature = "otlp")]
    forwarding: Option<LogForwarding>,
}

#[cfg(feature = "otlp")]
impl Exports {
    /// Begins to trace, where the settings say so.
    ///
    /// # Errors
    /// When they cannot be used.
    pub(super) fn start(settings: &Settings) -> Result<Self, CliError> {
        let tracing = settings.tracing.as_ref();
        let spans = tracing.map(Spans::start).transpose().map_err(|error| of("tracing", &error))?;
        let sampling = tracing.map(|it| Sampling::new(it.sample_ratio));
        Ok(Self { sampling, spans, forwarding: None })
    }

    /// Has a node's calls traced and its decision log sent, where the settings say so.
    ///
    /// # Errors
    /// When they cannot be used.
    pub(super) fn of(&mut self, node: &Node, settings: &Settings) -> Result<(), CliError> {
        if let Some(spans) = &self.spans {
            node.observe_calls(spans.clone());
        }
        if let (Some(log), Some(counts)) = (&settings.decision_log, node.log_forwarded()) {
            let forwarding = LogForwarding::start(log, counts);
            self.forwarding = forwarding.map_err(|error| of("decision_log", &error))?;
        }
        Ok(())
    }

    /// Sends the last ones.
    pub(super) async fn shut(&self) {
        if let Some(spans) = &self.spans {
            spans.shut(SHUT).await;
        }
        if let Some(forwarding) = &self.forwarding {
            forwarding.shut(SHUT).await;
        }
    }
}

#[cfg(feature = "otlp")]
fn of(section: &str, error: &CollectorError) -> CliError {
    CliError::Usage(format!("`[{section}]`: {error}"))
}

#[cfg(not(feature = "otlp"))]
impl Exports {
    /// Refuses.
    ///
    /// # Errors
    /// When something is to be sent.
    pub(super) fn start(settings: &Settings) -> Result<Self, CliError> {
        let forward = settings.decision_log.as_ref().and_then(|log| log.forward.as_ref());
        let key = match (&settings.tracing, forward) {
            (None, None) => return Ok(Self { sampling: None }),
            (Some(_), _) => "tracing",
            (None, Some(_)) => "decision_log",
        };
        Err(CliError::Usage(format!(
            "`{key}.otlp_endpoint` is set, and this program was built without OTLP: build it with \
             `--features otlp`, or leave the setting away"
        )))
    }

    /// There is nothing.
    ///
    /// # Errors
    /// Never.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as with the feature")]
    pub(super) fn of(&mut self, _node: &Node, _settings: &Settings) -> Result<(), CliError> {
        Ok(())
    }

    /// There is nothing.
    pub(super) async fn shut(&self) {}
}
