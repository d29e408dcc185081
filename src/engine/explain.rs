//! Why a decision is what it is: the deciding code, run under a trace that writes everything down.
//!
//! Every statement of every policy that counts is tested, in the order of layer, policy and place,
//! and the first term that failed is told with the value that was seen. Plain values; it can never
//! answer otherwise than `decide`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::decide::decide;
use super::decision::{Decision, Layer, Reason};
use super::evaluate::Verdict;
use super::facts::{Overlay, Target};
use super::index::Entry;
use super::input::Via;
use super::request::Request;
use super::snapshot::AccountSnapshot;
use super::trace::{Asked, Trace, Visit};
use crate::lang::document::Effect;

/// The first term of a statement that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FirstFailure {
    /// None of its actions is the request's.
    Action,
    /// None of its resources is the request's.
    Resource,
    /// A condition is false.
    Condition {
        /// The condition's place among the statement's, from 0.
        index: usize,
        /// The operator as written.
        operator: String,
        /// The key as written.
        key: String,
        /// The policy's values as written.
        expected: Vec<String>,
        /// The request's values.
        seen: Vec<String>,
        /// Whether the request has no values under the key (rule C-03).
        missing: bool,
    },
}

/// What a statement came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatementResult {
    /// It matched.
    Matched,
    /// It did not.
    Failed(FirstFailure),
    /// It could not be told: an allow then does not match, and a deny does (rule C-22).
    Errored {
        /// What could not be told, one message per condition.
        messages: Vec<String>,
    },
}

/// One statement that counts, and what it came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementTrace {
    /// The layer it acts in.
    pub layer: Layer,
    /// How the policy came to the principal; empty outside the identity layer.
    pub via: Vec<Via>,
    /// The policy's id.
    pub policy_id: u64,
    /// The policy's name.
    pub policy_name: Arc<str>,
    /// The policy's version, from 1.
    pub version: u32,
    /// The statement's place in the policy, from 0.
    pub statement: usize,
    /// What it says when it matches.
    pub effect: Effect,
    /// What it came to.
    pub result: StatementResult,
}

/// The explanation of one resource; a list has one per registered app (rule F-01).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceTrace {
    /// The resource, `*` or a six-segment name.
    pub resource: String,
    /// What was decided about it.
    pub reason: Reason,
    /// Every statement of every policy that counts, in the order of layer, policy and place.
    pub statements: Vec<StatementTrace>,
}

/// A decision and how it came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The decision; equal to what `decide` answers.
    pub decision: Decision,
    /// Per resource what every statement came to; empty for an unknown principal.
    pub resources: Vec<ResourceTrace>,
    /// The condition keys that the context lacks and that made a statement fail, as they are to be
    /// sent, sorted. Tags of a registered app are never sent (rule D-17).
    pub missing_keys: Vec<String>,
}

/// Explains what [`decide`] answers.
#[must_use]
pub fn explain(snapshot: &AccountSnapshot, request: &Request) -> Explanation {
    let uin = request.parts().principal;
    let mut recorder =
        Recorder { snapshot, uin, resources: Vec::new(), missing_keys: BTreeSet::new() };
    let decision = decide(snapshot, request, &mut recorder);
    let Recorder { resources, missing_keys, .. } = recorder;
    Explanation { decision, resources, missing_keys: missing_keys.into_iter().collect() }
}

struct Recorder<'a> {
    snapshot: &'a AccountSnapshot,
    uin: u64,
    resources: Vec<ResourceTrace>,
    missing_keys: BTreeSet<String>,
}

impl Trace for Recorder<'_> {
    const EVERY_STATEMENT: bool = true;

    fn begin(&mut self, asked: Asked<'_>) {
        let resource = match asked.target {
            Target::Star => "*".to_owned(),
            Target::Name(name) => name.text().to_owned(),
        };
        // The reason is known at the end.
        let reason = Reason::Error;
        self.resources.push(ResourceTrace { resource, reason, statements: Vec::new() });
    }

    fn visit(&mut self, visit: Visit<'_>) {
        let Visit { layer, entry, verdict, overlay } = visit;
        let result = self.result(&entry, verdict, overlay);
        let input = entry.policy.input();
        let principal = self.snapshot.profile(self.uin).filter(|_| layer == Layer::Identity);
        let via = principal.map(|it| it.ways(input.id).cloned().collect());
        let statement = StatementTrace {
            layer,
            via: via.unwrap_or_default(),
            policy_id: input.id,
            policy_name: Arc::clone(&input.name),
            version: input.version,
            statement: entry.index,
            effect: entry.statement.effect(),
            result,
        };
        if let Some(resource) = self.resources.last_mut() {
            resource.statements.push(statement);
        }
    }

    fn end(&mut self, reason: Reason) {
        if let Some(resource) = self.resources.last_mut() {
            resource.reason = reason;
        }
    }
}

impl Recorder<'_> {
    fn result(
        &mut self,
        entry: &Entry<'_>,
        verdict: &Verdict,
        overlay: &Overlay<'_>,
    ) -> StatementResult {
        match verdict {
            Verdict::Matched => StatementResult::Matched,
            Verdict::OtherAction => StatementResult::Failed(FirstFailure::Action),
            Verdict::OtherResource => StatementResult::Failed(FirstFailure::Resource),
            Verdict::Errors(errors) => StatementResult::Errored {
                messages: errors.iter().map(|(_, error)| error.to_string()).collect(),
            },
            Verdict::False(place) => {
                StatementResult::Failed(self.condition(entry, *place, overlay))
            }
        }
    }

    fn condition(
        &mut self,
        entry: &Entry<'_>,
        index: usize,
        overlay: &Overlay<'_>,
    ) -> FirstFailure {
        let Some(condition) = entry.statement.conditions().get(index) else {
            return FirstFailure::Resource;
        };
        let seen: Vec<String> = condition.seen(overlay).iter().map(ToString::to_string).collect();
        let missing = seen.is_empty();
        let key = condition.key().canonical();
        if missing && overlay.lacks(key) {
            self.missing_keys.insert(key.to_owned());
        }
        let expected = entry.policy.condition_values(entry.index, index);
        FirstFailure::Condition {
            index,
            operator: condition.operator().to_string(),
            key: condition.key().text().to_owned(),
            expected,
            seen,
            missing,
        }
    }
}
