//! What metrics tell about the ports: what they have taken on, and whom they have sent away.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Unit;

use super::whole;
use crate::service::overload::{Load, Port};

/// The ports of one server.
#[derive(Debug)]
pub(super) struct PortsCollector {
    ports: Vec<Arc<Port>>,
}

impl PortsCollector {
    pub(super) fn new(ports: Vec<Arc<Port>>) -> Self {
        Self { ports }
    }
}

/// Numbers that can go down, one for each set of labels.
fn put_gauges<'a, const LABELS: usize>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help, unit): (&str, &str, Option<Unit>),
    values: impl Iterator<Item = ([(&'a str, &'a str); LABELS], usize)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
    for (labels, value) in values {
        whole(value as u64).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

/// How often something has happened, for each set of labels.
fn put_counts<'a, const LABELS: usize>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    values: impl Iterator<Item = ([(&'a str, &'a str); LABELS], u64)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (labels, value) in values {
        ConstCounter::new(value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

impl Collector for PortsCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let loads: Vec<Load> = self.ports.iter().map(|port| port.load()).collect();
        let of_port = |load: &Load| [("port", load.port)];
        let connections = loads.iter().map(|it| (of_port(it), it.connections));
        put_gauges(&mut encoder, ("connections", "Connections that are open", None), connections)?;
        let open = loads.iter().map(|it| (of_port(it), it.open));
        let help = "Calls that are there, also those that wait for their clients";
        put_gauges(&mut encoder, ("calls_open", help, None), open)?;
        let buffered = loads.iter().map(|it| (of_port(it), it.buffered));
        let help = "About how much long messages and long answers take";
        put_gauges(&mut encoder, ("calls_buffered", help, Some(Unit::Bytes)), buffered)?;
        let under_way = loads.iter().flat_map(|it| {
            let labels = |class: &'static str| [("class", class), ("port", it.port)];
            it.classes.iter().map(move |(class, under_way, _)| (labels(class), *under_way))
        });
        let help = "Calls that are being worked on, and long streams";
        put_gauges(&mut encoder, ("calls_under_way", help, None), under_way)?;
        let shed = loads.iter().flat_map(|it| {
            let labels = |class: &'static str| [("class", class), ("port", it.port)];
            it.classes.iter().map(move |(class, _, shed)| (labels(class), *shed))
        });
        let help = "Calls that were sent away because there were too many";
        put_counts(&mut encoder, ("calls_shed", help), shed)?;
        let late = loads.iter().map(|it| (of_port(it), it.late));
        let help = "Calls that were ended because a deadline or a time limit had passed";
        put_counts(&mut encoder, ("calls_late", help), late)?;
        let cuts = loads.iter().flat_map(|it| {
            it.cuts.iter().map(|(why, count)| ([("port", it.port), ("reason", *why)], *count))
        });
        put_counts(&mut encoder, ("connections_cut", "Connections that were cut"), cuts)
    }
}
