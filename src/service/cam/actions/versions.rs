//! Versions of policies; a preset has one.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::objects::{AnyPolicy, any_policy, document, iso_time};
use super::{Change, Made, change, fields, look, no_such, not_built, write};
use crate::directory::{
    AccountState, Command, CommandResult, CreatePolicyVersion, DeletePolicyVersion, Noun, PolicyId,
    SetDefaultPolicyVersion, UnixMillis, VersionNumber,
};
use crate::node::NodeError;
use crate::service::cam::Call;
use crate::service::cam::envelope::Done;
use crate::service::cam::error::CamError;

pub(super) async fn run(call: &Call<'_>) -> Result<Done, CamError> {
    match call.action.name.as_str() {
        "CreatePolicyVersion" => create(call).await,
        "DeletePolicyVersion" => delete(call).await,
        "GetPolicyVersion" => get(call).await,
        "ListPolicyVersions" => list(call).await,
        "SetDefaultPolicyVersion" => set_default(call).await,
        _ => Err(not_built(call)),
    }
}

fn policy_id(call: &Call<'_>) -> Result<PolicyId, CamError> {
    call.params.need_number("PolicyId").map(PolicyId)
}

/// A version's number; one that no version can have is none.
fn version(number: u64) -> Result<VersionNumber, CamError> {
    let number = u32::try_from(number).map(VersionNumber);
    number.map_err(|error| no_such(Noun::PolicyVersion, error))
}

async fn create(call: &Call<'_>) -> Result<Done, CamError> {
    let command = Command::CreatePolicyVersion(CreatePolicyVersion {
        policy: policy_id(call)?.into(),
        document: call.params.need_text("PolicyDocument")?.as_bytes().to_vec(),
        set_default: call.params.flag("SetAsDefault").unwrap_or_default(),
    });
    let commands = |_: &AccountState, _: Option<u64>| Ok(vec![command.clone()]);
    let answer = |made: &Made<'_>| {
        let [CommandResult::PolicyVersion(_, number)] = made.results else {
            return Err(NodeError::Internal("a version was created without a number".to_owned()));
        };
        Ok(fields(json!({"VersionId": number.0})))
    };
    change(call, Change { allot_uin: false, commands, answer }).await
}

async fn delete(call: &Call<'_>) -> Result<Done, CamError> {
    let policy = policy_id(call)?;
    let numbers: BTreeSet<u64> = call.params.numbers("VersionId").into_iter().collect();
    if numbers.is_empty() {
        let message = "the parameter `VersionId` is an empty list: name at least one version";
        return Err(CamError::new("InvalidParameter.ParamError", message));
    }
    let numbers: Vec<_> = numbers.into_iter().map(version).collect::<Result<_, _>>()?;
    let delete = |version: &VersionNumber| {
        let (policy, version) = (policy.into(), *version);
        Command::DeletePolicyVersion(DeletePolicyVersion { policy, version })
    };
    write(call, |_| Ok(numbers.iter().map(delete).collect())).await
}

async fn set_default(call: &Call<'_>) -> Result<Done, CamError> {
    let policy = policy_id(call)?;
    let version = version(call.params.need_number("VersionId")?)?;
    let command = Command::SetDefaultPolicyVersion(SetDefaultPolicyVersion {
        policy: policy.into(),
        version,
    });
    write(call, |_| Ok(vec![command.clone()])).await
}

/// A version as lists show it. A preset's creation is not known.
fn item(number: VersionNumber, created_at: Option<UnixMillis>, is_default: bool) -> Value {
    json!({
        "VersionId": number.0,
        "CreateDate": created_at.map(iso_time).unwrap_or_default(),
        "IsDefaultVersion": u64::from(is_default),
    })
}

async fn get(call: &Call<'_>) -> Result<Done, CamError> {
    let (id, number) = (policy_id(call)?, version(call.params.need_number("VersionId")?)?);
    let look = look(call).await?;
    let state = look.state();
    let policy = any_policy(state, look.presets(), id).ok_or_else(|| no_such(Noun::Policy, id))?;
    let is_default = policy.default_version() == number;
    let found = match &policy {
        AnyPolicy::Custom(_) => state.version(id, number).map(|it| (&it.body, Some(it.created_at))),
        AnyPolicy::Preset(preset) => is_default.then_some((&preset.body, None)),
    };
    let (body, created_at) = found.ok_or_else(|| no_such(Noun::PolicyVersion, number.0))?;
    let mut value = item(number, created_at, is_default);
    if let Some(members) = value.as_object_mut() {
        members.insert("Document".to_owned(), Value::from(document(body)));
    }
    let fields = fields(json!({"PolicyVersion": value}));
    Ok(look.done(fields))
}

async fn list(call: &Call<'_>) -> Result<Done, CamError> {
    let id = policy_id(call)?;
    let look = look(call).await?;
    let state = look.state();
    let policy = any_policy(state, look.presets(), id).ok_or_else(|| no_such(Noun::Policy, id))?;
    let default = policy.default_version();
    let mut versions: Vec<Value> = match &policy {
        AnyPolicy::Custom(_) => state
            .versions_of(id)
            .map(|it| item(it.number, Some(it.created_at), it.number == default))
            .collect(),
        AnyPolicy::Preset(_) => vec![item(default, None, true)],
    };
    // The newest first, as the console shows them.
    versions.reverse();
    let fields = fields(json!({"Versions": versions}));
    Ok(look.done(fields))
}
