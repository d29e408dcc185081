//! A world and a request made of the fuzzer's bytes: the compiled engine answers as the reference
//! reading does, and as its own explanation says (docs/rules.md).
#![no_main]

use std::sync::Arc;

use camgate::engine::{AccountSnapshot, Decision, NoTrace, decide, explain, reference};
use libfuzzer_sys::fuzz_target;

#[allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "shared with the property tests, which use all of it"
)]
#[path = "../../tests/prop/generate/mod.rs"]
mod generate;

use generate::Dice;

fuzz_target!(|bytes: &[u8]| {
    let mut dice = Dice::from_bytes(bytes);
    let world = Arc::new(generate::world(&mut dice));
    let account = generate::account(&mut dice);
    let snapshot = AccountSnapshot::build(account.input.clone(), &world, None);
    for _ in 0..4 {
        let request = generate::request(&mut dice, world.catalog());
        let fast = decide(&snapshot, &request, &mut NoTrace);
        let plain = reference::decide(&account.input, &world, &request);
        assert_eq!(essence(&fast), essence(&plain), "{:#?}\n{request:#?}", account.input);
        assert_eq!(fast, explain(&snapshot, &request).decision);
    }
});

/// What both readings must agree on: everything but notes and the wording of errors.
fn essence(decision: &Decision) -> impl PartialEq + std::fmt::Debug {
    let errors: Vec<_> = decision
        .errors
        .iter()
        .map(|it| (it.layer, it.policy_id, it.version, it.statement, it.condition))
        .collect();
    let Decision { outcome, reason, determining, filter, .. } = decision.clone();
    (outcome, reason, determining, errors, filter)
}
