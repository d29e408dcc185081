//! Decisions without copies: the way of almost every question that comes over the wire.
//!
//! The question points into the message that asked it, and the decision into the account's
//! snapshot, until whoever asked has read it. What `query` says of a question and its answer holds
//! here too: nothing is decided here.

use jiff::Timestamp;

use super::Node;
use super::error::NodeError;
use super::query::{Asker, BatchQuery};
use crate::engine::{ActionQuery, DecisionRef, PrincipalQuery, Query, ResourceQuery, decide_into};
use crate::lang::condition::Context;
use crate::store::Revision;

/// One question, parsed, whose texts somebody else holds.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Who asks.
    pub asker: &'a Asker,
    /// What they want to do, looked up in the node's catalog.
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
}

impl Node {
    /// Decides one question and has the decision read.
    ///
    /// # Errors
    /// As [`Node::check`].
    pub async fn decide<T>(
        &self,
        batch: &mut BatchQuery,
        question: Question<'_>,
        read: impl FnOnce(Decided<'_, '_>) -> T,
    ) -> Result<T, NodeError> {
        let Question { asker, action, resource, context, accepts_filter } = question;
        let now = self.clock.now();
        let query = |principal, registered_owner, session| Query {
            principal,
            action,
            resource,
            context,
            now,
            session,
            registered_owner,
            granted_by_owner: false,
            accepts_filter,
        };
        match self.place(batch, asker).await? {
            Ok(place) => {
                let sdkappid = match resource {
                    ResourceQuery::Name(name) => name.sdkappid(),
                    ResourceQuery::Star | ResourceQuery::Nothing => None,
                };
                let registered_owner = self.registered_owner(&place.view, sdkappid).await?;
                let snapshot = &*place.view.snapshot;
                let principal = PrincipalQuery::find(place.principal, snapshot);
                let query = query(principal, registered_owner, &place.session);
                let mut decision = DecisionRef::of_nobody();
                decide_into(snapshot, query.check(self.catalog())?, &mut decision);
                let (owner_uin, revision, stale_ms) =
                    (place.owner_uin, place.revision, place.stale_ms);
                Ok(read(Decided { decision: &decision, owner_uin, revision, now, stale_ms }))
            }
            Err(nobody) => {
                // What would be refused is refused also when nobody knows the principal.
                query(0.into(), None, &[]).check(self.catalog())?;
                let (owner_uin, revision, stale_ms) =
                    (nobody.owner_uin, nobody.revision, nobody.stale_ms);
                let decision = DecisionRef::of_nobody();
                Ok(read(Decided { decision: &decision, owner_uin, revision, now, stale_ms }))
            }
        }
    }
}
