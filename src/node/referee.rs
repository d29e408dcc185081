//! The referee: some live decisions are made a second time, by the reference reading of the rules.
//!
//! In the background, from the account's records and not from what was compiled; so a fault of the
//! compiler, of an update or of the engine is noticed where it matters. It must never hold up a
//! decision nor change one: what it has no time for is skipped and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tracing::error;

use super::Node;
use super::presets::Shared;
use super::query::Place;
use super::record::resource_text;
use crate::directory::snapshot_input;
use crate::engine::{
    AccountInput, Decision, DecisionError, Query, Request, RequestParts, Resource, reference,
};
use crate::lang::action::ActionName;
use crate::store::Revision;

/// Decisions that wait for the referee.
const WAITING_MAX: usize = 64;
/// The part of one processor's time that it takes: one of so many.
const BUSY_PART: u32 = 20;

/// What a disagreement does beside being logged and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RefereeMode {
    /// Readiness reports it.
    #[default]
    Report,
    /// The node is not ready until it is started again.
    Strict,
}

/// How decisions are made a second time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RefereeSettings {
    /// Which part of decisions, from 0 to 1.
    pub share: f64,
    /// What a disagreement does.
    pub mode: RefereeMode,
}

impl Default for RefereeSettings {
    fn default() -> Self {
        Self { share: 0.001, mode: RefereeMode::default() }
    }
}

/// What the referee has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RefereeVitals {
    /// Decisions made a second time.
    pub checked: u64,
    /// Decisions for which there was no time.
    pub skipped: u64,
    /// Decisions that the second reading makes otherwise.
    pub disagreements: u64,
}

/// A decision that is to be made again.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) place: Place,
    pub(super) shared: Arc<Shared>,
    pub(super) request: Request,
    pub(super) decision: Decision,
    pub(super) decision_id: String,
}

#[derive(Debug, Default)]
struct Counts {
    checked: AtomicU64,
    skipped: AtomicU64,
    disagreements: AtomicU64,
}

/// Takes decisions for the second reading.
#[derive(Debug)]
pub(super) struct Referee {
    /// A decision is taken when its lot is less.
    lots: u64,
    drawn: AtomicU32,
    cases: SyncSender<Case>,
    counts: Arc<Counts>,
    /// The first disagreement.
    told: watch::Receiver<Option<String>>,
}

impl Referee {
    /// A referee with a thread of its own, which ends with it; none when no decision is taken, or
    /// when there can be no thread, which is logged.
    pub(super) fn start(settings: RefereeSettings) -> Option<Self> {
        let lots = (settings.share.clamp(0.0, 1.0) * f64::from(u32::MAX)).ceil();
        if lots <= 0.0 {
            return None;
        }
        let (cases, taken) = sync_channel(WAITING_MAX);
        let (tell, told) = watch::channel(None);
        let counts = Arc::new(Counts::default());
        let counted = Arc::clone(&counts);
        let thread = std::thread::Builder::new().name("referee".to_owned());
        if let Err(problem) = thread.spawn(move || run(&taken, &counted, &tell)) {
            error!(%problem, "decisions are not made a second time");
            return None;
        }
        // Of a number within 32 bits.
        #[expect(clippy::cast_possible_truncation, reason = "it is at most 2^32, and whole")]
        #[expect(clippy::cast_sign_loss, reason = "it is greater than zero")]
        let lots = lots as u64 + u64::from(settings.share >= 1.0);
        Some(Self { lots, drawn: AtomicU32::new(0), cases, counts, told })
    }

    /// Whether this decision is to be made again. The lots are spread evenly and follow no pattern
    /// that questions might have.
    fn draws(&self) -> bool {
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
        u64::from(drawn.wrapping_mul(0x9E37_79B1)) < self.lots
    }

    fn take(&self, case: Case) {
        match self.cases.try_send(case) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.counts.skipped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn vitals(&self) -> RefereeVitals {
        let Counts { checked, skipped, disagreements } = &*self.counts;
        RefereeVitals {
            checked: checked.load(Ordering::Relaxed),
            skipped: skipped.load(Ordering::Relaxed),
            disagreements: disagreements.load(Ordering::Relaxed),
        }
    }
}

/// An account as it was read for the case before: questions come about the same one.
type Last = Option<(u64, Revision, Arc<Shared>, AccountInput)>;

fn run(cases: &Receiver<Case>, counts: &Counts, tell: &watch::Sender<Option<String>>) {
    let (mut last, mut rest_until): (Last, Instant) = (None, Instant::now());
    for case in cases {
        let began = Instant::now();
        if began < rest_until {
            counts.skipped.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let Some(again) = decide_again(&case, &mut last) else {
            counts.skipped.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        counts.checked.fetch_add(1, Ordering::Relaxed);
        if !is_same(&case.decision, &again) {
            counts.disagreements.fetch_add(1, Ordering::Relaxed);
            let (owner_uin, decision_id) = (case.place.owner_uin, &case.decision_id);
            let (made, reread) = (case.decision.reason.to_string(), again.reason.to_string());
            error!(
                owner_uin,
                decision_id,
                revision = case.place.revision.0,
                made,
                reread,
                "the reference reading decides otherwise: keep the store and the decision log, and \
                 report this"
            );
            let text =
                format!("decision {decision_id} was {made}, and is {reread} when made again");
            tell.send_if_modified(|told| {
                let is_first = told.is_none();
                told.get_or_insert(text);
                is_first
            });
        }
        let worked = began.elapsed();
        rest_until = Instant::now() + worked.saturating_mul(BUSY_PART - 1).min(LONGEST_REST);
    }
}

/// However long one decision took, another is made again after this.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// The decision by the reference reading; none when presets have changed meanwhile.
fn decide_again(case: &Case, last: &mut Last) -> Option<Decision> {
    let Case { place, shared, request, .. } = case;
    let view = &place.view;
    if !Arc::ptr_eq(&shared.world, view.snapshot.world()) {
        return None;
    }
    let is_read = |(owner, at, of, _): &(u64, Revision, Arc<Shared>, AccountInput)| {
        *owner == place.owner_uin && *at == view.last_change && Arc::ptr_eq(of, shared)
    };
    if !last.as_ref().is_some_and(is_read) {
        let input = snapshot_input(&view.state, &shared.presets, view.last_change.0)?;
        *last = Some((place.owner_uin, view.last_change, Arc::clone(shared), input));
    }
    let (_, _, _, input) = last.as_ref()?;
    Some(reference::decide(input, &shared.world, request))
}

/// Whether two decisions say the same. No rule speaks of remarks, so the reference has none.
fn is_same(made: &Decision, again: &Decision) -> bool {
    let Decision { outcome, reason, determining, errors, filter, notes: _ } = made;
    // The words about an error may differ; its place may not.
    let place =
        |it: &DecisionError| (it.layer, it.policy_id, it.version, it.statement, it.condition);
    *outcome == again.outcome
        && *reason == again.reason
        && *determining == again.determining
        && errors.iter().map(place).eq(again.errors.iter().map(place))
        && *filter == again.filter
}

impl Node {
    /// Whether the referee wants to see a decision.
    pub(super) fn referee_draws(&self) -> bool {
        self.referee.as_ref().is_some_and(Referee::draws)
    }

    /// Has a decision made again.
    pub(super) fn make_again(
        &self,
        place: Place,
        query: &Query<'_>,
        decision: Decision,
        decision_id: String,
    ) {
        let Some(referee) = &self.referee else { return };
        let text = resource_text(query.resource);
        let owned = (ActionName::parse(query.action.name().text()), Resource::parse(text));
        let (Ok(action), Ok(resource)) = owned else { return };
        let parts = RequestParts {
            principal: query.principal.uin(),
            action,
            resource,
            context: query.context.clone(),
            now: query.now,
            session: query.session.to_vec(),
            registered_owner: query.registered_owner,
            granted_by_owner: query.granted_by_owner,
            accepts_filter: query.accepts_filter,
        };
        // It was checked before it was decided.
        let Ok(request) = Request::check(parts, &self.catalog) else { return };
        let shared = self.shared();
        referee.take(Case { place, shared, request, decision, decision_id });
    }

    /// What the referee has done; none without one.
    #[must_use]
    pub fn referee(&self) -> Option<RefereeVitals> {
        self.referee.as_ref().map(Referee::vitals)
    }
}

/// Says that the referee disagreed, until the node ends.
pub(super) async fn follow(node: Arc<Node>) {
    let Some(referee) = &node.referee else { return };
    let (mut ended, mut told) = (node.ended.subscribe(), referee.told.clone());
    tokio::select! {
        problem = told.wait_for(Option::is_some) => {
            let problem = problem.ok().and_then(|problem| problem.clone());
            let is_strict = node.settings.referee.mode == RefereeMode::Strict;
            node.health.set_referee_problem(problem, is_strict);
        }
        _ = ended.wait_for(|has_ended| *has_ended) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::catalog::Catalog;
    use crate::directory::folder::Folder;
    use crate::engine::{NoTrace, Outcome, Reason, decide};
    use crate::lang::condition::Context;
    use crate::node::view::build_view;
    use crate::node::{NodeSettings, SystemClock};
    use crate::store::MemoryStore;

    const OWNER: u64 = 12_345_678;

    #[test]
    fn the_share_is_what_is_drawn() {
        for (share, least, most) in [(1.0, 10_000, 10_000), (0.5, 4_990, 5_010), (0.01, 90, 110)] {
            let settings = RefereeSettings { share, mode: RefereeMode::Report };
            let referee = Referee::start(settings).unwrap();
            let drawn = (0..10_000).filter(|_| referee.draws()).count();
            assert!((least..=most).contains(&drawn), "{share}: {drawn}");
        }
        let none = RefereeSettings { share: 0.0, mode: RefereeMode::Report };
        assert!(Referee::start(none).is_none());
    }

    async fn node(mode: RefereeMode) -> Arc<Node> {
        let catalog = Arc::new(Catalog::builtin().clone());
        let referee = RefereeSettings { share: 1.0, mode };
        let settings = NodeSettings { referee, ..NodeSettings::default() };
        let store = Arc::new(MemoryStore::new());
        Node::start(store, catalog, Arc::new(SystemClock), None, settings).await.unwrap()
    }

    /// The decision about the root of an account, which is allowed.
    fn case(node: &Node) -> Case {
        let text = format!(r#"{{"owner_uin": {OWNER}, "app_id": 1}}"#);
        let files = BTreeMap::from([("account.json".to_owned(), text.into_bytes())]);
        let shared = node.shared();
        let folder = Folder::parse(&files).unwrap();
        let state = Arc::new(folder.state(&shared.presets, &**node.catalog()).unwrap());
        let view = build_view(state, Revision(1), Revision(1), &shared, None).unwrap();
        let view = Arc::new(view);
        let parts = RequestParts {
            principal: OWNER,
            action: ActionName::parse("im:DescribeConfInfo").unwrap(),
            resource: Resource::Star,
            context: Context::new(),
            now: node.clock.now(),
            session: Vec::new(),
            registered_owner: None,
            granted_by_owner: false,
            accepts_filter: false,
        };
        let request = Request::check(parts, node.catalog()).unwrap();
        let decision = decide(&view.snapshot, &request, &mut NoTrace);
        assert_eq!(decision.outcome, Outcome::Allow);
        let place = Place {
            owner_uin: OWNER,
            principal: OWNER,
            session: Vec::new(),
            view,
            revision: Revision(1),
            stale_ms: 0,
        };
        Case { place, shared, request, decision, decision_id: "id".to_owned() }
    }

    #[tokio::test]
    async fn a_disagreement_is_counted_and_told_and_ends_the_service_where_that_is_wanted() {
        for (mode, is_ready) in [(RefereeMode::Report, true), (RefereeMode::Strict, false)] {
            let node = node(mode).await;
            let referee = node.referee.as_ref().unwrap();
            let agreed = case(&node);
            let mut wrong = case(&node);
            wrong.decision.outcome = Outcome::Deny;
            wrong.decision.reason = Reason::UnknownPrincipal;
            let (counts, tell) = (Counts::default(), watch::Sender::new(None));
            let (send, taken) = sync_channel(WAITING_MAX);
            send.send(agreed).unwrap();
            drop(send);
            run(&taken, &counts, &tell);
            assert_eq!(counts.checked.load(Ordering::Relaxed), 1);
            assert_eq!(*tell.borrow(), None);
            // The referee of the node, in its thread.
            referee.take(wrong);
            let mut readiness = node.readiness();
            let told = |it: &crate::node::Readiness| {
                it.problems.iter().chain(&it.reports).any(|it| it.contains("is root when made"))
            };
            let found = readiness.wait_for(told).await.unwrap().clone();
            assert_eq!(found.is_ready(), is_ready, "{found:?}");
            assert_eq!(node.referee().unwrap().disagreements, 1);
        }
    }

    #[tokio::test]
    async fn presets_that_changed_meanwhile_are_no_disagreement() {
        let node = node(RefereeMode::Strict).await;
        let mut older = case(&node);
        older.shared = Arc::new(Shared::new(&[], None, node.catalog()));
        older.decision.outcome = Outcome::Deny;
        assert_eq!(decide_again(&older, &mut None), None);
    }
}
