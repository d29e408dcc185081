//! The one integration binary: each module is one subject.
#[cfg(feature = "server")]
mod analysis;
mod documents;
#[cfg(feature = "server")]
mod examples;
#[cfg(feature = "server")]
mod golden;
mod lang_props;
mod rules;
#[cfg(feature = "server")]
mod spec_cases;
#[cfg(feature = "server")]
mod store_suite;
mod support;
mod tidy;
#[cfg(feature = "server")]
mod unreadable;
