//! Administering service callers: on a running node, and on a store that none has open.
//!
//! Each change is one commit of one record, with its entry in the operator's change log, under the
//! precondition that nobody else has changed any. Nothing here is changed without a trace.

use std::collections::BTreeMap;

use super::error::NodeError;
use super::operator::{self, OperatorChange, Trace};
use super::{Node, change_log, records};
use crate::audit::RecordBytes;
use crate::authn::random::NoEntropy;
use crate::authn::service_token::NewToken;
use crate::directory::service_caller::{
    CALLERS_MAX, CallerFault, ServiceCaller, ServiceToken, TokenDigest,
};
use crate::store::{Commit, Revision, Store, StoreError};

/// How often a change is tried when others change the same caller.
const ATTEMPTS_MAX: u32 = 16;

/// Why a change of callers is refused.
#[derive(Debug, thiserror::Error)]
pub enum CallersError {
    /// The name is taken.
    #[error("caller `{0}` exists already: choose another name, or change that one")]
    Exists(String),
    /// There is none of that name.
    #[error("caller `{0}` does not exist: `camgate caller list` shows all")]
    NotFound(String),
    /// It has no such token.
    #[error("caller `{caller}` has no token `{id}`: `camgate caller list` shows all")]
    NoToken {
        /// The caller.
        caller: String,
        /// The token's id.
        id: String,
    },
    /// An identity is another caller's.
    #[error("the identity `{identity}` is caller `{by}`'s: one identity is one caller's")]
    IdentityTaken {
        /// The identity.
        identity: String,
        /// Whose it is.
        by: String,
    },
    /// It is not described well.
    #[error("{0}")]
    Fault(#[from] CallerFault),
    /// There are too many.
    #[error("there are {CALLERS_MAX} callers, which is the most: delete one first")]
    TooMany,
    /// No token can be made.
    #[error("{0}")]
    NoEntropy(#[from] NoEntropy),
}

/// All callers, by name.
///
/// # Errors
/// When the store cannot be read, or one of them, or they are not those that were committed.
pub async fn list_callers(store: &dyn Store) -> Result<Vec<ServiceCaller>, NodeError> {
    let operator = operator::read(store).await?;
    match operator.problem {
        Some(problem) => Err(problem),
        None => operator.callers.iter().map(records::decode_caller).collect(),
    }
}

/// What a change is called in the log when the callers before it were not those that were counted:
/// it counts anew what it finds.
const RECOUNT: &str = "RecountCallers";

/// Changes one caller; `change` gets it as it is, if it is, and says how it shall be, if at all.
async fn change(
    store: &dyn Store,
    trace: &Trace,
    operation: &'static str,
    name: &str,
    change: impl Fn(Option<ServiceCaller>) -> Result<Option<ServiceCaller>, CallersError>,
) -> Result<Revision, NodeError> {
    let key = records::caller_key(name);
    for _ in 0..ATTEMPTS_MAX {
        let mut operator = operator::read(store).await?;
        let entries = &operator.callers;
        // One that cannot be read is nobody, and must not keep others from being revoked.
        let others: Vec<_> =
            entries.iter().filter_map(|entry| records::decode_caller(entry).ok()).collect();
        let entry = entries.iter().find(|entry| entry.key == key).cloned();
        let now = entry.as_ref().map(records::decode_caller).transpose()?;
        let is_new = now.is_none();
        let next = change(now)?;
        let mut after: BTreeMap<Vec<u8>, Vec<u8>> =
            entries.iter().map(|entry| (entry.key.clone(), entry.value.clone())).collect();
        let commit = match &entry {
            Some(entry) => Commit::new().require_at(key.clone(), entry.revision),
            None => Commit::new().require_absent(key.clone()),
        };
        let (commit, value) = match &next {
            Some(next) => {
                next.check().map_err(CallersError::from)?;
                check_others(next, is_new, &others)?;
                let value = records::encode_caller(next);
                after.insert(key.clone(), value.clone());
                (commit.put(key.clone(), value.clone()), Some(value))
            }
            None => {
                after.remove(&key);
                (commit.delete(key.clone()), None)
            }
        };
        let operations: &[&str] =
            if operator.problem.is_some() { &[operation, RECOUNT] } else { &[operation] };
        let before = entry.map(|entry| entry.value);
        let change = OperatorChange {
            operations,
            records: vec![RecordBytes { key: key.clone(), before, after: value }],
            census: Some(records::count(&after)),
            trace,
        };
        match store.commit(operator.log(commit, change)).await {
            Err(StoreError::Conflict { key }) => {
                if let Some(fault) = change_log::written_over(&key) {
                    return Err(fault);
                }
            }
            done => return Ok(done?),
        }
    }
    Err(StoreError::Unavailable { detail: "others keep changing callers".to_owned() }.into())
}

fn check_others(
    next: &ServiceCaller,
    is_new: bool,
    others: &[ServiceCaller],
) -> Result<(), CallersError> {
    if is_new && others.len() >= CALLERS_MAX {
        return Err(CallersError::TooMany);
    }
    for other in others.iter().filter(|other| other.name != next.name) {
        if let Some(identity) = next.identities.intersection(&other.identities).next() {
            let (identity, by) = (identity.clone(), other.name.clone());
            return Err(CallersError::IdentityTaken { identity, by });
        }
    }
    Ok(())
}

fn existing(name: &str, found: Option<ServiceCaller>) -> Result<ServiceCaller, CallersError> {
    found.ok_or_else(|| CallersError::NotFound(name.to_owned()))
}

/// Makes a caller, without tokens.
///
/// # Errors
/// [`CallersError::Exists`] and what else is wrong with it.
pub async fn create_caller(
    store: &dyn Store,
    trace: &Trace,
    caller: &ServiceCaller,
) -> Result<Revision, NodeError> {
    change(store, trace, "CreateCaller", &caller.name, |found| match found {
        Some(_) => Err(CallersError::Exists(caller.name.clone())),
        None => Ok(Some(ServiceCaller { tokens: Vec::new(), ..caller.clone() })),
    })
    .await
}

/// Gives a caller another description, other identities and other rights; its tokens stay.
///
/// # Errors
/// [`CallersError::NotFound`] and what else is wrong with it.
pub async fn update_caller(
    store: &dyn Store,
    trace: &Trace,
    caller: &ServiceCaller,
) -> Result<Revision, NodeError> {
    change(store, trace, "UpdateCaller", &caller.name, |found| {
        let tokens = existing(&caller.name, found)?.tokens;
        Ok(Some(ServiceCaller { tokens, ..caller.clone() }))
    })
    .await
}

/// Deletes a caller: from now on it is nobody, on its open connections too.
///
/// # Errors
/// [`CallersError::NotFound`].
pub async fn delete_caller(
    store: &dyn Store,
    trace: &Trace,
    name: &str,
) -> Result<Revision, NodeError> {
    change(store, trace, "DeleteCaller", name, |found| existing(name, found).map(|_| None)).await
}

/// Gives a caller a token more. The end is in milliseconds since 1970; without one it counts until
/// it is taken away.
///
/// # Errors
/// [`CallersError::NotFound`], and when it has too many.
pub async fn create_token(
    store: &dyn Store,
    trace: &Trace,
    name: &str,
    note: &str,
    expires_at_ms: Option<i64>,
) -> Result<(NewToken, Revision), NodeError> {
    let token = NewToken::generate().map_err(CallersError::from)?;
    let created_at_ms = trace.at.0;
    let revision = change(store, trace, "CreateCallerToken", name, |found| {
        let mut caller = existing(name, found)?;
        caller.tokens.push(ServiceToken {
            id: token.id.clone(),
            digest: TokenDigest::of(token.expose()),
            note: note.to_owned(),
            created_at_ms,
            expires_at_ms,
        });
        Ok(Some(caller))
    });
    let revision = revision.await?;
    Ok((token, revision))
}

/// Takes one of its tokens from a caller.
///
/// # Errors
/// [`CallersError::NotFound`] and [`CallersError::NoToken`].
pub async fn delete_token(
    store: &dyn Store,
    trace: &Trace,
    name: &str,
    id: &str,
) -> Result<Revision, NodeError> {
    change(store, trace, "DeleteCallerToken", name, |found| {
        let mut caller = existing(name, found)?;
        let before = caller.tokens.len();
        caller.tokens.retain(|token| token.id != id);
        if caller.tokens.len() == before {
            return Err(CallersError::NoToken { caller: name.to_owned(), id: id.to_owned() });
        }
        Ok(Some(caller))
    })
    .await
}

impl Node {
    /// The store, for changes of callers; none while a node runs that could not read them.
    ///
    /// # Errors
    /// [`NodeError::OlderNodes`].
    pub(crate) fn callers_store(&self) -> Result<&dyn Store, NodeError> {
        self.check_writable()?;
        Ok(&*self.store)
    }

    /// Waits until a change of callers counts here.
    ///
    /// # Errors
    /// [`NodeError::NotVisible`].
    pub(crate) async fn callers_visible(&self, revision: Revision) -> Result<(), NodeError> {
        let waited_ms = self.settings.visible_wait_ms;
        if self.wait_applied(revision, waited_ms).await {
            return Ok(());
        }
        Err(NodeError::NotVisible { revision: revision.0, waited_ms })
    }
}
