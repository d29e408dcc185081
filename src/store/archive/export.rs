//! From a store to an archive: the pages of a scan as frames.

use std::collections::VecDeque;
use std::mem;

use sha2::{Digest as _, Sha256};

use super::contents::{Contents, Sum, is_of_the_store};
use super::error::ArchiveError;
use super::frame::{self, FORMAT, FRAME_BYTES, Kind, MAGIC};
use crate::store::contract::{Entry, Store};
use crate::store::error::StoreError;
use crate::store::record::{self, Stored};
use crate::store::scan::Scan;
use crate::store::{key, proto};

/// An archive that is being written: pieces of bytes, which follow each other.
#[derive(Debug)]
pub struct Export {
    scan: Scan,
    sum: Sum,
    /// Over every byte before the trailer.
    checksum: Sha256,
    ready: VecDeque<Vec<u8>>,
    contents: Option<Contents>,
}

impl Export {
    /// Begins to export a store as it is now; it may be written meanwhile.
    ///
    /// # Errors
    /// [`ArchiveError::Store`], and [`ArchiveError::Unfinished`] for a store that is being filled.
    pub async fn begin(store: &dyn Store) -> Result<Self, ArchiveError> {
        let store_id = match store.read(key::STORE_ID).await?.0 {
            Some(entry) => id_of(&entry)?,
            // No node has run on it yet.
            None => String::new(),
        };
        let scan = store.scan().await?;
        let header = proto::ArchiveHeader {
            format: FORMAT,
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
            engine: store.engine_name().to_owned(),
            store_id,
            revision: scan.revision().0,
        };
        let begin = [MAGIC.as_slice(), &frame::encode(Kind::Header, &header)].concat();
        let (sum, checksum) = (Sum::default(), Sha256::new_with_prefix(&begin));
        Ok(Self { scan, sum, checksum, ready: VecDeque::from([begin]), contents: None })
    }

    /// The revision of the store that is exported.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.scan.revision().0
    }

    /// Entries in what was given so far.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.contents.map_or_else(|| self.sum.entries(), |it| it.entries)
    }

    /// What was exported; none before the last piece was given.
    #[must_use]
    pub fn contents(&self) -> Option<Contents> {
        self.contents
    }

    /// The next bytes of the archive; none after the last. An error means that there is none.
    ///
    /// # Errors
    /// As [`Export::begin`].
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, ArchiveError> {
        while self.ready.is_empty() && self.contents.is_none() {
            match self.scan.next().await.transpose()? {
                Some(page) => self.add(page)?,
                None => self.finish(),
            }
        }
        Ok(self.ready.pop_front())
    }

    fn add(&mut self, page: Vec<Entry>) -> Result<(), ArchiveError> {
        let (mut entries, mut bytes) = (Vec::new(), 0_usize);
        for Entry { key, value, revision: _ } in page {
            if key == key::IMPORT {
                return Err(ArchiveError::Unfinished);
            }
            if is_of_the_store(&key) {
                continue;
            }
            if !self.sum.add(&key, &value) {
                let detail = "its scan is not in the order of keys".to_owned();
                return Err(StoreError::Corrupt { detail }.into());
            }
            bytes = bytes.saturating_add(key.len()).saturating_add(value.len());
            entries.push(proto::ArchiveEntry { key, value });
            if bytes >= FRAME_BYTES {
                bytes = 0;
                self.push(mem::take(&mut entries));
            }
        }
        if !entries.is_empty() {
            self.push(entries);
        }
        Ok(())
    }

    fn push(&mut self, entries: Vec<proto::ArchiveEntry>) {
        let message = proto::ArchiveEntries { entries };
        let frame = frame::encode(Kind::Entries, &message);
        self.checksum.update(&frame);
        self.ready.push_back(frame);
    }

    fn finish(&mut self) {
        let contents = mem::take(&mut self.sum).contents();
        let Contents { entries, bytes: _, digest } = contents;
        let checksum = mem::take(&mut self.checksum).finalize().to_vec();
        let message = proto::ArchiveTrailer { entries, digest: digest.to_vec(), checksum };
        self.ready.push_back(frame::encode(Kind::Trailer, &message));
        self.contents = Some(contents);
    }
}

fn id_of(entry: &Entry) -> Result<String, StoreError> {
    match record::decode(&entry.key, &entry.value) {
        Ok(Stored::StoreId(id)) => Ok(id),
        Ok(_) => Err(StoreError::Corrupt { detail: "its id is something else".to_owned() }),
        Err(problem) => Err(StoreError::Corrupt { detail: problem.to_string() }),
    }
}
