//! A bounded cache: the one place that knows which library it is.
//!
//! What is not used makes room. It must never be relied on: any entry may be gone at any time.

use std::fmt;
use std::hash::Hash;

use moka::sync::Cache;

/// Keys to values, at most so many.
pub struct BoundedCache<K, V> {
    cache: Cache<K, V>,
}

impl<K, V> BoundedCache<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// A cache of at most so many entries.
    #[must_use]
    pub fn new(entries_max: u64) -> Self {
        Self { cache: Cache::new(entries_max) }
    }

    /// The value, if it is still there.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<V> {
        self.cache.get(key)
    }

    /// About how many entries there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.cache.entry_count()
    }

    /// Whether there seem to be none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keeps a value.
    pub fn insert(&self, key: K, value: V) {
        self.cache.insert(key, value);
    }
}

impl<K, V> fmt::Debug for BoundedCache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundedCache").field("count", &self.cache.entry_count()).finish()
    }
}
