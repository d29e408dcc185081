//! `/metrics`: how the node is, as Prometheus reads it. The only user of `prometheus_client`.
//!
//! Everything is read when it is asked for; nothing here holds up a decision. It must never say
//! anything about accounts, principals or policies: who may scrape need not be one who may read.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::node::{Node, Vitals};

/// The content type of the answer: OpenMetrics' text.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The metrics of one node.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    registry: Arc<Registry>,
}

impl Metrics {
    /// Those of this node.
    pub(super) fn new(node: Arc<Node>) -> Self {
        let mut registry = Registry::with_prefix("camgate");
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program", build);
        registry.register_collector(Box::new(NodeCollector { node }));
        Self { registry: Arc::new(registry) }
    }

    /// All of them, as text.
    ///
    /// # Errors
    /// When they cannot be written, which memory can always be.
    pub(super) fn text(&self) -> Result<String, fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }
}

#[derive(Debug)]
struct NodeCollector {
    node: Arc<Node>,
}

/// A metric that is a number, with its help.
fn put(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    metric: &impl EncodeMetric,
) -> fmt::Result {
    let metric_encoder = encoder.encode_descriptor(name, help, None, metric.metric_type())?;
    metric.encode(metric_encoder)
}

impl Collector for NodeCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Vitals {
            is_ready,
            applied_revision,
            store_revision,
            age_ms,
            nodes,
            loaded_accounts,
            loaded_bytes,
            memory_budget_bytes,
            stream_breaks,
            starts_over,
            write_conflicts,
        } = self.node.vitals();
        let whole = |number: u64| ConstGauge::new(i64::try_from(number).unwrap_or(i64::MAX));
        let size = |number: usize| whole(number as u64);
        // A thousandth is all that there is, which a double holds for ages.
        let seconds = ConstGauge::new(age_ms as f64 / 1_000.0);
        for (name, help, gauge) in [
            ("ready", "1 when this node may be sent requests", whole(u64::from(is_ready))),
            (
                "applied_revision",
                "The store's revision that decisions are made at",
                whole(applied_revision),
            ),
            (
                "store_revision",
                "The newest revision that the store was seen at",
                whole(store_revision),
            ),
            ("nodes", "Nodes on the store, this one among them", size(nodes)),
            ("loaded_accounts", "Accounts in memory", size(loaded_accounts)),
            ("loaded_bytes", "About how many bytes loaded accounts take", size(loaded_bytes)),
            ("memory_budget_bytes", "How many bytes they may take", size(memory_budget_bytes)),
        ] {
            put(&mut encoder, name, help, &gauge)?;
        }
        let help = "Seconds since this node was last known to have everything; 0 on its own store";
        put(&mut encoder, "snapshot_age_seconds", help, &seconds)?;
        for (name, help, count) in [
            (
                "change_stream_breaks",
                "How often the stream of the store's changes broke",
                stream_breaks,
            ),
            (
                "starts_over",
                "How often changes were lost, and everything was read anew",
                starts_over,
            ),
            (
                "write_conflicts",
                "How often a write lost a race and was tried again",
                write_conflicts,
            ),
        ] {
            put(&mut encoder, name, help, &ConstCounter::new(count))?;
        }
        Ok(())
    }
}
