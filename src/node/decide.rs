//! Decisions without copies: the one way of every question that is answered and not explained.
//!
//! The question points into the message that asked it, and the decision into the account's
//! snapshot, until whoever asked has read it. What `query` says of a question and its answer holds
//! here too: nothing is decided here.

use std::borrow::Cow;

use jiff::Timestamp;

use super::Node;
use super::asking::Unsettled;
use super::clock::decision_id_at;
use super::error::NodeError;
use super::query::{Added, Answer, Asker, BatchQuery, CheckQuery};
use super::record::Made;
use crate::engine::{ActionQuery, DecisionRef, PrincipalQuery, Query, ResourceQuery, decide_into};
use crate::lang::condition::Context;
use crate::store::Revision;

/// One question, parsed, whose texts somebody else holds.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Who asks.
    pub asker: &'a Asker,
    /// What they want to do; looked up in the node's catalog already, if it may be.
    pub action: ActionQuery<'a>,
    /// On what.
    pub resource: ResourceQuery<'a>,
    /// The facts that conditions test.
    pub context: &'a Context,
    /// Whether the caller applies filters (rule F-03).
    pub accepts_filter: bool,
}

/// A decision, to be read while it points into the snapshot.
#[derive(Debug)]
pub struct Decided<'d, 's> {
    /// What the engine answered.
    pub decision: &'d DecisionRef<'s>,
    /// The account it was decided in; 0 when nobody knows the principal.
    pub owner_uin: u64,
    /// The revision it was made at.
    pub revision: Revision,
    /// When it was made.
    pub now: Timestamp,
    /// How old it may be, in milliseconds; 0: up to date.
    pub stale_ms: u64,
    /// Unique.
    pub decision_id: String,
}

impl<'a> Question<'a> {
    /// What the engine is asked, as nobody asks it.
    fn query(self, now: Timestamp) -> Query<'a> {
        let Question { asker: _, action, resource, context, accepts_filter } = self;
        Query {
            principal: 0.into(),
            action,
            resource,
            context,
            now,
            session: &[],
            registered_owner: None,
            granted_by_owner: false,
            accepts_filter,
        }
    }
}

impl CheckQuery {
    /// The question, borrowed.
    pub(super) fn question(&self) -> Question<'_> {
        let Self { asker, action, resource, context, accepts_filter } = self;
        let (action, resource) = (action.by_ref().into(), resource.by_ref());
        Question { asker, action, resource, context, accepts_filter: *accepts_filter }
    }
}

impl Decided<'_, '_> {
    /// The answer as a value of its own.
    #[must_use]
    pub fn into_answer(self) -> Answer {
        let Self { decision, owner_uin, revision, now: _, stale_ms, decision_id } = self;
        let decision = decision.to_decision();
        Answer { decision, owner_uin, revision, stale_ms, decision_id }
    }
}

impl Node {
    /// Decides one question.
    ///
    /// # Errors
    /// When the question is refused, or the account cannot be read. A deny is no error.
    pub async fn check(
        &self,
        batch: &mut BatchQuery,
        query: CheckQuery,
    ) -> Result<Answer, NodeError> {
        self.check_with(batch, query, Added::default()).await
    }

    /// As [`Node::check`], with more than the question says.
    pub(super) async fn check_with(
        &self,
        batch: &mut BatchQuery,
        query: CheckQuery,
        added: Added,
    ) -> Result<Answer, NodeError> {
        let answer = self.decide_with(batch, query.question(), added, |it| it.into_answer());
        self.settle(answer.await?).await
    }

    /// Decides one question and has the decision read. What was read may be given to who asked when
    /// it is settled ([`Node::settle`]).
    ///
    /// # Errors
    /// As [`Node::check`].
    pub async fn decide<T>(
        &self,
        batch: &mut BatchQuery,
        question: Question<'_>,
        read: impl FnOnce(Decided<'_, '_>) -> T,
    ) -> Result<Unsettled<T>, NodeError> {
        self.decide_with(batch, question, Added::default(), read).await
    }

    async fn decide_with<T>(
        &self,
        batch: &mut BatchQuery,
        question: Question<'_>,
        added: Added,
        read: impl FnOnce(Decided<'_, '_>) -> T,
    ) -> Result<Unsettled<T>, NodeError> {
        let place = match self.place(batch, question.asker).await? {
            Ok(place) => place,
            Err(nobody) => {
                self.refuse_bad(question)?;
                let now = self.clock.now();
                let (owner_uin, revision) = (nobody.owner_uin, nobody.revision);
                let made = self.made(batch, question, now);
                let made = Made { owner_uin, revision, ..made };
                let decision_id = decision_id_at(now);
                return self.answered(&made, &DecisionRef::of_nobody(), decision_id, read);
            }
        };
        let sdkappid = match question.resource {
            ResourceQuery::Name(name) => name.sdkappid(),
            ResourceQuery::Star | ResourceQuery::Nothing => None,
        };
        let registered_owner = self.registered_owner(&place.view, sdkappid).await?;
        let (snapshot, now) = (&*place.view.snapshot, self.clock.now());
        let session = match added.session.as_slice() {
            [] => Cow::Borrowed(&place.session),
            more => Cow::Owned([&place.session, more].concat()),
        };
        let query = Query {
            principal: PrincipalQuery::find(place.principal, snapshot),
            session: &session,
            registered_owner,
            granted_by_owner: added.granted_by_owner,
            ..question.query(now)
        };
        let mut decision = DecisionRef::of_nobody();
        decide_into(snapshot, query.check(&self.catalog)?, &mut decision);
        let (owner_uin, revision) = (place.owner_uin, place.revision);
        let granted_by_owner = added.granted_by_owner;
        let made = self.made(batch, question, now);
        let made = Made { owner_uin, registered_owner, granted_by_owner, revision, ..made };
        let decision_id = decision_id_at(now);
        if self.referee_draws() {
            let id = decision_id.clone();
            self.make_again(place.clone(), &query, decision.to_decision(), id);
        }
        self.answered(&made, &decision, decision_id, read)
    }

    /// A decision of nobody's account, yet.
    pub(super) fn made<'a>(
        &self,
        batch: &'a BatchQuery,
        question: Question<'a>,
        now: Timestamp,
    ) -> Made<'a> {
        Made {
            asking: &batch.asking,
            question,
            owner_uin: 0,
            registered_owner: None,
            granted_by_owner: false,
            revision: batch.applied,
            stale_ms: batch.stale_ms,
            now,
        }
    }

    /// Accounts for a decision and has it read.
    fn answered<T>(
        &self,
        made: &Made<'_>,
        decision: &DecisionRef<'_>,
        decision_id: String,
        read: impl FnOnce(Decided<'_, '_>) -> T,
    ) -> Result<Unsettled<T>, NodeError> {
        let taken = self.account_for(made, decision, &decision_id)?;
        let Made { owner_uin, revision, now, stale_ms, .. } = *made;
        let read = read(Decided { decision, owner_uin, revision, now, stale_ms, decision_id });
        Ok(Unsettled::new(read, taken))
    }

    /// A question that would be refused is refused also when nobody knows the principal.
    pub(super) fn refuse_bad(&self, question: Question<'_>) -> Result<(), NodeError> {
        question.query(self.clock.now()).check(&self.catalog)?;
        Ok(())
    }
}
