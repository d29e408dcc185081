//! A digest of everything that decisions depend on beside accounts: the catalog, the presets and
//! the general policies.
//!
//! Two programs with one digest decide alike from one account. It holds no order but the catalog's.

use sha2::{Digest as _, Sha256};

use super::index::Catalog;
use super::presets::{general_policies, presets};
use crate::lang::hex::hex;

impl Catalog {
    /// The digest, in hexadecimal.
    #[must_use]
    pub fn shipped_digest(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            hash.update(text.len().to_be_bytes());
            hash.update(text.as_bytes());
        };
        for action in self.all_actions() {
            add(&format!("{action:?}"));
        }
        for service in self.services() {
            add(&service.abbreviation);
            service.resource_types().iter().for_each(|kind| add(&format!("{kind:?}")));
        }
        for preset in presets().iter().chain(general_policies()) {
            add(&preset.id.to_string());
            add(preset.name);
            add(&String::from_utf8_lossy(preset.document));
        }
        hex(&hash.finalize())
    }
}
