//! From a question and its decision to the record of the decision log.
//!
//! Everything that the decision was made from is in the record, so that it can be made again. It
//! must never change what is decided; what cannot be logged is an error where the log must not
//! drop.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use smallvec::SmallVec;

use super::Node;
use super::asking::Asking;
use super::decide::Question;
use super::error::NodeError;
use super::notes::note_decision;
use super::query::Asker;
use crate::audit::decision_log::{
    ContextEntry, DecisionRecord, DeterminingRecord, ErrorRecord, FilterRecord, MaybeMasked,
    PrincipalRecord, SCHEMA_VERSION, SessionRecord, Taken,
};
use crate::authn::vault::claims::SessionKind;
use crate::engine::{
    Decision, DecisionError, DecisionRef, Determining, DeterminingRef, Filter, Note, Reason,
    ResourceQuery,
};
use crate::store::Revision;

/// What was asked and in which circumstances it was decided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Made<'a> {
    pub(super) asking: &'a Asking,
    pub(super) question: Question<'a>,
    /// The account; 0 when nobody knows the principal.
    pub(super) owner_uin: u64,
    pub(super) registered_owner: Option<u64>,
    pub(super) granted_by_owner: bool,
    pub(super) revision: Revision,
    pub(super) stale_ms: u64,
    pub(super) now: Timestamp,
}

/// What a record takes from a decision, in either of its forms.
pub(super) trait Said {
    fn reason(&self) -> Reason;
    fn determining(&self) -> SmallVec<[DeterminingRecord<'_>; 2]>;
    fn errors(&self) -> &[DecisionError];
    fn filter(&self) -> Option<&Filter>;
    fn note(&self) -> Option<Note>;
}

impl Said for DecisionRef<'_> {
    fn reason(&self) -> Reason {
        DecisionRef::reason(self)
    }

    fn determining(&self) -> SmallVec<[DeterminingRecord<'_>; 2]> {
        let record = |it: DeterminingRef<'_>| DeterminingRecord {
            layer: it.layer().as_str().into(),
            effect: it.effect().as_str().into(),
            policy_id: it.policy_id(),
            policy: Cow::Owned(it.policy_name().to_owned()),
            version: it.version(),
            statement: it.statement(),
        };
        DecisionRef::determining(self).map(record).collect()
    }

    fn errors(&self) -> &[DecisionError] {
        DecisionRef::errors(self)
    }

    fn filter(&self) -> Option<&Filter> {
        DecisionRef::filter(self)
    }

    fn note(&self) -> Option<Note> {
        DecisionRef::note(self)
    }
}

impl Said for Decision {
    fn reason(&self) -> Reason {
        self.reason
    }

    fn determining(&self) -> SmallVec<[DeterminingRecord<'_>; 2]> {
        self.determining.iter().map(determining).collect()
    }

    fn errors(&self) -> &[DecisionError] {
        &self.errors
    }

    fn filter(&self) -> Option<&Filter> {
        self.filter.as_ref()
    }

    fn note(&self) -> Option<Note> {
        self.notes.first().copied()
    }
}

fn determining(it: &Determining) -> DeterminingRecord<'_> {
    DeterminingRecord {
        layer: it.layer.as_str().into(),
        effect: it.effect.as_str().into(),
        policy_id: it.policy_id,
        policy: Cow::Borrowed(&it.policy_name),
        version: it.version,
        statement: it.statement,
    }
}

fn error(it: &DecisionError) -> ErrorRecord<'_> {
    ErrorRecord {
        layer: it.layer.as_str().into(),
        policy_id: it.policy_id,
        policy: Cow::Borrowed(&it.policy_name),
        version: it.version,
        statement: it.statement,
        message: Cow::Borrowed(&it.message),
    }
}

fn principal(asker: &Asker) -> PrincipalRecord<'_> {
    match asker {
        Asker::Uin { uin, owner_uin: _ } => {
            PrincipalRecord { uin: MaybeMasked::Number(*uin), session: None }
        }
        Asker::Session(session) => {
            let kind = match session.kind() {
                SessionKind::Role => "role",
                SessionKind::Federation => "federation",
                SessionKind::Session => "session",
            };
            let policies = &session.claims().policies;
            PrincipalRecord {
                uin: MaybeMasked::Number(session.principal()),
                session: Some(SessionRecord {
                    kind: kind.into(),
                    name: session.name().into(),
                    secret_id: session.secret_id().into(),
                    issuer_uin: session.issuer().uin,
                    policies: policies.iter().map(|it| it.as_str().into()).collect(),
                }),
            }
        }
    }
}

/// The text of what is asked about.
pub(super) fn resource_text(query: ResourceQuery<'_>) -> &str {
    match query {
        ResourceQuery::Nothing => "",
        ResourceQuery::Star => "*",
        ResourceQuery::Name(name) => name.text(),
    }
}

impl<'a> Made<'a> {
    fn record(&self, said: &'a impl Said, decision_id: &'a str) -> DecisionRecord<'a> {
        let Self { question, .. } = *self;
        let reason = said.reason();
        let context = question.context.iter().map(|(key, values)| ContextEntry {
            key: Cow::Borrowed(key),
            values: Some(Cow::Borrowed(values)),
        });
        DecisionRecord {
            v: SCHEMA_VERSION,
            time: self.now,
            id: decision_id.into(),
            surface: self.asking.surface.as_str().into(),
            caller: self.asking.caller().map(Cow::Borrowed),
            owner_uin: self.owner_uin,
            principal: principal(question.asker),
            action: question.action.name().text().into(),
            resource: resource_text(question.resource).into(),
            context: context.collect(),
            registered_owner: self.registered_owner,
            granted_by_owner: self.granted_by_owner,
            accepts_filter: question.accepts_filter,
            outcome: reason.outcome().as_str().into(),
            reason: reason.as_str().into(),
            layer: reason.layer().map(|layer| layer.as_str().into()),
            determining: said.determining(),
            errors: said.errors().iter().map(error).collect(),
            filter: said.filter().map(|it| FilterRecord {
                all: it.all,
                resources: it.resources.iter().map(|name| name.as_str().into()).collect(),
            }),
            note: said.note().map(|note| note.as_str().into()),
            revision: self.revision.0,
            stale_ms: self.stale_ms,
        }
    }
}

/// Says whether the log can be written, until the node ends.
pub(super) async fn follow_log(node: Arc<Node>) {
    let Some(log) = &node.decision_log else { return };
    let mut ended = node.ended.subscribe();
    let follow = log.follow_problem(|problem| {
        node.health.set_log_problem(problem, log.must_be_written());
    });
    tokio::select! {
        () = follow => {}
        _ = ended.wait_for(|has_ended| *has_ended) => {}
    }
}

impl Node {
    /// Counts a decision and gives its record to the log, if the caller may have the answer.
    ///
    /// # Errors
    /// [`NodeError::Access`], [`NodeError::DecisionLog`].
    pub(super) fn account_for(
        &self,
        made: &Made<'_>,
        said: &impl Said,
        decision_id: &str,
    ) -> Result<Taken, NodeError> {
        made.asking.check(made.owner_uin, made.question.action.name().service())?;
        self.counters.decided(said.reason());
        note_decision(decision_id, made.owner_uin, said.reason(), made.revision);
        match &self.decision_log {
            Some(log) => Ok(log.take(made.record(said, decision_id))?),
            None => Ok(Taken::default()),
        }
    }
}
