//! JSON read without losing anything: keys in order, also those that occur twice.
//!
//! The reader on top collects every fault with its JSON path, instead of stopping at the first.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::FolderFault;

/// A JSON value, with every member of every object.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    Null,
    Bool,
    Number(Option<u64>),
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Bool)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Number(Some(number)))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Number(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Number(None))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Json::Object(members))
    }
}

/// Reads values at paths of one file, and collects what is wrong with them.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) file: &'a str,
    pub(super) faults: &'a mut Vec<FolderFault>,
}

impl Reader<'_> {
    pub(super) fn fault(&mut self, path: &str, message: impl Into<String>) {
        self.faults.push(FolderFault::new(self.file, path, message));
    }

    fn expected(&mut self, path: &str, expected: &str, found: &Json) {
        self.fault(path, format!("expected {expected}, found {}", found.kind()));
    }

    /// The members of an object; faults for a key that is unknown or occurs twice.
    pub(super) fn object<'j>(&mut self, path: &str, json: &'j Json, keys: &[&str]) -> Members<'j> {
        let Json::Object(members) = json else {
            self.expected(path, "an object", json);
            return Members { path: path.to_owned(), members: &[], is_object: false };
        };
        let mut seen = BTreeSet::new();
        for (key, _) in members {
            if !keys.contains(&key.as_str()) {
                let known = keys.join("`, `");
                self.fault(&join(path, key), format!("unknown key; expected one of `{known}`"));
            } else if !seen.insert(key) {
                self.fault(&join(path, key), "this key occurs twice: remove one");
            }
        }
        Members { path: path.to_owned(), members, is_object: true }
    }

    /// A list's items, each with its path.
    pub(super) fn list<'j>(&mut self, path: &str, json: &'j Json) -> Vec<(String, &'j Json)> {
        let Json::Array(items) = json else {
            self.expected(path, "a list", json);
            return Vec::new();
        };
        items.iter().enumerate().map(|(i, item)| (format!("{path}[{i}]"), item)).collect()
    }

    pub(super) fn string(&mut self, path: &str, json: &Json) -> Option<String> {
        if let Json::String(text) = json {
            return Some(text.clone());
        }
        self.expected(path, "a string", json);
        None
    }

    pub(super) fn number(&mut self, path: &str, json: &Json) -> Option<u64> {
        if let Json::Number(Some(number)) = json {
            return Some(*number);
        }
        self.expected(path, "a whole number from 0 to 18446744073709551615", json);
        None
    }

    /// A list of strings without repetition.
    pub(super) fn names(&mut self, path: &str, json: &Json) -> Vec<String> {
        let mut names = Vec::new();
        for (path, item) in self.list(path, json) {
            let Some(name) = self.string(&path, item) else { continue };
            if names.contains(&name) {
                self.fault(&path, format!("`{name}` occurs twice in this list: remove one"));
            } else {
                names.push(name);
            }
        }
        names
    }
}

/// The members of an object whose keys were checked.
#[derive(Debug)]
pub(super) struct Members<'j> {
    path: String,
    members: &'j [(String, Json)],
    is_object: bool,
}

impl<'j> Members<'j> {
    /// The path of the object.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The value under a key, with its path.
    pub(super) fn get(&self, key: &str) -> Option<(String, &'j Json)> {
        let (_, json) = self.members.iter().find(|(name, _)| name == key)?;
        Some((join(&self.path, key), json))
    }

    /// The value under a key that must be there.
    pub(super) fn require(&self, reader: &mut Reader<'_>, key: &str) -> Option<(String, &'j Json)> {
        let found = self.get(key);
        if found.is_none() && self.is_object {
            reader.fault(&self.path, format!("the key `{key}` is missing"));
        }
        found
    }

    pub(super) fn require_string(&self, reader: &mut Reader<'_>, key: &str) -> Option<String> {
        let (path, json) = self.require(reader, key)?;
        reader.string(&path, json)
    }

    pub(super) fn require_number(&self, reader: &mut Reader<'_>, key: &str) -> Option<u64> {
        let (path, json) = self.require(reader, key)?;
        reader.number(&path, json)
    }

    /// The string under a key; empty when the key is absent.
    pub(super) fn string_or_empty(&self, reader: &mut Reader<'_>, key: &str) -> String {
        let found = self.get(key).and_then(|(path, json)| reader.string(&path, json));
        found.unwrap_or_default()
    }

    /// The names under a key; none when the key is absent.
    pub(super) fn names(&self, reader: &mut Reader<'_>, key: &str) -> Vec<String> {
        self.get(key).map(|(path, json)| reader.names(&path, json)).unwrap_or_default()
    }

    /// The items of the list under a key; none when the key is absent.
    pub(super) fn list(&self, reader: &mut Reader<'_>, key: &str) -> Vec<(String, &'j Json)> {
        self.get(key).map(|(path, json)| reader.list(&path, json)).unwrap_or_default()
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
