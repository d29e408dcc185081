//! What is answered: the outcome, why, and by which statements (rules D-01 to D-12, F-01 to F-03).
//!
//! Plain values with stable text names; the node adds the decision id and the revision. Nothing
//! here depends on the order of attachments or on the iteration order of a hash map.

use std::fmt;
use std::sync::Arc;

use crate::lang::document::Effect;

/// The answer. Never compared with a statement's effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The request may go on.
    Allow,
    /// It may not.
    Deny,
}

impl Outcome {
    /// `ALLOW` or `DENY`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "ALLOW",
            Self::Deny => "DENY",
        }
    }
}

/// Where statements come from, in the order in which denies are reported (rule D-04).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// The policies that bind everybody (rule D-13).
    General,
    /// The policies attached to the principal and its groups (rule D-03).
    Identity,
    /// What the resource's owner has granted: nothing, to foreigners (rule D-08).
    Resource,
    /// The principal's permission boundary (rule D-09).
    Boundary,
    /// The policies of the session (rule D-10).
    Session,
}

impl Layer {
    /// All layers, in order.
    pub const ALL: [Self; 5] =
        [Self::General, Self::Identity, Self::Resource, Self::Boundary, Self::Session];

    /// `general`, `identity`, `resource`, `boundary` or `session`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::General => "general",
            Self::Identity => "identity",
            Self::Resource => "resource",
            Self::Boundary => "boundary",
            Self::Session => "session",
        }
    }
}

/// Why the outcome is what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// ALLOW: the root account, on what it owns (rule D-06).
    Root,
    /// ALLOW: every layer allows.
    Allow,
    /// DENY: a deny matched; the layer is the first that has one (rule D-04).
    ExplicitDeny(Layer),
    /// DENY: this layer has no allow (rules D-07 to D-10).
    ImplicitDeny(Layer),
    /// DENY: nobody by that uin, or one that cannot be a principal (rule D-12).
    UnknownPrincipal,
    /// DENY: only some of the list is allowed and the caller applies no filters (rule F-03).
    FilterUnsupported,
    /// DENY: a policy that counts cannot be read (rule D-05).
    Error,
}

impl Reason {
    /// The stable name, without the layer.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Allow => "allow",
            Self::ExplicitDeny(_) => "explicit_deny",
            Self::ImplicitDeny(_) => "implicit_deny",
            Self::UnknownPrincipal => "unknown_principal",
            Self::FilterUnsupported => "filter_unsupported",
            Self::Error => "error",
        }
    }

    /// The layer that denied, for the two kinds of deny that have one.
    #[must_use]
    pub fn layer(self) -> Option<Layer> {
        match self {
            Self::ExplicitDeny(layer) | Self::ImplicitDeny(layer) => Some(layer),
            Self::Root
            | Self::Allow
            | Self::UnknownPrincipal
            | Self::FilterUnsupported
            | Self::Error => None,
        }
    }

    /// The outcome that goes with the reason.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Root | Self::Allow => Outcome::Allow,
            Self::ExplicitDeny(_)
            | Self::ImplicitDeny(_)
            | Self::UnknownPrincipal
            | Self::FilterUnsupported
            | Self::Error => Outcome::Deny,
        }
    }
}

impl fmt::Display for Reason {
    /// The name, and the layer after a colon where there is one: `explicit_deny:identity`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.layer() {
            Some(layer) => write!(f, "{}:{}", self.as_str(), layer.as_str()),
            None => f.write_str(self.as_str()),
        }
    }
}

/// A statement that made the decision (rule D-11). The order is layer, policy, statement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Determining {
    /// The layer it acted in.
    pub layer: Layer,
    /// The policy's id.
    pub policy_id: u64,
    /// The statement's place in the policy, from 0.
    pub statement: usize,
    /// What it says.
    pub effect: Effect,
    /// The policy's name.
    pub policy_name: Arc<str>,
    /// The policy's version, from 1.
    pub version: u32,
}

/// Something that could not be evaluated (rules C-22, D-05). The order is layer, policy, statement,
/// condition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DecisionError {
    /// The layer it occurred in.
    pub layer: Layer,
    /// The policy's id.
    pub policy_id: u64,
    /// The statement's place in the policy, from 0; none when the whole policy cannot be read.
    pub statement: Option<usize>,
    /// The condition's place among the statement's, from 0; none when the whole policy cannot be
    /// read.
    pub condition: Option<usize>,
    /// The policy's name.
    pub policy_name: Arc<str>,
    /// The policy's version, from 1.
    pub version: u32,
    /// What is wrong, for readers.
    pub message: String,
}

/// The obligation that comes with an allowed list (rule F-02): show these and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Whether every registered app is allowed, so that nothing must be left out.
    pub all: bool,
    /// The six-segment names of the allowed apps, by ascending app id.
    pub resources: Vec<String>,
}

/// A remark that changes nothing about the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Note {
    /// An action on single resources was asked about `*`; only statements on `*` match.
    ResourceActionOnStar,
    /// An action that is asked about `*` was asked about one resource.
    OperationActionOnResource,
    /// No catalog describes the action (rule A-07).
    UnknownAction,
}

impl Note {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ResourceActionOnStar => "resource_action_on_star",
            Self::OperationActionOnResource => "operation_action_on_resource",
            Self::UnknownAction => "unknown_action",
        }
    }

    /// The remark for readers.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::ResourceActionOnStar => {
                "the action is about single resources but was asked about `*`, which only \
                 statements on `*` match; ask about the resource"
            }
            Self::OperationActionOnResource => {
                "the action is about no single resource but was asked about one; ask about `*`"
            }
            Self::UnknownAction => "no catalog describes the action; it was evaluated as it stands",
        }
    }
}

/// The whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Allow or deny.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// The statements that made it, sorted, each once (rule D-11).
    pub determining: Vec<Determining>,
    /// What could not be evaluated, sorted, each once.
    pub errors: Vec<DecisionError>,
    /// What a list must be cut down to; only with an ALLOW of a list (rule F-02).
    pub filter: Option<Filter>,
    /// Remarks, sorted.
    pub notes: Vec<Note>,
}
