//! The decision log's lines, sent to a collector by OTLP beside being in their files.
//!
//! Sending follows the files, as a log shipper does: no decision waits for a collector, one that is
//! away is caught up with when it is back, over restarts and over files that were put aside. A line
//! is sent as it stands, seal and all, so that the chain can be verified on the other side. It must
//! never pass over a line in silence: what was deleted before it was sent is counted.

use std::io;
use std::path::PathBuf;
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
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
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
    closing: watch::Sender<Option<Instant>>,
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
        let (closing, until) = watch::channel(None);
        let sending = Sending {
            client: LogsServiceClient::new(channel),
            log: settings.file.clone(),
            position: ForwardPosition::of(&settings.file),
            sent: 0,
            counts,
            until,
            has_failed: false,
        };
        info!(endpoint = to.endpoint, "the decision log is sent");
        Ok(Some(Self { closing, task: Mutex::new(Some(tokio::spawn(sending.run()))) }))
    }

    /// Sends what there is by now, for at most so long; the next start goes on from there.
    pub async fn shut(&self, longest: Duration) {
        let until = Instant::now() + longest;
        self.closing.send_replace(Some(until));
        let Some(mut task) = self.task.lock().await.take() else { return };
        if timeout_at(until, &mut task).await.is_err() {
            task.abort();
            warn!("the end of the decision log is sent after the next start");
        }
    }
}

/// A line that is to be sent.
type Line = (LogLine, Vec<u8>);

/// What became of a message.
enum Sent {
    Taken,
    /// It would be refused again.
    Refused,
    /// It is tried again.
    NotYet,
}

/// The task that sends.
struct Sending {
    client: LogsServiceClient<Channel>,
    log: PathBuf,
    position: ForwardPosition,
    /// The number of the last record that was sent.
    sent: u64,
    counts: Arc<ForwardCounts>,
    until: watch::Receiver<Option<Instant>>,
    /// Whether the last attempt failed, so that the log is told once.
    has_failed: bool,
}

impl Sending {
    async fn run(mut self) {
        self.sent = match self.position.read() {
            Ok(sent) => sent,
            Err(error) => {
                error!(%error, "the decision log is not sent");
                return;
            }
        };
        let end = LogFollower::at_end(&self.log).map_or(0, |follower| follower.number());
        if (1..self.sent).contains(&end) {
            warn!(sent = self.sent, end, "the decision log was begun anew, and is sent from there");
            self.sent = 0;
        }
        let mut follower = LogFollower::after(&self.log, self.sent);
        let mut pauses = interval(PAUSE);
        pauses.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Before it is looked at: what was written until then is sent.
            let is_closing = self.until.borrow_and_update().is_some();
            let read = spawn_blocking(move || {
                let lines = lines(&mut follower);
                (follower, lines)
            });
            let Ok((back, lines)) = read.await else { return };
            follower = back;
            match lines {
                Ok(lines) if lines.is_empty() && is_closing => return,
                Ok(lines) if !lines.is_empty() => {
                    while !self.send(&lines).await {
                        pauses.tick().await;
                    }
                    continue;
                }
                Ok(_) => {}
                Err(error) => self.fails(&format!("it cannot be read: {error}")),
            }
            tokio::select! {
                _ = pauses.tick() => {}
                told = self.until.changed() => if told.is_err() { return },
            }
        }
    }

    /// Sends some lines; whether that is done with.
    async fn send(&mut self, lines: &[Line]) -> bool {
        let records = lines.iter().map(record).collect();
        let answer = self.client.export(request(records)).await;
        let outcome = match &answer {
            Ok(answer) => {
                let partial = answer.get_ref().partial_success.as_ref();
                let refused = partial.map_or(0, |it| it.rejected_log_records);
                let refused = u64::try_from(refused).unwrap_or(0);
                self.counts.refused.fetch_add(refused, Ordering::Relaxed);
                let taken = (lines.len() as u64).saturating_sub(refused);
                self.counts.sent.fetch_add(taken, Ordering::Relaxed);
                Sent::Taken
            }
            Err(status) if is_final(status.code()) => {
                error!(%status, records = lines.len(), "the collector refuses records for good");
                self.counts.refused.fetch_add(lines.len() as u64, Ordering::Relaxed);
                Sent::Refused
            }
            Err(status) => {
                self.fails(&format!("{:?}: {}", status.code(), status.message()));
                Sent::NotYet
            }
        };
        match outcome {
            Sent::NotYet => return false,
            Sent::Taken if self.has_failed => {
                self.has_failed = false;
                info!("the decision log is sent again");
            }
            Sent::Taken | Sent::Refused => {}
        }
        self.note(lines);
        true
    }

    /// Keeps how far it has come, and counts what was never there to be sent.
    fn note(&mut self, lines: &[Line]) {
        let before = self.sent;
        for (line, _) in lines {
            let expected = self.sent.saturating_add(1);
            if line.number > expected && line.entry.is_some() {
                let missed = line.number - expected;
                warn!(records = missed, "records were deleted before they could be sent");
                self.counts.missed.fetch_add(missed, Ordering::Relaxed);
            }
            self.sent = self.sent.max(line.number);
        }
        if self.sent > before
            && let Err(error) = self.position.write(self.sent)
        {
            warn!(%error, "how far the decision log was sent cannot be kept");
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

/// As many lines as one message has.
fn lines(follower: &mut LogFollower) -> io::Result<Vec<Line>> {
    let (mut lines, mut bytes) = (Vec::new(), 0_usize);
    while lines.len() < RECORDS_MAX && bytes < BYTES_MAX {
        let Some(line) = follower.next_with_text()? else { break };
        bytes = bytes.saturating_add(line.1.len());
        lines.push(line);
    }
    Ok(lines)
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
