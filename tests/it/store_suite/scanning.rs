//! Cases of scans: a whole store at one revision, while others write it.

use camgate::store::{Commit, Entry, Revision, Scan, Store};

use super::Engine;

/// Enough for some pages of every engine.
const ENTRIES: u64 = 2_300;

fn key(number: u64) -> String {
    format!("k/{number:06}")
}

/// Long values now and then, on both sides of the size where sled cuts them.
fn value(number: u64, round: u64) -> Vec<u8> {
    let bytes = if number.is_multiple_of(97) { 13_000 } else { 20 };
    format!("{number}-{round}-").into_bytes().into_iter().cycle().take(bytes).collect()
}

async fn fill(store: &dyn Store) {
    let numbers: Vec<u64> = (0..ENTRIES).map(|it| it * 2).collect();
    for part in numbers.chunks(50) {
        let puts = part.iter().fold(Commit::new(), |it, at| it.put(key(*at), value(*at, 0)));
        store.commit(puts).await.unwrap();
    }
}

/// Changes some entries everywhere, removes some, puts some back and adds some between.
async fn stir(store: &dyn Store, round: u64) {
    let mut commit = Commit::new();
    for at in 0..12_u64 {
        let number = (at * 397 + round * 101) % ENTRIES * 2;
        let is_there = store.read(key(number).as_bytes()).await.unwrap().0.is_some();
        commit = match at % 3 {
            0 if is_there => commit.delete(key(number)),
            0 | 1 => commit.put(key(number), value(number, round)),
            _ => commit.put(key(number + 1), value(number, round)),
        };
    }
    store.commit(commit).await.unwrap();
}

/// The rest of a scan, with changes between the pages.
async fn rest(store: &dyn Store, scan: &mut Scan, round: &mut u64) -> (Vec<Entry>, usize) {
    let (mut entries, mut pages) = (Vec::new(), 0);
    while let Some(page) = scan.next().await {
        let page = page.unwrap();
        assert!(!page.is_empty());
        entries.extend(page);
        pages += 1;
        *round += 1;
        stir(store, *round).await;
    }
    assert!(scan.next().await.is_none(), "the end is the end");
    (entries, pages)
}

pub(super) async fn a_scan_is_at_one_revision_whatever_is_committed_meanwhile(engine: Engine) {
    let it = engine.make().await;
    let store = &*it.store;
    fill(store).await;
    let (expected, head) = store.read_prefix(b"").await.unwrap();
    let mut scan = store.scan().await.unwrap();
    assert_eq!(scan.revision(), head);
    let mut round = 1;
    stir(store, round).await;
    // Another one begins meanwhile, and both see their own past.
    let (expected_later, later) = store.read_prefix(b"").await.unwrap();
    let mut second = store.scan().await.unwrap();
    let (found, pages) = rest(store, &mut scan, &mut round).await;
    assert!(pages > 1, "one page is no test");
    assert!(found == expected, "the first scan");
    let (found, _) = rest(store, &mut second, &mut round).await;
    assert_eq!(second.revision(), later);
    assert!(found == expected_later, "the second scan");
    // And a third begins where everything is.
    let mut third = store.scan().await.unwrap();
    let now = store.read_prefix(b"").await.unwrap().0;
    assert!(rest(store, &mut third, &mut round).await.0 == now, "the third scan");
}

pub(super) async fn a_scan_of_an_empty_store_has_nothing(engine: Engine) {
    let it = engine.make().await;
    let mut scan = it.store.scan().await.unwrap();
    assert_eq!(scan.revision(), Revision::EMPTY);
    assert!(scan.next().await.is_none());
}
