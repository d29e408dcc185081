//! `policy …` against a server: custom policies, presets, versions, attachments.
//!
//! What needs no server stands in `policy_files` and `policy_test`.

use clap::{Args, Subcommand};
use serde_json::json;

use super::answer::{Answer, CliError, table_or};
use super::args::{WriteArgs, tags};
use super::client::{Client, Pages, missing};
use super::files::read_policy_text;
use super::group::group_table;
use super::role::role_table;
use super::user::user_table;
use super::view;
use crate::service::proto;

/// Whom a policy is attached to.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct TargetArgs {
    /// The sub-account, by name or uin
    #[arg(long)]
    pub user: Option<String>,
    /// The group, by name or id
    #[arg(long)]
    pub group: Option<String>,
    /// The role, by name or id
    #[arg(long)]
    pub role: Option<String>,
}

/// The target in ids, two of them 0, and in words.
struct Target {
    uin: u64,
    group_id: u64,
    role_id: u64,
    whom: String,
}

impl TargetArgs {
    async fn resolve(&self, client: &mut Client) -> Result<Target, CliError> {
        let (mut uin, mut group_id, mut role_id) = (0, 0, 0);
        let whom = match (&self.user, &self.group, &self.role) {
            (Some(user), _, _) => {
                uin = client.uin(user).await?;
                format!("sub-account {user}")
            }
            (None, Some(group), _) => {
                group_id = client.group_id(group).await?;
                format!("group {group}")
            }
            (None, None, Some(role)) => {
                role_id = client.role_id(role).await?;
                format!("role {role}")
            }
            (None, None, None) => {
                return Err(CliError::Usage("name `--user`, `--group` or `--role`".to_owned()));
            }
        };
        Ok(Target { uin, group_id, role_id, whom })
    }
}

/// A change of one policy's attachments.
#[derive(Debug, Clone, Args)]
pub struct AttachArgs {
    /// The policy, by name or id; presets too
    pub policy: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented where it is declared")]
    pub target: TargetArgs,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented where it is declared")]
    pub write: WriteArgs,
}

impl AttachArgs {
    /// `policy attach`.
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn attach(self, client: &mut Client) -> Result<Answer, CliError> {
        let owner_uin = client.owner().await?;
        let policy_id = client.policy_id(&self.policy).await?;
        let Target { uin, group_id, role_id, whom } = self.target.resolve(client).await?;
        let options = self.write.options();
        let request =
            proto::AttachPolicyRequest { owner_uin, policy_id, uin, group_id, role_id, options };
        let response = client.administration.attach_policy(request).await?.into_inner();
        let done = format!("attached {} to {whom}", self.policy);
        Ok(view::written(&done, view::field("policy_id", policy_id.into()), response.result))
    }

    /// `policy detach`.
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn detach(self, client: &mut Client) -> Result<Answer, CliError> {
        let owner_uin = client.owner().await?;
        let policy_id = client.policy_id(&self.policy).await?;
        let Target { uin, group_id, role_id, whom } = self.target.resolve(client).await?;
        let options = self.write.options();
        let request =
            proto::DetachPolicyRequest { owner_uin, policy_id, uin, group_id, role_id, options };
        let response = client.administration.detach_policy(request).await?.into_inner();
        let done = format!("detached {} from {whom}", self.policy);
        Ok(view::written(&done, view::field("policy_id", policy_id.into()), response.result))
    }
}

/// Which policies are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ListKind {
    /// The account's own
    Custom,
    /// Shipped with camgate
    Preset,
    /// From the operator's files
    OperatorPreset,
}

/// The commands about stored policies.
#[derive(Debug, Subcommand)]
pub enum StoredCommand {
    /// Creates a custom policy from a file
    #[command(after_help = "Example:\n  camgate policy create app-team policies/app-team.json")]
    Create {
        /// The name, unique in the account
        name: String,
        /// The document; `-` reads the standard input
        file: String,
        /// A description for people
        #[arg(long, default_value = "", hide_default_value = true)]
        description: String,
        /// A tag; may be given several times
        #[arg(long = "tag", value_name = "KEY=VALUE")]
        tags: Vec<String>,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented where it is declared")]
        write: WriteArgs,
    },
    /// Shows one policy with its document
    #[command(after_help = "Example:\n  camgate policy get QcloudIMReadOnlyAccess")]
    Get {
        /// Name or id
        policy: String,
    },
    /// Lists policies, presets too
    #[command(after_help = "Example:\n  camgate policy list --kind custom")]
    List {
        /// Only this kind
        #[arg(long, value_enum)]
        kind: Option<ListKind>,
        /// Only names that contain this text
        #[arg(long, default_value = "", hide_default_value = true)]
        name_contains: String,
    },
    /// Overwrites the default version's document, or the description
    #[command(after_help = "Example:\n  camgate policy update app-team policies/app-team.json")]
    Update {
        /// Name or id
        policy: String,
        /// The new document; `-` reads the standard input
        #[arg(required_unless_present = "description")]
        file: Option<String>,
        /// The new description
        #[arg(long)]
        description: Option<String>,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented where it is declared")]
        write: WriteArgs,
    },
    /// Deletes a custom policy
    #[command(after_help = "Example:\n  camgate policy delete app-team --force")]
    Delete {
        /// Name or id
        policy: String,
        /// Also when it is attached: detaches it in the same step
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented where it is declared")]
        write: WriteArgs,
    },
    /// Shows who has a policy attached, or as boundary
    #[command(after_help = "Example:\n  camgate policy entities app-team")]
    Entities {
        /// Name or id
        policy: String,
    },
}

impl StoredCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// What the server refuses; a file that cannot be read.
    pub async fn run(self, client: &mut Client) -> Result<Answer, CliError> {
        let owner_uin = client.owner().await?;
        match self {
            Self::Create { name, file, description, tags: given, write } => {
                let request = proto::CreatePolicyRequest {
                    owner_uin,
                    name,
                    description,
                    document: read_policy_text(&file)?,
                    tags: tags(&given)?,
                    options: write.options(),
                };
                let response = client.administration.create_policy(request).await?.into_inner();
                let policy = response.policy.unwrap_or_default();
                let done = format!("created policy {} (id {})", policy.name, policy.policy_id);
                Ok(view::written(
                    &done,
                    view::field("policy", view::policy(&policy)),
                    response.result,
                ))
            }
            Self::Get { policy } => get(client, owner_uin, &policy).await,
            Self::List { kind, name_contains } => {
                list(client, owner_uin, kind, name_contains).await
            }
            Self::Update { policy, file, description, write } => {
                let (policy_id, options) = (client.policy_id(&policy).await?, write.options());
                let document = file.map(|file| read_policy_text(&file)).transpose()?;
                let request = proto::UpdatePolicyRequest {
                    owner_uin,
                    policy_id,
                    description,
                    document,
                    options,
                };
                let response = client.administration.update_policy(request).await?.into_inner();
                let policy = response.policy.unwrap_or_default();
                let done = format!("updated policy {} (id {policy_id})", policy.name);
                Ok(view::written(
                    &done,
                    view::field("policy", view::policy(&policy)),
                    response.result,
                ))
            }
            Self::Delete { policy, force, write } => {
                let (policy_id, options) = (client.policy_id(&policy).await?, write.options());
                let request = proto::DeletePolicyRequest { owner_uin, policy_id, force, options };
                let response = client.administration.delete_policy(request).await?.into_inner();
                let done = format!("deleted policy {policy} (id {policy_id})");
                Ok(view::written(
                    &done,
                    view::field("policy_id", policy_id.into()),
                    response.result,
                ))
            }
            Self::Entities { policy } => entities(client, owner_uin, &policy).await,
        }
    }
}

async fn get(client: &mut Client, owner_uin: u64, policy: &str) -> Result<Answer, CliError> {
    let policy_id = client.policy_id(policy).await?;
    let request = proto::GetPolicyRequest { owner_uin, policy_id, ..Default::default() };
    let response = client.administration.get_policy(request).await?.into_inner();
    let policy = response.policy.ok_or_else(|| missing("policy"))?;
    let json = json!({ "policy": view::policy(&policy), "revision": response.revision });
    let document = policy.document.trim_end().to_owned();
    let text = format!("{}\n\n{document}", policy_table(&[policy]));
    Ok(Answer::new(json, text))
}

async fn list(
    client: &mut Client,
    owner_uin: u64,
    kind: Option<ListKind>,
    name_contains: String,
) -> Result<Answer, CliError> {
    let kind = match kind {
        None => proto::PolicyKind::Unspecified,
        Some(ListKind::Custom) => proto::PolicyKind::Custom,
        Some(ListKind::Preset) => proto::PolicyKind::Preset,
        Some(ListKind::OperatorPreset) => proto::PolicyKind::OperatorPreset,
    };
    let (mut policies, mut pages) = (Vec::new(), Pages::default());
    loop {
        let request = proto::ListPoliciesRequest {
            owner_uin,
            kind: kind.into(),
            name_contains: name_contains.clone(),
            consistency: None,
            page: pages.request(),
        };
        let response = client.administration.list_policies(request).await?.into_inner();
        policies.extend(response.policies);
        if !pages.goes_on(response.next_page_token) {
            let list: Vec<_> = policies.iter().map(view::policy).collect();
            let json = json!({ "policies": list, "revision": response.revision });
            return Ok(Answer::new(json, policy_table(&policies)));
        }
    }
}

async fn entities(client: &mut Client, owner_uin: u64, policy: &str) -> Result<Answer, CliError> {
    let policy_id = client.policy_id(policy).await?;
    let request = proto::ListPolicyEntitiesRequest { owner_uin, policy_id, consistency: None };
    let response = client.administration.list_policy_entities(request).await?.into_inner();
    let mut parts = Vec::new();
    if !response.sub_accounts.is_empty() {
        parts.push(format!("attached to sub-accounts:\n{}", user_table(&response.sub_accounts)));
    }
    if !response.groups.is_empty() {
        parts.push(format!("attached to groups:\n{}", group_table(&response.groups)));
    }
    if !response.roles.is_empty() {
        parts.push(format!("attached to roles:\n{}", role_table(&response.roles)));
    }
    if !response.bounded.is_empty() {
        parts.push(format!("boundary of:\n{}", user_table(&response.bounded)));
    }
    if !response.bounded_roles.is_empty() {
        parts.push(format!("boundary of roles:\n{}", role_table(&response.bounded_roles)));
    }
    if parts.is_empty() {
        parts.push("attached to nobody".to_owned());
    }
    let json = json!({
        "sub_accounts": response.sub_accounts.iter().map(view::user).collect::<Vec<_>>(),
        "groups": response.groups.iter().map(view::group).collect::<Vec<_>>(),
        "bounded": response.bounded.iter().map(view::user).collect::<Vec<_>>(),
        "roles": response.roles.iter().map(view::role).collect::<Vec<_>>(),
        "bounded_roles": response.bounded_roles.iter().map(view::role).collect::<Vec<_>>(),
        "revision": response.revision,
    });
    Ok(Answer::new(json, parts.join("\n")))
}

fn policy_table(policies: &[proto::Policy]) -> String {
    let rows = policies
        .iter()
        .map(|policy| {
            vec![
                policy.policy_id.to_string(),
                policy.name.clone(),
                view::policy_kind(policy.kind),
                policy.default_version.to_string(),
                policy.attachments.to_string(),
                policy.description.clone(),
            ]
        })
        .collect();
    let header = ["ID", "NAME", "KIND", "VERSION", "ATTACHED", "DESCRIPTION"];
    table_or("no policies", &header, rows)
}
