//! The files of a log: the one that is written, and those before it, compressed.
//!
//! `decisions.jsonl` is written; when it is full or old it becomes
//! `decisions-<number of its last record>-<time>.jsonl`, and then the same with `.gz`. A file has
//! one writer, which holds a lock on it. When the program died in the middle of a line, what there
//! is of it is cut off at the next start. What is no regular file (`/dev/stdout`, a pipe) is only
//! written to. It must never cut off a whole record.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use tracing::{info, warn};

use super::line::{Line, LineFault, Reached};
use super::record::Entry;

/// Longest line that is read, in bytes: more than a decision about the longest question has.
pub(super) const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What a compressed file's name ends with.
const COMPRESSED: &str = "gz";
/// What it ends with before it is whole.
const PART: &str = "part";
/// What every record begins with.
const RECORD_START: &[u8] = b"{\"n\":";
/// Step in which the end of a file is looked at.
const TAIL_STEP_BYTES: u64 = 64 * 1024;

/// Why a log's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileFault {
    /// The system says no.
    #[error("decision log `{}`: {problem}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it says.
        problem: io::Error,
    },
    /// Another process writes it.
    #[error(
        "decision log `{}` is written by another process: give each server a file of its own",
        .path.display()
    )]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// Its last line is none of ours.
    #[error(
        "decision log `{}` ends with something else: {fault}; move the file away, or give another",
        .path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: LineFault,
    },
    /// The name has no folder or no file.
    #[error("`{}` is no file name for a decision log", .path.display())]
    Name {
        /// The name.
        path: PathBuf,
    },
}

fn io_fault(path: &Path) -> impl Fn(io::Error) -> FileFault + '_ {
    |problem| FileFault::Io { path: path.to_owned(), problem }
}

/// The file that is written.
#[derive(Debug)]
pub(super) struct LogFile {
    pub(super) path: PathBuf,
    file: File,
    pub(super) bytes: u64,
    /// When its first record was written.
    pub(super) begun: Timestamp,
    /// Whether it can be locked, repaired and put aside.
    pub(super) is_regular: bool,
}

impl LogFile {
    /// Opens the file, or makes it, and finds where its chain has got to; cuts off what is left of
    /// a record that was being written.
    ///
    /// # Errors
    /// [`FileFault`].
    pub(super) fn open(path: &Path, now: Timestamp) -> Result<(Self, Reached), FileFault> {
        let (mut this, reached) = Self::open_here(path, now)?;
        if !this.is_regular {
            return Ok((this, Reached::default()));
        }
        if let Some(reached) = reached {
            return Ok((this, reached));
        }
        // A new file goes on from the newest that was put aside.
        this.begun = now;
        let reached = match put_aside(path)?.last() {
            Some(last) => last_of(last)?,
            None => Reached::default(),
        };
        Ok((this, reached))
    }

    fn open_here(path: &Path, now: Timestamp) -> Result<(Self, Option<Reached>), FileFault> {
        let io = io_fault(path);
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o600);
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            let file = options.open(path).map_err(&io)?;
            let (path, bytes, begun) = (path.to_owned(), 0, now);
            return Ok((Self { path, file, bytes, begun, is_regular: false }, None));
        }
        let mut file = options.read(true).open(path).map_err(&io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(FileFault::Locked { path: path.to_owned() });
            }
            Err(TryLockError::Error(problem)) => return Err(io(problem)),
        }
        let length = file.metadata().map_err(&io)?.len();
        let (last, whole) = last_line(&mut file, length).map_err(&io)?;
        if whole < length {
            let cut = length - whole;
            if !is_begun_record(&mut file, whole).map_err(&io)? {
                let fault = LineFault::Unreadable { problem: "it is no line of ours".to_owned() };
                return Err(FileFault::Foreign { path: path.to_owned(), fault });
            }
            warn!(file = %path.display(), bytes = cut, "an incomplete last record was cut off");
            file.set_len(whole).map_err(&io)?;
        }
        let mut this =
            Self { path: path.to_owned(), file, bytes: whole, begun: now, is_regular: true };
        let Some(last) = last else { return Ok((this, None)) };
        let foreign = |fault| FileFault::Foreign { path: path.to_owned(), fault };
        let last = Line::read(&last).map_err(foreign)?;
        this.file.seek(SeekFrom::Start(0)).map_err(&io)?;
        let mut first = Vec::new();
        BufReader::new(&this.file)
            .take(LINE_BYTES_MAX as u64)
            .read_until(b'\n', &mut first)
            .map_err(&io)?;
        if let Ok(Entry::Opened(opened)) = Line::read(first.trim_ascii_end()).map(|it| it.entry) {
            this.begun = opened.time;
        }
        Ok((this, Some(last.reached)))
    }

    /// Writes some of the bytes at the end; how many.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes = self.bytes.saturating_add(written as u64);
        Ok(written)
    }

    /// Makes what was written survive a power cut.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Puts the file aside and begins a new one. When it fails, everything is as it was.
    pub(super) fn rotate(&mut self, last: u64, now: Timestamp) -> Result<(), FileFault> {
        self.sync().map_err(io_fault(&self.path))?;
        let path = aside_name(&self.path, last, now)?;
        std::fs::rename(&self.path, &path).map_err(io_fault(&path))?;
        match Self::open_here(&self.path, now) {
            Ok((new, _)) => {
                *self = new;
                Ok(())
            }
            Err(fault) => {
                // Without a new file the old one is gone on with, under its own name.
                if let Err(problem) = std::fs::rename(&path, &self.path) {
                    warn!(%problem, "a decision log's file keeps the name it was put aside under");
                }
                Err(fault)
            }
        }
    }
}

/// The last whole line of a file, and where whole lines end.
pub(super) fn last_line(file: &mut File, length: u64) -> io::Result<(Option<Vec<u8>>, u64)> {
    let mut tail: Vec<u8> = Vec::new();
    let mut start = length;
    loop {
        let end = tail.iter().rposition(|byte| *byte == b'\n');
        let line = end.and_then(|end| {
            let before = tail.get(..end)?;
            let first = before.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
            let first = first.or((start == 0).then_some(0))?;
            Some((before.get(first..)?.to_vec(), start + end as u64 + 1))
        });
        if let Some((line, whole)) = line {
            return Ok((Some(line), whole));
        }
        if start == 0 || tail.len() > LINE_BYTES_MAX {
            return Ok((None, 0));
        }
        let step = start.min(TAIL_STEP_BYTES);
        start -= step;
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(step).read_to_end(&mut bytes)?;
        bytes.extend_from_slice(&tail);
        tail = bytes;
    }
}

/// Whether what stands from here on is the beginning of a record, or space that was never written.
fn is_begun_record(file: &mut File, from: u64) -> io::Result<bool> {
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(LINE_BYTES_MAX as u64).read_to_end(&mut bytes)?;
    let begins = bytes.iter().zip(RECORD_START).all(|(found, wanted)| found == wanted);
    Ok(begins || bytes.iter().all(|byte| *byte == 0))
}

/// The folder of a log, and the parts of its file's name.
fn parts(path: &Path) -> Result<(&Path, &str, &str), FileFault> {
    let fault = || FileFault::Name { path: path.to_owned() };
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(fault)?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, "log"));
    Ok((folder, stem, extension))
}

/// The name of a file put aside: in the order of their records when sorted.
fn aside_name(path: &Path, last: u64, now: Timestamp) -> Result<PathBuf, FileFault> {
    let (folder, stem, extension) = parts(path)?;
    let time = now.strftime("%Y%m%dT%H%M%SZ");
    Ok(folder.join(format!("{stem}-{last:015}-{time}.{extension}")))
}

/// The number of the last record of a file that was put aside, as its name says.
pub(super) fn last_number(log: &Path, aside: &Path) -> Option<u64> {
    let (_, stem, extension) = parts(log).ok()?;
    last_of_name(aside, stem, extension)
}

fn last_of_name(aside: &Path, stem: &str, extension: &str) -> Option<u64> {
    let name = aside.file_name()?.to_str()?;
    let plain = name.strip_suffix(&format!(".{COMPRESSED}")).unwrap_or(name);
    let middle = plain.strip_prefix(stem)?.strip_prefix('-')?;
    let (last, _) = middle.strip_suffix(&format!(".{extension}"))?.split_once('-')?;
    let is_number = last.len() == 15 && last.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| last.parse().ok())?
}

/// The files put aside of a log, oldest first; each once, be it compressed already or not.
pub(super) fn put_aside(path: &Path) -> Result<Vec<PathBuf>, FileFault> {
    let (folder, stem, extension) = parts(path)?;
    let io = io_fault(folder);
    let mut found: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(&io)? {
        let path = entry.map_err(&io)?.path();
        if last_of_name(&path, stem, extension).is_some() {
            found.push(path);
        }
    }
    found.sort();
    // `x.jsonl` and `x.jsonl.gz` are one: the program ended before it deleted the former.
    found.dedup_by(|later, earlier| is_compressed(later) && later.with_extension("") == *earlier);
    Ok(found)
}

fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == COMPRESSED)
}

/// Opens a file of a log for reading, compressed or not.
pub(super) fn open_to_read(path: &Path) -> io::Result<Box<dyn io::Read + Send>> {
    let file = File::open(path)?;
    if is_compressed(path) {
        Ok(Box::new(MultiGzDecoder::new(BufReader::new(file))))
    } else {
        Ok(Box::new(file))
    }
}

/// Where the chain of a file that was put aside ends.
fn last_of(path: &Path) -> Result<Reached, FileFault> {
    let mut reader = BufReader::new(open_to_read(path).map_err(io_fault(path))?);
    let (mut last, mut line) = (Vec::new(), Vec::new());
    while {
        line.clear();
        reader.read_until(b'\n', &mut line).map_err(io_fault(path))? > 0
    } {
        std::mem::swap(&mut last, &mut line);
    }
    let foreign = |fault| FileFault::Foreign { path: path.to_owned(), fault };
    Ok(Line::read(last.trim_ascii_end()).map_err(foreign)?.reached)
}

/// Compresses what was put aside and is not compressed yet, and deletes the oldest files beyond
/// `files_max`.
pub(super) fn sweep(path: &Path, files_max: Option<usize>) -> Result<(), FileFault> {
    for plain in put_aside(path)?.iter().filter(|path| !is_compressed(path)) {
        compress(plain).map_err(io_fault(plain))?;
    }
    let files = put_aside(path)?;
    let beyond = files_max.map_or(0, |most| files.len().saturating_sub(most));
    for old in files.iter().take(beyond) {
        std::fs::remove_file(old).map_err(io_fault(old))?;
        info!(file = %old.display(), "the oldest file of the decision log was deleted");
    }
    Ok(())
}

fn compress(plain: &Path) -> io::Result<()> {
    let with = |ending: &str| {
        let mut name = plain.as_os_str().to_owned();
        name.push(".");
        name.push(ending);
        PathBuf::from(name)
    };
    let (whole, part) = (with(COMPRESSED), with(PART));
    let mut options = OpenOptions::new();
    let made = options.write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    let mut encoder = GzEncoder::new(made, Compression::fast());
    io::copy(&mut File::open(plain)?, &mut encoder)?;
    encoder.finish()?.sync_all()?;
    std::fs::rename(&part, &whole)?;
    std::fs::remove_file(plain)
}
