//! Findings about a policy text, shown: underlined in the text for people, as JSON for programs.
//!
//! Drawing is done by miette; this file gives it text, place and colours. It must never panic,
//! whatever the text is: it is shown because something is wrong with it.

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report,
    Severity as Shown,
};
use serde_json::{Value, json};

use crate::lang::diagnostic::{Diagnostic, Severity, Span};

/// Width of reports in columns; fixed, so that the same findings give the same text everywhere.
const REPORT_COLUMNS: usize = 100;
/// Longest line that is drawn, in bytes; of longer ones only the place is told.
const LINE_BYTES_MAX: usize = 400;

/// A finding with its line underlined.
#[must_use]
pub fn render(name: &str, bytes: &[u8], finding: &Diagnostic) -> String {
    let text = String::from_utf8_lossy(bytes).into_owned();
    // The column in characters, as everywhere; miette itself would count bytes.
    let name = format!("{name}:{}:{}", finding.line, finding.column);
    let mut shown = MietteDiagnostic::new(message(finding))
        .with_code(finding.code.as_str())
        .with_severity(match finding.severity {
            Severity::Error => Shown::Error,
            Severity::Warning => Shown::Warning,
            Severity::Note => Shown::Advice,
        });
    if let Some(help) = &finding.help {
        shown = shown.with_help(help.clone());
    }
    let span = drawable(&text, finding.span);
    if let Some(span) = span {
        let label = match (finding.path.as_str(), finding.expected.as_str()) {
            ("", "") => "here".to_owned(),
            ("", expected) => format!("expected {expected}"),
            (path, "") => path.to_owned(),
            (path, expected) => format!("{path}: expected {expected}"),
        };
        shown = shown.with_label(LabeledSpan::new(
            Some(label),
            span.start,
            span.end.saturating_sub(span.start),
        ));
    }
    let report = Report::new(shown).with_source_code(NamedSource::new(&name, text));
    let mut out = String::new();
    let drawn = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(REPORT_COLUMNS)
        .with_links(false)
        .without_primary_span_start()
        .render_report(&mut out, report.as_ref());
    if drawn.is_err() || span.is_none() {
        return format!("{name}: {finding}\n");
    }
    out
}

/// A finding for programs; the same fields as the API's message `Finding`.
#[must_use]
pub fn finding_json(finding: &Diagnostic) -> Value {
    json!({
        "severity": finding.severity.as_str(),
        "code": finding.code.as_str(),
        "path": finding.path,
        "line": finding.line,
        "column": finding.column,
        "message": finding.message,
        "found": finding.found,
        "expected": finding.expected,
        "help": finding.help.clone().unwrap_or_default(),
        "start": finding.span.start,
        "end": finding.span.end,
    })
}

fn message(finding: &Diagnostic) -> String {
    if finding.severity == Severity::Error {
        finding.message.clone()
    } else {
        format!("{}: {}", finding.severity, finding.message)
    }
}

/// The span cut to what can be drawn: within the text, on character borders, on its first line.
/// None when that line is too long to be drawn.
fn drawable(text: &str, span: Span) -> Option<Span> {
    let floor = |mut offset: usize| {
        offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset = offset.saturating_sub(1);
        }
        offset
    };
    let start = floor(span.start);
    let line_start = text.get(..start)?.rfind('\n').map_or(0, |index| index.saturating_add(1));
    let rest = text.get(start..)?;
    let line_end = rest.find('\n').map_or(text.len(), |index| start.saturating_add(index));
    if line_end.saturating_sub(line_start) > LINE_BYTES_MAX {
        return None;
    }
    Some(Span { start, end: floor(span.end).clamp(start, line_end.max(start)) })
}
