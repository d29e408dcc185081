//! The peers, each asked the same questions about the caller's own policies.
//!
//! A peer is given its policies parsed beforehand and found by the caller, and its context made
//! beforehand, as camgate's is; from there on it gets the texts that camgate gets, and makes of
//! them the request that it wants. A peer that cannot say what a question says is asked the nearest
//! thing, which its own file tells.

mod casbin;
mod cedar;
mod iam_rs;
mod regorus;
mod rustfs;

use crate::workload::{Question, Workload};

/// Whether the peer allows the question of this place.
pub type Asked = Box<dyn FnMut(usize) -> bool>;

/// A peer.
pub struct Peer {
    pub name: &'static str,
    /// Makes it ready for these questions.
    pub prepare: fn(&Workload, &[Question]) -> Asked,
}

pub const CEDAR: &str = "cedar-policy";
/// The evaluators of AWS-IAM-style documents.
pub const IAM_STYLE: [&str; 2] = ["iam-rs", "rustfs-policy"];

pub const PEERS: [Peer; 6] = [
    Peer { name: CEDAR, prepare: cedar::prepare },
    Peer { name: "regorus interpreter", prepare: regorus::interpreter },
    Peer { name: "regorus RVM", prepare: regorus::machine },
    Peer { name: "casbin", prepare: casbin::prepare },
    Peer { name: "iam-rs", prepare: iam_rs::prepare },
    Peer { name: "rustfs-policy", prepare: rustfs::prepare },
];

/// The sets that questions are about, each made ready once.
fn of_sets<T>(questions: &[Question], mut make: impl FnMut(usize) -> T) -> Vec<T> {
    let last = questions.iter().map(|question| question.set).max().unwrap_or_default();
    (0..=last).map(|set| make(set)).collect()
}
