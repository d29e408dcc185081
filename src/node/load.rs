//! Loading: from stored records to views, under the cell's lock.
//!
//! A cell is in the map and locked before its records are read, and the applier takes the same
//! lock, so no change can fall between the two: what the read does not hold comes later and is
//! applied. What cannot be read, or is not what was committed (rule D-29), is an error and leaves
//! no cell behind.

use std::sync::Arc;

use super::Node;
use super::cells::CellState;
use super::change_log;
use super::clock::new_store_id;
use super::error::NodeError;
use super::notes::Stage;
use super::presets::Shared;
use super::records::{self, ReadAccount};
use super::view::{AccountView, build_view};
use crate::catalog::Catalog;
use crate::directory::{Account, AccountState};
use crate::store::{Commit, Revision, Store, StoreError};

/// How often it is tried to name a new store, when others do so too.
const NAMING_ATTEMPTS_MAX: u32 = 16;

/// The store's id; makes one on first use.
pub(super) async fn store_id(store: &dyn Store) -> Result<String, NodeError> {
    let key = records::store_id_key();
    for _ in 0..NAMING_ATTEMPTS_MAX {
        if let (Some(entry), _) = store.read(&key).await? {
            return records::decode_store_id(&entry);
        }
        let import = records::import_key();
        if store.read(&import).await?.0.is_some() {
            return Err(NodeError::ImportUnfinished);
        }
        let value = records::encode_store_id(&new_store_id());
        // Neither may come between: see `store/archive/import.rs`.
        let commit = Commit::new().require_absent(key.clone()).require_absent(import);
        let commit = commit.put(key.clone(), value);
        match store.commit(commit).await {
            // Another node may have been first: its id counts.
            Ok(_) | Err(StoreError::Conflict { .. }) => {}
            Err(other) => return Err(other.into()),
        }
    }
    Err(StoreError::Unavailable { detail: "others keep naming the store".to_owned() }.into())
}

/// The presets as recorded, with what ships.
pub(super) async fn read_shared(
    store: &dyn Store,
    catalog: &Arc<Catalog>,
) -> Result<Shared, NodeError> {
    let (entries, _) = store.read_prefix(&records::presets_prefix()).await?;
    let recorded = records::decode_presets(&entries)?;
    Ok(Shared::new(&recorded.presets, recorded.digest, catalog))
}

impl Node {
    /// The account as it is here; none when it does not exist. Loads it when needed, and waits for
    /// nothing when it is loaded.
    ///
    /// # Errors
    /// [`NodeError::Store`] or [`NodeError::Record`]; never a partial account.
    pub async fn view(&self, owner_uin: u64) -> Result<Option<Arc<AccountView>>, NodeError> {
        match self.cells.find_or_add(owner_uin).view() {
            Some(view) => Ok(Some(view)),
            // On the heap, so that questions about loaded accounts carry no room for loading.
            None => Box::pin(self.waited(Stage::Account, self.load(owner_uin))).await,
        }
    }

    async fn load(&self, owner_uin: u64) -> Result<Option<Arc<AccountView>>, NodeError> {
        loop {
            let cell = self.cells.find_or_add(owner_uin);
            if let Some(view) = cell.view() {
                return Ok(Some(view));
            }
            let mut guard = cell.lock().await;
            match guard.state() {
                CellState::Loaded(loaded) => return Ok(Some(Arc::clone(&loaded.view))),
                CellState::Retired => {}
                CellState::Empty => {
                    return match self.read_account(owner_uin).await {
                        Ok(Some(view)) => {
                            let view = Arc::new(view);
                            guard.publish(Arc::clone(&view));
                            drop(guard);
                            self.cells.evict(owner_uin);
                            let place = format!("account {owner_uin}");
                            self.health.set_record_problem(&place, None);
                            Ok(Some(view))
                        }
                        Ok(None) => {
                            // Asking about accounts that do not exist must not fill the memory.
                            self.cells.retire(guard);
                            Ok(None)
                        }
                        Err(problem) => {
                            self.cells.retire(guard);
                            Err(problem)
                        }
                    };
                }
            }
        }
    }

    /// The account, which must exist.
    ///
    /// # Errors
    /// As [`Node::view`], and [`NodeError::NoAccount`].
    pub async fn existing_view(&self, owner_uin: u64) -> Result<Arc<AccountView>, NodeError> {
        self.view(owner_uin).await?.ok_or(NodeError::NoAccount { owner_uin })
    }

    /// The heads of all accounts, by uin. Reads the whole uin index.
    ///
    /// # Errors
    /// As [`Node::view`], and [`NodeError::NotYet`].
    pub async fn accounts(
        &self,
        at_least: Option<Revision>,
    ) -> Result<(Vec<Account>, Revision), NodeError> {
        self.wait_at_least(at_least).await?;
        let (entries, revision) = self.store.read_prefix(&records::uins_prefix()).await?;
        let mut accounts = Vec::new();
        for entry in entries.into_iter().filter(|it| !records::is_index_census(&it.key)) {
            let uin = records::decode_uin(&entry)?;
            if !uin.is_root {
                continue;
            }
            let (head, _) = self.store.read(&records::head_key(uin.uin)).await?;
            if let Some(head) = head {
                accounts.push(records::decode_head(&head)?);
            }
        }
        Ok((accounts, revision))
    }

    /// That the change log does not go on after what the account's head says: else the account,
    /// whole as it looks, is an older one.
    async fn check_log_end(
        &self,
        owner_uin: u64,
        state: &AccountState,
        as_of: Revision,
    ) -> Result<(), NodeError> {
        let Some(account) = &state.account else { return Ok(()) };
        let next = account.change_head.sequence.saturating_add(1);
        let key = records::change_entry_key(owner_uin, next);
        match self.store.read(&key).await? {
            // A later one is of a change that was made since the account was read.
            (Some(entry), _) if entry.revision <= as_of => Err(change_log::after_the_end(&key)),
            (Some(_) | None, _) => Ok(()),
        }
    }

    async fn read_account(&self, owner_uin: u64) -> Result<Option<AccountView>, NodeError> {
        if let Some(problem) = &*self.presets_problem.load() {
            let (key, problem) = ("presets".to_owned(), problem.to_string());
            return Err(NodeError::Record { key, problem });
        }
        let applied = self.applied_revision();
        let (entries, as_of) = self.store.read_prefix(&records::account_prefix(owner_uin)).await?;
        if as_of < applied {
            // The contract excludes it; an engine that breaks it must not make answers go back.
            let detail = format!("a read at {as_of} came after revision {applied} was applied");
            return Err(StoreError::Unavailable { detail }.into());
        }
        let Some(found) = records::decode_account(owner_uin, &entries)? else { return Ok(None) };
        let ReadAccount { state, last_change, damage } = found;
        if let Some(fault) = damage {
            return Err(self.name_damage(owner_uin, &state, fault).await);
        }
        self.check_log_end(owner_uin, &state, as_of).await?;
        let shared = self.shared.load_full();
        Ok(build_view(Arc::new(state), as_of, last_change, &shared, None))
    }
}
