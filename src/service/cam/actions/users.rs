//! Sub-accounts: users of the account, and the account itself.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::keys;
use super::objects::{count, listed_user, time, user};
use super::{Change, Fields, Made, change, fields, look, no_such, not_built, not_found, write};
use crate::authn::password::Password;
use crate::directory::{
    AccountState, Command, CreateSubAccount, DeleteSubAccount, Noun, Profile, ProfileUpdate,
    SubAccount, SubAccountKind, UpdateSubAccount,
};
use crate::node::{NewKey, NodeError, hash_password};
use crate::service::cam::Call;
use crate::service::cam::authorize;
use crate::service::cam::envelope::Done;
use crate::service::cam::error::CamError;
use crate::service::status;

/// Most accounts of one `ListAccounts`.
const ACCOUNTS_DEFAULT: u64 = 100;

pub(super) async fn run(call: &Call<'_>) -> Result<Done, CamError> {
    match call.action.name.as_str() {
        "AddUser" => add(call).await,
        "GetUser" => get(call).await,
        "UpdateUser" => update(call).await,
        "DeleteUser" => delete(call).await,
        "ListUsers" => list(call).await,
        "DescribeSubAccounts" => describe(call).await,
        "ListAccounts" => list_accounts(call).await,
        "GetUserAppId" => app_id(call).await,
        "GetAccountSummary" => summary(call).await,
        _ => Err(not_built(call)),
    }
}

/// The password that a call gives; an empty one is none.
fn given_password(call: &Call<'_>) -> Result<Option<Password>, CamError> {
    let Some(text) = call.params.text("Password").filter(|it| !it.is_empty()) else {
        return Ok(None);
    };
    let password = Password::new(Zeroizing::new(text.to_owned()));
    password.map(Some).map_err(|error| status::cam(error.into()))
}

async fn add(call: &Call<'_>) -> Result<Done, CamError> {
    let params = &call.params;
    let console_login = params.flag("ConsoleLogin").unwrap_or_default();
    let given = given_password(call)?;
    let generated = if console_login && given.is_none() {
        let generated = Password::generate();
        Some(generated.map_err(|error| CamError::internal(error.to_string()))?)
    } else {
        None
    };
    // CAM takes a password without a console login, and does not keep it.
    let password = given.as_ref().or(generated.as_ref()).filter(|_| console_login);
    let password_hash = match password {
        Some(password) => Some(hash_password(password.clone()).await.map_err(status::cam)?),
        None => None,
    };
    let text = |name| params.text(name).unwrap_or_default().to_owned();
    let create = CreateSubAccount {
        uin: 0,
        name: params.need_text("Name")?.to_owned(),
        kind: SubAccountKind::SubUser,
        remark: text("Remark"),
        profile: Profile {
            console_login,
            need_reset_password: params.flag("NeedResetPassword").unwrap_or_default(),
            password_hash,
            phone_num: text("PhoneNum"),
            country_code: text("CountryCode"),
            email: text("Email"),
        },
    };
    let use_api = params.flag("UseApi").unwrap_or_default();
    let key = if use_api { Some(keys::new_key(call)?) } else { None };
    let commands = |_: &AccountState, allotted: Option<u64>| {
        // Without a uin it is only asked what is to be read: the key's index record.
        let uin = allotted.unwrap_or_default();
        let user = Command::CreateSubAccount(CreateSubAccount { uin, ..create.clone() });
        let key = key.as_ref().map(|it| keys::create_command(it, uin, String::new()));
        Ok([user].into_iter().chain(key).filter(|it| allotted.is_some() || is_key(it)).collect())
    };
    let answer = |made: &Made<'_>| {
        let uin = made.allotted_uin.unwrap_or_default();
        let user = made.state.sub_account(uin).ok_or_else(|| not_found(Noun::SubAccount, uin))?;
        Ok(added(user, generated.as_ref(), key.as_ref()))
    };
    change(call, Change { allot_uin: true, commands, answer }).await
}

fn is_key(command: &Command) -> bool {
    matches!(command, Command::CreateAccessKey(_))
}

/// The answer to `AddUser`: secrets only where they were made, and only this once.
fn added(user: &SubAccount, generated: Option<&Password>, key: Option<&NewKey>) -> Fields {
    let mut answer = fields(json!({"Uin": user.uin, "Name": user.name, "Uid": user.uid}));
    if let Some(password) = generated {
        answer.insert("Password".to_owned(), Value::from(password.expose()));
    }
    if let Some(key) = key {
        answer.insert("SecretId".to_owned(), Value::from(key.secret_id.as_str()));
        answer.insert("SecretKey".to_owned(), Value::from(key.secret.expose()));
    }
    answer
}

/// The uin of the user that a call names.
fn named(call: &Call<'_>, state: &AccountState) -> Result<u64, NodeError> {
    let name = call.params.text("Name").unwrap_or_default();
    let found = state.sub_account_named(name);
    found.map(|it| it.uin).ok_or_else(|| not_found(Noun::SubAccount, name))
}

async fn get(call: &Call<'_>) -> Result<Done, CamError> {
    let look = look(call).await?;
    let name = call.params.need_text("Name")?;
    let found = look.state().sub_account_named(name);
    let found = found.ok_or_else(|| no_such(Noun::SubAccount, name))?;
    let fields = fields(user(found));
    Ok(look.done(fields))
}

async fn update(call: &Call<'_>) -> Result<Done, CamError> {
    let params = &call.params;
    let password_hash = match given_password(call)? {
        Some(password) => Some(hash_password(password).await.map_err(status::cam)?),
        None => None,
    };
    let text = |name| params.text(name).map(str::to_owned);
    let profile = ProfileUpdate {
        console_login: params.flag("ConsoleLogin"),
        need_reset_password: params.flag("NeedResetPassword"),
        password_hash,
        phone_num: text("PhoneNum"),
        country_code: text("CountryCode"),
        email: text("Email"),
    };
    let commands = |state: &AccountState| {
        let uin = named(call, state)?;
        let (remark, profile) = (text("Remark"), profile.clone());
        Ok(vec![Command::UpdateSubAccount(UpdateSubAccount { uin, name: None, remark, profile })])
    };
    write(call, commands).await
}

/// Policies, groups and the boundary go with the user, as CAM does without asking; its keys only
/// by force, which is a right of its own.
async fn delete(call: &Call<'_>) -> Result<Done, CamError> {
    let delete_keys = call.params.flag("Force").unwrap_or_default();
    let look = look(call).await?;
    let has_keys = named(call, look.state()).is_ok_and(|uin| look.state().keys_of(uin).count() > 0);
    if delete_keys && has_keys {
        authorize::also(call, "DeleteApiKey", "UnauthorizedOperation.DeleteApiKey").await?;
    }
    let commands = |state: &AccountState| {
        let uin = named(call, state)?;
        Ok(vec![Command::DeleteSubAccount(DeleteSubAccount { uin, force: true, delete_keys })])
    };
    write(call, commands).await
}

async fn list(call: &Call<'_>) -> Result<Done, CamError> {
    let look = look(call).await?;
    let users = look.state().sub_accounts.values();
    let users = users.filter(|it| it.kind == SubAccountKind::SubUser);
    let fields = fields(json!({"Data": users.map(|it| listed_user(it)).collect::<Vec<_>>()}));
    Ok(look.done(fields))
}

/// `UserType` of `DescribeSubAccounts`.
fn kind_number(kind: SubAccountKind) -> u64 {
    match kind {
        SubAccountKind::SubUser => 2,
        SubAccountKind::WecomSubUser => 3,
        SubAccountKind::Collaborator => 4,
        SubAccountKind::MessageRecipient => 5,
    }
}

/// `UserType` of `ListAccounts`.
fn kind_word(kind: SubAccountKind) -> &'static str {
    match kind {
        SubAccountKind::SubUser => "SubUser",
        SubAccountKind::WecomSubUser => "WechatCorpUser",
        SubAccountKind::Collaborator => "Collaborator",
        SubAccountKind::MessageRecipient => "MessageReceiver",
    }
}

async fn describe(call: &Call<'_>) -> Result<Done, CamError> {
    let wanted: BTreeSet<u64> = call.params.numbers("FilterSubAccountUin").into_iter().collect();
    let look = look(call).await?;
    let found = wanted.iter().filter_map(|uin| look.state().sub_account(*uin));
    let found = found.map(|it| {
        json!({
            "Uin": it.uin,
            "Name": it.name,
            "Uid": it.uid,
            "Remark": it.remark,
            "CreateTime": time(it.created_at),
            "UserType": kind_number(it.kind),
            "LastLoginIp": "",
            "LastLoginTime": null,
        })
    });
    let fields = fields(json!({"SubAccounts": found.collect::<Vec<_>>()}));
    Ok(look.done(fields))
}

/// Pages by `Marker`, which is the last uin of the page before.
async fn list_accounts(call: &Call<'_>) -> Result<Done, CamError> {
    let params = &call.params;
    let most = params.number("MaxItems").unwrap_or(ACCOUNTS_DEFAULT);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let after = match params.text("Marker").filter(|it| !it.is_empty()) {
        None => 0,
        Some(marker) => marker.parse::<u64>().map_err(|_| {
            let message = "the parameter `Marker` is none that this action returned";
            CamError::new("InvalidParameter.PaginationTokenInvalid", message)
        })?,
    };
    let wanted = params.text("UserType").filter(|it| !it.is_empty());
    let look = look(call).await?;
    let users = look.state().sub_accounts.values();
    let mut later =
        users.filter(|it| it.uin > after && wanted.is_none_or(|word| kind_word(it.kind) == word));
    let page: Vec<_> = later.by_ref().take(most).collect();
    let is_truncated = later.next().is_some();
    let last = page.last().filter(|_| is_truncated).map(|it| it.uin.to_string());
    let listed = page.iter().map(|it| {
        let mut value = listed_user(it);
        if let Some(members) = value.as_object_mut() {
            members.insert("UserType".to_owned(), Value::from(kind_word(it.kind)));
        }
        value
    });
    let fields = fields(json!({
        "Users": listed.collect::<Vec<_>>(),
        "Marker": last.unwrap_or_default(),
        "IsTruncated": is_truncated,
    }));
    Ok(look.done(fields))
}

async fn app_id(call: &Call<'_>) -> Result<Done, CamError> {
    let look = look(call).await?;
    let owner = look.view.snapshot.owner();
    let fields = fields(json!({
        "Uin": call.caller.principal.to_string(),
        "OwnerUin": owner.uin.to_string(),
        "AppId": owner.app_id,
    }));
    Ok(look.done(fields))
}

async fn summary(call: &Call<'_>) -> Result<Done, CamError> {
    let look = look(call).await?;
    let state = look.state();
    let in_groups = state.sub_accounts.values().filter(|it| !it.groups.is_empty()).count();
    let fields = fields(json!({
        "Policies": count(state.live_policies().count()),
        "Roles": count(state.roles.len()),
        "Idps": 0,
        "User": count(state.sub_accounts.len()),
        "Group": count(state.live_groups().count()),
        "Member": count(in_groups),
        "IdentityProviders": 0,
    }));
    Ok(look.done(fields))
}
