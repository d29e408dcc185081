//! `[decision_log]` of the configuration: where decisions are logged, and what of them.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{InvalidSettings, collector, size};
use crate::audit::decision_log::{
    DecisionLogSettings, ForwardTo, LeaveOut, LogMode, MaskedField, Rules,
};
use crate::lang::action::ActionPattern;
use crate::lang::condition::ConditionKey;
use crate::node::Surface;

/// Longest that an answer may wait for its record, in milliseconds.
const WAIT_MS: std::ops::RangeInclusive<u64> = 10..=60_000;
/// How old a file may become before it is put aside, in hours.
const ROTATE_HOURS: std::ops::RangeInclusive<u64> = 1..=24 * 366;

/// `[decision_log]` as written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawDecisionLog {
    file: Option<PathBuf>,
    mode: Mode,
    wait_ms_max: Option<u64>,
    buffer: Option<String>,
    rotate_size: Option<String>,
    rotate_hours: Option<u64>,
    files_max: Option<usize>,
    mask: Vec<String>,
    leave_out: Vec<RawLeaveOut>,
    otlp_endpoint: Option<String>,
    otlp_ca_file: Option<PathBuf>,
}

/// What happens when the log cannot keep up, as written.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    #[default]
    NeverDrop,
    BestEffort,
}

/// One rule of what is left out, as written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLeaveOut {
    outcome: Option<Outcome>,
    reason: Option<String>,
    surface: Option<String>,
    owner_uin: Option<u64>,
    action: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Outcome {
    Allow,
    Deny,
}

/// The reasons that a rule may name.
const REASONS: [&str; 7] = [
    "root",
    "allow",
    "explicit_deny",
    "implicit_deny",
    "unknown_principal",
    "filter_unsupported",
    "error",
];

impl RawDecisionLog {
    /// The settings; none when decisions are not logged.
    ///
    /// # Errors
    /// For a value that cannot be used, and for other keys without `file`.
    pub(super) fn settings(self) -> Result<Option<DecisionLogSettings>, InvalidSettings> {
        let Self { mask, leave_out, rotate_hours, wait_ms_max, .. } = &self;
        let Some(file) = &self.file else {
            if mask.is_empty() && leave_out.is_empty() && self.otlp_endpoint.is_none() {
                return Ok(None);
            }
            return Err(InvalidSettings(
                "`[decision_log]` says what is logged, and has no `file`: name the file".to_owned(),
            ));
        };
        let usual = DecisionLogSettings::new(file.clone());
        let bytes = |key: &str, text: &Option<String>| {
            text.as_deref().map(|text| size::read(&format!("decision_log.{key}"), text)).transpose()
        };
        let within = |key: &str, value: u64, range: &std::ops::RangeInclusive<u64>| {
            let (least, most) = (range.start(), range.end());
            range.contains(&value).then_some(value).ok_or_else(|| {
                InvalidSettings(format!(
                    "`decision_log.{key}` is {value}, expected {least} to {most}"
                ))
            })
        };
        let wait_max = match wait_ms_max {
            Some(wait) => Duration::from_millis(within("wait_ms_max", *wait, &WAIT_MS)?),
            None => usual.wait_max,
        };
        let rotate_after = match rotate_hours {
            Some(hours) => Duration::from_secs(
                within("rotate_hours", *hours, &ROTATE_HOURS)?.wrapping_mul(3600),
            ),
            None => usual.rotate_after,
        };
        let rotate_bytes = bytes("rotate_size", &self.rotate_size)?;
        Ok(Some(DecisionLogSettings {
            mode: match self.mode {
                Mode::NeverDrop => LogMode::NeverDrop,
                Mode::BestEffort => LogMode::BestEffort,
            },
            wait_max,
            rotate_after,
            buffer_bytes_max: bytes("buffer", &self.buffer)?.unwrap_or(usual.buffer_bytes_max),
            rotate_bytes: rotate_bytes.map_or(usual.rotate_bytes, |bytes| bytes as u64),
            // 0 keeps all of them.
            files_max: match self.files_max {
                None => usual.files_max,
                Some(0) => None,
                Some(most) => Some(most),
            },
            rules: Rules {
                mask: mask.iter().map(|text| masked(text)).collect::<Result<_, _>>()?,
                leave_out: leave_out.iter().map(RawLeaveOut::rule).collect::<Result<_, _>>()?,
            },
            forward: self.forward()?,
            ..usual
        }))
    }

    fn forward(&self) -> Result<Option<ForwardTo>, InvalidSettings> {
        let Self { otlp_endpoint: endpoint, otlp_ca_file: ca_file, .. } = self;
        let keys = ("decision_log.otlp_endpoint", "decision_log.otlp_ca_file");
        collector::check(keys, endpoint.as_deref(), ca_file.as_deref())?;
        let to =
            |endpoint: &String| ForwardTo { endpoint: endpoint.clone(), ca_file: ca_file.clone() };
        Ok(endpoint.as_ref().map(to))
    }
}

fn masked(text: &str) -> Result<MaskedField, InvalidSettings> {
    match MaskedField::parse(text) {
        // A key has two names; the log knows the canonical one.
        Some(MaskedField::ContextKey(key)) => {
            Ok(MaskedField::ContextKey(ConditionKey::new(&key).canonical().to_owned()))
        }
        Some(field) => Ok(field),
        None => Err(InvalidSettings(format!(
            "`decision_log.mask` has `{text}`, expected `principal`, `session_name`, `resource`, \
             `context` or `context.KEY`, such as `context.qcs:ip`"
        ))),
    }
}

impl RawLeaveOut {
    fn rule(&self) -> Result<LeaveOut, InvalidSettings> {
        let Self { outcome, reason, surface, owner_uin, action } = self;
        let known = |key: &str, value: &Option<String>, names: &[&str]| match value {
            Some(value) if !names.contains(&value.as_str()) => Err(InvalidSettings(format!(
                "`decision_log.leave_out` has `{key} = \"{value}\"`, expected one of `{}`",
                names.join("`, `")
            ))),
            Some(_) | None => Ok(value.clone()),
        };
        let pattern = |text: &String| {
            ActionPattern::parse(text).map_err(|fault| {
                InvalidSettings(format!(
                    "`decision_log.leave_out` has `action = \"{text}\"`, which {fault}"
                ))
            })
        };
        let rule = LeaveOut {
            outcome: outcome.map(|it| match it {
                Outcome::Allow => "ALLOW".to_owned(),
                Outcome::Deny => "DENY".to_owned(),
            }),
            reason: known("reason", reason, &REASONS)?,
            surface: known("surface", surface, &Surface::ALL.map(Surface::as_str))?,
            owner_uin: *owner_uin,
            action: action.as_ref().map(pattern).transpose()?,
        };
        if rule == LeaveOut::default() {
            return Err(InvalidSettings(
                "a rule of `decision_log.leave_out` has no condition, so it would leave out \
                 everything: leave `decision_log.file` away instead"
                    .to_owned(),
            ));
        }
        Ok(rule)
    }
}
