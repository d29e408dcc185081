//! `key …`: access keys of the root and of sub-accounts.

use clap::{Args, Subcommand};
use serde_json::json;

use super::answer::{Answer, CliError, table_or};
use super::args::WriteArgs;
use super::client::{Client, Pages};
use super::view;
use crate::service::proto;

/// Access keys, by SecretId
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Creates an access key and shows its secret, once
    #[command(after_help = "Example:\n  camgate key create alice --description ci")]
    Create {
        /// The sub-account, by name or uin; `root` for the account's own
        user: String,
        /// A description for people
        #[arg(long, default_value = "", hide_default_value = true)]
        description: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented where it is declared")]
        write: WriteArgs,
    },
    /// Lists access keys, without their secrets
    #[command(after_help = "Example:\n  camgate key list --user alice")]
    List {
        /// Only keys of this sub-account, by name or uin; `root` for the account's own
        #[arg(long)]
        user: Option<String>,
    },
    /// Makes an inactive key count again
    #[command(after_help = "Example:\n  camgate key enable AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE")]
    Enable(KeyArgs),
    /// Makes a key refused, with the sessions made by it, until it is enabled again
    #[command(after_help = "Example:\n  camgate key disable AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE")]
    Disable(KeyArgs),
    /// Deletes a key for good; its sessions end with it
    #[command(after_help = "Example:\n  camgate key delete AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE")]
    Delete(KeyArgs),
}

/// One key to change.
#[derive(Debug, Clone, Args)]
pub struct KeyArgs {
    /// The key's SecretId
    pub secret_id: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented where it is declared")]
    pub write: WriteArgs,
}

impl KeyCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn run(self, client: &mut Client) -> Result<Answer, CliError> {
        let owner_uin = client.owner().await?;
        match self {
            Self::Create { user, description, write } => {
                let (uin, options) = (client.uin(&user).await?, write.options());
                let request =
                    proto::CreateAccessKeyRequest { owner_uin, uin, description, options };
                let response = client.administration.create_access_key(request).await?.into_inner();
                Ok(created(&user, response))
            }
            Self::List { user } => list(client, owner_uin, user).await,
            Self::Enable(key) => switch(client, owner_uin, key, proto::KeyStatus::Active).await,
            Self::Disable(key) => switch(client, owner_uin, key, proto::KeyStatus::Inactive).await,
            Self::Delete(KeyArgs { secret_id, write }) => {
                let (done, options) = (format!("deleted key {secret_id}"), write.options());
                let field = view::field("secret_id", secret_id.clone().into());
                let request = proto::DeleteAccessKeyRequest { owner_uin, secret_id, options };
                let response = client.administration.delete_access_key(request).await?.into_inner();
                Ok(view::written(&done, field, response.result))
            }
        }
    }
}

/// The answer that shows a secret.
pub(super) fn created(user: &str, response: proto::CreateAccessKeyResponse) -> Answer {
    let proto::CreateAccessKeyResponse { access_key, secret_key, result } = response;
    let key = access_key.unwrap_or_default();
    let mut done = format!("created a key for {user}\nsecret id {}", key.secret_id);
    let mut fields = view::field("access_key", view::access_key(&key));
    if let Some(proto::Secret { text }) = secret_key {
        done.push_str(&format!("\nsecret key {text} (not shown again)"));
        fields.insert("secret_key".into(), text.into());
    }
    view::written(&done, fields, result)
}

async fn switch(
    client: &mut Client,
    owner_uin: u64,
    key: KeyArgs,
    status: proto::KeyStatus,
) -> Result<Answer, CliError> {
    let KeyArgs { secret_id, write } = key;
    let done = format!("key {secret_id} is {}", view::key_status(status.into()));
    let request = proto::UpdateAccessKeyRequest {
        owner_uin,
        secret_id,
        status: status.into(),
        description: None,
        options: write.options(),
    };
    let response = client.administration.update_access_key(request).await?.into_inner();
    let key = view::access_key(&response.access_key.unwrap_or_default());
    Ok(view::written(&done, view::field("access_key", key), response.result))
}

async fn list(
    client: &mut Client,
    owner_uin: u64,
    user: Option<String>,
) -> Result<Answer, CliError> {
    let uin = match user {
        Some(user) => client.uin(&user).await?,
        None => 0,
    };
    let (mut keys, mut pages) = (Vec::new(), Pages::default());
    loop {
        let page = pages.request();
        let request = proto::ListAccessKeysRequest { owner_uin, uin, consistency: None, page };
        let response = client.administration.list_access_keys(request).await?.into_inner();
        keys.extend(response.access_keys);
        if !pages.goes_on(response.next_page_token) {
            let list: Vec<_> = keys.iter().map(view::access_key).collect();
            let json = json!({ "access_keys": list, "revision": response.revision });
            return Ok(Answer::new(json, table(&keys)));
        }
    }
}

fn table(keys: &[proto::AccessKey]) -> String {
    let rows = keys
        .iter()
        .map(|key| {
            vec![
                key.secret_id.clone(),
                key.uin.to_string(),
                view::key_status(key.status),
                view::instant(key.created_at.as_ref()),
                key.description.clone(),
            ]
        })
        .collect();
    table_or("no access keys", &["SECRET ID", "UIN", "STATUS", "CREATED", "DESCRIPTION"], rows)
}
