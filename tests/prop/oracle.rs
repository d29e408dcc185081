//! `decide` and `explain` against the reference reading, on random pairs of world and request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use camgate::engine::{
    AccountSnapshot, Decision, Layer, NoTrace, Reason, Request, StatementResult, World, decide,
    explain, reference,
};
use camgate::lang::condition::Operator;

use crate::generate::{Account, Dice, account, request, world};
use crate::histogram::Histogram;

/// Pairs in the ordinary run; `CAMGATE_PAIRS` asks for another number.
const PAIRS: usize = 20_000;
/// Requests per world, because a world takes longer to make than to ask.
const REQUESTS: usize = 10;

/// Fails when the two readings differ in anything but the wording of errors.
fn assert_same(fast: &Decision, plain: &Decision, what: &dyn Fn() -> String) {
    let errors = |decision: &Decision| -> Vec<_> {
        let identity = decision.errors.iter();
        identity
            .map(|it| (it.layer, it.policy_id, it.version, it.statement, it.condition))
            .collect()
    };
    assert_eq!(fast.outcome, plain.outcome, "{}", what());
    assert_eq!(fast.reason, plain.reason, "{}", what());
    assert_eq!(fast.determining, plain.determining, "{}", what());
    assert_eq!(errors(fast), errors(plain), "{}", what());
    assert_eq!(fast.filter, plain.filter, "{}", what());
}

fn pair(
    account: &Account,
    world: &World,
    snapshot: &AccountSnapshot,
    request: &Request,
) -> Decision {
    let fast = decide(snapshot, request, &mut NoTrace);
    let plain = reference::decide(&account.input, world, request);
    let what = || format!("{:#?}\n{:#?}\n{request:#?}", account.input, account.texts);
    assert_same(&fast, &plain, &what);
    fast
}

#[test]
fn decide_equals_reference() {
    #[expect(clippy::disallowed_methods, reason = "a test's own setting, read nowhere else")]
    let pairs = std::env::var("CAMGATE_PAIRS").map_or(PAIRS, |text| text.parse().unwrap());
    let mut histogram = Histogram::default();
    // Per operator how often each of its conditions was decisive in a request.
    let mut operators: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    let started = Instant::now();
    for seed in 0..u64::try_from(pairs.div_ceil(REQUESTS)).unwrap() {
        let mut dice = Dice::from_seed(seed);
        let (world, account) = (Arc::new(world(&mut dice)), account(&mut dice));
        let snapshot = AccountSnapshot::build(account.input.clone(), &world, None);
        for _ in 0..REQUESTS {
            let request = request(&mut dice, world.catalog());
            let decision = pair(&account, &world, &snapshot, &request);
            histogram.decision(&decision);
            count_grant(&snapshot, &request, &decision, &mut histogram);
            let explanation = explain(&snapshot, &request);
            assert_eq!(explanation.decision, decision);
            histogram.explanation(&explanation);
            count_operators(&account, &explanation, &mut operators);
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    histogram.print();
    println!("{pairs} pairs, {:.0} pairs/s, {} operators", pairs as f64 / seconds, operators.len());
    assert_reached(&histogram, &operators);
}

/// Counts what a grant of the resource's owner changes, and that it changes nothing else.
fn count_grant(
    snapshot: &AccountSnapshot,
    request: &Request,
    decision: &Decision,
    histogram: &mut Histogram,
) {
    let mut parts = request.parts().clone();
    if !std::mem::take(&mut parts.granted_by_owner) {
        return;
    }
    let ungranted = Request::check(parts, snapshot.world().catalog()).unwrap();
    let ungranted = decide(snapshot, &ungranted, &mut NoTrace);
    if ungranted.reason == Reason::ImplicitDeny(Layer::Resource) {
        // rule D-24
        let is_later = matches!(
            decision.reason,
            Reason::Root | Reason::Allow | Reason::ImplicitDeny(Layer::Boundary | Layer::Session)
        );
        assert!(is_later, "{}", decision.reason);
        histogram.count(format!("grant lifts to {}", decision.outcome.as_str()));
    } else {
        assert_eq!(ungranted, *decision, "a grant changed more than rule D-08");
    }
}

/// The way of the fuzz target: a world out of any bytes.
#[test]
fn decide_equals_reference_on_bytes() {
    for length in 0..400 {
        let bytes: Vec<u8> = (0..length)
            .map(|at: usize| u8::try_from((at * at * 31 + length) % 256).unwrap())
            .collect();
        let mut dice = Dice::from_bytes(&bytes);
        let (world, account) = (Arc::new(world(&mut dice)), account(&mut dice));
        let snapshot = AccountSnapshot::build(account.input.clone(), &world, None);
        let request = request(&mut dice, world.catalog());
        pair(&account, &world, &snapshot, &request);
    }
}

/// Counts per operator the statements that hold its conditions by result: matched, failed, errored.
fn count_operators(
    account: &Account,
    explanation: &camgate::engine::Explanation,
    operators: &mut BTreeMap<String, [usize; 3]>,
) {
    for statement in explanation.resources.iter().flat_map(|it| &it.statements) {
        let place = account.input.policies.iter().position(|it| it.id == statement.policy_id);
        let Some(text) = place.and_then(|it| account.texts[it].get(statement.statement)) else {
            continue;
        };
        let column = match &statement.result {
            StatementResult::Matched => 0,
            StatementResult::Failed(camgate::engine::FirstFailure::Condition { .. }) => 1,
            StatementResult::Errored { .. } => 2,
            StatementResult::Failed(_) => continue,
        };
        for condition in &text.conditions {
            operators.entry(condition.operator.clone()).or_default()[column] += 1;
        }
    }
}

fn assert_reached(histogram: &Histogram, operators: &BTreeMap<String, [usize; 3]>) {
    let reasons = [
        "root",
        "allow",
        "unknown_principal",
        "filter_unsupported",
        "error",
        "explicit_deny:general",
        "explicit_deny:identity",
        "explicit_deny:boundary",
        "explicit_deny:session",
        "implicit_deny:identity",
        "implicit_deny:resource",
        "implicit_deny:boundary",
        "implicit_deny:session",
    ];
    for reason in reasons {
        assert!(histogram.get(&format!("reason {reason}")) > 0, "never: {reason}");
    }
    for name in [
        "filter all",
        "filter some",
        "statement matched",
        "statement errored",
        "failed action",
        "failed resource",
        "failed condition",
        "failed missing key",
        "note resource_action_on_star",
        "note operation_action_on_resource",
        "note unknown_action",
        "grant lifts to ALLOW",
        "grant lifts to DENY",
    ] {
        assert!(histogram.get(name) > 0, "never: {name}");
    }
    for layer in [Layer::General, Layer::Identity, Layer::Boundary, Layer::Session] {
        let name = format!("error {} condition", layer.as_str());
        assert!(histogram.get(&name) > 0, "never: {name}");
    }
    for operator in Operator::all() {
        let [matched, failed, _] =
            operators.get(&operator.to_string()).copied().unwrap_or_default();
        assert!(matched > 0 && failed > 0, "`{operator}` matched {matched}, failed {failed}");
    }
}
