//! Making temporary credentials: assuming roles, federation tokens, session tokens.
//!
//! Each action is decided here, so that none can be forgotten; `AssumeRole` by both sides (rule
//! D-24). A credential is sealed into its token and stored nowhere. It must never outlive the
//! session that it was made from, nor go back to anything but a permanent key.

mod limits;
mod outcome;

use std::sync::Arc;

use super::asking::{Asking, Surface};
use super::query::{Added, BatchQuery, CheckQuery};
use super::view::AccountView;
use super::{Caller, Node, NodeError};
use crate::authn::secret::generate_temporary_id;
use crate::authn::vault::VaultError;
use crate::authn::vault::claims::{Claims, ROLE_STEPS_MAX, SessionKind};
use crate::directory::{PolicyBody, Role, RoleId};
use crate::engine::{
    CallerKind, CompiledPolicy, PolicyBody as TrustBody, PolicyInput, Resource, TrustCaller,
    TrustRequest, TrustVerdict, trusts,
};
use crate::lang::action::ActionName;
use crate::lang::condition::{Context, ContextValue};
use crate::lang::resource::{Account, ResourceName};
use crate::lang::variable::Owner;

pub use outcome::{Credentials, Refusal, StsError};

/// The condition key under which a trust policy sees the external id.
const EXTERNAL_ID: &str = "sts:external_id";

/// Which role, as its six-segment name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleName {
    /// The role's account.
    pub owner_uin: u64,
    /// Its id or its name.
    pub which: WhichRole,
}

/// How a role is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhichRole {
    /// `role/<id>`.
    Id(u64),
    /// `roleName/<name>`.
    Name(String),
}

impl RoleName {
    /// Reads `qcs::cam::uin/<owner>:role/<id>` or `…:roleName/<name>`; none for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let name = ResourceName::parse(text).ok()?;
        let Account::Uin(owner_uin) = name.account() else { return None };
        if name.service() != "cam" || !name.region().is_empty() {
            return None;
        }
        let which = match name.resource().split_once('/')? {
            ("role", id) => WhichRole::Id(id.parse().ok().filter(|it| RoleId::is_role(*it))?),
            ("roleName", name) if !name.is_empty() => WhichRole::Name(name.to_owned()),
            _ => return None,
        };
        Some(Self { owner_uin, which })
    }
}

/// `AssumeRole`, parsed.
#[derive(Debug, Clone)]
pub struct AssumeRole {
    /// The role.
    pub role: RoleName,
    /// The session's name.
    pub session_name: String,
    /// How long, in seconds; none for the default.
    pub duration_s: Option<u64>,
    /// A policy that caps the session, decoded.
    pub policy: Option<String>,
    /// What the role's owner and the caller have agreed on.
    pub external_id: Option<String>,
    /// The facts that conditions test.
    pub context: Context,
}

/// `GetFederationToken`, parsed.
#[derive(Debug, Clone)]
pub struct FederationToken {
    /// The federated user's name.
    pub name: String,
    /// How long, in seconds; none for the default.
    pub duration_s: Option<u64>,
    /// The policy that caps it, decoded.
    pub policy: String,
    /// The facts that conditions test.
    pub context: Context,
}

/// `GetSessionToken`, parsed. There are no second factors here, so none is ever shown.
#[derive(Debug, Clone)]
pub struct SessionToken {
    /// How long, in seconds; none for the default.
    pub duration_s: Option<u64>,
    /// The facts that conditions test.
    pub context: Context,
}

/// What the claims of a new credential differ in.
struct Draft {
    kind: SessionKind,
    owner_uin: u64,
    principal: u64,
    name: String,
    duration_s: u64,
    policies: Vec<String>,
}

impl Node {
    /// Assumes a role.
    ///
    /// # Errors
    /// [`StsError::Refused`] when the caller's own side says no, [`StsError::NotTrusted`] when the
    /// role's does, and what is wrong with the request.
    pub async fn assume_role(
        &self,
        caller: &Caller,
        request: AssumeRole,
    ) -> Result<Credentials, StsError> {
        let AssumeRole { role: name, session_name, duration_s, policy, external_id, context } =
            request;
        limits::check_name("RoleSessionName", &session_name)?;
        if let Some(id) = &external_id {
            limits::check_external_id(id)?;
        }
        let mut batch = self.begin(Asking::open(Surface::CamApi), None).await?;
        let role = self.find_role(&mut batch, caller, &name).await?;
        let Some((owner, role)) = role else { return Err(StsError::NotTrusted) };
        let mut facts = context.clone();
        if let Some(id) = external_id {
            facts.insert(EXTERNAL_ID, vec![ContextValue::Text(id)]).map_err(NodeError::from)?;
        }
        let verdict = self.ask_trust(&mut batch, caller, &role, facts).await?;
        self.check_own_side(&mut batch, caller, (&name, &role), &verdict, context).await?;
        if !verdict.is_trusted() {
            return Err(StsError::NotTrusted);
        }
        let duration_s = limits::role_duration(duration_s, role.session_duration_s)?;
        let policies = match policy {
            Some(text) => vec![limits::check_policy(text, owner, &self.catalog)?],
            None => Vec::new(),
        };
        let draft = Draft {
            kind: SessionKind::Role,
            owner_uin: owner.uin,
            principal: role.id.0,
            name: session_name,
            duration_s,
            policies,
        };
        self.make(caller, draft)
    }

    /// A token with which somebody acts as the caller, within a policy.
    ///
    /// # Errors
    /// [`StsError::TempKeyNotAllowed`] for temporary credentials, [`StsError::Refused`], and what
    /// is wrong with the request.
    pub async fn federation_token(
        &self,
        caller: &Caller,
        request: FederationToken,
    ) -> Result<Credentials, StsError> {
        let FederationToken { name, duration_s, policy, context } = request;
        limits::check_name("Name", &name)?;
        let view = self.permanent(caller, "sts:GetFederationToken", context).await?;
        let owner = view.snapshot.owner();
        let draft = Draft {
            kind: SessionKind::Federation,
            owner_uin: caller.owner_uin(),
            principal: caller.principal(),
            name,
            duration_s: limits::user_duration(duration_s, caller.is_root())?,
            policies: vec![limits::check_policy(policy, owner, &self.catalog)?],
        };
        self.make(caller, draft)
    }

    /// A token with which the caller acts for a while.
    ///
    /// # Errors
    /// As [`Node::federation_token`].
    pub async fn session_token(
        &self,
        caller: &Caller,
        request: SessionToken,
    ) -> Result<Credentials, StsError> {
        let SessionToken { duration_s, context } = request;
        self.permanent(caller, "sts:GetSessionToken", context).await?;
        let draft = Draft {
            kind: SessionKind::Session,
            owner_uin: caller.owner_uin(),
            principal: caller.principal(),
            name: String::new(),
            duration_s: limits::user_duration(duration_s, caller.is_root())?,
            policies: Vec::new(),
        };
        self.make(caller, draft)
    }

    /// The role and the account it belongs to. To a stranger, a role that is not there looks like
    /// one that does not trust him.
    async fn find_role(
        &self,
        batch: &mut BatchQuery,
        caller: &Caller,
        name: &RoleName,
    ) -> Result<Option<(Owner, Arc<Role>)>, StsError> {
        let view = self.batch_view(batch, name.owner_uin).await?;
        let found = view.as_ref().and_then(|view| {
            let role = match &name.which {
                WhichRole::Id(id) => view.state.role(RoleId(*id)),
                WhichRole::Name(name) => view.state.role_named(name),
            };
            Some((view.snapshot.owner(), Arc::clone(role?)))
        });
        if found.is_none() && name.owner_uin == caller.owner_uin() {
            return Err(StsError::RoleNotFound);
        }
        Ok(found)
    }

    /// What the role's trust policy says of the caller (rules D-22, D-23).
    async fn ask_trust(
        &self,
        batch: &mut BatchQuery,
        caller: &Caller,
        role: &Role,
        context: Context,
    ) -> Result<TrustVerdict, StsError> {
        let owner_uin = caller.owner_uin();
        let view = self.batch_view(batch, owner_uin).await?;
        let view = view.ok_or(NodeError::NoAccount { owner_uin })?;
        let request = TrustRequest {
            caller: trust_caller(&view, caller),
            action: action_name("sts:AssumeRole")?,
            context,
            now: self.clock.now(),
        };
        let policy = CompiledPolicy::new(trust_input(role), &self.catalog);
        Ok(trusts(&policy, &self.catalog, &request))
    }

    /// Whether the caller's own layers allow it, on the role's id or on its name (rule D-24). A
    /// deny on either counts.
    async fn check_own_side(
        &self,
        batch: &mut BatchQuery,
        caller: &Caller,
        (name, role): (&RoleName, &Role),
        verdict: &TrustVerdict,
        context: Context,
    ) -> Result<(), StsError> {
        let owner = name.owner_uin;
        let mut names = [
            format!("qcs::cam::uin/{owner}:role/{}", role.id),
            format!("qcs::cam::uin/{owner}:roleName/{}", role.name),
        ];
        if matches!(name.which, WhichRole::Name(_)) {
            names.reverse();
        }
        let mut answers = Vec::new();
        for text in names {
            let resource = Resource::parse(&text)
                .map_err(|fault| NodeError::Internal(format!("`{text}` {fault}")))?;
            let query = query(caller, "sts:AssumeRole", resource, context.clone())?;
            let added = Added { session: Vec::new(), granted_by_owner: verdict.is_trusted() };
            answers.push((text, self.check_with(batch, query, added).await?));
        }
        outcome::judge("sts:AssumeRole", answers)
    }

    /// The view of a caller with a permanent key, who may use the action.
    async fn permanent(
        &self,
        caller: &Caller,
        name: &'static str,
        context: Context,
    ) -> Result<Arc<AccountView>, StsError> {
        if caller.session().is_some() {
            return Err(StsError::TempKeyNotAllowed);
        }
        let mut batch = self.begin(Asking::open(Surface::CamApi), None).await?;
        let query = query(caller, name, Resource::Star, context)?;
        let answer = self.check_with(&mut batch, query, Added::default()).await?;
        outcome::judge(name, vec![("*".to_owned(), answer)])?;
        let owner_uin = caller.owner_uin();
        let view = self.batch_view(&mut batch, owner_uin).await?;
        Ok(view.ok_or(NodeError::NoAccount { owner_uin })?)
    }

    /// Seals the credential. It ends no later than the session it is made from.
    fn make(&self, caller: &Caller, draft: Draft) -> Result<Credentials, StsError> {
        let Draft { kind, owner_uin, principal, name, duration_s, policies } = draft;
        let issued_at_ms = self.now().0;
        let duration_ms = i64::try_from(duration_s.saturating_mul(1_000)).unwrap_or(i64::MAX);
        let mut expires_at_ms = issued_at_ms.saturating_add(duration_ms);
        if let Some(session) = caller.session() {
            expires_at_ms = expires_at_ms.min(session.expires_at_ms());
        }
        let secret_id =
            generate_temporary_id().map_err(|error| NodeError::from(VaultError::from(error)))?;
        let claims = Claims {
            kind,
            owner_uin,
            principal,
            name,
            issuer: caller.issuer(),
            issued_at_ms,
            expires_at_ms,
            secret_id,
            policies,
            has_mfa: false,
            through: steps(caller)?,
        };
        let vault = self.vault()?;
        let token = match vault.seal_token(&claims) {
            Err(VaultError::TokenTooLong { bytes }) => {
                return Err(StsError::TokenTooLong { bytes });
            }
            sealed => sealed.map_err(NodeError::from)?,
        };
        let secret = vault.temporary_secret(&claims, &token);
        let secret = secret.ok_or_else(|| NodeError::Internal("no temporary secret".to_owned()))?;
        let Claims { secret_id, name, .. } = claims;
        Ok(Credentials { token, secret_id, secret, owner_uin, principal, name, expires_at_ms })
    }
}

/// The roles that the caller went through, its own included.
fn steps(caller: &Caller) -> Result<Vec<(u64, u64)>, StsError> {
    let Some(session) = caller.session() else { return Ok(Vec::new()) };
    let mut steps = session.claims().through.clone();
    if session.kind() == SessionKind::Role {
        steps.push((session.owner_uin(), session.principal()));
    }
    if steps.len() > ROLE_STEPS_MAX {
        return Err(StsError::TooManySteps);
    }
    Ok(steps)
}

fn query(
    caller: &Caller,
    action: &str,
    resource: Resource,
    context: Context,
) -> Result<CheckQuery, NodeError> {
    let action = action_name(action)?;
    Ok(CheckQuery { asker: caller.asker(), action, resource, context, accepts_filter: false })
}

fn action_name(name: &str) -> Result<ActionName, NodeError> {
    ActionName::parse(name).map_err(|fault| NodeError::Internal(format!("`{name}` {fault}")))
}

/// The caller as trust policies see it. Groups that were deleted mean nothing.
fn trust_caller(view: &AccountView, caller: &Caller) -> TrustCaller {
    let owner = view.snapshot.owner();
    let uin = caller.principal();
    let is_role = caller.session().is_some_and(|it| it.kind() == SessionKind::Role);
    let kind = if is_role {
        let name = view.state.role(RoleId(uin)).map(|role| role.name.clone());
        CallerKind::Role { name: name.unwrap_or_default() }
    } else {
        let user = view.state.sub_account(uin);
        let groups = user.into_iter().flat_map(|user| &user.groups);
        let live = groups.filter(|id| view.state.group(**id).is_some());
        CallerKind::User { groups: live.map(|id| id.0).collect() }
    };
    TrustCaller { owner, uin, kind }
}

fn trust_input(role: &Role) -> PolicyInput {
    let body = match &role.trust {
        PolicyBody::Readable(policy) => TrustBody::Valid(Arc::clone(policy)),
        PolicyBody::Unreadable { .. } => {
            TrustBody::Unreadable("the stored text is no trust policy".to_owned())
        }
    };
    PolicyInput { id: 0, name: role.name.as_str().into(), version: 1, body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_named_by_id_or_by_name() {
        let id = "qcs::cam::uin/12345678:role/4611686018427387904";
        let which = WhichRole::Id(1 << 62);
        assert_eq!(RoleName::parse(id), Some(RoleName { owner_uin: 12_345_678, which }));
        let name = "qcs::cam::uin/12345678:roleName/ops";
        let which = WhichRole::Name("ops".into());
        assert_eq!(RoleName::parse(name), Some(RoleName { owner_uin: 12_345_678, which }));
        for text in [
            "",
            "*",
            "qcs::cam:::role/4611686018427387904",
            "qcs::cam::uin/12345678:role/7",
            "qcs::cam::uin/12345678:role/x",
            "qcs::cam::uin/12345678:roleName/",
            "qcs::cam::uin/12345678:uin/4611686018427387904",
            "qcs::im::uin/12345678:role/4611686018427387904",
            "qcs::cam:gz:uin/12345678:roleName/ops",
        ] {
            assert_eq!(RoleName::parse(text), None, "{text}");
        }
    }
}
