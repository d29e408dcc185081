//! Folding: from a set's statements to its index.
//!
//! Every statement goes under the last segment of each of its resources, and what has come under
//! one of them is put together by action. Costs time in the size of the set, once.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

use super::{ANY, Actions, Cell, Each, Entry, Index, Item, Kind, MASKS, Rare, Row, Rows, Spot, at};
use crate::engine::bits::Bits;
use crate::engine::compile::CompiledPolicy;
use crate::engine::shape::Shape;
use crate::lang::document::Effect;
use crate::lang::pattern::Pattern;
use crate::lang::resource::{ResourcePattern, sdkappid};

/// Most lists of actions that are tested one by one in one place.
const ONE_BY_ONE_MAX: usize = 3;
/// Most lists of actions in one place that have a bit each in a mask; with more, every action gets
/// a cell of its own there.
const MASKED_MAX: usize = u16::BITS as usize;

/// Where a resource is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place<'p> {
    Star,
    App(u64),
    Text(&'p str),
    Prefix(&'p str),
}

/// What must match besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rest {
    shape: u16,
    tail: u16,
    /// Whether nothing else is known, so that the whole statement is to be tested.
    is_untested: bool,
}

/// Things under numbers, each once.
struct Numbered<T> {
    numbers: HashMap<T, u16>,
    items: Vec<T>,
}

struct Builder<'p> {
    entries: Vec<(Item, Entry<'p>)>,
    action_count: usize,
    /// Whether only actions outside the catalog are looked up, which no list can be made for.
    is_beyond: bool,
    shapes: Numbered<Shape>,
    tails: Numbered<Pattern>,
    rows: Vec<Row>,
    items: Vec<Item>,
    cells: Vec<Cell>,
    each: Vec<Each>,
}

impl<T: Clone + Eq + std::hash::Hash> Numbered<T> {
    fn new() -> Self {
        Self { numbers: HashMap::new(), items: Vec::new() }
    }

    /// The thing's number, below [`ANY`]; none when there are too many.
    fn number(&mut self, item: T) -> Option<u16> {
        if let Some(number) = self.numbers.get(&item) {
            return Some(*number);
        }
        let next = u16::try_from(self.items.len()).ok().filter(|next| *next < ANY)?;
        self.items.push(item.clone());
        self.numbers.insert(item, next);
        Some(next)
    }
}

/// A place in memory as a stored number. An account's statements are far fewer than 2^32: quotas
/// and the length of policies bound them, so the last number is never reached.
fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// The index of the statements of these policies.
pub(super) fn index(policies: &[Arc<CompiledPolicy>], action_count: usize) -> Index {
    let entries = entries(policies);
    let beyond: Vec<_> =
        entries.iter().filter(|(_, entry)| entry.compiled.beyond_catalog).copied().collect();
    let mut index = Builder::new(entries, action_count, false).index();
    if !beyond.is_empty() {
        let beyond = Builder::new(beyond, action_count, true).index();
        index.rare.get_or_insert_default().beyond_catalog = Some(Box::new(beyond));
    }
    index
}

/// The statements, in order of policy and place.
fn entries(policies: &[Arc<CompiledPolicy>]) -> Vec<(Item, Entry<'_>)> {
    let mut entries = Vec::new();
    for (place, policy) in policies.iter().enumerate() {
        let (policy_id, version) = (policy.input().id, policy.input().version);
        for (index, (statement, compiled)) in policy.statements().enumerate() {
            let (policy_place, statement_place) = (number(place), number(index));
            let item =
                Item { policy_id, version, policy: policy_place, statement: statement_place };
            entries.push((item, Entry { policy, index, statement, compiled }));
        }
    }
    entries
}

impl<'p> Builder<'p> {
    fn new(entries: Vec<(Item, Entry<'p>)>, action_count: usize, is_beyond: bool) -> Self {
        Self {
            entries,
            action_count,
            is_beyond,
            shapes: Numbered::new(),
            tails: Numbered::new(),
            rows: Vec::new(),
            items: Vec::new(),
            cells: Vec::new(),
            each: Vec::new(),
        }
    }

    fn index(mut self) -> Index {
        let (mut index, mut rare) = (Index::default(), Rare::default());
        self.entries.iter().for_each(|(_, it)| index.actions.extend(&it.compiled.actions));
        for (place, rests) in self.places() {
            let mut rows = self.rows(rests).into_iter();
            match place {
                Place::Star => index.star = self.put_rows(rows),
                Place::Prefix("") => index.any = self.put_rows(rows),
                Place::App(sdkappid) => {
                    let Some(first) = rows.next() else { continue };
                    index.apps.insert(Spot { sdkappid, first, more: self.put_rows(rows) });
                }
                Place::Text(text) => {
                    rare.texts.insert(text.into(), self.put_rows(rows));
                }
                Place::Prefix(text) => {
                    rare.prefixes.insert(text.into(), self.put_rows(rows));
                }
            }
        }
        let mut lengths: Vec<usize> = rare.prefixes.keys().map(|prefix| prefix.len()).collect();
        lengths.sort_unstable();
        lengths.dedup();
        rare.prefix_lengths = lengths.into();
        rare.tails = self.tails.items.into();
        rare.each = self.each.into();
        let is_common = rare.texts.is_empty()
            && rare.prefixes.is_empty()
            && rare.tails.is_empty()
            && rare.each.is_empty();
        index.rare = (!is_common).then(|| Box::new(rare));
        index.apps.shrink_to_fit();
        index.shapes = self.shapes.items.into();
        index.rows = self.rows.into();
        index.items = self.items.into();
        index.cells = self.cells.into();
        index
    }

    /// The statements by place, and in it by what must match besides; each list ascends.
    fn places(&mut self) -> BTreeMap<Place<'p>, BTreeMap<Rest, Vec<u32>>> {
        let mut found: BTreeMap<Place<'p>, BTreeMap<Rest, Vec<u32>>> = BTreeMap::new();
        let entries: Vec<Entry<'p>> = self.entries.iter().map(|(_, entry)| *entry).collect();
        for (at, entry) in entries.into_iter().enumerate() {
            for pattern in entry.statement.resources() {
                let (place, rest) = self.place(pattern);
                let numbers = found.entry(place).or_default().entry(rest).or_default();
                if numbers.last() != Some(&number(at)) {
                    numbers.push(number(at));
                }
            }
        }
        found
    }

    fn place(&mut self, pattern: &'p ResourcePattern) -> (Place<'p>, Rest) {
        let is_untested = self.is_beyond;
        let Some(segments) = pattern.segments() else {
            return (Place::Star, Rest { shape: ANY, tail: ANY, is_untested });
        };
        let everywhere = Rest { shape: ANY, tail: ANY, is_untested: true };
        let Some(shape) = self.shapes.number(Shape::new(segments)) else {
            return (Place::Prefix(""), everywhere);
        };
        let fixed = segments.resource.as_fixed();
        if let Some(text) = fixed.and_then(|glob| glob.as_literal()) {
            let place = sdkappid(text).map_or(Place::Text(text), Place::App);
            return (place, Rest { shape, tail: ANY, is_untested });
        }
        let prefix = Place::Prefix(segments.resource.prefix());
        if fixed.is_some_and(|glob| glob.is_prefix()) {
            return (prefix, Rest { shape, tail: ANY, is_untested });
        }
        match self.tails.number(segments.resource.clone()) {
            Some(tail) => (prefix, Rest { shape, tail, is_untested }),
            None => (Place::Prefix(""), everywhere),
        }
    }

    /// Puts rows at the end of all; where they are.
    fn put_rows(&mut self, rows: impl Iterator<Item = Row>) -> Rows {
        let start = number(self.rows.len());
        self.rows.extend(rows);
        Rows { start, end: number(self.rows.len()) }
    }

    /// The rows of one place.
    fn rows(&mut self, rests: BTreeMap<Rest, Vec<u32>>) -> Vec<Row> {
        let mut rows = Vec::new();
        for (Rest { shape, tail, is_untested }, numbers) in rests {
            let mut by_actions = self.by_actions(&numbers);
            if is_untested {
                let start = number(self.items.len());
                let length = self.put(&numbers, |_| true);
                let actions = Actions::new(&all_of(&by_actions));
                rows.push(Row { actions, shape, tail, cell: Cell::Untested { start, length } });
            } else if by_actions.len() > ONE_BY_ONE_MAX {
                let cell = match by_actions.len() > MASKED_MAX {
                    true => self.each(&numbers),
                    false => self.several(&by_actions),
                };
                rows.push(Row { actions: Actions::AsCell, shape, tail, cell });
            } else {
                for (actions, numbers) in by_actions.drain(..) {
                    let cell = self.cell(&numbers);
                    rows.push(Row { actions: Actions::new(&actions), shape, tail, cell });
                }
            }
        }
        rows
    }

    /// The statements by their actions.
    fn by_actions(&self, numbers: &[u32]) -> Vec<(Arc<Bits>, Vec<u32>)> {
        let mut by_actions: Vec<(Arc<Bits>, Vec<u32>)> = Vec::new();
        let mut known: HashMap<&Bits, usize> = HashMap::new();
        for number in numbers {
            let Some((_, entry)) = self.entries.get(at(*number)) else { continue };
            let next = by_actions.len();
            let place = *known.entry(&*entry.compiled.actions).or_insert(next);
            match by_actions.get_mut(place) {
                Some((_, same)) => same.push(*number),
                None => by_actions.push((Arc::clone(&entry.compiled.actions), vec![*number])),
            }
        }
        by_actions
    }

    /// A cell for each list of actions, and a mask of them for each action.
    fn several(&mut self, by_actions: &[(Arc<Bits>, Vec<u32>)]) -> Cell {
        let all = all_of(by_actions);
        let first = all.iter().next().unwrap_or_default();
        let actions = all.iter().last().map_or(0, |last| last + 1 - first);
        let mut masks = vec![0; actions];
        for (bit, (of, _)) in by_actions.iter().enumerate() {
            let places = of.iter().filter_map(|action| action.checked_sub(first));
            for place in places {
                masks.get_mut(place).into_iter().for_each(|mask| *mask |= 1 << bit);
            }
        }
        let cells: Vec<Cell> = by_actions.iter().map(|(_, it)| self.cell(it)).collect();
        let start = number(self.cells.len());
        self.cells.extend(masks.chunks(MASKS).map(|some| {
            let mut masks = [0; MASKS];
            masks.iter_mut().zip(some).for_each(|(to, from)| *to = *from);
            Cell::Masks(masks)
        }));
        let cell = Cell::Several {
            masks: start,
            cells: number(self.cells.len()),
            first_action: number(first),
            actions: number(actions),
        };
        self.cells.extend(cells);
        cell
    }

    fn each(&mut self, numbers: &[u32]) -> Cell {
        let mut of_action: Vec<Vec<u32>> = vec![Vec::new(); self.action_count];
        for number in numbers {
            let Some((_, entry)) = self.entries.get(at(*number)) else { continue };
            for action in entry.compiled.actions.iter() {
                of_action.get_mut(action).into_iter().for_each(|it| it.push(*number));
            }
        }
        let mut cells: Vec<Cell> = Vec::new();
        let mut known: HashMap<Vec<u32>, u32> = HashMap::new();
        let mut number_of_action = Vec::with_capacity(self.action_count);
        for numbers in of_action {
            let cell = match known.get(&numbers) {
                Some(cell) => *cell,
                None => {
                    let next = number(cells.len());
                    cells.push(self.cell(&numbers));
                    known.insert(numbers, next);
                    next
                }
            };
            number_of_action.push(cell);
        }
        let cell = Cell::Each(number(self.each.len()));
        self.each.push(Each { number_of_action: number_of_action.into(), cells: cells.into() });
        cell
    }

    /// One statement, or allows, denies and conditional statements, put one after another.
    fn cell(&mut self, numbers: &[u32]) -> Cell {
        if let [only] = numbers
            && let Some((item, entry)) = self.entries.get(at(*only))
        {
            return Cell::One(*item, kind(entry));
        }
        let start = number(self.items.len());
        let [allows, denies, conditional] = [Kind::Allow, Kind::Deny, Kind::Conditional]
            .map(|wanted| self.put(numbers, |entry| kind(entry) == wanted));
        Cell::List { start, allows, denies, conditional }
    }

    /// Puts those that are wanted at the end of the items; how many they are.
    fn put(&mut self, numbers: &[u32], is_wanted: impl Fn(&Entry<'_>) -> bool) -> u32 {
        let before = self.items.len();
        let found = numbers.iter().filter_map(|number| self.entries.get(at(*number)));
        self.items.extend(found.filter(|(_, entry)| is_wanted(entry)).map(|(item, _)| *item));
        number(self.items.len().saturating_sub(before))
    }
}

/// The actions of all these statements.
fn all_of(by_actions: &[(Arc<Bits>, Vec<u32>)]) -> Arc<Bits> {
    let mut all = Bits::default();
    by_actions.iter().for_each(|(actions, _)| all.extend(actions));
    Arc::new(all)
}

fn kind(entry: &Entry<'_>) -> Kind {
    match (entry.statement.conditions(), entry.statement.effect()) {
        ([], Effect::Allow) => Kind::Allow,
        ([], Effect::Deny) => Kind::Deny,
        ([_, ..], Effect::Allow | Effect::Deny) => Kind::Conditional,
    }
}
