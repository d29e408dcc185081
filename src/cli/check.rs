//! `check`, `explain`, `who-can`, `what-can`: questions to the decision point.
//!
//! Asks a server, or decides over an account folder in this process; both answers are the same
//! messages and are shown by the same code. It must never turn a failure into an answer.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::answer::{Answer, CliError};
use super::args::{consistency, key_value};
use super::client::{Client, Pages};
use super::decision;
use super::offline::Offline;
use crate::config::Settings;
use crate::service::proto;

/// Facts that conditions test.
#[derive(Debug, Clone, Default, Args)]
pub struct ContextArgs {
    /// A fact, `KEY=VALUE`, e.g. `qcs:ip=10.0.0.1`; the same key again adds a value
    #[arg(long, value_name = "KEY=VALUE")]
    pub context: Vec<String>,
    /// The time of the request, as `qcs:current_time`, e.g. `2026-01-01T08:00:00Z`
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
}

impl ContextArgs {
    pub(super) fn proto(&self) -> Result<BTreeMap<String, proto::ContextValues>, CliError> {
        let mut context: BTreeMap<String, proto::ContextValues> = BTreeMap::new();
        let time = self.at.as_ref().map(|at| format!("qcs:current_time={at}"));
        for text in self.context.iter().chain(&time) {
            let (key, value) = key_value(text)?;
            let value = proto::context_value::Value::Text(value.to_owned());
            let values = &mut context.entry(key.to_owned()).or_default().values;
            values.push(proto::ContextValue { value: Some(value) });
        }
        Ok(context)
    }
}

/// One question.
#[derive(Debug, Clone, Args)]
pub struct Question {
    /// Who: a name, a uin, or `root`
    #[arg(long, value_name = "WHO")]
    pub principal: String,
    /// What, e.g. `im:RemoveUser`
    #[arg(long)]
    pub action: String,
    /// On what: a six-segment name, or `*`; may be left out for actions that list
    #[arg(long, default_value = "", hide_default_value = true)]
    pub resource: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented where it is declared")]
    pub context: ContextArgs,
    /// The caller shows only what a list's filter allows
    #[arg(long)]
    pub accepts_filter: bool,
    /// Decide over this account folder, without a server
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// A catalog file of a service of your own; with `--folder` only
    #[arg(long, value_name = "FILE", requires = "folder")]
    pub catalog: Vec<PathBuf>,
    /// Answer from state that is not older than this revision
    #[arg(long, value_name = "TOKEN", default_value = "", hide_default_value = true)]
    pub at_least: String,
}

impl Question {
    fn request(&self, owner_uin: u64, uin: u64) -> Result<proto::CheckRequest, CliError> {
        Ok(proto::CheckRequest {
            principal: Some(principal(owner_uin, uin)),
            action: self.action.clone(),
            resource: self.resource.clone(),
            context: self.context.proto()?,
            consistency: consistency(&self.at_least),
            accepts_filter: self.accepts_filter,
        })
    }

    /// `check`: the decision.
    ///
    /// # Errors
    /// When there is no decision.
    pub async fn check(&self, settings: &Settings) -> Result<Answer, CliError> {
        let response = if let Some(folder) = &self.folder {
            let offline = Offline::open(folder, &self.catalog)?;
            let request = self.request(offline.owner(), offline.uin(&self.principal)?)?;
            offline.check(&request)?
        } else {
            let mut client = Client::connect(settings).await?;
            let (owner, uin) = who(&mut client, &self.principal).await?;
            let request = self.request(owner, uin)?;
            client.authorization.check(request).await?.into_inner()
        };
        Ok(decision::check(&response.decision.unwrap_or_default()))
    }

    /// `explain`: the decision, and what every attached statement said.
    ///
    /// # Errors
    /// When there is no decision.
    pub async fn explain(&self, settings: &Settings) -> Result<Answer, CliError> {
        let response = if let Some(folder) = &self.folder {
            let offline = Offline::open(folder, &self.catalog)?;
            let check = self.request(offline.owner(), offline.uin(&self.principal)?)?;
            offline.explain(&check)?
        } else {
            let mut client = Client::connect(settings).await?;
            let (owner, uin) = who(&mut client, &self.principal).await?;
            let check = self.request(owner, uin)?;
            let request = proto::ExplainRequest { check: Some(check) };
            client.authorization.explain(request).await?.into_inner()
        };
        Ok(decision::explanation(&response))
    }
}

fn principal(owner_uin: u64, uin: u64) -> proto::Principal {
    proto::Principal { owner_uin, id: Some(proto::principal::Id::Uin(uin)) }
}

/// The account, and a principal of it by name or uin.
pub(super) async fn who(client: &mut Client, text: &str) -> Result<(u64, u64), CliError> {
    let owner = client.owner().await?;
    Ok((owner, client.uin(text).await?))
}

/// Lists who may use an action on a resource: the root and sub-accounts
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  camgate who-can --action im:RemoveUser \
    --resource qcs::im::uin/12345678:sdkappid/1400000001\n\n\
    Roles are left out: a role acts only in a session, within that session's policies, so its id \
    alone may do nothing. `camgate policy entities POLICY` lists the roles that a policy is \
    attached to.")]
pub struct WhoCan {
    /// What, e.g. `im:RemoveUser`
    #[arg(long)]
    pub action: String,
    /// On what: a six-segment name, or `*`
    #[arg(long, default_value = "", hide_default_value = true)]
    pub resource: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented where it is declared")]
    pub context: ContextArgs,
}

impl WhoCan {
    /// Asks the server.
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn run(&self, client: &mut Client) -> Result<Answer, CliError> {
        let owner_uin = client.owner().await?;
        let (mut uins, mut pages) = (Vec::new(), Pages::default());
        loop {
            let request = proto::ListPrincipalsRequest {
                owner_uin,
                action: self.action.clone(),
                resource: self.resource.clone(),
                context: self.context.proto()?,
                consistency: None,
                page: pages.request(),
            };
            let response = client.authorization.list_principals(request).await?.into_inner();
            uins.extend(response.uins);
            if pages.goes_on(response.next_page_token) {
                continue;
            }
            let text: Vec<_> = uins.iter().map(u64::to_string).collect();
            let text = if text.is_empty() { "nobody".to_owned() } else { text.join("\n") };
            return Ok(Answer::new(json!({ "uins": uins, "revision": response.revision }), text));
        }
    }
}

/// Lists what a principal may do: its actions on a resource, or the apps for an action
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  camgate what-can --principal alice --action im:RemoveUser\n  \
    camgate what-can --principal alice \
    --resource qcs::im::uin/12345678:sdkappid/1400000001 --service im"
)]
#[command(group = clap::ArgGroup::new("asked").required(true))]
pub struct WhatCan {
    /// Who: a name, a uin, or `root`
    #[arg(long, value_name = "WHO")]
    pub principal: String,
    /// List the apps on which this action is allowed
    #[arg(long, group = "asked")]
    pub action: Option<String>,
    /// List the actions that are allowed on this resource
    #[arg(long, group = "asked")]
    pub resource: Option<String>,
    /// Only actions of this service
    #[arg(long, default_value = "", hide_default_value = true, conflicts_with = "action")]
    pub service: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented where it is declared")]
    pub context: ContextArgs,
}

impl WhatCan {
    /// Asks the server.
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn run(&self, client: &mut Client) -> Result<Answer, CliError> {
        let (owner, uin) = who(client, &self.principal).await?;
        let (mut found, mut pages) = (Vec::new(), Pages::default());
        let name = if self.action.is_some() { "resources" } else { "actions" };
        loop {
            let (more, token, revision) = match &self.action {
                Some(action) => self.resources(client, owner, uin, action, &pages).await?,
                None => self.actions(client, owner, uin, &pages).await?,
            };
            found.extend(more);
            if pages.goes_on(token) {
                continue;
            }
            let text = if found.is_empty() { "nothing".to_owned() } else { found.join("\n") };
            return Ok(Answer::new(json!({ name: found, "revision": revision }), text));
        }
    }

    async fn resources(
        &self,
        client: &mut Client,
        owner: u64,
        uin: u64,
        action: &str,
        pages: &Pages,
    ) -> Result<(Vec<String>, String, String), CliError> {
        let request = proto::ListResourcesRequest {
            principal: Some(principal(owner, uin)),
            action: action.to_owned(),
            context: self.context.proto()?,
            consistency: None,
            page: pages.request(),
        };
        let response = client.authorization.list_resources(request).await?.into_inner();
        Ok((response.resources, response.next_page_token, response.revision))
    }

    async fn actions(
        &self,
        client: &mut Client,
        owner: u64,
        uin: u64,
        pages: &Pages,
    ) -> Result<(Vec<String>, String, String), CliError> {
        let request = proto::ListActionsRequest {
            principal: Some(principal(owner, uin)),
            resource: self.resource.clone().unwrap_or_default(),
            service: self.service.clone(),
            context: self.context.proto()?,
            consistency: None,
            page: pages.request(),
        };
        let response = client.authorization.list_actions(request).await?.into_inner();
        Ok((response.actions, response.next_page_token, response.revision))
    }
}
