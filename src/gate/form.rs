//! The parameters of an HTTP request as a tree: a JSON body, or a query as the official clients
//! write it (`List.0`, `Structure.Field`).
//!
//! One reading only: a member that occurs twice is refused, because the service behind might take
//! the other one. It must never give a value another type than it came with. First step of every
//! protocol over HTTP.

use std::collections::BTreeMap;
use std::fmt;

use percent_encoding::percent_decode;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

/// Most parameters of a query.
pub const QUERY_PAIRS_MAX: usize = 1_000;
/// Most levels in the name of a query's parameter: `Info.0.GroupId` has three.
pub const QUERY_LEVELS_MAX: usize = 6;
/// Longest excerpt of a caller's text in a message, in characters.
const EXCERPT_CHARS_MAX: usize = 64;

/// The members of an object, or the parameters of a query, by name.
pub type Members = BTreeMap<String, FormValue>;

/// A value as it came. In a query all are texts, or members by level.
#[derive(Debug, Clone, PartialEq)]
pub enum FormValue {
    /// `null`.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<FormValue>),
    /// An object, each member once.
    Members(Members),
}

impl From<String> for FormValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// Why parameters cannot be read in one way only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormFault {
    /// The body is no JSON, nested too deep, or has a member twice.
    #[error("the body must be a JSON object: {0}")]
    NotJson(String),
    /// The body is JSON of another kind.
    #[error("the body must be a JSON object")]
    NotAnObject,
    /// Too many parameters.
    #[error("the query has more than {QUERY_PAIRS_MAX} parameters")]
    TooMany,
    /// A parameter comes twice, or in two shapes.
    #[error("the parameter `{0}` is there twice, or as a value and as a structure")]
    Twice(String),
    /// A parameter whose bytes are no text.
    #[error("`{0}` in the query is not valid UTF-8")]
    NotUtf8(String),
}

/// Reads a body. Nothing at all counts as an empty object. serde_json bounds the depth.
///
/// # Errors
/// [`FormFault::NotJson`] or [`FormFault::NotAnObject`].
pub fn read_json(bytes: &[u8]) -> Result<Members, FormFault> {
    if bytes.trim_ascii().is_empty() {
        return Ok(Members::new());
    }
    match serde_json::from_slice(bytes) {
        Ok(FormValue::Members(members)) => Ok(members),
        Ok(_) => Err(FormFault::NotAnObject),
        Err(error) => Err(FormFault::NotJson(error.to_string())),
    }
}

/// Reads a query without its `?`, still encoded.
///
/// # Errors
/// [`FormFault::TooMany`], [`FormFault::Twice`] or [`FormFault::NotUtf8`].
pub fn read_query(query: &str) -> Result<Members, FormFault> {
    let mut members = Members::new();
    for (index, pair) in query.split('&').filter(|pair| !pair.is_empty()).enumerate() {
        if index >= QUERY_PAIRS_MAX {
            return Err(FormFault::TooMany);
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (unescape(name)?, unescape(value)?);
        let levels: Vec<&str> = name.split('.').collect();
        if levels.len() > QUERY_LEVELS_MAX || !put(&mut members, &levels, value) {
            return Err(FormFault::Twice(excerpt(&name)));
        }
    }
    Ok(members)
}

/// A caller's text as it may stand in a message: cut, and with nothing unprintable.
#[must_use]
pub fn excerpt(text: &str) -> String {
    text.escape_debug().take(EXCERPT_CHARS_MAX).collect()
}

/// Puts a value at its place; false when the place is taken.
fn put(members: &mut Members, levels: &[&str], value: String) -> bool {
    let Some((first, rest)) = levels.split_first() else { return false };
    if rest.is_empty() {
        return members.insert((*first).to_owned(), FormValue::Text(value)).is_none();
    }
    let below = members.entry((*first).to_owned());
    match below.or_insert_with(|| FormValue::Members(Members::new())) {
        FormValue::Members(members) => put(members, rest, value),
        FormValue::Null
        | FormValue::Flag(_)
        | FormValue::Number(_)
        | FormValue::Text(_)
        | FormValue::List(_) => false,
    }
}

fn unescape(text: &str) -> Result<String, FormFault> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode(spaced.as_bytes()).decode_utf8();
    decoded.map(Into::into).map_err(|_| FormFault::NotUtf8(excerpt(text)))
}

impl<'de> Deserialize<'de> for FormValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FormVisitor)
    }
}

struct FormVisitor;

impl<'de> Visitor<'de> for FormVisitor {
    type Value = FormValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<FormValue, E> {
        Ok(FormValue::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<FormValue, E> {
        Ok(FormValue::Flag(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<FormValue, E> {
        Ok(FormValue::Number(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<FormValue, E> {
        Ok(FormValue::Number(number.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<FormValue, E> {
        let number = Number::from_f64(number).ok_or_else(|| E::custom("a number is not finite"))?;
        Ok(FormValue::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<FormValue, E> {
        Ok(FormValue::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<FormValue, E> {
        Ok(FormValue::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<FormValue, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(FormValue::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<FormValue, A::Error> {
        let mut members = Members::new();
        while let Some((name, value)) = access.next_entry::<String, FormValue>()? {
            let place = excerpt(&name);
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom(format!("the member `{place}` occurs twice")));
            }
        }
        Ok(FormValue::Members(members))
    }
}
