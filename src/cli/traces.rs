//! Traces of a server: begun before it serves, and sent to the end.

#[cfg(feature = "otlp")]
use std::sync::Arc;
#[cfg(feature = "otlp")]
use std::time::Duration;

use super::answer::CliError;
use crate::node::Node;
use crate::service::{Sampling, TraceSettings};

/// How long the last spans may take, when the server ends.
#[cfg(feature = "otlp")]
const SHUT: Duration = Duration::from_secs(2);

/// What traces a server's calls.
#[derive(Debug)]
pub(super) struct Traces {
    /// Which calls are traced.
    pub(super) sampling: Sampling,
    #[cfg(feature = "otlp")]
    spans: Arc<crate::service::Spans>,
}

#[cfg(feature = "otlp")]
impl Traces {
    /// Begins to trace, where the settings say so.
    ///
    /// # Errors
    /// When they cannot be used.
    pub(super) fn start(settings: Option<&TraceSettings>) -> Result<Option<Self>, CliError> {
        let Some(settings) = settings else { return Ok(None) };
        let spans = crate::service::Spans::start(settings);
        let spans = spans.map_err(|error| CliError::Usage(error.to_string()))?;
        Ok(Some(Self { sampling: Sampling::new(settings.sample_ratio), spans }))
    }

    /// Has a node's calls traced.
    pub(super) fn of(&self, node: &Node) {
        node.observe_calls(self.spans.clone());
    }

    /// Sends the last ones.
    pub(super) async fn shut(&self) {
        self.spans.shut(SHUT).await;
    }
}

#[cfg(not(feature = "otlp"))]
impl Traces {
    /// Refuses.
    ///
    /// # Errors
    /// When something is to be traced.
    pub(super) fn start(settings: Option<&TraceSettings>) -> Result<Option<Self>, CliError> {
        match settings {
            None => Ok(None),
            Some(_) => Err(CliError::Usage(
                "`tracing.otlp_endpoint` is set, and this program was built without OTLP: build it \
                 with `--features otlp`, or leave the setting away"
                    .into(),
            )),
        }
    }

    /// There is none.
    pub(super) fn of(&self, _node: &Node) {}

    /// There is none.
    pub(super) async fn shut(&self) {}
}
