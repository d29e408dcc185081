//! `user …` and `boundary …`: sub-accounts and their permission boundaries.

use clap::{Subcommand, ValueEnum};
use serde_json::json;

use super::answer::{Answer, CliError, table_or};
use super::args::WriteArgs;
use super::client::{Client, Pages, missing};
use super::view;
use crate::service::proto;

/// The kinds of sub-accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// An ordinary sub-user
    SubUser,
    /// A sub-user of an enterprise messenger
    WecomSubUser,
    /// A root account elsewhere
    Collaborator,
    /// Receives notices; can never be a principal
    MessageRecipient,
}

impl Kind {
    fn proto(self) -> proto::SubAccountKind {
        match self {
            Self::SubUser => proto::SubAccountKind::SubUser,
            Self::WecomSubUser => proto::SubAccountKind::WecomSubUser,
            Self::Collaborator => proto::SubAccountKind::Collaborator,
            Self::MessageRecipient => proto::SubAccountKind::MessageRecipient,
        }
    }
}

/// Sub-accounts, by name or by uin
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Creates a sub-account; it starts with no rights
    #[command(after_help = "Example:\n  camgate user create alice --remark 客服主管")]
    Create {
        /// The name, unique in the account
        name: String,
        /// The uin; allotted when it is not given
        #[arg(long, default_value_t = 0, hide_default_value = true)]
        uin: u64,
        /// The kind
        #[arg(long, value_enum, default_value = "sub-user")]
        kind: Kind,
        /// A remark for people
        #[arg(long, default_value = "", hide_default_value = true)]
        remark: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented where it is declared")]
        write: WriteArgs,
    },
    /// Shows one sub-account with its policies, groups and boundary
    #[command(after_help = "Example:\n  camgate user get alice")]
    Get {
        /// Name or uin
        user: String,
    },
    /// Lists sub-accounts
    #[command(after_help = "Example:\n  camgate user list --group ops")]
    List {
        /// Only members of this group, by name or id
        #[arg(long)]
        group: Option<String>,
    },
    /// Changes the name or the remark
    #[command(after_help = "Example:\n  camgate user update alice --remark 已转岗")]
    Update {
        /// Name or uin
        user: String,
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
    /// Deletes a sub-account
    #[command(after_help = "Example:\n  camgate user delete alice --force")]
    Delete {
        /// Name or uin
        user: String,
        /// Also when policies or groups are attached
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented where it is declared")]
        write: WriteArgs,
    },
}

impl UserCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn run(self, client: &mut Client) -> Result<Answer, CliError> {
        let owner_uin = client.owner().await?;
        match self {
            Self::Create { name, uin, kind, remark, write } => {
                let (kind, options) = (kind.proto().into(), write.options());
                let request =
                    proto::CreateSubAccountRequest { owner_uin, uin, name, kind, remark, options };
                let response =
                    client.administration.create_sub_account(request).await?.into_inner();
                let user = response.sub_account.unwrap_or_default();
                let done = format!("created sub-account {} (uin {})", user.name, user.uin);
                Ok(view::written(
                    &done,
                    view::field("sub_account", view::user(&user)),
                    response.result,
                ))
            }
            Self::Get { user } => get(client, owner_uin, &user).await,
            Self::List { group } => list(client, owner_uin, group).await,
            Self::Update { user, name, remark, write } => {
                let (uin, options) = (client.uin(&user).await?, write.options());
                let request =
                    proto::UpdateSubAccountRequest { owner_uin, uin, name, remark, options };
                let response =
                    client.administration.update_sub_account(request).await?.into_inner();
                let user = response.sub_account.unwrap_or_default();
                let done = format!("updated sub-account {} (uin {uin})", user.name);
                Ok(view::written(
                    &done,
                    view::field("sub_account", view::user(&user)),
                    response.result,
                ))
            }
            Self::Delete { user, force, write } => {
                let (uin, options) = (client.uin(&user).await?, write.options());
                let request = proto::DeleteSubAccountRequest { owner_uin, uin, force, options };
                let response =
                    client.administration.delete_sub_account(request).await?.into_inner();
                let done = format!("deleted sub-account {user} (uin {uin})");
                Ok(view::written(&done, view::field("uin", uin.into()), response.result))
            }
        }
    }
}

async fn get(client: &mut Client, owner_uin: u64, user: &str) -> Result<Answer, CliError> {
    let uin = client.uin(user).await?;
    let request = proto::GetSubAccountRequest { owner_uin, uin, ..Default::default() };
    let response = client.administration.get_sub_account(request).await?.into_inner();
    let user = response.sub_account.ok_or_else(|| missing("sub-account"))?;
    let json = json!({ "sub_account": view::user(&user), "revision": response.revision });
    Ok(Answer::new(json, user_table(&[user])))
}

async fn list(
    client: &mut Client,
    owner_uin: u64,
    group: Option<String>,
) -> Result<Answer, CliError> {
    let group_id = match group {
        Some(group) => client.group_id(&group).await?,
        None => 0,
    };
    let (mut users, mut pages) = (Vec::new(), Pages::default());
    loop {
        let page = pages.request();
        let request =
            proto::ListSubAccountsRequest { owner_uin, group_id, consistency: None, page };
        let response = client.administration.list_sub_accounts(request).await?.into_inner();
        users.extend(response.sub_accounts);
        if !pages.goes_on(response.next_page_token) {
            let list: Vec<_> = users.iter().map(view::user).collect();
            let json = json!({ "sub_accounts": list, "revision": response.revision });
            return Ok(Answer::new(json, user_table(&users)));
        }
    }
}

/// Sub-accounts as a table.
#[must_use]
pub fn user_table(users: &[proto::SubAccount]) -> String {
    let rows = users
        .iter()
        .map(|user| {
            let groups: Vec<_> = user.groups.iter().map(|g| g.group_name.as_str()).collect();
            let boundary = user.boundary.as_ref().map(|b| b.policy_name.clone());
            vec![
                user.uin.to_string(),
                user.name.clone(),
                view::user_kind(user.kind),
                view::names(&user.policies),
                groups.join(", "),
                boundary.unwrap_or_default(),
                user.remark.clone(),
            ]
        })
        .collect();
    let header = ["UIN", "NAME", "KIND", "POLICIES", "GROUPS", "BOUNDARY", "REMARK"];
    table_or("no sub-accounts", &header, rows)
}

/// Permission boundaries: the most that a sub-account can ever be allowed
#[derive(Debug, Subcommand)]
pub enum BoundaryCommand {
    /// Sets the boundary of a sub-account, in place of the one it has
    #[command(after_help = "Example:\n  camgate boundary set alice QcloudIMReadOnlyAccess")]
    Set {
        /// The sub-account, by name or uin
        user: String,
        /// The policy, by name or id
        policy: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented where it is declared")]
        write: WriteArgs,
    },
    /// Removes the boundary of a sub-account
    #[command(after_help = "Example:\n  camgate boundary remove alice")]
    Remove {
        /// The sub-account, by name or uin
        user: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented where it is declared")]
        write: WriteArgs,
    },
}

impl BoundaryCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn run(self, client: &mut Client) -> Result<Answer, CliError> {
        let owner_uin = client.owner().await?;
        match self {
            Self::Set { user, policy, write } => {
                let (uin, policy_id) = (client.uin(&user).await?, client.policy_id(&policy).await?);
                let options = write.options();
                let request = proto::PutBoundaryRequest { owner_uin, uin, policy_id, options };
                let response = client.administration.put_boundary(request).await?.into_inner();
                let done = format!("set {policy} as the boundary of {user}");
                let mut fields = view::field("uin", uin.into());
                fields.insert("policy_id".into(), policy_id.into());
                Ok(view::written(&done, fields, response.result))
            }
            Self::Remove { user, write } => {
                let (uin, options) = (client.uin(&user).await?, write.options());
                let request = proto::DeleteBoundaryRequest { owner_uin, uin, options };
                let response = client.administration.delete_boundary(request).await?.into_inner();
                let done = format!("removed the boundary of {user}");
                Ok(view::written(&done, view::field("uin", uin.into()), response.result))
            }
        }
    }
}
