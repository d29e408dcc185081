//! Scanning: a whole store as it was at one revision, page by page, while commits go on.
//!
//! For what is too large to be held at once, such as a backup. A scan must never show a commit that
//! came after its revision, nor half of one; where an engine can no longer tell what was there, the
//! scan ends with [`StoreError::ScanLost`] and the caller begins again.

use std::fmt;

use super::contract::{Entry, Revision, StoreFuture};
use super::error::StoreError;

/// Most entries of a page.
pub(super) const PAGE_ENTRIES_MAX: usize = 1_000;
/// A page ends with the entry that brings it to this many bytes.
pub(super) const PAGE_BYTES: usize = 1024 * 1024;

/// Where a [`Scan`] gets its pages from: the border between it and its engine.
pub(super) trait ScanSource: Send {
    /// The next entries, which come after all that were given; empty at the end.
    fn next_page(&mut self) -> StoreFuture<'_, Vec<Entry>>;
}

/// All entries at one revision, sorted by key.
pub struct Scan {
    revision: Revision,
    source: Box<dyn ScanSource>,
    is_ended: bool,
}

impl fmt::Debug for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan").field("revision", &self.revision).finish_non_exhaustive()
    }
}

impl Scan {
    pub(super) fn new(revision: Revision, source: impl ScanSource + 'static) -> Self {
        Self { revision, source: Box::new(source), is_ended: false }
    }

    /// The revision that all entries are at.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The next page, never empty; none at the end. An error is the last item.
    pub async fn next(&mut self) -> Option<Result<Vec<Entry>, StoreError>> {
        if self.is_ended {
            return None;
        }
        let page = self.source.next_page().await;
        self.is_ended = !matches!(&page, Ok(page) if !page.is_empty());
        page.map(|page| (!page.is_empty()).then_some(page)).transpose()
    }
}

/// A scan of what was read already: for engines that hold everything in memory anyway.
pub(super) struct ReadScan(pub(super) std::vec::IntoIter<Entry>);

impl ScanSource for ReadScan {
    fn next_page(&mut self) -> StoreFuture<'_, Vec<Entry>> {
        Box::pin(async { Ok(page_of(&mut self.0)) })
    }
}

/// As many entries as make a page.
fn page_of(entries: &mut impl Iterator<Item = Entry>) -> Vec<Entry> {
    let (mut page, mut size) = (Vec::new(), PageSize::default());
    for entry in entries {
        size.add(entry.value.len());
        page.push(entry);
        if size.is_full() {
            break;
        }
    }
    page
}

/// How much of a page is filled.
#[derive(Debug, Default)]
pub(super) struct PageSize {
    entries: usize,
    bytes: usize,
}

impl PageSize {
    /// Counts an entry with a value of so many bytes.
    pub(super) fn add(&mut self, value_bytes: usize) {
        self.entries = self.entries.saturating_add(1);
        self.bytes = self.bytes.saturating_add(value_bytes);
    }

    /// Whether the page ends here.
    pub(super) fn is_full(&self) -> bool {
        self.entries >= PAGE_ENTRIES_MAX || self.bytes >= PAGE_BYTES
    }
}
