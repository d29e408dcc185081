//! Account folders on disk: read into memory, and written from it.
//!
//! Only `account.json`, `policies/*.json` and `cases/*.json` are read. A symbolic link is refused,
//! so that a folder from elsewhere reads nothing outside itself. Counts and sizes are limited.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::answer::CliError;

/// Most files of one folder: the quota of policies, and as many cases.
const FILES_MAX: usize = 4_000;
/// Longest file, in bytes: `account.json` of a full account.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Most bytes of one folder; a message of the API is not longer either.
const FOLDER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Reads a folder: relative paths with forward slashes, and contents.
///
/// # Errors
/// When there is no `account.json`, something cannot be read, is a symbolic link, or is too large.
pub fn read_folder(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, CliError> {
    let mut files = BTreeMap::new();
    let mut total = 0_usize;
    let mut add = |relative: String, path: &Path| {
        let bytes = read_file(path)?;
        total = total.saturating_add(bytes.len());
        if total > FOLDER_BYTES_MAX {
            let limit = format!("holds more than {FOLDER_BYTES_MAX} bytes");
            return Err(refuse(folder, &limit));
        }
        files.insert(relative, bytes);
        if files.len() > FILES_MAX {
            return Err(refuse(folder, &format!("holds more than {FILES_MAX} files")));
        }
        Ok(())
    };
    add("account.json".to_owned(), &folder.join("account.json"))?;
    for part in ["policies", "cases"] {
        for (name, path) in list(&folder.join(part))? {
            add(format!("{part}/{name}"), &path)?;
        }
    }
    Ok(files)
}

/// The policies of a folder `NAME.json`, or of an account's folder, by their names.
///
/// # Errors
/// When there are none, or too many, and as [`read_folder`].
pub fn read_policies(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, CliError> {
    let below = folder.join("policies");
    let folder = if below.is_dir() { &below } else { folder };
    let mut policies = BTreeMap::new();
    for (name, path) in list(folder)? {
        if policies.len() >= FILES_MAX {
            return Err(refuse(folder, &format!("holds more than {FILES_MAX} files")));
        }
        if let Some(name) = name.strip_suffix(".json") {
            policies.insert(name.to_owned(), read_file(&path)?);
        }
    }
    if policies.is_empty() {
        return Err(refuse(folder, "has no policy files `NAME.json`"));
    }
    Ok(policies)
}

/// Writes files below a folder, making it when it is not there. Policies and cases that the new
/// content does not have are removed.
///
/// # Errors
/// When something cannot be written, or a path leads outside.
pub fn write_folder(folder: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<(), CliError> {
    let wrong = |error: &std::io::Error, path: &Path| {
        CliError::CannotTell(format!("cannot write `{}`: {error}", path.display()))
    };
    for relative in files.keys() {
        let parts: Vec<_> = relative.split('/').collect();
        let known = match parts.as_slice() {
            ["account.json"] => true,
            ["policies" | "cases", name] => name.ends_with(".json") && !name.starts_with('.'),
            _ => false,
        };
        if !known || relative.contains('\\') {
            return Err(CliError::CannotTell(format!("`{relative}` belongs to no account folder")));
        }
    }
    for part in ["policies", "cases"] {
        let below = folder.join(part);
        for (name, path) in list(&below)? {
            if !files.contains_key(&format!("{part}/{name}")) {
                fs::remove_file(&path).map_err(|error| wrong(&error, &path))?;
            }
        }
    }
    for (relative, bytes) in files {
        let path = folder.join(relative);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| wrong(&error, parent))?;
        }
        super::files::replace_file(&path, bytes)?;
    }
    Ok(())
}

/// The `*.json` files of a directory, by name; none when it is not there.
fn list(directory: &Path) -> Result<Vec<(String, PathBuf)>, CliError> {
    match fs::symlink_metadata(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(refuse(directory, &error.to_string())),
        Ok(metadata) if metadata.is_symlink() => {
            return Err(refuse(directory, "is a symbolic link"));
        }
        Ok(_) => {}
    }
    let entries = fs::read_dir(directory).map_err(|e| refuse(directory, &e.to_string()))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| refuse(directory, &error.to_string()))?.path();
        let Some(name) = path.file_name() else { continue };
        let Some(name) = name.to_str() else {
            return Err(refuse(&path, "has a name that is not valid UTF-8"));
        };
        if name.ends_with(".json") && !name.starts_with('.') {
            found.push((name.to_owned(), path.clone()));
        }
        if found.len() > FILES_MAX {
            return Err(refuse(directory, &format!("holds more than {FILES_MAX} files")));
        }
    }
    found.sort();
    Ok(found)
}

fn read_file(path: &Path) -> Result<Vec<u8>, CliError> {
    let metadata = fs::symlink_metadata(path).map_err(|e| refuse(path, &e.to_string()))?;
    if metadata.is_symlink() {
        return Err(refuse(path, "is a symbolic link"));
    }
    if !metadata.is_file() {
        return Err(refuse(path, "is no file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(|error| refuse(path, &error.to_string()))?;
    if u64::try_from(bytes.len()).is_ok_and(|size| size > FILE_BYTES_MAX) {
        return Err(refuse(path, &format!("is longer than {FILE_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

fn refuse(path: &Path, reason: &str) -> CliError {
    CliError::CannotTell(format!("cannot use `{}`: {reason}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_folder_gives_back_what_write_folder_wrote() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("账号");
        let mut files = BTreeMap::from([
            ("account.json".to_owned(), b"{}".to_vec()),
            ("policies/运营.json".to_owned(), b"1".to_vec()),
            ("cases/a.json".to_owned(), b"2".to_vec()),
        ]);
        write_folder(&folder, &files).unwrap();
        assert_eq!(read_folder(&folder).unwrap(), files);
        files.remove("policies/运营.json");
        write_folder(&folder, &files).unwrap();
        assert_eq!(read_folder(&folder).unwrap(), files);
    }

    #[test]
    fn write_folder_refuses_paths_that_lead_elsewhere() {
        let directory = tempfile::tempdir().unwrap();
        for path in ["../x.json", "/x.json", "policies/../../x.json", "policies/a/b.json", "x"] {
            let files = BTreeMap::from([(path.to_owned(), Vec::new())]);
            assert!(write_folder(directory.path(), &files).is_err(), "{path}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn read_folder_refuses_symbolic_links() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("a");
        let files = BTreeMap::from([("account.json".to_owned(), b"{}".to_vec())]);
        write_folder(&folder, &files).unwrap();
        fs::write(directory.path().join("secret"), "x").unwrap();
        fs::create_dir(folder.join("policies")).unwrap();
        let link = folder.join("policies/x.json");
        std::os::unix::fs::symlink(directory.path().join("secret"), link).unwrap();
        let message = read_folder(&folder).unwrap_err().to_string();
        assert!(message.contains("is a symbolic link"), "{message}");
    }
}
