//! The one integration test binary: what crosses a file is tested here, one module per subject.

#[cfg(feature = "server")]
mod store_suite;
