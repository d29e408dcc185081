//! How many decisions were made, by their reasons.
//!
//! Counting must never cost what is counted: one relaxed addition, in a place of its own for each
//! reason.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::engine::{Layer, Reason};

/// Reasons without a layer.
const PLAIN: [Reason; 5] = [
    Reason::Root,
    Reason::Allow,
    Reason::UnknownPrincipal,
    Reason::FilterUnsupported,
    Reason::Error,
];

/// Counts decisions.
#[derive(Debug, Default)]
pub(super) struct Tally {
    root: AtomicU64,
    allow: AtomicU64,
    unknown_principal: AtomicU64,
    filter_unsupported: AtomicU64,
    error: AtomicU64,
    explicit_deny: ByLayer,
    implicit_deny: ByLayer,
}

#[derive(Debug, Default)]
struct ByLayer {
    general: AtomicU64,
    identity: AtomicU64,
    resource: AtomicU64,
    boundary: AtomicU64,
    session: AtomicU64,
}

impl ByLayer {
    fn of(&self, layer: Layer) -> &AtomicU64 {
        match layer {
            Layer::General => &self.general,
            Layer::Identity => &self.identity,
            Layer::Resource => &self.resource,
            Layer::Boundary => &self.boundary,
            Layer::Session => &self.session,
        }
    }
}

impl Tally {
    fn of(&self, reason: Reason) -> &AtomicU64 {
        match reason {
            Reason::Root => &self.root,
            Reason::Allow => &self.allow,
            Reason::UnknownPrincipal => &self.unknown_principal,
            Reason::FilterUnsupported => &self.filter_unsupported,
            Reason::Error => &self.error,
            Reason::ExplicitDeny(layer) => self.explicit_deny.of(layer),
            Reason::ImplicitDeny(layer) => self.implicit_deny.of(layer),
        }
    }

    /// One more.
    pub(super) fn add(&self, reason: Reason) {
        self.of(reason).fetch_add(1, Ordering::Relaxed);
    }

    /// How many of each reason there were.
    pub(super) fn counts(&self) -> Vec<(Reason, u64)> {
        let layers = Layer::ALL.into_iter();
        let denies = layers.flat_map(|it| [Reason::ExplicitDeny(it), Reason::ImplicitDeny(it)]);
        let all = PLAIN.into_iter().chain(denies);
        all.map(|reason| (reason, self.of(reason).load(Ordering::Relaxed))).collect()
    }
}
