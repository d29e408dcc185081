//! Reading JSON with places: checked first, then built level by level.
//!
//! serde_json is the reader; this file only adds spans, keeps duplicate keys, and refuses what is
//! too long or too deep before any recursion. It must never accept what serde_json refuses, nor
//! recurse deeper than `POLICY_DEPTH_MAX`. First step from bytes to a document.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Member, Node, Value};
use crate::lang::diagnostic::{ErrorCode, Span};
use crate::lang::document::Spanned;
use crate::lang::findings::Finding;
use crate::lang::limits::{POLICY_BYTES_MAX, POLICY_DEPTH_MAX};

/// Reads a text as one JSON value.
///
/// # Errors
/// Every fault of the first kind that is met: too long, not UTF-8, too deep or not JSON, or strings
/// that cannot be unescaped.
pub(in crate::lang) fn read(bytes: &[u8]) -> Result<(&str, Node), Vec<Finding>> {
    if bytes.len() > POLICY_BYTES_MAX {
        return Err(vec![too_long(bytes.len())]);
    }
    let text = utf8(bytes).map_err(|fault| vec![*fault])?;
    let raw = check_syntax(text).map_err(|fault| vec![*fault])?;
    let mut builder = Builder { text, faults: Vec::new() };
    let root = builder.node(raw);
    if builder.faults.is_empty() { Ok((text, root)) } else { Err(builder.faults) }
}

/// How many characters a JSON text has, white space between tokens not counted (rule L-10).
pub(in crate::lang) fn significant_chars(text: &str) -> usize {
    let mut scan = Scan::default();
    text.chars().filter(|c| scan.step(*c) || !matches!(c, ' ' | '\t' | '\n' | '\r')).count()
}

fn fault(span: Span, message: String) -> Finding {
    Finding::error(ErrorCode::PolicyDocumentError, span, message)
}

fn too_long(actual: usize) -> Finding {
    let span = Span { start: POLICY_BYTES_MAX, end: actual };
    let message = format!("the text has {actual} bytes; at most {POLICY_BYTES_MAX} bytes are read");
    Finding::error(ErrorCode::PolicyDocumentLengthOverLimit, span, message)
        .found(&format!("{actual} bytes"))
        .expected(format!("at most {POLICY_BYTES_MAX} bytes"))
        .help("split the policy into several")
}

/// The text of the bytes: UTF-8 without byte order mark.
fn utf8(bytes: &[u8]) -> Result<&str, Box<Finding>> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        let span = Span { start: 0, end: 3 };
        let message = "the text begins with a byte order mark".to_owned();
        let fault = fault(span, message).expected("plain UTF-8").help("remove the first 3 bytes");
        return Err(Box::new(fault));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let start = error.valid_up_to();
        let end = error.error_len().map_or(bytes.len(), |len| start + len);
        let bad = bytes.get(start).copied().unwrap_or_default();
        let message = format!("the byte 0x{bad:02x} at offset {start} is not UTF-8");
        let fault = fault(Span { start, end }, message);
        let fault = fault.found(&format!("0x{bad:02x}")).expected("UTF-8");
        Box::new(fault.help("save the file as UTF-8"))
    })
}

/// The text as one raw value: valid JSON, and no deeper than allowed.
fn check_syntax(text: &str) -> Result<&RawValue, Box<Finding>> {
    let too_deep = first_too_deep(text);
    match (serde_json::from_str::<&RawValue>(text), too_deep) {
        (Ok(raw), None) => Ok(raw),
        (Ok(_), Some(offset)) => Err(Box::new(deep_fault(text, offset))),
        (Err(error), too_deep) => {
            let span = error_span(text, &error);
            match too_deep {
                Some(offset) if offset <= span.start => Err(Box::new(deep_fault(text, offset))),
                _ => {
                    let message = format!("not JSON: {}", bare_message(&error));
                    let fault = fault(span, message).expected("one JSON object");
                    Err(Box::new(fault.help_maybe(syntax_help(text, span.start))))
                }
            }
        }
    }
}

/// Offset of the first bracket that is nested too deep.
fn first_too_deep(text: &str) -> Option<usize> {
    let mut scan = Scan::default();
    let mut depth = 0_usize;
    for (offset, c) in text.char_indices() {
        if scan.step(c) {
            continue;
        }
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > POLICY_DEPTH_MAX {
            return Some(offset);
        }
    }
    None
}

fn deep_fault(text: &str, start: usize) -> Finding {
    let message = format!("lists and objects are nested more than {POLICY_DEPTH_MAX} deep");
    let found = text.get(start..).unwrap_or_default();
    fault(Span { start, end: start + 1 }, message)
        .found(found)
        .expected(format!("at most {POLICY_DEPTH_MAX} levels; a policy needs seven"))
}

/// Tells characters inside strings from those outside, in one pass.
#[derive(Default)]
struct Scan {
    in_string: bool,
    escaped: bool,
}

impl Scan {
    /// Takes the next character; true when it belongs to a string, quotes included.
    fn step(&mut self, c: char) -> bool {
        if !self.in_string {
            self.in_string = c == '"';
            return self.in_string;
        }
        if self.escaped {
            self.escaped = false;
        } else if c == '\\' {
            self.escaped = true;
        } else if c == '"' {
            self.in_string = false;
        }
        true
    }
}

/// serde_json's message without its own line and column.
fn bare_message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text.get(..end).unwrap_or_default().replacen("EOF while", "the text ends while", 1)
}

/// What to do about the slips that are made most often.
fn syntax_help(text: &str, offset: usize) -> Option<String> {
    let (before, after) = text.split_at_checked(offset)?;
    let help = match after.chars().next()? {
        '}' | ']' if before.trim_end().ends_with(',') => "remove the comma before it",
        '\'' | '‘' | '’' | '“' | '”' => {
            "JSON strings stand in straight double quotes: `\"`"
        }
        '，' | '：' => "JSON takes `,` and `:`, not their full-width forms",
        '/' | '#' => "JSON has no comments; remove it",
        '\0' => "save the file as UTF-8, and remove NUL characters",
        _ => return None,
    };
    Some(help.to_owned())
}

/// The character at which serde_json stopped; empty at the end of the text.
fn error_span(text: &str, error: &serde_json::Error) -> Span {
    let line_start = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum::<usize>();
    if error.is_eof() {
        return Span { start: text.len(), end: text.len() };
    }
    // serde_json counts the offending character in, except for a control character in a string.
    let counted = usize::from(!bare_message(error).starts_with("control character"));
    let mut start = (line_start + error.column().saturating_sub(counted)).min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let width = text.get(start..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    Span { start, end: start + width }
}

/// Builds the tree from checked JSON.
struct Builder<'t> {
    text: &'t str,
    faults: Vec<Finding>,
}

impl<'t> Builder<'t> {
    /// Offsets come from addresses: every raw value is a slice of the text.
    fn span(&self, raw: &RawValue) -> Span {
        let start = raw.get().as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        Span { start, end: start + raw.get().len() }
    }

    /// Recurses once per level; `check_syntax` has bounded the levels.
    fn node(&mut self, raw: &'t RawValue) -> Node {
        let span = self.span(raw);
        let text = raw.get();
        let value = match text.as_bytes().first() {
            Some(b'{') => {
                let members = serde_json::from_str::<Entries<'t>>(text).map(|entries| {
                    let members = entries.0.into_iter().map(|(key, value)| Member {
                        key: Spanned { value: self.string(key), span: self.span(key) },
                        node: self.node(value),
                    });
                    Value::Object(members.collect())
                });
                self.or_fault(span, members)
            }
            Some(b'[') => {
                let items = serde_json::from_str::<Vec<&'t RawValue>>(text).map(|items| {
                    Value::Array(items.into_iter().map(|item| self.node(item)).collect())
                });
                self.or_fault(span, items)
            }
            Some(b'"') => Value::String(self.string(raw)),
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'n') => Value::Null,
            _ => Value::Number(text.to_owned()),
        };
        Node { value, span }
    }

    fn string(&mut self, raw: &RawValue) -> String {
        serde_json::from_str(raw.get()).unwrap_or_else(|error| {
            let message = format!("not a JSON string: {}", bare_message(&error));
            let help = "`\\ud800` to `\\udfff` must come in pairs; write the character itself";
            let finding = fault(self.span(raw), message).found(raw.get()).help(help);
            self.faults.push(finding);
            String::new()
        })
    }

    fn or_fault(&mut self, span: Span, value: Result<Value, serde_json::Error>) -> Value {
        value.unwrap_or_else(|error| {
            self.faults.push(fault(span, format!("not JSON: {}", bare_message(&error))));
            Value::Null
        })
    }
}

/// All members of an object in order, duplicates included.
struct Entries<'t>(Vec<(&'t RawValue, &'t RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;

        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(EntriesVisitor)
    }
}
