//! camgate: a CAM-style access-management service.
//!
//! The modules stand in floors, and imports point down only (ARCHITECTURE.md has the table).
//! Without the feature `server` the crate is the policy language, the catalogs and the engine.

// floor 0
pub mod catalog;
pub mod lang;
// floor 1
pub mod analysis;
pub mod engine;
// floor 2
#[cfg(feature = "server")]
pub mod audit;
#[cfg(feature = "server")]
pub mod authn;
#[cfg(feature = "server")]
pub mod directory;
#[cfg(feature = "server")]
pub mod gate;
#[cfg(feature = "server")]
pub mod store;
// floor 3
#[cfg(feature = "server")]
pub mod node;
// floor 4
#[cfg(feature = "server")]
pub mod service;
// floor 5
#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "layer")]
pub mod layer;
