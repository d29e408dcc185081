//! Whether an answer is what the description says: no undeclared field, and the right types.
//!
//! Clients read fields by name and type, so an answer that strays breaks them silently. It must
//! never change an answer.

use serde_json::{Map, Value};

use super::description::{Field, Kind, Service};

/// What is wrong with an answer, one fault each; empty when nothing is.
#[must_use]
pub fn faults(service: &Service, fields: &[Field], answer: &Map<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    members(service, fields, answer, "", &mut found);
    found
}

fn members(
    service: &Service,
    fields: &[Field],
    members: &Map<String, Value>,
    path: &str,
    found: &mut Vec<String>,
) {
    for (name, value) in members {
        let place = format!("{path}{name}");
        match fields.iter().find(|field| field.name == *name) {
            None => found.push(format!("`{place}` is not declared")),
            Some(field) => check(service, field, value, &place, found),
        }
    }
}

fn check(service: &Service, field: &Field, value: &Value, place: &str, found: &mut Vec<String>) {
    match (field.list, value) {
        (_, Value::Null) if field.null => {}
        (true, Value::Array(items)) => {
            for item in items {
                check_one(service, field, item, place, found);
            }
        }
        (true, _) => found.push(format!("`{place}` must be a list")),
        (false, value) => check_one(service, field, value, place, found),
    }
}

fn check_one(
    service: &Service,
    field: &Field,
    value: &Value,
    place: &str,
    found: &mut Vec<String>,
) {
    let fits = match (&field.kind, value) {
        (Kind::String, Value::String(_)) | (Kind::Boolean, Value::Bool(_)) => true,
        (Kind::Integer, Value::Number(number)) => number.is_u64(),
        (Kind::Structure(name), Value::Object(inner)) => {
            let fields = service.structure(name).map(|it| it.fields.as_slice());
            members(service, fields.unwrap_or_default(), inner, &format!("{place}."), found);
            true
        }
        _ => false,
    };
    if !fits {
        found.push(format!("`{place}` must be a {:?}", field.kind));
    }
}
