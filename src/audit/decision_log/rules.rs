//! What is left out of the log, and what is masked in it.
//!
//! A rule that leaves decisions out has conditions, and all of them must hold. Masked fields are
//! replaced, never shortened, so that nothing can be guessed from what is left. It must never
//! change what is decided.

use crate::lang::action::ActionPattern;

use super::record::{DecisionRecord, MaybeMasked};

/// What stands in place of a masked value.
pub const MASKED: &str = "***";

/// A field that can be masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MaskedField {
    /// Who wanted something, with the session.
    Principal,
    /// The session's name.
    SessionName,
    /// On what.
    Resource,
    /// Every value of the context.
    Context,
    /// The values of one key of it.
    ContextKey(String),
}

impl MaskedField {
    /// Reads `principal`, `session_name`, `resource`, `context` or `context.KEY`; none for anything
    /// else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "principal" => Some(Self::Principal),
            "session_name" => Some(Self::SessionName),
            "resource" => Some(Self::Resource),
            "context" => Some(Self::Context),
            _ => match text.strip_prefix("context.") {
                None | Some("") => None,
                Some(key) => Some(Self::ContextKey(key.to_owned())),
            },
        }
    }

    /// The text that [`MaskedField::parse`] reads.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Principal => "principal".to_owned(),
            Self::SessionName => "session_name".to_owned(),
            Self::Resource => "resource".to_owned(),
            Self::Context => "context".to_owned(),
            Self::ContextKey(key) => format!("context.{key}"),
        }
    }
}

/// Decisions that are not logged: those that all conditions given hold for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeaveOut {
    /// `ALLOW` or `DENY`.
    pub outcome: Option<String>,
    /// Why, e.g. `root`.
    pub reason: Option<String>,
    /// The protocol and call, e.g. `grpc:Check`.
    pub surface: Option<String>,
    /// The account.
    pub owner_uin: Option<u64>,
    /// The action.
    pub action: Option<ActionPattern>,
}

impl LeaveOut {
    fn holds(&self, record: &DecisionRecord<'_>) -> bool {
        let Self { outcome, reason, surface, owner_uin, action } = self;
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        let (service, name) = record.action.split_once(':').unwrap_or_default();
        is(outcome, &record.outcome)
            && is(reason, &record.reason)
            && is(surface, &record.surface)
            && owner_uin.is_none_or(|owner| owner == record.owner_uin)
            && action.as_ref().is_none_or(|action| action.matches(service, name))
    }
}

/// All rules of a log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    /// What is left out: what one of these holds for.
    pub leave_out: Vec<LeaveOut>,
    /// What is masked.
    pub mask: Vec<MaskedField>,
}

impl Rules {
    /// Whether the record belongs into the log.
    #[must_use]
    pub fn wants(&self, record: &DecisionRecord<'_>) -> bool {
        !self.leave_out.iter().any(|rule| rule.holds(record))
    }

    /// Masks what is to be masked.
    pub fn mask(&self, record: &mut DecisionRecord<'_>) {
        let is_context = |field: &MaskedField| {
            matches!(field, MaskedField::Context | MaskedField::ContextKey(_))
        };
        if self.mask.iter().any(is_context) {
            // What a condition could not read stands in its message.
            record.errors.iter_mut().for_each(|error| error.message = MASKED.into());
        }
        for field in &self.mask {
            match field {
                MaskedField::Principal => {
                    record.principal.uin = MaybeMasked::Masked;
                    if let Some(session) = &mut record.principal.session {
                        session.name = MASKED.into();
                        session.secret_id = MASKED.into();
                        session.issuer_uin = 0;
                    }
                }
                MaskedField::SessionName => {
                    if let Some(session) = &mut record.principal.session {
                        session.name = MASKED.into();
                    }
                }
                MaskedField::Resource => {
                    record.resource = MASKED.into();
                    if let Some(filter) = &mut record.filter {
                        filter.resources.iter_mut().for_each(|name| *name = MASKED.into());
                    }
                }
                MaskedField::Context => {
                    record.context.iter_mut().for_each(|entry| entry.values = None);
                }
                MaskedField::ContextKey(key) => {
                    let entries = record.context.iter_mut().filter(|entry| entry.key == *key);
                    entries.for_each(|entry| entry.values = None);
                }
            }
        }
    }
}
