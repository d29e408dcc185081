//! What a policy set means (floor 1): policy tests, their coverage, and differences.
//!
//! Pure: texts and snapshots in, plain values out; no I/O, clock or log. Every answer comes from
//! the engine; nothing here decides. Case files become [`CaseFile`]s, [`run()`] puts them to a
//! snapshot and reports, and [`diff`] tells what a change of policies changes.

pub mod cases;
mod coverage;
pub mod diff;
mod expect;
mod json;
mod run;
mod why;

pub use cases::{Case, CaseFault, CaseFile, PrincipalRef};
pub use coverage::{ConditionCoverage, Coverage, StatementCoverage};
pub use expect::{Answer, Expectation, ExpectedAnswer};
pub use run::{Asked, CaseResult, Names, TestReport, requests, run};
