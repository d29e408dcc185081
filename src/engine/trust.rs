//! Whether a role's trust policy trusts a caller (rules D-22, D-23).
//!
//! Actions and conditions are tested by the same code as everywhere else; principals only here. A
//! trust policy that cannot be read trusts nobody, and nothing here looks at what the caller's own
//! policies say: both sides must agree (rule D-24), and this is one of them.

use jiff::Timestamp;

use super::compile::CompiledPolicy;
use super::evaluate::{Verdict, test_conditions};
use crate::catalog::{Catalog, read_only_action};
use crate::lang::action::ActionName;
use crate::lang::condition::{Context, ContextValue, Facts};
use crate::lang::document::Effect;
use crate::lang::number::Number;
use crate::lang::principal::TrustPrincipal;
use crate::lang::variable::{Owner, Variables};

/// What kind of caller asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallerKind {
    /// A root or a sub-account, with the ids of its groups.
    User {
        /// The groups.
        groups: Vec<u64>,
    },
    /// A session of a role; the caller's number is the role's id.
    Role {
        /// The role's name.
        name: String,
    },
}

/// Who asks to be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustCaller {
    /// The account that the caller belongs to.
    pub owner: Owner,
    /// The caller's uin, or its role's id.
    pub uin: u64,
    /// What it is.
    pub kind: CallerKind,
}

/// What is asked of a trust policy.
#[derive(Debug, Clone)]
pub struct TrustRequest {
    /// Who asks.
    pub caller: TrustCaller,
    /// The action, `sts:AssumeRole`.
    pub action: ActionName,
    /// The facts that conditions test; the server's own (rule D-15) are laid over them.
    pub context: Context,
    /// The server's time.
    pub now: Timestamp,
}

/// Why a caller is trusted or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrustReason {
    /// A statement that names the caller allows, and none denies.
    Trusted,
    /// A statement that names the caller denies.
    ExplicitDeny,
    /// No statement that names the caller allows.
    NotTrusted,
    /// The trust policy cannot be read.
    Unreadable,
}

impl TrustReason {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::ExplicitDeny => "explicit_deny",
            Self::NotTrusted => "not_trusted",
            Self::Unreadable => "unreadable",
        }
    }
}

/// The answer of a trust policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustVerdict {
    /// Why.
    pub reason: TrustReason,
    /// The places of the statements that made it, from 0, ascending.
    pub determining: Vec<usize>,
    /// Statement and condition of everything that could not be told (rule C-22).
    pub errors: Vec<(usize, usize)>,
}

impl TrustVerdict {
    /// Whether the caller is trusted.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.reason == TrustReason::Trusted
    }
}

/// Asks a trust policy, compiled for this catalog.
#[must_use]
pub fn trusts(policy: &CompiledPolicy, catalog: &Catalog, request: &TrustRequest) -> TrustVerdict {
    if policy.unreadable().is_some() {
        // rule D-23
        let (determining, errors) = (Vec::new(), Vec::new());
        return TrustVerdict { reason: TrustReason::Unreadable, determining, errors };
    }
    let TrustRequest { caller, action, .. } = request;
    let facts = TrustFacts::new(catalog, request);
    let variables = Variables { uin: caller.uin, owner: caller.owner };
    let action_id = catalog.action_id(action.service(), action.name());
    let (mut allows, mut denies, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for (place, (statement, compiled)) in policy.statements().enumerate() {
        if !statement.principals().iter().any(|it| names(it, caller))
            || !compiled.matches_action(statement, action.by_ref(), action_id)
        {
            continue;
        }
        let verdict = test_conditions(statement, &facts, &variables);
        if verdict.acts(statement.effect()) {
            match statement.effect() {
                Effect::Allow => allows.push(place),
                Effect::Deny => denies.push(place),
            }
        }
        if let Verdict::Errors(found) = verdict {
            errors.extend(found.into_iter().map(|(condition, _)| (place, condition)));
        }
    }
    let (reason, determining) = if !denies.is_empty() {
        (TrustReason::ExplicitDeny, denies)
    } else if allows.is_empty() {
        (TrustReason::NotTrusted, Vec::new())
    } else {
        (TrustReason::Trusted, allows)
    };
    TrustVerdict { reason, determining, errors }
}

/// Whether a principal means the caller (rule D-22).
fn names(principal: &TrustPrincipal, caller: &TrustCaller) -> bool {
    let is_of = |owner_uin: &u64| *owner_uin == caller.owner.uin;
    match principal {
        TrustPrincipal::Anyone => true,
        TrustPrincipal::Account { owner_uin } => is_of(owner_uin),
        TrustPrincipal::User { owner_uin, uin } => {
            is_of(owner_uin) && *uin == caller.uin && matches!(caller.kind, CallerKind::User { .. })
        }
        TrustPrincipal::Group { owner_uin, id } => {
            is_of(owner_uin)
                && matches!(&caller.kind, CallerKind::User { groups } if groups.contains(id))
        }
        TrustPrincipal::Role { owner_uin, id } => {
            is_of(owner_uin) && *id == caller.uin && matches!(caller.kind, CallerKind::Role { .. })
        }
        TrustPrincipal::RoleName { owner_uin, name } => {
            is_of(owner_uin)
                && matches!(&caller.kind, CallerKind::Role { name: own } if **name == **own)
        }
        TrustPrincipal::Elsewhere => false,
    }
}

/// The request's context, with the server's own facts laid over it.
struct TrustFacts<'a> {
    context: &'a Context,
    derived: [(&'static str, [ContextValue; 1]); 4],
    time: [ContextValue; 1],
}

impl<'a> TrustFacts<'a> {
    fn new(catalog: &Catalog, request: &'a TrustRequest) -> Self {
        let TrustRequest { caller, action, context, now } = request;
        let number = |value: u64| [ContextValue::Number(Number::from(value))];
        let except = catalog.except_cam_finance(action.service(), action.name());
        // rule D-15
        let derived = [
            ("qcs:uin", number(caller.uin)),
            ("qcs:owner_uin", number(caller.owner.uin)),
            ("qcs:read_only_action", number(read_only_action(action.name()).into())),
            ("qcs:except_cam_finance", number(except.into())),
        ];
        Self { context, derived, time: [ContextValue::Text(now.to_string())] }
    }
}

impl Facts for TrustFacts<'_> {
    fn values(&self, key: &str) -> Option<&[ContextValue]> {
        if let Some((_, values)) = self.derived.iter().find(|(own, _)| *own == key) {
            return Some(values);
        }
        let sent = self.context.values(key).filter(|values| !values.is_empty());
        sent.or_else(|| (key == "qcs:current_time").then_some(self.time.as_slice()))
    }
}
