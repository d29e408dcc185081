//! Strict reading of JSON with paths: every unknown or repeated key is a fault, not only the first.
//!
//! serde_json reads; this file keeps duplicate keys in sight and numbers as they are written. It
//! must never guess a value. Used by `cases`, the first step of the flow of policy tests.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::cases::CaseFault;

/// A JSON value as written, and its path.
#[derive(Debug, Clone)]
pub(super) struct Node<'a> {
    /// The value's text, without white space around it.
    pub(super) text: &'a str,
    /// The path, e.g. `cases[0].expect`; empty for the whole file.
    pub(super) path: String,
}

/// What a value is, by its first character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    List,
    Text,
    Number,
    Bool,
    Null,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Object => "an object",
            Self::List => "a list",
            Self::Text => "a string",
            Self::Number => "a number",
            Self::Bool => "a boolean",
            Self::Null => "null",
        }
    }
}

impl Node<'_> {
    /// What the value is.
    pub(super) fn kind(&self) -> Kind {
        match self.text.bytes().next() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::List,
            Some(b'"') => Kind::Text,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') => Kind::Null,
            _ => Kind::Number,
        }
    }
}

/// Reads nodes of one file and gathers what is wrong with them.
#[derive(Debug)]
pub(super) struct Reader<'f> {
    file: &'f str,
    pub(super) faults: Vec<CaseFault>,
}

impl<'f> Reader<'f> {
    pub(super) fn new(file: &'f str) -> Self {
        Self { file, faults: Vec::new() }
    }

    /// Notes a fault.
    pub(super) fn fault(&mut self, path: &str, message: impl Into<String>) {
        let (file, path) = (self.file.to_owned(), path.to_owned());
        self.faults.push(CaseFault { file, path, message: message.into() });
    }

    fn mismatch(&mut self, node: &Node<'_>, expected: &str) {
        self.fault(&node.path, format!("expected {expected}, found {}", node.kind().as_str()));
    }

    /// The whole file as one value.
    pub(super) fn root<'a>(&mut self, bytes: &'a [u8]) -> Option<Node<'a>> {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                self.fault("", format!("byte {} is not UTF-8", error.valid_up_to() + 1));
                return None;
            }
        };
        match serde_json::from_str::<&RawValue>(text) {
            Ok(raw) => Some(Node { text: raw.get(), path: String::new() }),
            Err(error) => {
                self.fault("", format!("the file is not JSON: {error}"));
                None
            }
        }
    }

    /// The members of an object, in order. A key that is not `known`, or comes twice, is a fault
    /// and is left out; without `known` every key is.
    pub(super) fn object<'a>(
        &mut self,
        node: &Node<'a>,
        known: Option<&[&str]>,
    ) -> Option<Vec<(String, Node<'a>)>> {
        if node.kind() != Kind::Object {
            self.mismatch(node, "an object");
            return None;
        }
        let Members(written) = self.decode(node)?;
        let mut members: Vec<(String, Node<'a>)> = Vec::new();
        for (key, raw) in written {
            let path =
                if node.path.is_empty() { key.clone() } else { format!("{}.{key}", node.path) };
            if let Some(known) = known
                && !known.contains(&key.as_str())
            {
                let expected = known.join("`, `");
                self.fault(&path, format!("unknown key `{key}`; expected one of `{expected}`"));
            } else if members.iter().any(|(other, _)| *other == key) {
                self.fault(&path, format!("key `{key}` comes twice"));
            } else {
                members.push((key, Node { text: raw.get(), path }));
            }
        }
        Some(members)
    }

    /// The items of a list; a missing node is an empty one.
    pub(super) fn list<'a>(&mut self, node: Option<&Node<'a>>) -> Vec<Node<'a>> {
        let Some(node) = node else { return Vec::new() };
        if node.kind() != Kind::List {
            self.mismatch(node, "a list");
            return Vec::new();
        }
        let raw: Vec<&RawValue> = self.decode(node).unwrap_or_default();
        let numbered = raw.into_iter().enumerate();
        numbered
            .map(|(at, raw)| Node { text: raw.get(), path: format!("{}[{at}]", node.path) })
            .collect()
    }

    /// A string.
    pub(super) fn text(&mut self, node: &Node<'_>) -> Option<String> {
        if node.kind() != Kind::Text {
            self.mismatch(node, "a string");
            return None;
        }
        self.decode(node)
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, node: &Node<'_>) -> Option<bool> {
        if node.kind() != Kind::Bool {
            self.mismatch(node, "`true` or `false`");
            return None;
        }
        self.decode(node)
    }

    /// A whole number, not negative.
    pub(super) fn whole<T: std::str::FromStr>(&mut self, node: &Node<'_>) -> Option<T> {
        let value = node.text.parse().ok();
        if value.is_none() {
            self.fault(&node.path, format!("expected a whole number, found `{}`", node.text));
        }
        value
    }

    fn decode<'a, T: Deserialize<'a>>(&mut self, node: &Node<'a>) -> Option<T> {
        match serde_json::from_str(node.text) {
            Ok(value) => Some(value),
            // The text was seen to be JSON, so this is a string with a lone surrogate.
            Err(error) => {
                self.fault(&node.path, format!("the value cannot be read: {error}"));
                None
            }
        }
    }
}

/// An object's members as written, duplicates included.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}
