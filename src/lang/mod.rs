//! The policy language (floor 0): names, patterns, conditions, documents, findings.
//!
//! Pure: values in, values out. No I/O, async, clock or log. It stands at the start of the flow:
//! bytes become a `PolicyDocument`, a `PolicyDocument` becomes a `ValidPolicy`.

pub mod action;
mod chars;
pub mod condition;
pub mod diagnostic;
pub mod document;
mod findings;
pub mod format;
pub mod hex;
pub mod id;
mod json;
pub mod limits;
pub mod lint;
pub mod number;
pub mod parse;
pub mod pattern;
pub mod principal;
pub mod resource;
pub mod schema;
#[cfg(test)]
mod test_vocabulary;
pub mod valid;
pub mod validate;
pub mod variable;
pub mod vocabulary;

pub use format::{digest, format};
pub use parse::{Parsed, parse};
pub use schema::schema;
pub use validate::{Checked, check, load, load_as};
