//! The analysis floor.
