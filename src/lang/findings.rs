//! Collecting findings while a text is read: spans first, lines, columns and paths at the end.
//!
//! Readers and checks note what they see with a span; `Findings::finish` looks up line, column and
//! JSON path for those that are kept, sorts them by place and caps them (rule L-11). It must never
//! decide anything: whether a policy is refused is told by `has_errors`.

use super::diagnostic::{Code, Diagnostic, ErrorCode, Severity, Span};
use super::json::{Node, path_of};
use super::limits::{EXCERPT_CHARS_MAX, FINDINGS_MAX};

/// One finding before its line, column and path are known.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    severity: Severity,
    code: Code,
    span: Span,
    message: String,
    found: String,
    expected: String,
    help: Option<String>,
}

impl Finding {
    /// A reason to refuse the policy.
    pub(super) fn error(code: ErrorCode, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, Code::Error(code), span, message.into())
    }

    /// A lint with the severity given in its table.
    pub(super) fn lint(
        code: &'static str,
        severity: Severity,
        span: Span,
        message: impl Into<String>,
    ) -> Self {
        Self::new(severity, Code::Lint(code), span, message.into())
    }

    fn new(severity: Severity, code: Code, span: Span, message: String) -> Self {
        let (found, expected) = (String::new(), String::new());
        Self { severity, code, span, message, found, expected, help: None }
    }

    /// Adds what was found; it is shortened.
    pub(super) fn found(mut self, found: &str) -> Self {
        self.found = excerpt(found);
        self
    }

    /// Adds what was expected.
    pub(super) fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = expected.into();
        self
    }

    /// Adds what to do.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds what to do, if there is something to say.
    pub(super) fn help_maybe(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    fn order(&self) -> (Span, Severity, Code) {
        (self.span, self.severity, self.code)
    }
}

/// The findings about one text, in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
    errors: usize,
}

impl Findings {
    /// Notes a finding.
    pub(super) fn push(&mut self, finding: Finding) {
        if finding.severity == Severity::Error {
            self.errors += 1;
        }
        self.list.push(finding);
    }

    /// Whether the policy is refused.
    pub(super) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// How many errors there are; a check that adds none has found its part to be fine.
    pub(super) fn errors(&self) -> usize {
        self.errors
    }

    /// Whether so much was found that costly suggestions are no longer worth making.
    pub(super) fn is_full(&self) -> bool {
        self.list.len() >= FINDINGS_MAX
    }

    /// The findings in document order, at most `FINDINGS_MAX`, errors kept first; and how many were
    /// left out. `root` is the tree that paths are looked up in, if the text has one.
    pub(super) fn finish(mut self, text: &[u8], root: Option<&Node>) -> (Vec<Diagnostic>, usize) {
        let omitted = self.list.len().saturating_sub(FINDINGS_MAX);
        if omitted > 0 {
            self.list.sort_by_key(|finding| (finding.severity, finding.order()));
            self.list.truncate(FINDINGS_MAX);
        }
        self.list.sort_by_key(Finding::order);
        let lines = Lines::new(text);
        let findings = self.list.into_iter().map(|finding| {
            let (line, column) = lines.place(finding.span.start);
            let path = root.map(|root| path_of(root, finding.span)).unwrap_or_default();
            let Finding { severity, code, span, message, found, expected, help } = finding;
            Diagnostic { severity, code, path, span, line, column, message, found, expected, help }
        });
        (findings.collect(), omitted)
    }
}

/// The author's text, shortened and without control characters, for quoting in a message.
pub(super) fn excerpt(text: &str) -> String {
    let mut out = String::new();
    for (index, c) in text.chars().enumerate() {
        if index >= EXCERPT_CHARS_MAX {
            out.push('…');
            break;
        }
        if matches!(c, '"' | '\'' | '\\') {
            out.push(c);
        } else {
            out.extend(c.escape_debug());
        }
    }
    out
}

/// The candidate nearest to a word, if one is near enough to be meant; the first of equals.
pub(super) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if word.len() > EXCERPT_CHARS_MAX {
        return None;
    }
    let lower = word.to_lowercase();
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let distance = strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
        let allowed = (candidate.chars().count() / 3).max(1);
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Where the lines of a text begin.
struct Lines<'t> {
    text: &'t [u8],
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn new(text: &'t [u8]) -> Self {
        let breaks = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let starts = std::iter::once(0).chain(breaks.map(|(index, _)| index + 1)).collect();
        Self { text, starts }
    }

    /// Line and column of a byte offset, both from 1, the column in characters.
    fn place(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let end = offset.min(self.text.len());
        let before = self.text.get(start..end).unwrap_or_default();
        (line, String::from_utf8_lossy(before).chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_counts_characters_not_bytes() {
        let lines = Lines::new("一二\n三x".as_bytes());
        assert_eq!(lines.place(0), (1, 1));
        assert_eq!(lines.place(3), (1, 2));
        assert_eq!(lines.place(7), (2, 1));
        assert_eq!(lines.place(10), (2, 2));
        assert_eq!(lines.place(99), (2, 3));
    }

    #[test]
    fn excerpt_shortens_and_escapes() {
        assert_eq!(excerpt("a\n\"中\""), "a\\n\"中\"");
        assert_eq!(excerpt("\u{202e}x"), "\\u{202e}x");
        let long = excerpt(&"中".repeat(EXCERPT_CHARS_MAX + 1));
        assert_eq!(long.chars().count(), EXCERPT_CHARS_MAX + 1);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn nearest_finds_a_slip_and_no_stranger() {
        let keys = ["effect", "action", "resource", "condition"];
        assert_eq!(nearest("Effect", keys), Some("effect"));
        assert_eq!(nearest("resuorce", keys), Some("resource"));
        assert_eq!(nearest("actions", keys), Some("action"));
        assert_eq!(nearest("sid", keys), None);
    }

    #[test]
    fn finish_keeps_errors_first_and_document_order() {
        let mut findings = Findings::default();
        for start in 0..FINDINGS_MAX + 5 {
            let span = Span { start, end: start + 1 };
            findings.push(Finding::lint("lint.x", Severity::Note, span, "note"));
        }
        let span = Span { start: 900, end: 901 };
        findings.push(Finding::error(ErrorCode::ActionError, span, "error"));
        let (list, omitted) = findings.finish(&[b' '; 1000], None);
        assert_eq!((list.len(), omitted), (FINDINGS_MAX, 6));
        assert_eq!(list.last().unwrap().severity, Severity::Error);
        assert!(list.windows(2).all(|pair| pair[0].order() <= pair[1].order()));
    }
}
