//! What services offer (floor 0): their actions, what each is asked about, and the names of their
//! resources; and the policies that ship with the program.
//!
//! Data comes from `policies/catalog/*.json`, embedded in the binary, and from files a user adds
//! for services of their own. Pure: bytes in, values out. It must never decide anything, and never
//! look inside a policy document. It stands beside `lang`, whose trait `Vocabulary` it implements;
//! `engine` takes action ids, granularity and derived keys from it, `gate` resource names.

mod digest;
mod error;
mod file;
mod index;
mod keys;
pub mod limits;
mod load;
pub mod presets;
mod service;
mod suggest;
mod template;
#[cfg(test)]
mod tests;

pub use self::error::CatalogError;
pub use self::index::{Catalog, Known};
pub use self::keys::read_only_action;
pub use self::presets::{Preset, general_policies, presets};
pub use self::service::{Action, ActionId, Basis, Registry, ResourceType, Service, Text};
