//! The service floor.
