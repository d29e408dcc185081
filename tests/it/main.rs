//! The one integration binary: each module is one subject.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected must fail, and says where by panicking"
)]

#[cfg(feature = "server")]
mod access;
#[cfg(feature = "server")]
mod admin_props;
#[cfg(feature = "server")]
mod analysis;
#[cfg(feature = "server")]
mod archives;
#[cfg(feature = "server")]
mod authzen;
#[cfg(feature = "server")]
mod cam;
mod change_log;
#[cfg(feature = "server")]
mod cli_administration;
#[cfg(feature = "server")]
mod cli_files;
#[cfg(feature = "server")]
mod cli_secrets;
#[cfg(feature = "server")]
mod cli_story;
#[cfg(feature = "server")]
mod command;
#[cfg(feature = "server")]
mod corruption;
#[cfg(feature = "server")]
mod decision_log;
mod directory;
#[cfg(feature = "server")]
mod docs;
mod documents;
#[cfg(feature = "server")]
mod examples;
#[cfg(feature = "server")]
mod gate;
#[cfg(feature = "server")]
mod golden;
#[cfg(feature = "server")]
mod grpc;
mod hostile;
mod lang_props;
#[cfg(feature = "layer")]
mod layer;
#[cfg(feature = "server")]
mod observability;
#[cfg(feature = "server")]
mod overload;
#[cfg(feature = "server")]
mod packaging;
#[cfg(feature = "server")]
mod process;
mod rules;
#[cfg(feature = "server")]
mod spec_cases;
#[cfg(feature = "server")]
mod store_suite;
mod support;
mod tidy;
#[cfg(feature = "server")]
mod transport;
#[cfg(feature = "server")]
mod unreadable;
