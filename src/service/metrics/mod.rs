//! `/metrics`: how the node is, as Prometheus reads it. The only user of `prometheus_client`.
//!
//! Everything is read when it is asked for; nothing here holds up a decision. It must never say
//! anything about accounts, principals or policies: who may scrape need not be one who may read.

mod calls;
mod ports;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::audit::decision_log::{ForwardVitals, LogVitals};
use crate::engine::{Layer, Reason};
use crate::node::{CacheVitals, Node, RefereeVitals, SpanVitals, Vitals};
use crate::service::overload::Port;
use crate::service::transport::{Tls, TlsVitals};
use calls::{put_calls, put_duration, put_durations};
use ports::PortsCollector;

/// The content type of the answer: OpenMetrics' text.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The metrics of one node.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    registry: Arc<Registry>,
}

impl Metrics {
    /// Those of this node, of the certificates that its ports show, and of what they take on.
    pub(super) fn new(node: Arc<Node>, tls: Option<Arc<Tls>>, ports: Vec<Arc<Port>>) -> Self {
        let mut registry = Registry::with_prefix("camgate");
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program", build);
        registry.register_collector(Box::new(NodeCollector { node }));
        registry.register_collector(Box::new(PortsCollector::new(ports)));
        if let Some(tls) = tls {
            registry.register_collector(Box::new(TlsCollector { tls }));
        }
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

#[derive(Debug)]
struct TlsCollector {
    tls: Arc<Tls>,
}

/// A metric that is a number, with its help.
fn put(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help, unit): (&str, &str, Option<Unit>),
    metric: &impl EncodeMetric,
) -> fmt::Result {
    let kind = metric.metric_type();
    let metric_encoder = encoder.encode_descriptor(name, help, unit.as_ref(), kind)?;
    metric.encode(metric_encoder)
}

/// A number without a unit that can go down.
fn put_gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    number: u64,
) -> fmt::Result {
    put(encoder, (name, help, None), &whole(number))
}

/// A number of bytes.
fn put_bytes(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    bytes: usize,
) -> fmt::Result {
    put(encoder, (name, help, Some(Unit::Bytes)), &whole(bytes as u64))
}

/// How often something has happened.
fn put_count(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    count: u64,
) -> fmt::Result {
    put(encoder, (name, help, None), &ConstCounter::new(count))
}

fn whole(number: u64) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(number).unwrap_or(i64::MAX))
}

impl Collector for NodeCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let vitals = self.node.vitals();
        put_state(&mut encoder, &vitals)?;
        put_memory(&mut encoder, &vitals)?;
        put_store(&mut encoder, &vitals)?;
        put_calls(&mut encoder, self.node.meters())?;
        put_waits(&mut encoder, &vitals)?;
        put_decisions(&mut encoder, &vitals.decisions)?;
        vitals.referee.map_or(Ok(()), |referee| put_referee(&mut encoder, referee))?;
        vitals.spans.map_or(Ok(()), |spans| put_spans(&mut encoder, spans))?;
        vitals.decision_log.as_ref().map_or(Ok(()), |log| put_log(&mut encoder, log))
    }
}

/// Whether it is ready, and what it decides with.
fn put_state(encoder: &mut DescriptorEncoder<'_>, vitals: &Vitals) -> fmt::Result {
    let help = "1 when this node may be sent requests";
    put_gauge(encoder, "ready", help, u64::from(vitals.is_ready))?;
    let help = "The store's revision that decisions are made at";
    put_gauge(encoder, "applied_revision", help, vitals.applied_revision)?;
    let help = "The newest revision that the store was seen at";
    put_gauge(encoder, "store_revision", help, vitals.store_revision)?;
    let help = "Nodes on the store, this one among them";
    put_gauge(encoder, "nodes", help, vitals.nodes as u64)?;
    let help = "Time since this node was last known to have everything; 0 on its own store";
    // A thousandth is all that there is, which a double holds for ages.
    let age = ConstGauge::new(vitals.age_ms as f64 / 1_000.0);
    put(encoder, ("snapshot_age", help, Some(Unit::Seconds)), &age)
}

/// Loaded accounts and caches.
fn put_memory(encoder: &mut DescriptorEncoder<'_>, vitals: &Vitals) -> fmt::Result {
    put_gauge(encoder, "loaded_accounts", "Accounts in memory", vitals.loaded_accounts as u64)?;
    put_bytes(encoder, "loaded", "About how much loaded accounts take", vitals.loaded_bytes)?;
    let help = "How much loaded accounts may take";
    put_bytes(encoder, "memory_budget", help, vitals.memory_budget_bytes)?;
    let caches = [("index", vitals.index), ("sessions", vitals.sessions)];
    let help = "About how many entries a cache has";
    let mut family = encoder.encode_descriptor("cache_entries", help, None, MetricType::Gauge)?;
    for (cache, CacheVitals { entries, .. }) in &caches {
        whole(*entries).encode(family.encode_family(&[("cache", *cache)])?)?;
    }
    let help = "Look-ups in a cache, by whether it had what was looked for";
    let mut family = encoder.encode_descriptor("cache_lookups", help, None, MetricType::Counter)?;
    for (cache, CacheVitals { hits, misses, .. }) in &caches {
        for (result, count) in [("hit", *hits), ("miss", *misses)] {
            let labels = [("cache", *cache), ("result", result)];
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
    }
    let help = "Last uses of access keys that are to be written";
    put_gauge(encoder, "key_uses_pending", help, vitals.key_uses_pending as u64)
}

/// The store, and what becomes of it here.
fn put_store(encoder: &mut DescriptorEncoder<'_>, vitals: &Vitals) -> fmt::Result {
    let help = "How often the stream of the store's changes broke";
    put_count(encoder, "change_stream_breaks", help, vitals.stream_breaks)?;
    let help = "How often changes were lost, and everything was read anew";
    put_count(encoder, "starts_over", help, vitals.starts_over)?;
    let help = "How often a write lost a race and was tried again";
    put_count(encoder, "write_conflicts", help, vitals.write_conflicts)?;
    let help = "How long the store took for commits of accounts, those that failed too";
    put_duration(encoder, ("store_commit_duration", help), &vitals.commits)
}

/// What calls waited for, and those that were slow or nobody's.
fn put_waits(encoder: &mut DescriptorEncoder<'_>, vitals: &Vitals) -> fmt::Result {
    let waits = vitals.waits.iter().map(|(stage, counts)| ([("stage", stage.as_str())], *counts));
    let help = "How long calls waited that had to, by what they waited for";
    put_durations(encoder, ("call_wait", help), waits)?;
    let help = "Calls of callers whom nobody knows";
    put_count(encoder, "unknown_callers", help, vitals.unknown_callers)?;
    let help = "Calls that took longer than `log.slow_ms`";
    put_count(encoder, "slow_calls", help, vitals.slow_calls.slow)?;
    let help = "Slow calls that are not in the log: there were too many";
    put_count(encoder, "slow_calls_left_out", help, vitals.slow_calls.left_out)
}

impl Collector for TlsCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let TlsVitals { handshakes, handshakes_failed, ends } = self.tls.vitals();
        let help = "TLS handshakes of both ports";
        put_count(&mut encoder, "tls_handshakes", help, handshakes)?;
        let help = "TLS handshakes that failed, or took too long";
        put_count(&mut encoder, "tls_handshakes_failed", help, handshakes_failed)?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |now| now.as_secs());
        let (help, unit) = ("Time until the first of these certificates ends", Unit::Seconds);
        let kind = MetricType::Gauge;
        let name = "certificate_remaining";
        let mut family = encoder.encode_descriptor(name, help, Some(&unit), kind)?;
        for (certificate, end) in ends {
            let signed = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
            let left = signed(end).saturating_sub(signed(now));
            let labels = [("certificate", certificate)];
            ConstGauge::new(left).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
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
    let help = "Decisions made a second time by the reference reading";
    put_count(encoder, "referee_checked", help, checked)?;
    put_count(encoder, "referee_skipped", "Decisions that it had no time for", skipped)?;
    let help = "Decisions that it makes otherwise";
    put_count(encoder, "referee_disagreements", help, disagreements)
}

/// Traced calls.
fn put_spans(encoder: &mut DescriptorEncoder<'_>, spans: SpanVitals) -> fmt::Result {
    let SpanVitals { sent, failed, dropped } = spans;
    put_count(encoder, "spans_sent", "Traced calls that the collector has taken", sent)?;
    put_count(
        encoder,
        "spans_failed",
        "Traced calls that could not be sent, and are lost",
        failed,
    )?;
    let help = "Traced calls that found no room in the queue, and are lost";
    put_count(encoder, "spans_dropped", help, dropped)
}

/// The decision log.
fn put_log(encoder: &mut DescriptorEncoder<'_>, log: &LogVitals) -> fmt::Result {
    let LogVitals { written, dropped, left_out, waiting_bytes, problem, forwarded } = log;
    for (name, help, count) in [
        ("decision_log_written", "Decisions in the decision log", written),
        ("decision_log_dropped", "Decisions that are not in it: there was no room", dropped),
        ("decision_log_left_out", "Decisions that a rule leaves out of it", left_out),
    ] {
        put_count(encoder, name, help, *count)?;
    }
    let help = "Records of the decision log that are not written yet";
    put_bytes(encoder, "decision_log_waiting", help, *waiting_bytes)?;
    let help = "1 while the decision log cannot be written";
    put_gauge(encoder, "decision_log_failing", help, u64::from(problem.is_some()))?;
    let Some(ForwardVitals { sent, refused, missed }) = forwarded else { return Ok(()) };
    for (name, help, count) in [
        ("decision_log_sent", "Records that the collector has taken", sent),
        ("decision_log_refused", "Records that the collector refused for good", refused),
        ("decision_log_missed", "Records whose file was deleted before they were sent", missed),
    ] {
        put_count(encoder, name, help, *count)?;
    }
    Ok(())
}
