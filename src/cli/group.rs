//! `group …`: user groups and their members.

use clap::Subcommand;
use serde_json::json;

use super::answer::{Answer, CliError, table_or};
use super::args::WriteArgs;
use super::client::{Client, Pages, missing};
use super::view;
use crate::service::proto;

/// User groups, by name or by id
#[derive(Debug, Subcommand)]
pub enum GroupCommand {
    /// Creates a group
    #[command(after_help = "Example:\n  camgate group create ops --remark 运营")]
    Create {
        /// The name, unique in the account
        name: String,
        /// A remark for people
        #[arg(long, default_value = "", hide_default_value = true)]
        remark: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented where it is declared")]
        write: WriteArgs,
    },
    /// Shows one group
    #[command(after_help = "Example:\n  camgate group get ops")]
    Get {
        /// Name or id
        group: String,
    },
    /// Lists the groups
    #[command(after_help = "Example:\n  camgate group list")]
    List,
    /// Changes the name or the remark
    #[command(after_help = "Example:\n  camgate group update ops --name operations")]
    Update {
        /// Name or id
        group: String,
        /// The new name
        #[arg(long)]
        name: Option<String>,
        /// The new remark
        #[arg(long)]
        remark: Option<String>,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented where it is declared")]
        write: WriteArgs,
    },
    /// Deletes a group; its members lose what it gave them
    #[command(after_help = "Example:\n  camgate group delete ops --force")]
    Delete {
        /// Name or id
        group: String,
        /// Also when it has members or policies
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented where it is declared")]
        write: WriteArgs,
    },
    /// Puts a sub-account into a group
    #[command(after_help = "Example:\n  camgate group add-member ops alice")]
    AddMember {
        /// The group, by name or id
        group: String,
        /// The sub-account, by name or uin
        user: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented where it is declared")]
        write: WriteArgs,
    },
    /// Takes a sub-account out of a group
    #[command(after_help = "Example:\n  camgate group remove-member ops alice")]
    RemoveMember {
        /// The group, by name or id
        group: String,
        /// The sub-account, by name or uin
        user: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented where it is declared")]
        write: WriteArgs,
    },
}

impl GroupCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn run(self, client: &mut Client) -> Result<Answer, CliError> {
        let owner_uin = client.owner().await?;
        match self {
            Self::Create { name, remark, write } => {
                let options = write.options();
                let request = proto::CreateGroupRequest { owner_uin, name, remark, options };
                let response = client.administration.create_group(request).await?.into_inner();
                let group = response.group.unwrap_or_default();
                let done = format!("created group {} (id {})", group.name, group.group_id);
                Ok(view::written(&done, view::field("group", view::group(&group)), response.result))
            }
            Self::Get { group } => {
                let group_id = client.group_id(&group).await?;
                let request = proto::GetGroupRequest { owner_uin, group_id, ..Default::default() };
                let response = client.administration.get_group(request).await?.into_inner();
                let group = response.group.ok_or_else(|| missing("group"))?;
                let json = json!({ "group": view::group(&group), "revision": response.revision });
                Ok(Answer::new(json, group_table(&[group])))
            }
            Self::List => list(client, owner_uin).await,
            Self::Update { group, name, remark, write } => {
                let (group_id, options) = (client.group_id(&group).await?, write.options());
                let request =
                    proto::UpdateGroupRequest { owner_uin, group_id, name, remark, options };
                let response = client.administration.update_group(request).await?.into_inner();
                let group = response.group.unwrap_or_default();
                let done = format!("updated group {} (id {group_id})", group.name);
                Ok(view::written(&done, view::field("group", view::group(&group)), response.result))
            }
            Self::Delete { group, force, write } => {
                let (group_id, options) = (client.group_id(&group).await?, write.options());
                let request = proto::DeleteGroupRequest { owner_uin, group_id, force, options };
                let response = client.administration.delete_group(request).await?.into_inner();
                let done = format!("deleted group {group} (id {group_id})");
                Ok(view::written(&done, view::field("group_id", group_id.into()), response.result))
            }
            Self::AddMember { group, user, write } => {
                let (group_id, uin) = (client.group_id(&group).await?, client.uin(&user).await?);
                let options = write.options();
                let request = proto::AddGroupMemberRequest { owner_uin, group_id, uin, options };
                let response = client.administration.add_group_member(request).await?.into_inner();
                Ok(member(format!("put {user} into group {group}"), group_id, uin, response.result))
            }
            Self::RemoveMember { group, user, write } => {
                let (group_id, uin) = (client.group_id(&group).await?, client.uin(&user).await?);
                let options = write.options();
                let request = proto::RemoveGroupMemberRequest { owner_uin, group_id, uin, options };
                let response =
                    client.administration.remove_group_member(request).await?.into_inner();
                let done = format!("took {user} out of group {group}");
                Ok(member(done, group_id, uin, response.result))
            }
        }
    }
}

fn member(done: String, group_id: u64, uin: u64, result: Option<proto::WriteResult>) -> Answer {
    let mut fields = view::field("group_id", group_id.into());
    fields.insert("uin".into(), uin.into());
    view::written(&done, fields, result)
}

async fn list(client: &mut Client, owner_uin: u64) -> Result<Answer, CliError> {
    let (mut groups, mut pages) = (Vec::new(), Pages::default());
    loop {
        let page = pages.request();
        let request = proto::ListGroupsRequest { owner_uin, consistency: None, page };
        let response = client.administration.list_groups(request).await?.into_inner();
        groups.extend(response.groups);
        if !pages.goes_on(response.next_page_token) {
            let list: Vec<_> = groups.iter().map(view::group).collect();
            let json = json!({ "groups": list, "revision": response.revision });
            return Ok(Answer::new(json, group_table(&groups)));
        }
    }
}

/// Groups as a table.
#[must_use]
pub fn group_table(groups: &[proto::Group]) -> String {
    let rows = groups
        .iter()
        .map(|group| {
            vec![
                group.group_id.to_string(),
                group.name.clone(),
                group.members.to_string(),
                view::names(&group.policies),
                group.remark.clone(),
            ]
        })
        .collect();
    table_or("no groups", &["ID", "NAME", "MEMBERS", "POLICIES", "REMARK"], rows)
}
