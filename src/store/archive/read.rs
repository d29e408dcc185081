//! From an archive to entries, every byte of it checked.

use std::io::Read;

use prost::Message;
use sha2::{Digest as _, Sha256};

use super::contents::{Contents, Sum, is_of_the_store};
use super::error::ArchiveError;
use super::frame::{self, FORMAT, FrameFault, Kind, MAGIC};
use crate::store::record::{self, RecordProblem};
use crate::store::{KEY_BYTES_MAX, VALUE_BYTES_MAX, proto};

/// Where an archive comes from, as it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The version of the program that wrote it.
    pub program_version: String,
    /// The engine of the store.
    pub engine: String,
    /// The id of the store; empty when no node had run on it.
    pub store_id: String,
    /// The store's revision.
    pub revision: u64,
}

/// A key and its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// An archive that is being read. Its entries count when the end was seen.
#[derive(Debug)]
pub struct ArchiveReader<R> {
    input: R,
    origin: Origin,
    sum: Sum,
    checksum: Sha256,
    contents: Option<Contents>,
}

impl<R: Read> ArchiveReader<R> {
    /// Reads the beginning of an archive.
    ///
    /// # Errors
    /// [`ArchiveError::NotAnArchive`], [`ArchiveError::UnknownFormat`] and what else is wrong with
    /// the first bytes.
    pub fn open(mut input: R) -> Result<Self, ArchiveError> {
        let mut magic = [0; MAGIC.len()];
        match input.read_exact(&mut magic).map_err(FrameFault::from) {
            Ok(()) if magic == *MAGIC => {}
            Ok(()) | Err(FrameFault::Ended | FrameFault::Damaged(_)) => {
                return Err(ArchiveError::NotAnArchive);
            }
            Err(FrameFault::Input(error)) => return Err(error.into()),
        }
        let mut checksum = Sha256::new_with_prefix(magic);
        let found = frame::read(&mut input, &mut checksum);
        let (kind, body) = found.map_err(|fault| explain(fault, 0))?;
        if kind != Kind::Header {
            return Err(damaged(0, "it does not begin with its header"));
        }
        let header = proto::ArchiveHeader::decode(body.as_slice())
            .map_err(|error| damaged(0, &format!("its header is no message: {error}")))?;
        let proto::ArchiveHeader { format, program_version, engine, store_id, revision } = header;
        if format != FORMAT {
            return Err(ArchiveError::UnknownFormat { found: format, expected: FORMAT });
        }
        let origin = Origin { program_version, engine, store_id, revision };
        Ok(Self { input, origin, sum: Sum::default(), checksum, contents: None })
    }

    /// Where it comes from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Entries that were read.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.contents.map_or_else(|| self.sum.entries(), |it| it.entries)
    }

    /// What it holds; none before its end was seen and its digest was right.
    #[must_use]
    pub fn contents(&self) -> Option<Contents> {
        self.contents
    }

    /// The next entries, key and value; none at the end.
    ///
    /// # Errors
    /// [`ArchiveError::Damaged`] and [`ArchiveError::Incomplete`]: then nothing that was read
    /// counts.
    pub fn next_pairs(&mut self) -> Result<Option<Vec<Pair>>, ArchiveError> {
        if self.contents.is_some() {
            return Ok(None);
        }
        let at = self.sum.entries();
        let found = frame::read(&mut self.input, &mut self.checksum);
        let (kind, body) = found.map_err(|fault| explain(fault, at))?;
        match kind {
            Kind::Header => Err(damaged(at, "there is a second header")),
            Kind::Entries => self.take(&body).map(Some),
            Kind::Trailer => self.end(&body).map(|()| None),
        }
    }

    fn take(&mut self, body: &[u8]) -> Result<Vec<Pair>, ArchiveError> {
        let at = self.sum.entries();
        let message = proto::ArchiveEntries::decode(body)
            .map_err(|error| damaged(at, &format!("a frame is no message: {error}")))?;
        let mut entries = Vec::with_capacity(message.entries.len());
        for proto::ArchiveEntry { key, value } in message.entries {
            let at = self.sum.entries();
            if key.len() > KEY_BYTES_MAX || value.len() > VALUE_BYTES_MAX {
                return Err(damaged(at, "an entry is longer than any can be"));
            }
            if is_of_the_store(&key) {
                return Err(damaged(at, "it has an entry that none can have"));
            }
            if !self.sum.add(&key, &value) {
                return Err(damaged(at, "its keys do not ascend"));
            }
            entries.push((key, value));
        }
        Ok(entries)
    }

    fn end(&mut self, body: &[u8]) -> Result<(), ArchiveError> {
        let at = self.sum.entries();
        let trailer = proto::ArchiveTrailer::decode(body)
            .map_err(|error| damaged(at, &format!("its end is no message: {error}")))?;
        let contents = std::mem::take(&mut self.sum).contents();
        if (contents.entries, contents.digest.as_slice()) != (trailer.entries, &*trailer.digest) {
            return Err(damaged(at, "its entries are not those that its digest is of"));
        }
        let checksum = std::mem::take(&mut self.checksum).finalize();
        if checksum.as_slice() != trailer.checksum {
            return Err(damaged(at, "its bytes are not those that its checksum is of"));
        }
        match self.input.read_exact(&mut [0]).map_err(FrameFault::from) {
            Err(FrameFault::Ended) => {}
            Err(FrameFault::Input(error)) => return Err(error.into()),
            Ok(()) | Err(FrameFault::Damaged(_)) => {
                return Err(damaged(at, "there is something after its end"));
            }
        }
        self.contents = Some(contents);
        Ok(())
    }
}

/// Reads a whole archive and tells what it holds, if this program can read all of it. A record that
/// is damaged in the store it comes from is no fault of the archive, and stays as it is.
///
/// # Errors
/// As [`ArchiveReader::next_pairs`], and [`ArchiveError::Newer`].
pub fn verify(archive: &mut ArchiveReader<impl Read>) -> Result<Contents, ArchiveError> {
    while let Some(entries) = archive.next_pairs()? {
        for (key, value) in entries {
            if let Err(problem) = record::decode(&key, &value) {
                let is_newer = match problem.problem {
                    RecordProblem::UnknownKey => true,
                    RecordProblem::UnknownFormat(found) => found > record::FORMAT,
                    RecordProblem::NotAMessage(_)
                    | RecordProblem::OtherThanKey(_)
                    | RecordProblem::Altered
                    | RecordProblem::BadField(_) => false,
                };
                if is_newer {
                    return Err(ArchiveError::Newer(problem));
                }
            }
        }
    }
    archive.contents().ok_or(ArchiveError::Incomplete { entries: archive.entries() })
}

fn damaged(entries: u64, detail: &str) -> ArchiveError {
    ArchiveError::Damaged { entries, detail: detail.to_owned() }
}

fn explain(fault: FrameFault, entries: u64) -> ArchiveError {
    match fault {
        FrameFault::Ended => ArchiveError::Incomplete { entries },
        FrameFault::Damaged(detail) => ArchiveError::Damaged { entries, detail },
        FrameFault::Input(error) => error.into(),
    }
}
