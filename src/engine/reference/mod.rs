//! The rules of docs/rules.md read a second time, as plainly as possible: the oracle of the tests.
//!
//! It works from the snapshot's *input* and the policies' *text*, looks everything up by walking
//! lists, and shares with the compiled path only the leaf readers of numbers, instants and
//! addresses. It must never import `compile`, `index`, `evaluate`, `decide` or the condition tests.
//! Slow by design; it stands beside the flow, and nothing in the service calls it.

mod condition;
mod matching;
mod trust;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::condition::{Test, test};
use self::matching::{action_matches, app_id_of, owner_of, resource_matches};
pub use self::trust::trusts;
use super::decision::{Decision, DecisionError, Determining, Filter, Layer, Outcome, Reason};
use super::input::{AccountInput, PolicyBody, PolicyInput, PrincipalInput, PrincipalKind};
use super::request::{Request, Resource};
use super::world::World;
use crate::catalog::{Registry, read_only_action};
use crate::lang::condition::{ContextValue, Facts};
use crate::lang::document::{Effect, StatementText};
use crate::lang::number::Number;
use crate::lang::variable::Variables;
use crate::lang::vocabulary::Granularity;

/// Everything that one reading looks at.
struct Reading<'a> {
    account: &'a AccountInput,
    world: &'a World,
    request: &'a Request,
    principal: &'a PrincipalInput,
    variables: Variables,
}

/// A statement that matched, or could not be told.
struct Hit {
    determining: Determining,
    errors: Vec<DecisionError>,
    acts: bool,
}

/// The decision by the letter of the rules. Notes are left empty: no rule speaks of them.
#[must_use]
pub fn decide(account: &AccountInput, world: &World, request: &Request) -> Decision {
    let parts = request.parts();
    let principal = account.principals.iter().rev().find(|it| it.uin == parts.principal);
    // rule D-12
    let principal = principal.filter(|it| it.kind != PrincipalKind::MessageRecipient);
    let Some(principal) = principal else {
        return answer(Reason::UnknownPrincipal, Vec::new(), Vec::new(), None);
    };
    let variables = Variables { uin: parts.principal, owner: account.owner };
    let reading = Reading { account, world, request, principal, variables };
    match &parts.resource {
        // rule F-04
        Resource::Name(name) => reading.one(name.text()),
        // rule F-01
        Resource::Star | Resource::Nothing => match reading.app_names() {
            Some(names) => reading.list(&names),
            None => reading.one("*"),
        },
    }
}

fn answer(
    reason: Reason,
    mut determining: Vec<Determining>,
    mut errors: Vec<DecisionError>,
    filter: Option<Filter>,
) -> Decision {
    determining.sort();
    determining.dedup();
    errors.sort();
    errors.dedup();
    let notes = Vec::new();
    Decision { outcome: reason.outcome(), reason, determining, errors, filter, notes }
}

impl<'a> Reading<'a> {
    /// The policies that count, each with its layer; a session policy also with its place. None
    /// stands for a boundary whose policy is gone (rule D-09).
    fn policies(&self) -> Vec<(Layer, usize, &'a PolicyInput)> {
        let mut all: Vec<_> = self.world.general().map(|it| (Layer::General, 0, it)).collect();
        if self.principal.kind != PrincipalKind::Root {
            // rules D-03, D-06
            let ids: std::collections::BTreeSet<u64> =
                self.principal.attachments.iter().map(|it| it.policy_id).collect();
            all.extend(
                ids.into_iter().filter_map(|id| Some((Layer::Identity, 0, self.policy(id)?))),
            );
        }
        let boundary = self.principal.boundary.and_then(|id| self.policy(id));
        all.extend(boundary.map(|it| (Layer::Boundary, 0, it)));
        let session = self.request.parts().session.iter().enumerate();
        all.extend(session.map(|(place, it)| (Layer::Session, place, it.input())));
        all
    }

    fn policy(&self, id: u64) -> Option<&'a PolicyInput> {
        let own = self.account.policies.iter().rev().find(|it| it.id == id);
        own.or_else(|| self.world.shared().find(|it| it.id == id))
    }

    /// The policies that count and cannot be read (rule D-05).
    fn broken(&self) -> Vec<DecisionError> {
        let of = |(layer, _, policy): &(Layer, usize, &PolicyInput)| match &policy.body {
            PolicyBody::Unreadable(why) => {
                let message = format!("policy `{}` cannot be read: {why}", policy.name);
                Some(error(*layer, policy, None, None, &message))
            }
            PolicyBody::Valid(_) => None,
        };
        self.policies().iter().filter_map(of).collect()
    }

    /// The decision about one resource, in the order of spec 2.1 (rules D-01 to D-10).
    fn one(&self, resource: &str) -> Decision {
        let is_root = self.principal.kind == PrincipalKind::Root;
        let mut hits = Vec::new();
        for (layer, place, policy) in self.policies() {
            let PolicyBody::Valid(valid) = &policy.body else { continue };
            for (index, text) in valid.document().statements().iter().enumerate() {
                let hit = self.statement(layer, policy, (index, text), resource);
                hits.extend(hit.map(|hit| (place, hit)));
            }
        }
        let broken = self.broken();
        let is_broken = !broken.is_empty();
        let errors: Vec<DecisionError> =
            broken.into_iter().chain(hits.iter().flat_map(|(_, hit)| hit.errors.clone())).collect();
        hits.retain(|(_, hit)| hit.acts);
        let of =
            |effect: Effect| hits.iter().filter(move |(_, it)| it.determining.effect == effect);
        let allows = |layer: Layer| of(Effect::Allow).any(|(_, it)| it.determining.layer == layer);
        let every_session = (0..self.request.parts().session.len()).all(|session| {
            of(Effect::Allow)
                .any(|(place, it)| it.determining.layer == Layer::Session && *place == session)
        });
        let reason = if let Some(layer) = of(Effect::Deny).map(|(_, it)| it.determining.layer).min()
        {
            Reason::ExplicitDeny(layer) // rule D-04
        } else if is_broken {
            Reason::Error // rule D-05
        } else if !is_root && !allows(Layer::Identity) {
            Reason::ImplicitDeny(Layer::Identity) // rule D-07
        } else if self.is_foreign(resource) {
            Reason::ImplicitDeny(Layer::Resource) // rules D-06, D-08
        } else if self.principal.boundary.is_some() && !allows(Layer::Boundary) {
            Reason::ImplicitDeny(Layer::Boundary) // rule D-09
        } else if !every_session {
            Reason::ImplicitDeny(Layer::Session) // rule D-10
        } else if is_root {
            Reason::Root // rule D-06
        } else {
            Reason::Allow
        };
        // rule D-11; allows of general policies grant nothing, so they determine nothing
        let determining = match reason {
            Reason::Root | Reason::Allow => of(Effect::Allow)
                .map(|(_, it)| it.determining.clone())
                .filter(|it| it.layer != Layer::General)
                .collect(),
            Reason::ExplicitDeny(_) => {
                of(Effect::Deny).map(|(_, it)| it.determining.clone()).collect()
            }
            Reason::ImplicitDeny(_)
            | Reason::UnknownPrincipal
            | Reason::FilterUnsupported
            | Reason::Error => Vec::new(),
        };
        answer(reason, determining, errors, None)
    }

    /// One statement: none unless action and resource match and no condition is false (rule D-02).
    fn statement(
        &self,
        layer: Layer,
        policy: &PolicyInput,
        (index, text): (usize, &StatementText),
        resource: &str,
    ) -> Option<Hit> {
        let effect = text.effect.value;
        let action = &self.request.parts().action;
        let catalog = self.world.catalog();
        let by_action =
            text.actions.iter().any(|it| action_matches(&it.value, effect, action, catalog));
        let by_resource = || {
            text.resources.iter().any(|it| resource_matches(&it.value, resource, &self.variables))
        };
        if !by_action || !by_resource() {
            return None;
        }
        let mut errors = Vec::new();
        for (place, condition) in text.conditions.iter().enumerate() {
            match test(condition, &|key| self.fact(key, resource), &self.variables) {
                Test::True => {}
                Test::False => return None, // rule C-22
                Test::Error => errors.push(error(
                    layer,
                    policy,
                    Some(index),
                    Some(place),
                    &format!("condition `{}` cannot be told", condition.key.value),
                )),
            }
        }
        let determining = Determining {
            layer,
            policy_id: policy.id,
            statement: index,
            effect,
            policy_name: Arc::clone(&policy.name),
            version: policy.version,
        };
        // rule C-22
        let acts = errors.is_empty() || effect == Effect::Deny;
        Some(Hit { determining, errors, acts })
    }

    /// The values under a canonical key: the server's own before the request's.
    fn fact(&self, key: &str, resource: &str) -> Vec<ContextValue> {
        let parts = self.request.parts();
        let number = |value: u64| vec![ContextValue::Number(Number::from(value))];
        let (service, name) = (parts.action.service(), parts.action.name());
        let sent = parts.context.values(key).unwrap_or_default().to_vec();
        match key {
            // rule D-15
            "qcs:uin" => number(parts.principal),
            "qcs:owner_uin" => number(self.account.owner.uin),
            // rule D-16
            "qcs:read_only_action" => number(u64::from(read_only_action(name))),
            // rule D-19
            "qcs:except_cam_finance" => {
                number(u64::from(self.world.catalog().except_cam_finance(service, name)))
            }
            // rule D-15
            "qcs:current_time" if sent.is_empty() => {
                vec![ContextValue::Text(parts.now.to_string())]
            }
            // rule D-17
            "qcs:resource_tag" => {
                let id = app_id_of(resource);
                let app = self.account.apps.iter().rev().find(|app| Some(app.sdkappid) == id);
                app.map_or(sent, |app| {
                    let text = |(key, value): &(String, String)| format!("{key}&{value}");
                    app.tags.iter().map(text).map(ContextValue::Text).collect()
                })
            }
            _ => sent,
        }
    }

    /// Rules D-08, D-14, D-24.
    fn is_foreign(&self, resource: &str) -> bool {
        let home = &self.account.owner;
        let registered = self.request.parts().registered_owner;
        let named = matches!(self.request.parts().resource, Resource::Name(_));
        let granted = named && self.request.parts().granted_by_owner;
        resource != "*"
            && !granted
            && (owner_of(resource, home) != Some(home.uin)
                || (named && registered.is_some_and(|owner| owner != home.uin)))
    }

    /// The names of the registered apps, ascending by id, when the action lists them.
    fn app_names(&self) -> Option<Vec<String>> {
        let action = &self.request.parts().action;
        let catalog = self.world.catalog();
        let facts = catalog.action(action.service(), action.name())?;
        let kind = facts.resource_type.as_deref()?;
        let kind = catalog.service(action.service())?.resource_type(kind)?;
        if facts.granularity != Granularity::List || kind.registry != Some(Registry::Apps) {
            return None;
        }
        let ids: BTreeMap<u64, ()> = self.account.apps.iter().map(|it| (it.sdkappid, ())).collect();
        let owner = self.account.owner.uin;
        Some(ids.into_keys().map(|id| kind.name_of(owner, &id.to_string())).collect())
    }

    /// Rules F-01 to F-03.
    fn list(&self, names: &[String]) -> Decision {
        let is_root = self.principal.kind == PrincipalKind::Root;
        let ones: Vec<Decision> = names.iter().map(|name| self.one(name)).collect();
        let mut errors: Vec<DecisionError> = ones.iter().flat_map(|it| it.errors.clone()).collect();
        let mut resources = Vec::new();
        for (name, one) in names.iter().zip(&ones) {
            if one.outcome == Outcome::Allow {
                resources.push(name.clone());
            }
        }
        if names.is_empty() {
            errors = self.broken();
        }
        let all = resources.len() == names.len();
        let reason = if names.is_empty() && !errors.is_empty() {
            Reason::Error
        } else if names.is_empty() && !is_root {
            Reason::ImplicitDeny(Layer::Identity)
        } else if names.is_empty() || (!resources.is_empty() && is_root) {
            Reason::Root
        } else if !resources.is_empty() {
            Reason::Allow
        } else {
            nearest(&ones)
        };
        let reason =
            if reason.outcome() == Outcome::Allow && !all && !self.request.parts().accepts_filter {
                Reason::FilterUnsupported // rule F-03
            } else {
                reason
            };
        let determining = match reason {
            Reason::ImplicitDeny(_) | Reason::Error | Reason::UnknownPrincipal => Vec::new(),
            Reason::Root | Reason::Allow | Reason::FilterUnsupported | Reason::ExplicitDeny(_) => {
                ones.into_iter().flat_map(|it| it.determining).collect()
            }
        };
        let filter = (reason.outcome() == Outcome::Allow).then_some(Filter { all, resources });
        answer(reason, determining, errors, filter)
    }
}

/// The reason of the app that came nearest to being allowed, when none is.
fn nearest(ones: &[Decision]) -> Reason {
    let order = [
        Reason::ImplicitDeny(Layer::Session),
        Reason::ImplicitDeny(Layer::Boundary),
        Reason::ImplicitDeny(Layer::Resource),
        Reason::ImplicitDeny(Layer::Identity),
        Reason::Error,
        Reason::ExplicitDeny(Layer::General),
        Reason::ExplicitDeny(Layer::Identity),
        Reason::ExplicitDeny(Layer::Boundary),
        Reason::ExplicitDeny(Layer::Session),
    ];
    let found = order.into_iter().find(|reason| ones.iter().any(|one| one.reason == *reason));
    found.unwrap_or(Reason::Error)
}

fn error(
    layer: Layer,
    policy: &PolicyInput,
    statement: Option<usize>,
    condition: Option<usize>,
    message: &str,
) -> DecisionError {
    DecisionError {
        layer,
        policy_id: policy.id,
        statement,
        condition,
        policy_name: Arc::clone(&policy.name),
        version: policy.version,
        message: message.to_owned(),
    }
}
