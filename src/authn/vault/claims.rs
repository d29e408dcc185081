//! The claims of a session token: who acts, for whom it was made, until when, and within what.
//!
//! Only the vault turns them into a token and back; so claims that came out of a token are ones
//! that this store once sealed. Whether they still hold is the node's to say.

use prost::Message as _;
use zeroize::Zeroizing;

use super::proto;

const FORMAT: u32 = 1;
/// Most session policies of one token.
pub const SESSION_POLICIES_MAX: usize = 4;
/// Most roles that a session may have gone through.
pub const ROLE_STEPS_MAX: usize = 4;

/// How a session came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionKind {
    /// `AssumeRole`: acts as a role.
    Role,
    /// `GetFederationToken`: acts as the issuer, within its policies.
    Federation,
    /// `GetSessionToken`: acts as the issuer.
    Session,
}

/// The inside of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// How it came to be.
    pub kind: SessionKind,
    /// The account that it acts in.
    pub owner_uin: u64,
    /// Who acts: a role's id, or a uin.
    pub principal: u64,
    /// The session's name.
    pub name: String,
    /// Whose permanent key the session goes back to.
    pub issuer: Issuer,
    /// When it was made, in milliseconds since 1970.
    pub issued_at_ms: i64,
    /// From when on it is nothing, in milliseconds since 1970.
    pub expires_at_ms: i64,
    /// The id of its temporary key.
    pub secret_id: String,
    /// Session policies, as text: each must allow (rule D-10).
    pub policies: Vec<String>,
    /// Whether a second factor was shown.
    pub has_mfa: bool,
    /// The roles that its maker went through, first one first: owner and role id.
    pub through: Vec<(u64, u64)>,
}

/// The holder of the permanent key that a session goes back to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Issuer {
    /// Its account.
    pub owner_uin: u64,
    /// Its uin.
    pub uin: u64,
    /// The key's id.
    pub secret_id: String,
}

impl Claims {
    /// The bytes to seal.
    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let claims = self.clone();
        let kind = match claims.kind {
            SessionKind::Role => 1,
            SessionKind::Federation => 2,
            SessionKind::Session => 3,
        };
        let step = |(owner_uin, role_id)| proto::RoleStep { owner_uin, role_id };
        let message = proto::Claims {
            format: FORMAT,
            kind,
            owner_uin: claims.owner_uin,
            principal: claims.principal,
            name: claims.name,
            issuer_owner_uin: claims.issuer.owner_uin,
            issuer_uin: claims.issuer.uin,
            issuer_secret_id: claims.issuer.secret_id,
            issued_at_ms: claims.issued_at_ms,
            expires_at_ms: claims.expires_at_ms,
            secret_id: claims.secret_id,
            policies: claims.policies,
            mfa: claims.has_mfa,
            through: claims.through.into_iter().map(step).collect(),
        };
        Zeroizing::new(message.encode_to_vec())
    }

    /// Reads what was sealed; none when another version sealed it.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let proto::Claims {
            format: _,
            kind,
            owner_uin,
            principal,
            name,
            issuer_owner_uin,
            issuer_uin,
            issuer_secret_id,
            issued_at_ms,
            expires_at_ms,
            secret_id,
            policies,
            mfa,
            through,
        } = proto::Claims::decode(bytes).ok().filter(|claims| claims.format == FORMAT)?;
        let kind = match kind {
            1 => SessionKind::Role,
            2 => SessionKind::Federation,
            3 => SessionKind::Session,
            _ => return None,
        };
        let issuer =
            Issuer { owner_uin: issuer_owner_uin, uin: issuer_uin, secret_id: issuer_secret_id };
        let through = through.into_iter().map(|step| (step.owner_uin, step.role_id)).collect();
        let has_mfa = mfa;
        let claims = Self {
            kind,
            owner_uin,
            principal,
            name,
            issuer,
            issued_at_ms,
            expires_at_ms,
            secret_id,
            policies,
            has_mfa,
            through,
        };
        claims.is_bounded().then_some(claims)
    }

    fn is_bounded(&self) -> bool {
        self.policies.len() <= SESSION_POLICIES_MAX && self.through.len() <= ROLE_STEPS_MAX
    }
}
