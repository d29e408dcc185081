//! Archives: a whole store as one file, and back.

mod files;
mod format;
#[cfg(feature = "etcd")]
mod moving;

use std::sync::Arc;

use camgate::store::archive::{self, ArchiveError, ArchiveReader, Contents, Export};
use camgate::store::{Commit, MemoryStore, SledStore, Store};

/// The archive of a store, whole.
async fn export(store: &dyn Store) -> Result<Vec<u8>, ArchiveError> {
    let mut export = Export::begin(store).await?;
    let mut bytes = Vec::new();
    while let Some(piece) = export.next().await? {
        bytes.extend(piece);
    }
    let read = verify(&bytes).unwrap();
    assert_eq!(export.contents(), Some(read), "what was written is what is read");
    Ok(bytes)
}

fn verify(bytes: &[u8]) -> Result<Contents, ArchiveError> {
    archive::verify(&mut ArchiveReader::open(bytes)?)
}

async fn import(store: &dyn Store, bytes: &[u8]) -> Result<Contents, ArchiveError> {
    let contents = verify(bytes)?;
    let mut archive = ArchiveReader::open(bytes)?;
    archive::import(store, &mut archive, contents, &mut |_| {}).await?;
    Ok(contents)
}

/// Records of every size: what they say is of no concern here, and damaged ones travel too.
async fn filled() -> Arc<dyn Store> {
    let store = MemoryStore::new();
    store.commit(Commit::new().put("n/store-id", "\u{8}\u{2}\u{12}\u{1}x")).await.unwrap();
    for number in 0..40_u64 {
        let bytes = if number % 13 == 0 { 500 * 1024 } else { 50 };
        let mut value = vec![0xff; bytes];
        value.push(u8::try_from(number).unwrap());
        let commit = Commit::new().put(format!("a/{number:020}/h"), value);
        store.commit(commit.put(format!("u/{number:020}"), "")).await.unwrap();
    }
    Arc::new(store)
}

/// An empty sled store, with its directory.
async fn empty_sled() -> (tempfile::TempDir, SledStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = SledStore::open(directory.path().join("store")).await.unwrap();
    (directory, store)
}
