//! The one integration binary: each module is one subject.
mod documents;
mod lang_props;
#[cfg(feature = "server")]
mod store_suite;
