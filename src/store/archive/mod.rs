//! Archives: a whole store as one stream of bytes, at one revision, verified by a digest.
//!
//! The way between engines, and the way to keep a copy. [`Export`] turns a scan into frames,
//! [`ArchiveReader`] checks frames and gives the entries back, [`import`] brings them into an empty
//! store. What is a store's own is left behind: its id and its revisions. So the same contents have
//! the same digest in every store, and tokens of one store are refused by another.
//!
//! It must never give entries of an archive for good before the end was seen and the digest was
//! right, nor leave a store that a node could take for whole when only a part was brought in.

mod contents;
mod error;
mod export;
mod frame;
mod import;
mod read;

pub use contents::Contents;
pub use error::ArchiveError;
pub use export::Export;
pub use import::import;
pub use read::{ArchiveReader, Origin, Pair, verify};
