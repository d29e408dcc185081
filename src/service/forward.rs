//! The decision log's lines, sent to a collector by OTLP beside being in their files.
//!
//! Sending follows the files, as a log shipper does: no decision waits for a collector, one that is
//! away is caught up with when it is back, over restarts and over files that were put aside. A line
//! is sent as it stands, seal and all, so that the chain can be verified on the other side. It must
//! never pass over a line in silence: what was deleted before it was sent is counted.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use opentelemetry_proto::tonic::resource::v1::Resource;
use tokio::sync::{Mutex, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tonic::Code;
use tonic::transport::Channel;
use tracing::{error, info, warn};

use super::collector::{self, CollectorError};
use crate::audit::decision_log::{
    DecisionLogSettings, Entry, ForwardCounts, ForwardPosition, LogFollower, LogLine,
};

/// Most records of one message.
const RECORDS_MAX: usize = 512;
/// Bytes after which a message takes no more records.
const BYTES_MAX: usize = 1024 * 1024;
/// Longest line that is sent: with [`BYTES_MAX`] within the 4 MiB that collectors take.
const LINE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// How often the end of the log is looked at, and a collector that is away is tried.
const PAUSE: Duration = Duration::from_millis(500);

/// Sends a log.
#[derive(Debug)]
pub struct LogForwarding {
    closing: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl LogForwarding {
    /// Begins to send a log to the collector that its settings name, if they name one, from the
    /// record after the last that was sent. Neither collector nor log need be there yet.
    ///
    /// # Errors
    /// [`CollectorError`].
    pub fn start(
        settings: &DecisionLogSettings,
        counts: Arc<ForwardCounts>,
    ) -> Result<Option<Self>, CollectorError> {
        let Some(to) = &settings.forward else { return Ok(None) };
        if std::fs::metadata(&settings.file).is_ok_and(|found| !found.is_file()) {
            return Err(CollectorError::NoFile { path: settings.file.clone() });
        }
        let channel = collector::channel(&to.endpoint, to.ca_file.as_deref())?;
        let (closing, is_closing) = watch::channel(false);
        let client = LogsServiceClient::new(channel);
        let sending = Sending { client, counts, is_closing, has_failed: false };
        info!(endpoint = to.endpoint, "the decision log is sent");
        let task = tokio::spawn(sending.run(settings.file.clone()));
        Ok(Some(Self { closing, task: Mutex::new(Some(task)) }))
    }

    /// Sends what there is by now, for at most so long; the next start goes on from there.
    pub async fn shut(&self, longest: Duration) {
        self.closing.send_replace(true);
        let Some(mut task) = self.task.lock().await.take() else { return };
        if timeout(longest, &mut task).await.is_err() {
            task.abort();
            warn!("the end of the decision log is sent after the next start");
        }
    }
}

/// A line that is to be sent.
type Line = (LogLine, Vec<u8>);

/// The side of the disk: what is to be sent, and how far it was.
struct Source {
    follower: LogFollower,
    position: ForwardPosition,
    /// The number of the last record that was sent, and of the last that is kept as sent.
    sent: u64,
    kept: u64,
}

impl Source {
    /// Goes on after the last record that was sent. A log of which nothing was ever to be sent is
    /// sent from the first record that there still is.
    fn open(log: &Path) -> io::Result<Self> {
        let position = ForwardPosition::of(log);
        let end = LogFollower::at_end(log).map_or(0, |follower| follower.number());
        let kept = position.read()?;
        let sent = match kept {
            Some(sent) if (1..sent).contains(&end) => {
                warn!(sent, end, "the decision log was begun anew, and is sent from there");
                0
            }
            Some(sent) => sent,
            None => {
                let first = LogFollower::after(log, 0).next_line()?;
                first.map_or(0, |line| line.number.saturating_sub(1))
            }
        };
        // What is deleted from now on is missed, also when nothing is sent until then.
        position.write(sent)?;
        Ok(Self { follower: LogFollower::after(log, sent), position, sent, kept: sent })
    }

    /// As many lines as one message has.
    fn lines(&mut self) -> io::Result<Vec<Line>> {
        let (mut lines, mut bytes) = (Vec::new(), 0_usize);
        while lines.len() < RECORDS_MAX && bytes < BYTES_MAX {
            let Some(line) = self.follower.next_with_text()? else { break };
            bytes = bytes.saturating_add(line.1.len());
            lines.push(line);
        }
        Ok(lines)
    }

    /// Some lines were sent; how many before them were never there to be.
    fn passed(&mut self, lines: &[Line]) -> u64 {
        let mut missed = 0_u64;
        for (line, _) in lines {
            let gap = line.number.saturating_sub(self.sent.saturating_add(1));
            // The number of a line that cannot be read is a guess.
            missed = missed.saturating_add(if line.entry.is_some() { gap } else { 0 });
            self.sent = self.sent.max(line.number);
        }
        missed
    }

    /// Keeps how far it has come.
    fn keep(&mut self) {
        if self.sent == self.kept {
            return;
        }
        match self.position.write(self.sent) {
            Ok(()) => self.kept = self.sent,
            Err(error) => warn!(%error, "how far the decision log was sent cannot be kept"),
        }
    }
}

/// The task that sends.
struct Sending {
    client: LogsServiceClient<Channel>,
    counts: Arc<ForwardCounts>,
    is_closing: watch::Receiver<bool>,
    /// Whether the last attempt failed, so that the log is told once.
    has_failed: bool,
}

impl Sending {
    async fn run(mut self, log: PathBuf) {
        let mut source = match spawn_blocking(move || Source::open(&log)).await {
            Ok(Ok(source)) => source,
            Ok(Err(error)) => {
                error!(%error, "the decision log is not sent");
                return;
            }
            Err(_) => return,
        };
        let mut pauses = interval(PAUSE);
        pauses.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Before the look at the disk: what was written until then is sent.
            let is_closing = *self.is_closing.borrow_and_update();
            let looked = spawn_blocking(move || {
                source.keep();
                let lines = source.lines();
                (source, lines)
            });
            let Ok((back, lines)) = looked.await else { return };
            source = back;
            match lines {
                Ok(lines) if lines.is_empty() && is_closing => return,
                Ok(lines) if !lines.is_empty() => {
                    while !self.send(&lines).await {
                        pauses.tick().await;
                    }
                    self.misses(source.passed(&lines));
                    continue;
                }
                Ok(_) => {}
                Err(error) => self.fails(&format!("it cannot be read: {error}")),
            }
            tokio::select! {
                _ = pauses.tick() => {}
                told = self.is_closing.changed() => if told.is_err() { return },
            }
        }
    }

    /// Sends some lines; whether that is done with.
    async fn send(&mut self, lines: &[Line]) -> bool {
        let records = lines.iter().map(record).collect();
        let count = lines.len() as u64;
        let refused = match self.client.export(request(records)).await {
            Ok(answer) => {
                let partial = answer.into_inner().partial_success;
                partial.map_or(0, |it| u64::try_from(it.rejected_log_records).unwrap_or(0))
            }
            Err(status) if is_final(status.code()) => {
                error!(%status, records = count, "the collector refuses records for good");
                count
            }
            Err(status) => {
                self.fails(&format!("{:?}: {}", status.code(), status.message()));
                return false;
            }
        };
        self.counts.refused.fetch_add(refused, Ordering::Relaxed);
        self.counts.sent.fetch_add(count.saturating_sub(refused), Ordering::Relaxed);
        if std::mem::take(&mut self.has_failed) {
            info!("the decision log is sent again");
        }
        true
    }

    fn misses(&self, records: u64) {
        if records > 0 {
            warn!(records, "records were deleted before they could be sent");
            self.counts.missed.fetch_add(records, Ordering::Relaxed);
        }
    }

    fn fails(&mut self, problem: &str) {
        if !std::mem::replace(&mut self.has_failed, true) {
            warn!(problem, "the decision log cannot be sent; it is tried again");
        }
    }
}

/// What would be refused again however often it is sent. The specification of OTLP has more of
/// them: those that a connection or a wrong setting can be the cause of are tried again here,
/// because a log is not to have holes for that.
fn is_final(code: Code) -> bool {
    match code {
        Code::InvalidArgument | Code::AlreadyExists | Code::FailedPrecondition => true,
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::NotFound
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss
        | Code::Unauthenticated => false,
    }
}

fn text(text: impl Into<String>) -> AnyValue {
    AnyValue { value: Some(Value::StringValue(text.into())) }
}

fn attribute(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

fn number(number: u64) -> AnyValue {
    // The protocol has no unsigned numbers.
    AnyValue { value: Some(Value::IntValue(i64::try_from(number).unwrap_or(i64::MAX))) }
}

fn nanoseconds(time: Timestamp) -> u64 {
    u64::try_from(time.as_nanosecond()).unwrap_or(0)
}

/// A line as a record: whole in its body, and what it is searched by beside.
fn record((line, bytes): &Line) -> LogRecord {
    let mut attributes = vec![attribute("camgate.log.number", number(line.number))];
    let mut severity = SeverityNumber::Info;
    let mut time = None;
    match &line.entry {
        Some(Entry::Decision(decision)) => {
            time = Some(decision.time);
            attributes.extend([
                attribute("camgate.decision_id", text(&*decision.id)),
                attribute("camgate.owner_uin", number(decision.owner_uin)),
                attribute("camgate.action", text(&*decision.action)),
                attribute("camgate.outcome", text(&*decision.outcome)),
                attribute("camgate.reason", text(&*decision.reason)),
            ]);
        }
        Some(Entry::Opened(opened)) => time = Some(opened.time),
        Some(Entry::Dropped(dropped)) => {
            time = Some(dropped.time);
            severity = SeverityNumber::Warn;
        }
        Some(Entry::Closed {}) => {}
        None => severity = SeverityNumber::Error,
    }
    if let Some(fault) = &line.fault {
        severity = SeverityNumber::Error;
        attributes.push(attribute("camgate.log.fault", text(fault.to_string())));
    }
    let is_sent = bytes.len() <= LINE_BYTES_MAX;
    if !is_sent {
        severity = SeverityNumber::Error;
        let fault = format!("{} bytes, {LINE_BYTES_MAX} are sent", bytes.len());
        attributes.push(attribute("camgate.log.fault", text(fault)));
    }
    LogRecord {
        time_unix_nano: time.map_or(0, nanoseconds),
        observed_time_unix_nano: nanoseconds(Timestamp::now()),
        severity_number: severity.into(),
        body: is_sent.then(|| text(String::from_utf8_lossy(bytes))),
        attributes,
        event_name: "camgate.decision_log".to_owned(),
        ..LogRecord::default()
    }
}

fn request(log_records: Vec<LogRecord>) -> ExportLogsServiceRequest {
    let scope = InstrumentationScope { name: "camgate".to_owned(), ..Default::default() };
    let scope_logs = ScopeLogs { scope: Some(scope), log_records, ..Default::default() };
    let attributes = vec![
        attribute("service.name", text("camgate")),
        attribute("service.version", text(env!("CARGO_PKG_VERSION"))),
    ];
    let resource = Resource { attributes, ..Default::default() };
    let logs = ResourceLogs {
        resource: Some(resource),
        scope_logs: vec![scope_logs],
        ..Default::default()
    };
    ExportLogsServiceRequest { resource_logs: vec![logs] }
}
