//! The decision engine (floor 1): snapshots in, decisions and explanations out.
//!
//! Pure: no I/O, async, clock, randomness or log; time is a field of the request. The flow is
//! `AccountInput` → [`AccountSnapshot`] (compiled, indexed, immutable) → [`decide`] →
//! [`Decision`], with [`explain`] running the same code under a recording trace, and the `search`
//! functions asking `decide` about many candidates. [`mod@reference`] reads the same rules a second
//! time, as plainly as possible, and shares no code with the compiled path; the tests compare both.

mod bits;
mod candidates;
mod compile;
mod decide;
mod decision;
mod decision_ref;
mod evaluate;
mod explain;
mod facts;
mod index;
mod input;
mod list;
pub mod reference;
mod request;
mod search;
mod shape;
mod snapshot;
#[cfg(test)]
mod tests;
mod trace;
mod trust;
mod update;
mod words;
mod world;

pub use candidates::{Candidates, Wanted, candidates};
pub use compile::CompiledPolicy;
pub use decide::{decide, decide_into};
pub use decision::{Decision, DecisionError, Determining, Filter, Layer, Note, Outcome, Reason};
pub use decision_ref::{DecisionRef, DeterminingRef};
pub use explain::{
    Explanation, FirstFailure, ResourceTrace, StatementResult, StatementTrace, explain,
};
pub use input::{
    AccountInput, AppInput, Attachment, PolicyBody, PolicyInput, PrincipalInput, PrincipalKind, Via,
};
pub use request::{
    ActionQuery, Checked, DERIVED_KEYS, PrincipalQuery, Query, Request, RequestFault, RequestParts,
    Resource, ResourceQuery,
};
pub use search::{
    Page, SEARCH_CANDIDATES_MAX, SearchFault, list_actions, list_named, list_principals,
    list_resources,
};
pub use snapshot::AccountSnapshot;
pub use trace::{Asked, NoTrace, Trace, Visit};
pub use trust::{CallerKind, TrustCaller, TrustReason, TrustRequest, TrustVerdict, trusts};
pub use update::AccountChange;
pub use words::summary;
pub use world::World;
