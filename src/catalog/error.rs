//! What can be wrong with a catalog file.
//!
//! One enum, written for the person who edits the file; `file` is the name that the caller gave.
//! The first fault is reported: a catalog is loaded whole or not at all.

use thiserror::Error;

/// Why a catalog could not be loaded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CatalogError {
    /// The file has more bytes than [`super::limits::CATALOG_BYTES_MAX`].
    #[error("catalog `{file}` has {actual} bytes, the limit is {limit}")]
    FileTooLarge {
        /// The file's name.
        file: String,
        /// Its size in bytes.
        actual: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The file is no JSON, or its members are not those of a catalog.
    #[error("catalog `{file}`, line {line}, column {column}: {message}")]
    Malformed {
        /// The file's name.
        file: String,
        /// Line of the fault, from 1.
        line: usize,
        /// Column of the fault, from 1, in bytes.
        column: usize,
        /// What was found and what was expected.
        message: String,
    },
    /// A list or a text exceeds its limit in [`super::limits`].
    #[error("catalog `{file}`: {what} holds {actual}, the limit is {limit}")]
    TooMany {
        /// The file's name.
        file: String,
        /// Which list or text, and the unit.
        what: String,
        /// How many were found.
        actual: usize,
        /// The limit, in the same unit.
        limit: usize,
    },
    /// A name holds characters that such a name cannot have.
    #[error("catalog `{file}`: {what} `{name}` is not valid; expected {expected}")]
    BadName {
        /// The file's name.
        file: String,
        /// What the name is of.
        what: &'static str,
        /// The name as written.
        name: String,
        /// Which names are accepted.
        expected: &'static str,
    },
    /// A service, action, resource type or action set occurs twice.
    #[error("catalog `{file}`: {what} `{name}` is already described; remove one of the two")]
    Duplicate {
        /// The file's name.
        file: String,
        /// What occurs twice.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// Two actions differ only in case, which rules A-05 and D-18 could not tell apart.
    #[error("catalog `{file}`: actions `{first}` and `{second}` differ only in case; remove one")]
    CaseClash {
        /// The file's name.
        file: String,
        /// The spelling met first.
        first: String,
        /// The other spelling.
        second: String,
    },
    /// A resource template cannot be used.
    #[error(
        "catalog `{file}`: template `{template}` of resource type `{resource_type}`: {message}"
    )]
    BadTemplate {
        /// The file's name.
        file: String,
        /// The type it belongs to.
        resource_type: String,
        /// The template as written.
        template: String,
        /// What is wrong and what was expected.
        message: &'static str,
    },
    /// The members of an action contradict each other.
    #[error("catalog `{file}`: action `{action}` {message}")]
    BadAction {
        /// The file's name.
        file: String,
        /// The action, `service:Name`.
        action: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// An action set names an action that no catalog describes.
    #[error("catalog `{file}`: action set {permid} names `{action}`, which no catalog describes")]
    UnknownInSet {
        /// The file's name.
        file: String,
        /// The set's number.
        permid: u64,
        /// The unknown member.
        action: String,
    },
    /// A text that people read is empty.
    #[error("catalog `{file}`: {what} is empty; write it in both languages")]
    EmptyText {
        /// The file's name.
        file: String,
        /// Which text.
        what: String,
    },
}
