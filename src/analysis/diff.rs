//! What a change of policies changes: in statements, and in decisions.
//!
//! Statements are compared by their canonical text, so that layout, spelling that means the same,
//! and order are no change. Decisions are compared by asking both snapshots. Pure.

use std::collections::BTreeMap;

use crate::engine::{AccountSnapshot, Decision, NoTrace, Outcome, Request, decide};
use crate::lang::valid::ValidPolicy;
use crate::lang::{format, load_as};

/// One statement, and where it stands in its policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedStatement {
    /// Its place, from 0.
    pub statement: usize,
    /// A policy of this one statement, in canonical form.
    pub text: String,
}

/// A difference between two versions of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatementChange {
    /// Only the new version has it.
    Added(PlacedStatement),
    /// Only the old version has it.
    Removed(PlacedStatement),
    /// The new version has another in its stead.
    Changed {
        /// As it was.
        before: PlacedStatement,
        /// As it is.
        after: PlacedStatement,
    },
}

/// What differs between two versions of a policy, in the order of the old one, additions last.
/// Statements that both have are no difference, wherever they stand: order means nothing (D-03).
#[must_use]
pub fn statement_changes(before: &ValidPolicy, after: &ValidPolicy) -> Vec<StatementChange> {
    let (mut old, mut new) = (placed(before), placed(after));
    let mut common: BTreeMap<String, usize> = BTreeMap::new();
    for statement in &old {
        let others = new.iter().filter(|it| it.text == statement.text).count();
        let same = old.iter().filter(|it| it.text == statement.text).count();
        common.insert(statement.text.clone(), others.min(same));
    }
    drop_common(&mut old, common.clone());
    drop_common(&mut new, common);
    let mut new = new.into_iter();
    let mut changes: Vec<StatementChange> = old
        .into_iter()
        .map(|before| match new.next() {
            Some(after) => StatementChange::Changed { before, after },
            None => StatementChange::Removed(before),
        })
        .collect();
    changes.extend(new.map(StatementChange::Added));
    changes
}

/// Removes as many of each text as the map says.
fn drop_common(statements: &mut Vec<PlacedStatement>, mut common: BTreeMap<String, usize>) {
    statements.retain(|statement| match common.get_mut(&statement.text) {
        Some(left) if *left > 0 => {
            *left -= 1;
            false
        }
        Some(_) | None => true,
    });
}

/// Every statement as a policy of its own, so that its text does not depend on its neighbours.
fn placed(policy: &ValidPolicy) -> Vec<PlacedStatement> {
    let document = policy.document();
    let text = |span: crate::lang::diagnostic::Span| {
        let written = policy.source().get(span.start..span.end).unwrap_or_default();
        let alone = format!("{{\"version\":\"2.0\",\"statement\":[{written}]}}");
        // INVARIANT (a part of a valid policy): one statement alone is valid too; were it not, its
        // own text would still tell it apart.
        load_as(alone.as_bytes(), document.kind()).map_or(alone, |policy| format(&policy))
    };
    let numbered = document.statements().iter().enumerate();
    numbered.map(|(at, it)| PlacedStatement { statement: at, text: text(it.span) }).collect()
}

/// Which way a decision changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// More is allowed.
    Wider,
    /// Less is allowed.
    Narrower,
    /// A list lost some and gained some resources.
    Shifted,
    /// The same is allowed, for another reason.
    Reason,
}

/// One request that is answered otherwise than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionChange {
    /// The request's place among those given, from 0.
    pub request: usize,
    /// Which way it changed.
    pub direction: Direction,
    /// The answer before.
    pub before: Decision,
    /// The answer after.
    pub after: Decision,
}

/// The requests that two snapshots answer differently, in the order given. What determines an
/// answer may change without being told; outcome, reason and filter may not.
pub fn decision_changes<'r>(
    before: &AccountSnapshot,
    after: &AccountSnapshot,
    requests: impl IntoIterator<Item = &'r Request>,
) -> Vec<DecisionChange> {
    let mut changes = Vec::new();
    for (place, request) in requests.into_iter().enumerate() {
        let old = decide(before, request, &mut NoTrace);
        let new = decide(after, request, &mut NoTrace);
        if let Some(direction) = direction(&old, &new) {
            changes.push(DecisionChange { request: place, direction, before: old, after: new });
        }
    }
    changes
}

fn direction(before: &Decision, after: &Decision) -> Option<Direction> {
    match (before.outcome, after.outcome) {
        (Outcome::Deny, Outcome::Allow) => return Some(Direction::Wider),
        (Outcome::Allow, Outcome::Deny) => return Some(Direction::Narrower),
        (Outcome::Allow, Outcome::Allow) | (Outcome::Deny, Outcome::Deny) => {}
    }
    let names = |decision: &Decision| {
        decision.filter.as_ref().map_or_else(Vec::new, |filter| filter.resources.clone())
    };
    let (old, new) = (names(before), names(after));
    let gained = new.iter().any(|name| !old.contains(name));
    let lost = old.iter().any(|name| !new.contains(name));
    match (gained, lost) {
        (true, true) => Some(Direction::Shifted),
        (true, false) => Some(Direction::Wider),
        (false, true) => Some(Direction::Narrower),
        (false, false) => (before.reason != after.reason).then_some(Direction::Reason),
    }
}
