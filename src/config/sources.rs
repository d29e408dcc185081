//! Where each setting was set: a line of the file, a variable of the environment, a flag.
//!
//! Messages about settings name the keys that they are about in backticks, before any advice; here
//! they get the place in front, so that whoever reads one knows what to edit. It must never change
//! a value. The only user of `toml_edit`, which keeps the places that figment drops.

use std::collections::{BTreeMap, BTreeSet};

use toml_edit::{ImDocument, Item, TableLike, TomlError};

use super::InvalidSettings;

/// What begins the advice of a message; keys behind it are not those that are at fault.
const ADVICE: [&str; 2] = ["; ", ", expected "];

/// The places of all settings that are not defaults.
#[derive(Debug, Default)]
pub(super) struct Sources {
    file: String,
    /// By key, levels joined by dots.
    lines: BTreeMap<String, usize>,
    variables: BTreeMap<String, String>,
    flags: BTreeSet<String>,
}

impl Sources {
    /// Notes the lines of a file.
    ///
    /// # Errors
    /// When it is no TOML, with the line.
    pub(super) fn add_file(&mut self, name: &str, text: &str) -> Result<(), InvalidSettings> {
        let document = ImDocument::parse(text).map_err(|error| not_toml(name, text, &error))?;
        self.file = name.to_owned();
        self.add_table(text, "", document.as_table());
        Ok(())
    }

    fn add_table(&mut self, text: &str, prefix: &str, table: &dyn TableLike) {
        for (name, item) in table.iter() {
            let key = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
            let span = table.key(name).and_then(toml_edit::Key::span).or_else(|| item.span());
            if let Some(span) = span {
                self.lines.insert(key.clone(), place(text, span.start).0);
            }
            self.add_item(text, &key, item);
        }
    }

    fn add_item(&mut self, text: &str, key: &str, item: &Item) {
        if let Some(table) = item.as_table_like() {
            self.add_table(text, key, table);
        }
        // `[[gate.routes]]` and its like: each table by its number, as figment's paths have it.
        for (at, table) in item.as_array_of_tables().into_iter().flatten().enumerate() {
            let key = format!("{key}.{at}");
            if let Some(span) = table.span() {
                self.lines.insert(key.clone(), place(text, span.start).0);
            }
            self.add_table(text, &key, table);
        }
    }

    /// Notes a variable.
    pub(super) fn add_variable(&mut self, key: &str, name: &str) {
        self.variables.insert(key.to_owned(), name.to_owned());
    }

    /// Notes a flag.
    pub(super) fn add_flag(&mut self, key: &str) {
        self.flags.insert(key.to_owned());
    }

    /// The same error with the places of the keys that it is about.
    pub(super) fn placed(&self, InvalidSettings(text): InvalidSettings) -> InvalidSettings {
        let end = ADVICE.iter().filter_map(|advice| text.find(advice)).min();
        let about = end.and_then(|end| text.get(..end)).unwrap_or(&text);
        // Every second part stands between backticks.
        let quoted = || about.split('`').skip(1).step_by(2).map(|it| it.trim_matches(['[', ']']));
        let mut places: Vec<String> = quoted().filter_map(|key| self.place_of(key)).collect();
        if places.is_empty() {
            // In an array that is a value, say: of the nearest level above that has a place.
            places.extend(quoted().find_map(|key| self.place_above(key)));
        }
        places.dedup();
        if places.is_empty() {
            return InvalidSettings(text);
        }
        InvalidSettings(format!("{}: {text}", places.join(", ")))
    }

    /// The place that counts: the one that wins.
    fn place_of(&self, key: &str) -> Option<String> {
        if self.flags.contains(key) {
            return Some(format!("--{}", key.replace('_', "-")));
        }
        let below = format!("{key}.");
        let mut variables = self.variables.iter();
        // A variable of a level below puts a table where `key` wants a value.
        if let Some((_, name)) = variables.find(|(it, _)| *it == key || it.starts_with(&below)) {
            return Some(name.clone());
        }
        self.lines.get(key).map(|line| format!("`{}` line {line}", self.file))
    }

    fn place_above(&self, key: &str) -> Option<String> {
        let (above, _) = key.rsplit_once('.')?;
        self.place_of(above).or_else(|| self.place_above(above))
    }
}

fn not_toml(name: &str, text: &str, error: &TomlError) -> InvalidSettings {
    let what = error.message().lines().collect::<Vec<_>>().join(", ");
    let (line, column) = place(text, error.span().map_or(0, |span| span.start));
    InvalidSettings(format!("`{name}` line {line}, column {column}: no valid TOML: {what}"))
}

/// Line and column of a byte, both from 1; the column in characters.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    let (lines, columns) = (before.matches('\n').count(), line.chars().count());
    (lines.saturating_add(1), columns.saturating_add(1))
}
