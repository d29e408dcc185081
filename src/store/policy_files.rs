//! Finds the operator's own policy files by path pattern; the only user of `glob` outside tests.
//!
//! Bytes in, bytes out: it must never look inside a file. Limits stand here. It blocks, so callers
//! run it where blocking is fine.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use glob::MatchOptions;

/// Most files that all patterns together may find.
pub const POLICY_FILES_MAX: usize = 1_000;
/// Longest file, in bytes: the limit of a policy document, so that nothing longer is ever read.
pub const POLICY_FILE_BYTES_MAX: usize = 64 * 1024;
/// Most paths that are looked at, so that a pattern like `/**` ends.
const PATHS_MAX: usize = 100_000;

/// Exactly what a shell does: case counts, a star stays within one folder, hidden files are not
/// found by a star.
const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// One file that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFile {
    /// The file's stem, which is the policy's name.
    pub stem: String,
    /// Its bytes, or why they cannot be read.
    pub content: Result<Vec<u8>, String>,
}

/// Why the files cannot be found at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFilesError {
    /// A pattern that is none.
    #[error("`{pattern}` is no path pattern: {reason}")]
    Pattern {
        /// The pattern as given.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A folder that cannot be read, or a path that is no text.
    #[error("`{path}` cannot be read: {reason}")]
    Folder {
        /// The path.
        path: String,
        /// Why.
        reason: String,
    },
    /// Too many files.
    #[error("the path patterns find {actual} {unit}, the limit is {limit}: narrow them")]
    TooMany {
        /// `files` or `paths`.
        unit: &'static str,
        /// The greatest accepted number.
        limit: usize,
        /// The number found so far.
        actual: usize,
    },
}

/// All files that at least one pattern finds, each path once, sorted by stem and then path. A stem
/// may occur twice; the caller refuses that.
///
/// # Errors
/// [`PolicyFilesError`] when the list itself is unknown. A file that cannot be read is in the list.
pub fn find(patterns: &[String]) -> Result<Vec<FoundFile>, PolicyFilesError> {
    let found = find_paths(patterns)?.into_iter();
    Ok(found.map(|(stem, path)| FoundFile { stem, content: read(&path) }).collect())
}

/// As [`find`], but stems and paths only: nothing is read.
///
/// # Errors
/// As [`find`].
pub fn find_paths(patterns: &[String]) -> Result<Vec<(String, PathBuf)>, PolicyFilesError> {
    let mut paths: BTreeMap<(String, PathBuf), ()> = BTreeMap::new();
    let mut seen = 0_usize;
    for pattern in patterns {
        for path in matching(pattern, &mut seen)? {
            paths.insert((stem(&path)?, path), ());
            at_most("files", POLICY_FILES_MAX, paths.len())?;
        }
    }
    Ok(paths.into_keys().collect())
}

/// The files that one pattern finds, sorted.
///
/// # Errors
/// [`PolicyFilesError`] when the list itself is unknown.
pub fn expand(pattern: &str) -> Result<Vec<PathBuf>, PolicyFilesError> {
    let mut paths = matching(pattern, &mut 0)?;
    paths.sort();
    Ok(paths)
}

/// The files that one pattern finds; `seen` counts every path that was looked at.
fn matching(pattern: &str, seen: &mut usize) -> Result<Vec<PathBuf>, PolicyFilesError> {
    let found = glob::glob_with(pattern, OPTIONS).map_err(|error| PolicyFilesError::Pattern {
        pattern: pattern.to_owned(),
        reason: error.to_string(),
    })?;
    let mut files = Vec::new();
    for path in found {
        *seen = seen.saturating_add(1);
        at_most("paths", PATHS_MAX, *seen)?;
        let path = path.map_err(|error| PolicyFilesError::Folder {
            path: error.path().display().to_string(),
            reason: error.error().to_string(),
        })?;
        if !path.is_dir() {
            files.push(path);
        }
    }
    Ok(files)
}

fn at_most(unit: &'static str, limit: usize, actual: usize) -> Result<(), PolicyFilesError> {
    if actual > limit {
        return Err(PolicyFilesError::TooMany { unit, limit, actual });
    }
    Ok(())
}

fn stem(path: &Path) -> Result<String, PolicyFilesError> {
    path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned).ok_or_else(|| {
        PolicyFilesError::Folder {
            path: path.display().to_string(),
            reason: "its name is no UTF-8 text: rename it".to_owned(),
        }
    })
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    let limit = u64::try_from(POLICY_FILE_BYTES_MAX).unwrap_or(u64::MAX);
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() > POLICY_FILE_BYTES_MAX {
        return Err(format!("it is longer than the limit of {POLICY_FILE_BYTES_MAX} bytes"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(dir: &Path, rest: &str) -> Vec<String> {
        vec![format!("{}/{rest}", dir.display())]
    }

    #[test]
    fn files_are_found_by_pattern_sorted_and_once() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("群")).unwrap();
        for (name, text) in [("b.json", "1"), ("群/a.json", "2"), (".c.json", "3"), ("d.txt", "4")]
        {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let mut patterns = pattern(dir.path(), "**/*.json");
        patterns.extend(pattern(dir.path(), "b.json"));
        let found = find(&patterns).unwrap();
        let stems: Vec<_> = found.iter().map(|file| file.stem.as_str()).collect();
        assert_eq!(stems, ["a", "b"]);
        assert_eq!(found[0].content, Ok(b"2".to_vec()));
        // A star does not enter folders, and case counts.
        assert_eq!(find(&pattern(dir.path(), "*.json")).unwrap().len(), 1);
        assert_eq!(find(&pattern(dir.path(), "*.JSON")).unwrap().len(), 0);
    }

    #[test]
    fn a_long_file_is_a_fault_of_that_file_alone() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("long.json"), vec![b' '; POLICY_FILE_BYTES_MAX + 1])
            .unwrap();
        std::fs::write(dir.path().join("ok.json"), vec![b' '; POLICY_FILE_BYTES_MAX]).unwrap();
        let found = find(&pattern(dir.path(), "*.json")).unwrap();
        assert!(found[0].content.as_ref().unwrap_err().contains("65536"));
        assert!(found[1].content.is_ok());
    }

    #[test]
    fn faults_of_the_list_are_told() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(
            find(&pattern(dir.path(), "a**b")),
            Err(PolicyFilesError::Pattern { .. })
        ));
        for number in 0..=POLICY_FILES_MAX {
            std::fs::write(dir.path().join(format!("{number}.json")), "x").unwrap();
        }
        let fault = find(&pattern(dir.path(), "*.json")).unwrap_err();
        assert!(matches!(fault, PolicyFilesError::TooMany { limit: POLICY_FILES_MAX, .. }));
    }
}
