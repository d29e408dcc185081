//! The checks, each from one file's path and text to its faults. They read nothing themselves.

use super::floors::{Row, may_import};
use crate::support::source::{Source, Token, functions, starts};

/// Longest file, in lines.
pub(crate) const FILE_LINES_MAX: usize = 800;
/// Longest function, in lines.
pub(crate) const FUNCTION_LINES_MAX: usize = 70;
/// Longest line, in characters.
pub(crate) const LINE_COLUMNS_MAX: usize = 100;

/// A fault: which check, in which file, and what. An exception names check, file and `what`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fault {
    /// The check's name.
    pub(crate) check: &'static str,
    /// The file.
    pub(crate) file: String,
    /// The offending word; the same wherever in the file it stands.
    pub(crate) what: String,
    /// The line, from 1.
    pub(crate) line: usize,
}

/// A Rust file of the repository.
#[derive(Debug)]
pub(crate) struct RustFile {
    path: String,
    text: String,
    source: Source,
}

/// What may not stand on floors 0 and 1 (style: time is an input, values in and values out).
const BANNED: &[&[&str]] = &[
    &["async"],
    &["await"],
    &["tokio"],
    &["tonic"],
    &["prost"],
    &["tracing"],
    &["sled"],
    &["dashmap"],
    &["etcd_client"],
    &["rand"],
    &["std", "::", "fs"],
    &["std", "::", "io"],
    &["std", "::", "env"],
    &["std", "::", "process"],
    &["std", "::", "thread"],
    &["std", "::", "time"],
    &["TcpStream"],
    &["UdpSocket"],
    &["Instant", "::", "now"],
    &["SystemTime", "::", "now"],
    &["Timestamp", "::", "now"],
    &["Zoned", "::", "now"],
    &["println"],
    &["eprintln"],
    &["Mutex"],
    &["RwLock"],
    &["static", "mut"],
];

/// How a `tonic::Status` is made; only the one table does (style rule 6).
const STATUS_MAKERS: &[&str] = &[
    "new",
    "with_details",
    "with_details_and_metadata",
    "ok",
    "cancelled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
    "from_error",
];

impl RustFile {
    /// Reads a file. Files below `tests/`, and `tests.rs` and `tests/` below `src/`, are test code.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let source = if is_test_path(path) { Source::read_test(text) } else { Source::read(text) };
        Self { path: path.to_owned(), text: text.to_owned(), source }
    }

    fn fault(&self, check: &'static str, what: impl Into<String>, line: usize) -> Fault {
        Fault { check, file: self.path.clone(), what: what.into(), line }
    }

    /// The path in the repository.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The top-level module that the file belongs to; none outside `src/` and for `lib.rs`.
    pub(crate) fn module(&self) -> Option<&str> {
        let first = self.path.strip_prefix("src/")?.split('/').next()?;
        let module = first.strip_suffix(".rs").unwrap_or(first);
        (module != "lib").then_some(module)
    }

    /// Whether `super` in this file means the crate's root.
    fn is_top(&self) -> bool {
        let inner = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let depth = inner.matches('/').count();
        depth == 0 || (depth == 1 && inner.ends_with("/mod.rs"))
    }

    /// Everything that is wrong with the file.
    pub(crate) fn faults(&self, table: &[Row]) -> Vec<Fault> {
        let mut faults = self.shape();
        faults.extend(self.edges(table));
        faults.extend(self.double_super());
        faults.extend(self.impurities(table));
        faults.extend(self.status_and_env());
        faults.extend(self.test_manners());
        faults
    }

    /// Opens with its contract; no overlong file, function or line.
    fn shape(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if !self.text.starts_with("//!") {
            faults.push(self.fault("opens with //!", "", 1));
        }
        let lines = self.text.lines().count();
        if lines > FILE_LINES_MAX {
            faults.push(self.fault("file length", format!("{lines} lines"), lines));
        }
        for (index, line) in self.text.lines().enumerate() {
            let columns = line.chars().count();
            // The data of tests is text that reads best in one piece.
            let is_test = self.source.test_lines.get(index).copied().unwrap_or(false);
            let is_data = is_test && line.contains('"') && !line.trim_start().starts_with("//");
            if columns > LINE_COLUMNS_MAX && !is_data {
                faults.push(self.fault("line length", format!("{columns} columns"), index + 1));
            }
        }
        for tokens in [&self.source.product, &self.source.test] {
            for (name, line, lines) in functions(tokens) {
                if lines > FUNCTION_LINES_MAX {
                    faults.push(self.fault("function length", name, line));
                }
            }
        }
        faults
    }

    /// Every import of another top-level module stands in the table.
    fn edges(&self, table: &[Row]) -> Vec<Fault> {
        let Some(from) = self.module() else { return Vec::new() };
        let mut faults = Vec::new();
        if !table.iter().any(|row| row.module == from) {
            faults.push(self.fault("floors", format!("`{from}` is not in the table"), 1));
        }
        for (to, line) in self.imports() {
            if !may_import(table, from, &to) {
                faults.push(self.fault("floors", format!("{from} -> {to}"), line));
            }
        }
        faults
    }

    /// The top-level modules that product code names, with lines.
    fn imports(&self) -> Vec<(String, usize)> {
        let tokens = &self.source.product;
        let mut found = Vec::new();
        for at in 0..tokens.len() {
            // `pub(crate)` is no path; the binary calls the library by its name.
            let is_root = matches!(tokens[at].text.as_str(), "crate")
                || (tokens[at].text == "camgate" && self.path == "src/main.rs")
                || (tokens[at].text == "super" && self.is_top());
            if is_root && starts(&tokens[at + 1..], &["::"]) {
                found.extend(first_names(&tokens[at + 2..]));
            }
        }
        found
    }

    /// `super::super` could step around the table.
    fn double_super(&self) -> Vec<Fault> {
        let tokens = &self.source.product;
        let steps = (0..tokens.len()).filter(|at| {
            starts(&tokens[*at..], &["super", "::"])
                && first_names(&tokens[at + 2..]).iter().any(|(name, _)| name == "super")
        });
        steps.map(|at| self.fault("super::super", "", tokens[at].line)).collect()
    }

    /// Floors 0 and 1 are pure.
    fn impurities(&self, table: &[Row]) -> Vec<Fault> {
        let floor = table.iter().find(|row| Some(row.module) == self.module());
        if floor.is_none_or(|row| row.floor > 1) {
            return Vec::new();
        }
        let mut faults = Vec::new();
        for words in BANNED {
            for (at, token) in self.source.product.iter().enumerate() {
                if starts(&self.source.product[at..], words) {
                    faults.push(self.fault("pure floors", words.concat(), token.line));
                }
            }
        }
        faults
    }

    /// A status is made in one file, the environment is read in one file.
    fn status_and_env(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let tokens = &self.source.product;
        for (at, token) in tokens.iter().enumerate() {
            let maker = tokens.get(at + 2).map_or("", |token| &token.text);
            let makes = starts(&tokens[at..], &["Status", "::"]) && STATUS_MAKERS.contains(&maker);
            if makes && self.path != "src/service/status.rs" {
                faults.push(self.fault("one status table", format!("Status::{maker}"), token.line));
            }
            let reads = starts(&tokens[at..], &["env", "::"])
                && matches!(maker, "var" | "var_os" | "vars" | "vars_os");
            if reads && self.module() != Some("config") {
                let what = format!("env::{maker}");
                faults.push(self.fault("one reader of settings", what, token.line));
            }
        }
        faults
    }

    /// No test is left out, and none waits for a length of time.
    fn test_manners(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let tokens = &self.source.test;
        for (at, token) in tokens.iter().enumerate() {
            if starts(&tokens[at..], &["#", "[", "ignore"]) {
                faults.push(self.fault("ignored test", "", token.line));
            }
            let sleeps = ["thread", "time"]
                .iter()
                .any(|module| starts(&tokens[at..], &[module, "::", "sleep"]));
            if sleeps {
                faults.push(self.fault("sleep in a test", "", token.line));
            }
        }
        faults
    }

    /// Whether product code names a third-party crate at the root of a path.
    pub(crate) fn uses_crate(&self, name: &str) -> bool {
        let tokens = &self.source.product;
        (0..tokens.len()).any(|at| {
            let back = |by| at.checked_sub(by).map_or("", |before| &*tokens[before].text);
            let before = back(1);
            // `a::sled::b` is a module of ours, `::sled::b` is the crate.
            let is_word = |text: &str| text.ends_with(|c: char| c == '_' || c.is_alphanumeric());
            let inner = before == "::" && (is_word(back(2)) || back(2) == ">");
            let path = starts(&tokens[at..], &[name, "::"]) && !inner;
            path || (before == "use" && tokens[at].text == name)
        })
    }

    /// The names of `tests` modules in files of their own that are not under `#[cfg(test)]`.
    pub(crate) fn loose_tests(&self) -> Vec<Fault> {
        let tokens = &self.source.product;
        let loose = (0..tokens.len()).filter(|at| starts(&tokens[*at..], &["mod", "tests", ";"]));
        loose.map(|at| self.fault("tests under cfg(test)", "", tokens[at].line)).collect()
    }
}

/// Whether a file is test code as a whole.
fn is_test_path(path: &str) -> bool {
    path.starts_with("tests/") || path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// The first name of a path, or of each path of a group: `a::b` and `{a::b, c}` after `crate::`.
fn first_names(tokens: &[Token]) -> Vec<(String, usize)> {
    if !starts(tokens, &["{"]) {
        return tokens.first().map(|token| (token.text.clone(), token.line)).into_iter().collect();
    }
    let mut found = Vec::new();
    let (mut depth, mut fresh) = (0_usize, true);
    for token in tokens {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 1 => fresh = true,
            name if depth == 1 && fresh => {
                found.push((name.to_owned(), token.line));
                fresh = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    found
}
