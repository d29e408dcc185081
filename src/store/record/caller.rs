//! The record of a service caller.

use std::collections::BTreeSet;

use prost::Message;

use super::decode::{Decoded, check_format, check_key, message};
use super::{FORMAT, RecordProblem};
use crate::directory::service_caller::{
    Accounts, Rights, ServiceCaller, ServiceToken, TokenDigest,
};
use crate::store::proto;

/// The bytes of the record of a service caller.
#[must_use]
pub fn encode_caller(caller: &ServiceCaller) -> Vec<u8> {
    let ServiceCaller { name, description, identities, tokens, rights } = caller;
    let Rights { check, explain, services, administer, watch, operate } = rights;
    let token = |token: &ServiceToken| {
        let ServiceToken { id, digest, note, created_at_ms, expires_at_ms } = token;
        proto::ServiceToken {
            id: id.clone(),
            digest: digest.0.to_vec(),
            note: note.clone(),
            created_at_ms: *created_at_ms,
            expires_at_ms: *expires_at_ms,
        }
    };
    let rights = proto::ServiceRights {
        check: encode_accounts(check),
        explain: encode_accounts(explain),
        services: services.iter().cloned().collect(),
        administer: encode_accounts(administer),
        watch: encode_accounts(watch),
        operate: *operate,
    };
    let message = proto::ServiceCaller {
        format: FORMAT,
        name: name.clone(),
        description: description.clone(),
        identities: identities.iter().cloned().collect(),
        tokens: tokens.iter().map(token).collect(),
        rights: Some(rights),
    };
    message.encode_to_vec()
}

fn encode_accounts(accounts: &Accounts) -> Option<proto::RightAccounts> {
    match accounts {
        Accounts::None => None,
        Accounts::Only(owners) => {
            let owner_uins = owners.iter().copied().collect();
            Some(proto::RightAccounts { all: false, owner_uins })
        }
        Accounts::All => Some(proto::RightAccounts { all: true, owner_uins: Vec::new() }),
    }
}

pub(super) fn decode(expected: &str, value: &[u8]) -> Decoded<ServiceCaller> {
    let proto::ServiceCaller { format, name, description, identities, tokens, rights } =
        message(value)?;
    check_format(format)?;
    check_key("name", expected, name.as_str())?;
    let tokens: Decoded<Vec<ServiceToken>> = tokens.into_iter().map(decode_token).collect();
    let rights = rights.ok_or(RecordProblem::BadField("rights"))?;
    let proto::ServiceRights { check, explain, services, administer, watch, operate } = rights;
    let rights = Rights {
        check: decode_accounts(check)?,
        explain: decode_accounts(explain)?,
        services: services.into_iter().collect(),
        administer: decode_accounts(administer)?,
        watch: decode_accounts(watch)?,
        operate,
    };
    let identities = identities.into_iter().collect();
    Ok(ServiceCaller { name, description, identities, tokens: tokens?, rights })
}

fn decode_token(token: proto::ServiceToken) -> Decoded<ServiceToken> {
    let proto::ServiceToken { id, digest, note, created_at_ms, expires_at_ms } = token;
    let digest = digest.try_into().map_err(|_| RecordProblem::BadField("digest"))?;
    Ok(ServiceToken { id, digest: TokenDigest(digest), note, created_at_ms, expires_at_ms })
}

fn decode_accounts(accounts: Option<proto::RightAccounts>) -> Decoded<Accounts> {
    match accounts {
        None => Ok(Accounts::None),
        Some(proto::RightAccounts { all: true, owner_uins }) if owner_uins.is_empty() => {
            Ok(Accounts::All)
        }
        Some(proto::RightAccounts { all: false, owner_uins }) if !owner_uins.is_empty() => {
            Ok(Accounts::Only(owner_uins.into_iter().collect::<BTreeSet<_>>()))
        }
        // Neither all nor some, or both: who wrote it meant something else.
        Some(_) => Err(RecordProblem::BadField("accounts")),
    }
}
