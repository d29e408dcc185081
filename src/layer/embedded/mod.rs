//! A decider in process: one account's snapshot, kept fresh by the server's watch.
//!
//! Starts from the last good snapshot on disk when the server is away. How old it is counts from
//! when the server last said that nothing had changed; past the limit nothing is decided. It must
//! never decide with another catalog or other presets than the server's, nor about apps that the
//! account has not registered, of which only the server knows the owner.

mod file;
mod objects;

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::watch as watch_channel;
use tonic::{Code, Status};
use tracing::{debug, error, info, warn};

use super::connect::{Credentials, connect};
use super::proto::KeptSnapshot;
use super::question::{Answer, AskError, Decider, Fact, Question};
use super::remote::is_at;
use crate::catalog::Catalog;
use crate::directory::snapshot_input;
use crate::engine::{
    AccountSnapshot, NoTrace, Outcome, Request, RequestParts, Resource, World, decide,
};
use crate::lang::action::ActionName;
use crate::lang::condition::{Context, ContextValue};
use crate::lang::number::Number;
use crate::node::{Clock, SystemClock};
use crate::service::bearer::Link;
use crate::service::proto;
use crate::service::proto::watch_response::Event;
use crate::service::proto::watch_service_client::WatchServiceClient;
use objects::Objects;

/// Pauses before a broken watch is opened again: the first, and the longest.
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// How often the file is written again while nothing changes, so that it knows its age.
const KEEP_EVERY_MS: i64 = 10_000;
/// Longest answer of a watch, in bytes.
const WATCH_BYTES_MAX: usize = 72 * 1024 * 1024;

/// How an embedded decider behaves.
#[derive(Debug, Clone)]
pub struct EmbeddedSettings {
    /// Where camgate is: `http://127.0.0.1:7401`.
    pub server: String,
    /// What this service shows to it.
    pub credentials: Credentials,
    /// The account.
    pub owner_uin: u64,
    /// Where the last good snapshot is kept; none: nowhere.
    pub file: Option<PathBuf>,
    /// The oldest snapshot that may allow anything.
    pub age_max_ms: i64,
    /// The catalog; must be the server's.
    pub catalog: Arc<Catalog>,
}

impl EmbeddedSettings {
    /// The defaults for an account: the local server, no file, at most a minute old.
    #[must_use]
    pub fn new(owner_uin: u64) -> Self {
        Self {
            server: "http://127.0.0.1:7401".to_owned(),
            credentials: Credentials::default(),
            owner_uin,
            file: None,
            age_max_ms: 60_000,
            catalog: Arc::new(Catalog::builtin().clone()),
        }
    }
}

/// What is decided from.
#[derive(Debug)]
struct Held {
    snapshot: AccountSnapshot,
    /// Moves on while nothing of the account changes.
    revision: ArcSwap<String>,
    /// Whether the server decides with the same catalog and presets.
    is_same_world: bool,
    seen_ms: AtomicI64,
}

/// A decider in process.
#[derive(Debug)]
pub struct Embedded {
    settings: EmbeddedSettings,
    digest: String,
    held: ArcSwapOption<Held>,
    /// Says when `held` is another one.
    changed: watch_channel::Sender<u64>,
    clock: Arc<dyn Clock>,
}

impl Embedded {
    /// Starts from the kept snapshot, if there is a good one, and follows the server. Must be
    /// called within a tokio runtime; the following ends when the decider is dropped.
    ///
    /// # Errors
    /// [`AskError::Question`] for a server that is no URL.
    pub async fn start(settings: EmbeddedSettings) -> Result<Arc<Self>, AskError> {
        Self::start_with(settings, Arc::new(SystemClock)).await
    }

    /// As [`Embedded::start`], with a clock of the caller's.
    ///
    /// # Errors
    /// As [`Embedded::start`].
    pub async fn start_with(
        settings: EmbeddedSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, AskError> {
        let link = connect(&settings.server, &settings.credentials)?;
        let embedded = Arc::new(Self {
            digest: settings.catalog.shipped_digest(),
            settings,
            held: ArcSwapOption::empty(),
            changed: watch_channel::Sender::new(0),
            clock,
        });
        let mut follower = Follower { objects: Objects::default(), kept_ms: i64::MIN };
        if let Some(kept) = embedded.kept().await {
            let KeptSnapshot { revision, seen_at_ms, objects, removed, presets, owner_uin: _ } =
                kept;
            follower.objects = Objects::new(objects, &removed, presets.unwrap_or_default());
            embedded.hold(&follower.objects, revision, seen_at_ms);
            info!(age_ms = embedded.age_ms(), "decisions begin with the kept snapshot");
        }
        tokio::spawn(follower.run(link, Arc::downgrade(&embedded)));
        Ok(embedded)
    }

    /// How long ago the server last said that the snapshot is current; none without a snapshot.
    #[must_use]
    pub fn age_ms(&self) -> Option<i64> {
        let held = self.held.load();
        held.as_ref().map(|held| self.age(held))
    }

    /// The token of the snapshot's revision; none without a snapshot.
    #[must_use]
    pub fn revision(&self) -> Option<String> {
        self.held.load().as_ref().map(|held| held.revision.load().to_string())
    }

    /// Changes whenever there is another snapshot, or the same at a later revision.
    #[must_use]
    pub fn changes(&self) -> watch_channel::Receiver<u64> {
        self.changed.subscribe()
    }

    fn age(&self, held: &Held) -> i64 {
        self.now_ms().saturating_sub(held.seen_ms.load(Ordering::Acquire))
    }

    fn now_ms(&self) -> i64 {
        self.clock.now().as_millisecond()
    }

    /// The kept snapshot, if it is a good one of this account.
    async fn kept(&self) -> Option<KeptSnapshot> {
        let path = self.settings.file.clone()?;
        let read = tokio::task::spawn_blocking(move || file::read(&path)).await.ok()?;
        match read {
            Ok(Some(kept)) if kept.owner_uin == self.settings.owner_uin => Some(kept),
            Ok(Some(kept)) => {
                error!(owner_uin = kept.owner_uin, "the kept snapshot is of another account");
                None
            }
            Ok(None) => None,
            Err(error) => {
                error!(%error, "the kept snapshot is not used");
                None
            }
        }
    }

    /// Decides from these objects from now on.
    fn hold(&self, objects: &Objects, revision: String, seen_ms: i64) {
        let presets = objects.presets();
        let catalog = Arc::clone(&self.settings.catalog);
        let world = World::new(catalog, presets.general_input(), presets.shared_input());
        let held = snapshot_input(&objects.state(), &presets, 0).map(|input| Held {
            snapshot: AccountSnapshot::build(input, &Arc::new(world), None),
            revision: ArcSwap::from_pointee(revision),
            is_same_world: objects.shipped_digest() == self.digest,
            seen_ms: AtomicI64::new(seen_ms),
        });
        if held.as_ref().is_some_and(|held| !held.is_same_world) {
            error!("the server decides with another catalog or other presets: nothing is decided");
        }
        self.held.store(held.map(Arc::new));
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn decide(&self, held: &Held, question: &Question) -> Result<Answer, AskError> {
        let refuse = |error: &dyn std::fmt::Display| AskError::Question(error.to_string());
        let resource = Resource::parse(&question.resource).map_err(|error| refuse(&error))?;
        let owner_uin = self.settings.owner_uin;
        let app = match &resource {
            Resource::Name(name) => name.sdkappid(),
            Resource::Star | Resource::Nothing => None,
        };
        if let Some(sdkappid) = app
            && !held.snapshot.has_app(sdkappid)
        {
            return Err(AskError::NotRegistered { sdkappid, owner_uin });
        }
        let parts = RequestParts {
            principal: question.uin,
            action: ActionName::parse(&question.action).map_err(|error| refuse(&error))?,
            resource,
            context: context(question)?,
            now: self.clock.now(),
            session: Vec::new(),
            registered_owner: app.map(|_| owner_uin),
            granted_by_owner: false,
            accepts_filter: question.accepts_filter,
        };
        let request =
            Request::check(parts, &self.settings.catalog).map_err(|error| refuse(&error))?;
        let decision = decide(&held.snapshot, &request, &mut NoTrace);
        Ok(Answer {
            is_allowed: decision.outcome == Outcome::Allow,
            reason: decision.reason.to_string(),
            revision: held.revision.load().to_string(),
            decision_id: String::new(),
            filter: decision.filter,
            age_ms: self.age(held),
            is_cached: false,
        })
    }
}

fn context(question: &Question) -> Result<Context, AskError> {
    let mut context = Context::new();
    for (key, facts) in &question.context {
        let value = |fact: &Fact| match fact {
            Fact::Text(text) => Some(ContextValue::Text(text.clone())),
            Fact::Number(number) => Number::parse(&number.to_string()).map(ContextValue::Number),
            Fact::Flag(flag) => Some(ContextValue::Bool(*flag)),
        };
        let values: Option<Vec<ContextValue>> = facts.iter().map(value).collect();
        let values = values.ok_or_else(|| AskError::Question(format!("`{key}` is no number")))?;
        let added = context.insert(key, values);
        added.map_err(|fault| AskError::Question(fault.to_string()))?;
    }
    Ok(context)
}

impl Decider for Embedded {
    async fn ask(&self, question: &Question, at_least: Option<&str>) -> Result<Answer, AskError> {
        let owner_uin = self.settings.owner_uin;
        if question.owner_uin != owner_uin {
            return Err(AskError::OtherAccount { held: owner_uin, asked: question.owner_uin });
        }
        let held = self.held.load_full().ok_or(AskError::NoSnapshot { owner_uin })?;
        if !held.is_same_world {
            return Err(AskError::OtherWorld);
        }
        let (age_ms, age_max_ms) = (self.age(&held), self.settings.age_max_ms);
        // A clock that went back proves no youth.
        if !(0..=age_max_ms).contains(&age_ms) {
            return Err(AskError::TooOld { age_ms, age_max_ms });
        }
        if at_least.is_some_and(|token| !is_at(&held.revision.load(), token)) {
            return Err(AskError::NotYet);
        }
        self.decide(&held, question)
    }
}

/// Whether the server cannot go on from the revision that is held.
fn is_another_history(status: &Status) -> bool {
    matches!(status.code(), Code::OutOfRange | Code::InvalidArgument | Code::FailedPrecondition)
}

/// Follows the server's watch.
struct Follower {
    objects: Objects,
    /// When the file was written last.
    kept_ms: i64,
}

impl Follower {
    async fn run(mut self, link: Link, embedded: Weak<Embedded>) {
        let mut pause = RETRY_MIN;
        loop {
            let Some(held) = embedded.upgrade() else { return };
            let after = held.revision().unwrap_or_default();
            let owner_uin = held.settings.owner_uin;
            drop(held);
            let ended = self.follow(link.clone(), owner_uin, after, &embedded, &mut pause).await;
            let Some(held) = embedded.upgrade() else { return };
            match ended {
                Ok(()) => debug!(owner_uin, "the watch ended"),
                // Too far behind, or another store: begin anew. What is held stays until then.
                Err(status) if is_another_history(&status) => {
                    warn!(owner_uin, message = status.message(), "the watch begins anew");
                    self.begin_anew(link.clone(), &held).await;
                }
                Err(status) => debug!(owner_uin, code = ?status.code(), "there is no watch"),
            }
            drop(held);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY_MAX);
        }
    }

    /// One watch, until it ends.
    async fn follow(
        &mut self,
        link: Link,
        owner_uin: u64,
        after: String,
        embedded: &Weak<Embedded>,
        pause: &mut Duration,
    ) -> Result<(), Status> {
        let mut client = WatchServiceClient::new(link).max_decoding_message_size(WATCH_BYTES_MAX);
        let mut events = client.watch(proto::WatchRequest { owner_uin, after }).await?.into_inner();
        while let Some(event) = events.message().await? {
            let Some(embedded) = embedded.upgrade() else { return Ok(()) };
            *pause = RETRY_MIN;
            if let Some(event) = event.event {
                self.take(&embedded, event).await;
            }
        }
        Ok(())
    }

    /// Takes a whole snapshot, without a revision to go on from.
    async fn begin_anew(&mut self, link: Link, embedded: &Arc<Embedded>) {
        let owner_uin = embedded.settings.owner_uin;
        let mut client = WatchServiceClient::new(link).max_decoding_message_size(WATCH_BYTES_MAX);
        let request = proto::WatchRequest { owner_uin, after: String::new() };
        let Ok(events) = client.watch(request).await else { return };
        if let Ok(Some(event)) = events.into_inner().message().await
            && let Some(event) = event.event
        {
            self.take(embedded, event).await;
        }
    }

    async fn take(&mut self, embedded: &Embedded, event: Event) {
        let now_ms = embedded.now_ms();
        let is_change = match event {
            Event::Snapshot(it) => {
                let presets = it.presets.unwrap_or_default();
                self.objects = Objects::new(it.objects, &[], presets);
                embedded.hold(&self.objects, it.revision, now_ms);
                true
            }
            Event::Delta(it) => {
                self.objects.apply(it.put, &it.removed);
                embedded.hold(&self.objects, it.revision, now_ms);
                true
            }
            Event::Presets(it) => {
                // A resumption begins with it, before the account's own changes.
                let revision = it.revision.clone();
                self.objects.set_presets(it);
                embedded.hold(&self.objects, revision, now_ms);
                true
            }
            Event::Bookmark(it) => {
                // The same snapshot at a later revision.
                if let Some(held) = embedded.held.load_full() {
                    held.seen_ms.store(now_ms, Ordering::Release);
                    if is_at(&it.revision, &held.revision.load()) {
                        held.revision.store(Arc::new(it.revision));
                        embedded.changed.send_modify(|count| *count = count.wrapping_add(1));
                    }
                }
                false
            }
        };
        let is_due = now_ms.saturating_sub(self.kept_ms) >= KEEP_EVERY_MS;
        if is_change || is_due {
            self.keep(embedded, now_ms).await;
        }
    }

    /// Writes the file; a failure is logged and costs no decision.
    async fn keep(&mut self, embedded: &Embedded, now_ms: i64) {
        let (Some(path), Some(revision)) = (embedded.settings.file.clone(), embedded.revision())
        else {
            return;
        };
        let (objects, removed, presets) = self.objects.parts();
        let kept = KeptSnapshot {
            owner_uin: embedded.settings.owner_uin,
            revision,
            seen_at_ms: now_ms,
            objects,
            removed,
            presets: Some(presets),
        };
        self.kept_ms = now_ms;
        match tokio::task::spawn_blocking(move || file::write(&path, &kept)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(%error, "the snapshot is not kept"),
            Err(error) => warn!(%error, "the snapshot is not kept"),
        }
    }
}
