//! Service callers: gateways, consoles and tools that call camgate itself, and what they may.
//!
//! A caller is known by a name in a certificate that was verified, or by a token, of which only a
//! digest is kept: tokens have 256 random bits, so a plain digest is not guessed back. Time is an
//! input. Whoever is not known is nobody, and what is not granted is refused. This is about who may
//! ask and administer; it says nothing about what a sub-account may do.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

/// Longest name of a caller.
pub const CALLER_NAME_CHARS_MAX: usize = 64;
/// Longest identity, description and note, in bytes.
pub const CALLER_TEXT_BYTES_MAX: usize = 512;
/// Most identities, tokens, accounts and services of one caller.
pub const CALLER_ITEMS_MAX: usize = 100;
/// Most callers of a store.
pub const CALLERS_MAX: usize = 10_000;

/// Accounts that a right is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Accounts {
    /// None: the right is not granted.
    #[default]
    None,
    /// These, by the uin of their root.
    Only(BTreeSet<u64>),
    /// All.
    All,
}

impl Accounts {
    /// Whether the account is one of them.
    #[must_use]
    pub fn has(&self, owner_uin: u64) -> bool {
        match self {
            Self::None => false,
            Self::Only(owners) => owners.contains(&owner_uin),
            Self::All => true,
        }
    }
}

/// What a caller may.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rights {
    /// Ask for decisions, by every protocol.
    pub check: Accounts,
    /// Ask why, with policies that are not stored, and who and what may.
    pub explain: Accounts,
    /// Only about actions of these services, for the two above; empty: of all.
    pub services: BTreeSet<String>,
    /// Read and change what is in accounts.
    pub administer: Accounts,
    /// Follow their changes.
    pub watch: Accounts,
    /// Export the store, and administer callers.
    pub operate: bool,
}

/// One of the rights, to be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// [`Rights::check`].
    Check,
    /// [`Rights::explain`].
    Explain,
    /// [`Rights::administer`].
    Administer,
    /// [`Rights::watch`].
    Watch,
    /// [`Rights::operate`].
    Operate,
}

impl Right {
    /// Its name, as in the API and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Explain => "explain",
            Self::Administer => "administer",
            Self::Watch => "watch",
            Self::Operate => "operate",
        }
    }
}

impl Rights {
    /// Whether the right is granted, whatever it is about.
    #[must_use]
    pub fn has_any(&self, right: Right) -> bool {
        match right {
            Right::Check => self.check != Accounts::None,
            Right::Explain => self.explain != Accounts::None,
            Right::Administer => self.administer != Accounts::None,
            Right::Watch => self.watch != Accounts::None,
            Right::Operate => self.operate,
        }
    }

    /// Whether the right is granted for an account.
    #[must_use]
    pub fn has(&self, right: Right, owner_uin: u64) -> bool {
        match right {
            Right::Check => self.check.has(owner_uin),
            Right::Explain => self.explain.has(owner_uin),
            Right::Administer => self.administer.has(owner_uin),
            Right::Watch => self.watch.has(owner_uin),
            Right::Operate => self.operate,
        }
    }

    /// Whether questions about a service's actions may be asked.
    #[must_use]
    pub fn has_service(&self, service: &str) -> bool {
        self.services.is_empty() || self.services.contains(service)
    }
}

/// The digest of a token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenDigest(pub [u8; 32]);

impl TokenDigest {
    /// The digest of a token's text.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest")
    }
}

/// A token, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceToken {
    /// Its id, which is no secret.
    pub id: String,
    /// Its digest.
    pub digest: TokenDigest,
    /// What it is for.
    pub note: String,
    /// When it was made, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// From when on it counts no more.
    pub expires_at_ms: Option<i64>,
}

/// A service that calls camgate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceCaller {
    /// Its name; unique in the store.
    pub name: String,
    /// For people.
    pub description: String,
    /// Names in certificates, by DNS or by URI.
    pub identities: BTreeSet<String>,
    /// Its tokens; several while they are being changed.
    pub tokens: Vec<ServiceToken>,
    /// What it may.
    pub rights: Rights,
}

/// What somebody shows to be known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proof {
    /// The names in the certificate, verified.
    pub identities: Arc<[String]>,
    /// The digest of the token.
    pub token: Option<TokenDigest>,
}

/// All callers, found by what they show.
#[derive(Debug, Default)]
pub struct CallerTable {
    by_identity: HashMap<String, Option<Arc<ServiceCaller>>>,
    by_token: HashMap<TokenDigest, (Arc<ServiceCaller>, Option<i64>)>,
}

impl CallerTable {
    /// A table of these.
    #[must_use]
    pub fn new(callers: Vec<ServiceCaller>) -> Self {
        let mut table = Self::default();
        for caller in callers.into_iter().map(Arc::new) {
            for identity in &caller.identities {
                let before = table.by_identity.insert(identity.clone(), Some(Arc::clone(&caller)));
                // Two writers made it so at once: whose it is nobody knows.
                if before.is_some() {
                    table.by_identity.insert(identity.clone(), None);
                }
            }
            for token in &caller.tokens {
                let found = (Arc::clone(&caller), token.expires_at_ms);
                table.by_token.insert(token.digest, found);
            }
        }
        table
    }

    /// Who shows this, at `now_ms` milliseconds since 1970. A token counts before a certificate:
    /// whoever sends one means it. One that is unknown or over is nobody's, whatever certificate
    /// comes with it.
    #[must_use]
    pub fn find(&self, proof: &Proof, now_ms: i64) -> Option<&Arc<ServiceCaller>> {
        if let Some(token) = &proof.token {
            let (caller, expires_at_ms) = self.by_token.get(token)?;
            return expires_at_ms.is_none_or(|end| now_ms < end).then_some(caller);
        }
        proof.identities.iter().find_map(|identity| self.by_identity.get(identity)?.as_ref())
    }
}

/// Why a caller is not taken as it is described.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallerFault {
    /// The name has another shape.
    #[error(
        "`{0}` is no name of a caller: 1 to {CALLER_NAME_CHARS_MAX} lower-case letters, digits, \
         `-`, `_` and `.`"
    )]
    Name(String),
    /// A text is too long, or empty where it must not be, or has control characters.
    #[error("`{field}` must have at most {CALLER_TEXT_BYTES_MAX} bytes, and no control characters")]
    Text {
        /// Which one.
        field: &'static str,
    },
    /// Too many of something.
    #[error("a caller has at most {CALLER_ITEMS_MAX} {what}: {actual} were given")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        actual: usize,
    },
}

impl ServiceCaller {
    /// Checks shapes and sizes.
    ///
    /// # Errors
    /// [`CallerFault`].
    pub fn check(&self) -> Result<(), CallerFault> {
        let Self { name, description, identities, tokens, rights } = self;
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
        if name.is_empty() || name.len() > CALLER_NAME_CHARS_MAX || !name.chars().all(is_plain) {
            return Err(CallerFault::Name(name.chars().take(CALLER_NAME_CHARS_MAX).collect()));
        }
        let is_text =
            |text: &str| text.len() <= CALLER_TEXT_BYTES_MAX && !text.chars().any(char::is_control);
        if !is_text(description) {
            return Err(CallerFault::Text { field: "description" });
        }
        if !identities.iter().all(|it| is_text(it) && !it.is_empty()) {
            return Err(CallerFault::Text { field: "identities" });
        }
        if !tokens.iter().all(|token| is_text(&token.note)) {
            return Err(CallerFault::Text { field: "note" });
        }
        let accounts = |of: &Accounts| match of {
            Accounts::Only(owners) => owners.len(),
            Accounts::None | Accounts::All => 0,
        };
        for (what, actual) in [
            ("identities", identities.len()),
            ("tokens", tokens.len()),
            ("services", rights.services.len()),
            ("accounts of a right", accounts(&rights.check)),
            ("accounts of a right", accounts(&rights.explain)),
            ("accounts of a right", accounts(&rights.administer)),
            ("accounts of a right", accounts(&rights.watch)),
        ] {
            if actual > CALLER_ITEMS_MAX {
                return Err(CallerFault::TooMany { what, actual });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(name: &str) -> ServiceCaller {
        ServiceCaller { name: name.to_owned(), ..ServiceCaller::default() }
    }

    fn token(id: &str, digest: TokenDigest, expires_at_ms: Option<i64>) -> ServiceToken {
        let (id, note) = (id.to_owned(), String::new());
        ServiceToken { id, digest, note, created_at_ms: 0, expires_at_ms }
    }

    #[test]
    fn tokens_are_found_by_digest_until_they_end() {
        let digest = TokenDigest::of;
        let tokens = vec![token("a", digest("old"), Some(100)), token("b", digest("new"), None)];
        let table = CallerTable::new(vec![ServiceCaller { tokens, ..caller("gate") }]);
        let shown = |text: &str| Proof { token: Some(TokenDigest::of(text)), ..Proof::default() };
        assert_eq!(table.find(&shown("old"), 99).unwrap().name, "gate");
        assert!(table.find(&shown("old"), 100).is_none());
        assert_eq!(table.find(&shown("new"), i64::MAX).unwrap().name, "gate");
        assert!(table.find(&shown("cgt_"), 0).is_none());
        assert!(table.find(&Proof::default(), 0).is_none());
    }

    #[test]
    fn certificates_are_found_by_name_and_a_bad_token_is_nobodys() {
        let identities = BTreeSet::from(["spiffe://im/gate".to_owned()]);
        let table = CallerTable::new(vec![ServiceCaller { identities, ..caller("gate") }]);
        let names: Arc<[String]> = Arc::new(["x".to_owned(), "spiffe://im/gate".to_owned()]);
        let shown = Proof { identities: Arc::clone(&names), token: None };
        assert_eq!(table.find(&shown, 0).unwrap().name, "gate");
        let wrong = Proof { identities: names, token: Some(TokenDigest::of("no")) };
        assert!(table.find(&wrong, 0).is_none());
        let both = ["a", "b"].map(|name| {
            let identities = BTreeSet::from(["spiffe://im/gate".to_owned()]);
            ServiceCaller { identities, ..caller(name) }
        });
        assert!(CallerTable::new(both.to_vec()).find(&shown, 0).is_none());
    }

    #[test]
    fn rights_are_what_was_granted() {
        let one = Accounts::Only(BTreeSet::from([1]));
        let services = BTreeSet::from(["im".to_owned()]);
        let rights =
            Rights { check: one, administer: Accounts::All, services, ..Rights::default() };
        assert!(rights.has(Right::Check, 1) && !rights.has(Right::Check, 2));
        assert!(rights.has(Right::Administer, 2) && !rights.has(Right::Watch, 1));
        assert!(!rights.has(Right::Operate, 1) && !rights.has_any(Right::Explain));
        assert!(rights.has_service("im") && !rights.has_service("cam"));
        assert!(Rights::default().has_service("cam"));
    }

    #[test]
    fn shapes_are_checked() {
        assert!(caller("im-gateway.1").check().is_ok());
        for name in ["", "A", "网关", "a b", &"a".repeat(65)] {
            assert!(matches!(caller(name).check(), Err(CallerFault::Name(_))), "{name}");
        }
        let long = ServiceCaller { description: "x".repeat(513), ..caller("a") };
        assert!(matches!(long.check(), Err(CallerFault::Text { field: "description" })));
        let owners = (0..101).collect();
        let rights = Rights { watch: Accounts::Only(owners), ..Rights::default() };
        let many = ServiceCaller { rights, ..caller("a") };
        assert!(matches!(many.check(), Err(CallerFault::TooMany { actual: 101, .. })));
    }
}
