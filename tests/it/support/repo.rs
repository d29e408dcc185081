//! The repository's own files, in a stable order. Never follows what is not committed (`target`).

use std::fs;
use std::path::{Path, PathBuf};

/// The repository's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a folder or the one file itself, as paths relative to the repository with
/// forward slashes, sorted. A folder that is not there has none.
pub(crate) fn files(below: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting: Vec<PathBuf> = vec![root().join(below)];
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).unwrap();
            waiting.extend(entries.map(|entry| entry.unwrap().path()));
        } else if path.is_file() {
            let relative = path.strip_prefix(root()).unwrap();
            found.push(relative.to_str().unwrap().replace('\\', "/"));
        }
    }
    found.sort();
    found
}

/// The files below a folder whose names end in `.<extension>`.
pub(crate) fn files_with(below: &str, extension: &str) -> Vec<String> {
    let is_wanted =
        |file: &String| Path::new(file).extension().is_some_and(|found| found == extension);
    files(below).into_iter().filter(is_wanted).collect()
}

/// A file's text.
pub(crate) fn read(relative: &str) -> String {
    fs::read_to_string(root().join(relative))
        .unwrap_or_else(|error| panic!("cannot read `{relative}`: {error}"))
}
