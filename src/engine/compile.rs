//! From a checked policy to one that is quick to decide with.
//!
//! A statement's action patterns are resolved against the catalog once: which catalogued actions
//! match, and whether an action outside the catalog may. Action sets get their members here,
//! because only the catalog has them (rule A-08). Resources and conditions stay as they are.

use std::sync::Arc;

use super::bits::Bits;
use super::input::{PolicyBody, PolicyInput};
use crate::catalog::{ActionId, Catalog};
use crate::lang::action::{ActionForm, ActionRef};
use crate::lang::document::Effect;
use crate::lang::pattern::Glob;
use crate::lang::valid::Statement;
use crate::lang::vocabulary::Vocabulary;

/// A policy, compiled for one catalog. Immutable; share it in an `Arc`.
#[derive(Debug)]
pub struct CompiledPolicy {
    input: PolicyInput,
    statements: Box<[CompiledStatement]>,
}

/// What the compiler adds to a statement.
#[derive(Debug)]
pub(super) struct CompiledStatement {
    /// The catalogued actions that match, by id.
    pub(super) actions: Arc<Bits>,
    /// Whether an action outside the catalog can match.
    pub(super) beyond_catalog: bool,
    /// Whether it matches every action: a deny with an unknown action set (rule A-08).
    every_action: bool,
    /// The members of its known sets that no catalog describes.
    set_names: Box<[Box<str>]>,
}

impl CompiledPolicy {
    /// Compiles a policy; one that cannot be read has no statements, and is still reported by every
    /// decision that it counts in (rule D-05).
    #[must_use]
    pub fn new(input: PolicyInput, catalog: &Catalog) -> Self {
        let statements = match &input.body {
            PolicyBody::Valid(policy) => {
                policy.statements().iter().map(|it| CompiledStatement::new(it, catalog)).collect()
            }
            PolicyBody::Unreadable(_) => Box::default(),
        };
        Self { input, statements }
    }

    /// What it was compiled from.
    #[must_use]
    pub fn input(&self) -> &PolicyInput {
        &self.input
    }

    /// Why it cannot be read, when it cannot.
    pub(super) fn unreadable(&self) -> Option<&str> {
        match &self.input.body {
            PolicyBody::Unreadable(why) => Some(why),
            PolicyBody::Valid(_) => None,
        }
    }

    /// The statements with what the compiler added, in document order.
    pub(super) fn statements(
        &self,
    ) -> impl ExactSizeIterator<Item = (&Statement, &CompiledStatement)> {
        let written = match &self.input.body {
            PolicyBody::Valid(policy) => policy.statements(),
            PolicyBody::Unreadable(_) => &[],
        };
        written.iter().zip(&self.statements)
    }

    /// The values of one condition as written, for readers.
    pub(super) fn condition_values(&self, statement: usize, condition: usize) -> Vec<String> {
        let PolicyBody::Valid(policy) = &self.input.body else { return Vec::new() };
        let written = policy.document().statements().get(statement);
        let written = written.and_then(|it| it.conditions.get(condition));
        written.map_or_else(Vec::new, |it| {
            it.values.iter().map(|value| value.value.text().to_owned()).collect()
        })
    }

    /// One statement by its place.
    pub(super) fn statement(&self, index: usize) -> Option<(&Statement, &CompiledStatement)> {
        let PolicyBody::Valid(policy) = &self.input.body else { return None };
        Some((policy.statements().get(index)?, self.statements.get(index)?))
    }
}

impl CompiledStatement {
    fn new(statement: &Statement, catalog: &Catalog) -> Self {
        let mut actions = Bits::default();
        let (mut every_action, mut beyond_catalog) = (false, false);
        let mut set_names: Vec<Box<str>> = Vec::new();
        for pattern in statement.actions() {
            match pattern.form() {
                ActionForm::Set(number) => match catalog.action_set(*number) {
                    Some(members) => set_names.extend(members.iter().map(|it| it.as_str().into())),
                    // rule A-08
                    None => every_action |= statement.effect() == Effect::Deny,
                },
                ActionForm::Any => {
                    add_all(&mut actions, catalog);
                    beyond_catalog = true;
                }
                ActionForm::Named { service, name } => {
                    beyond_catalog |= add_named(&mut actions, catalog, service.as_deref(), name);
                }
            }
        }
        if every_action {
            add_all(&mut actions, catalog);
        }
        for member in &set_names {
            let id = member.split_once(':').and_then(|(s, name)| catalog.action_id(s, name));
            id.into_iter().for_each(|id| actions.insert(id.index()));
        }
        beyond_catalog |= every_action || !set_names.is_empty();
        let actions = Arc::new(actions);
        Self { actions, beyond_catalog, every_action, set_names: set_names.into() }
    }

    /// Whether the statement's actions match (rules ). `id` is the action's number in
    /// the catalog of the compilation.
    pub(super) fn matches_action(
        &self,
        statement: &Statement,
        action: ActionRef<'_>,
        id: Option<ActionId>,
    ) -> bool {
        if let Some(id) = id {
            return self.actions.contains(id.index());
        }
        let (service, name) = (action.service(), action.name());
        self.every_action
            || statement.actions().iter().any(|pattern| pattern.matches(service, name))
            || self.set_names.iter().any(|member| member.split_once(':') == Some((service, name)))
    }
}

fn add_all(actions: &mut Bits, catalog: &Catalog) {
    (0..catalog.len()).for_each(|id| actions.insert(id));
}

/// Adds the catalogued actions that a pattern matches; whether it can match others.
fn add_named(actions: &mut Bits, catalog: &Catalog, service: Option<&str>, name: &Glob) -> bool {
    let candidates = service.map_or(catalog.all_actions(), |it| catalog.actions_of(it));
    if let (Some(service), Some(literal)) = (service, name.as_literal()) {
        let id = catalog.action_id(service, literal);
        id.into_iter().for_each(|id| actions.insert(id.index()));
        return id.is_none();
    }
    for action in candidates.iter().filter(|action| name.matches(&action.name)) {
        actions.insert(action.id.index());
    }
    true
}
