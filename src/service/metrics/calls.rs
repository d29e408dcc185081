//! What metrics tell about calls: how many, how they ended, how long they took.

use std::fmt;

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, EncodeMetric as _, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use crate::node::{BOUNDS_US, CallResult, Counts, Meters, Reading};

const NANOS_PER_SECOND: f64 = 1e9;
const MICROS_PER_SECOND: f64 = 1e6;

/// Durations that were counted, as a histogram.
fn put_counts(mut encoder: MetricEncoder<'_>, counts: &Counts) -> fmt::Result {
    // A double holds the nanoseconds of months; beyond that the last digits are lost.
    let sum = counts.sum_ns as f64 / NANOS_PER_SECOND;
    let bounds = BOUNDS_US.iter().map(|bound| *bound as f64 / MICROS_PER_SECOND);
    let buckets: Vec<(f64, u64)> =
        bounds.chain([f64::INFINITY]).zip(counts.buckets.iter().copied()).collect();
    encoder.encode_histogram::<NoLabelSet>(sum, counts.count(), &buckets, None)
}

/// One histogram of seconds for each set of labels.
pub(super) fn put_durations<Labels: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    all: impl Iterator<Item = (Labels, Counts)>,
) -> fmt::Result {
    let (unit, kind) = (Unit::Seconds, MetricType::Histogram);
    let mut family = encoder.encode_descriptor(name, help, Some(&unit), kind)?;
    for (labels, counts) in all {
        put_counts(family.encode_family(&labels)?, &counts)?;
    }
    Ok(())
}

/// One histogram of seconds, without labels.
pub(super) fn put_duration(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    counts: &Counts,
) -> fmt::Result {
    let (unit, kind) = (Unit::Seconds, MetricType::Histogram);
    put_counts(encoder.encode_descriptor(name, help, Some(&unit), kind)?, counts)
}

/// How calls of every method went.
pub(super) fn put_calls(encoder: &mut DescriptorEncoder<'_>, meters: &Meters) -> fmt::Result {
    let meters = meters.all();
    let readings: Vec<([(&str, &str); 2], Reading)> = meters
        .iter()
        .map(|it| ([("surface", it.surface()), ("method", it.method())], it.read()))
        .collect();
    put_totals(encoder, &readings)?;
    let timed = readings.iter().map(|(labels, reading)| (*labels, reading.durations));
    let help = "How long calls took, those that failed too; of StreamCheck one question in 16";
    put_durations(encoder, ("call_duration", help), timed)?;
    let help = "Streams that are open";
    let mut family = encoder.encode_descriptor("open_streams", help, None, MetricType::Gauge)?;
    for (labels, reading) in &readings {
        if STREAMS.contains(&labels.map(|(_, value)| value)) {
            let open = ConstGauge::new(i64::try_from(reading.open).unwrap_or(i64::MAX));
            open.encode(family.encode_family(labels)?)?;
        }
    }
    Ok(())
}

/// The methods that stream, by surface and name.
const STREAMS: [[&str; 2]; 3] = [["grpc", "Export"], ["grpc", "StreamCheck"], ["grpc", "Watch"]];

fn put_totals(
    encoder: &mut DescriptorEncoder<'_>,
    readings: &[([(&str, &str); 2], Reading)],
) -> fmt::Result {
    let help = "Calls by how they ended; of StreamCheck questions";
    let mut family = encoder.encode_descriptor("calls", help, None, MetricType::Counter)?;
    for ([surface, method], reading) in readings {
        let labels = |result: CallResult, code, reason| {
            let result = result.as_str();
            [*surface, *method, ("result", result), ("code", code), ("reason", reason)]
        };
        let ok = labels(CallResult::Ok, "OK", "");
        ConstCounter::new(reading.ok).encode(family.encode_family(&ok)?)?;
        for (ending, count) in &reading.endings {
            let labels = labels(ending.result, &ending.code, ending.reason);
            ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}
