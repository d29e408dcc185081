//! Who calls an API: a signature, checked against the key or the token that it names.
//!
//! The one way to a [`Caller`], so having one proves the signature. What is wrong with a key or a
//! token is not told apart: unknown, deleted, disabled and expired look the same to a stranger.

use std::sync::Arc;

use super::Node;
use super::asking::Asking;
use super::error::NodeError;
use super::query::Asker;
use super::sessions::Session;
use crate::authn::tc3::{self, RequestParts, SignedRequest, Tc3Error, Verified};
use crate::authn::vault::claims::Issuer;
use crate::directory::SecretId;

/// Who calls, proven.
#[derive(Debug, Clone)]
pub struct Caller {
    owner_uin: u64,
    principal: u64,
    secret_id: String,
    session: Option<Arc<Session>>,
}

/// Why a request is nobody's.
#[derive(Debug, thiserror::Error)]
pub enum CallerError {
    /// The signature or its headers.
    #[error("{0}")]
    Tc3(#[from] Tc3Error),
    /// The key is unknown, deleted or disabled.
    #[error("there is no active key `{secret_id}`: it was deleted or disabled, or is mistyped")]
    NoSuchKey {
        /// The id given.
        secret_id: String,
    },
    /// The token is no token, of another key, expired, or ended with what it goes back to.
    #[error("the token is wrong or has expired; get a new one")]
    Token,
    /// The node could not tell.
    #[error("{0}")]
    Node(#[from] NodeError),
}

impl CallerError {
    /// The official code (spec section 9.3); none for the node's own errors.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Tc3(error) => Some(error.code()),
            Self::NoSuchKey { .. } => Some("AuthFailure.SecretIdNotFound"),
            Self::Token => Some("AuthFailure.TokenFailure"),
            Self::Node(_) => None,
        }
    }
}

impl Caller {
    /// The account that the caller acts in.
    #[must_use]
    pub fn owner_uin(&self) -> u64 {
        self.owner_uin
    }

    /// Who acts: a uin, or a role's id.
    #[must_use]
    pub fn principal(&self) -> u64 {
        self.principal
    }

    /// The SecretId that signed, permanent or temporary.
    #[must_use]
    pub fn secret_id(&self) -> &str {
        &self.secret_id
    }

    /// The session, when the key is a temporary one.
    #[must_use]
    pub fn session(&self) -> Option<&Arc<Session>> {
        self.session.as_ref()
    }

    /// Whether the root account calls, itself or by a session that acts as it.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.principal == self.owner_uin
    }

    /// Whether a second factor was shown.
    #[must_use]
    pub fn has_mfa(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.claims().has_mfa)
    }

    /// When the credential ends, in milliseconds since 1970; none for a permanent key.
    #[must_use]
    pub fn expires_at_ms(&self) -> Option<i64> {
        self.session.as_ref().map(|session| session.expires_at_ms())
    }

    /// Who asks, for decisions.
    #[must_use]
    pub fn asker(&self) -> Asker {
        match &self.session {
            Some(session) => Asker::Session(Arc::clone(session)),
            None => Asker::Uin { uin: self.principal, owner_uin: Some(self.owner_uin) },
        }
    }

    /// The permanent key that the caller goes back to.
    pub(super) fn issuer(&self) -> Issuer {
        match &self.session {
            Some(session) => session.issuer().clone(),
            None => Issuer {
                owner_uin: self.owner_uin,
                uin: self.principal,
                secret_id: self.secret_id.clone(),
            },
        }
    }
}

impl Node {
    /// Proves who calls.
    ///
    /// # Errors
    /// What is wrong with the signature, the key or the token.
    pub async fn authenticate(
        &self,
        parts: &RequestParts<'_>,
        service: &str,
    ) -> Result<Caller, CallerError> {
        let signed = tc3::read(parts, service, self.now().0)?;
        let (caller, verified) = match signed.token() {
            None => self.by_key(signed).await?,
            Some(token) => {
                let session = self.standing_session(token).await?;
                by_session(signed, session)?
            }
        };
        // After the proof: what strangers send must not fill the guard.
        if let Some(guard) = &self.replays {
            guard.admit(&verified, self.now().0)?;
        }
        if caller.session.is_none()
            && let Some(id) = SecretId::parse(&caller.secret_id)
        {
            self.key_uses.note(id, self.now());
        }
        Ok(caller)
    }

    async fn by_key(&self, signed: SignedRequest) -> Result<(Caller, Verified), CallerError> {
        let secret_id = signed.secret_id().to_owned();
        let key = match SecretId::parse(&secret_id) {
            Some(id) => self.signing_key(id).await?,
            None => None,
        };
        let Some(key) = key else { return Err(CallerError::NoSuchKey { secret_id }) };
        let verified = signed.verify(&key.secret)?;
        let (owner_uin, principal) = (key.owner_uin, key.holder);
        Ok((Caller { owner_uin, principal, secret_id, session: None }, verified))
    }

    /// The session of a token, if it still stands.
    async fn standing_session(&self, token: &str) -> Result<Arc<Session>, CallerError> {
        let session = match self.open_session(token) {
            Err(NodeError::BadSessionToken) => return Err(CallerError::Token),
            opened => opened?,
        };
        let mut batch = self.begin(Asking::direct(), None).await?;
        if !self.stands(&mut batch, &session).await? {
            return Err(CallerError::Token);
        }
        Ok(session)
    }
}

fn by_session(
    signed: SignedRequest,
    session: Arc<Session>,
) -> Result<(Caller, Verified), CallerError> {
    if signed.secret_id() != session.secret_id() {
        return Err(CallerError::Token);
    }
    let verified = signed.verify(session.secret())?;
    let caller = Caller {
        owner_uin: session.owner_uin(),
        principal: session.principal(),
        secret_id: session.secret_id().to_owned(),
        session: Some(session),
    };
    Ok((caller, verified))
}
