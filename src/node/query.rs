//! Questions and answers: who asks, in which account, and explanations; `decide` has the decisions.
//!
//! A query resolves who asks, takes one view of the account, adds the server's facts and lets the
//! engine decide. It must never decide by itself, with one exception: who is nobody here is denied
//! (rule D-12), because there is no account to ask.

use std::sync::Arc;

use smallvec::SmallVec;

use super::Node;
use super::asking::{Asking, Unsettled};
use super::clock::new_decision_id;
use super::error::NodeError;
use super::notes::Stage;
use super::record::Made;
use super::sessions::Session;
use super::view::AccountView;
use crate::directory::{RoleId, UinEntry};
use crate::engine::{
    CompiledPolicy, Decision, DecisionRef, Explanation, Request, RequestParts, Resource, explain,
};
use crate::lang::action::ActionName;
use crate::lang::condition::Context;
use crate::store::Revision;

/// Who asks a question.
#[derive(Debug, Clone)]
pub enum Asker {
    /// A root or a sub-account. A role's id is nobody's: roles act through sessions (rule D-25).
    Uin {
        /// The uin.
        uin: u64,
        /// In which account; none when the uin alone says it.
        owner_uin: Option<u64>,
    },
    /// The holder of a temporary credential.
    Session(Arc<Session>),
}

/// One question, parsed.
#[derive(Debug, Clone)]
pub struct CheckQuery {
    /// Who asks.
    pub asker: Asker,
    /// What they want to do.
    pub action: ActionName,
    /// On what.
    pub resource: Resource,
    /// The facts that conditions test.
    pub context: Context,
    /// Whether the caller applies filters (rule F-03).
    pub accepts_filter: bool,
}

/// A decision with what the node knows about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What the engine answered.
    pub decision: Decision,
    /// The account it was decided in; 0 when nobody knows the principal.
    pub owner_uin: u64,
    /// The revision it was made at.
    pub revision: Revision,
    /// How old the answer may be, in milliseconds; 0: up to date.
    pub stale_ms: u64,
    /// Unique.
    pub decision_id: String,
}

/// A decision and how it came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The decision.
    pub answer: Answer,
    /// The engine's explanation; none when there is no account to explain.
    pub explanation: Option<Explanation>,
}

/// The views that belong together: every account is looked at once.
#[derive(Debug)]
pub struct BatchQuery {
    pub(super) asking: Asking,
    pub(super) applied: Revision,
    pub(super) stale_ms: u64,
    /// By owner; nearly always one.
    views: SmallVec<[(u64, Option<Arc<AccountView>>); 1]>,
}

impl BatchQuery {
    /// The newest revision that an answer so far was made at.
    #[must_use]
    pub fn revision(&self) -> Revision {
        let newest = self.views.iter().flat_map(|(_, view)| view).map(|view| view.as_of).max();
        newest.map_or(self.applied, |newest| newest.max(self.applied))
    }
}

/// Where a principal acts, and as whom.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) owner_uin: u64,
    /// A uin, or the role id of a session.
    pub(super) principal: u64,
    /// The policies of the asker's session.
    pub(super) session: Vec<Arc<CompiledPolicy>>,
    pub(super) view: Arc<AccountView>,
    pub(super) revision: Revision,
    pub(super) stale_ms: u64,
}

/// A principal in no account (rule D-12).
pub(super) struct Nobody {
    /// The account that was named; 0 when none was.
    pub(super) owner_uin: u64,
    pub(super) revision: Revision,
    pub(super) stale_ms: u64,
}

/// What comes to a request beside the question.
#[derive(Debug, Default)]
pub(super) struct Added {
    /// More policies, each of which must allow.
    pub(super) session: Vec<Arc<CompiledPolicy>>,
    /// Whether the resource's owner has granted it (rule D-24).
    pub(super) granted_by_owner: bool,
}

impl Node {
    /// Begins a group of questions that are answered at one revision of each account.
    ///
    /// # Errors
    /// [`NodeError::NotYet`] when this node is not at `at_least` in time; [`NodeError::Stale`] when
    /// it has lost its store for too long.
    pub async fn begin(
        &self,
        asking: Asking,
        at_least: Option<Revision>,
    ) -> Result<BatchQuery, NodeError> {
        self.wait_at_least(at_least).await?;
        let stale_ms = self.freshness.mark_ms()?;
        let applied = self.applied_revision();
        Ok(BatchQuery { asking, applied, stale_ms, views: SmallVec::new() })
    }

    /// Decides one question and says how.
    ///
    /// # Errors
    /// As [`Node::check`].
    pub async fn explain(
        &self,
        batch: &mut BatchQuery,
        query: CheckQuery,
    ) -> Result<Explained, NodeError> {
        match self.place(batch, &query.asker).await? {
            Ok(place) => {
                let request = self.request(&place, query.clone(), Added::default()).await?;
                let explanation = explain(&place.view.snapshot, &request);
                let answer = place.answer(explanation.decision.clone());
                let RequestParts { now, registered_owner, .. } = *request.parts();
                let made = self.made(batch, query.question(), now);
                let made = Made { registered_owner, ..made };
                self.explained(made, Explained { answer, explanation: Some(explanation) }).await
            }
            Err(nobody) => {
                self.refuse_bad(query.question())?;
                let made = self.made(batch, query.question(), self.clock.now());
                let explained = Explained { answer: nobody.answer(), explanation: None };
                self.explained(made, explained).await
            }
        }
    }

    /// Accounts for an explained decision.
    async fn explained(
        &self,
        made: Made<'_>,
        explained: Explained,
    ) -> Result<Explained, NodeError> {
        let Answer { decision, owner_uin, revision, stale_ms: _, decision_id } = &explained.answer;
        let made = Made { owner_uin: *owner_uin, revision: *revision, ..made };
        let taken = self.account_for(&made, decision, decision_id)?;
        self.settle(Unsettled::new(explained, taken)).await
    }

    /// The account in which a principal acts; the inner error is for one whom nobody knows (rule
    /// D-12), for a role without a session, and for a session that has ended (rules D-25, D-27).
    pub(super) async fn place(
        &self,
        batch: &mut BatchQuery,
        asker: &Asker,
    ) -> Result<Result<Place, Nobody>, NodeError> {
        let (principal, owner_uin, session) = match asker {
            Asker::Uin { uin, owner_uin } => {
                (*uin, self.owner_of_principal(*uin, *owner_uin).await?, Vec::new())
            }
            Asker::Session(session) => {
                let stands = Box::pin(self.stands(batch, session)).await?;
                let owner_uin = stands.then_some(session.owner_uin());
                (session.principal(), owner_uin, session.policies.clone())
            }
        };
        let (applied, stale_ms) = (batch.applied, batch.stale_ms);
        let nobody = |owner_uin| Nobody { owner_uin, revision: applied, stale_ms };
        let Some(owner_uin) = owner_uin else { return Ok(Err(nobody(0))) };
        Ok(match self.batch_view(batch, owner_uin).await? {
            Some(view) => {
                let revision = view.as_of.max(applied);
                Ok(Place { owner_uin, principal, session, view, revision, stale_ms })
            }
            None => Err(nobody(owner_uin)),
        })
    }

    /// The account that a uin acts in: the one given, or its only one; none for nobody's.
    pub(super) async fn owner_of_principal(
        &self,
        uin: u64,
        owner_uin: Option<u64>,
    ) -> Result<Option<u64>, NodeError> {
        match owner_uin {
            _ if RoleId::is_role(uin) => Ok(None),
            Some(owner_uin) => Ok(Some(owner_uin)),
            None => {
                let entry = self.waited(Stage::Index, self.index.uin(&*self.store, uin)).await?;
                owner_of(uin, entry.as_deref())
            }
        }
    }

    /// The one view of an account that a batch looks at.
    pub(super) async fn batch_view(
        &self,
        batch: &mut BatchQuery,
        owner_uin: u64,
    ) -> Result<Option<Arc<AccountView>>, NodeError> {
        if let Some((_, view)) = batch.views.iter().find(|(owner, _)| *owner == owner_uin) {
            return Ok(view.clone());
        }
        let view = self.view(owner_uin).await?;
        batch.views.push((owner_uin, view.clone()));
        Ok(view)
    }

    /// The engine's request, with the facts that the server adds.
    pub(super) async fn request(
        &self,
        place: &Place,
        query: CheckQuery,
        added: Added,
    ) -> Result<Request, NodeError> {
        let sdkappid = match &query.resource {
            Resource::Name(name) => name.sdkappid(),
            Resource::Star | Resource::Nothing => None,
        };
        let registered_owner = self.registered_owner(&place.view, sdkappid).await?;
        let CheckQuery { asker: _, action, resource, context, accepts_filter } = query;
        let mut session = place.session.clone();
        session.extend(added.session);
        let parts = RequestParts {
            principal: place.principal,
            action,
            resource,
            context,
            now: self.clock.now(),
            session,
            registered_owner,
            granted_by_owner: added.granted_by_owner,
            accepts_filter,
        };
        Ok(Request::check(parts, &self.catalog)?)
    }

    /// The registered owner of an app that a resource names (rule D-08): the account's own apps
    /// first, then the global index.
    pub(super) async fn registered_owner(
        &self,
        view: &AccountView,
        sdkappid: Option<u64>,
    ) -> Result<Option<u64>, NodeError> {
        let Some(sdkappid) = sdkappid else { return Ok(None) };
        if view.state.apps.contains_key(&sdkappid) {
            return Ok(Some(view.snapshot.owner().uin));
        }
        let entry = self.waited(Stage::Index, self.index.app(&*self.store, sdkappid)).await?;
        Ok(entry.map(|entry| entry.owner_uin))
    }
}

impl Nobody {
    /// The answer: a deny.
    pub(super) fn answer(&self) -> Answer {
        Answer {
            decision: DecisionRef::of_nobody().to_decision(),
            owner_uin: self.owner_uin,
            revision: self.revision,
            stale_ms: self.stale_ms,
            decision_id: new_decision_id(),
        }
    }
}

impl Place {
    pub(super) fn answer(&self, decision: Decision) -> Answer {
        Answer {
            decision,
            owner_uin: self.owner_uin,
            revision: self.revision,
            stale_ms: self.stale_ms,
            decision_id: new_decision_id(),
        }
    }
}

/// The account that a uin acts in when the question names none.
fn owner_of(uin: u64, entry: Option<&UinEntry>) -> Result<Option<u64>, NodeError> {
    let Some(entry) = entry else { return Ok(None) };
    // Nearly everybody is a sub-account of one account.
    if let ([owner], false) = (entry.owner_uins.as_slice(), entry.is_root) {
        return Ok(Some(*owner));
    }
    let root = entry.is_root.then_some(uin);
    let mut owners: Vec<u64> = root.into_iter().chain(entry.owner_uins.iter().copied()).collect();
    owners.sort_unstable();
    owners.dedup();
    match owners.as_slice() {
        [] => Ok(None),
        [owner] => Ok(Some(*owner)),
        _ => Err(NodeError::AmbiguousPrincipal { uin, owners }),
    }
}
