//! Why a store cannot be exported or an archive cannot be imported.

use super::contents::{Contents, digest_text};
use crate::store::error::StoreError;
use crate::store::record::RecordError;

/// Why a store cannot be exported or an archive cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The store refused or failed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The archive cannot be read from where it is.
    #[error("the archive cannot be read: {0}")]
    Input(#[from] std::io::Error),
    /// The first bytes are not those of an archive.
    #[error("this is no archive of camgate: make one with `camgate export FILE`")]
    NotAnArchive,
    /// An archive of another format.
    #[error(
        "the archive has format {found}, this program reads {expected}: use the version of camgate \
         that wrote it"
    )]
    UnknownFormat {
        /// The format found.
        found: u32,
        /// The format read.
        expected: u32,
    },
    /// The archive contradicts itself.
    #[error("the archive is damaged after entry {entries}: {detail}; take another copy of it")]
    Damaged {
        /// Entries that were read before.
        entries: u64,
        /// What was found.
        detail: String,
    },
    /// The archive ends before its end.
    #[error("the archive is not complete: it ends after entry {entries}; take another copy of it")]
    Incomplete {
        /// Entries that were read.
        entries: u64,
    },
    /// A record that only a newer program can have written.
    #[error("{0}: a newer version of camgate wrote it; import with that version")]
    Newer(RecordError),
    /// The store to import into holds something.
    #[error(
        "the store is not empty: it has the entry `{}`; import into a new store (another \
         directory, or another `prefix` in `[etcd]`)", String::from_utf8_lossy(.key).escape_debug()
    )]
    NotEmpty {
        /// One of its keys.
        key: Vec<u8>,
    },
    /// Nodes run on the store to import into.
    #[error("nodes run on the store, {}: stop them and wait a few seconds", .ids.join(", "))]
    NodesRun {
        /// Their ids.
        ids: Vec<String>,
    },
    /// The store holds a part of another archive.
    #[error(
        "an import of another archive ({}) into this store has not ended: import that one again, \
         or use another store", digest_text(.digest)
    )]
    OtherImport {
        /// The digest of that archive.
        digest: Vec<u8>,
    },
    /// The store to export holds a part of an archive only.
    #[error(
        "an import into this store has not ended: it holds only a part; run `camgate import` again"
    )]
    Unfinished,
    /// The store does not hold what was imported.
    #[error(
        "the store holds {found}, the archive {expected}: something else writes the store, or the \
         archive changed; use a new store and import again"
    )]
    Differs {
        /// What should be there.
        expected: Contents,
        /// What is there.
        found: Contents,
    },
}
