//! JSON with places: every value and every key of the text with its span (rules L-01, L-10).
//!
//! The tree, and the way from a place in the text to a JSON path. `read` builds it. It must keep
//! what the text says as it stands: members in order, repeated keys included, numbers as written.

mod read;

use super::diagnostic::Span;
use super::document::Spanned;
use super::findings::excerpt;
pub(super) use read::{read, significant_chars};

/// A JSON value with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// The value.
    pub(super) value: Value,
    /// Its place, without white space around it.
    pub(super) span: Span,
}

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as written.
    Number(String),
    /// A string, unescaped.
    String(String),
    /// A list.
    Array(Vec<Node>),
    /// An object: all members in order, duplicates included.
    Object(Vec<Member>),
}

/// One member of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    /// The key, unescaped; its span includes the quotes.
    pub(super) key: Spanned<String>,
    /// The value.
    pub(super) node: Node,
}

impl Node {
    /// What kind of value this is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        }
    }
}

/// The JSON path of the innermost value that holds a place, e.g. `statement[0].action[1]`; a place
/// in a key belongs to its member. Empty for the root and for places outside of it.
pub(super) fn path_of(root: &Node, span: Span) -> String {
    let holds = |outer: Span| outer.start <= span.start && span.end <= outer.end;
    let mut path = String::new();
    let mut node = root;
    while node.span != span {
        let next = match &node.value {
            Value::Array(items) => {
                let found = items.iter().enumerate().find(|(_, item)| holds(item.span));
                found.map(|(index, item)| (format!("[{index}]"), item, false))
            }
            Value::Object(members) => members
                .iter()
                .find(|member| holds(member.key.span) || holds(member.node.span))
                .map(|member| {
                    (step(&member.key.value, path.is_empty()), &member.node, holds(member.key.span))
                }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        };
        let Some((step, inner, is_key)) = next else { break };
        path.push_str(&step);
        if is_key {
            break;
        }
        node = inner;
    }
    path
}

fn step(key: &str, first: bool) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
    match (plain, first) {
        (true, true) => key.to_owned(),
        (true, false) => format!(".{key}"),
        (false, _) => format!("[\"{}\"]", excerpt(key)),
    }
}

#[cfg(test)]
mod tests;
