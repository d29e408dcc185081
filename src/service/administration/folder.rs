//! The account folder: export, plan and apply.
//!
//! A folder is applied in one commit, so that nobody ever sees half of it; with `in_steps` in as
//! few as the engine allows, in the plan's order, which never widens before it narrows.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use prost::Message;

use super::{Administration, Look, Write};
use crate::directory::folder::{
    FOLDER_BYTES_MAX, FOLDER_FILES_MAX, Folder, FolderFault, Plan, PlanOptions, PlanStep, Widening,
};
use crate::directory::{AccountState, Change, Command, execute_all};
use crate::engine::Outcome;
use crate::node::{CaseChange, JobInput, NodeError, Prepared, WriteJob, WriteOptions, preview};
use crate::service::commands::after;
use crate::service::proto;
use crate::service::wire;
use crate::service::wire::request::at_most;
use crate::store::StoreError;

pub(super) async fn export(
    service: &Administration,
    request: proto::ExportAccountRequest,
) -> Result<proto::ExportAccountResponse, NodeError> {
    let proto::ExportAccountRequest { owner_uin, consistency } = request;
    let Look { view, revision } = service.look(owner_uin, consistency).await?;
    let files = Folder::export(&view.state, &service.node.shared().presets).map_err(faults)?;
    let files =
        files.into_iter().map(|(path, content)| proto::FolderFile { path, content }).collect();
    Ok(proto::ExportAccountResponse { files, revision })
}

fn faults(faults: Vec<FolderFault>) -> NodeError {
    NodeError::Folder { faults: faults.iter().map(ToString::to_string).collect() }
}

fn read_folder(files: Vec<proto::FolderFile>) -> Result<Folder, NodeError> {
    at_most("files", "files", FOLDER_FILES_MAX, files.len())?;
    let bytes = files.iter().map(|file| file.content.len()).sum();
    at_most("files", "bytes", FOLDER_BYTES_MAX, bytes)?;
    let mut by_path = BTreeMap::new();
    for proto::FolderFile { path, content } in files {
        if by_path.insert(path.clone(), content).is_some() {
            let problem = format!("has the path `{path}` twice: send each file once");
            return Err(NodeError::BadField { field: "files".to_owned(), problem });
        }
    }
    Folder::parse(&by_path).map_err(faults)
}

pub(super) async fn apply(
    service: &Administration,
    request: proto::ApplyAccountRequest,
) -> Result<proto::ApplyAccountResponse, NodeError> {
    let write = Write::new("ApplyAccount", request.owner_uin, &request.options, &request)?;
    let proto::ApplyAccountRequest { owner_uin, files, prune, in_steps, options: _ } = request;
    let folder = read_folder(files)?;
    if folder.owner.uin != owner_uin {
        return Err(NodeError::BadField {
            field: "owner_uin".to_owned(),
            problem: format!("is {owner_uin}, but the folder is of {}", folder.owner.uin),
        });
    }
    let node = &service.node;
    let (bad, _) = folder.check(&node.shared().presets, &**node.catalog());
    if !bad.is_empty() {
        return Err(faults(bad));
    }
    let Write { method, owner_uin, options, request } = &write;
    let all = service.options(options.clone(), method, request)?;
    let apply = Apply { folder: &folder, prune, is_trial: all.validate_only };
    let total = AtomicUsize::new(0);
    let mut steps_max = usize::MAX;
    let mut done = Vec::new();
    loop {
        let mut options = all.clone();
        if !done.is_empty() {
            options.if_revision = None;
        }
        let is_last = steps_max == usize::MAX || {
            let trial = WriteOptions { validate_only: true, request: None, ..options.clone() };
            apply.commit(service, *owner_uin, &trial, steps_max, &total).await?;
            total.load(Ordering::Relaxed) <= steps_max
        };
        // Only the last commit is remembered under the request id; a repetition after the ones
        // before it goes on where they ended.
        if !is_last {
            options.request = None;
        }
        match apply.commit(service, *owner_uin, &options, steps_max, &total).await {
            Ok(mut answer) => {
                done.append(&mut answer.steps);
                if is_last {
                    answer.steps = done;
                    return Ok(answer);
                }
            }
            Err(NodeError::Store(StoreError::TooLarge { .. })) if in_steps && steps_max > 1 => {
                steps_max = steps_max.min(total.load(Ordering::Relaxed)).div_ceil(2).max(1);
            }
            Err(other) => return Err(other),
        }
    }
}

/// One folder on its way into one account.
struct Apply<'a> {
    folder: &'a Folder,
    prune: bool,
    is_trial: bool,
}

impl Apply<'_> {
    /// Commits the first steps of the plan; `total` becomes the number of all its steps.
    async fn commit(
        &self,
        service: &Administration,
        owner_uin: u64,
        options: &WriteOptions,
        steps_max: usize,
        total: &AtomicUsize,
    ) -> Result<proto::ApplyAccountResponse, NodeError> {
        let run = |input: &JobInput<'_>| {
            let mut plan =
                self.folder.plan(input.state, &input.env, PlanOptions { prune: self.prune })?;
            total.store(plan.steps.len(), Ordering::Relaxed);
            plan.steps.truncate(steps_max);
            let commands = plan.commands();
            let executed = execute_all(input.state, &commands, &input.env)?;
            let changed = !executed.changes.is_empty() && !self.is_trial;
            let answer = self.answer(input, &plan, changed, &executed.changes);
            let operations = commands.iter().map(Command::name).collect();
            let (changes, answer) = (executed.changes, answer.encode_to_vec());
            Ok(Prepared { changes, operations, answer })
        };
        let reads = |state: &AccountState| self.folder.global_reads(state).into_iter().collect();
        let job = WriteJob { reads: &reads, allot_uin: false, run: &run };
        let written = service.node.write(owner_uin, options, &job).await?;
        service.answered(&written.answer, written.revision)
    }

    fn answer(
        &self,
        input: &JobInput<'_>,
        plan: &Plan,
        changed: bool,
        changes: &[Change],
    ) -> proto::ApplyAccountResponse {
        let step = |step: &PlanStep| proto::PlanStep {
            summary: step.summary.clone(),
            widening: widening(step.widening).to_owned(),
        };
        let mut notices: Vec<String> = plan
            .unmanaged
            .iter()
            .map(|(uin, name)| {
                format!("sub-account `{name}` ({uin}) is not in the folder and is left alone")
            })
            .collect();
        let state = after(input.state, changes);
        let (changes, faults) = preview(input.state, &state, input.shared, &self.folder.cases);
        notices.extend(faults);
        proto::ApplyAccountResponse {
            steps: plan.steps.iter().map(step).collect(),
            decision_changes: changes.into_iter().map(decision_change).collect(),
            notices,
            result: Some(proto::WriteResult {
                revision: String::new(),
                findings: wire::findings(&plan.findings),
                changed,
            }),
        }
    }
}

fn decision_change(change: CaseChange) -> proto::DecisionChange {
    let word = |outcome: Option<Outcome>| {
        outcome.map_or(proto::Outcome::Unspecified, wire::decision::outcome).into()
    };
    let CaseChange { case_name, principal, action, resource, before, after, expected } = change;
    proto::DecisionChange {
        principal,
        action,
        resource,
        before: word(before),
        after: word(after),
        expected: word(expected),
        case_name,
    }
}

fn widening(widening: Widening) -> &'static str {
    match widening {
        Widening::Narrows => "narrows",
        Widening::Neutral => "neutral",
        Widening::Widens => "widens",
    }
}
