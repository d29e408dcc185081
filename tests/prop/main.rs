//! Properties of the decision engine over random worlds.
#![expect(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "test code: a failure is a failed test"
)]
mod generate;
mod histogram;
mod laws;
mod oracle;
mod trust;
mod updates;
