//! `role …`: roles, who may assume them, and their tags.

use clap::{Args, Subcommand};
use serde_json::json;

use super::answer::{Answer, CliError, table_or};
use super::args::{WriteArgs, tags};
use super::client::{Client, Pages, missing};
use super::files::read_policy_text;
use super::view;
use crate::service::proto;

/// Roles, by name or by id
#[derive(Debug, Subcommand)]
pub enum RoleCommand {
    /// Creates a role; it starts with no rights
    #[command(after_help = "Example:\n  camgate role create deployer trust.json --tag team=im")]
    Create(Create),
    /// Shows one role with its trust policy, policies and boundary
    #[command(after_help = "Example:\n  camgate role show deployer")]
    Show {
        /// Name or id
        role: String,
    },
    /// Lists the roles
    #[command(after_help = "Example:\n  camgate role list --tag team=im")]
    List {
        /// Only roles with this tag, `KEY=VALUE`; may be given several times
        #[arg(long = "tag", value_name = "KEY=VALUE")]
        tags: Vec<String>,
    },
    /// Changes the trust policy, the description, the session duration or the console login
    #[command(after_help = "Example:\n  camgate role update deployer --session-duration 7200")]
    Update(Update),
    /// Deletes a role; its sessions end with it
    #[command(after_help = "Example:\n  camgate role delete deployer --force")]
    Delete {
        /// Name or id
        role: String,
        /// Also when it has policies or a boundary
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented where it is declared")]
        write: WriteArgs,
    },
    /// Gives a role tags, in place of those with the same keys
    #[command(after_help = "Example:\n  camgate role tag deployer env=prod team=im")]
    Tag {
        /// Name or id
        role: String,
        /// The tags
        #[arg(required = true, value_name = "KEY=VALUE")]
        tags: Vec<String>,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented where it is declared")]
        write: WriteArgs,
    },
    /// Takes tags off a role
    #[command(after_help = "Example:\n  camgate role untag deployer env")]
    Untag {
        /// Name or id
        role: String,
        /// The keys of the tags
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<String>,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented where it is declared")]
        write: WriteArgs,
    },
}

/// A role to create.
#[derive(Debug, Clone, Args)]
pub struct Create {
    /// The name, unique in the account
    pub name: String,
    /// The trust policy, which says who may assume the role; `-` reads the standard input
    pub file: String,
    /// A description for people
    #[arg(long, default_value = "", hide_default_value = true)]
    pub description: String,
    /// The longest session in seconds, at most 43200; 0 is the default
    #[arg(long, value_name = "SECONDS", default_value_t = 0, hide_default_value = true)]
    pub session_duration: u32,
    /// People may switch to it in a console
    #[arg(long)]
    pub console_login: bool,
    /// A tag; may be given several times
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    pub tags: Vec<String>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented where it is declared")]
    pub write: WriteArgs,
}

/// What changes of a role.
#[derive(Debug, Clone, Args)]
pub struct Update {
    /// Name or id
    pub role: String,
    /// The new trust policy; `-` reads the standard input
    #[arg(long, value_name = "FILE")]
    pub trust_policy: Option<String>,
    /// The new description
    #[arg(long)]
    pub description: Option<String>,
    /// The longest session in seconds, at most 43200; 0 is the default
    #[arg(long, value_name = "SECONDS")]
    pub session_duration: Option<u32>,
    /// Whether people may switch to it in a console
    #[arg(long, value_name = "BOOL")]
    pub console_login: Option<bool>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented where it is declared")]
    pub write: WriteArgs,
}

impl RoleCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// What the server refuses; a file that cannot be read.
    pub async fn run(self, client: &mut Client) -> Result<Answer, CliError> {
        let owner_uin = client.owner().await?;
        match self {
            Self::Create(create) => create.run(client, owner_uin).await,
            Self::Show { role } => show(client, owner_uin, &role).await,
            Self::List { tags: wanted } => list(client, owner_uin, &wanted).await,
            Self::Update(update) => update.run(client, owner_uin).await,
            Self::Delete { role, force, write } => {
                let (role_id, options) = (client.role_id(&role).await?, write.options());
                let request = proto::DeleteRoleRequest { owner_uin, role_id, force, options };
                let response = client.administration.delete_role(request).await?.into_inner();
                let done = format!("deleted role {role} (id {role_id})");
                Ok(view::written(&done, view::field("role_id", role_id.into()), response.result))
            }
            Self::Tag { role, tags: given, write } => {
                let (role_id, options) = (client.role_id(&role).await?, write.options());
                let tags = tags(&given)?;
                let request = proto::TagRoleRequest { owner_uin, role_id, tags, options };
                let response = client.administration.tag_role(request).await?.into_inner();
                Ok(changed(&format!("tagged role {role}"), response.role, response.result))
            }
            Self::Untag { role, keys, write } => {
                let (role_id, options) = (client.role_id(&role).await?, write.options());
                let request = proto::UntagRoleRequest { owner_uin, role_id, keys, options };
                let response = client.administration.untag_role(request).await?.into_inner();
                Ok(changed(&format!("untagged role {role}"), response.role, response.result))
            }
        }
    }
}

impl Create {
    async fn run(self, client: &mut Client, owner_uin: u64) -> Result<Answer, CliError> {
        let Self { name, file, description, session_duration, console_login, tags: given, write } =
            self;
        let request = proto::CreateRoleRequest {
            owner_uin,
            name,
            description,
            trust_policy: read_policy_text(&file)?,
            session_duration_s: session_duration,
            console_login,
            tags: tags(&given)?,
            options: write.options(),
        };
        let response = client.administration.create_role(request).await?.into_inner();
        let role = response.role.unwrap_or_default();
        let done = format!("created role {} (id {})", role.name, role.role_id);
        Ok(changed(&done, Some(role), response.result))
    }
}

impl Update {
    async fn run(self, client: &mut Client, owner_uin: u64) -> Result<Answer, CliError> {
        let Self { role, trust_policy, description, session_duration, console_login, write } = self;
        let role_id = client.role_id(&role).await?;
        let request = proto::UpdateRoleRequest {
            owner_uin,
            role_id,
            description,
            trust_policy: trust_policy.as_deref().map(read_policy_text).transpose()?,
            session_duration_s: session_duration,
            console_login,
            options: write.options(),
        };
        let response = client.administration.update_role(request).await?.into_inner();
        Ok(changed(&format!("updated role {role}"), response.role, response.result))
    }
}

fn changed(done: &str, role: Option<proto::Role>, result: Option<proto::WriteResult>) -> Answer {
    view::written(done, view::field("role", view::role(&role.unwrap_or_default())), result)
}

async fn show(client: &mut Client, owner_uin: u64, role: &str) -> Result<Answer, CliError> {
    let role_id = client.role_id(role).await?;
    let request = proto::GetRoleRequest { owner_uin, role_id, ..Default::default() };
    let response = client.administration.get_role(request).await?.into_inner();
    let role = response.role.ok_or_else(|| missing("role"))?;
    let json = json!({ "role": view::role(&role), "revision": response.revision });
    let text = format!("{}\n\n{}", role_table(std::slice::from_ref(&role)), role.trust_policy);
    Ok(Answer::new(json, text))
}

async fn list(client: &mut Client, owner_uin: u64, wanted: &[String]) -> Result<Answer, CliError> {
    let tags = tags(wanted)?;
    let (mut roles, mut pages) = (Vec::new(), Pages::default());
    loop {
        let (page, tags) = (pages.request(), tags.clone());
        let request = proto::ListRolesRequest { owner_uin, tags, consistency: None, page };
        let response = client.administration.list_roles(request).await?.into_inner();
        roles.extend(response.roles);
        if !pages.goes_on(response.next_page_token) {
            let list: Vec<_> = roles.iter().map(view::role).collect();
            let json = json!({ "roles": list, "revision": response.revision });
            return Ok(Answer::new(json, role_table(&roles)));
        }
    }
}

/// Roles as a table.
#[must_use]
pub fn role_table(roles: &[proto::Role]) -> String {
    let rows = roles
        .iter()
        .map(|role| {
            let boundary = role.boundary.as_ref().map(|b| b.policy_name.clone());
            let tags: Vec<_> =
                role.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
            vec![
                role.role_id.to_string(),
                role.name.clone(),
                view::names(&role.policies),
                boundary.unwrap_or_default(),
                tags.join(" "),
                role.description.clone(),
            ]
        })
        .collect();
    table_or("no roles", &["ID", "NAME", "POLICIES", "BOUNDARY", "TAGS", "DESCRIPTION"], rows)
}
