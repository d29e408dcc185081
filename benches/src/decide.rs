//! Part 1: a decision in process, beside the lower bound, the reference reading and the peers.

use std::hint::black_box;

use camgate::catalog::Catalog;
use camgate::engine::{
    AccountSnapshot, ActionQuery, DecisionRef, NoTrace, Outcome, PrincipalQuery, Query, Request,
    RequestParts, Resource, ResourceQuery, decide, decide_into, reference,
};
use camgate::lang::action::ActionName;
use camgate::lang::condition::Context;
use camgate::lang::id;
use foldhash::HashMap;
use jiff::Timestamp;

use crate::measure::{ROUNDS, Singles, Spread, nanoseconds, until_enough};
use crate::peers::{CEDAR, IAM_STYLE, PEERS};
use crate::table::{Budget, Table};
use crate::workload::{Question, Rng, Workload, uin};

/// Questions of a batch: their texts stay near, what they ask about does not.
const BATCH: usize = 2_000;
/// Batches of a round.
pub const BATCHES: usize = 25;
/// Policies that sets are drawn from.
const POOL: usize = 4_000;
/// Different sets of policies.
pub const SETS: usize = 100;
/// Sets whose principals ask the peers, and the questions they are asked.
const PEER_SETS: usize = 8;
const PEER_QUESTIONS: usize = 200;

/// From text to the whole decision, of which everything is looked at.
#[inline(never)]
pub fn ours(
    snapshot: &AccountSnapshot,
    context: &Context,
    now: Timestamp,
    asked: &Question,
) -> u64 {
    let catalog = snapshot.world().catalog();
    let query = Query {
        principal: PrincipalQuery::find(id::parse(&asked.uin).expect("a uin"), snapshot),
        action: ActionQuery::parse(&asked.action, catalog).expect("an action"),
        resource: ResourceQuery::parse(&asked.resource).expect("a resource"),
        context,
        now,
        session: &[],
        registered_owner: None,
        granted_by_owner: false,
        accepts_filter: false,
    };
    let checked = query.check(catalog).expect("a request");
    let mut decision = DecisionRef::of_nobody();
    decide_into(snapshot, checked, &mut decision);
    let mut sum = u64::from(decision.outcome() == Outcome::Allow);
    for it in decision.determining() {
        sum += (it.policy_id() + u64::from(it.version()) + it.statement() as u64) << 1;
    }
    sum
}

/// The time that decisions are made at.
pub fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

/// The least that any decision must do: the uin's text to a number, the action's name to a number,
/// the principal in a map of the same size, and one bit.
struct LowerBound {
    actions: HashMap<String, usize>,
    set_of_uin: HashMap<u64, u32>,
    bits: Vec<[u64; 8]>,
}

impl LowerBound {
    fn new(workload: &Workload) -> Self {
        let of = |action: &camgate::catalog::Action| (action.qualified_name(), action.id.index());
        let sets = workload.sets.len();
        Self {
            actions: Catalog::builtin().all_actions().iter().map(of).collect(),
            set_of_uin: (0..workload.principals)
                .map(|at| (uin(at), u32::try_from(at % sets).expect("few sets")))
                .collect(),
            bits: vec![[0x5555_5555_5555_5555; 8]; sets],
        }
    }

    fn ask(&self, asked: &Question) -> bool {
        let uin = id::parse(&asked.uin).expect("a uin");
        let action = self.actions[asked.action.as_str()];
        let set = self.set_of_uin[&uin] as usize;
        self.bits[set][action / 64] & (1 << (action % 64)) != 0
    }
}

/// What a point takes, in nanoseconds, round by round.
#[derive(Default)]
pub struct Point {
    /// On average, one right after the other: the processor begins the next before one is over.
    pub ours: Vec<f64>,
    pub lower: Vec<f64>,
    /// The median of single ones, each over before the clock is read: as a caller waits for it.
    pub single_ours: Vec<f64>,
    pub single_lower: Vec<f64>,
}

/// Times ours and the lower bound in turn, on fresh questions: a batch of both, then one by one.
pub fn point(workload: &Workload, batches: usize) -> Point {
    let (lower, now) = (LowerBound::new(workload), now());
    let mut rng = Rng::new(11);
    let mut point = Point::default();
    let ask = |asked: &Question| ours(&workload.snapshot, &workload.context, now, asked);
    // Every set is folded before the clock runs.
    for _ in 0..20_000 {
        black_box(ask(&workload.question(&mut rng, usize::MAX)));
    }
    let mut batch = || -> Vec<Question> {
        (0..BATCH).map(|_| workload.question(&mut rng, usize::MAX)).collect()
    };
    for _ in 0..ROUNDS {
        let (mut of_ours, mut of_lower) = (0.0, 0.0);
        let (mut single_ours, mut single_lower) = (Singles::default(), Singles::default());
        for at in 0..batches {
            let (together, single) = (batch(), batch());
            let mut time_ours = || {
                of_ours += nanoseconds(BATCH, || {
                    together.iter().for_each(|asked| _ = black_box(ask(asked)));
                });
                single.iter().for_each(|asked| single_ours.time(|| _ = black_box(ask(asked))));
            };
            let mut time_lower = || {
                of_lower += nanoseconds(BATCH, || {
                    together.iter().for_each(|asked| _ = black_box(lower.ask(asked)));
                });
                single
                    .iter()
                    .for_each(|asked| single_lower.time(|| _ = black_box(lower.ask(asked))));
            };
            if at % 2 == 0 {
                time_ours();
                time_lower();
            } else {
                time_lower();
                time_ours();
            }
        }
        point.ours.push(of_ours / batches as f64);
        point.lower.push(of_lower / batches as f64);
        point.single_ours.push(single_ours.median());
        point.single_lower.push(single_lower.median());
    }
    point
}

pub fn request(workload: &Workload, asked: &Question) -> Request {
    let parts = RequestParts {
        principal: asked.uin.parse().expect("a uin"),
        action: ActionName::parse(&asked.action).expect("an action"),
        resource: Resource::parse(&asked.resource).expect("a resource"),
        context: workload.context.clone(),
        now: now(),
        session: Vec::new(),
        registered_owner: None,
        granted_by_owner: false,
        accepts_filter: false,
    };
    Request::check(parts, workload.snapshot.world().catalog()).expect("a request")
}

/// The whole part.
pub fn run(table: &mut Table, is_quick: bool) {
    let sizes: &[usize] = if is_quick { &[100, 10_000] } else { &[100, 10_000, 1_000_000] };
    let batches = if is_quick { 4 } else { BATCHES };
    for has_conditions in [false, true] {
        for size in sizes {
            let mut at_one = Point::default();
            for attached in [1, 10, 50, 200] {
                let workload = Workload::new(*size, attached, SETS, POOL, has_conditions);
                let point = point(&workload, batches);
                let conditions = if has_conditions { ", conditional" } else { "" };
                let what = format!("{size} sub-accounts, {attached} policies each{conditions}");
                let is_largest = *size == 1_000_000 && attached == 200 && !has_conditions;
                let budget = |limit| if is_largest { Budget::AtMost(limit) } else { Budget::None };
                let mut add = |figure, over: &[f64], under: &[f64], budget| {
                    table.add("decide", &what, figure, Spread::ratio(over, under), budget);
                };
                add("ours / lower bound", &point.ours, &point.lower, Budget::None);
                let (ours, lower) = (&point.single_ours, &point.single_lower);
                add("ours / lower bound, single", ours, lower, budget(2.0));
                if attached == 1 {
                    at_one = point;
                } else {
                    add("ours / ours at 1 policy", &point.ours, &at_one.ours, Budget::None);
                    let before = &at_one.single_ours;
                    add("ours / ours at 1 policy, single", ours, before, budget(1.3));
                }
                beside(table, &workload, &what, attached);
            }
        }
    }
    table.remark(format!(
        "decide: principals have {SETS} different sets of policies, drawn from {POOL}. Ours and the \
         lower bound get random principals' questions, never the same text twice; ours and a peer \
         get the same {PEER_QUESTIONS} questions of principals of the first {PEER_SETS} sets, again \
         and again."
    ));
}

/// The reference and the peers at one point.
fn beside(table: &mut Table, workload: &Workload, what: &str, attached: usize) {
    let mut rng = Rng::new(13);
    let questions: Vec<Question> =
        (0..PEER_QUESTIONS).map(|_| workload.question(&mut rng, PEER_SETS)).collect();
    let requests: Vec<Request> = questions.iter().map(|asked| request(workload, asked)).collect();
    let expected: Vec<bool> = requests
        .iter()
        .map(|it| decide(&workload.snapshot, it, &mut NoTrace).outcome == Outcome::Allow)
        .collect();
    assert!(expected.contains(&true) && expected.contains(&false), "questions of both answers");
    let (context, now) = (&workload.context, now());
    let ask = |at: usize| ours(&workload.snapshot, context, now, &questions[at % PEER_QUESTIONS]);
    // Round by round in turn, the same questions again and again.
    let times = |call: &mut dyn FnMut(usize)| {
        let mut ratios = Vec::new();
        for _ in 0..ROUNDS {
            let of_ours = until_enough(|at| _ = black_box(ask(at)));
            ratios.push(until_enough(|at| call(at % PEER_QUESTIONS)) / of_ours);
        }
        Spread::new(ratios)
    };
    let (input, world) = (&workload.input, workload.snapshot.world());
    // The reference walks all principals: it is asked where that has an end.
    if workload.principals <= 10_000 {
        let answer = |at: usize| reference::decide(input, world, &requests[at]).outcome;
        for (at, expected) in expected.iter().enumerate().take(20) {
            assert_eq!(answer(at) == Outcome::Allow, *expected, "reference, question {at}");
        }
        let spread = times(&mut |at| _ = black_box(answer(at)));
        table.add("decide", what, "reference / ours", spread, Budget::None);
    }
    let mut nearest = [f64::INFINITY; 2];
    for peer in &PEERS {
        let mut asked = (peer.prepare)(workload, &questions);
        for (at, expected) in expected.iter().enumerate() {
            assert_eq!(asked(at), *expected, "{}, question {at}", peer.name);
        }
        let spread = times(&mut |at| _ = black_box(asked(at)));
        let is_iam = IAM_STYLE.iter().position(|name| *name == peer.name);
        if let Some(at) = is_iam {
            nearest[at] = spread.median();
        }
        let budget = match (peer.name, attached, workload.has_conditions) {
            (CEDAR, 1, false) => Budget::AtLeast(40.0),
            (CEDAR, 50, false) => Budget::AtLeast(2_000.0),
            _ if is_iam.is_some() && !workload.has_conditions => match attached {
                1 => Budget::AtLeast(3.0),
                50 => Budget::AtLeast(15.0),
                _ => Budget::AtLeast(1.0),
            },
            _ => Budget::AtLeast(1.0),
        };
        let figure = match peer.name {
            CEDAR => "cedar-policy / ours",
            "regorus interpreter" => "regorus interpreter / ours",
            "regorus RVM" => "regorus RVM / ours",
            "casbin" => "casbin / ours",
            "iam-rs" => "iam-rs / ours",
            _ => "rustfs-policy / ours",
        };
        table.add("decide", what, figure, spread, budget);
    }
}
