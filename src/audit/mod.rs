//! The logs: who changed an account and how, and what was decided.
//!
//! The decision log has a module of its own: [`decision_log`]. The rest is the change log.
//!
//! Every commit that changes an account carries exactly one entry of its change log. The entries of
//! an account are numbered and chained by digests, and the account's head names the last one, so an
//! entry that was altered, removed, moved or cut off is found. This part is pure: it builds entries
//! from values and verifies chains; the node writes and reads them. An entry must never hold a
//! secret: whoever makes it gives bytes in which secrets are replaced.
//!
//! What belongs to no account, service callers and the operator's own presets, has a log of its
//! own, chained in the same way, as of account 0.

mod chain;
pub mod decision_log;
mod entry;
mod records;

pub use chain::{ChainFault, Link, digest, follow, verify};
pub use entry::{Actor, ChangeEntry, Content, Omitted, Origin, Protocol, RecordChange};
pub use records::{ENTRY_RECORDS_BYTES_MAX, RecordBytes, record_changes};
