//! Policies: create, update, delete, get, list, and who has them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::objects::{self, AnyPolicy, add_times, any_policy, strategy, time};
use super::{Change, Made, change, fields, grants, look, no_such, not_built, page, write};
use crate::directory::{
    AccountState, Attachment, Command, CommandResult, CreatePolicy, DeletePolicy, DirectoryError,
    Noun, PolicyId, PolicyRef, UpdatePolicy,
};
use crate::node::NodeError;
use crate::service::cam::Call;
use crate::service::cam::envelope::Done;
use crate::service::cam::error::CamError;
use crate::service::cam::params::Params;

/// Longest keyword of a list, in characters.
const KEYWORD_CHARS_MAX: usize = 128;

pub(super) async fn run(call: &Call<'_>) -> Result<Done, CamError> {
    match call.action.name.as_str() {
        "CreatePolicy" => create(call).await,
        "UpdatePolicy" => update(call).await,
        "DeletePolicy" => delete(call).await,
        "GetPolicy" => get(call).await,
        "ListPolicies" => list(call).await,
        "ListEntitiesForPolicy" => list_entities(call).await,
        "ListPoliciesGrantingServiceAccess" => grants::list(call).await,
        _ => Err(not_built(call)),
    }
}

/// The tags of a call; a key that comes twice is refused rather than guessed.
pub(super) fn tags(params: &Params, name: &str) -> Result<BTreeMap<String, String>, CamError> {
    let mut tags = BTreeMap::new();
    for tag in params.structures(name) {
        let (key, value) = (tag.need_text("Key")?, tag.need_text("Value")?);
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(CamError::bad_value(name, format!("has the key `{key}` twice")));
        }
    }
    Ok(tags)
}

/// The keyword of a list; empty when it was not given.
pub(super) fn keyword(params: &Params) -> Result<&str, CamError> {
    let keyword = params.text("Keyword").unwrap_or_default();
    let actual = keyword.chars().count();
    if actual <= KEYWORD_CHARS_MAX {
        return Ok(keyword);
    }
    let code = "InvalidParameter.SearchKeywordLengthError";
    let message = format!(
        "the parameter `Keyword` has {actual} characters, at most {KEYWORD_CHARS_MAX} are accepted"
    );
    Err(CamError::new(code, message))
}

async fn create(call: &Call<'_>) -> Result<Done, CamError> {
    let params = &call.params;
    let command = Command::CreatePolicy(CreatePolicy {
        name: params.need_text("PolicyName")?.to_owned(),
        description: params.text("Description").unwrap_or_default().to_owned(),
        document: params.need_text("PolicyDocument")?.as_bytes().to_vec(),
        tags: tags(params, "Tags")?,
    });
    let commands = |_: &AccountState, _: Option<u64>| Ok(vec![command.clone()]);
    let answer = |made: &Made<'_>| {
        let [CommandResult::Policy(id)] = made.results else {
            return Err(NodeError::Internal("a policy was created without an id".to_owned()));
        };
        Ok(fields(json!({"PolicyId": id.0})))
    };
    change(call, Change { allot_uin: false, commands, answer }).await
}

/// The policy that a call names by `PolicyId`, by `PolicyName`, or by both when they agree.
pub(super) fn named_policy(params: &Params, state: &AccountState) -> Result<PolicyRef, NodeError> {
    let (id, name) = (params.number("PolicyId").map(PolicyId), params.text("PolicyName"));
    match (id, name) {
        (Some(id), Some(name)) => match state.policy(id) {
            Some(policy) if policy.name != name => Err(DirectoryError::NotFound {
                noun: Noun::Policy,
                name: format!("{}` named `{name}", id.0),
            }
            .into()),
            Some(_) | None => Ok(id.into()),
        },
        (Some(id), None) => Ok(id.into()),
        (None, name) => Ok(name.unwrap_or_default().into()),
    }
}

async fn update(call: &Call<'_>) -> Result<Done, CamError> {
    let params = &call.params;
    if params.has("Alias") {
        return Err(CamError::bad_value("Alias", "is not kept here: leave it out"));
    }
    let commands = |state: &AccountState, _: Option<u64>| {
        Ok(vec![Command::UpdatePolicy(UpdatePolicy {
            policy: named_policy(params, state)?,
            description: params.text("Description").map(str::to_owned),
            document: params.text("PolicyDocument").map(|it| it.as_bytes().to_vec()),
        })])
    };
    let answer = |made: &Made<'_>| {
        let id = match params.number("PolicyId") {
            Some(id) => Some(id),
            None => {
                let name = params.text("PolicyName").unwrap_or_default();
                made.state.policy_named(name).map(|it| it.id.0)
            }
        };
        Ok(fields(json!({"PolicyId": id.unwrap_or_default()})))
    };
    change(call, Change { allot_uin: false, commands, answer }).await
}

async fn delete(call: &Call<'_>) -> Result<Done, CamError> {
    let ids: BTreeSet<u64> = call.params.numbers("PolicyId").into_iter().collect();
    if ids.is_empty() {
        let message = "the parameter `PolicyId` is an empty list: name at least one policy";
        return Err(CamError::new("InvalidParameter.ParamError", message));
    }
    let delete = |id: &u64| {
        Command::DeletePolicy(DeletePolicy { policy: PolicyId(*id).into(), force: false })
    };
    write(call, |_| Ok(ids.iter().map(delete).collect())).await
}

async fn get(call: &Call<'_>) -> Result<Done, CamError> {
    let id = PolicyId(call.params.need_number("PolicyId")?);
    let look = look(call).await?;
    let state = look.state();
    let policy = any_policy(state, look.presets(), id).ok_or_else(|| no_such(Noun::Policy, id))?;
    let mut value = json!({
        "PolicyName": policy.name(),
        "Description": policy.description(),
        "Type": policy.kind(),
        "PolicyDocument": policy.body(state).map(objects::document).unwrap_or_default(),
        "PresetAlias": null,
        "IsServiceLinkedRolePolicy": 0,
        "Tags": policy.tags(),
    });
    add_times(&mut value, &policy);
    let fields = fields(value);
    Ok(look.done(fields))
}

async fn list(call: &Call<'_>) -> Result<Done, CamError> {
    let keyword = keyword(&call.params)?;
    let scope = call.params.text("Scope").unwrap_or("All");
    let look = look(call).await?;
    let state = look.state();
    let presets = look.presets().iter().map(|it| AnyPolicy::Preset(it));
    let customs = state.live_policies().map(|it| AnyPolicy::Custom(it));
    let is_wanted = |it: &AnyPolicy<'_>| {
        let in_scope = match scope {
            "QCS" => it.kind() == 2,
            "Local" => it.kind() == 1,
            _ => true,
        };
        in_scope && it.is_listed() && it.name().contains(keyword)
    };
    let wanted = customs.chain(presets).filter(is_wanted);
    let found: Vec<Value> = wanted.map(|it| strategy(state, &it)).collect();
    let (total, found) = page(&call.params, found);
    let fields = fields(json!({"TotalNum": total, "List": found, "ServiceTypeList": []}));
    Ok(look.done(fields))
}

fn entity(id: u64, uin: u64, name: &str, kind: u64, since: Option<&Attachment>) -> Value {
    json!({
        "Id": id.to_string(),
        "Name": name,
        "Uin": uin,
        "RelatedType": kind,
        "AttachmentTime": since.map(|it| time(it.attached_at)).unwrap_or_default(),
    })
}

async fn list_entities(call: &Call<'_>) -> Result<Done, CamError> {
    let id = PolicyId(call.params.need_number("PolicyId")?);
    let filter = call.params.text("EntityFilter").unwrap_or("All");
    let look = look(call).await?;
    let state = look.state();
    any_policy(state, look.presets(), id).ok_or_else(|| no_such(Noun::Policy, id))?;
    let since = |held: &'_ [Attachment]| held.iter().copied().find(|it| it.policy == id);
    let users = state
        .users_with_policy(id)
        .map(|it| entity(it.uin, it.uin, &it.name, 1, since(&it.attachments).as_ref()));
    let groups = state
        .groups_with_policy(id)
        .map(|it| entity(it.id.0, 0, &it.name, 2, since(&it.attachments).as_ref()));
    let roles = state
        .roles_with_policy(id)
        .map(|it| entity(it.id.0, 0, &it.name, 3, since(&it.attachments).as_ref()));
    let wants = |kind: &str| filter == "All" || filter == kind;
    let mut found: Vec<Value> = Vec::new();
    found.extend(users.filter(|_| wants("User")));
    found.extend(groups.filter(|_| wants("Group")));
    found.extend(roles.filter(|_| wants("Role")));
    let (total, found) = page(&call.params, found);
    let fields = fields(json!({"TotalNum": total, "List": found}));
    Ok(look.done(fields))
}
