//! The parameters of one call, of the types that the description gives them.
//!
//! Only `decode` makes them, so a handler asks by name and finds the described type or nothing. A
//! parameter that the description does not have is a fault of the program, and reads as absent.

use std::collections::BTreeMap;

use super::error::CamError;

/// A parameter's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A whole number.
    Number(u64),
    /// True or false.
    Flag(bool),
    /// A list of values of one type.
    List(Vec<Value>),
    /// A structure.
    Structure(Params),
}

/// The parameters that were given, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Params {
    values: BTreeMap<String, Value>,
}

impl Params {
    pub(super) fn insert(&mut self, name: &str, value: Value) {
        self.values.insert(name.to_owned(), value);
    }

    /// Whether it was given.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// A text, if it was given.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        if let Some(Value::Text(text)) = self.values.get(name) { Some(text) } else { None }
    }

    /// A number, if it was given.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        if let Some(Value::Number(number)) = self.values.get(name) { Some(*number) } else { None }
    }

    /// A boolean, or a number that is 0 or 1, if it was given.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.values.get(name) {
            Some(Value::Flag(flag)) => Some(*flag),
            Some(Value::Number(number)) => Some(*number != 0),
            Some(Value::Text(_) | Value::List(_) | Value::Structure(_)) | None => None,
        }
    }

    fn list(&self, name: &str) -> &[Value] {
        if let Some(Value::List(values)) = self.values.get(name) { values } else { &[] }
    }

    /// The numbers of a list; empty when it was not given.
    #[must_use]
    pub fn numbers(&self, name: &str) -> Vec<u64> {
        let number = |it: &Value| if let Value::Number(it) = it { Some(*it) } else { None };
        self.list(name).iter().filter_map(number).collect()
    }

    /// The texts of a list; empty when it was not given.
    #[must_use]
    pub fn texts(&self, name: &str) -> Vec<&str> {
        self.list(name).iter().filter_map(text_of).collect()
    }

    /// The structures of a list; empty when it was not given.
    pub fn structures(&self, name: &str) -> impl Iterator<Item = &Params> {
        self.list(name)
            .iter()
            .filter_map(|it| if let Value::Structure(params) = it { Some(params) } else { None })
    }

    /// A text that the description requires.
    ///
    /// # Errors
    /// `MissingParameter`.
    pub fn need_text(&self, name: &str) -> Result<&str, CamError> {
        self.text(name).ok_or_else(|| CamError::missing(name))
    }

    /// A number that the description requires.
    ///
    /// # Errors
    /// `MissingParameter`.
    pub fn need_number(&self, name: &str) -> Result<u64, CamError> {
        self.number(name).ok_or_else(|| CamError::missing(name))
    }
}

fn text_of(value: &Value) -> Option<&str> {
    if let Value::Text(text) = value { Some(text) } else { None }
}
