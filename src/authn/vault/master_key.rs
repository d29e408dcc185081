//! The operator's master key: 32 bytes, from a file that only its owner may read or from the
//! environment, as one line `camgate-master-key-1:<base64 of 32 bytes>`.
//!
//! It wraps the store's data key and does nothing else. Its id names it in messages and in the
//! store, and tells nothing about it.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;
use zeroize::Zeroizing;

use super::keys;
use crate::authn::random::{self, NoEntropy};
use crate::lang::hex::hex;

const LINE_PREFIX: &str = "camgate-master-key-1:";
/// Characters of the base64 of 32 bytes.
const BASE64_CHARS: usize = 44;
/// Longest file that is looked into, in bytes: the line and its end.
const FILE_BYTES_MAX: u64 = 80;
/// Bytes of the id.
const ID_BYTES: usize = 8;

/// A master key. Wiped when dropped; only its id shows in `Debug`.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

/// Why there is no master key. Never repeats what was read.
#[derive(Debug, Error)]
pub enum MasterKeyError {
    /// Not the one line that it must be.
    #[error(
        "a master key is one line, `{LINE_PREFIX}` and 44 characters of base64; \
         `camgate master-key new FILE` makes one"
    )]
    NotALine,
    /// Others may read it.
    #[error(
        "the master key file `{}` has mode {mode:03o}, so others may read or change it; \
         run `chmod 600` on it", path.display()
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file cannot be read or made.
    #[error("cannot {what} the master key file `{}`", path.display())]
    Io {
        /// `read` or `make`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No randomness.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
}

impl MasterKey {
    /// A new key.
    ///
    /// # Errors
    /// [`MasterKeyError::NoEntropy`].
    pub fn generate() -> Result<Self, MasterKeyError> {
        Ok(Self(random::bytes()?))
    }

    /// Reads the line; one line end after it is fine.
    ///
    /// # Errors
    /// [`MasterKeyError::NotALine`].
    pub fn parse(line: &str) -> Result<Self, MasterKeyError> {
        let line = line.strip_suffix('\n').unwrap_or(line);
        let line = line.strip_suffix('\r').unwrap_or(line);
        let text = line.strip_prefix(LINE_PREFIX).filter(|text| text.len() == BASE64_CHARS);
        let text = text.ok_or(MasterKeyError::NotALine)?;
        let bytes = STANDARD.decode(text).map(Zeroizing::new);
        let bytes = bytes.map_err(|_| MasterKeyError::NotALine)?;
        let key = <[u8; 32]>::try_from(bytes.as_slice());
        key.map(|key| Self(Zeroizing::new(key))).map_err(|_| MasterKeyError::NotALine)
    }

    /// The line that [`MasterKey::parse`] reads, without an end.
    #[must_use]
    pub fn to_line(&self) -> Zeroizing<String> {
        let base64 = Zeroizing::new(STANDARD.encode(self.0.as_slice()));
        Zeroizing::new([LINE_PREFIX, base64.as_str()].concat())
    }

    /// Reads a file, which nobody but its owner may read or change.
    ///
    /// # Errors
    /// As [`MasterKeyError`] has it.
    pub fn read_file(path: &Path) -> Result<Self, MasterKeyError> {
        let io = |source| MasterKeyError::Io { what: "read", path: path.to_owned(), source };
        let file = File::open(path).map_err(io)?;
        check_mode(&file, path)?;
        // Its whole room at once: a text that grew would leave copies behind.
        let room = usize::try_from(FILE_BYTES_MAX).unwrap_or_default();
        let mut text = Zeroizing::new(String::with_capacity(room));
        file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(io)?;
        Self::parse(&text)
    }

    /// Makes a file with this key, for its owner only. A file that exists is never touched.
    ///
    /// # Errors
    /// [`MasterKeyError::Io`].
    pub fn create_file(&self, path: &Path) -> Result<(), MasterKeyError> {
        let io = |source| MasterKeyError::Io { what: "make", path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(io)?;
        let line = Zeroizing::new([self.to_line().as_str(), "\n"].concat());
        file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
        // A key that a power cut takes away takes all sealed secrets with it.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = File::open(folder.unwrap_or(Path::new("."))).map_err(io)?;
        folder.sync_all().map_err(io)
    }

    /// The key's id: 16 hexadecimal digits that tell nothing about it.
    #[must_use]
    pub fn id(&self) -> String {
        let digest = self.derive("camgate master key id 1");
        hex(digest.get(..ID_BYTES).unwrap_or_default())
    }

    /// A key for one use.
    pub(super) fn derive(&self, label: &str) -> Zeroizing<[u8; 32]> {
        keys::derive(&self.0, label)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id())
    }
}

/// Checks the permissions of the file that is read, not of what may stand at its path later.
#[cfg(unix)]
fn check_mode(file: &File, path: &Path) -> Result<(), MasterKeyError> {
    use std::os::unix::fs::MetadataExt as _;
    let io = |source| MasterKeyError::Io { what: "read", path: path.to_owned(), source };
    let metadata = file.metadata().map_err(io)?;
    let mode = metadata.mode() & 0o777;
    if is_open(mode, metadata.uid()) {
        return Err(MasterKeyError::Open { path: path.to_owned(), mode });
    }
    Ok(())
}

/// Whether others may read or change a file of this owner. Of root's, a group may read: so root
/// hands files to services, as systemd's credentials and Kubernetes' secrets.
#[cfg(unix)]
pub(super) fn is_open(mode: u32, owner: u32) -> bool {
    let for_others = if owner == 0 { 0o037 } else { 0o077 };
    mode & for_others != 0
}

/// Other systems have no such bits; who may read the file is for their access lists.
#[cfg(not(unix))]
fn check_mode(_: &File, _: &Path) -> Result<(), MasterKeyError> {
    Ok(())
}
