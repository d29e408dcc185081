//! The highest acknowledged revision, in a small file beside the `sled` files.
//!
//! sled's recovery takes a damaged piece of its log for the end of the log: it drops what follows
//! and opens without an error. With this file the engine notices: a store that comes back below
//! the acknowledged revision has lost commits and is refused. The file is written after each
//! flush and is a lower bound, so it needs no flush of its own. It must never run ahead.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::store::contract::Revision;

/// Name of the file in the store's directory.
pub(super) const FILE_NAME: &str = "acknowledged";
/// Decimal digits of a `u64`, with leading zeros; then a line feed.
const DIGITS: usize = 20;

/// The open file.
#[derive(Debug)]
pub(super) struct Acknowledged {
    file: File,
}

impl Acknowledged {
    /// Opens the file of `dir` if it is there, with the revision in it.
    ///
    /// # Errors
    /// `InvalidData` when it holds no revision, and any other I/O error.
    pub(super) fn open(dir: &Path) -> io::Result<Option<(Self, Revision)>> {
        let path = dir.join(FILE_NAME);
        let mut file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut text = String::new();
        Read::by_ref(&mut file).take(64).read_to_string(&mut text)?;
        let revision = parse(&text).ok_or_else(|| {
            let message = format!("file `{FILE_NAME}` holds no revision");
            io::Error::new(io::ErrorKind::InvalidData, message)
        })?;
        Ok(Some((Self { file }, revision)))
    }

    /// Makes the file of `dir`, durably, for a store that nothing was committed to.
    ///
    /// # Errors
    /// Any I/O error; also when the file is there.
    pub(super) fn create(dir: &Path) -> io::Result<Self> {
        // Under another name first: a file that is there always holds a revision.
        let draft = dir.join(format!("{FILE_NAME}.new"));
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(true).clone();
        let mut mark = Self { file: options.open(&draft)? };
        mark.record(Revision::EMPTY)?;
        mark.file.sync_all()?;
        std::fs::rename(draft, dir.join(FILE_NAME))?;
        Ok(mark)
    }

    /// Notes that everything up to `revision` is durable. One write in place, always of the same
    /// length, so a killed process leaves the old or the new number.
    ///
    /// # Errors
    /// Any I/O error.
    pub(super) fn record(&mut self, revision: Revision) -> io::Result<()> {
        let text = format!("{:0width$}\n", revision.0, width = DIGITS);
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(text.as_bytes())
    }
}

fn parse(text: &str) -> Option<Revision> {
    let digits = text.strip_suffix('\n')?;
    if digits.len() != DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().map(Revision)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_survives_and_nothing_else_is_read() {
        for revision in [0, 7, u64::MAX] {
            let text = format!("{revision:020}\n");
            assert_eq!(parse(&text), Some(Revision(revision)));
            assert_eq!(parse(text.strip_prefix(char::is_numeric).unwrap()), None);
            assert_eq!(parse(text.trim_end()), None);
        }
        assert_eq!(parse("+0000000000000000007\n"), None);
        assert_eq!(parse("99999999999999999999\n"), None);
        assert_eq!(parse(""), None);
    }
}
