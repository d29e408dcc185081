//! The gate (floor 2): from an HTTP request's parts to who calls, what they do, and on what.
//!
//! Pure: values in, values out; no I/O, no clock, no log. What cannot be read in one way only is
//! refused with the reason. It must never decide, and never believe a header that a client could
//! have set. The node proves the caller, finds the owners of apps, and asks the engine.

mod action;
mod context;
pub mod form;
mod http;
mod ids;
mod mapped;
mod params;
mod path;
mod proof;
mod refusal;
mod routes;
mod settings;
#[cfg(test)]
mod tests;

pub use http::{Body, HttpRequest, Named};
pub use mapped::{Mapped, Target, map};
pub use proof::{Proof, SESSION_COOKIE, is_signed};
pub use refusal::{Refusal, RefusalClass};
pub use routes::{RawRoute, Route, RouteFault, RouteTable};
pub use settings::{BODY_BYTES_MAX, GateSettings};
