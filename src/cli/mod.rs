//! The command line (floor 5): one file per family of commands.
//!
//! `run` reads the arguments, runs one command and prints its answer. Commands build values (see
//! `answer`); none decides or stores anything itself: they call the floors below, or a server.

pub mod account;
pub mod answer;
pub mod args;
pub mod client;
pub mod files;
pub mod group;
pub mod policy;
pub mod policy_files;
pub mod policy_versions;
pub mod report;
pub mod user;
pub mod view;
