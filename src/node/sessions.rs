//! Sessions: what a temporary credential's token says, and whether it still holds.
//!
//! A token is opened and its policies are compiled once, and kept in a bounded cache; whether the
//! session still stands is asked at every use (rule D-27): it ends with its time, and at once with
//! the role, the user or the key that it goes back to. It must never answer from a token alone.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::Node;
use super::bounded::BoundedCache;
use super::error::NodeError;
use super::meters::Lookups;
use super::query::BatchQuery;
use super::view::AccountView;
use super::vitals::CacheVitals;
use crate::authn::secret::SecretKey;
use crate::authn::vault::claims::{Claims, Issuer, SessionKind};
use crate::catalog::Catalog;
use crate::directory::{KeyStatus, RoleId, SecretId, SubAccountKind};
use crate::engine::{CompiledPolicy, PolicyBody, PolicyInput};
use crate::lang;

/// An opened token.
pub struct Session {
    claims: Claims,
    secret: SecretKey,
    /// The session policies; each must allow (rule D-10).
    pub(super) policies: Vec<Arc<CompiledPolicy>>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Claims { kind, owner_uin, principal, name, .. } = &self.claims;
        f.debug_struct("Session")
            .field("kind", kind)
            .field("owner_uin", owner_uin)
            .field("principal", principal)
            .field("name", name)
            .finish_non_exhaustive()
    }
}

impl Session {
    fn new(claims: Claims, secret: SecretKey, catalog: &Catalog) -> Self {
        let texts = claims.policies.iter().enumerate();
        let policies = texts.map(|(place, text)| Arc::new(session_policy(place, text, catalog)));
        let policies = policies.collect();
        Self { claims, secret, policies }
    }

    /// How it came to be.
    #[must_use]
    pub fn kind(&self) -> SessionKind {
        self.claims.kind
    }

    /// The account that it acts in.
    #[must_use]
    pub fn owner_uin(&self) -> u64 {
        self.claims.owner_uin
    }

    /// Who acts: a role's id, or a uin (rules D-25, D-26).
    #[must_use]
    pub fn principal(&self) -> u64 {
        self.claims.principal
    }

    /// The name that its maker gave it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.claims.name
    }

    /// Whose permanent key it goes back to.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.claims.issuer
    }

    /// The id of its temporary key.
    #[must_use]
    pub fn secret_id(&self) -> &str {
        &self.claims.secret_id
    }

    /// The secret of its temporary key.
    #[must_use]
    pub fn secret(&self) -> &SecretKey {
        &self.secret
    }

    /// From when on it is nothing, in milliseconds since 1970.
    #[must_use]
    pub fn expires_at_ms(&self) -> i64 {
        self.claims.expires_at_ms
    }

    pub(super) fn claims(&self) -> &Claims {
        &self.claims
    }
}

/// A policy that was checked when it was sealed; should it not be readable any more, every decision
/// of the session is a deny (rule D-05).
pub(super) fn session_policy(place: usize, text: &str, catalog: &Catalog) -> CompiledPolicy {
    let body = match lang::load(text.as_bytes()) {
        Ok(policy) => PolicyBody::Valid(Arc::new(policy)),
        Err(findings) => PolicyBody::Unreadable(
            findings.first().map_or_else(String::new, |finding| finding.message.clone()),
        ),
    };
    let id = u64::try_from(place).unwrap_or(u64::MAX);
    let name = format!("session[{place}]").into();
    CompiledPolicy::new(PolicyInput { id, name, version: 1, body }, catalog)
}

/// The opened tokens, by the hash of their text.
#[derive(Debug)]
pub(super) struct Sessions {
    cache: BoundedCache<[u8; 32], Arc<Session>>,
    lookups: Lookups,
}

impl Sessions {
    pub(super) fn new(entries_max: usize) -> Self {
        let entries_max = u64::try_from(entries_max).unwrap_or(u64::MAX);
        Self { cache: BoundedCache::new(entries_max), lookups: Lookups::default() }
    }

    pub(super) fn vitals(&self) -> CacheVitals {
        CacheVitals::new(&self.lookups, self.cache.len())
    }
}

impl Node {
    /// Opens a token. Says nothing about whether the session still stands: every question does.
    ///
    /// # Errors
    /// [`NodeError::BadSessionToken`] for whatever this store did not seal,
    /// [`NodeError::NoMasterKey`].
    pub fn open_session(&self, token: &str) -> Result<Arc<Session>, NodeError> {
        let vault = self.vault()?;
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let found = self.sessions.cache.get(&hash);
        self.sessions.lookups.count(found.is_some());
        if let Some(session) = found {
            return Ok(session);
        }
        let claims = vault.open_token(token).map_err(|_| NodeError::BadSessionToken)?;
        let secret = vault.temporary_secret(&claims, token).ok_or(NodeError::BadSessionToken)?;
        let session = Arc::new(Session::new(claims, secret, &self.catalog));
        self.sessions.cache.insert(hash, Arc::clone(&session));
        Ok(session)
    }

    /// Whether a session still counts (rule D-27).
    ///
    /// # Errors
    /// When an account cannot be read.
    pub(super) async fn stands(
        &self,
        batch: &mut BatchQuery,
        session: &Session,
    ) -> Result<bool, NodeError> {
        let claims = session.claims();
        if self.now().0 >= claims.expires_at_ms {
            return Ok(false);
        }
        let Some(view) = self.batch_view(batch, claims.owner_uin).await? else { return Ok(false) };
        let acts = match claims.kind {
            SessionKind::Role => has_role(&view, claims.principal),
            SessionKind::Federation | SessionKind::Session => has_user(&view, claims.principal),
        };
        if !acts || !self.issuer_stands(batch, &claims.issuer).await? {
            return Ok(false);
        }
        for (owner_uin, role_id) in &claims.through {
            let view = self.batch_view(batch, *owner_uin).await?;
            if !view.is_some_and(|view| has_role(&view, *role_id)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The key must be there, active, and its holder's.
    async fn issuer_stands(
        &self,
        batch: &mut BatchQuery,
        issuer: &Issuer,
    ) -> Result<bool, NodeError> {
        let Some(view) = self.batch_view(batch, issuer.owner_uin).await? else {
            return Ok(false);
        };
        let key = SecretId::parse(&issuer.secret_id).and_then(|id| view.state.access_key(id));
        let is_usable =
            key.is_some_and(|key| key.holder == issuer.uin && key.status == KeyStatus::Active);
        Ok(is_usable && has_user(&view, issuer.uin))
    }
}

fn has_role(view: &AccountView, id: u64) -> bool {
    view.state.role(RoleId(id)).is_some()
}

/// The root, or a sub-account that can be a principal (rule D-12).
pub(super) fn has_user(view: &AccountView, uin: u64) -> bool {
    let is_root = view.state.owner().is_some_and(|owner| owner.uin == uin);
    let user = view.state.sub_account(uin);
    is_root || user.is_some_and(|user| user.kind != SubAccountKind::MessageRecipient)
}
