//! Following a log that is being written: whole lines as they come, over the files that follow.
//!
//! A line that is not whole yet is waited for. It must never skip lines: when a file was put aside,
//! its rest is read before the next one.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::files::{LINE_BYTES_MAX, last_line};
use super::line::{Line, Reached};
use super::read::LogLine;

/// Reads what is added to a log.
pub struct LogFollower {
    path: PathBuf,
    reader: BufReader<File>,
    /// What there is of a line that is not whole.
    begun: Vec<u8>,
    reached: Reached,
    line: u64,
}

impl fmt::Debug for LogFollower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogFollower").field("path", &self.path).finish_non_exhaustive()
    }
}

impl LogFollower {
    /// Follows the file from its end on.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn at_end(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let (last, whole) = last_line(&mut file, length)?;
        let reached = last.and_then(|last| Line::read(&last).ok()).map(|last| last.reached);
        file.seek(SeekFrom::Start(whole))?;
        let (path, reader) = (path.to_owned(), BufReader::new(file));
        let reached = reached.unwrap_or_default();
        Ok(Self { path, reader, begun: Vec::new(), reached, line: 0 })
    }

    /// The number of the last line so far.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.reached.number
    }

    /// The next whole line; none when there is none yet.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn next_line(&mut self) -> io::Result<Option<LogLine>> {
        loop {
            let room = (LINE_BYTES_MAX as u64).saturating_sub(self.begun.len() as u64);
            let read = self.reader.by_ref().take(room).read_until(b'\n', &mut self.begun)?;
            if self.begun.last() == Some(&b'\n') {
                self.begun.pop();
                let bytes = std::mem::take(&mut self.begun);
                return Ok(Some(self.take_in(&bytes)));
            }
            if read == 0 && !self.goes_on_elsewhere()? {
                return Ok(None);
            }
        }
    }

    fn take_in(&mut self, bytes: &[u8]) -> LogLine {
        self.line = self.line.saturating_add(1);
        let line = self.line;
        let number = self.reached.number.saturating_add(1);
        match Line::read(bytes) {
            Ok(read) => {
                let fault = read.check(&self.reached).err();
                self.reached = read.reached;
                LogLine { number: read.reached.number, line, entry: Some(read.entry), fault }
            }
            Err(fault) => LogLine { number, line, entry: None, fault: Some(fault) },
        }
    }

    /// Whether the file was put aside and another has its name, which is then read.
    fn goes_on_elsewhere(&mut self) -> io::Result<bool> {
        let next = match File::open(&self.path) {
            Ok(next) => next,
            // Between the two names.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let (old, new) = (self.reader.get_ref().metadata()?, next.metadata()?);
        if (old.dev(), old.ino()) == (new.dev(), new.ino()) {
            return Ok(false);
        }
        // What was written between the last look and the change of names.
        if old.len() > self.reader.stream_position()? {
            return Ok(true);
        }
        self.reader = BufReader::new(next);
        self.begun.clear();
        self.line = 0;
        Ok(true)
    }
}
