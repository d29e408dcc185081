//! A decider that asks a camgate, and remembers its answers.
//!
//! An answer is remembered with the account's epoch from before it was asked for. Whatever the
//! account's watch tells makes a new epoch, so an answer that was under way when something changed
//! is never used, and a question after it asks for at least the revision that the watch told. While
//! the watch is silent for longer than the bound, nothing that is remembered is used.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tracing::{debug, warn};

use super::connect::{Credentials, connect};
use super::question::{Answer, AskError, Decider, Fact, Question};
use crate::engine::Filter;
use crate::node::{BoundedCache, Clock, SystemClock, Tokens};
use crate::service::bearer::Link;
use crate::service::proto;
use crate::service::proto::authorization_service_client::AuthorizationServiceClient;
use crate::service::proto::watch_response::Event;
use crate::service::proto::watch_service_client::WatchServiceClient;

/// Pause before a broken watch is opened again.
const WATCH_RETRY: Duration = Duration::from_millis(200);
/// Most accounts that are followed; questions of others are not remembered.
const ACCOUNTS_MAX: usize = 10_000;
/// Longest answer of a watch, in bytes.
const WATCH_BYTES_MAX: usize = 72 * 1024 * 1024;

/// How a remote decider behaves.
#[derive(Debug, Clone)]
pub struct RemoteSettings {
    /// Where camgate is: `http://127.0.0.1:7401`.
    pub server: String,
    /// What this service shows to it.
    pub credentials: Credentials,
    /// Longest wait for an answer.
    pub deadline_ms: u64,
    /// Longest time that an answer is remembered, and that a silent watch is believed.
    pub staleness_max_ms: i64,
    /// Most answers that are remembered; 0: none.
    pub entries_max: u64,
}

impl Default for RemoteSettings {
    fn default() -> Self {
        Self {
            server: "http://127.0.0.1:7401".to_owned(),
            credentials: Credentials::default(),
            deadline_ms: 1_000,
            staleness_max_ms: 5_000,
            entries_max: 100_000,
        }
    }
}

/// One account's watch.
#[derive(Debug)]
struct Followed {
    /// Counts what the watch told; 0 while there is none.
    epoch: AtomicU64,
    /// When the watch last told anything.
    seen_ms: AtomicI64,
    /// The revision that it told last.
    revision: Mutex<String>,
}

#[derive(Debug, Clone)]
struct Remembered {
    answer: Answer,
    epoch: u64,
    at_ms: i64,
}

/// A decider that asks a camgate.
#[derive(Debug)]
pub struct Remote {
    settings: RemoteSettings,
    link: Link,
    cache: BoundedCache<Question, Remembered>,
    followed: Mutex<HashMap<u64, Arc<Followed>>>,
    clock: Arc<dyn Clock>,
}

impl Remote {
    /// A decider; connects on first use. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`AskError::Question`] for a server that is no URL.
    pub fn new(settings: RemoteSettings) -> Result<Arc<Self>, AskError> {
        Self::with_clock(settings, Arc::new(SystemClock))
    }

    /// As [`Remote::new`], with a clock of the caller's.
    ///
    /// # Errors
    /// As [`Remote::new`].
    pub fn with_clock(
        settings: RemoteSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, AskError> {
        let link = connect(&settings.server, &settings.credentials)?;
        let cache = BoundedCache::new(settings.entries_max);
        let followed = Mutex::new(HashMap::new());
        Ok(Arc::new(Self { settings, link, cache, followed, clock }))
    }

    /// The token of the last revision that the account's watch told; empty before the first.
    #[must_use]
    pub fn watched_revision(&self, owner_uin: u64) -> String {
        let followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        followed.get(&owner_uin).map(|it| it.revision()).unwrap_or_default()
    }

    fn now_ms(&self) -> i64 {
        self.clock.now().as_millisecond()
    }

    /// The account's watch, begun on first use; none when too many are followed.
    fn follow(&self, owner_uin: u64) -> Option<Arc<Followed>> {
        let mut all = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(followed) = all.get(&owner_uin) {
            return Some(Arc::clone(followed));
        }
        if all.len() >= ACCOUNTS_MAX {
            return None;
        }
        let followed = Arc::new(Followed {
            epoch: AtomicU64::new(0),
            seen_ms: AtomicI64::new(i64::MIN),
            revision: Mutex::default(),
        });
        all.insert(owner_uin, Arc::clone(&followed));
        let (link, clock) = (self.link.clone(), Arc::clone(&self.clock));
        tokio::spawn(watch(link, owner_uin, Arc::downgrade(&followed), clock));
        Some(followed)
    }

    fn remembered(
        &self,
        question: &Question,
        followed: &Followed,
        at_least: Option<&str>,
    ) -> Option<Answer> {
        let found = self.cache.get(question)?;
        let (now, limit) = (self.now_ms(), self.settings.staleness_max_ms);
        let watch_age = now.saturating_sub(followed.seen_ms.load(Ordering::Acquire));
        let age = now.saturating_sub(found.at_ms);
        let is_current = found.epoch != 0 && found.epoch == followed.epoch.load(Ordering::Acquire);
        let is_young = (0..=limit).contains(&watch_age) && (0..=limit).contains(&age);
        let is_new_enough = at_least.is_none_or(|token| is_at(&found.answer.revision, token));
        (is_current && is_young && is_new_enough).then_some(Answer {
            age_ms: watch_age,
            is_cached: true,
            ..found.answer
        })
    }

    async fn fetch(&self, question: &Question, at_least: String) -> Result<Answer, AskError> {
        let deadline_ms = self.settings.deadline_ms;
        let mut client = AuthorizationServiceClient::new(self.link.clone());
        let asked = client.check(request(question, at_least));
        let response = tokio::time::timeout(Duration::from_millis(deadline_ms), asked).await;
        let response = response.map_err(|_| AskError::Deadline { deadline_ms })?;
        let response = response.map_err(|status| {
            if status.code() == tonic::Code::InvalidArgument {
                return AskError::Question(status.message().to_owned());
            }
            AskError::Unavailable(format!("{:?}: {}", status.code(), status.message()))
        })?;
        let decision = response.into_inner().decision;
        decision.map(answer).ok_or_else(|| AskError::Unavailable("no decision".to_owned()))
    }
}

impl Followed {
    fn revision(&self) -> String {
        self.revision.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Something may have changed: nothing that is remembered counts any more.
    fn invalidate(&self, revision: String, now_ms: i64) {
        *self.revision.lock().unwrap_or_else(PoisonError::into_inner) = revision;
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.seen_ms.store(now_ms, Ordering::Release);
    }

    /// Nothing tells of changes any more.
    fn lost(&self) {
        self.seen_ms.store(i64::MIN, Ordering::Release);
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }
}

impl Decider for Remote {
    async fn ask(&self, question: &Question, at_least: Option<&str>) -> Result<Answer, AskError> {
        let followed = match self.settings.entries_max {
            0 => None,
            _ => self.follow(question.owner_uin),
        };
        let Some(followed) = followed else {
            return self.fetch(question, at_least.unwrap_or_default().to_owned()).await;
        };
        if let Some(answer) = self.remembered(question, &followed, at_least) {
            return Ok(answer);
        }
        // Read before asking: what the watch tells meanwhile makes the answer one of the past.
        let epoch = followed.epoch.load(Ordering::Acquire);
        let answer = self.fetch(question, later(&followed.revision(), at_least)).await?;
        // What may be old already is not kept to grow older.
        if answer.age_ms == 0 {
            let (entry, at_ms) = (answer.clone(), self.now_ms());
            self.cache.insert(question.clone(), Remembered { answer: entry, epoch, at_ms });
        }
        Ok(answer)
    }
}

/// Follows an account until nobody holds its state any more.
async fn watch(link: Link, owner_uin: u64, state: Weak<Followed>, clock: Arc<dyn Clock>) {
    let now = move || clock.now().as_millisecond();
    while state.strong_count() > 0 {
        let mut client =
            WatchServiceClient::new(link.clone()).max_decoding_message_size(WATCH_BYTES_MAX);
        let request = proto::WatchRequest { owner_uin, after: String::new() };
        match client.watch(request).await {
            Ok(events) => {
                let mut events = events.into_inner();
                loop {
                    let event = events.message().await;
                    let Some(followed) = state.upgrade() else { return };
                    match event.map(|event| event.and_then(|event| event.event)) {
                        Ok(Some(Event::Bookmark(_))) => {
                            followed.seen_ms.store(now(), Ordering::Release);
                        }
                        Ok(Some(Event::Snapshot(it))) => followed.invalidate(it.revision, now()),
                        Ok(Some(Event::Delta(it))) => followed.invalidate(it.revision, now()),
                        Ok(Some(Event::Presets(it))) => followed.invalidate(it.revision, now()),
                        Ok(None) => break,
                        Err(status) => {
                            debug!(owner_uin, code = ?status.code(), "the watch ended");
                            break;
                        }
                    }
                }
            }
            Err(status) => warn!(owner_uin, code = ?status.code(), "there is no watch"),
        }
        match state.upgrade() {
            Some(followed) => followed.lost(),
            None => return,
        }
        tokio::time::sleep(WATCH_RETRY).await;
    }
}

/// Whether a revision is not older than another one of the same store.
pub(super) fn is_at(revision: &str, at_least: &str) -> bool {
    let read = |tokens: Tokens| Some((tokens.read(revision).ok()?, tokens.read(at_least).ok()?));
    Tokens::like(at_least).and_then(read).is_some_and(|(held, wanted)| held >= wanted)
}

/// The later of two tokens; the caller's own when they cannot be compared.
fn later(watched: &str, at_least: Option<&str>) -> String {
    match at_least {
        Some(token) if is_at(watched, token) => watched.to_owned(),
        Some(token) => token.to_owned(),
        None => watched.to_owned(),
    }
}

fn request(question: &Question, at_least: String) -> proto::CheckRequest {
    use proto::context_value::Value;
    let value = |fact: &Fact| proto::ContextValue {
        value: Some(match fact {
            Fact::Text(text) => Value::Text(text.clone()),
            Fact::Number(number) => Value::Integer(*number),
            Fact::Flag(flag) => Value::Boolean(*flag),
        }),
    };
    let values =
        |facts: &Vec<Fact>| proto::ContextValues { values: facts.iter().map(value).collect() };
    let Question { owner_uin, uin, action, resource, context, accepts_filter } = question;
    proto::CheckRequest {
        principal: Some(proto::Principal {
            id: Some(proto::principal::Id::Uin(*uin)),
            owner_uin: *owner_uin,
        }),
        action: action.clone(),
        resource: resource.clone(),
        context: context.iter().map(|(key, facts)| (key.clone(), values(facts))).collect(),
        consistency: Some(proto::Consistency { at_least }),
        accepts_filter: *accepts_filter,
    }
}

fn answer(decision: proto::Decision) -> Answer {
    let outcome = decision.outcome();
    let word =
        |text: &str, prefix: &str| text.strip_prefix(prefix).unwrap_or(text).to_ascii_lowercase();
    let mut reason = word(decision.reason().as_str_name(), "REASON_");
    if decision.layer() != proto::Layer::Unspecified {
        reason = format!("{reason}:{}", word(decision.layer().as_str_name(), "LAYER_"));
    }
    let proto::Decision { filter, revision, decision_id, stale_ms, .. } = decision;
    Answer {
        is_allowed: outcome == proto::Outcome::Allow,
        reason,
        revision,
        decision_id,
        filter: filter.map(|it| Filter { all: it.all, resources: it.resources }),
        age_ms: i64::try_from(stale_ms).unwrap_or(i64::MAX),
        is_cached: false,
    }
}
