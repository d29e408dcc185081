//! Console sessions: signing in with a password, and who holds a session afterwards.
//!
//! A session is sealed into its token and stored nowhere; every use asks whether its user still may
//! sign in with the same password. An unknown user costs as much time as a wrong password and gets
//! the same answer. It must never log a password or a token, nor say which part was wrong.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::sync::{OnceCell, Semaphore};
use tracing::info;
use zeroize::Zeroizing;

use super::Node;
use super::callers::CallerError;
use super::error::NodeError;
use super::query::BatchQuery;
use super::view::AccountView;
use crate::authn::password::{self, Password};
use crate::authn::vault::console::{ConsoleClaims, password_digest};
use crate::directory::SubAccount;

/// Attempts for one name at once, and how soon another one is granted after that.
const NAME_ATTEMPTS_MAX: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);
const NAME_ATTEMPT_EVERY: Duration = Duration::from_secs(30);
/// The same from one address. Many people may come from one.
const SOURCE_ATTEMPTS_MAX: NonZeroU32 = NonZeroU32::MIN.saturating_add(199);
const SOURCE_ATTEMPT_EVERY: Duration = Duration::from_millis(500);
/// Most names, and most addresses, that are counted at a time.
const COUNTED_MAX: usize = 100_000;
/// Passwords that are hashed at a time: each takes 19 MiB and a processor.
const HASHING_MAX: usize = 2;
/// Longest name that is looked up, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// Counts attempts and bounds the hashing.
pub(super) struct SignIns {
    by_name: DefaultKeyedRateLimiter<(u64, String)>,
    by_source: DefaultKeyedRateLimiter<IpAddr>,
    hashing: Arc<Semaphore>,
    /// The hash of a password that nobody has.
    nobodys_hash: OnceCell<String>,
}

impl fmt::Debug for SignIns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIns").field("names", &self.by_name.len()).finish_non_exhaustive()
    }
}

impl SignIns {
    pub(super) fn new() -> Self {
        let quota = |every: Duration, burst: NonZeroU32| {
            Quota::with_period(every).unwrap_or(Quota::per_second(burst)).allow_burst(burst)
        };
        Self {
            by_name: RateLimiter::keyed(quota(NAME_ATTEMPT_EVERY, NAME_ATTEMPTS_MAX)),
            by_source: RateLimiter::keyed(quota(SOURCE_ATTEMPT_EVERY, SOURCE_ATTEMPTS_MAX)),
            hashing: Arc::new(Semaphore::new(HASHING_MAX)),
            nobodys_hash: OnceCell::new(),
        }
    }

    /// Counts an attempt; false when it is one too many, or when too many are counted.
    fn admit(&self, owner_uin: u64, name: &str, source: IpAddr) -> bool {
        // A proxy on this machine speaks for everybody: it must not be locked out by one of them.
        let is_proxy = source.is_loopback();
        (is_proxy || admit(&self.by_source, &source))
            && admit(&self.by_name, &(owner_uin, name.to_owned()))
    }
}

fn admit<K: std::hash::Hash + Eq + Clone>(counted: &DefaultKeyedRateLimiter<K>, key: &K) -> bool {
    if counted.len() >= COUNTED_MAX {
        counted.retain_recent();
        counted.shrink_to_fit();
    }
    counted.len() < COUNTED_MAX && counted.check_key(key).is_ok()
}

/// A session that was just begun.
pub struct SignedIn {
    /// Who signed in.
    pub uin: u64,
    /// The token, for the browser's cookie.
    pub token: Zeroizing<String>,
    /// From when on it is nothing, in milliseconds since 1970.
    pub expires_at_ms: i64,
}

impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedIn").field("uin", &self.uin).finish_non_exhaustive()
    }
}

/// Why nobody is signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The account, the name or the password, or the user may not use consoles.
    #[error("the account, the name or the password is wrong, or this user may not sign in")]
    Wrong,
    /// The password was right and must be changed first.
    #[error("the password must be changed first: ask an administrator for a new one")]
    MustReset,
    /// Too many attempts.
    #[error("too many attempts: wait a minute and try again")]
    TooMany,
    /// The node could not tell.
    #[error("{0}")]
    Node(#[from] NodeError),
}

/// Who holds a console session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsoleSession {
    /// The account.
    pub owner_uin: u64,
    /// The sub-account in it.
    pub uin: u64,
    /// From when on it is nothing, in milliseconds since 1970.
    pub expires_at_ms: i64,
}

impl Node {
    /// Begins a console session. Roots have no password and cannot.
    ///
    /// # Errors
    /// [`SignInError`].
    pub async fn sign_in(
        &self,
        owner_uin: u64,
        name: &str,
        password: Zeroizing<String>,
        source: IpAddr,
    ) -> Result<SignedIn, SignInError> {
        let vault = self.vault()?;
        if name.len() > NAME_BYTES_MAX {
            return Err(SignInError::Wrong);
        }
        if !self.sign_ins.admit(owner_uin, name, source.to_canonical()) {
            info!(owner_uin, %source, "sign-in refused: too many attempts");
            return Err(SignInError::TooMany);
        }
        let view = self.view(owner_uin).await?;
        let user = view.as_ref().and_then(|view| view.state.sub_account_named(name));
        let hash = user.and_then(|user| usable_hash(user));
        let stored = match hash {
            Some(hash) => hash.to_owned(),
            None => self.nobodys_hash().await?,
        };
        let is_right = self.verify(password, stored.clone()).await?;
        let Some(user) = user.filter(|_| hash.is_some() && is_right) else {
            info!(owner_uin, %source, "sign-in refused");
            return Err(SignInError::Wrong);
        };
        if user.profile.need_reset_password {
            info!(owner_uin, uin = user.uin, %source, "sign-in refused: the password must change");
            return Err(SignInError::MustReset);
        }
        let issued_at_ms = self.now().0;
        let expires_at_ms = issued_at_ms.saturating_add(self.settings.console_session_ms);
        let claims = ConsoleClaims {
            owner_uin,
            uin: user.uin,
            issued_at_ms,
            expires_at_ms,
            password_digest: password_digest(&stored),
        };
        let token = Zeroizing::new(vault.seal_console(&claims).map_err(NodeError::from)?);
        info!(owner_uin, uin = user.uin, %source, "signed in");
        Ok(SignedIn { uin: user.uin, token, expires_at_ms })
    }

    /// Who holds a console session, if it still stands (rule D-28): until its time, as long as its
    /// user may sign in, and with the same password. What is decided in the same batch is decided
    /// about the same view of the account, so no decision outlives the session.
    ///
    /// # Errors
    /// [`CallerError::Token`], or what the node says.
    pub async fn console_session(
        &self,
        batch: &mut BatchQuery,
        token: &str,
    ) -> Result<ConsoleSession, CallerError> {
        let claims = self.vault()?.open_console(token).map_err(|_| CallerError::Token)?;
        let ConsoleClaims { owner_uin, uin, expires_at_ms, password_digest: digest, .. } = claims;
        let view = self.batch_view(batch, owner_uin).await?;
        let stands =
            self.now().0 < expires_at_ms && view.is_some_and(|view| stands(&view, uin, digest));
        match stands {
            true => Ok(ConsoleSession { owner_uin, uin, expires_at_ms }),
            false => Err(CallerError::Token),
        }
    }

    async fn nobodys_hash(&self) -> Result<String, NodeError> {
        let make = async || {
            let password = Password::generate().map_err(|error| error.to_string());
            let password = password.map_err(NodeError::Internal)?;
            let hash = super::passwords::hash_password(password).await?;
            Ok::<String, NodeError>(hash.0)
        };
        self.sign_ins.nobodys_hash.get_or_try_init(make).await.cloned()
    }

    async fn verify(&self, given: Zeroizing<String>, stored: String) -> Result<bool, NodeError> {
        bounded(&self.sign_ins.hashing, move || password::verify(&given, &stored)).await
    }
}

/// Runs slow work on a thread of its own, as many at a time as there are permits. The work keeps
/// its permit until it is done: whoever hangs up early makes no room for another.
async fn bounded<T: Send + 'static>(
    permits: &Arc<Semaphore>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NodeError> {
    let internal = |error: &dyn fmt::Display| NodeError::Internal(error.to_string());
    let permit = Arc::clone(permits).acquire_owned().await.map_err(|error| internal(&error))?;
    let run = move || {
        let made = work();
        drop(permit);
        made
    };
    tokio::task::spawn_blocking(run).await.map_err(|error| internal(&error))
}

/// The stored hash of a user who may sign in.
fn usable_hash(user: &SubAccount) -> Option<&str> {
    let may = user.kind.is_principal() && user.profile.console_login;
    user.profile.password_hash.as_ref().filter(|_| may).map(|hash| hash.0.as_str())
}

fn stands(view: &AccountView, uin: u64, digest: [u8; 32]) -> bool {
    let user = view.state.sub_account(uin);
    let hash = user.and_then(|user| usable_hash(user));
    let must_reset = user.is_some_and(|user| user.profile.need_reset_password);
    !must_reset && hash.is_some_and(|hash| password_digest(hash) == digest)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn work_keeps_its_permit_when_nobody_waits_for_it_any_more() {
        let permits = Arc::new(Semaphore::new(1));
        let (begun, has_begun) = mpsc::channel::<()>();
        let (finish, may_finish) = mpsc::channel::<()>();
        let work = move || {
            begun.send(()).unwrap();
            may_finish.recv().unwrap();
        };
        let asked = tokio::spawn({
            let permits = Arc::clone(&permits);
            async move { bounded(&permits, work).await }
        });
        tokio::task::spawn_blocking(move || has_begun.recv().unwrap()).await.unwrap();
        asked.abort();
        assert!(asked.await.unwrap_err().is_cancelled());
        assert_eq!(permits.available_permits(), 0, "the work is still under way");
        finish.send(()).unwrap();
        assert_eq!(bounded(&permits, || 7).await.unwrap(), 7);
        assert_eq!(permits.available_permits(), 1);
    }
}
