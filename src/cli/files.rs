//! Reading and writing the files that the command line names: policies and catalogs.
//!
//! Reads at most what can be used; replaces a file in one step. It must never judge a content.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::answer::CliError;
use crate::authn::password::PASSWORD_BYTES_MAX;
use crate::catalog::Catalog;
use crate::lang::limits::POLICY_BYTES_MAX;
use crate::store::policy_files;

/// Longest catalog file, in bytes; the largest that ships has a twentieth of it.
const CATALOG_BYTES_MAX: usize = 4 * 1024 * 1024;

/// One policy file, read.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name for people.
    pub name: String,
    /// Where it is; none for the standard input.
    pub path: Option<PathBuf>,
    /// Its content; of a file that is too long, as much as it takes to say so.
    pub bytes: Vec<u8>,
}

/// Reads every file named, or matched by a path pattern, in order; `-` is the standard input.
///
/// # Errors
/// When one cannot be read, or a pattern matches nothing.
pub fn read_all(names: &[String]) -> Result<Vec<Source>, CliError> {
    let mut sources = Vec::new();
    for name in names {
        if name == "-" {
            let bytes = read_policy(name)?;
            sources.push(Source { name: "<stdin>".to_owned(), path: None, bytes });
            continue;
        }
        for path in expand(name)? {
            let name = path.display().to_string();
            sources.push(Source { bytes: read_policy(&name)?, name, path: Some(path) });
        }
    }
    Ok(sources)
}

/// Reads one policy file or, for `-`, the standard input.
///
/// # Errors
/// When it cannot be read.
pub fn read_policy(name: &str) -> Result<Vec<u8>, CliError> {
    read_at_most(name, POLICY_BYTES_MAX.saturating_add(1))
}

/// Reads a password: the only line of a file or, for `-`, of the standard input.
///
/// # Errors
/// When it cannot be read, is too long, is not valid UTF-8, or has more lines.
pub fn read_password(name: &str) -> Result<String, CliError> {
    let bytes = read_at_most(name, PASSWORD_BYTES_MAX.saturating_add(3))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| CliError::CannotTell(format!("the password in `{name}` is not UTF-8")))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.len() > PASSWORD_BYTES_MAX || line.contains(['\n', '\r']) {
        return Err(CliError::CannotTell(format!(
            "`{name}` holds no password: expected one line of at most {PASSWORD_BYTES_MAX} bytes"
        )));
    }
    Ok(line.to_owned())
}

/// As `read_policy`, as text.
///
/// # Errors
/// When it cannot be read, or is not valid UTF-8.
pub fn read_policy_text(name: &str) -> Result<String, CliError> {
    String::from_utf8(read_policy(name)?).map_err(|error| {
        CliError::Usage(format!(
            "`{name}` is not valid UTF-8 from byte {} on",
            error.utf8_error().valid_up_to()
        ))
    })
}

/// The built-in catalogs and those of the user's own.
///
/// # Errors
/// When a file cannot be read, or is no catalog.
pub fn load_catalog(files: &[PathBuf]) -> Result<Catalog, CliError> {
    let mut catalog = Catalog::builtin().clone();
    for file in files {
        let name = file.display().to_string();
        let bytes = read_at_most(&name, CATALOG_BYTES_MAX.saturating_add(1))?;
        if bytes.len() > CATALOG_BYTES_MAX {
            return Err(CliError::CannotTell(format!(
                "the catalog `{name}` is longer than {CATALOG_BYTES_MAX} bytes"
            )));
        }
        catalog = catalog.with(&name, &bytes).map_err(|error| {
            CliError::CannotTell(format!("cannot use the catalog `{name}`: {error}"))
        })?;
    }
    Ok(catalog)
}

/// Writes a file beside `path` and renames it over it, so that no reader sees half of it.
///
/// # Errors
/// When the directory or the file cannot be written.
pub fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    let beside = PathBuf::from(beside);
    fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, path)).map_err(|error| {
        CliError::CannotTell(format!("cannot write `{}`: {error}", path.display()))
    })
}

fn read_at_most(name: &str, limit: usize) -> Result<Vec<u8>, CliError> {
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    let read = if name == "-" {
        std::io::stdin().take(limit).read_to_end(&mut bytes)
    } else {
        fs::File::open(name).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => Err(CliError::CannotTell(format!("cannot read `{name}`: {error}"))),
    }
}

/// The files that a path pattern names, sorted; a file that exists is meant as it stands.
fn expand(pattern: &str) -> Result<Vec<PathBuf>, CliError> {
    let path = PathBuf::from(pattern);
    if path.is_file() || !pattern.contains(['*', '?', '[']) {
        return Ok(vec![path]);
    }
    let mut files: Vec<_> = policy_files::find_paths(&[pattern.to_owned()])
        .map_err(|error| CliError::CannotTell(error.to_string()))?
        .into_iter()
        .map(|(_, path)| path)
        .collect();
    if files.is_empty() {
        return Err(CliError::CannotTell(format!("no file matches `{pattern}`")));
    }
    files.sort();
    Ok(files)
}
