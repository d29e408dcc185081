//! Reading a log: line by line over all its files, each held against the line before.
//!
//! What is wrong with a line is a part of the answer, and reading goes on after it; so a check
//! finds every fault, and a search still finds what is whole. It must never leave a line out.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::files::{FileFault, LINE_BYTES_MAX, open_to_read, put_aside};
use super::line::{Line, LineFault, Reached};
use super::record::Entry;

/// Why a log cannot be read at all.
#[derive(Debug, thiserror::Error)]
#[error("`{}`: {problem}", .path.display())]
pub struct ReadFault {
    /// The file.
    pub path: PathBuf,
    /// What the system says.
    pub problem: io::Error,
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct LogLine {
    /// The number that it says, or should have.
    pub number: u64,
    /// Its place in its file, from 1.
    pub line: u64,
    /// What it says; none when it cannot be read.
    pub entry: Option<Entry<'static>>,
    /// What is wrong with it.
    pub fault: Option<LineFault>,
}

/// The files of a log in order, the one that is written last.
///
/// # Errors
/// When its folder cannot be read.
pub fn log_files(file: &Path) -> Result<Vec<PathBuf>, FileFault> {
    let mut files = put_aside(file)?;
    if file.exists() {
        files.push(file.to_owned());
    }
    Ok(files)
}

/// Reads a log's files, one after the other.
pub struct LogReader {
    files: std::vec::IntoIter<PathBuf>,
    now: Option<Open>,
    /// The line before; none when the next one is the first of all.
    reached: Option<Reached>,
}

struct Open {
    path: PathBuf,
    reader: BufReader<Box<dyn Read>>,
    line: u64,
}

impl fmt::Debug for LogReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogReader").field("reached", &self.reached).finish_non_exhaustive()
    }
}

impl LogReader {
    /// A reader of these files, in order.
    #[must_use]
    pub fn new(files: Vec<PathBuf>) -> Self {
        Self { files: files.into_iter(), now: None, reached: None }
    }

    /// The file that was read last.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.now.as_ref().map(|open| open.path.as_path())
    }

    /// The next line; none after the last.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn next_line(&mut self) -> Result<Option<LogLine>, ReadFault> {
        loop {
            let open = match &mut self.now {
                Some(open) => open,
                None => {
                    let Some(path) = self.files.next() else { return Ok(None) };
                    let file = match open_to_read(&path) {
                        Ok(file) => file,
                        Err(problem) => return Err(ReadFault { path, problem }),
                    };
                    self.now.insert(Open { path, reader: BufReader::new(file), line: 0 })
                }
            };
            let bytes = open.next();
            let bytes = bytes.map_err(|problem| ReadFault { path: open.path.clone(), problem })?;
            match bytes {
                Some(bytes) => {
                    let line = open.line;
                    return Ok(Some(self.line(&bytes, line)));
                }
                // The last file stays, so that its name can be told.
                None if self.files.len() == 0 => return Ok(None),
                None => self.now = None,
            }
        }
    }

    fn line(&mut self, bytes: &[u8], line: u64) -> LogLine {
        let should = self.reached.map_or(1, |reached| reached.number.saturating_add(1));
        let faulty = |fault| LogLine { number: should, line, entry: None, fault: Some(fault) };
        let Some(bytes) = bytes.strip_suffix(b"\n") else {
            return faulty(LineFault::Incomplete { bytes: bytes.len() });
        };
        let read = match Line::read(bytes) {
            Ok(read) => read,
            Err(fault) => {
                // What follows is held against the number, as far as one can tell.
                self.reached = self.reached.map(|it| Reached { number: should, seal: it.seal });
                return faulty(fault);
            }
        };
        // The first line of all says itself what it follows.
        let before = self.reached.or_else(|| read.says_before());
        let fault = match before {
            Some(before) => read.check(&before).err(),
            None => Some(LineFault::Unreadable {
                problem: "the log begins without the record that every file begins with".to_owned(),
            }),
        };
        let number = read.reached.number;
        self.reached = Some(read.reached);
        LogLine { number, line, entry: Some(read.entry), fault }
    }
}

impl Open {
    /// The next line with its line break, if it has one; longer ones are cut off.
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        let limit = (LINE_BYTES_MAX as u64).saturating_add(1);
        self.reader.by_ref().take(limit).read_until(b'\n', &mut bytes)?;
        self.line += 1;
        Ok((!bytes.is_empty()).then_some(bytes))
    }
}
