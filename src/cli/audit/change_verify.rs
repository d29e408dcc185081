//! `audit verify` without FILE: whether change logs and records are whole, through a server or in a
//! store that none has open.
//!
//! It must never say that all is whole before all was read: exit status 3 says that it cannot tell.

use std::io::Write;

use serde_json::json;

use crate::cli::answer::{Answer, CliError, ExitStatus, table};
use crate::cli::client::Client;
use crate::cli::progress::Progress;
use crate::cli::stores;
use crate::config::Settings;
use crate::node::{Finding, Verification, Verified};
use crate::service::proto;

/// What is verified, and where.
pub(super) struct What<'a> {
    /// Only this account's change log and records.
    pub(super) owner: Option<u64>,
    /// A store to open, in place of the server.
    pub(super) store: Option<&'a str>,
}

impl What<'_> {
    /// Runs it; how far it is goes to `err`.
    ///
    /// # Errors
    /// When not everything can be read.
    pub(super) async fn run(
        &self,
        settings: &Settings,
        err: &mut dyn Write,
    ) -> Result<Answer, CliError> {
        let mut progress = Progress::new("verified");
        let (mut found, mut verified) = (Vec::new(), Verified::default());
        let mut take = |findings: Vec<Finding>, so_far: Verified| {
            found.extend(findings);
            verified = so_far;
            progress.tell(err, so_far.records, "records")
        };
        match self.store {
            Some(store) => {
                let store = stores::open_existing(store, settings).await?;
                let begun = Verification::begin(&store, self.owner).await;
                let mut verification = begun.map_err(cannot)?;
                while let Some((findings, so_far)) = verification.next().await.map_err(cannot)? {
                    take(findings, so_far)?;
                }
            }
            None => {
                let mut client = Client::connect(settings).await?;
                let owner_uin = self.owner.unwrap_or(0);
                let request = proto::VerifyChangesRequest { owner_uin };
                let mut messages = client.audit.verify_changes(request).await?.into_inner();
                while let Some(message) = messages.message().await? {
                    let (findings, so_far) = read(message);
                    take(findings, so_far)?;
                }
            }
        }
        if let Some(owner_uin) = self.owner.filter(|_| verified.accounts == 0 && found.is_empty()) {
            return Err(CliError::Usage(format!("there is no account {owner_uin}")));
        }
        Ok(answer(&found, verified))
    }
}

fn cannot(error: impl ToString) -> CliError {
    CliError::CannotTell(error.to_string())
}

fn read(message: proto::VerifyChangesResponse) -> (Vec<Finding>, Verified) {
    let proto::VerifyChangesResponse {
        findings,
        accounts,
        uncounted_accounts,
        log_entries,
        records,
        revision: _,
    } = message;
    let finding = |it: proto::VerifyFinding| {
        let proto::VerifyFinding { owner_uin, key, sequence, problem } = it;
        Finding { owner_uin, key, sequence, problem }
    };
    let findings = findings.into_iter().map(finding).collect();
    let uncounted = uncounted_accounts;
    (findings, Verified { accounts, uncounted, entries: log_entries, records })
}

fn answer(found: &[Finding], verified: Verified) -> Answer {
    let Verified { accounts, uncounted, entries, records } = verified;
    let findings: Vec<_> = found
        .iter()
        .map(|Finding { owner_uin, key, sequence, problem }| {
            let sequence = Some(*sequence).filter(|sequence| *sequence > 0);
            json!({ "owner_uin": owner_uin, "key": key, "sequence": sequence, "problem": problem })
        })
        .collect();
    let json = json!({
        "is_whole": found.is_empty(),
        "findings": findings,
        "accounts": accounts,
        "uncounted_accounts": uncounted,
        "log_entries": entries,
        "records": records,
    });
    let looked =
        format!("{accounts} accounts, {entries} entries of change logs, {records} records");
    let mut text = match found {
        [] => format!("all is whole: {looked}"),
        _ => format!("{}\n{} faults in {looked}", rows(found), found.len()),
    };
    if uncounted > 0 {
        text.push_str(&format!(
            "\n{uncounted} accounts are not counted yet: their next change does it"
        ));
    }
    let status = if found.is_empty() { ExitStatus::Fine } else { ExitStatus::Denied };
    Answer::new(json, text).with_status(status)
}

fn rows(found: &[Finding]) -> String {
    let row = |Finding { owner_uin, key, sequence, problem }: &Finding| {
        let owner = if *owner_uin == 0 { "-".to_owned() } else { owner_uin.to_string() };
        let sequence = if *sequence == 0 { "-".to_owned() } else { sequence.to_string() };
        vec![owner, sequence, key.clone(), problem.clone()]
    };
    table(&["ACCOUNT", "ENTRY", "RECORD", "PROBLEM"], found.iter().map(row).collect())
}
