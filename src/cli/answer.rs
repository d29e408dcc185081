//! What a command answers: an exit status, JSON for programs, text for people; and errors.
//!
//! Commands build values and never print; `cli::run` prints. So every command has both forms, and
//! tests read them without a terminal.

use std::error::Error as _;

use comfy_table::{ContentArrangement, Table};
use serde_json::{Value, json};

/// The exit status of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExitStatus {
    /// 0: allowed, or done, or nothing found.
    #[default]
    Fine,
    /// 1: denied, or findings, or differences.
    Denied,
    /// 2: the command or the request is wrong as it stands.
    Usage,
    /// 3: there is no answer: server away, unreadable file.
    CannotTell,
}

impl ExitStatus {
    /// The number given to the system.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Denied => 1,
            Self::Usage => 2,
            Self::CannotTell => 3,
        }
    }
}

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Tables and sentences for people.
    Table,
    /// One JSON value for programs; a stream prints one per line.
    Json,
}

/// The answer of one command, in both forms.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The exit status.
    pub status: ExitStatus,
    /// For programs.
    pub json: Value,
    /// For people; lines without the last line break.
    pub text: String,
}

impl Answer {
    /// A fine answer.
    #[must_use]
    pub fn new(json: Value, text: impl Into<String>) -> Self {
        Self { status: ExitStatus::Fine, json, text: text.into() }
    }

    /// The same answer with `status`.
    #[must_use]
    pub fn with_status(mut self, status: ExitStatus) -> Self {
        self.status = status;
        self
    }
}

/// Why a command has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The command line or a setting is wrong.
    #[error("{0}")]
    Usage(String),
    /// Something needed could not be read or reached.
    #[error("{0}")]
    CannotTell(String),
    /// The server refused; see `client` for how it is shown.
    #[error("{}", .0.message())]
    Refused(Box<tonic::Status>),
    /// The output could not be written.
    #[error("cannot write the answer: {0}")]
    Output(#[from] std::io::Error),
}

impl From<tonic::Status> for CliError {
    fn from(status: tonic::Status) -> Self {
        let cause = status.source();
        if cause.is_some_and(|cause| cause.is::<tonic::transport::Error>()) {
            return Self::CannotTell(format!(
                "the connection to the server failed ({}); a server with a certificate is asked \
                 at `https://`, and one that wants the client's too closes the connection without \
                 it: `certificate_file` and `key_file` of `[client]`",
                status.message()
            ));
        }
        Self::Refused(Box::new(status))
    }
}

/// A table with a header row; columns keep their content's width, however wide its characters.
#[must_use]
pub fn table(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.to_vec());
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// The page of a list that has no rows says so in words.
#[must_use]
pub fn table_or(nothing: &str, header: &[&str], rows: Vec<Vec<String>>) -> String {
    if rows.is_empty() { nothing.to_owned() } else { table(header, rows) }
}

/// An error as JSON, without the details that only a server gives.
#[must_use]
pub fn error_json(code: &str, message: &str) -> Value {
    json!({ "error": { "code": code, "message": message } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_aligns_wide_characters() {
        let rows = vec![
            vec!["运营只读".to_owned(), "1".to_owned()],
            vec!["ops".to_owned(), "2".to_owned()],
        ];
        assert_eq!(table(&["NAME", "ID"], rows), "NAME      ID\n运营只读  1\nops       2");
    }
}
