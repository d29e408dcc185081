//! `/metrics`: how the node is, as Prometheus reads it. The only user of `prometheus_client`.
//!
//! Everything is read when it is asked for; nothing here holds up a decision. It must never say
//! anything about accounts, principals or policies: who may scrape need not be one who may read.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::audit::decision_log::LogVitals;
use crate::engine::{Layer, Reason};
use crate::node::{Node, RefereeVitals, Vitals};

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
            decisions,
            referee,
            decision_log,
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
        put_decisions(&mut encoder, &decisions)?;
        referee.map_or(Ok(()), |referee| put_referee(&mut encoder, referee))?;
        decision_log.map_or(Ok(()), |log| put_log(&mut encoder, &log))
    }
}

/// Decisions by outcome, reason and layer; those that never occurred too, so that alerts see a 0.
fn put_decisions(encoder: &mut DescriptorEncoder<'_>, decisions: &[(Reason, u64)]) -> fmt::Result {
    let help = "Decisions made, by outcome, reason and the layer that denied";
    let mut family = encoder.encode_descriptor("decisions", help, None, MetricType::Counter)?;
    for (reason, count) in decisions {
        let layer = reason.layer().map_or("", Layer::as_str);
        let labels =
            [("outcome", reason.outcome().as_str()), ("reason", reason.as_str()), ("layer", layer)];
        ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

/// The decisions that were made a second time.
fn put_referee(encoder: &mut DescriptorEncoder<'_>, referee: RefereeVitals) -> fmt::Result {
    let RefereeVitals { checked, skipped, disagreements } = referee;
    for (name, help, count) in [
        ("referee_checked", "Decisions made a second time by the reference reading", checked),
        ("referee_skipped", "Decisions that it had no time for", skipped),
        ("referee_disagreements", "Decisions that it makes otherwise", disagreements),
    ] {
        put(encoder, name, help, &ConstCounter::new(count))?;
    }
    Ok(())
}

/// The decision log.
fn put_log(encoder: &mut DescriptorEncoder<'_>, log: &LogVitals) -> fmt::Result {
    let LogVitals { written, dropped, left_out, waiting_bytes, problem } = log;
    for (name, help, count) in [
        ("decision_log_written", "Decisions in the decision log", written),
        ("decision_log_dropped", "Decisions that are not in it: there was no room", dropped),
        ("decision_log_left_out", "Decisions that a rule leaves out of it", left_out),
    ] {
        put(encoder, name, help, &ConstCounter::new(*count))?;
    }
    for (name, help, number) in [
        ("decision_log_waiting_bytes", "Bytes of records that are not written yet", *waiting_bytes),
        (
            "decision_log_failing",
            "1 while the decision log cannot be written",
            usize::from(problem.is_some()),
        ),
    ] {
        let number = ConstGauge::new(i64::try_from(number).unwrap_or(i64::MAX));
        put(encoder, name, help, &number)?;
    }
    Ok(())
}
