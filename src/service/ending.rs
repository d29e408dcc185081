//! How the ports end: first nothing new is taken, then what is under way is waited for, then not.
//!
//! One phase for both ports, which only goes forward. It must never end what is under way before it
//! is told to.

use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;
use tracing::warn;

/// How far the end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    Draining,
    Over,
}

/// Tells the ports.
#[derive(Debug)]
pub(super) struct Ending(watch::Sender<Phase>);

/// What a port waits for.
#[derive(Debug, Clone)]
pub(super) struct Until(watch::Receiver<Phase>);

impl Ending {
    pub(super) fn new() -> (Self, Until) {
        let (sender, receiver) = watch::channel(Phase::Serving);
        (Self(sender), Until(receiver))
    }

    /// Nothing new is taken from now on.
    pub(super) fn begin(&self) {
        self.enter(Phase::Draining);
    }

    /// Waits until `stop` is done or the end has begun, then until `drain` is over or `hurry` is
    /// done. What is under way then is waited for no longer.
    pub(super) async fn lead(
        &self,
        stop: impl Future<Output = ()>,
        drain: Duration,
        hurry: impl Future<Output = ()>,
    ) {
        tokio::select! {
            () = stop => self.begin(),
            () = Until(self.0.subscribe()).draining() => {}
        }
        let is_late = tokio::time::timeout(drain, hurry).await.is_err();
        let why = if is_late { "the time for it is over" } else { "told to end once more" };
        warn!(drain_ms = drain.as_millis(), "requests under way are cut off: {why}");
        self.enter(Phase::Over);
    }

    fn enter(&self, phase: Phase) {
        self.0.send_if_modified(|now| {
            let is_later = phase > *now;
            *now = phase.max(*now);
            is_later
        });
    }
}

impl Until {
    /// Done when nothing new is to be taken.
    pub(super) async fn draining(mut self) {
        self.reach(Phase::Draining).await;
    }

    /// Done when nothing is to be waited for.
    pub(super) async fn over(mut self) {
        self.reach(Phase::Over).await;
    }

    async fn reach(&mut self, phase: Phase) {
        // An error means that the sender is gone, which is the end too.
        let _ = self.0.wait_for(|now| *now >= phase).await;
    }
}
