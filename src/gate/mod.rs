//! The gate (floor 2): from an HTTP request's parts to who calls, what they do, and on what.
//!
//! Pure: values in, values out; no I/O, no clock, no log. What cannot be read in one way only is
//! refused with the reason. It must never decide, and never believe a header that a client could
//! have set. The node proves the caller, finds the owners of apps, and asks the engine.

pub mod form;
