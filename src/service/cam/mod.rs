//! The CAM API 3.0 and STS, as the official clients speak them.
//!
//! So far its description, which everything else of it follows. It must never decide anything.

pub mod description;
