//! From what a client sent to typed parameters: a JSON body, or a query as the official clients
//! write it (`List.0`, `Structure.Field`).
//!
//! Follows the description and nothing else. What is unknown, missing, of the wrong type, out of
//! range or there twice is refused, with the parameter's path. Values are read strictly, with one
//! leniency that the official samples need: whole numbers may come as text.

use std::collections::BTreeMap;
use std::fmt;

use percent_encoding::percent_decode;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::description::{Action, Field, Kind, Service};
use super::error::CamError;
use super::params::{Params, Value};

/// Most parameters of a query.
const QUERY_PAIRS_MAX: usize = 1_000;
/// Most levels in the name of a query's parameter: `Info.0.GroupId` has three.
const QUERY_LEVELS_MAX: usize = 6;
/// Longest excerpt of a caller's text in a message, in characters.
const EXCERPT_CHARS_MAX: usize = 64;

/// How the parameters came.
#[derive(Debug, Clone, Copy)]
pub enum Form<'a> {
    /// A JSON object; nothing at all counts as an empty one.
    Json(&'a [u8]),
    /// A query, still encoded.
    Query(&'a str),
}

/// A value as it came.
#[derive(Debug, Clone, PartialEq)]
enum Raw {
    Null,
    Flag(bool),
    /// None: no whole number from 0 to 2^64-1.
    Number(Option<u64>),
    Text(String),
    List(Vec<Raw>),
    Members(BTreeMap<String, Raw>),
}

/// The parameters of a call.
///
/// # Errors
/// `InvalidParameter`, `InvalidParameterValue`, `MissingParameter` or `UnknownParameter`, or the
/// code that the description names for a value.
pub fn decode(service: &Service, action: &Action, form: Form<'_>) -> Result<Params, CamError> {
    let (members, is_query) = match form {
        Form::Json(bytes) => (read_json(bytes)?, false),
        Form::Query(query) => (read_query(query)?, true),
    };
    let decoder = Decoder { service, is_query };
    let params = decoder.fields(&action.request, members, "")?;
    for group in &action.any_of {
        if !group.iter().any(|name| params.has(name)) {
            let message = format!("one of the parameters `{}` is needed", group.join("`, `"));
            return Err(CamError::new("MissingParameter", message));
        }
    }
    for group in &action.one_of {
        if group.iter().filter(|name| params.has(name)).count() != 1 {
            let names = group.join("`, `");
            let message = format!("exactly one of the parameters `{names}` is needed");
            return Err(CamError::new("InvalidParameter.ParamError", message));
        }
    }
    Ok(params)
}

struct Decoder<'a> {
    service: &'a Service,
    is_query: bool,
}

impl Decoder<'_> {
    fn fields(
        &self,
        fields: &[Field],
        mut members: BTreeMap<String, Raw>,
        path: &str,
    ) -> Result<Params, CamError> {
        let mut params = Params::default();
        for field in fields {
            let place = join(path, &field.name);
            match members.remove(&field.name) {
                None | Some(Raw::Null) if field.required => return Err(CamError::missing(&place)),
                None | Some(Raw::Null) => {}
                Some(raw) => params.insert(&field.name, self.field(field, raw, &place)?),
            }
        }
        match members.keys().next() {
            None => Ok(params),
            Some(name) => {
                let place = excerpt(&join(path, name));
                let message = format!("the parameter `{place}` is not known: leave it out");
                Err(CamError::new("UnknownParameter", message))
            }
        }
    }

    fn field(&self, field: &Field, raw: Raw, path: &str) -> Result<Value, CamError> {
        if !field.list {
            return self.value(field, raw, path);
        }
        let items = match raw {
            Raw::List(items) => items,
            Raw::Members(members) if self.is_query => numbered(members, path)?,
            Raw::Null | Raw::Flag(_) | Raw::Number(_) | Raw::Text(_) | Raw::Members(_) => {
                return Err(CamError::bad_type(path, "a list"));
            }
        };
        if let Some(max) = field.max_items
            && items.len() > max
        {
            let problem = format!("has {} items, at most {max} are accepted", items.len());
            return Err(CamError::bad_value(path, problem));
        }
        let item = |(index, raw)| self.value(field, raw, &format!("{path}.{index}"));
        items.into_iter().enumerate().map(item).collect::<Result<_, _>>().map(Value::List)
    }

    fn value(&self, field: &Field, raw: Raw, path: &str) -> Result<Value, CamError> {
        match (&field.kind, raw) {
            (Kind::String, Raw::Text(text)) => accepted_text(field, text, path),
            (Kind::String, _) => Err(CamError::bad_type(path, "a text")),
            (Kind::Integer, Raw::Number(Some(number))) => accepted_number(field, number, path),
            (Kind::Integer, Raw::Text(text)) => match whole_number(&text) {
                Some(number) => accepted_number(field, number, path),
                None => Err(CamError::bad_type(path, WHOLE_NUMBER)),
            },
            (Kind::Integer, _) => Err(CamError::bad_type(path, WHOLE_NUMBER)),
            (Kind::Boolean, Raw::Flag(flag)) => Ok(Value::Flag(flag)),
            (Kind::Boolean, Raw::Text(text)) => match text.as_str() {
                "true" | "True" => Ok(Value::Flag(true)),
                "false" | "False" => Ok(Value::Flag(false)),
                _ => Err(CamError::bad_type(path, "`true` or `false`")),
            },
            (Kind::Boolean, _) => Err(CamError::bad_type(path, "`true` or `false`")),
            (Kind::Structure(name), Raw::Members(members)) => {
                let fields = self.service.structure(name).map(|it| it.fields.as_slice());
                self.fields(fields.unwrap_or_default(), members, path).map(Value::Structure)
            }
            (Kind::Structure(_), _) => Err(CamError::bad_type(path, "an object")),
        }
    }
}

const WHOLE_NUMBER: &str = "a whole number from 0 up";

/// Digits only: no sign, no blanks, no point.
fn whole_number(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn accepted_number(field: &Field, number: u64, path: &str) -> Result<Value, CamError> {
    let (min, max) = (field.min.unwrap_or(0), field.max.unwrap_or(u64::MAX));
    if (min..=max).contains(&number) {
        return Ok(Value::Number(number));
    }
    let problem = format!("is {number}, accepted are {min} to {max}");
    Err(refused(field, CamError::bad_value(path, problem)))
}

fn accepted_text(field: &Field, text: String, path: &str) -> Result<Value, CamError> {
    if field.values.is_empty() || field.values.contains(&text) {
        return Ok(Value::Text(text));
    }
    let accepted = field.values.join("`, `");
    let problem = format!("is `{}`, accepted are `{accepted}`", excerpt(&text));
    Err(refused(field, CamError::bad_value(path, problem)))
}

/// The field's own code, where it has one.
fn refused(field: &Field, error: CamError) -> CamError {
    match &field.error {
        Some(code) => CamError { code: code.clone().into(), ..error },
        None => error,
    }
}

/// The items of a list that came as `0`, `1`, ... without a gap.
fn numbered(mut members: BTreeMap<String, Raw>, path: &str) -> Result<Vec<Raw>, CamError> {
    let mut items = Vec::with_capacity(members.len());
    while let Some(raw) = members.remove(&items.len().to_string()) {
        items.push(raw);
    }
    if members.is_empty() {
        return Ok(items);
    }
    Err(CamError::bad_type(path, "a list: number its items from 0, without a gap"))
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn excerpt(text: &str) -> String {
    text.escape_debug().take(EXCERPT_CHARS_MAX).collect()
}

fn read_json(bytes: &[u8]) -> Result<BTreeMap<String, Raw>, CamError> {
    if bytes.trim_ascii().is_empty() {
        return Ok(BTreeMap::new());
    }
    match serde_json::from_slice(bytes) {
        Ok(Raw::Members(members)) => Ok(members),
        Ok(_) => Err(CamError::new("InvalidParameter", "the body must be a JSON object")),
        Err(error) => {
            let message = format!("the body must be a JSON object: {error}");
            Err(CamError::new("InvalidParameter", message))
        }
    }
}

/// serde_json bounds the depth; members that occur twice are refused here.
impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Raw, E> {
        Ok(Raw::Flag(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Raw, E> {
        Ok(Raw::Number(Some(number)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Raw, E> {
        Ok(Raw::Number(u64::try_from(number).ok()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Number(None))
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, value)) = access.next_entry::<String, Raw>()? {
            let place = excerpt(&name);
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom(format!("the member `{place}` occurs twice")));
            }
        }
        Ok(Raw::Members(members))
    }
}

fn read_query(query: &str) -> Result<BTreeMap<String, Raw>, CamError> {
    let mut members = BTreeMap::new();
    for (index, pair) in query.split('&').filter(|pair| !pair.is_empty()).enumerate() {
        if index >= QUERY_PAIRS_MAX {
            let message = format!("the query has more than {QUERY_PAIRS_MAX} parameters");
            return Err(CamError::new("RequestSizeLimitExceeded", message));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (unescape(name)?, unescape(value)?);
        let levels: Vec<&str> = name.split('.').collect();
        if levels.len() > QUERY_LEVELS_MAX || !put(&mut members, &levels, value) {
            let place = excerpt(&name);
            let message =
                format!("the parameter `{place}` is there twice, or as a value and as a structure");
            return Err(CamError::new("InvalidParameter", message));
        }
    }
    Ok(members)
}

/// Puts a value at its place; false when the place is taken.
fn put(members: &mut BTreeMap<String, Raw>, levels: &[&str], value: String) -> bool {
    let Some((first, rest)) = levels.split_first() else { return false };
    if rest.is_empty() {
        return members.insert((*first).to_owned(), Raw::Text(value)).is_none();
    }
    let below = members.entry((*first).to_owned());
    match below.or_insert_with(|| Raw::Members(BTreeMap::new())) {
        Raw::Members(members) => put(members, rest, value),
        Raw::Null | Raw::Flag(_) | Raw::Number(_) | Raw::Text(_) | Raw::List(_) => false,
    }
}

fn unescape(text: &str) -> Result<String, CamError> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode(spaced.as_bytes()).decode_utf8();
    decoded.map(Into::into).map_err(|_| {
        let message = format!("`{}` in the query is not valid UTF-8", excerpt(text));
        CamError::new("InvalidParameter", message)
    })
}
