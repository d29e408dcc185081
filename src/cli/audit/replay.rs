//! `audit replay`: a decision log, decided again against an account as it is or would be.
//!
//! Nothing is sent to whoever was asked about, and nothing is written. It must never report that
//! all is the same when something could not be made again.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use super::decisions::{self, Picked, Wanted};
use crate::audit::decision_log::DecisionRecord;
use crate::catalog::Catalog;
use crate::cli::answer::{Answer, CliError, ExitStatus, table};
use crate::cli::archive;
use crate::cli::files::load_catalog;
use crate::cli::folder_io::read_policies;
use crate::cli::progress::Progress;
use crate::config::Settings;
use crate::engine::Decision;
use crate::node::{
    InlinePolicy, Node, NodeError, NodeSettings, RefereeSettings, Replay as Replaying, Replayed,
    SystemClock,
};
use crate::store::archive::{ArchiveReader, import, verify};
use crate::store::{MemoryStore, Store};

/// Flips that are shown unless it is said otherwise.
const SHOWN_MAX: usize = 1_000;

/// Decides a decision log again and lists what would be decided otherwise
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  camgate audit replay decisions.jsonl\n  \
    camgate audit replay decisions.jsonl --policies candidate/\n  \
    camgate audit replay decisions.jsonl --backup yesterday.camgate --action 'im:*'\n\n\
    Decides over what the server has now, which it gives as a backup (the right \
    `operate`); with `--backup` or `--store` over that. Every `NAME.json` below `--policies` \
    stands in place of the account's policy of that name. Questions, facts and times are those \
    of the log; attachments, groups and apps are those that are there now.\n\n\
    Exit status 0: nothing differs; 1: something does; 3: something cannot be told.")]
pub struct Replay {
    /// The log's file; those that were put aside beside it are read too
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Decides over this backup, as `camgate export` writes it
    #[arg(long, value_name = "FILE", conflicts_with = "store")]
    pub backup: Option<PathBuf>,
    /// Decides over this store: `sled:DIR`, which no server may have open, or `etcd:URL,URL`
    #[arg(long, value_name = "STORE")]
    pub store: Option<String>,
    /// Decides with the policies of this folder in place of those of the same names
    #[arg(long, value_name = "DIR")]
    pub policies: Option<PathBuf>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented where it is declared")]
    pub picked: Picked,
    /// Only decisions of this account
    #[arg(long, value_name = "UIN")]
    pub owner: Option<u64>,
    /// Lists also what is decided the same for another reason
    #[arg(long)]
    pub reasons: bool,
}

/// What a replay has come to.
#[derive(Debug, Default)]
struct Totals {
    decisions: u64,
    same: u64,
    other_reasons: u64,
    flips: u64,
    untold: BTreeMap<String, u64>,
    faults: u64,
    shown: Vec<Value>,
    rows: Vec<Vec<String>>,
}

impl Replay {
    /// Runs it; how far it is goes to `err`.
    ///
    /// # Errors
    /// When the log, the backup or the candidates cannot be read.
    pub async fn run(&self, settings: &Settings, err: &mut dyn Write) -> Result<Answer, CliError> {
        let mut log = decisions::open(&self.file)?;
        let candidates = match &self.policies {
            Some(folder) => read_policies(folder)?,
            None => BTreeMap::new(),
        };
        let bytes = self.snapshot(settings, err).await?;
        let node = node_of(bytes, load_catalog(&settings.catalogs)?).await?;
        let candidates = candidates.into_iter();
        let candidates = candidates.map(|(name, document)| InlinePolicy { name, document });
        let mut replay = Replaying::new(Arc::clone(&node), candidates.collect());
        let wanted = Wanted { picked: Some(&self.picked), owner: self.owner, ..Wanted::default() };
        let (mut totals, mut progress) = (Totals::default(), Progress::new("decided again"));
        while let Some(line) = decisions::next_line(&mut log)? {
            totals.faults = totals.faults.saturating_add(u64::from(line.fault.is_some()));
            let Some(record) = decisions::decision(line).filter(|it| wanted.wants(it)) else {
                continue;
            };
            let again = replay.again(&record).await.map_err(cannot)?;
            totals.add(&record, again, self.reasons);
            progress.tell(err, totals.decisions, "decisions")?;
        }
        let unused: Vec<String> = replay.unused().map(str::to_owned).collect();
        node.end();
        if !unused.is_empty() && totals.decisions > 0 {
            let names = unused.join("`, `");
            writeln!(err, "no account of the log has a policy `{names}`")?;
        }
        Ok(totals.answer())
    }

    /// The backup that is decided over.
    async fn snapshot(
        &self,
        settings: &Settings,
        err: &mut dyn Write,
    ) -> Result<Vec<u8>, CliError> {
        match (&self.backup, &self.store) {
            (Some(file), _) => std::fs::read(file).map_err(|error| {
                CliError::CannotTell(format!("cannot read `{}`: {error}", file.display()))
            }),
            (None, store) => archive::in_memory(store.as_deref(), settings, err).await,
        }
    }
}

fn cannot(error: NodeError) -> CliError {
    if let NodeError::Policy { name, findings } = &error {
        let first = findings.first().map_or_else(String::new, |it| it.message.clone());
        return CliError::Usage(format!("the candidate for policy `{name}`: {first}"));
    }
    CliError::CannotTell(error.to_string())
}

/// A node in this process over what a backup holds.
async fn node_of(bytes: Vec<u8>, catalog: Catalog) -> Result<Arc<Node>, CliError> {
    let cannot = |error: &dyn std::fmt::Display| CliError::CannotTell(error.to_string());
    let mut reader = ArchiveReader::open(Cursor::new(&bytes)).map_err(|error| cannot(&error))?;
    let contents = verify(&mut reader).map_err(|error| cannot(&error))?;
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let mut reader = ArchiveReader::open(Cursor::new(&bytes)).map_err(|error| cannot(&error))?;
    let imported = import(&*store, &mut reader, contents, &mut |_| {}).await;
    imported.map_err(|error| cannot(&error))?;
    let settings = NodeSettings {
        leaves_secrets_sealed: true,
        referee: RefereeSettings { share: 0.0, ..RefereeSettings::default() },
        ..NodeSettings::default()
    };
    let node = Node::start(store, Arc::new(catalog), Arc::new(SystemClock), None, settings);
    node.await.map_err(|error| cannot(&error))
}

impl Totals {
    fn add(&mut self, record: &DecisionRecord<'_>, again: Replayed, with_reasons: bool) {
        self.decisions += 1;
        match again {
            Replayed::Same => self.same += 1,
            Replayed::OtherReason(decision) => {
                self.other_reasons += 1;
                if with_reasons {
                    self.show(record, &decision);
                }
            }
            Replayed::Flip(decision) => {
                self.flips += 1;
                self.show(record, &decision);
            }
            Replayed::CannotTell(problem) => {
                *self.untold.entry(problem).or_default() += 1;
            }
        }
    }

    fn show(&mut self, record: &DecisionRecord<'_>, decision: &Decision) {
        if self.shown.len() >= SHOWN_MAX {
            return;
        }
        let statements =
            |it: &crate::engine::Determining| format!("{}#{}", it.policy_name, it.statement);
        let by: Vec<String> = decision.determining.iter().map(statements).collect();
        let is = format!("{} {}", decision.outcome.as_str(), decision.reason);
        self.rows.push(vec![
            decisions::principal(record),
            record.action.to_string(),
            record.resource.to_string(),
            format!("{} {}", record.outcome, decisions::reason(record)),
            is,
            by.join(", "),
            record.id.to_string(),
        ]);
        self.shown.push(json!({
            "record": decisions::to_json(record),
            "now": {
                "outcome": decision.outcome.as_str(),
                "reason": decision.reason.to_string(),
                "by": by,
                "filter": decision.filter.as_ref().map(|it| json!({
                    "all": it.all, "resources": it.resources,
                })),
            },
        }));
    }

    fn answer(self) -> Answer {
        let Self { decisions, same, other_reasons, flips, untold, faults, shown, rows } = self;
        let untold_count: u64 = untold.values().sum();
        let mut text = Vec::new();
        if !rows.is_empty() {
            let header = ["PRINCIPAL", "ACTION", "RESOURCE", "WAS", "WOULD BE", "BY", "ID"];
            text.push(table(&header, rows));
        }
        let beyond = flips.saturating_sub(SHOWN_MAX as u64);
        if beyond > 0 {
            text.push(format!("and {beyond} more"));
        }
        text.push(format!(
            "{decisions} decisions: {same} the same, {other_reasons} for another reason, {flips} \
             flipped, {untold_count} cannot be told"
        ));
        text.extend(untold.iter().map(|(why, count)| format!("  {count}: {why}")));
        if faults > 0 {
            text.push(format!("{faults} lines of the log have faults: see `camgate audit verify`"));
        }
        let json = json!({
            "decisions": decisions, "same": same, "other_reasons": other_reasons, "flips": flips,
            "cannot_tell": untold, "log_faults": faults, "shown": shown,
        });
        let status = match (flips, untold_count + faults) {
            (0, 0) => ExitStatus::Fine,
            (0, _) => ExitStatus::CannotTell,
            (_, _) => ExitStatus::Denied,
        };
        Answer::new(json, text.join("\n")).with_status(status)
    }
}
