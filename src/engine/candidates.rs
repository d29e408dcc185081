//! The resources that a search can ask about: the registered apps, and the resources that policies
//! name without a star.
//!
//! Decides nothing: every candidate is put to `decide`. It says whether there can be others, which
//! nobody can list because a policy allows them by a pattern.

use std::collections::BTreeMap;

use super::compile::CompiledPolicy;
use super::snapshot::AccountSnapshot;
use crate::catalog::Registry;
use crate::lang::document::Effect;
use crate::lang::resource::{AccountPattern, ResourceName, ResourcePattern};

/// Which resources are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Of this service; none: of any.
    pub service: Option<String>,
    /// Of this type, which is what stands before the first `/`; none: of any.
    pub kind: Option<String>,
}

/// What can be asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidates {
    /// The names, in the account itself, ascending.
    pub names: Vec<ResourceName>,
    /// Whether no policy can allow another resource that is wanted.
    pub is_complete: bool,
    /// Whether what is wanted is registered, so that there are no others at all.
    pub is_registry: bool,
}

/// The resources of an account that a search can ask about.
#[must_use]
pub fn candidates(snapshot: &AccountSnapshot, wanted: &Wanted) -> Candidates {
    let mut found = Found { snapshot, wanted, names: BTreeMap::new(), is_complete: true };
    let catalog = snapshot.world().catalog();
    let mut is_registry = false;
    for service in catalog.services() {
        if wanted.service.as_deref().is_some_and(|it| it != &*service.abbreviation) {
            continue;
        }
        for kind in service.resource_types() {
            let is_wanted = wanted.kind.as_deref().is_none_or(|it| it == &*kind.name);
            if is_wanted && kind.registry == Some(Registry::Apps) {
                is_registry |= wanted.kind.is_some() && wanted.service.is_some();
                for id in snapshot.sdkappids() {
                    found.add(kind.name_of(snapshot.owner().uin, &id.to_string()));
                }
            }
        }
    }
    // What is registered is all there is of its type.
    if !is_registry {
        snapshot.compiled().for_each(|policy| found.look_into(policy, false));
        snapshot.attached().for_each(|policy| found.look_into(policy, true));
    }
    let Found { names, is_complete, .. } = found;
    Candidates { names: names.into_values().collect(), is_complete, is_registry }
}

struct Found<'a> {
    snapshot: &'a AccountSnapshot,
    wanted: &'a Wanted,
    names: BTreeMap<String, ResourceName>,
    is_complete: bool,
}

impl Found<'_> {
    fn add(&mut self, text: String) {
        if let Ok(name) = ResourceName::parse(&text) {
            self.names.insert(text, name);
        }
    }

    fn look_into(&mut self, policy: &CompiledPolicy, is_attached: bool) {
        if policy.unreadable().is_some() {
            self.is_complete = false;
        }
        for (statement, _) in policy.statements() {
            let counts = is_attached && statement.effect() == Effect::Allow;
            for pattern in statement.resources() {
                match self.named(pattern) {
                    Named::One(text) => self.add(text),
                    Named::Many => self.is_complete &= !counts,
                    Named::Other => {}
                }
            }
        }
    }

    /// What a pattern names of what is wanted.
    fn named(&self, pattern: &ResourcePattern) -> Named {
        let Some(segments) = pattern.segments() else { return Named::Many };
        let home = self.snapshot.owner();
        let is_own = match segments.account {
            AccountPattern::Any => true,
            AccountPattern::One(account) => account.owner_uin(&home) == Some(home.uin),
        };
        let service = match (segments.service.as_literal(), self.wanted.service.as_deref()) {
            (Some(found), Some(wanted)) if found != wanted => return Named::Other,
            (Some(found), _) => Some(found),
            // Any service: of the wanted one, when there is one.
            (None, wanted) if segments.service.is_any() => wanted,
            (None, _) => None,
        };
        let content = pattern.text().splitn(6, ':').nth(5).unwrap_or_default();
        let start = content.split(['*', '$']).next().unwrap_or_default();
        let is_wanted = self.wanted.kind.as_deref().is_none_or(|kind| {
            let kind = format!("{kind}/");
            start.starts_with(&kind) || kind.starts_with(start)
        });
        if !is_own || !is_wanted {
            return Named::Other;
        }
        let one = segments.resource.as_fixed().and_then(|glob| glob.as_literal());
        let region = match segments.region.as_literal() {
            Some(region) => region,
            None if segments.region.is_any() => "",
            None => return Named::Many,
        };
        match (service, one) {
            (Some(service), Some(content)) => {
                Named::One(format!("qcs::{service}:{region}:uin/{}:{content}", home.uin))
            }
            _ => Named::Many,
        }
    }
}

enum Named {
    One(String),
    Many,
    Other,
}
