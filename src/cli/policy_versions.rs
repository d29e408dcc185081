//! `policy versions | add-version | get-version | rollback | delete-version`: the versions of a
//! custom policy.

use clap::Subcommand;
use serde_json::json;

use super::answer::{Answer, CliError, table_or};
use super::args::WriteArgs;
use super::client::{Client, missing};
use super::files::read_policy_text;
use super::view;
use crate::service::proto;

/// The commands about a policy's versions.
#[derive(Debug, Subcommand)]
pub enum VersionCommand {
    /// Lists the versions of a policy, newest first
    #[command(after_help = "Example:\n  camgate policy versions app-team")]
    Versions {
        /// Name or id
        policy: String,
    },
    /// Shows one version with its document
    #[command(after_help = "Example:\n  camgate policy get-version app-team 1")]
    GetVersion {
        /// Name or id
        policy: String,
        /// The version, from 1
        version: u32,
    },
    /// Adds a version; a policy has at most five
    #[command(after_help = "Example:\n  camgate policy add-version app-team new.json --default")]
    AddVersion {
        /// Name or id
        policy: String,
        /// The document; `-` reads the standard input
        file: String,
        /// Makes it the version that counts
        #[arg(long = "default")]
        set_as_default: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented where it is declared")]
        write: WriteArgs,
    },
    /// Makes an older version the one that counts
    #[command(after_help = "Example:\n  camgate policy rollback app-team 1")]
    Rollback {
        /// Name or id
        policy: String,
        /// The version, from 1
        version: u32,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented where it is declared")]
        write: WriteArgs,
    },
    /// Deletes a version that is not the default
    #[command(after_help = "Example:\n  camgate policy delete-version app-team 1")]
    DeleteVersion {
        /// Name or id
        policy: String,
        /// The version, from 1
        version: u32,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented where it is declared")]
        write: WriteArgs,
    },
}

impl VersionCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// What the server refuses; a file that cannot be read.
    pub async fn run(self, client: &mut Client) -> Result<Answer, CliError> {
        let owner_uin = client.owner().await?;
        match self {
            Self::Versions { policy } => list(client, owner_uin, &policy).await,
            Self::GetVersion { policy, version } => {
                let policy_id = client.policy_id(&policy).await?;
                let request = proto::GetPolicyVersionRequest {
                    owner_uin,
                    policy_id,
                    version,
                    consistency: None,
                };
                let response =
                    client.administration.get_policy_version(request).await?.into_inner();
                let version = response.version.ok_or_else(|| missing("version"))?;
                let json =
                    json!({ "version": view::version(&version), "revision": response.revision });
                Ok(Answer::new(json, version.document.trim_end()))
            }
            Self::AddVersion { policy, file, set_as_default, write } => {
                let (policy_id, options) = (client.policy_id(&policy).await?, write.options());
                let document = read_policy_text(&file)?;
                let request = proto::CreatePolicyVersionRequest {
                    owner_uin,
                    policy_id,
                    document,
                    set_as_default,
                    options,
                };
                let response =
                    client.administration.create_policy_version(request).await?.into_inner();
                let version = response.version.unwrap_or_default();
                let done = format!("added version {} of policy {policy}", version.version);
                let fields = view::field("version", view::version(&version));
                Ok(view::written(&done, fields, response.result))
            }
            Self::Rollback { policy, version, write } => {
                let (policy_id, options) = (client.policy_id(&policy).await?, write.options());
                let request = proto::SetDefaultPolicyVersionRequest {
                    owner_uin,
                    policy_id,
                    version,
                    options,
                };
                let response =
                    client.administration.set_default_policy_version(request).await?.into_inner();
                let done = format!("version {version} of policy {policy} is the default");
                Ok(view::written(&done, view::field("version", version.into()), response.result))
            }
            Self::DeleteVersion { policy, version, write } => {
                let (policy_id, options) = (client.policy_id(&policy).await?, write.options());
                let request =
                    proto::DeletePolicyVersionRequest { owner_uin, policy_id, version, options };
                let response =
                    client.administration.delete_policy_version(request).await?.into_inner();
                let done = format!("deleted version {version} of policy {policy}");
                Ok(view::written(&done, view::field("version", version.into()), response.result))
            }
        }
    }
}

async fn list(client: &mut Client, owner_uin: u64, policy: &str) -> Result<Answer, CliError> {
    let policy_id = client.policy_id(policy).await?;
    let request = proto::ListPolicyVersionsRequest { owner_uin, policy_id, consistency: None };
    let response = client.administration.list_policy_versions(request).await?.into_inner();
    let rows = response
        .versions
        .iter()
        .map(|version| {
            vec![
                version.version.to_string(),
                if version.is_default { "default".to_owned() } else { String::new() },
                view::instant(version.created_at.as_ref()),
                version.digest.chars().take(12).collect(),
            ]
        })
        .collect();
    let text = table_or("no versions", &["VERSION", "", "CREATED", "DIGEST"], rows);
    let versions: Vec<_> = response.versions.iter().map(view::version).collect();
    Ok(Answer::new(json!({ "versions": versions, "revision": response.revision }), text))
}
