//! `user …` and `boundary …`: sub-accounts and their permission boundaries.

use clap::{Subcommand, ValueEnum};
use serde_json::json;

use super::answer::{Answer, CliError, table_or};
use super::args::WriteArgs;
use super::client::{Client, Pages, missing};
use super::profile::ProfileArgs;
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
        profile: ProfileArgs,
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
    /// Changes the name, the remark, or what consoles and notices need
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
        profile: ProfileArgs,
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
        /// Also when it has access keys, which go with it
        #[arg(long)]
        delete_keys: bool,
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
            Self::Create { name, uin, kind, remark, profile, write } => {
                let request = proto::CreateSubAccountRequest {
                    owner_uin,
                    uin,
                    name,
                    kind: kind.proto().into(),
                    remark,
                    console_login: profile.console_login.unwrap_or_default(),
                    password: profile.password()?,
                    generate_password: profile.generate_password,
                    need_reset_password: profile.need_reset_password.unwrap_or_default(),
                    phone_num: profile.phone_num.unwrap_or_default(),
                    country_code: profile.country_code.unwrap_or_default(),
                    email: profile.email.unwrap_or_default(),
                    options: write.options(),
                };
                let response =
                    client.administration.create_sub_account(request).await?.into_inner();
                let user = response.sub_account.unwrap_or_default();
                let done = format!("created sub-account {} (uin {})", user.name, user.uin);
                Ok(changed(done, &user, response.password, response.result))
            }
            Self::Get { user } => get(client, owner_uin, &user).await,
            Self::List { group } => list(client, owner_uin, group).await,
            Self::Update { user, name, remark, profile, write } => {
                let request = proto::UpdateSubAccountRequest {
                    owner_uin,
                    uin: client.uin(&user).await?,
                    name,
                    remark,
                    console_login: profile.console_login,
                    password: profile.password()?,
                    generate_password: profile.generate_password,
                    need_reset_password: profile.need_reset_password,
                    phone_num: profile.phone_num,
                    country_code: profile.country_code,
                    email: profile.email,
                    options: write.options(),
                };
                let response =
                    client.administration.update_sub_account(request).await?.into_inner();
                let user = response.sub_account.unwrap_or_default();
                let done = format!("updated sub-account {} (uin {})", user.name, user.uin);
                Ok(changed(done, &user, response.password, response.result))
            }
            Self::Delete { user, force, delete_keys, write } => {
                let (uin, options) = (client.uin(&user).await?, write.options());
                let request =
                    proto::DeleteSubAccountRequest { owner_uin, uin, force, delete_keys, options };
                let response =
                    client.administration.delete_sub_account(request).await?.into_inner();
                let done = format!("deleted sub-account {user} (uin {uin})");
                Ok(view::written(&done, view::field("uin", uin.into()), response.result))
            }
        }
    }
}

/// The answer of a write about a sub-account, with the password that was made for it.
fn changed(
    mut done: String,
    user: &proto::SubAccount,
    password: Option<proto::Secret>,
    result: Option<proto::WriteResult>,
) -> Answer {
    let mut fields = view::field("sub_account", view::user(user));
    if let Some(proto::Secret { text }) = password {
        done.push_str(&format!("\npassword {text} (not shown again)"));
        fields.insert("password".into(), text.into());
    }
    view::written(&done, fields, result)
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

/// Permission boundaries: the most that a sub-account or a role can ever be allowed
#[derive(Debug, Subcommand)]
pub enum BoundaryCommand {
    /// Sets the boundary of a sub-account or a role, in place of the one it has
    #[command(after_help = "Example:\n  camgate boundary set alice QcloudIMReadOnlyAccess")]
    Set {
        /// The sub-account, by name or uin; with `--role` the role, by name or id
        user: String,
        /// The policy, by name or id
        policy: String,
        /// Means a role
        #[arg(long)]
        role: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented where it is declared")]
        write: WriteArgs,
    },
    /// Removes the boundary of a sub-account or a role
    #[command(after_help = "Example:\n  camgate boundary remove deployer --role")]
    Remove {
        /// The sub-account, by name or uin; with `--role` the role, by name or id
        user: String,
        /// Means a role
        #[arg(long)]
        role: bool,
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
            Self::Set { user, policy, role, write } => {
                let (uin, role_id) = bounded(client, &user, role).await?;
                let (policy_id, options) = (client.policy_id(&policy).await?, write.options());
                let request =
                    proto::PutBoundaryRequest { owner_uin, uin, policy_id, role_id, options };
                let response = client.administration.put_boundary(request).await?.into_inner();
                let done = format!("set {policy} as the boundary of {user}");
                let mut fields = bounded_field(uin, role_id);
                fields.insert("policy_id".into(), policy_id.into());
                Ok(view::written(&done, fields, response.result))
            }
            Self::Remove { user, role, write } => {
                let (uin, role_id) = bounded(client, &user, role).await?;
                let options = write.options();
                let request = proto::DeleteBoundaryRequest { owner_uin, uin, role_id, options };
                let response = client.administration.delete_boundary(request).await?.into_inner();
                let done = format!("removed the boundary of {user}");
                Ok(view::written(&done, bounded_field(uin, role_id), response.result))
            }
        }
    }
}

/// Uin and role id, one of them 0.
async fn bounded(client: &mut Client, name: &str, is_role: bool) -> Result<(u64, u64), CliError> {
    if is_role { Ok((0, client.role_id(name).await?)) } else { Ok((client.uin(name).await?, 0)) }
}

fn bounded_field(uin: u64, role_id: u64) -> serde_json::Map<String, serde_json::Value> {
    match role_id {
        0 => view::field("uin", uin.into()),
        id => view::field("role_id", id.into()),
    }
}
