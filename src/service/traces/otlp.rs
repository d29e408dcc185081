//! Spans of traced calls, sent to a collector by OTLP. The only user of the `opentelemetry` crates.
//!
//! A span is made of what a call has left behind, once it is over. Spans wait in a queue of a fixed
//! length: what finds no room is dropped and counted, so a collector that is slow or away costs
//! memory up to that length and no time. The queue is ours, because the SDK's own does not say how
//! many it drops. It must never hold secrets, documents, resources or facts of a question.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;
use tracing::{info, warn};
use uuid::Uuid;

use super::{TraceContext, TraceSettings, current};
use crate::node::{CallObserver, CallResult, EndedCall, SpanVitals};
use crate::service::collector::{self, CollectorError};

/// Most spans of one message.
const BATCH_MAX: usize = 512;
/// How long a span waits for others to go with it.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
struct Counts {
    sent: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

/// Takes the spans of calls and sends them.
#[derive(Debug)]
pub struct Spans {
    queue: mpsc::Sender<SpanData>,
    scope: InstrumentationScope,
    counts: Arc<Counts>,
    closing: watch::Sender<bool>,
    sender: Mutex<Option<JoinHandle<()>>>,
}

impl Spans {
    /// Begins to send to a collector. It need not be there yet.
    ///
    /// # Errors
    /// [`CollectorError`].
    pub fn start(settings: &TraceSettings) -> Result<Arc<Self>, CollectorError> {
        let mut exporter = exporter(settings)?;
        let resource = Resource::builder_empty()
            .with_service_name(settings.service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        exporter.set_resource(&resource);
        let (queue, waiting) = mpsc::channel(settings.queue_max.max(1));
        let (closing, is_closing) = watch::channel(false);
        let counts = Arc::<Counts>::default();
        let sending = Sending {
            exporter,
            batch_max: BATCH_MAX.min(settings.queue_max.max(1)),
            counts: Arc::clone(&counts),
            has_failed: false,
        };
        let sender = tokio::spawn(sending.run(waiting, is_closing));
        info!(endpoint = settings.endpoint, "traced calls are sent");
        Ok(Arc::new(Self {
            queue,
            scope: InstrumentationScope::builder("camgate").build(),
            counts,
            closing,
            sender: Mutex::new(Some(sender)),
        }))
    }

    /// Sends what is waiting, for at most so long; no more is taken.
    pub async fn shut(&self, longest: Duration) {
        self.closing.send_replace(true);
        let Some(mut sender) = self.sender.lock().await.take() else { return };
        if tokio::time::timeout(longest, &mut sender).await.is_err() {
            sender.abort();
            warn!("the last traced calls were not sent: the collector took too long");
        }
    }

    fn span(&self, context: TraceContext, call: &EndedCall<'_>) -> SpanData {
        let end_time = SystemTime::now();
        let [.., a, b, c, d, e, f, g, h] = Uuid::new_v4().into_bytes();
        let span_id = SpanId::from_bytes([a, b, c, d, e, f, g, h]);
        let trace_id = TraceId::from(context.trace_id);
        let failed = call.ending.filter(|ending| ending.result == CallResult::Failed);
        let status = failed.map_or(Status::Unset, |ending| Status::error(ending.code.clone()));
        SpanData {
            span_context: SpanContext::new(
                trace_id,
                span_id,
                TraceFlags::SAMPLED,
                false,
                TraceState::default(),
            ),
            parent_span_id: SpanId::from(context.parent_id),
            parent_span_is_remote: context.parent_id != 0,
            span_kind: SpanKind::Server,
            name: format!("{}/{}", call.meter.surface(), call.meter.method()).into(),
            start_time: end_time.checked_sub(call.took).unwrap_or(end_time),
            end_time,
            attributes: attributes(call),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status,
            instrumentation_scope: self.scope.clone(),
        }
    }
}

/// What a span tells of its call.
fn attributes(call: &EndedCall<'_>) -> Vec<KeyValue> {
    // The protocol of traces has no unsigned numbers.
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let notes = call.notes;
    let owner_uin = notes.last.map_or(call.owner_uin, |last| last.owner_uin);
    let (result, code, reason) = match call.ending {
        Some(ending) => (ending.result, ending.code.clone(), ending.reason),
        None => (CallResult::Ok, "OK".into(), ""),
    };
    let mut attributes = vec![
        KeyValue::new("camgate.surface", call.meter.surface()),
        KeyValue::new("camgate.method", call.meter.method().to_owned()),
        KeyValue::new("camgate.owner_uin", signed(owner_uin)),
        KeyValue::new("camgate.result", result.as_str()),
        KeyValue::new("camgate.code", code),
        KeyValue::new("camgate.decisions", i64::from(notes.decisions)),
    ];
    if !reason.is_empty() {
        attributes.push(KeyValue::new("camgate.error_reason", reason));
    }
    if let Some(last) = &notes.last {
        attributes.extend([
            KeyValue::new("camgate.decision_id", last.id().to_owned()),
            KeyValue::new("camgate.outcome", last.reason.outcome().as_str()),
            KeyValue::new("camgate.reason", last.reason.as_str()),
            KeyValue::new("camgate.revision", signed(last.revision.0)),
        ]);
        let layer = last.reason.layer();
        attributes.extend(layer.map(|layer| KeyValue::new("camgate.layer", layer.as_str())));
    }
    attributes.extend(notes.waits().map(|(stage, waited)| {
        KeyValue::new(format!("camgate.waited.{}", stage.as_str()), waited.as_secs_f64())
    }));
    attributes
}

impl CallObserver for Spans {
    fn ended(&self, call: &EndedCall<'_>) {
        let Some(context) = current() else { return };
        if self.queue.try_send(self.span(context, call)).is_err() {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn vitals(&self) -> SpanVitals {
        let Counts { sent, failed, dropped } = &*self.counts;
        SpanVitals {
            sent: sent.load(Ordering::Relaxed),
            failed: failed.load(Ordering::Relaxed),
            dropped: dropped.load(Ordering::Relaxed),
        }
    }
}

fn exporter(settings: &TraceSettings) -> Result<SpanExporter, CollectorError> {
    let channel = collector::channel(&settings.endpoint, settings.ca_file.as_deref())?;
    SpanExporter::builder()
        .with_tonic()
        .with_channel(channel)
        .with_timeout(collector::TIMEOUT)
        .build()
        .map_err(|error| CollectorError::Exporter(error.to_string()))
}

/// The task that sends.
struct Sending {
    exporter: SpanExporter,
    batch_max: usize,
    counts: Arc<Counts>,
    /// Whether the last message failed, so that the log is told once.
    has_failed: bool,
}

impl Sending {
    async fn run(mut self, mut waiting: mpsc::Receiver<SpanData>, closing: watch::Receiver<bool>) {
        let batch_max = self.batch_max;
        loop {
            let mut batch = Vec::new();
            let mut is_closing = closing.clone();
            tokio::select! {
                count = waiting.recv_many(&mut batch, batch_max) => if count == 0 { return },
                // What is there is still received; nothing more is let in.
                _ = is_closing.wait_for(|is_closing| *is_closing), if !waiting.is_closed() => {
                    waiting.close();
                    continue;
                }
            }
            let fill = async {
                while batch.len() < batch_max {
                    let room = batch_max - batch.len();
                    if waiting.recv_many(&mut batch, room).await == 0 {
                        break;
                    }
                }
            };
            tokio::select! {
                // After a while the batch goes as it is.
                _ = tokio::time::timeout(PAUSE, fill) => {}
                _ = is_closing.wait_for(|is_closing| *is_closing) => {}
            }
            self.send(batch).await;
        }
    }

    async fn send(&mut self, batch: Vec<SpanData>) {
        let count = batch.len() as u64;
        match self.exporter.export(batch).await {
            Ok(()) => {
                self.counts.sent.fetch_add(count, Ordering::Relaxed);
                if std::mem::take(&mut self.has_failed) {
                    info!("traced calls are sent again");
                }
            }
            Err(error) => {
                self.counts.failed.fetch_add(count, Ordering::Relaxed);
                if !std::mem::replace(&mut self.has_failed, true) {
                    warn!(%error, "traced calls cannot be sent, and are lost until they can");
                }
            }
        }
    }
}
