//! Reading many entries: page by page, all at the revision of the first.
//!
//! etcd keeps the past until it is compacted; what is compacted while it is read is told apart from
//! other faults, because reading it again helps.

use std::sync::Arc;

use etcd_client::{GetOptions, GetResponse, KeyValue, TxnOp};

use super::layout::{Layout, end_of};
use super::pool::{Pool, Repeat, is_compacted, unavailable};
use super::{EtcdStore, damaged, entry_of, gets, last_put};
use crate::store::contract::{Entry, Revision, StoreFuture};
use crate::store::error::StoreError;
use crate::store::scan::{Scan, ScanSource};

/// Entries of one page of a long read.
const PAGE_ENTRIES: i64 = 100;
/// Longest page, in bytes: as many of the longest values, and what stands around them.
pub(super) const PAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A long read under way.
pub(super) struct Pages {
    pool: Arc<Pool>,
    layout: Layout,
    /// The commit that all pages are at.
    pub(super) head: Revision,
    /// etcd's own revision that they are at.
    at: i64,
    end: Vec<u8>,
    /// Where the next page begins; none after the last.
    next: Option<Vec<u8>>,
    /// The page that was read with the head, until it is taken.
    first: Option<Vec<Entry>>,
}

/// Why there is no next page.
pub(super) enum PageFault {
    /// etcd has forgotten the revision.
    Compacted,
    /// Anything else.
    Store(StoreError),
}

impl Pages {
    /// Begins to read all entries under a prefix; the first page is read.
    pub(super) async fn begin(store: &EtcdStore, prefix: &[u8]) -> Result<Self, StoreError> {
        let start = store.layout.data_key(prefix);
        let end = end_of(&start);
        let options = GetOptions::new().with_range(end.clone()).with_limit(PAGE_ENTRIES);
        let first = TxnOp::get(start, Some(options));
        let answer = store.read_txn(vec![first, store.get_head()]).await?;
        let at = answer.header().ok_or_else(|| damaged("without its revision"))?.revision();
        let mut found = gets(&answer);
        let (Some(mut part), Some(head)) = (found.next(), found.next()) else {
            return Err(damaged("less than it was asked"));
        };
        let (pool, layout) = (Arc::clone(&store.pool), store.layout.clone());
        let head = last_put(head.kvs());
        let mut pages = Self { pool, layout, head, at, end, next: None, first: None };
        pages.first = Some(pages.take(&mut part));
        Ok(pages)
    }

    /// The entries of a page, and where the next one begins.
    fn take(&mut self, part: &mut GetResponse) -> Vec<Entry> {
        let pairs = part.take_kvs();
        // The smallest key after the last one.
        let after = |pair: &KeyValue| [pair.key(), &[0]].concat();
        self.next = pairs.last().filter(|_| part.more()).map(after);
        pairs.iter().filter_map(|pair| entry_of(&self.layout, pair)).collect()
    }

    /// The next page; none after the last.
    pub(super) async fn next_page(&mut self) -> Result<Option<Vec<Entry>>, PageFault> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let Some(next) = self.next.clone() else { return Ok(None) };
        let options = GetOptions::new()
            .with_range(self.end.clone())
            .with_limit(PAGE_ENTRIES)
            .with_revision(self.at);
        let answer = self.pool.call(Repeat::Always, |client| {
            let mut kv = client.kv_client().max_decoding_message_size(PAGE_BYTES_MAX);
            let (next, options) = (next.clone(), options.clone());
            async move { kv.get(next, Some(options)).await }
        });
        match answer.await.map_err(PageFault::Store)? {
            Ok(mut part) => Ok(Some(self.take(&mut part))),
            Err(error) if is_compacted(&error) => Err(PageFault::Compacted),
            Err(error) => Err(PageFault::Store(unavailable(&error))),
        }
    }

    /// The pages as a scan.
    pub(super) fn into_scan(self) -> Scan {
        Scan::new(self.head, self)
    }
}

impl ScanSource for Pages {
    fn next_page(&mut self) -> StoreFuture<'_, Vec<Entry>> {
        Box::pin(async {
            match Pages::next_page(self).await {
                // Only keys of ours are under our prefix, so no page is empty but the last.
                Ok(page) => Ok(page.unwrap_or_default()),
                Err(PageFault::Store(error)) => Err(error),
                Err(PageFault::Compacted) => {
                    let detail = "etcd compacted it while it was read, which is too slow".into();
                    Err(StoreError::ScanLost { at: self.head, detail })
                }
            }
        })
    }
}
