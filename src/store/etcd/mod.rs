//! The `etcd` engine: an existing etcd cluster, shared by many nodes. The only user of
//! `etcd-client`.
//!
//! - **Atomic and durable.** A commit is one etcd transaction: its preconditions are comparisons,
//!   and a failed one tells in the same transaction which key was in the way. etcd answers when a
//!   majority has it on disk.
//! - **Revisions** are etcd's, of those transactions only: each puts `head`, and every read takes
//!   `head` along in one transaction, so a read says which commit it is at, however much others
//!   write to the cluster.
//! - **Fresh.** Reads are linearizable: a member that lost the others does not answer. Calls have a
//!   deadline, and the next member is asked when one does not answer; a commit that was sent is
//!   never sent again.
//! - **Watched** from the revision that was applied; what etcd no longer has is
//!   [`StoreError::Compacted`]. Progress notes are not used.
//!
//! It must never answer from one member's own copy, nor take an unanswered commit for one that
//! failed.

mod layout;
mod nodes;
mod options;
mod pages;
mod pool;
mod watch;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use etcd_client::{
    Compare, CompareOp, GetOptions, GetResponse, KeyValue, Txn, TxnOp, TxnOpResponse, TxnResponse,
};

pub use options::{EtcdCredentials, EtcdOptions, EtcdTls};

use self::layout::Layout;
use self::nodes::Registration;
use self::pages::{PAGE_BYTES_MAX, PageFault, Pages};
use self::pool::{Pool, Repeat, is_compacted, unavailable};
use self::watch::EtcdWatch;
use crate::store::change::Watch;
use crate::store::commit::{Commit, CommitLimits, Mutation, Precondition};
use crate::store::contract::{Entry, NodeEntry, Revision, Store, StoreFuture};
use crate::store::error::StoreError;
use crate::store::scan::Scan;

/// The largest commit of this engine: etcd takes 128 comparisons, 128 operations and 1.5 MiB unless
/// it is told otherwise. A comparison for each precondition and each deleted key, and `head`.
const COMMIT_LIMITS: CommitLimits =
    CommitLimits { commit_bytes_max: 1_250 * 1024, mutations_max: 64 };

/// Longest call, over all members.
const DEADLINE: Duration = Duration::from_millis(4_000);
/// How often a long read begins again because etcd has forgotten the revision it was at.
const READS_MAX: usize = 3;

/// A store in an etcd cluster. Dropping it ends its watches.
pub struct EtcdStore {
    pool: Arc<Pool>,
    layout: Layout,
    /// What watches learn from that the store is gone.
    open: tokio::sync::watch::Sender<()>,
    registration: Registration,
}

impl fmt::Debug for EtcdStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdStore").field("members", &self.pool).finish_non_exhaustive()
    }
}

/// A revision of etcd, which are positive.
fn revision(of: i64) -> Revision {
    Revision(u64::try_from(of).unwrap_or_default())
}

fn number(of: Revision) -> i64 {
    i64::try_from(of.0).unwrap_or(i64::MAX)
}

fn last_put(found: &[KeyValue]) -> Revision {
    found.first().map_or(Revision::EMPTY, |pair| revision(pair.mod_revision()))
}

fn damaged(what: &str) -> StoreError {
    StoreError::Corrupt { detail: format!("etcd answered {what}") }
}

fn entry_of(layout: &Layout, pair: &KeyValue) -> Option<Entry> {
    let key = layout.data_key_of(pair.key())?;
    let revision = revision(pair.mod_revision());
    Some(Entry { key, value: pair.value().to_vec(), revision })
}

/// The answers to the gets of a transaction, in order.
fn gets(answer: &TxnResponse) -> impl Iterator<Item = GetResponse> {
    answer.op_responses().into_iter().filter_map(|it| match it {
        TxnOpResponse::Get(found) => Some(found),
        TxnOpResponse::Put(_) | TxnOpResponse::Delete(_) | TxnOpResponse::Txn(_) => None,
    })
}

impl EtcdStore {
    /// Opens the store in a cluster, and asks it once, so that what is wrong shows at the start.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when nobody answers, refuses the user, or is no etcd.
    pub async fn open(options: EtcdOptions) -> Result<Self, StoreError> {
        let layout = Layout::new(&options.prefix);
        let (urls, connect) = options.into_parts();
        let store = Self {
            pool: Arc::new(Pool::new(urls, connect, DEADLINE)),
            layout,
            open: tokio::sync::watch::Sender::new(()),
            registration: Registration::default(),
        };
        store.head().await?;
        Ok(store)
    }

    fn get_head(&self) -> TxnOp {
        TxnOp::get(self.layout.head_key(), Some(GetOptions::new().with_keys_only()))
    }

    /// A transaction of reads, all at one revision.
    async fn read_txn(&self, operations: Vec<TxnOp>) -> Result<TxnResponse, StoreError> {
        let txn = Txn::new().and_then(operations);
        let answer = self.pool.call(Repeat::Always, |client| {
            let mut kv = client.kv_client().max_decoding_message_size(PAGE_BYTES_MAX);
            let txn = txn.clone();
            async move { kv.txn(txn).await }
        });
        answer.await?.map_err(|error| unavailable(&error))
    }

    /// The store's head, and etcd's own revision at that moment.
    async fn heads(&self) -> Result<(Revision, Revision), StoreError> {
        let answer = self.read_txn(vec![self.get_head()]).await?;
        let found = gets(&answer).next().ok_or_else(|| damaged("nothing about `head`"))?;
        let etcd = answer.header().ok_or_else(|| damaged("without its revision"))?.revision();
        Ok((last_put(found.kvs()), revision(etcd)))
    }

    async fn read_now(&self, key: &[u8]) -> Result<(Option<Entry>, Revision), StoreError> {
        let get = TxnOp::get(self.layout.data_key(key), None);
        let answer = self.read_txn(vec![get, self.get_head()]).await?;
        let mut found = gets(&answer);
        let (Some(entry), Some(head)) = (found.next(), found.next()) else {
            return Err(damaged("less than it was asked"));
        };
        Ok((
            entry.kvs().first().and_then(|pair| entry_of(&self.layout, pair)),
            last_put(head.kvs()),
        ))
    }

    async fn read_all(&self, prefix: &[u8]) -> Result<(Vec<Entry>, Revision), StoreError> {
        for _ in 0..READS_MAX {
            let mut pages = Pages::begin(self, prefix).await?;
            let mut entries = Vec::new();
            loop {
                match pages.next_page().await {
                    Ok(Some(page)) => entries.extend(page),
                    Ok(None) => return Ok((entries, pages.head)),
                    Err(PageFault::Compacted) => break,
                    Err(PageFault::Store(error)) => return Err(error),
                }
            }
        }
        let detail =
            format!("etcd forgot what was being read, {READS_MAX} times: compact less often");
        Err(StoreError::Unavailable { detail })
    }

    async fn commit_now(&self, commit: Commit) -> Result<Revision, StoreError> {
        commit.check(COMMIT_LIMITS)?;
        let txn = self.transaction(&commit);
        let answer = self.pool.call(Repeat::Unsent, |client| {
            let (mut kv, txn) = (client.kv_client(), txn.clone());
            async move { kv.txn(txn).await }
        });
        let answer = answer.await?.map_err(|error| unavailable(&error))?;
        if answer.succeeded() {
            let header = answer.header().ok_or_else(|| damaged("without its revision"))?;
            return Ok(revision(header.revision()));
        }
        let found: BTreeMap<Vec<u8>, Revision> = gets(&answer)
            .filter_map(|it| {
                let pair = it.kvs().first()?;
                Some((self.layout.data_key_of(pair.key())?, revision(pair.mod_revision())))
            })
            .collect();
        commit.check_preconditions(|key| Ok(found.get(key).copied()))?;
        Err(damaged("that a commit failed whose preconditions hold"))
    }

    /// The commit as etcd takes it; where a comparison fails, the compared keys' revisions.
    fn transaction(&self, commit: &Commit) -> Txn {
        let stored = |key: &[u8]| self.layout.data_key(key);
        let (mut compares, mut looks, mut operations) = (Vec::new(), Vec::new(), Vec::new());
        let mut compare = |key: &[u8], compare: Compare| {
            compares.push(compare);
            looks.push(TxnOp::get(stored(key), Some(GetOptions::new().with_keys_only())));
        };
        for precondition in &commit.preconditions {
            let key = precondition.key();
            compare(
                key,
                match precondition {
                    Precondition::Absent { .. } => {
                        Compare::version(stored(key), CompareOp::Equal, 0)
                    }
                    Precondition::Exists { .. } => {
                        Compare::version(stored(key), CompareOp::Greater, 0)
                    }
                    // To etcd an absent key has the revision 0, and no key has one below 0.
                    Precondition::AtRevision { revision: Revision::EMPTY, .. } => {
                        Compare::mod_revision(stored(key), CompareOp::Less, 0)
                    }
                    Precondition::AtRevision { revision, .. } => {
                        Compare::mod_revision(stored(key), CompareOp::Equal, number(*revision))
                    }
                },
            );
        }
        for mutation in &commit.mutations {
            operations.push(match mutation {
                Mutation::Put { key, value } => TxnOp::put(stored(key), value.clone(), None),
                Mutation::Delete { key } => {
                    compare(key, Compare::version(stored(key), CompareOp::Greater, 0));
                    TxnOp::delete(stored(key), None)
                }
            });
        }
        operations.push(TxnOp::put(self.layout.head_key(), Vec::new(), None));
        Txn::new().when(compares).and_then(operations).or_else(looks)
    }

    async fn watch_from(&self, after: Revision) -> Result<Watch, StoreError> {
        let (head, etcd) = self.heads().await?;
        if after > head {
            return Err(StoreError::Ahead { after, head });
        }
        // Nothing of ours came after the head, so the stream may begin with what comes next.
        let last_known = if after == head { etcd } else { after };
        if after < head && !self.has_history_after(after).await? {
            let oldest = self.oldest_start().await?;
            return Err(StoreError::Compacted { after, oldest });
        }
        Ok(Watch::new(EtcdWatch {
            pool: Arc::clone(&self.pool),
            layout: self.layout.clone(),
            delivered: after,
            start: Revision(last_known.0.saturating_add(1)),
            stream: None,
            ready: VecDeque::new(),
            store: self.open.subscribe(),
        }))
    }

    /// Whether etcd still has everything after a revision: it does where it can be read at it.
    async fn has_history_after(&self, after: Revision) -> Result<bool, StoreError> {
        // An empty cluster is at 1.
        let at = number(after).max(1);
        let key = self.layout.head_key();
        let answer = self.pool.call(Repeat::Always, |client| {
            let (mut kv, key) = (client.kv_client(), key.clone());
            let options = GetOptions::new().with_revision(at).with_keys_only();
            async move { kv.get(key, Some(options)).await }
        });
        match answer.await? {
            Ok(_) => Ok(true),
            Err(error) if is_compacted(&error) => Ok(false),
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// The smallest revision that can be watched from, as etcd tells one who wants the first.
    async fn oldest_start(&self) -> Result<Revision, StoreError> {
        watch::oldest(&self.pool, &self.layout).await
    }
}

impl Store for EtcdStore {
    fn engine_name(&self) -> &'static str {
        "etcd"
    }

    fn is_exclusive(&self) -> bool {
        false
    }

    fn commit_limits(&self) -> CommitLimits {
        COMMIT_LIMITS
    }

    fn head(&self) -> StoreFuture<'_, Revision> {
        Box::pin(async { Ok(self.heads().await?.0) })
    }

    fn read<'a>(&'a self, key: &'a [u8]) -> StoreFuture<'a, (Option<Entry>, Revision)> {
        Box::pin(self.read_now(key))
    }

    fn read_prefix<'a>(&'a self, prefix: &'a [u8]) -> StoreFuture<'a, (Vec<Entry>, Revision)> {
        Box::pin(self.read_all(prefix))
    }

    fn scan(&self) -> StoreFuture<'_, Scan> {
        Box::pin(async { Ok(Pages::begin(self, b"").await?.into_scan()) })
    }

    fn commit(&self, commit: Commit) -> StoreFuture<'_, Revision> {
        Box::pin(self.commit_now(commit))
    }

    fn watch(&self, after: Revision) -> StoreFuture<'_, Watch> {
        Box::pin(self.watch_from(after))
    }

    fn announce<'a>(&'a self, node: &'a NodeEntry) -> StoreFuture<'a, ()> {
        Box::pin(self.registration.renew(&self.pool, &self.layout, node))
    }

    fn nodes(&self) -> StoreFuture<'_, Vec<NodeEntry>> {
        Box::pin(nodes::read(&self.pool, &self.layout))
    }
}
