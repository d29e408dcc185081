//! The server as a process: what it says when it cannot start, and how it ends.

mod ending;
mod starting;
