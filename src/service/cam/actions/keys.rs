//! Access keys: made, shown once, switched, deleted.
//!
//! A secret leaves the server in the one answer that creates it, and is stored sealed. Sub-accounts
//! never touch the root's keys.

use serde_json::{Value, json};

use super::objects::{date, time, unix_seconds};
use super::{Change, Look, Made, change, fields, look, no_such, not_built, not_found, write};
use crate::directory::{
    AccessKey, AccountState, Command, CreateAccessKey, DeleteAccessKey, KeyStatus, Noun, SecretId,
    UpdateAccessKey,
};
use crate::node::{NewKey, NodeError};
use crate::service::cam::Call;
use crate::service::cam::envelope::Done;
use crate::service::cam::error::CamError;
use crate::service::status;

pub(super) async fn run(call: &Call<'_>) -> Result<Done, CamError> {
    match call.action.name.as_str() {
        "CreateAccessKey" => create(call).await,
        "UpdateAccessKey" => update(call).await,
        "DeleteAccessKey" => delete(call).await,
        "ListAccessKeys" => list(call).await,
        "GetSecurityLastUsed" => last_used(call).await,
        _ => Err(not_built(call)),
    }
}

/// A new key for the caller's account, not stored yet.
pub(super) fn new_key(call: &Call<'_>) -> Result<NewKey, CamError> {
    call.node.new_key(call.caller.owner_uin).map_err(status::cam)
}

/// The command that stores a key.
pub(super) fn create_command(key: &NewKey, holder: u64, description: String) -> Command {
    Command::CreateAccessKey(CreateAccessKey {
        holder,
        secret_id: key.secret_id,
        sealed_secret: key.sealed_secret.clone(),
        description,
    })
}

/// Whose keys a call is about: the caller's own, unless it names another.
pub(super) fn holder(call: &Call<'_>) -> Result<u64, CamError> {
    let holder = call.params.number("TargetUin").filter(|uin| *uin != 0);
    let holder = holder.unwrap_or(call.caller.principal);
    if holder == call.caller.owner_uin && !call.caller.is_root() {
        let message = "sub-accounts cannot touch the keys of the root account";
        return Err(CamError::new("OperationDenied.SubUin", message));
    }
    Ok(holder)
}

async fn create(call: &Call<'_>) -> Result<Done, CamError> {
    let holder = holder(call)?;
    let description = call.params.text("Description").unwrap_or_default().to_owned();
    let key = new_key(call)?;
    let commands = |_: &AccountState, _: Option<u64>| {
        Ok(vec![create_command(&key, holder, description.clone())])
    };
    let answer = |made: &Made<'_>| {
        let stored = made.state.access_key(key.secret_id);
        let stored = stored.ok_or_else(|| not_found(Noun::AccessKey, key.secret_id))?;
        let mut value = access_key(stored);
        if let Some(members) = value.as_object_mut() {
            members.insert("SecretAccessKey".to_owned(), Value::from(key.secret.expose()));
        }
        Ok(fields(json!({"AccessKey": value})))
    };
    change(call, Change { allot_uin: false, commands, answer }).await
}

/// `AccessKey`.
fn access_key(key: &AccessKey) -> Value {
    json!({
        "AccessKeyId": key.secret_id.as_str(),
        "Status": key.status.as_str(),
        "CreateTime": time(key.created_at),
        "Description": key.description,
    })
}

/// The key that a call names; what cannot be a key's id is none.
fn secret_id(call: &Call<'_>) -> Result<SecretId, CamError> {
    let text = call.params.need_text("AccessKeyId")?;
    SecretId::parse(text).ok_or_else(|| no_such(Noun::AccessKey, text))
}

/// Refuses, inside the write, when the key is not the holder's.
fn check_holder(state: &AccountState, id: SecretId, holder: u64) -> Result<(), NodeError> {
    let is_theirs = state.access_key(id).is_some_and(|key| key.holder == holder);
    if is_theirs { Ok(()) } else { Err(not_found(Noun::AccessKey, id)) }
}

async fn update(call: &Call<'_>) -> Result<Done, CamError> {
    let (secret_id, holder) = (secret_id(call)?, holder(call)?);
    let status = call.params.text("Status").and_then(KeyStatus::from_word);
    let commands = |state: &AccountState| {
        check_holder(state, secret_id, holder)?;
        Ok(vec![Command::UpdateAccessKey(UpdateAccessKey {
            secret_id,
            holder: Some(holder),
            status,
            description: None,
        })])
    };
    write(call, commands).await
}

async fn delete(call: &Call<'_>) -> Result<Done, CamError> {
    let (secret_id, holder) = (secret_id(call)?, holder(call)?);
    let commands = |state: &AccountState| {
        check_holder(state, secret_id, holder)?;
        let holder = Some(holder);
        Ok(vec![Command::DeleteAccessKey(DeleteAccessKey { secret_id, holder })])
    };
    write(call, commands).await
}

/// When keys of the account were last used; what is no key of the account has no row.
async fn last_used(call: &Call<'_>) -> Result<Done, CamError> {
    let look = look(call).await?;
    let ids: Vec<SecretId> = call
        .params
        .texts("SecretIdList")
        .into_iter()
        .filter_map(SecretId::parse)
        .filter(|id| look.state().access_key(*id).is_some())
        .collect();
    let uses = call.node.key_uses(&ids).await.map_err(status::cam)?;
    let row = |id: &SecretId| {
        let used = uses.get(id).copied();
        json!({
            "SecretId": id.as_str(),
            "LastUsedDate": used.map(date),
            "LastSecretUsedDate": used.map(unix_seconds),
        })
    };
    let rows: Vec<Value> = ids.iter().map(row).collect();
    let fields = fields(json!({"SecretIdLastUsedRows": rows}));
    Ok(look.done(fields))
}

/// The keys of a holder, who must be there.
pub(super) fn keys_of<'a>(
    look: &'a Look,
    call: &Call<'_>,
    holder: u64,
) -> Result<Vec<&'a AccessKey>, CamError> {
    let state = look.state();
    if holder != call.caller.owner_uin && state.sub_account(holder).is_none() {
        return Err(no_such(Noun::SubAccount, holder));
    }
    Ok(state.keys_of(holder).map(|key| &**key).collect())
}

async fn list(call: &Call<'_>) -> Result<Done, CamError> {
    let holder = holder(call)?;
    let look = look(call).await?;
    let keys: Vec<Value> = keys_of(&look, call, holder)?.into_iter().map(access_key).collect();
    let fields = fields(json!({"AccessKeys": keys}));
    Ok(look.done(fields))
}
