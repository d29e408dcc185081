//! `plan`, `apply` and `pull`: an account as a folder of files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::answer::{Answer, CliError, ExitStatus};
use super::args::WriteArgs;
use super::client::Client;
use super::folder_io::{read_folder, write_folder};
use super::view;
use crate::service::proto;

/// Shows what `apply` would change: objects, and decisions of the folder's cases
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  camgate plan policies/examples/app-isolation\n\n\
    Exit status: 0 nothing to change, 1 changes.")]
pub struct Plan {
    /// The account folder
    pub folder: PathBuf,
    /// Also delete sub-accounts that the folder does not name
    #[arg(long)]
    pub prune: bool,
}

/// Makes the account on the server equal to a folder, in one commit
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  camgate apply policies/examples/app-isolation")]
pub struct Apply {
    /// The account folder
    pub folder: PathBuf,
    /// Several commits, in an order that never widens before it narrows
    #[arg(long)]
    pub in_steps: bool,
    /// Also delete sub-accounts that the folder does not name
    #[arg(long)]
    pub prune: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented where it is declared")]
    pub write: WriteArgs,
}

/// Writes the account on the server as a folder
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  camgate pull my-account")]
pub struct Pull {
    /// The folder to write; policies in it that the account does not have are removed
    pub folder: PathBuf,
}

/// A folder as the API takes it.
#[must_use]
pub fn folder_files(files: BTreeMap<String, Vec<u8>>) -> Vec<proto::FolderFile> {
    files.into_iter().map(|(path, content)| proto::FolderFile { path, content }).collect()
}

impl Plan {
    /// Asks the server what would change.
    ///
    /// # Errors
    /// When the folder cannot be read, or the server refuses it.
    pub async fn run(&self, client: &mut Client) -> Result<Answer, CliError> {
        let apply = Apply {
            folder: self.folder.clone(),
            in_steps: true,
            prune: self.prune,
            write: WriteArgs { validate_only: true, ..WriteArgs::default() },
        };
        let response = apply.send(client).await?;
        let status = if response.steps.is_empty() { ExitStatus::Fine } else { ExitStatus::Denied };
        Ok(shown(&response, "nothing to change").with_status(status))
    }
}

impl Apply {
    /// Applies the folder.
    ///
    /// # Errors
    /// When the folder cannot be read, or the server refuses it.
    pub async fn run(&self, client: &mut Client) -> Result<Answer, CliError> {
        let response = self.send(client).await?;
        Ok(shown(&response, "nothing to change"))
    }

    async fn send(&self, client: &mut Client) -> Result<proto::ApplyAccountResponse, CliError> {
        let files = folder_files(read_folder(&self.folder)?);
        let request = proto::ApplyAccountRequest {
            owner_uin: client.owner().await?,
            files,
            prune: self.prune,
            in_steps: self.in_steps,
            options: self.write.options(),
        };
        Ok(client.administration.apply_account(request).await?.into_inner())
    }
}

impl Pull {
    /// Writes the folder.
    ///
    /// # Errors
    /// When the server has no such account, or a file cannot be written.
    pub async fn run(&self, client: &mut Client) -> Result<Answer, CliError> {
        let owner_uin = client.owner().await?;
        let request = proto::ExportAccountRequest { owner_uin, consistency: None };
        let response = client.administration.export_account(request).await?.into_inner();
        let files: BTreeMap<_, _> =
            response.files.into_iter().map(|file| (file.path, file.content)).collect();
        write_folder(&self.folder, &files)?;
        let paths: Vec<_> = files.keys().cloned().collect();
        let text = format!(
            "wrote {} files to `{}`\nrevision {}",
            paths.len(),
            self.folder.display(),
            response.revision
        );
        Ok(Answer::new(json!({ "files": paths, "revision": response.revision }), text))
    }
}

fn shown(response: &proto::ApplyAccountResponse, nothing: &str) -> Answer {
    let mut lines: Vec<_> =
        response.steps.iter().map(|s| format!("{:>7}  {}", s.widening, s.summary)).collect();
    if lines.is_empty() {
        lines.push(nothing.to_owned());
    }
    if !response.decision_changes.is_empty() {
        lines.push(String::new());
        lines.push("decisions that change:".to_owned());
    }
    let mut changes = Vec::new();
    for change in &response.decision_changes {
        let (before, after) = (view::outcome(change.before), view::outcome(change.after));
        let expected = view::outcome(change.expected);
        let expected_text = if change.expected == change.after {
            String::new()
        } else {
            format!(", expected {expected}")
        };
        lines.push(format!(
            "  {}: {} {} on {}: {before} becomes {after}{expected_text}",
            change.case_name, change.principal, change.action, change.resource,
        ));
        changes.push(json!({
            "case_name": change.case_name, "principal": change.principal,
            "action": change.action, "resource": change.resource,
            "before": before, "after": after, "expected": expected,
        }));
    }
    lines.extend(response.notices.iter().map(|notice| format!("note: {notice}")));
    let result = response.result.clone().unwrap_or_default();
    lines.extend(result.findings.iter().map(view::finding_text));
    if !result.revision.is_empty() {
        lines.push(format!("revision {}", result.revision));
    }
    let steps: Vec<_> = response
        .steps
        .iter()
        .map(|step| json!({ "summary": step.summary, "widening": step.widening }))
        .collect();
    let json = json!({
        "steps": steps,
        "decision_changes": changes,
        "notices": response.notices,
        "revision": result.revision,
        "changed": result.changed,
        "findings": result.findings.iter().map(view::finding).collect::<Vec<_>>(),
    });
    Answer::new(json, lines.join("\n"))
}
