//! Bytes become a world, an account and a request; the compiled path and the reference reading must
//! agree in outcome, reason, determining statements, filter and the places of errors.
#![no_main]

#[allow(dead_code, unused_imports, reason = "shared with tests/prop, which uses more of it")]
#[path = "../../tests/prop/generate/mod.rs"]
mod generate;

use std::sync::Arc;

use camgate::engine::{AccountSnapshot, Decision, NoTrace, decide, explain, reference};
use generate::{Dice, account, request, world};
use libfuzzer_sys::fuzz_target;

fn errors(decision: &Decision) -> Vec<(u64, Option<usize>, Option<usize>)> {
    decision.errors.iter().map(|it| (it.policy_id, it.statement, it.condition)).collect()
}

fuzz_target!(|bytes: &[u8]| {
    let mut dice = Dice::from_bytes(bytes);
    let (world, account) = (Arc::new(world(&mut dice)), account(&mut dice));
    let snapshot = AccountSnapshot::build(account.input.clone(), &world, None);
    let request = request(&mut dice, world.catalog());
    let fast = decide(&snapshot, &request, &mut NoTrace);
    let plain = reference::decide(&account.input, &world, &request);
    assert_eq!(fast.reason, plain.reason);
    assert_eq!(fast.determining, plain.determining);
    assert_eq!(fast.filter, plain.filter);
    assert_eq!(errors(&fast), errors(&plain));
    assert_eq!(explain(&snapshot, &request).decision, fast);
});
