//! Where the engine keeps what in etcd's keys.
//!
//! ```text
//! <prefix>/d/<key>      an entry, under the contract's key
//! <prefix>/head         put by every commit: its revision is the store's
//! <prefix>/nodes/<id>   a node that runs, under its lease
//! ```
//!
//! etcd's own revision moves with every write to the cluster, also of others; `head` says which of
//! its revisions are commits of this store. Pure: bytes in, bytes out.

/// The keys of one store in a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    prefix: String,
}

impl Layout {
    /// The keys under `prefix`, which has no slash at its end.
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// The key that every commit puts.
    pub(super) fn head_key(&self) -> Vec<u8> {
        format!("{}/head", self.prefix).into_bytes()
    }

    /// What the keys of all entries begin with.
    pub(super) fn data_prefix(&self) -> Vec<u8> {
        format!("{}/d/", self.prefix).into_bytes()
    }

    /// The key of an entry, or what the keys of the entries under a prefix begin with.
    pub(super) fn data_key(&self, key: &[u8]) -> Vec<u8> {
        let mut stored = self.data_prefix();
        stored.extend_from_slice(key);
        stored
    }

    /// The contract's key of an entry.
    pub(super) fn data_key_of(&self, stored: &[u8]) -> Option<Vec<u8>> {
        stored.strip_prefix(self.data_prefix().as_slice()).map(<[u8]>::to_vec)
    }

    /// What the keys of all nodes begin with.
    pub(super) fn nodes_prefix(&self) -> Vec<u8> {
        format!("{}/nodes/", self.prefix).into_bytes()
    }

    /// The key of a node.
    pub(super) fn node_key(&self, id: &str) -> Vec<u8> {
        let mut key = self.nodes_prefix();
        key.extend_from_slice(id.as_bytes());
        key
    }

    /// The id of a node.
    pub(super) fn node_of(&self, stored: &[u8]) -> Option<String> {
        let id = stored.strip_prefix(self.nodes_prefix().as_slice())?;
        String::from_utf8(id.to_vec()).ok()
    }
}

/// The smallest key that is greater than every key that begins with `prefix`; none for a prefix of
/// 0xff bytes, which no key of ours has.
pub(super) fn end_of(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return end;
        }
    }
    // etcd's word for "to the end".
    vec![0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_and_keep_to_their_place() {
        let layout = Layout::new("camgate");
        for key in [&b"a/1"[..], "策略".as_bytes(), &[0xff, 0], b"head"] {
            let stored = layout.data_key(key);
            assert_eq!(layout.data_key_of(&stored).unwrap(), key);
            assert!(stored.starts_with(&layout.data_prefix()));
            assert!(!layout.head_key().starts_with(&layout.data_prefix()));
        }
        assert_eq!(layout.data_key_of(b"camgate/head"), None);
        assert_eq!(layout.node_of(&layout.node_key("n-1")).unwrap(), "n-1");
    }

    #[test]
    fn the_end_of_a_prefix_is_just_after_it() {
        assert_eq!(end_of(b"a/"), b"a0");
        assert_eq!(end_of(&[1, 0xff]), [2]);
        assert_eq!(end_of(&[0xff]), [0]);
    }
}
