//! User groups and their members.

use serde_json::{Value, json};

use super::attachments::{find_group, find_user};
use super::objects::{count, group, member, time};
use super::{Change, Made, change, fields, look, no_such, not_built, not_found, page, write};
use crate::directory::{
    AccountState, AddToGroup, Command, CommandResult, CreateGroup, DeleteGroup, GroupId, Noun,
    RemoveFromGroup, UpdateGroup,
};
use crate::node::NodeError;
use crate::service::cam::Call;
use crate::service::cam::envelope::Done;
use crate::service::cam::error::CamError;

pub(super) async fn run(call: &Call<'_>) -> Result<Done, CamError> {
    match call.action.name.as_str() {
        "CreateGroup" => create(call).await,
        "GetGroup" => get(call).await,
        "UpdateGroup" => update(call).await,
        "DeleteGroup" => delete(call).await,
        "ListGroups" => list(call).await,
        "AddUserToGroup" => members(call, add).await,
        "RemoveUserFromGroup" => members(call, remove).await,
        "ListGroupsForUser" => list_of_user(call).await,
        "ListUsersForGroup" => list_users(call).await,
        _ => Err(not_built(call)),
    }
}

async fn create(call: &Call<'_>) -> Result<Done, CamError> {
    let command = Command::CreateGroup(CreateGroup {
        name: call.params.need_text("GroupName")?.to_owned(),
        remark: call.params.text("Remark").unwrap_or_default().to_owned(),
    });
    let commands = |_: &AccountState, _: Option<u64>| Ok(vec![command.clone()]);
    let answer = |made: &Made<'_>| {
        let [CommandResult::Group(id)] = made.results else {
            return Err(NodeError::Internal("a group was created without an id".to_owned()));
        };
        Ok(fields(json!({"GroupId": id.0})))
    };
    change(call, Change { allot_uin: false, commands, answer }).await
}

async fn get(call: &Call<'_>) -> Result<Done, CamError> {
    let id = call.params.need_number("GroupId")?;
    let look = look(call).await?;
    let state = look.state();
    let found = find_group(state, id)?;
    let members: Vec<Value> = state.members(found.id).map(|it| member(it)).collect();
    let fields = fields(json!({
        "GroupId": id,
        "GroupName": found.name,
        "GroupNum": count(members.len()),
        "Remark": found.remark,
        "CreateTime": time(found.created_at),
        "UserInfo": members,
    }));
    Ok(look.done(fields))
}

async fn update(call: &Call<'_>) -> Result<Done, CamError> {
    let command = Command::UpdateGroup(UpdateGroup {
        group: GroupId(call.params.need_number("GroupId")?).into(),
        name: call.params.text("GroupName").map(str::to_owned),
        remark: call.params.text("Remark").map(str::to_owned),
    });
    write(call, |_| Ok(vec![command.clone()])).await
}

/// Members and policies let go of the group, as CAM does without asking.
async fn delete(call: &Call<'_>) -> Result<Done, CamError> {
    let group = GroupId(call.params.need_number("GroupId")?).into();
    let command = Command::DeleteGroup(DeleteGroup { group, force: true });
    write(call, |_| Ok(vec![command.clone()])).await
}

async fn list(call: &Call<'_>) -> Result<Done, CamError> {
    let keyword = super::policies::keyword(&call.params)?;
    let look = look(call).await?;
    let wanted = look.state().live_groups().filter(|it| it.name.contains(keyword));
    let (total, found) = page(&call.params, wanted.map(|it| group(it)).collect());
    let fields = fields(json!({"TotalNum": total, "GroupInfo": found}));
    Ok(look.done(fields))
}

fn add(group: GroupId, uin: u64) -> Command {
    Command::AddToGroup(AddToGroup { group: group.into(), uin })
}

fn remove(group: GroupId, uin: u64) -> Command {
    Command::RemoveFromGroup(RemoveFromGroup { group: group.into(), uin })
}

/// All members of `Info` in one commit; each is named by `Uin` or by `Uid`.
async fn members(call: &Call<'_>, command: fn(GroupId, u64) -> Command) -> Result<Done, CamError> {
    let mut wanted = Vec::new();
    for info in call.params.structures("Info") {
        let (uid, uin) = (info.number("Uid"), info.number("Uin"));
        if uid.is_none() && uin.is_none() {
            let message = "each item of `Info` needs one of `Uin` and `Uid`";
            return Err(CamError::new("InvalidParameter.UserUinAndUinNotAllNull", message));
        }
        wanted.push((GroupId(info.need_number("GroupId")?), uid, uin));
    }
    if wanted.is_empty() {
        let message = "the parameter `Info` is an empty list: name at least one user";
        return Err(CamError::new("InvalidParameter.ParamError", message));
    }
    let commands = |state: &AccountState| {
        let one = |(group, uid, uin): &(GroupId, Option<u64>, Option<u64>)| {
            Ok(command(*group, user_uin(state, *uid, *uin)?))
        };
        wanted.iter().map(one).collect()
    };
    write(call, commands).await
}

/// The uin of a user named by uid, by uin, or by both when they agree.
fn user_uin(state: &AccountState, uid: Option<u64>, uin: Option<u64>) -> Result<u64, NodeError> {
    let Some(uid) = uid.filter(|uid| *uid != 0) else { return Ok(uin.unwrap_or_default()) };
    let mut users = state.sub_accounts.values();
    let found = users.find(|it| it.uid == uid).map(|it| it.uin);
    let found = found.filter(|found| uin.is_none_or(|uin| uin == *found));
    found.ok_or_else(|| not_found(Noun::SubAccount, uid))
}

async fn list_of_user(call: &Call<'_>) -> Result<Done, CamError> {
    let (uid, uin) = (call.params.number("Uid"), call.params.number("SubUin"));
    let look = look(call).await?;
    let state = look.state();
    let uin = user_uin(state, uid, uin).map_err(crate::service::status::cam)?;
    let user = find_user(state, uin)?;
    let groups = user.groups.iter().filter_map(|id| state.group(*id));
    let (total, found) = page(&call.params, groups.map(|it| group(it)).collect());
    let fields = fields(json!({"TotalNum": total, "GroupInfo": found}));
    Ok(look.done(fields))
}

async fn list_users(call: &Call<'_>) -> Result<Done, CamError> {
    let id = call.params.need_number("GroupId")?;
    let look = look(call).await?;
    let state = look.state();
    let found = state.group(GroupId(id)).ok_or_else(|| no_such(Noun::Group, id))?;
    let members = state.members(found.id).map(|it| member(it)).collect();
    let (total, members) = page(&call.params, members);
    let fields = fields(json!({"TotalNum": total, "UserInfo": members}));
    Ok(look.done(fields))
}
