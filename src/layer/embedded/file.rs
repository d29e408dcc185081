//! The last good snapshot on disk: written whole or not at all, and refused when it is damaged.
//!
//! One line, `camgate-snapshot-1 <SHA-256>`, and a protobuf message. The sum finds damage, not
//! forgery: who can write the file can decide, so it is readable and writable by its owner only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use prost::Message as _;
use sha2::{Digest as _, Sha256};

use crate::lang::hex::hex;
use crate::layer::proto::KeptSnapshot;

const FORMAT: &str = "camgate-snapshot-1";
/// Longest file that is read, in bytes.
const BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("it cannot be read or written: {0}")]
    Io(#[from] io::Error),
    #[error("it has {0} bytes; at most {BYTES_MAX} are read")]
    TooLong(u64),
    #[error("it is damaged, or of another version")]
    Damaged,
}

/// Reads a kept snapshot; none when there is no file.
pub(super) fn read(path: &Path) -> Result<Option<KeptSnapshot>, FileError> {
    let size = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        metadata => metadata?.len(),
    };
    if size > BYTES_MAX {
        return Err(FileError::TooLong(size));
    }
    let bytes = fs::read(path)?;
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or(FileError::Damaged)?;
    let (line, rest) = bytes.split_at_checked(end).ok_or(FileError::Damaged)?;
    let message = rest.get(1..).ok_or(FileError::Damaged)?;
    if line != head(message).as_bytes() {
        return Err(FileError::Damaged);
    }
    KeptSnapshot::decode(message).map(Some).map_err(|_| FileError::Damaged)
}

/// Writes a snapshot in the place of the one before.
pub(super) fn write(path: &Path, kept: &KeptSnapshot) -> Result<(), FileError> {
    let message = kept.encode_to_vec();
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.new", std::process::id()));
    let fresh = path.with_file_name(name);
    let mut file = create(&fresh)?;
    file.write_all(head(&message).as_bytes())?;
    file.write_all(b"\n")?;
    file.write_all(&message)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    Ok(())
}

fn head(message: &[u8]) -> String {
    format!("{FORMAT} {}", hex(&Sha256::digest(message)))
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}
