//! What a service asks, what it is told, and why it may not be told anything.

use std::collections::BTreeMap;
use std::future::Future;

use crate::engine::Filter;

/// A fact that conditions test.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fact {
    /// A text; also an address or an instant.
    Text(String),
    /// A whole number.
    Number(i64),
    /// A boolean.
    Flag(bool),
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// The account in which the principal acts.
    pub owner_uin: u64,
    /// Who asks: the root or a sub-account.
    pub uin: u64,
    /// What they want to do: `service:Name`.
    pub action: String,
    /// On what: six segments, `*`, or nothing for a list.
    pub resource: String,
    /// The facts.
    pub context: BTreeMap<String, Vec<Fact>>,
    /// Whether the service applies the filters of lists.
    pub accepts_filter: bool,
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether the request may go on.
    pub is_allowed: bool,
    /// Why, such as `allow` or `explicit_deny:identity`.
    pub reason: String,
    /// Token of the revision that it was made at.
    pub revision: String,
    /// For logs; empty for a decision that was made in process.
    pub decision_id: String,
    /// What a list must be cut down to.
    pub filter: Option<Filter>,
    /// How long ago the server last said that nothing had changed, in milliseconds; 0 for an answer
    /// that the server has just given.
    pub age_ms: i64,
    /// Whether it was remembered.
    pub is_cached: bool,
}

/// Why there is no answer; the request must not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The question itself.
    #[error("the question is refused: {0}")]
    Question(String),
    /// The server did not answer.
    #[error("camgate did not answer: {0}")]
    Unavailable(String),
    /// Not in time.
    #[error("camgate did not answer within {deadline_ms} ms")]
    Deadline {
        /// The limit.
        deadline_ms: u64,
    },
    /// There is no snapshot yet.
    #[error("there is no snapshot of account {owner_uin} yet: is the server there?")]
    NoSnapshot {
        /// The account.
        owner_uin: u64,
    },
    /// The snapshot is too old to allow anything.
    #[error("the snapshot is {age_ms} ms old; at most {age_max_ms} are accepted")]
    TooOld {
        /// Its age; negative when the clock went back.
        age_ms: i64,
        /// The limit.
        age_max_ms: i64,
    },
    /// The snapshot is not yet at the revision asked for.
    #[error("the snapshot is not yet at the revision asked for: try again")]
    NotYet,
    /// The server has another catalog or other presets.
    #[error("the server decides with another catalog or other presets: use its version here")]
    OtherWorld,
    /// A snapshot of another account.
    #[error("this client holds account {held}, not {asked}")]
    OtherAccount {
        /// The account of the client.
        held: u64,
        /// The account of the question.
        asked: u64,
    },
    /// An app that the account has not registered.
    #[error("the app {sdkappid} is not registered in account {owner_uin}")]
    NotRegistered {
        /// The app.
        sdkappid: u64,
        /// The account.
        owner_uin: u64,
    },
}

/// Who decides.
pub trait Decider: Send + Sync + 'static {
    /// Answers a question, from a state not older than the revision of the token `at_least`.
    ///
    /// # Errors
    /// [`AskError`]; never an allow.
    fn ask(
        &self,
        question: &Question,
        at_least: Option<&str>,
    ) -> impl Future<Output = Result<Answer, AskError>> + Send;
}
