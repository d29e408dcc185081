//! From an archive into an empty store.
//!
//! The first commit marks the store, the last one takes the mark away when the store holds what the
//! archive does, and no node starts on a marked store. An import that was interrupted is run again
//! with the same archive.

use std::io::Read;
use std::mem;

use super::contents::{Contents, Sum, is_of_the_store};
use super::error::ArchiveError;
use super::read::ArchiveReader;
use crate::store::commit::{Commit, Mutation};
use crate::store::contract::Store;
use crate::store::error::StoreError;
use crate::store::record::{self, Stored};
use crate::store::{KEY_BYTES_MAX, VALUE_BYTES_MAX, key};

/// A commit ends with the entry that brings it to this many bytes, or earlier where the engine
/// takes less.
const COMMIT_BYTES: usize = 1024 * 1024;

/// Brings an archive into an empty store. `contents` is what [`super::verify`] said of the same
/// archive; `progress` is told the number of entries that are in.
///
/// # Errors
/// [`ArchiveError::NotEmpty`], [`ArchiveError::NodesRun`] and [`ArchiveError::OtherImport`] before
/// anything is written; after any other error the store is marked, and refused by nodes.
pub async fn import<R: Read>(
    store: &dyn Store,
    archive: &mut ArchiveReader<R>,
    contents: Contents,
    progress: &mut dyn FnMut(u64),
) -> Result<(), ArchiveError> {
    mark(store, contents).await?;
    let mut batch = Batch::new(store);
    while let Some(entries) = archive.next_pairs()? {
        for (key, value) in entries {
            batch.add(key, value).await?;
        }
        progress(archive.entries());
    }
    batch.flush().await?;
    let found = read_contents(store).await?;
    if archive.contents() != Some(contents) || found != contents {
        return Err(ArchiveError::Differs { expected: contents, found });
    }
    let done = Commit::new().require_absent(key::STORE_ID).delete(key::IMPORT);
    store.commit(done).await?;
    Ok(())
}

/// Marks an empty store as one that is being filled, or finds the mark of this archive.
async fn mark(store: &dyn Store, contents: Contents) -> Result<(), ArchiveError> {
    let ids: Vec<String> = store.nodes().await?.into_iter().map(|node| node.id).collect();
    if !ids.is_empty() {
        return Err(ArchiveError::NodesRun { ids });
    }
    if let Some(entry) = store.read(key::IMPORT).await?.0 {
        return match record::decode(&entry.key, &entry.value) {
            Ok(Stored::Import(digest)) if digest == contents.digest => Ok(()),
            Ok(Stored::Import(digest)) => Err(ArchiveError::OtherImport { digest }),
            Ok(_) | Err(_) => Err(ArchiveError::NotEmpty { key: entry.key }),
        };
    }
    if let Some(page) = store.scan().await?.next().await.transpose()?
        && let Some(entry) = page.into_iter().next()
    {
        return Err(ArchiveError::NotEmpty { key: entry.key });
    }
    // A node that starts now makes the store its own by its id: one of the two is refused.
    let commit = Commit::new().require_absent(key::STORE_ID).require_absent(key::IMPORT);
    store.commit(commit.put(key::IMPORT, record::encode_import(&contents.digest))).await?;
    Ok(())
}

/// What a store holds, without what is its own.
async fn read_contents(store: &dyn Store) -> Result<Contents, ArchiveError> {
    let mut scan = store.scan().await?;
    let mut sum = Sum::default();
    while let Some(page) = scan.next().await.transpose()? {
        for entry in page.iter().filter(|entry| !is_of_the_store(&entry.key)) {
            if !sum.add(&entry.key, &entry.value) {
                let detail = "its scan is not in the order of keys".to_owned();
                return Err(StoreError::Corrupt { detail }.into());
            }
        }
    }
    Ok(sum.contents())
}

/// Entries on their way into a store.
struct Batch<'a> {
    store: &'a dyn Store,
    mutations: Vec<Mutation>,
    bytes: usize,
    mutations_max: usize,
    /// With room for one more entry of any size.
    bytes_max: usize,
}

impl<'a> Batch<'a> {
    fn new(store: &'a dyn Store) -> Self {
        let limits = store.commit_limits();
        let bytes_max = limits.commit_bytes_max.saturating_sub(KEY_BYTES_MAX + VALUE_BYTES_MAX);
        Self {
            store,
            mutations: Vec::new(),
            bytes: 0,
            mutations_max: limits.mutations_max,
            bytes_max: bytes_max.min(COMMIT_BYTES),
        }
    }

    async fn add(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<(), StoreError> {
        self.bytes = self.bytes.saturating_add(key.len()).saturating_add(value.len());
        self.mutations.push(Mutation::Put { key, value });
        if self.mutations.len() >= self.mutations_max || self.bytes >= self.bytes_max {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), StoreError> {
        if self.mutations.is_empty() {
            return Ok(());
        }
        let mut commit = Commit::new().require_exists(key::IMPORT);
        commit.mutations = mem::take(&mut self.mutations);
        self.bytes = 0;
        self.store.commit(commit).await?;
        Ok(())
    }
}
