//! What an archive promises: nothing that was changed on its way is taken for whole, and no store
//! that holds only a part is taken for one.

use std::sync::Arc;

use camgate::catalog::Catalog;
use camgate::node::{Node, NodeError, NodeSettings, SystemClock};
use camgate::store::archive::{ArchiveError, ArchiveReader, Export, import as bring};
use camgate::store::{Commit, Entry, MemoryStore, Store};

use super::{empty_sled, export, filled, import, verify};

const NODE_ID: &[u8] = b"n/store-id";
const MARK: &[u8] = b"n/import";

/// A small archive, for tests that look at every byte of it.
async fn small() -> Vec<u8> {
    let store = MemoryStore::new();
    let commit = Commit::new().put("a/00000000000000000001/h", "策略").put("n/uin", "\u{8}\u{2}");
    store.commit(commit).await.unwrap();
    export(&store).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_brought_in_is_what_was_there() {
    let from = filled().await;
    let bytes = export(&*from).await.unwrap();
    let (_directory, to) = empty_sled().await;
    let contents = import(&to, &bytes).await.unwrap();
    assert_eq!(contents.entries, 80);
    let pairs = |entries: Vec<Entry>| -> Vec<_> {
        let others = entries.into_iter().filter(|it| it.key != NODE_ID);
        others.map(|it| (it.key, it.value)).collect()
    };
    let (there, here) = (from.read_prefix(b"").await.unwrap(), to.read_prefix(b"").await.unwrap());
    // Neither the mark of the import nor the id of the other store is there.
    assert!(pairs(there.0) == pairs(here.0));
    assert!(to.read(NODE_ID).await.unwrap().0.is_none());
    // Again, out of the other engine: all but the header is the same.
    let again = export(&to).await.unwrap();
    assert_eq!(verify(&again).unwrap(), contents);
}

#[tokio::test]
async fn every_changed_bit_and_every_missing_byte_is_noticed() {
    let bytes = small().await;
    assert!(verify(&bytes).is_ok());
    for at in 0..bytes.len() {
        let fault = verify(&bytes[..at]).unwrap_err();
        let is_expected = match at {
            0..16 => matches!(fault, ArchiveError::NotAnArchive),
            _ => matches!(fault, ArchiveError::Incomplete { .. }),
        };
        assert!(is_expected, "{at} bytes: {fault}");
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            assert!(verify(&changed).is_err(), "bit {bit} of byte {at}");
        }
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(matches!(verify(&longer), Err(ArchiveError::Damaged { .. })));
    let doubled = [&bytes[..], &bytes[16..]].concat();
    assert!(matches!(verify(&doubled), Err(ArchiveError::Damaged { .. })));
}

#[tokio::test]
async fn a_length_is_never_trusted() {
    let bytes = small().await;
    for length in [u32::MAX, 100_000_000] {
        let mut changed = bytes.clone();
        changed[17..21].copy_from_slice(&length.to_be_bytes());
        let fault = verify(&changed).unwrap_err();
        assert!(fault.to_string().contains("the limit is"), "{fault}");
    }
    assert!(matches!(verify(b"{}"), Err(ArchiveError::NotAnArchive)));
}

#[tokio::test]
async fn what_only_a_newer_program_writes_is_refused() {
    for (key, value) in [("z/new", &b""[..]), ("n/uin", b"\x08\x63"), ("a/1/h", b"")] {
        let store = MemoryStore::new();
        store.commit(Commit::new().put(key, value)).await.unwrap();
        let mut export = Export::begin(&store).await.unwrap();
        let mut bytes = Vec::new();
        while let Some(piece) = export.next().await.unwrap() {
            bytes.extend(piece);
        }
        let fault = verify(&bytes).unwrap_err();
        assert!(matches!(fault, ArchiveError::Newer(_)), "{key}: {fault}");
        assert!(fault.to_string().contains(key), "{fault}");
    }
    // What cannot be read where it comes from is brought along: it denies there and here.
    let store = MemoryStore::new();
    store.commit(Commit::new().put("n/uin", "\u{7f}")).await.unwrap();
    assert!(export(&store).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_an_empty_store_is_filled() {
    let bytes = small().await;
    for key in ["u/00000000000000000001", "n/store-id"] {
        let store = MemoryStore::new();
        store.commit(Commit::new().put(key, "")).await.unwrap();
        let before = store.read_prefix(b"").await.unwrap();
        let fault = import(&store, &bytes).await.unwrap_err();
        assert!(matches!(fault, ArchiveError::NotEmpty { .. }), "{fault}");
        assert_eq!(store.read_prefix(b"").await.unwrap(), before, "nothing was written");
    }
}

/// Begins an import that ends with the archive in the middle.
async fn half_filled(store: &dyn Store, bytes: &[u8]) {
    let contents = verify(bytes).unwrap();
    let half = &bytes[..bytes.len() / 2];
    let mut archive = ArchiveReader::open(half).unwrap();
    let fault = bring(store, &mut archive, contents, &mut |_| {}).await.unwrap_err();
    assert!(matches!(fault, ArchiveError::Incomplete { .. }), "{fault}");
    assert!(store.read(MARK).await.unwrap().0.is_some());
}

async fn start(store: Arc<dyn Store>) -> Result<Arc<Node>, NodeError> {
    let catalog = Arc::new(Catalog::builtin().clone());
    Node::start(store, catalog, Arc::new(SystemClock), None, NodeSettings::default()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_with_a_part_serves_nobody_until_the_rest_is_there() {
    let bytes = export(&*filled().await).await.unwrap();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    half_filled(&*store, &bytes).await;
    let fault = start(Arc::clone(&store)).await.unwrap_err();
    assert!(matches!(fault, NodeError::ImportUnfinished), "{fault}");
    assert!(store.read(NODE_ID).await.unwrap().0.is_none());
    assert!(matches!(export(&*store).await, Err(ArchiveError::Unfinished)));
    // Another archive does not go into it, the same one does.
    let fault = import(&*store, &small().await).await.unwrap_err();
    assert!(matches!(fault, ArchiveError::OtherImport { .. }), "{fault}");
    import(&*store, &bytes).await.unwrap();
    assert_eq!(verify(&export(&*store).await.unwrap()).unwrap(), verify(&bytes).unwrap());
    start(store).await.unwrap().end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_else_writes_meanwhile_is_noticed() {
    let bytes = export(&*filled().await).await.unwrap();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    half_filled(&*store, &bytes).await;
    store.commit(Commit::new().put("u/99999999999999999999", "")).await.unwrap();
    let fault = import(&*store, &bytes).await.unwrap_err();
    let ArchiveError::Differs { expected, found } = fault else { panic!("{fault}") };
    assert_eq!((expected.entries, found.entries), (80, 81));
    assert!(start(store).await.is_err(), "it stays marked");
}
