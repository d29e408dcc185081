//! In process (floor 5, feature `layer`): decisions inside a service, and a tower layer that asks
//! for them before the service sees a request.
//!
//! Two deciders: [`Remote`] asks a camgate and remembers answers until the account's watch tells of
//! a change; [`Embedded`] decides by itself from a snapshot that the watch keeps fresh. It must
//! never turn an error, an old snapshot or a broken stream into an allow.

mod connect;
mod embedded;
mod proto;
mod question;
mod remote;
mod tower;

/// The page about this module; its example is compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/layer.md")]
#[derive(Debug)]
pub struct Page;

pub use connect::Credentials;
pub use embedded::{Embedded, EmbeddedSettings};
pub use question::{Answer, AskError, Decider, Fact, Question};
pub use remote::{Remote, RemoteSettings};
pub use tower::{GateLayer, GateService, RefusalBody, Refused};
