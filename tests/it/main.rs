//! The one integration binary: each module is one subject.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected must fail, and says where by panicking"
)]

mod documents;
mod lang_props;
#[cfg(feature = "server")]
mod store_suite;
mod support;
mod tidy;
