//! The one integration test binary: what crosses a file is tested here, one module per subject.

mod documents;
mod lang_props;
#[cfg(feature = "server")]
mod store_suite;
