//! Any bytes as a policy: no panic, findings in bounds and in order, and what is accepted keeps its
//! meaning through the canonical form (rules L-11, L-12).
#![no_main]

use camgate::catalog::Catalog;
use camgate::lang::document::DocumentKind;
use camgate::lang::valid::Scope;
use camgate::lang::variable::Owner;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let scope = Scope {
        vocabulary: Catalog::builtin(),
        owner: Some(Owner { uin: 12_345_678, app_id: 1_250_000_001 }),
        kind: DocumentKind::Identity,
    };
    let checked = camgate::lang::check(bytes, &scope);
    for finding in &checked.findings {
        assert!(finding.span.start <= finding.span.end && finding.span.end <= bytes.len());
        assert!(finding.line >= 1 && finding.column >= 1);
    }
    assert!(checked.findings.windows(2).all(|pair| pair[0].order() <= pair[1].order()));
    let Some(policy) = checked.policy else {
        assert!(!checked.findings.is_empty(), "refused without a finding");
        return;
    };
    assert!(std::str::from_utf8(bytes).is_ok_and(|text| text.contains(policy.source())));
    let canonical = camgate::lang::format(&policy);
    let again = camgate::lang::load(canonical.as_bytes()).expect("the canonical form is a policy");
    assert_eq!(canonical, camgate::lang::format(&again));
    assert_eq!(policy.statements().len(), again.statements().len());
});
