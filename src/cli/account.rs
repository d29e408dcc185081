//! `account …`, `init` and `app …`: root accounts, and the apps they own.

use clap::{Args, Subcommand};
use serde_json::json;

use super::account_changes::changes;
use super::answer::{Answer, CliError, table_or};
use super::args::{WriteArgs, tags};
use super::client::{Client, Pages, missing};
use super::view;
use crate::service::proto;

/// Makes the first account of a new server
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  camgate init --owner 12345678 --app-id 1250000001\n\n\
    Refused when the server has an account already; `camgate account create` makes more.")]
pub struct Init {
    /// The root account's uin
    #[arg(long, value_name = "UIN")]
    pub owner: u64,
    /// The root account's APPID
    #[arg(long, value_name = "N")]
    pub app_id: u64,
}

impl Init {
    /// Creates the account and a key of its root, unless there is an account.
    ///
    /// # Errors
    /// When the server has an account, or refuses this one.
    pub async fn run(&self, client: &mut Client) -> Result<Answer, CliError> {
        let accounts = list_accounts(client).await?;
        if let Some(account) = accounts.first() {
            return Err(CliError::Usage(format!(
                "the server has an account already (`{}`); `camgate account create` makes more",
                account.owner_uin
            )));
        }
        let mut answer =
            create_account(client, self.owner, self.app_id, &WriteArgs::default()).await?;
        let request = proto::CreateAccessKeyRequest {
            owner_uin: self.owner,
            uin: self.owner,
            ..Default::default()
        };
        match client.administration.create_access_key(request).await {
            Ok(response) => {
                let key = super::key::created("root", response.into_inner());
                answer.text.push_str(&format!("\n{}", key.text));
                if let (Some(all), Some(more)) = (answer.json.as_object_mut(), key.json.as_object())
                {
                    all.extend(more.clone());
                }
            }
            // Without a master key there are no keys; the account is fine all the same.
            Err(status) if status.code() == tonic::Code::FailedPrecondition => {
                answer.text.push_str(&format!("\nno key was made: {}", status.message()));
            }
            Err(status) => return Err(status.into()),
        }
        Ok(answer)
    }
}

/// Root accounts
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Creates a root account
    #[command(after_help = "Example:\n  camgate account create 12345678 --app-id 1250000001")]
    Create {
        /// The root account's uin
        owner: u64,
        /// The root account's APPID
        #[arg(long, value_name = "N")]
        app_id: u64,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented where it is declared")]
        write: WriteArgs,
    },
    /// Shows one account and how much is in it
    #[command(after_help = "Example:\n  camgate account get")]
    Get,
    /// Lists the change log: who changed what, when and from where
    #[command(after_help = "Example:\n  camgate account changes --from 120\n\n\
        Exit status 1 when an entry was altered or is missing: each is proved by the digest that \
        the next one holds, the last by the account itself. `--output json` shows each record \
        before and after, in hexadecimal digits.")]
    Changes {
        /// The number of the first entry wanted
        #[arg(long, value_name = "N", default_value_t = 1)]
        from: u64,
    },
    /// Lists all accounts
    #[command(after_help = "Example:\n  camgate account list --output json")]
    List,
}

impl AccountCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn run(self, client: &mut Client) -> Result<Answer, CliError> {
        match self {
            Self::Create { owner, app_id, write } => {
                create_account(client, owner, app_id, &write).await
            }
            Self::Get => get_account(client).await,
            Self::Changes { from } => changes(client, from).await,
            Self::List => {
                let accounts = list_accounts(client).await?;
                let rows = accounts
                    .iter()
                    .map(|account| {
                        vec![
                            account.owner_uin.to_string(),
                            account.app_id.to_string(),
                            view::instant(account.created_at.as_ref()),
                        ]
                    })
                    .collect();
                let text = table_or("no accounts", &["OWNER", "APPID", "CREATED"], rows);
                let accounts: Vec<_> = accounts.iter().map(view::account).collect();
                Ok(Answer::new(json!({ "accounts": accounts }), text))
            }
        }
    }
}

async fn create_account(
    client: &mut Client,
    owner_uin: u64,
    app_id: u64,
    write: &WriteArgs,
) -> Result<Answer, CliError> {
    let request = proto::CreateAccountRequest { owner_uin, app_id, options: write.options() };
    let response = client.administration.create_account(request).await?.into_inner();
    let account = response.account.unwrap_or_default();
    let done = format!("created account {owner_uin} (APPID {app_id})");
    Ok(view::written(&done, view::field("account", view::account(&account)), response.result))
}

async fn get_account(client: &mut Client) -> Result<Answer, CliError> {
    let request = proto::GetAccountRequest { owner_uin: client.owner().await?, consistency: None };
    let response = client.administration.get_account(request).await?.into_inner();
    let account = response.account.ok_or_else(|| missing("account"))?;
    let text = format!(
        "account {} (APPID {})\n{} sub-accounts, {} groups, {} custom policies, {} apps, {} roles\n\
         revision {}",
        account.owner_uin,
        account.app_id,
        response.sub_accounts,
        response.groups,
        response.policies,
        response.apps,
        response.roles,
        response.revision
    );
    let json = json!({
        "account": view::account(&account),
        "sub_accounts": response.sub_accounts,
        "groups": response.groups,
        "policies": response.policies,
        "apps": response.apps,
        "roles": response.roles,
        "revision": response.revision,
    });
    Ok(Answer::new(json, text))
}

async fn list_accounts(client: &mut Client) -> Result<Vec<proto::Account>, CliError> {
    let (mut accounts, mut pages) = (Vec::new(), Pages::default());
    loop {
        let request = proto::ListAccountsRequest { consistency: None, page: pages.request() };
        let response = client.administration.list_accounts(request).await?.into_inner();
        accounts.extend(response.accounts);
        if !pages.goes_on(response.next_page_token) {
            return Ok(accounts);
        }
    }
}

/// The apps of an account: what `sdkappid/…` in resource names stands for
#[derive(Debug, Subcommand)]
pub enum AppCommand {
    /// Registers an app; it then belongs to this account and to no other
    #[command(after_help = "Example:\n  camgate app create 1400000001 --name 客服 --tag env=prod")]
    Create {
        /// The app's SdkAppId
        sdkappid: u64,
        /// A name for people
        #[arg(long)]
        name: String,
        /// A tag, `KEY=VALUE`; conditions see it as `qcs:resource_tag` with `KEY&VALUE`
        #[arg(long = "tag", value_name = "KEY=VALUE")]
        tags: Vec<String>,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented where it is declared")]
        write: WriteArgs,
    },
    /// Shows one app
    #[command(after_help = "Example:\n  camgate app get 1400000001")]
    Get {
        /// The app's SdkAppId
        sdkappid: u64,
    },
    /// Lists the apps
    #[command(after_help = "Example:\n  camgate app list")]
    List,
    /// Changes the name, or replaces all tags
    #[command(after_help = "Example:\n  camgate app update 1400000001 --tag env=test")]
    Update {
        /// The app's SdkAppId
        sdkappid: u64,
        /// The new name
        #[arg(long)]
        name: Option<String>,
        /// A tag; those given replace all there are
        #[arg(long = "tag", value_name = "KEY=VALUE", conflicts_with = "no_tags")]
        tags: Vec<String>,
        /// Removes all tags
        #[arg(long)]
        no_tags: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented where it is declared")]
        write: WriteArgs,
    },
    /// Removes an app from the registry
    #[command(after_help = "Example:\n  camgate app delete 1400000001")]
    Delete {
        /// The app's SdkAppId
        sdkappid: u64,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented where it is declared")]
        write: WriteArgs,
    },
}

impl AppCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn run(self, client: &mut Client) -> Result<Answer, CliError> {
        let owner_uin = client.owner().await?;
        match self {
            Self::Create { sdkappid, name, tags: list, write } => {
                let (tags, options) = (tags(&list)?, write.options());
                let request = proto::CreateAppRequest { owner_uin, sdkappid, name, tags, options };
                let response = client.administration.create_app(request).await?.into_inner();
                let app = view::app(&response.app.unwrap_or_default());
                let done = format!("registered app {sdkappid}");
                Ok(view::written(&done, view::field("app", app), response.result))
            }
            Self::Get { sdkappid } => {
                let request = proto::GetAppRequest { owner_uin, sdkappid, consistency: None };
                let response = client.administration.get_app(request).await?.into_inner();
                let app = response.app.ok_or_else(|| missing("app"))?;
                let json = json!({ "app": view::app(&app), "revision": response.revision });
                Ok(Answer::new(json, app_table(&[app])))
            }
            Self::List => list_apps(client, owner_uin).await,
            Self::Update { sdkappid, name, tags: list, no_tags, write } => {
                let replaced = (no_tags || !list.is_empty()).then(|| tags(&list)).transpose()?;
                let tags = replaced.map(|tags| proto::TagMap { tags });
                let options = write.options();
                let request = proto::UpdateAppRequest { owner_uin, sdkappid, name, tags, options };
                let response = client.administration.update_app(request).await?.into_inner();
                let app = view::app(&response.app.unwrap_or_default());
                let done = format!("updated app {sdkappid}");
                Ok(view::written(&done, view::field("app", app), response.result))
            }
            Self::Delete { sdkappid, write } => {
                let options = write.options();
                let request = proto::DeleteAppRequest { owner_uin, sdkappid, options };
                let response = client.administration.delete_app(request).await?.into_inner();
                let done = format!("deleted app {sdkappid}");
                Ok(view::written(&done, view::field("sdkappid", sdkappid.into()), response.result))
            }
        }
    }
}

async fn list_apps(client: &mut Client, owner_uin: u64) -> Result<Answer, CliError> {
    let (mut apps, mut pages) = (Vec::new(), Pages::default());
    loop {
        let page = pages.request();
        let request = proto::ListAppsRequest { owner_uin, consistency: None, page };
        let response = client.administration.list_apps(request).await?.into_inner();
        apps.extend(response.apps);
        if !pages.goes_on(response.next_page_token) {
            let list: Vec<_> = apps.iter().map(view::app).collect();
            let json = json!({ "apps": list, "revision": response.revision });
            return Ok(Answer::new(json, app_table(&apps)));
        }
    }
}

fn app_table(apps: &[proto::App]) -> String {
    let rows = apps
        .iter()
        .map(|app| {
            let mut tags: Vec<_> =
                app.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
            tags.sort();
            vec![app.sdkappid.to_string(), app.name.clone(), tags.join(", ")]
        })
        .collect();
    table_or("no apps", &["SDKAPPID", "NAME", "TAGS"], rows)
}
