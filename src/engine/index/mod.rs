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

use std::hash::BuildHasher;

use foldhash::HashMap;
use foldhash::fast::RandomState;
use hashbrown::HashTable;

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

/// A statement as the index keeps it: all that a decision says of it but the policy's name. Packed,
/// so that a [`Spot`] has room for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(C, packed(4))]
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
    /// An action has those cells whose bits are set in its mask. `Index::cells` has first the masks
    /// of `actions` actions from this number on, then, from `cells` on, the cells.
    Several { masks: u32, cells: u32, first_action: u32, actions: u32 },
    /// Some masks of a [`Cell::Several`], near its cells so that they come along from memory.
    Masks([u16; MASKS]),
    /// Each action has a cell of its own, in `Rare::each` under this number.
    Each(u32),
    /// Items of which only the place is right; everything is to be tested.
    Untested { start: u32, length: u32 },
}

/// As many masks as a cell has room for.
const MASKS: usize = 11;

/// What is left to do with a statement that the index has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An allow without conditions: it matches.
    Allow,
    /// A deny without conditions: it matches.
    Deny,
    /// Its action and resource match; its conditions are to be tested.
    Conditional,
    /// Only its resource is known to match; everything is to be tested.
    Untested,
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
    /// The row's cell tells.
    AsCell,
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
                // Compared as what they are kept as, all of them at once.
                let id = u16::try_from(id.index()).unwrap_or(NO_ACTION);
                id != NO_ACTION && few.iter().fold(false, |found, one| found | (*one == id))
            }
            Self::Many(bits) => bits.contains(id.index()),
            Self::AsCell => true,
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

/// What stands under one app, in one line of the processor's cache: the table of a set is far from
/// the processor when many sets are asked, so finding an app must bring what it has along.
#[derive(Debug)]
#[repr(align(64))]
struct Spot {
    sdkappid: u64,
    first: Row,
    /// The others.
    more: Rows,
}

const _: () = assert!(size_of::<Spot>() == 64, "a spot is one line");

/// Spots by their app.
#[derive(Debug, Default)]
struct Apps {
    spots: HashTable<Spot>,
    hasher: RandomState,
}

impl Apps {
    fn insert(&mut self, spot: Spot) {
        let hasher = &self.hasher;
        let hash = |spot: &Spot| hasher.hash_one(spot.sdkappid);
        self.spots.insert_unique(hash(&spot), spot, hash);
    }

    #[inline]
    fn get(&self, sdkappid: u64) -> Option<&Spot> {
        self.spots.find(self.hasher.hash_one(sdkappid), |spot| spot.sdkappid == sdkappid)
    }

    fn shrink_to_fit(&mut self) {
        let Self { spots, hasher } = self;
        spots.shrink_to_fit(|spot| hasher.hash_one(spot.sdkappid));
    }
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
    apps: Apps,
    rows: Box<[Row]>,
    shapes: Box<[Shape]>,
    items: Box<[Item]>,
    /// Those of every [`Cell::Several`].
    cells: Box<[Cell]>,
    /// The bare `*` (rule R-03).
    star: Rows,
    /// Last segments that begin with anything.
    any: Rows,
    rare: Option<Box<Rare>>,
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

    /// Tells what matches a question's resource and action, list by list, none of them empty. A
    /// statement with several resources may come more than once.
    #[inline]
    pub(super) fn find<'a>(
        &'a self,
        question: &Question<'_>,
        mut hit: impl FnMut(Kind, &'a [Item]),
    ) {
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
    fn find<'a>(&'a self, question: &Question<'_>, hit: &mut impl FnMut(Kind, &'a [Item])) {
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
        let app = if self.apps.spots.is_empty() { None } else { sdkappid(segment) };
        if let Some(spot) = app.and_then(|id| self.apps.get(id)) {
            self.look_at(&spot.first, Some(name), question, hit);
            if !spot.more.is_empty() {
                self.look(spot.more, Some(name), question, hit);
            }
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
        hit: &mut impl FnMut(Kind, &'a [Item]),
    ) {
        for row in self.rows.get(at(rows.start)..at(rows.end)).unwrap_or_default() {
            self.look_at(row, name, question, hit);
        }
    }

    /// Tells what a row has.
    #[inline]
    fn look_at<'a>(
        &'a self,
        row: &'a Row,
        name: Option<&ResourceRef<'_>>,
        question: &Question<'_>,
        hit: &mut impl FnMut(Kind, &'a [Item]),
    ) {
        if !self.is_about(row, name, question) {
            return;
        }
        // The usual thing first.
        if let Cell::One(item, kind) = &row.cell {
            hit(*kind, std::slice::from_ref(item));
        } else {
            self.tell(&row.cell, question.action_id, hit);
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

    /// Tells what a row's cell has for an action.
    #[inline]
    fn tell<'a>(
        &'a self,
        cell: &'a Cell,
        id: Option<ActionId>,
        hit: &mut impl FnMut(Kind, &'a [Item]),
    ) {
        match cell {
            Cell::Several { masks, cells, first_action, actions } => {
                let place = id.and_then(|id| id.index().checked_sub(at(*first_action)));
                let place = place.filter(|place| *place < at(*actions));
                let mut mask = place.map_or(0, |place| self.mask(at(*masks), place));
                while mask != 0 {
                    let cell = self.cells.get(at(*cells) + mask.trailing_zeros() as usize);
                    cell.into_iter().for_each(|cell| self.tell_list(cell, hit));
                    mask &= mask - 1;
                }
            }
            Cell::Each(number) => {
                let each = self.rare.as_ref().and_then(|rare| rare.each.get(at(*number)));
                let cell = each.zip(id).and_then(|(each, id)| {
                    each.cells.get(at(*each.number_of_action.get(id.index())?))
                });
                cell.into_iter().for_each(|cell| self.tell_list(cell, hit));
            }
            Cell::One(..) | Cell::List { .. } | Cell::Untested { .. } | Cell::Masks(_) => {
                self.tell_list(cell, hit);
            }
        }
    }

    /// The mask of an action in the masks that begin at `start`.
    #[inline]
    fn mask(&self, start: usize, place: usize) -> u16 {
        match self.cells.get(start + place / MASKS) {
            Some(Cell::Masks(masks)) => masks.get(place % MASKS).copied().unwrap_or_default(),
            Some(Cell::One(..) | Cell::List { .. } | Cell::Several { .. })
            | Some(Cell::Each(_) | Cell::Untested { .. })
            | None => 0,
        }
    }

    /// Tells what a cell that is no cell of cells has.
    #[inline]
    fn tell_list<'a>(&'a self, cell: &'a Cell, hit: &mut impl FnMut(Kind, &'a [Item])) {
        let mut list = |kind, start, length| {
            if length != 0 {
                hit(kind, self.items(start, length));
            }
        };
        match cell {
            Cell::One(item, kind) => hit(*kind, std::slice::from_ref(item)),
            Cell::List { start, allows, denies, conditional } => {
                let denies_at = start.saturating_add(*allows);
                list(Kind::Allow, *start, *allows);
                list(Kind::Deny, denies_at, *denies);
                list(Kind::Conditional, denies_at.saturating_add(*denies), *conditional);
            }
            Cell::Untested { start, length } => list(Kind::Untested, *start, *length),
            Cell::Several { .. } | Cell::Masks(_) | Cell::Each(_) => {}
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
