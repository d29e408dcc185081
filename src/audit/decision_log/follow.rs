//! Following a log that is being written: whole lines as they come, over the files that follow.
//!
//! A line that is not whole yet is waited for. It must never skip lines: when a file was put aside,
//! its rest is read before the next one, however many were put aside meanwhile.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, BufRead as _, BufReader, Read, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::files::{LINE_BYTES_MAX, last_line, last_number, open_to_read, put_aside};
use super::line::{Line, Reached};
use super::read::LogLine;

/// Reads what is added to a log.
pub struct LogFollower {
    path: PathBuf,
    open: Option<Open>,
    /// What there is of a line that is not whole.
    begun: Vec<u8>,
    /// None until there was a line.
    reached: Option<Reached>,
    /// Lines up to this number are not wanted.
    after: u64,
    /// The last number of the file that was opened last, where its name says it.
    file_last: u64,
    line: u64,
}

struct Open {
    reader: BufReader<Box<dyn Read + Send>>,
    /// Which file it is, whatever its name.
    id: (u64, u64),
    /// It was found put aside, and then read to its end.
    is_read: bool,
}

impl Open {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        let reader = BufReader::new(open_to_read(path)?);
        Ok(Self { reader, id: id(&metadata), is_read: false })
    }
}

fn id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
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
        let metadata = file.metadata()?;
        let (last, whole) = last_line(&mut file, metadata.len())?;
        let reached = last.and_then(|last| Line::read(&last).ok()).map(|last| last.reached);
        file.seek(SeekFrom::Start(whole))?;
        let reader = BufReader::new(Box::new(file) as Box<_>);
        let open = Open { reader, id: id(&metadata), is_read: false };
        Ok(Self { open: Some(open), reached, ..Self::after(path, 0) })
    }

    /// Follows a log from the record after this number on, or from the next one that there still
    /// is. Nothing need be there yet.
    #[must_use]
    pub fn after(path: &Path, number: u64) -> Self {
        Self {
            path: path.to_owned(),
            open: None,
            begun: Vec::new(),
            reached: None,
            after: number,
            file_last: 0,
            line: 0,
        }
    }

    /// The number of the last line so far.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.reached.map_or(0, |reached| reached.number)
    }

    /// The next whole line; none when there is none yet.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn next_line(&mut self) -> io::Result<Option<LogLine>> {
        Ok(self.next_with_text()?.map(|(line, _)| line))
    }

    /// The next whole line with its bytes, without the line break; none when there is none yet.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn next_with_text(&mut self) -> io::Result<Option<(LogLine, Vec<u8>)>> {
        loop {
            let Some(open) = &mut self.open else {
                if self.goes_on_elsewhere()? {
                    continue;
                }
                return Ok(None);
            };
            let room = (LINE_BYTES_MAX as u64).saturating_sub(self.begun.len() as u64);
            let read = open.reader.by_ref().take(room).read_until(b'\n', &mut self.begun)?;
            if self.begun.last() == Some(&b'\n') {
                self.begun.pop();
                let bytes = std::mem::take(&mut self.begun);
                let line = self.take_in(&bytes);
                if line.number > self.after {
                    return Ok(Some((line, bytes)));
                }
            } else if read == 0 && !self.goes_on()? {
                return Ok(None);
            }
        }
    }

    fn take_in(&mut self, bytes: &[u8]) -> LogLine {
        self.line = self.line.saturating_add(1);
        let line = self.line;
        let number = self.number().saturating_add(1);
        match Line::read(bytes) {
            Ok(read) => {
                let before = self.reached.or_else(|| read.says_before());
                let fault = before.and_then(|before| read.check(&before).err());
                self.reached = Some(read.reached);
                LogLine { number: read.reached.number, line, entry: Some(read.entry), fault }
            }
            Err(fault) => {
                // What follows is held against the number, as far as one can tell.
                self.reached = self.reached.map(|it| Reached { number, seal: it.seal });
                LogLine { number, line, entry: None, fault: Some(fault) }
            }
        }
    }

    /// At the end of a file: whether there is more, in it or in another.
    fn goes_on(&mut self) -> io::Result<bool> {
        let written = match std::fs::metadata(&self.path) {
            Ok(written) => id(&written),
            // Between the two names.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        match &mut self.open {
            Some(open) if open.id == written => {
                open.is_read = false;
                Ok(false)
            }
            // What was written between the last look and the change of names.
            Some(open) if !open.is_read => {
                open.is_read = true;
                Ok(true)
            }
            Some(_) | None => self.goes_on_elsewhere(),
        }
    }

    /// Whether there is a file with records after those that were read, which is then open.
    fn goes_on_elsewhere(&mut self) -> io::Result<bool> {
        let done = self.number().max(self.after).max(self.file_last);
        let (file, last) = match self.aside_after(done)? {
            Some((file, last)) => (file, last),
            None => (self.path.clone(), self.file_last),
        };
        let open = match Open::of(&file) {
            Ok(open) => open,
            // It is not there yet, or was compressed or deleted just now.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        if file == self.path && self.aside_after(done)?.is_some() {
            // It was put aside between the two looks, and this may be the one after it.
            return Ok(true);
        }
        self.open = Some(open);
        self.file_last = last;
        self.after = self.number().max(self.after);
        self.begun.clear();
        self.line = 0;
        Ok(true)
    }

    /// The first file put aside that has records after this number, and its last one's.
    fn aside_after(&self, done: u64) -> io::Result<Option<(PathBuf, u64)>> {
        let aside = put_aside(&self.path).map_err(io::Error::other)?;
        Ok(aside.into_iter().find_map(|file| {
            let last = last_number(&self.path, &file)?;
            (last > done).then_some((file, last))
        }))
    }
}
