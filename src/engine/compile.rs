//! From a checked policy to one that is quick to decide with.
//!
//! A statement's action patterns are resolved against the catalog once: which catalogued actions
//! match, and whether an action outside the catalog may. Action sets get their members here,
//! because only the catalog has them (rule A-08). Resources and conditions stay as they are.

use super::bits::Bits;
use super::input::{PolicyBody, PolicyInput};
use crate::catalog::{ActionId, Catalog};
use crate::lang::action::{ActionForm, ActionName, ActionPattern};
use crate::lang::document::Effect;
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
    pub(super) actions: Bits,
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
    pub(super) fn statements(&self) -> impl Iterator<Item = (&Statement, &CompiledStatement)> {
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
        let mut compiled = Self {
            actions: Bits::default(),
            beyond_catalog: false,
            every_action: false,
            set_names: Box::default(),
        };
        let mut set_names: Vec<Box<str>> = Vec::new();
        for pattern in statement.actions() {
            match pattern.form() {
                ActionForm::Set(number) => match catalog.action_set(*number) {
                    Some(members) => set_names.extend(members.iter().map(|it| it.as_str().into())),
                    // rule A-08
                    None if statement.effect() == Effect::Deny => compiled.every_action = true,
                    None => {}
                },
                ActionForm::Any | ActionForm::Named { .. } => compiled.add(pattern, catalog),
            }
        }
        for action in catalog.all_actions() {
            let member =
                |name: &str| name.split_once(':') == Some((&*action.service, &*action.name));
            if compiled.every_action || set_names.iter().any(|name| member(name)) {
                compiled.actions.insert(action.id.index());
            }
        }
        compiled.beyond_catalog |= compiled.every_action || !set_names.is_empty();
        compiled.set_names = set_names.into();
        compiled
    }

    fn add(&mut self, pattern: &ActionPattern, catalog: &Catalog) {
        for action in catalog.all_actions() {
            if pattern.matches(&action.service, &action.name) {
                self.actions.insert(action.id.index());
            }
        }
        self.beyond_catalog |= match pattern.form() {
            ActionForm::Any | ActionForm::Named { service: None, .. } | ActionForm::Set(_) => true,
            ActionForm::Named { service: Some(service), name } => {
                name.as_literal().is_none_or(|name| catalog.action_id(service, name).is_none())
            }
        };
    }

    /// Whether the statement's actions match (rules ). `id` is the action's number in
    /// the catalog of the compilation.
    pub(super) fn matches_action(
        &self,
        statement: &Statement,
        action: &ActionName,
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
