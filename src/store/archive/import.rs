//! From an archive into an empty store.
//!
//! The first commit marks the store, the last one takes the mark away when the store holds what the
//! archive does, and no node starts on a marked store. An import that was interrupted is run again
//! with the same archive.

use std::io::Read;

use super::contents::{Contents, Sum, is_of_the_store};
use super::error::ArchiveError;
use super::read::ArchiveReader;
use crate::store::commit::{Batcher, Commit, Mutation};
use crate::store::contract::Store;
use crate::store::error::StoreError;
use crate::store::key;
use crate::store::record::{self, Stored};

/// Most bytes of a commit, or fewer where the engine takes less.
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
    let mut batches = Batcher::new(store.commit_limits(), COMMIT_BYTES, 0, 0);
    while let Some(entries) = archive.next_pairs()? {
        for (key, value) in entries {
            if let Some(full) = batches.push(Mutation::Put { key, value }) {
                commit(store, full).await?;
            }
        }
        progress(archive.entries());
    }
    commit(store, batches.take()).await?;
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

/// Commits a batch into a store that is still marked.
async fn commit(store: &dyn Store, mutations: Vec<Mutation>) -> Result<(), StoreError> {
    if !mutations.is_empty() {
        let mut commit = Commit::new().require_exists(key::IMPORT);
        commit.mutations = mutations;
        store.commit(commit).await?;
    }
    Ok(())
}
