//! Random worlds and requests that hit each other often: shared by the properties, the soak run and
//! the fuzz target `decide`.
//!
//! Everything comes out of a [`Dice`], so a world is a function of its seed or its bytes, and what
//! fails can be made again. Values come from small pools, or nothing would ever match.

mod condition;
mod dice;
mod policy;
mod request;
mod world;

pub use condition::context;
pub use dice::Dice;
pub use policy::{Text, statement};
pub use request::request;
pub use world::{Account, account, input, world};
