//! Which statements and conditions of an account's own policies the cases have put to the test.
//!
//! Read off the explanations, so that coverage speaks about what the engine did. Presets and
//! general policies are not counted: they are not the author's. Plain values and shares.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::{
    AccountSnapshot, Explanation, FirstFailure, Layer, PolicyBody, StatementResult,
};
use crate::lang::document::Effect;
use crate::lang::valid::ValidPolicy;

/// How far one statement was put to the test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementCoverage {
    /// The policy's id.
    pub policy_id: u64,
    /// The policy's name.
    pub policy_name: Arc<str>,
    /// The statement's place, from 0.
    pub statement: usize,
    /// What it says.
    pub effect: Effect,
    /// Whether it matched a request.
    pub matched: bool,
    /// Whether it determined a result (rule D-11).
    pub determined: bool,
    /// Its conditions, in order.
    pub conditions: Vec<ConditionCoverage>,
}

/// How far one condition was put to the test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionCoverage {
    /// The operator as written.
    pub operator: String,
    /// The key as written.
    pub key: String,
    /// Whether its statement matched a request, so that it was true.
    pub seen_true: bool,
    /// Whether it was the first condition that was false for a request which its statement's
    /// action and resource matched.
    pub seen_false: bool,
}

/// The coverage of one run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coverage {
    /// Every statement of the account's own policies, by policy id and place.
    pub statements: Vec<StatementCoverage>,
}

impl Coverage {
    /// The statements that determined no result.
    pub fn untested(&self) -> impl Iterator<Item = &StatementCoverage> {
        self.statements.iter().filter(|it| !it.determined)
    }

    /// The share of statements that determined a result, in percent, rounded down; 100 of none.
    #[must_use]
    pub fn statement_percent(&self) -> usize {
        let determined = self.statements.iter().filter(|it| it.determined).count();
        percent(determined, self.statements.len())
    }

    /// The share of conditions seen both true and false, in percent, rounded down; 100 of none.
    #[must_use]
    pub fn condition_percent(&self) -> usize {
        let all = || self.statements.iter().flat_map(|it| &it.conditions);
        percent(all().filter(|it| it.seen_true && it.seen_false).count(), all().count())
    }
}

fn percent(part: usize, whole: usize) -> usize {
    (part * 100).checked_div(whole).unwrap_or(100)
}

/// A statement: policy id and place.
type Place = (u64, usize);

/// What the explanations of a run have shown so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    determined: BTreeSet<Place>,
    matched: BTreeSet<Place>,
    /// The conditions that were false.
    failed: BTreeMap<Place, BTreeSet<usize>>,
}

impl Tally {
    /// Takes in one request. Session policies are the case's own and have no place here.
    pub(super) fn add(&mut self, explanation: &Explanation) {
        let determining = explanation.decision.determining.iter();
        let lasting = determining.filter(|it| it.layer != Layer::Session);
        self.determined.extend(lasting.map(|it| (it.policy_id, it.statement)));
        let statements = explanation.resources.iter().flat_map(|it| &it.statements);
        for statement in statements.filter(|it| it.layer != Layer::Session) {
            let place = (statement.policy_id, statement.statement);
            match &statement.result {
                StatementResult::Matched => {
                    self.matched.insert(place);
                }
                StatementResult::Failed(FirstFailure::Condition { index, .. }) => {
                    self.failed.entry(place).or_default().insert(*index);
                }
                StatementResult::Failed(FirstFailure::Action | FirstFailure::Resource)
                | StatementResult::Errored { .. } => {}
            }
        }
    }

    /// What that comes to for the account's own policies.
    pub(super) fn coverage(&self, snapshot: &AccountSnapshot) -> Coverage {
        let mut statements = Vec::new();
        for input in snapshot.policies() {
            let PolicyBody::Valid(policy) = &input.body else { continue };
            for (at, statement) in policy.statements().iter().enumerate() {
                let place = (input.id, at);
                statements.push(StatementCoverage {
                    policy_id: input.id,
                    policy_name: Arc::clone(&input.name),
                    statement: at,
                    effect: statement.effect(),
                    matched: self.matched.contains(&place),
                    determined: self.determined.contains(&place),
                    conditions: self.conditions(policy, place),
                });
            }
        }
        Coverage { statements }
    }

    fn conditions(&self, policy: &ValidPolicy, place: Place) -> Vec<ConditionCoverage> {
        let failed = |at: usize| self.failed.get(&place).is_some_and(|set| set.contains(&at));
        let written = policy.document().statements().get(place.1);
        let conditions = written.iter().flat_map(|statement| &statement.conditions);
        let numbered = conditions.enumerate().map(|(at, condition)| ConditionCoverage {
            operator: condition.operator.value.clone(),
            key: condition.key.value.clone(),
            seen_true: self.matched.contains(&place),
            seen_false: failed(at),
        });
        numbered.collect()
    }
}
