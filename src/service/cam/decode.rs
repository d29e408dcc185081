//! From what a client sent to typed parameters: a JSON body, or a query as the official clients
//! write it (`List.0`, `Structure.Field`).
//!
//! Follows the description and nothing else. What is unknown, missing, of the wrong type, out of
//! range or there twice is refused, with the parameter's path. Values are read strictly, with one
//! leniency that the official samples need: whole numbers may come as text.

use super::description::{Action, Field, Kind, Service};
use super::error::CamError;
use super::params::{Params, Value};
use crate::gate::form::{FormFault, FormValue, Members, excerpt, read_json, read_query};

/// How the parameters came.
#[derive(Debug, Clone, Copy)]
pub enum Form<'a> {
    /// A JSON object; nothing at all counts as an empty one.
    Json(&'a [u8]),
    /// A query, still encoded.
    Query(&'a str),
}

/// The parameters of a call.
///
/// # Errors
/// `InvalidParameter`, `InvalidParameterValue`, `MissingParameter` or `UnknownParameter`, or the
/// code that the description names for a value.
pub fn decode(service: &Service, action: &Action, form: Form<'_>) -> Result<Params, CamError> {
    let (members, is_query) = match form {
        Form::Json(bytes) => (read_json(bytes).map_err(refuse_form)?, false),
        Form::Query(query) => (read_query(query).map_err(refuse_form)?, true),
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
        mut members: Members,
        path: &str,
    ) -> Result<Params, CamError> {
        let mut params = Params::default();
        for field in fields {
            let place = join(path, &field.name);
            match members.remove(&field.name) {
                None | Some(FormValue::Null) if field.required => {
                    return Err(CamError::missing(&place));
                }
                None | Some(FormValue::Null) => {}
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

    fn field(&self, field: &Field, raw: FormValue, path: &str) -> Result<Value, CamError> {
        if !field.list {
            return self.value(field, raw, path);
        }
        let items = match raw {
            FormValue::List(items) => items,
            FormValue::Members(members) if self.is_query => numbered(members, path)?,
            FormValue::Null
            | FormValue::Flag(_)
            | FormValue::Number(_)
            | FormValue::Text(_)
            | FormValue::Members(_) => {
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

    fn value(&self, field: &Field, raw: FormValue, path: &str) -> Result<Value, CamError> {
        match (&field.kind, raw) {
            (Kind::String, FormValue::Text(text)) => accepted_text(field, text, path),
            (Kind::String, _) => Err(CamError::bad_type(path, "a text")),
            (Kind::Integer, FormValue::Number(number)) => match number.as_u64() {
                Some(number) => accepted_number(field, number, path),
                None => Err(CamError::bad_type(path, WHOLE_NUMBER)),
            },
            (Kind::Integer, FormValue::Text(text)) => match whole_number(&text) {
                Some(number) => accepted_number(field, number, path),
                None => Err(CamError::bad_type(path, WHOLE_NUMBER)),
            },
            (Kind::Integer, _) => Err(CamError::bad_type(path, WHOLE_NUMBER)),
            (Kind::Boolean, FormValue::Flag(flag)) => Ok(Value::Flag(flag)),
            (Kind::Boolean, FormValue::Text(text)) => match text.as_str() {
                "true" | "True" => Ok(Value::Flag(true)),
                "false" | "False" => Ok(Value::Flag(false)),
                _ => Err(CamError::bad_type(path, "`true` or `false`")),
            },
            (Kind::Boolean, _) => Err(CamError::bad_type(path, "`true` or `false`")),
            (Kind::Structure(name), FormValue::Members(members)) => {
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
fn numbered(mut members: Members, path: &str) -> Result<Vec<FormValue>, CamError> {
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

fn refuse_form(fault: FormFault) -> CamError {
    let code = match fault {
        FormFault::TooMany => "RequestSizeLimitExceeded",
        FormFault::NotJson(_)
        | FormFault::NotAnObject
        | FormFault::Twice(_)
        | FormFault::NotUtf8(_) => "InvalidParameter",
    };
    CamError::new(code, fault.to_string())
}
