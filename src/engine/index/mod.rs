//! The statements of a set of policies, folded for looking up.
//!
//! A statement stands under the last segment of each of its resources: an app, a fixed text, the
//! text before the first star, or the bare `*`. What stands under one of them is folded by action
//! into ready lists: allows and denies without conditions, which need no more than being found, and
//! statements with conditions, which are tested last. So a look-up costs the same however many
//! statements there are. It must never leave a matching statement out nor let another in; only
//! actions outside the catalog are left to be tested.
//!
//! A set is folded when it is first asked; until then it is a list of policies.

mod build;

use std::sync::{Arc, OnceLock};

use foldhash::HashMap;

use super::bits::Bits;
use super::compile::{CompiledPolicy, CompiledStatement};
use super::evaluate::Question;
use super::facts::Target;
use super::shape::Shape;
use crate::catalog::ActionId;
use crate::lang::pattern::Pattern;
use crate::lang::resource::{ResourceRef, sdkappid};
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
    /// The policies that cannot be read (rule D-05).
    unreadable: Box<[Arc<CompiledPolicy>]>,
    /// How many actions the catalog has.
    action_count: usize,
    index: OnceLock<Index>,
}

/// A statement as the index keeps it: all that a decision says of it but the policy's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Item {
    /// The policy's id.
    pub(super) policy_id: u64,
    /// The policy's version.
    pub(super) version: u32,
    /// The policy's place in the set.
    pub(super) policy: u32,
    /// The statement's place in the policy.
    pub(super) statement: u32,
}

/// What a row has for its actions.
#[derive(Debug, Clone, Copy)]
enum Cell {
    /// One statement, in place: the usual thing.
    One(Item, Kind),
    /// Items that stand in `Index::items` one after another: allows, denies, and statements with
    /// conditions.
    List { start: u32, allows: u32, denies: u32, conditional: u32 },
    /// Each action has a cell of its own, in `Rare::each` under this number.
    Each(u32),
    /// Items of which only the place is right; everything is to be tested.
    Untested { start: u32, length: u32 },
}

/// What is left to do with a statement whose action and resource match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Allow,
    Deny,
    Conditional,
}

/// Statements under one last segment that share the other segments too.
#[derive(Debug)]
struct Row {
    /// The catalogued actions of its statements.
    actions: Actions,
    /// Which shape must match; [`ANY`]: every one does.
    shape: u16,
    /// Which pattern the whole last segment must match, where its beginning does not say
    /// everything; [`ANY`]: none.
    tail: u16,
    cell: Cell,
}

/// Catalogued actions, by id: a few in place, where looking costs no way to elsewhere in memory.
#[derive(Debug)]
enum Actions {
    /// The places that are left over hold [`NO_ACTION`].
    Few([u16; FEW]),
    Many(Arc<Bits>),
}

/// Most actions that are kept in place; with these a row is as small as with a pointer.
const FEW: usize = 7;
/// No catalog has so many actions.
const NO_ACTION: u16 = u16::MAX;

impl Actions {
    fn new(bits: &Arc<Bits>) -> Self {
        let mut few = [NO_ACTION; FEW];
        let mut places = few.iter_mut();
        for number in bits.iter() {
            let number = u16::try_from(number).ok().filter(|number| *number != NO_ACTION);
            let (Some(place), Some(number)) = (places.next(), number) else {
                return Self::Many(Arc::clone(bits));
            };
            *place = number;
        }
        Self::Few(few)
    }

    #[inline]
    fn contains(&self, id: ActionId) -> bool {
        match self {
            Self::Few(few) => {
                few.iter().fold(false, |is_there, one| is_there | (usize::from(*one) == id.index()))
            }
            Self::Many(bits) => bits.contains(id.index()),
        }
    }
}

/// No shape or tail: nothing that must match.
const ANY: u16 = u16::MAX;

/// The rows under one last segment: where they begin and end in `Index::rows`.
#[derive(Debug, Clone, Copy, Default)]
struct Rows {
    start: u32,
    end: u32,
}

/// A cell for each action, by id.
#[derive(Debug)]
struct Each {
    number_of_action: Box<[u32]>,
    cells: Box<[Cell]>,
}

/// What few sets have, behind one pointer so that the others stay small.
#[derive(Debug, Default)]
struct Rare {
    /// By a fixed last segment that is no app.
    texts: HashMap<Box<str>, Rows>,
    /// By the text before the first star or variable.
    prefixes: HashMap<Box<str>, Rows>,
    /// The lengths of the prefixes, in bytes, ascending.
    prefix_lengths: Box<[usize]>,
    /// Whole last segments that their beginning does not say.
    tails: Box<[Pattern]>,
    each: Box<[Each]>,
    /// The index of the statements that can match actions outside the catalog.
    beyond_catalog: Option<Box<Index>>,
}

#[derive(Debug, Default)]
struct Index {
    /// The catalogued actions of all statements.
    actions: Bits,
    /// By SdkAppId.
    apps: HashMap<u64, Rows>,
    rows: Box<[Row]>,
    shapes: Box<[Shape]>,
    items: Box<[Item]>,
    /// The bare `*` (rule R-03).
    star: Rows,
    /// Last segments that begin with anything.
    any: Rows,
    rare: Option<Box<Rare>>,
}

/// What a row has for an action: statements that match but for their conditions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit<'a> {
    /// Allows without conditions: they match.
    pub(super) allows: &'a [Item],
    /// Denies without conditions: they match.
    pub(super) denies: &'a [Item],
    /// Statements whose conditions are to be tested.
    pub(super) conditional: &'a [Item],
    /// Statements of which only the resource is known to match.
    pub(super) untested: &'a [Item],
}

impl Hit<'_> {
    const NOTHING: Self = Self { allows: &[], denies: &[], conditional: &[], untested: &[] };
}

impl Rows {
    fn is_empty(self) -> bool {
        self.start == self.end
    }
}

impl PolicySet {
    /// The set of these policies, ascending by id; `action_count` is the catalog's.
    pub(super) fn new(policies: Vec<Arc<CompiledPolicy>>, action_count: usize) -> Self {
        let unreadable = policies.iter().filter(|it| it.unreadable().is_some()).cloned().collect();
        Self { policies: policies.into(), unreadable, action_count, index: OnceLock::new() }
    }

    /// Whether it is made of the same policies.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.policies.iter().map(|it| it.input()).eq(other.policies.iter().map(|it| it.input()))
    }

    /// The policies, ascending by id.
    pub(super) fn policies(&self) -> &[Arc<CompiledPolicy>] {
        &self.policies
    }

    /// The policies that cannot be read, ascending by id.
    pub(super) fn unreadable(&self) -> &[Arc<CompiledPolicy>] {
        &self.unreadable
    }

    /// All statements, in order of policy and place.
    pub(super) fn all(&self) -> impl Iterator<Item = Entry<'_>> {
        self.policies.iter().flat_map(|policy| {
            policy.statements().enumerate().map(move |(index, (statement, compiled))| Entry {
                policy,
                index,
                statement,
                compiled,
            })
        })
    }

    /// Tells what matches a question's resource and action, row by row. A statement with several
    /// resources may come more than once.
    #[inline]
    pub(super) fn find<'a>(&'a self, question: &Question<'_>, mut hit: impl FnMut(Hit<'a>)) {
        let index = self.index();
        match question.action_id {
            Some(_) => index.find(question, &mut hit),
            None => {
                let rare = index.rare.as_ref();
                let beyond = rare.and_then(|rare| rare.beyond_catalog.as_ref());
                beyond.into_iter().for_each(|index| index.find(question, &mut hit));
            }
        }
    }

    /// A statement that the index has found.
    pub(super) fn entry(&self, item: &Item) -> Option<Entry<'_>> {
        let (policy, index) = (self.policies.get(at(item.policy))?, at(item.statement));
        let (statement, compiled) = policy.statement(index)?;
        Some(Entry { policy, index, statement, compiled })
    }

    /// The policy of a statement that the index has found.
    pub(super) fn policy(&self, item: &Item) -> Option<&Arc<CompiledPolicy>> {
        self.policies.get(at(item.policy))
    }

    /// Folds the set on first use. Two threads may do so at once; neither waits for the other.
    fn index(&self) -> &Index {
        match self.index.get() {
            Some(index) => index,
            None => self.fold(),
        }
    }

    #[cold]
    fn fold(&self) -> &Index {
        let index = build::index(&self.policies, self.action_count);
        self.index.get_or_init(|| index)
    }
}

impl Index {
    #[inline]
    fn find<'a>(&'a self, question: &Question<'_>, hit: &mut impl FnMut(Hit<'a>)) {
        if question.action_id.is_some_and(|id| !self.actions.contains(id.index())) {
            return;
        }
        let name = match question.target {
            Target::Star => None,
            Target::Name(name) => Some(name),
        };
        if !self.star.is_empty() {
            self.look(self.star, name, question, hit);
        }
        let Some(name) = name else { return };
        let segment = name.resource();
        let app = if self.apps.is_empty() { None } else { sdkappid(segment) };
        if let Some(rows) = app.and_then(|id| self.apps.get(&id)) {
            self.look(*rows, Some(name), question, hit);
        }
        if !self.any.is_empty() {
            self.look(self.any, Some(name), question, hit);
        }
        let Some(rare) = &self.rare else { return };
        if app.is_none()
            && let Some(rows) = rare.texts.get(segment)
        {
            self.look(*rows, Some(name), question, hit);
        }
        for length in &rare.prefix_lengths {
            if let Some(rows) = segment.get(..*length).and_then(|it| rare.prefixes.get(it)) {
                self.look(*rows, Some(name), question, hit);
            }
        }
    }

    /// Tells what some rows have.
    fn look<'a>(
        &'a self,
        rows: Rows,
        name: Option<&ResourceRef<'_>>,
        question: &Question<'_>,
        hit: &mut impl FnMut(Hit<'a>),
    ) {
        for row in self.rows.get(at(rows.start)..at(rows.end)).unwrap_or_default() {
            if self.is_about(row, name, question) {
                hit(self.hit(&row.cell, question.action_id));
            }
        }
    }

    /// Whether action, shape and tail of a row match.
    #[inline]
    fn is_about(&self, row: &Row, name: Option<&ResourceRef<'_>>, question: &Question<'_>) -> bool {
        if question.action_id.is_some_and(|id| !row.actions.contains(id)) {
            return false;
        }
        let Some(name) = name else { return true };
        let shape_matches = row.shape == ANY
            || self
                .shapes
                .get(usize::from(row.shape))
                .is_some_and(|shape| shape.matches(name, &question.variables.owner));
        shape_matches && (row.tail == ANY || self.tail_matches(row.tail, name, question))
    }

    fn tail_matches(&self, tail: u16, name: &ResourceRef<'_>, question: &Question<'_>) -> bool {
        let tail = self.rare.as_ref().and_then(|rare| rare.tails.get(usize::from(tail)));
        tail.is_some_and(|tail| tail.matches(name.resource(), question.variables))
    }

    /// What a cell has for an action.
    #[inline]
    fn hit<'a>(&'a self, cell: &'a Cell, id: Option<ActionId>) -> Hit<'a> {
        let Cell::Each(number) = cell else { return self.listed(cell) };
        let each = self.rare.as_ref().and_then(|rare| rare.each.get(at(*number)));
        let cell =
            each.and_then(|each| each.cells.get(at(*each.number_of_action.get(id?.index())?)));
        cell.map_or(Hit::NOTHING, |cell| self.listed(cell))
    }

    /// What a cell lists.
    #[inline]
    fn listed<'a>(&'a self, cell: &'a Cell) -> Hit<'a> {
        match cell {
            Cell::One(item, kind) => {
                let item = std::slice::from_ref(item);
                match kind {
                    Kind::Allow => Hit { allows: item, ..Hit::NOTHING },
                    Kind::Deny => Hit { denies: item, ..Hit::NOTHING },
                    Kind::Conditional => Hit { conditional: item, ..Hit::NOTHING },
                }
            }
            Cell::List { start, allows, denies, conditional } => {
                let denies_at = start.saturating_add(*allows);
                Hit {
                    allows: self.items(*start, *allows),
                    denies: self.items(denies_at, *denies),
                    conditional: self.items(denies_at.saturating_add(*denies), *conditional),
                    untested: &[],
                }
            }
            Cell::Untested { start, length } => {
                Hit { untested: self.items(*start, *length), ..Hit::NOTHING }
            }
            // The cells of a cell are lists.
            Cell::Each(_) => Hit::NOTHING,
        }
    }

    #[inline]
    fn items(&self, start: u32, length: u32) -> &[Item] {
        self.items.get(at(start)..at(start.saturating_add(length))).unwrap_or_default()
    }
}

/// A stored number as a place in memory.
#[inline]
fn at(number: u32) -> usize {
    number as usize
}
