//! Service callers between messages and values.

use super::objects::timestamp;
use crate::directory::UnixMillis;
use crate::directory::service_caller::{Accounts, Rights, ServiceCaller, ServiceToken};
use crate::node::NodeError;
use crate::service::proto;

/// A caller as the API shows it: never its tokens' digests.
pub(crate) fn caller(caller: &ServiceCaller) -> proto::ServiceCaller {
    let ServiceCaller { name, description, identities, tokens, rights } = caller;
    let Rights { check, explain, services, administer, watch, operate } = rights;
    proto::ServiceCaller {
        name: name.clone(),
        description: description.clone(),
        identities: identities.iter().cloned().collect(),
        rights: Some(proto::CallerRights {
            check: scope(check),
            explain: scope(explain),
            administer: scope(administer),
            watch: scope(watch),
            services: services.iter().cloned().collect(),
            operate: *operate,
        }),
        tokens: tokens.iter().map(token).collect(),
    }
}

fn token(token: &ServiceToken) -> proto::CallerToken {
    let ServiceToken { id, digest: _, note, created_at_ms, expires_at_ms } = token;
    proto::CallerToken {
        id: id.clone(),
        note: note.clone(),
        created_at: timestamp(UnixMillis(*created_at_ms)),
        expires_at: expires_at_ms.and_then(|end| timestamp(UnixMillis(end))),
    }
}

fn scope(accounts: &Accounts) -> Option<proto::RightScope> {
    match accounts {
        Accounts::None => None,
        Accounts::Only(owners) => {
            let owner_uins = owners.iter().copied().collect();
            Some(proto::RightScope { all_accounts: false, owner_uins })
        }
        Accounts::All => Some(proto::RightScope { all_accounts: true, owner_uins: Vec::new() }),
    }
}

/// A caller as it is asked for.
///
/// # Errors
/// [`NodeError::BadField`].
pub(crate) fn read_caller(
    caller: Option<proto::ServiceCaller>,
) -> Result<ServiceCaller, NodeError> {
    let caller = caller.ok_or_else(|| bad("caller", "is missing"))?;
    let proto::ServiceCaller { name, description, identities, rights, tokens } = caller;
    if !tokens.is_empty() {
        return Err(bad("caller.tokens", "is for answers only: make tokens by themselves"));
    }
    let proto::CallerRights { check, explain, administer, watch, services, operate } =
        rights.unwrap_or_default();
    let rights = Rights {
        check: read_scope("check", check)?,
        explain: read_scope("explain", explain)?,
        services: services.into_iter().collect(),
        administer: read_scope("administer", administer)?,
        watch: read_scope("watch", watch)?,
        operate,
    };
    let identities = identities.into_iter().collect();
    Ok(ServiceCaller { name, description, identities, tokens: Vec::new(), rights })
}

fn read_scope(right: &str, scope: Option<proto::RightScope>) -> Result<Accounts, NodeError> {
    let field = format!("caller.rights.{right}");
    match scope {
        None => Ok(Accounts::None),
        Some(proto::RightScope { all_accounts: true, owner_uins }) if owner_uins.is_empty() => {
            Ok(Accounts::All)
        }
        Some(proto::RightScope { all_accounts: false, owner_uins }) if !owner_uins.is_empty() => {
            Ok(Accounts::Only(owner_uins.into_iter().collect()))
        }
        Some(_) => Err(bad(&field, "must have either `all_accounts` or `owner_uins`")),
    }
}

/// When a token ends, in milliseconds since 1970; it must be later than now.
///
/// # Errors
/// [`NodeError::BadField`].
pub(in crate::service) fn expiry(
    expires_at: Option<prost_types::Timestamp>,
    now_ms: i64,
) -> Result<Option<i64>, NodeError> {
    let Some(prost_types::Timestamp { seconds, nanos }) = expires_at else { return Ok(None) };
    let expires_at_ms = seconds
        .checked_mul(1_000)
        .and_then(|ms| ms.checked_add(i64::from(nanos).div_euclid(1_000_000)));
    match expires_at_ms {
        Some(end) if end > now_ms => Ok(Some(end)),
        Some(_) | None => Err(bad("expires_at", "must be later than now")),
    }
}

fn bad(field: &str, problem: &str) -> NodeError {
    NodeError::BadField { field: field.to_owned(), problem: problem.to_owned() }
}
