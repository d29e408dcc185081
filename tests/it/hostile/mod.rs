//! Hostile documents: each is refused with a clear finding, quickly, and leaves nothing behind.

mod inputs;
#[cfg(feature = "server")]
mod server;

use std::time::{Duration, Instant};

use camgate::catalog::Catalog;
use camgate::lang::diagnostic::Severity;
use camgate::lang::document::DocumentKind;
use camgate::lang::limits::{EXCERPT_CHARS_MAX, FINDINGS_MAX};
use camgate::lang::valid::Scope;
use camgate::lang::variable::Owner;

/// Far above what any of them takes unoptimised, far below what a quadratic reading would take.
const TIME_MAX: Duration = Duration::from_secs(2);

fn scope() -> Scope<'static> {
    Scope {
        vocabulary: Catalog::builtin(),
        owner: Some(Owner { uin: 12_345_678, app_id: 1_250_000_001 }),
        kind: DocumentKind::Identity,
    }
}

#[test]
fn there_are_sixty() {
    let all = inputs::all();
    assert!(all.len() >= 60, "{}", all.len());
    let names: std::collections::BTreeSet<&str> = all.iter().map(|it| it.name).collect();
    assert_eq!(names.len(), all.len(), "two inputs have one name");
}

/// Rules L-01 to L-11.
#[test]
fn each_is_refused_with_a_clear_finding_in_bounded_time() {
    let mut faults = Vec::new();
    for input in inputs::all() {
        let started = Instant::now();
        let checked = camgate::lang::check(&input.bytes, &scope());
        let elapsed = started.elapsed();
        let name = input.name;
        if elapsed > TIME_MAX {
            faults.push(format!("{name}: took {elapsed:?}"));
        }
        if checked.policy.is_some() {
            faults.push(format!("{name}: accepted"));
        }
        let errors: Vec<String> = checked
            .findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .map(ToString::to_string)
            .collect();
        if !errors.iter().any(|text| text.contains(input.says)) {
            faults.push(format!("{name}: nothing says `{}`: {errors:#?}", input.says));
        }
        if checked.findings.len() > FINDINGS_MAX {
            faults.push(format!("{name}: {} findings", checked.findings.len()));
        }
        // A finding quotes an excerpt, never the whole input.
        if let Some(long) = errors.iter().find(|text| text.chars().count() > 8 * EXCERPT_CHARS_MAX)
        {
            faults.push(format!("{name}: a finding of {} characters", long.chars().count()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
