//! The command line (floor 5): one file per family of commands.
//!
//! `run` reads the arguments, runs one command and prints its answer. Commands build values (see
//! `answer`); none decides or stores anything itself: they call the floors below, or a server.

pub mod account;
pub mod account_changes;
pub mod answer;
pub mod archive;
pub mod args;
pub mod audit;
pub mod caller;
pub mod check;
pub mod client;
pub mod decision;
mod exports;
pub mod files;
pub mod folder;
pub mod folder_io;
pub mod group;
pub mod junit;
pub mod key;
pub mod manual;
pub mod master_key;
pub mod offline;
pub mod policy;
pub mod policy_files;
pub mod policy_test;
pub mod policy_versions;
pub mod profile;
mod progress;
mod registry;
pub mod report;
pub mod role;
pub mod root;
pub mod serve;
mod signals;
mod simulate;
mod stores;
pub mod user;
pub mod view;
pub mod watch;

pub use root::run;
