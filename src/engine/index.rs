//! The statements of a set of policies, ordered for looking up.
//!
//! [`PolicySet::candidates`] yields every statement that can match an action and a resource, and
//! few others: a bit per statement in one row per action, and one row per last resource segment,
//! are put together word by word, so attaching more policies about other things costs next to
//! nothing. It must never leave a matching statement out; what it yields is tested afterwards.

use std::collections::HashMap;
use std::sync::Arc;

use super::bits::Bits;
use super::compile::{CompiledPolicy, CompiledStatement};
use super::facts::Target;
use crate::catalog::ActionId;
use crate::lang::resource::ResourcePattern;
use crate::lang::valid::Statement;

/// A statement of a set, with the policy it stands in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    /// The policy.
    pub(super) policy: &'a Arc<CompiledPolicy>,
    /// The statement's place in it, from 0.
    pub(super) index: usize,
    /// The statement as checked.
    pub(super) statement: &'a Statement,
    /// What the compiler knows about it.
    pub(super) compiled: &'a CompiledStatement,
}

/// Some policies, each once, ascending by id. Principals with the same policies share one.
#[derive(Debug, Default)]
pub(super) struct PolicySet {
    policies: Box<[Arc<CompiledPolicy>]>,
    /// Per statement: the place of its policy above, and its place in the policy.
    places: Box<[(u32, u32)]>,
    /// The policies that cannot be read (rule D-05).
    unreadable: Box<[Arc<CompiledPolicy>]>,
    /// Per action id: which of `rows` holds its statements.
    row_of_action: Box<[u32]>,
    rows: Box<[Bits]>,
    /// Statements that can match actions outside the catalog.
    beyond_catalog: Bits,
    /// Statements with the bare `*` among their resources (rule R-03).
    star: Bits,
    /// Statements with a resource whose last segment is no fixed text, the bare `*` included.
    wild: Bits,
    /// Per fixed last segment: the statements that have it.
    by_segment: HashMap<Box<str>, Bits>,
}

impl PolicySet {
    /// The set of these policies; `action_count` is the catalog's.
    pub(super) fn new(policies: Vec<Arc<CompiledPolicy>>, action_count: usize) -> Self {
        let mut set = Self::default();
        let mut places = Vec::new();
        let mut by_action = vec![Bits::default(); action_count];
        for (policy_place, policy) in policies.iter().enumerate() {
            for (index, (statement, compiled)) in policy.statements().enumerate() {
                let number = places.len();
                // Policies hold at most a few hundred statements, and accounts a few thousand
                // policies; places beyond 32 bits cannot occur.
                let (Ok(place), Ok(index)) = (u32::try_from(policy_place), u32::try_from(index))
                else {
                    continue;
                };
                places.push((place, index));
                for id in compiled.actions.iter() {
                    if let Some(row) = by_action.get_mut(id) {
                        row.insert(number);
                    }
                }
                if compiled.beyond_catalog {
                    set.beyond_catalog.insert(number);
                }
                statement.resources().iter().for_each(|it| set.add_resource(number, it));
            }
        }
        let mut numbers: HashMap<Bits, u32> = HashMap::new();
        let mut rows = Vec::new();
        let mut row_of_action = Vec::with_capacity(action_count);
        for row in by_action {
            let next = u32::try_from(rows.len()).unwrap_or(u32::MAX);
            row_of_action.push(*numbers.entry(row).or_insert_with_key(|row| {
                rows.push(row.clone());
                next
            }));
        }
        set.rows = rows.into();
        set.row_of_action = row_of_action.into();
        set.places = places.into();
        set.unreadable = policies.iter().filter(|it| it.unreadable().is_some()).cloned().collect();
        set.policies = policies.into();
        set
    }

    fn add_resource(&mut self, number: usize, pattern: &ResourcePattern) {
        let Some(segments) = pattern.segments() else {
            self.star.insert(number);
            self.wild.insert(number);
            return;
        };
        match segments.resource.as_fixed().and_then(|glob| glob.as_literal()) {
            Some(literal) => self.by_segment.entry(literal.into()).or_default().insert(number),
            None => self.wild.insert(number),
        }
    }

    /// The policies, ascending by id.
    pub(super) fn policies(&self) -> &[Arc<CompiledPolicy>] {
        &self.policies
    }

    /// The policies that cannot be read, ascending by id.
    pub(super) fn unreadable(&self) -> impl Iterator<Item = &Arc<CompiledPolicy>> {
        self.unreadable.iter()
    }

    /// All statements, in order of policy and place.
    pub(super) fn all(&self) -> impl Iterator<Item = Entry<'_>> {
        (0..self.places.len()).filter_map(|number| self.entry(number))
    }

    /// A superset of the statements that match, in order of policy and place. `id` is none for an
    /// action outside the catalog.
    pub(super) fn candidates<'a>(
        &'a self,
        id: Option<ActionId>,
        target: Target<'_>,
    ) -> impl Iterator<Item = Entry<'a>> + use<'a> {
        let row = match id {
            Some(id) => self
                .row_of_action
                .get(id.index())
                .and_then(|row| self.rows.get(usize::try_from(*row).ok()?)),
            None => Some(&self.beyond_catalog),
        };
        let (one, other) = match target {
            Target::Star => (&self.star, None),
            Target::Name(name) => (&self.wild, self.by_segment.get(name.resource())),
        };
        row.into_iter()
            .flat_map(move |row| row.and_either(one, other))
            .filter_map(|number| self.entry(number))
    }

    fn entry(&self, number: usize) -> Option<Entry<'_>> {
        let (policy, index) = *self.places.get(number)?;
        let policy = self.policies.get(usize::try_from(policy).ok()?)?;
        let index = usize::try_from(index).ok()?;
        let (statement, compiled) = policy.statement(index)?;
        Some(Entry { policy, index, statement, compiled })
    }
}
