//! What a call leaves behind about itself: where it waited, and the last decision it made.
//!
//! It is for logs, metrics and traces of the call as a whole, and costs a decision no allocation
//! and no look at a clock unless it waits. It must never hold what is asked about: no text of a
//! resource, of an action, of a policy or of a context.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::Node;
use super::meters::Durations;
use crate::engine::Reason;
use crate::store::Revision;

/// What a call may wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// A revision that the caller wants to see.
    Revision,
    /// Records of who is where.
    Index,
    /// An account that is not in memory.
    Account,
    /// The decision log.
    DecisionLog,
    /// The store's word that a commit is durable.
    Commit,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Revision, Self::Index, Self::Account, Self::DecisionLog, Self::Commit];

    /// Its stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Revision => "revision",
            Self::Index => "index",
            Self::Account => "account",
            Self::DecisionLog => "decision_log",
            Self::Commit => "commit",
        }
    }
}

/// How long calls waited, by what they waited for.
#[derive(Debug, Default)]
pub(super) struct Waits {
    stages: [Durations; Stage::ALL.len()],
}

impl Waits {
    /// How long calls waited for this.
    pub(super) fn of(&self, stage: Stage) -> Option<&Durations> {
        self.stages.get(stage as usize)
    }
}

/// A decision, as far as it may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotedDecision {
    id: [u8; 36],
    /// The account it was made in; 0 when nobody knows the principal.
    pub owner_uin: u64,
    /// Why it came out as it did.
    pub reason: Reason,
    /// The revision it was made at.
    pub revision: Revision,
}

impl NotedDecision {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        std::str::from_utf8(&self.id).unwrap_or_default()
    }
}

/// What one call has left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Notes {
    waited: [Duration; Stage::ALL.len()],
    /// How many decisions it made.
    pub decisions: u32,
    /// The last one of them.
    pub last: Option<NotedDecision>,
}

impl Notes {
    /// What it waited for, and for how long; nothing else.
    pub fn waits(&self) -> impl Iterator<Item = (Stage, Duration)> {
        let all = Stage::ALL.into_iter().zip(self.waited);
        all.filter(|(_, waited)| !waited.is_zero())
    }
}

tokio::task_local! {
    static NOTES: Cell<Notes>;
}

/// Does the work of one call and gives what it has left behind.
pub async fn noting<T>(work: impl Future<Output = T>) -> (T, Notes) {
    NOTES
        .scope(Cell::default(), async {
            let value = work.await;
            // It is there: this runs within it.
            (value, NOTES.try_with(Cell::get).unwrap_or_default())
        })
        .await
}

fn change(change: impl FnOnce(&mut Notes)) {
    // Outside of a call nobody wants to know.
    let _ = NOTES.try_with(|cell| {
        let mut notes = cell.get();
        change(&mut notes);
        cell.set(notes);
    });
}

/// Notes a decision.
pub(super) fn note_decision(id: &str, owner_uin: u64, reason: Reason, revision: Revision) {
    let Ok(id) = id.as_bytes().try_into() else { return };
    change(|notes| {
        notes.decisions = notes.decisions.saturating_add(1);
        notes.last = Some(NotedDecision { id, owner_uin, reason, revision });
    });
}

impl Node {
    /// Does work that may have to wait, and notes how long it did. What is done at once costs no
    /// look at a clock.
    pub(super) async fn waited<T>(&self, stage: Stage, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut since = None;
        let value = poll_fn(|context| {
            let polled = work.as_mut().poll(context);
            if polled.is_pending() {
                since.get_or_insert_with(Instant::now);
            }
            match polled {
                Poll::Ready(value) => Poll::Ready(value),
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        if let Some(since) = since {
            let took = since.elapsed();
            if let Some(durations) = self.calls.waits.of(stage) {
                durations.add(took);
            }
            change(|notes| {
                if let Some(waited) = notes.waited.get_mut(stage as usize) {
                    *waited += took;
                }
            });
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_tells_of_its_last_decision() {
        let id = "0193f000-0000-7000-8000-000000000001";
        let ((), notes) = noting(async {
            note_decision("not an id", 1, Reason::Allow, Revision(1));
            note_decision(&id.replace('1', "2"), 1, Reason::Root, Revision(1));
            note_decision(id, 2, Reason::Allow, Revision(7));
        })
        .await;
        let last = notes.last.unwrap();
        assert_eq!((last.id(), last.owner_uin, last.revision), (id, 2, Revision(7)));
        assert_eq!((notes.decisions, notes.waits().count()), (2, 0));
        // Outside nothing is kept.
        note_decision(id, 2, Reason::Allow, Revision(7));
        assert_eq!(noting(async {}).await.1, Notes::default());
    }
}
