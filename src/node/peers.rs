//! The nodes that share the store, and what they can read.
//!
//! A rolling upgrade has nodes of two versions for a while. Each says which formats of records it
//! reads; a node refuses to write what another that runs could not read, because that node would
//! take the account out of service. A node that says nothing readable is taken for one that reads
//! nothing new. It decides nothing else.

use serde::{Deserialize, Serialize};

use super::error::NodeError;
use crate::store::NodeEntry;
use crate::store::record::FORMAT;

/// What a node says of itself, as JSON; later versions may add to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
    /// The program's version.
    version: String,
    /// The newest format of records that it reads.
    reads_format_max: u32,
}

/// A node that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Peer {
    id: String,
    version: String,
    reads_format_max: u32,
}

/// The nodes that run, this one among them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Peers(Vec<Peer>);

/// What this node says of itself.
pub(super) fn own_entry(id: &str) -> NodeEntry {
    let said = Said { version: env!("CARGO_PKG_VERSION").to_owned(), reads_format_max: FORMAT };
    let value = serde_json::to_vec(&said).unwrap_or_default();
    NodeEntry { id: id.to_owned(), value }
}

impl Peers {
    /// What the registry says.
    pub(super) fn read(entries: &[NodeEntry]) -> Self {
        let peer = |entry: &NodeEntry| {
            let said = serde_json::from_slice(&entry.value);
            let Said { version, reads_format_max } = said
                .unwrap_or_else(|_| Said { version: "unknown".to_owned(), reads_format_max: 0 });
            Peer { id: entry.id.clone(), version, reads_format_max }
        };
        Self(entries.iter().map(peer).collect())
    }

    /// How many nodes run.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether every node reads what this program writes.
    ///
    /// # Errors
    /// [`NodeError::OlderNodes`], which names the first that does not.
    pub(super) fn check_writable(&self) -> Result<(), NodeError> {
        match self.0.iter().find(|peer| peer.reads_format_max < FORMAT) {
            None => Ok(()),
            Some(Peer { id, version, reads_format_max }) => Err(NodeError::OlderNodes {
                id: id.clone(),
                version: version.clone(),
                reads: *reads_format_max,
                writes: FORMAT,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_reads_less_stops_writes() {
        let own = own_entry("b");
        assert!(Peers::read(&[]).check_writable().is_ok());
        assert!(Peers::read(std::slice::from_ref(&own)).check_writable().is_ok());
        let old = format!(r#"{{"version":"0.0.1","reads_format_max":{}}}"#, FORMAT - 1);
        for value in [old.as_str(), "{}", "", r#"{"version":1}"#] {
            let older = NodeEntry { id: "a".to_owned(), value: value.into() };
            let fault = Peers::read(&[own.clone(), older]).check_writable().unwrap_err();
            assert!(fault.to_string().contains("node `a`"), "{fault}");
        }
        let newer = format!(r#"{{"version":"9","reads_format_max":{},"x":1}}"#, FORMAT + 1);
        let newer = NodeEntry { id: "c".to_owned(), value: newer.into() };
        assert!(Peers::read(&[own, newer]).check_writable().is_ok());
    }
}
