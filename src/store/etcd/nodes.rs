//! The registry of nodes: who runs on this store, each under a lease that ends with it.
//!
//! A node renews its lease with every announcement; where etcd has let the lease go, it takes a new
//! one. A node that is gone is forgotten when its lease ends. It decides nothing.

use std::sync::Arc;

use etcd_client::{GetOptions, PutOptions};
use tokio::sync::Mutex;

use super::layout::{Layout, end_of};
use super::pool::{Pool, Repeat, unavailable};
use crate::store::contract::NodeEntry;
use crate::store::error::StoreError;

/// How long a node that says nothing is still taken for one that runs.
const LEASE_SECONDS: i64 = 10;

/// This process's own entry.
#[derive(Debug, Default)]
pub(super) struct Registration {
    /// The lease, and the entry that was put under it.
    lease: Mutex<Option<(i64, NodeEntry)>>,
}

impl Registration {
    /// Says that this node runs, and keeps its entry for some seconds more.
    pub(super) async fn renew(
        &self,
        pool: &Arc<Pool>,
        layout: &Layout,
        node: &NodeEntry,
    ) -> Result<(), StoreError> {
        let mut held = self.lease.lock().await;
        if let Some((lease, entry)) = &*held
            && entry == node
            && keep_alive(pool, *lease).await?
        {
            return Ok(());
        }
        *held = None;
        let granted = pool.call(Repeat::Always, |client| {
            let mut leases = client.lease_client();
            async move { leases.grant(LEASE_SECONDS, None).await }
        });
        let lease = granted.await?.map_err(|error| unavailable(&error))?.id();
        let (key, value) = (layout.node_key(&node.id), node.value.clone());
        let put = pool.call(Repeat::Always, |client| {
            let (mut kv, key, value) = (client.kv_client(), key.clone(), value.clone());
            let options = PutOptions::new().with_lease(lease);
            async move { kv.put(key, value, Some(options)).await }
        });
        put.await?.map_err(|error| unavailable(&error))?;
        *held = Some((lease, node.clone()));
        Ok(())
    }
}

/// Renews a lease; whether there still is one.
async fn keep_alive(pool: &Pool, lease: i64) -> Result<bool, StoreError> {
    let answer = pool.call(Repeat::Always, |client| {
        let mut leases = client.lease_client();
        async move {
            let (mut keeper, mut answers) = leases.keep_alive(lease).await?;
            keeper.keep_alive().await?;
            answers.message().await
        }
    });
    let answer = answer.await?.map_err(|error| unavailable(&error))?;
    Ok(answer.is_some_and(|answer| answer.ttl() > 0))
}

/// The nodes that run, by id.
pub(super) async fn read(pool: &Pool, layout: &Layout) -> Result<Vec<NodeEntry>, StoreError> {
    let prefix = layout.nodes_prefix();
    let answer = pool.call(Repeat::Always, |client| {
        let (mut kv, prefix) = (client.kv_client(), prefix.clone());
        let options = GetOptions::new().with_range(end_of(&prefix));
        async move { kv.get(prefix, Some(options)).await }
    });
    let answer = answer.await?.map_err(|error| unavailable(&error))?;
    let entries = answer.kvs().iter().filter_map(|pair| {
        Some(NodeEntry { id: layout.node_of(pair.key())?, value: pair.value().to_vec() })
    });
    Ok(entries.collect())
}
