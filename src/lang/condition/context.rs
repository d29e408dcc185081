//! The facts of a request that conditions test.

use std::collections::BTreeMap;
use std::fmt;

use super::key::ConditionKey;
use crate::lang::limits::{
    CONDITION_KEY_BYTES_MAX, CONTEXT_KEYS_MAX, CONTEXT_VALUE_BYTES_MAX, CONTEXT_VALUES_MAX,
};
use crate::lang::number::Number;

/// One value of one key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContextValue {
    /// A string; also addresses, instants and tags.
    Text(String),
    /// A number.
    Number(Number),
    /// A boolean.
    Bool(bool),
}

impl fmt::Display for ContextValue {
    /// The text that string operators see (rule C-23).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::Bool(value) => value.fmt(f),
        }
    }
}

impl From<&str> for ContextValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Where conditions look up a key's values.
pub trait Facts {
    /// The values under a canonical key; none or empty when it is absent (rule C-03).
    fn values(&self, key: &str) -> Option<&[ContextValue]>;
}

/// Why a context is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContextFault {
    /// One key under two names, or twice.
    #[error("context key `{0}` is given twice, perhaps under its other name")]
    Twice(String),
    /// A key that stands for part of another: `qcs:tag/NAME`.
    #[error("context key `{0}` cannot be sent; send `qcs:resource_tag` with values `name&value`")]
    View(String),
    /// Empty, too long or unprintable key.
    #[error(
        "context key `{0}` is empty, unprintable, or over the limit of \
         {CONDITION_KEY_BYTES_MAX} bytes"
    )]
    Key(String),
    /// Too many keys.
    #[error("context has {0} keys, over the limit of {CONTEXT_KEYS_MAX}")]
    Keys(usize),
    /// Too many values under a key.
    #[error("context key `{0}` has {1} values, over the limit of {CONTEXT_VALUES_MAX}")]
    Values(String, usize),
    /// Too long a value.
    #[error(
        "context key `{0}` has a value of {1} bytes, over the limit of {CONTEXT_VALUE_BYTES_MAX}"
    )]
    ValueBytes(String, usize),
}

/// A request's context: canonical keys to one or more values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Context {
    values: BTreeMap<String, Vec<ContextValue>>,
}

impl Context {
    /// An empty context.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key with its values, under its canonical name. An empty list is an absent key.
    ///
    /// # Errors
    /// A key given twice, one that cannot be sent, or a limit exceeded.
    pub fn insert(&mut self, key: &str, values: Vec<ContextValue>) -> Result<(), ContextFault> {
        let parsed = ConditionKey::new(key);
        if key.is_empty()
            || key.len() > CONDITION_KEY_BYTES_MAX
            || key.chars().any(char::is_control)
        {
            return Err(ContextFault::Key(key.chars().take(40).collect()));
        }
        if parsed.tag_name().is_some() {
            return Err(ContextFault::View(key.to_owned()));
        }
        if values.len() > CONTEXT_VALUES_MAX {
            return Err(ContextFault::Values(key.to_owned(), values.len()));
        }
        for value in &values {
            if let ContextValue::Text(text) = value
                && text.len() > CONTEXT_VALUE_BYTES_MAX
            {
                return Err(ContextFault::ValueBytes(key.to_owned(), text.len()));
            }
        }
        if self.values.insert(parsed.canonical().to_owned(), values).is_some() {
            return Err(ContextFault::Twice(key.to_owned()));
        }
        if self.values.len() > CONTEXT_KEYS_MAX {
            return Err(ContextFault::Keys(self.values.len()));
        }
        Ok(())
    }

    /// Whether there are no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The keys and values, in key order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[ContextValue])> {
        self.values.iter().map(|(key, values)| (key.as_str(), values.as_slice()))
    }
}

impl Facts for Context {
    fn values(&self, key: &str) -> Option<&[ContextValue]> {
        self.values.get(key).map(Vec::as_slice)
    }
}
