//! The cells of loaded accounts, and the only user of `dashmap`.
//!
//! A cell holds one account as readers see it (`view`, swapped atomically, never waited for) and
//! the lock under which it is loaded, changed and retired (`state`). A map guard never leaves a
//! statement. The rules that keep answers fresh:
//! - a cell is retired (view emptied) before it leaves the map, so a reader can never hold a view
//!   that the applier no longer reaches: it finds none and asks the map again;
//! - the view is emptied and replaced only under the `state` lock;
//! - whatever the view takes counts against the budget until it is emptied or replaced.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwapOption;
use dashmap::DashMap;
use tokio::sync::{Mutex, MutexGuard};

use super::footprint;
use super::requests::RequestIndex;
use super::view::AccountView;

/// What a cell holds; changed only under its lock.
#[derive(Debug)]
pub(super) enum CellState {
    /// Nobody has read the account yet.
    Empty,
    /// The account, as published in `view`.
    Loaded(Loaded),
    /// Out of the map: ask the map again.
    Retired,
}

/// A loaded account.
#[derive(Debug)]
pub(super) struct Loaded {
    /// The same as the cell's published view.
    pub(super) view: Arc<AccountView>,
    /// The idempotent requests of the account; none until a write needs them.
    pub(super) requests: Option<RequestIndex>,
}

/// One account in memory.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) owner_uin: u64,
    /// Held by the one write of this account that is under way on this node.
    pub(super) write_turn: Mutex<()>,
    state: Mutex<CellState>,
    view: ArcSwapOption<AccountView>,
    /// The tick of its last use; the smallest is evicted first.
    last_used: AtomicU64,
    /// About how many bytes the view takes.
    bytes: AtomicUsize,
    /// Those of all cells together.
    all_bytes: Arc<AtomicUsize>,
}

/// The cell's lock, held.
pub(super) struct CellGuard<'a> {
    cell: &'a Cell,
    state: MutexGuard<'a, CellState>,
}

impl Cell {
    fn new(owner_uin: u64, all_bytes: Arc<AtomicUsize>) -> Self {
        Self {
            bytes: AtomicUsize::new(0),
            all_bytes,
            owner_uin,
            write_turn: Mutex::new(()),
            state: Mutex::new(CellState::Empty),
            view: ArcSwapOption::empty(),
            last_used: AtomicU64::new(0),
        }
    }

    /// What readers see; none while it is not loaded. Never waits.
    pub(super) fn view(&self) -> Option<Arc<AccountView>> {
        self.view.load_full()
    }

    /// Counts what the view takes now, and no more what it took before.
    fn takes(&self, bytes: usize) {
        let before = self.bytes.swap(bytes, Ordering::Relaxed);
        self.all_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.all_bytes.fetch_sub(before, Ordering::Relaxed);
    }

    pub(super) async fn lock(&self) -> CellGuard<'_> {
        CellGuard { cell: self, state: self.state.lock().await }
    }
}

impl CellGuard<'_> {
    pub(super) fn state(&mut self) -> &mut CellState {
        &mut self.state
    }

    /// Makes a view the one that readers see.
    pub(super) fn publish(&mut self, view: Arc<AccountView>) {
        let requests = match &mut *self.state {
            CellState::Loaded(loaded) => loaded.requests.take(),
            CellState::Empty | CellState::Retired => None,
        };
        *self.state = CellState::Loaded(Loaded { view: Arc::clone(&view), requests });
        self.cell.takes(footprint::bytes_of(&view));
        self.cell.view.store(Some(view));
    }

    fn retire(&mut self) {
        self.cell.view.store(None);
        self.cell.takes(0);
        *self.state = CellState::Retired;
    }
}

/// All cells.
#[derive(Debug)]
pub(super) struct Cells {
    map: DashMap<u64, Arc<Cell>>,
    loaded_max: usize,
    /// About how many bytes all views together may take.
    bytes_max: usize,
    bytes: Arc<AtomicUsize>,
    tick: AtomicU64,
}

impl Cells {
    pub(super) fn new(loaded_max: usize, bytes_max: usize) -> Self {
        Self {
            map: DashMap::new(),
            loaded_max: loaded_max.max(1),
            bytes_max,
            bytes: Arc::default(),
            tick: AtomicU64::new(0),
        }
    }

    /// About how many bytes all views together take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The cell of an account, if there is one.
    pub(super) fn find(&self, owner_uin: u64) -> Option<Arc<Cell>> {
        self.map.get(&owner_uin).map(|cell| Arc::clone(&cell))
    }

    /// The cell of an account, made empty if there is none. Counts as a use.
    pub(super) fn find_or_add(&self, owner_uin: u64) -> Arc<Cell> {
        let found = self.find(owner_uin);
        let cell = found.unwrap_or_else(|| {
            let new = || Arc::new(Cell::new(owner_uin, Arc::clone(&self.bytes)));
            Arc::clone(&self.map.entry(owner_uin).or_insert_with(new))
        });
        cell.last_used.store(self.tick.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        cell
    }

    /// Every cell at this moment.
    pub(super) fn all(&self) -> Vec<Arc<Cell>> {
        self.map.iter().map(|cell| Arc::clone(&cell)).collect()
    }

    /// How many accounts are loaded or being loaded.
    pub(super) fn len(&self) -> usize {
        self.map.len()
    }

    /// Takes a cell out of use; whoever holds it asks the map again.
    pub(super) fn retire(&self, mut guard: CellGuard<'_>) {
        let owner_uin = guard.cell.owner_uin;
        if matches!(*guard.state, CellState::Retired) {
            return;
        }
        guard.retire();
        let cell: *const Cell = guard.cell;
        self.map.remove_if(&owner_uin, |_, found| std::ptr::eq(Arc::as_ptr(found), cell));
    }

    /// Makes room: retires the least recently used cells until both limits are kept, but none that
    /// is being written or loaded, and never `keep`.
    pub(super) fn evict(&self, keep: u64) {
        if self.len() <= self.loaded_max && self.bytes() <= self.bytes_max {
            return;
        }
        let mut cells = self.all();
        cells.retain(|cell| cell.owner_uin != keep);
        cells.sort_by_key(|cell| cell.last_used.load(Ordering::Relaxed));
        // A little more than needed, so that a full node does not sort at every load.
        let loaded_max = self.loaded_max - self.loaded_max / 64;
        let bytes_max = self.bytes_max - self.bytes_max / 64;
        for cell in cells {
            if self.len() <= loaded_max && self.bytes() <= bytes_max {
                return;
            }
            let Ok(_turn) = cell.write_turn.try_lock() else { continue };
            let Ok(state) = cell.state.try_lock() else { continue };
            self.retire(CellGuard { cell: &cell, state });
        }
    }
}
