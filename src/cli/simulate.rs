//! `simulate`: a decision with policies that are not stored, beside the one that is in force.
//!
//! Sends the files to the server and shows its answer. It must never store anything.

use clap::Args;
use serde_json::json;

use super::answer::{Answer, CliError};
use super::check::{ContextArgs, who};
use super::client::Client;
use super::decision;
use super::files::read_policy_text;
use super::view;
use crate::service::proto;

/// A question, and the policies to try.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  camgate simulate --principal alice --action im:RemoveUser \
    --resource qcs::im::uin/12345678:sdkappid/1400000001 --policy draft.json\n\n\
    Exit status: 0 ALLOW, 1 DENY, with the policies tried.")]
pub struct Simulate {
    /// Who: a name, a uin, or `root`
    #[arg(long, value_name = "WHO")]
    pub principal: String,
    /// What, e.g. `im:RemoveUser`
    #[arg(long)]
    pub action: String,
    /// On what: a six-segment name, or `*`; may be left out for actions that list
    #[arg(long, default_value = "", hide_default_value = true)]
    pub resource: String,
    /// What conditions test
    #[command(flatten)]
    pub context: ContextArgs,
    /// The caller shows only what a list's filter allows
    #[arg(long)]
    pub accepts_filter: bool,
    /// A policy file, as if it were attached
    #[arg(long, value_name = "FILE")]
    pub policy: Vec<String>,
    /// Leave the principal's stored policies out
    #[arg(long)]
    pub replace: bool,
    /// A policy file in place of the stored boundary
    #[arg(long, value_name = "FILE")]
    pub boundary: Option<String>,
    /// A policy file that caps the session; each one given must allow
    #[arg(long, value_name = "FILE")]
    pub session: Vec<String>,
}

fn inline(file: &str) -> Result<proto::InlinePolicy, CliError> {
    Ok(proto::InlinePolicy { name: file.to_owned(), document: read_policy_text(file)? })
}

impl Simulate {
    /// Asks the server.
    ///
    /// # Errors
    /// A file that cannot be read, or what the server refuses.
    pub async fn run(&self, client: &mut Client) -> Result<Answer, CliError> {
        let (owner_uin, uin) = who(client, &self.principal).await?;
        let check = proto::CheckRequest {
            principal: Some(proto::Principal {
                owner_uin,
                id: Some(proto::principal::Id::Uin(uin)),
            }),
            action: self.action.clone(),
            resource: self.resource.clone(),
            context: self.context.proto()?,
            consistency: None,
            accepts_filter: self.accepts_filter,
        };
        let request = proto::SimulateRequest {
            check: Some(check),
            policies: self.policy.iter().map(|it| inline(it)).collect::<Result<_, _>>()?,
            replace_policies: self.replace,
            boundary: self.boundary.as_deref().map(inline).transpose()?,
            session_policies: self.session.iter().map(|it| inline(it)).collect::<Result<_, _>>()?,
        };
        let response = client.authorization.simulate(request).await?.into_inner();
        Ok(shown(response))
    }
}

/// The simulated answer in full, and what is in force now in one line.
fn shown(response: proto::SimulateResponse) -> Answer {
    let proto::SimulateResponse { decision: tried, traces, missing_keys, stored, findings } =
        response;
    let stored = stored.unwrap_or_default();
    let explained =
        proto::ExplainResponse { decision: tried, traces, missing_keys, summary: Vec::new() };
    let answer = decision::explanation(&explained);
    let mut lines = vec![format!("with these policies: {}", answer.text)];
    lines.extend(findings.iter().map(|it| format!("  {}", view::finding_text(it))));
    let now = view::outcome(stored.outcome);
    lines.push(format!("\nas stored: {now} ({})", view::reason(stored.reason)));
    let json = json!({
        "simulated": answer.json,
        "stored": decision::decision_json(&stored),
        "findings": findings.iter().map(view::finding).collect::<Vec<_>>(),
    });
    Answer::new(json, lines.join("\n")).with_status(answer.status)
}
