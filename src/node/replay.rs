//! Replays: recorded decisions made again, from the accounts of this node or from candidates.
//!
//! The question, its facts and its time are the record's; policies, attachments and the registry of
//! apps are those that are there now, or the candidates in place of policies of the same name. It
//! must never take for the same what it could not make again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::error::NodeError;
use super::sessions::session_policy;
use super::simulate::InlinePolicy;
use super::view::AccountView;
use super::{Node, shorten};
use crate::audit::decision_log::{ContextEntry, DecisionRecord, MASKED, MaybeMasked};
use crate::directory::snapshot_input;
use crate::engine::{
    AccountSnapshot, CompiledPolicy, Decision, DecisionRef, NoTrace, PolicyBody, Request,
    RequestParts, Resource, decide,
};
use crate::lang;
use crate::lang::action::ActionName;
use crate::lang::condition::Context;
use crate::lang::document::DocumentKind;
use crate::lang::valid::Scope;

/// What becomes of a recorded decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replayed {
    /// It is made as it was.
    Same,
    /// The outcome is the same, for another reason or by other statements.
    OtherReason(Box<Decision>),
    /// The outcome is another, or a list shows something else.
    Flip(Box<Decision>),
    /// It cannot be made again, for this reason.
    CannotTell(String),
}

/// Makes recorded decisions again.
#[derive(Debug)]
pub struct Replay {
    node: Arc<Node>,
    /// Policies in place of those of the same name.
    candidates: BTreeMap<String, Vec<u8>>,
    /// The candidates that an account has had a policy of the name of.
    used: BTreeSet<String>,
    accounts: BTreeMap<u64, Option<Held>>,
}

#[derive(Debug, Clone)]
struct Held {
    view: Arc<AccountView>,
    /// With the candidates.
    snapshot: Arc<AccountSnapshot>,
}

impl Replay {
    /// A replay over a node's accounts, with these policies in place of those of the same name.
    #[must_use]
    pub fn new(node: Arc<Node>, candidates: Vec<InlinePolicy>) -> Self {
        let candidates = candidates.into_iter().map(|it| (it.name, it.document)).collect();
        Self { node, candidates, used: BTreeSet::new(), accounts: BTreeMap::new() }
    }

    /// The candidates that no account so far had a policy of the name of.
    pub fn unused(&self) -> impl Iterator<Item = &str> {
        self.candidates.keys().map(String::as_str).filter(|name| !self.used.contains(*name))
    }

    /// Makes a decision again.
    ///
    /// # Errors
    /// When an account cannot be read, and [`NodeError::Policy`] for a candidate with errors.
    pub async fn again(&mut self, record: &DecisionRecord<'_>) -> Result<Replayed, NodeError> {
        let MaybeMasked::Number(uin) = record.principal.uin else {
            return Ok(masked("principal"));
        };
        if record.resource == MASKED {
            return Ok(masked("resource"));
        }
        if record.context.iter().any(|entry| entry.values.is_none()) {
            return Ok(masked("context"));
        }
        let owner_uin = match record.owner_uin {
            // Who was nobody may be somebody now.
            0 => match self.node.owner_of_principal(uin, None).await {
                Ok(owner_uin) => owner_uin,
                Err(NodeError::AmbiguousPrincipal { .. }) => {
                    return Ok(Replayed::CannotTell(format!("{uin} acts in several accounts now")));
                }
                Err(error) => return Err(error),
            },
            owner_uin => Some(owner_uin),
        };
        let held = match owner_uin {
            Some(owner_uin) => self.account(owner_uin).await?,
            None => None,
        };
        let Some(held) = held else {
            let nobody = DecisionRef::of_nobody().to_decision();
            return Ok(compare(record, nobody));
        };
        match self.decide(&held, uin, record).await? {
            Ok(decision) => Ok(compare(record, decision)),
            Err(problem) => Ok(Replayed::CannotTell(problem)),
        }
    }

    /// The decision, or why the question cannot be asked any more.
    async fn decide(
        &self,
        held: &Held,
        principal: u64,
        record: &DecisionRecord<'_>,
    ) -> Result<Result<Decision, String>, NodeError> {
        let parts = match self.parts(principal, record) {
            Ok(parts) => parts,
            Err(problem) => return Ok(Err(problem)),
        };
        let app = match &parts.resource {
            Resource::Name(name) => name.sdkappid(),
            Resource::Star | Resource::Nothing => None,
        };
        let registered_owner = self.node.registered_owner(&held.view, app).await?;
        let parts = RequestParts { registered_owner, ..parts };
        Ok(match Request::check(parts, self.node.catalog()) {
            Ok(request) => Ok(decide(&held.snapshot, &request, &mut NoTrace)),
            Err(fault) => Err(format!("the question would be refused: {fault}")),
        })
    }

    fn parts(&self, principal: u64, record: &DecisionRecord<'_>) -> Result<RequestParts, String> {
        let action = ActionName::parse(&record.action)
            .map_err(|fault| format!("action `{}` {fault}", shorten(&record.action)))?;
        let resource = Resource::parse(&record.resource)
            .map_err(|fault| format!("resource `{}` {fault}", shorten(&record.resource)))?;
        let mut context = Context::new();
        for ContextEntry { key, values } in &record.context {
            let values = values.as_deref().unwrap_or_default().to_vec();
            context.insert(key, values).map_err(|fault| fault.to_string())?;
        }
        let texts = record.principal.session.iter().flat_map(|session| &session.policies);
        let session = texts
            .enumerate()
            .map(|(place, text)| Arc::new(session_policy(place, text, self.node.catalog())));
        Ok(RequestParts {
            principal,
            action,
            resource,
            context,
            now: record.time,
            session: session.collect::<Vec<Arc<CompiledPolicy>>>(),
            registered_owner: None,
            granted_by_owner: record.granted_by_owner,
            accepts_filter: record.accepts_filter,
        })
    }

    async fn account(&mut self, owner_uin: u64) -> Result<Option<Held>, NodeError> {
        if let Some(held) = self.accounts.get(&owner_uin) {
            return Ok(held.clone());
        }
        let view = self.node.view(owner_uin).await?;
        let held = match view {
            Some(view) => Some(self.with_candidates(view)?),
            None => None,
        };
        self.accounts.insert(owner_uin, held.clone());
        Ok(held)
    }

    fn with_candidates(&mut self, view: Arc<AccountView>) -> Result<Held, NodeError> {
        let snapshot = Arc::clone(&view.snapshot);
        if self.candidates.is_empty() {
            return Ok(Held { view, snapshot });
        }
        let shared = self.node.shared();
        let Some(mut input) = snapshot_input(&view.state, &shared.presets, view.last_change.0)
        else {
            return Ok(Held { view, snapshot });
        };
        let scope = Scope {
            vocabulary: &**self.node.catalog(),
            owner: Some(snapshot.owner()),
            kind: DocumentKind::Identity,
        };
        for policy in &mut input.policies {
            let Some(document) = self.candidates.get(&*policy.name) else { continue };
            let checked = lang::check(document, &scope);
            let Some(valid) = checked.policy else {
                let (name, findings) = (policy.name.to_string(), checked.findings);
                return Err(NodeError::Policy { name, findings });
            };
            policy.body = PolicyBody::Valid(Arc::new(valid));
            policy.version = policy.version.saturating_add(1);
            self.used.insert(policy.name.to_string());
        }
        let built = AccountSnapshot::build(input, snapshot.world(), None);
        Ok(Held { view, snapshot: Arc::new(built) })
    }
}

fn masked(what: &str) -> Replayed {
    Replayed::CannotTell(format!("the record's {what} is masked"))
}

/// The record beside the decision made now.
fn compare(record: &DecisionRecord<'_>, decision: Decision) -> Replayed {
    let was_shown = record.filter.as_ref().map(|it| (it.all, it.resources.as_slice()));
    let is_shown = decision.filter.as_ref();
    let shows_same = match (was_shown, is_shown) {
        (None, None) => true,
        (Some((all, names)), Some(filter)) => all == filter.all && names == filter.resources,
        (Some(_), None) | (None, Some(_)) => false,
    };
    if record.outcome != decision.outcome.as_str() || !shows_same {
        return Replayed::Flip(Box::new(decision));
    }
    // Versions count on without a change of what is said.
    let recorded = record.determining.iter();
    let recorded = recorded.map(|it| (it.policy_id, it.statement, it.effect.as_ref()));
    let made = decision.determining.iter();
    let made = made.map(|it| (it.policy_id, it.statement, it.effect.as_str()));
    let is_same = record.reason == decision.reason.as_str()
        && record.layer.as_deref() == decision.reason.layer().map(|layer| layer.as_str())
        && recorded.eq(made);
    match is_same {
        true => Replayed::Same,
        false => Replayed::OtherReason(Box::new(decision)),
    }
}
