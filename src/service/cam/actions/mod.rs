//! What each action does: one file per chapter of the manual.
//!
//! Reads answer from one view of the account; writes are commands of the directory, all of one call
//! in one commit. It must never change anything otherwise.

mod attachments;
mod boundaries;
mod grants;
mod groups;
mod keys;
mod objects;
mod policies;
mod roles;
mod sts;
mod users;
mod versions;

use std::sync::Arc;

use serde_json::{Map, Value};

use super::authenticate::Caller;
use super::envelope::Done;
use super::error::CamError;
use super::{Call, Params};
use crate::audit::{Actor, Origin, Protocol};
use crate::directory::{
    AccountState, Command, CommandResult, DirectoryError, GlobalKey, Noun, Presets,
};
use crate::node::{
    AccountView, JobInput, NodeError, Prepared, Shared, WriteJob, WriteOptions, Written,
};
use crate::service::commands::execute_commands;
use crate::service::status;

/// The fields of an answer.
type Fields = Map<String, Value>;

/// Items of a page unless the call says otherwise (spec section 5).
const ROWS_DEFAULT: u64 = 20;

/// Does what the call asks for.
///
/// # Errors
/// The refusal.
pub(super) async fn run(call: &Call<'_>) -> Result<Done, CamError> {
    match call.action.family.as_str() {
        "Policies" => policies::run(call).await,
        "Policy versions" => versions::run(call).await,
        "Attach / detach / list attachments" => attachments::run(call).await,
        "Users and accounts" => users::run(call).await,
        "User groups" => groups::run(call).await,
        "Access keys" => keys::run(call).await,
        "Permission boundary" => boundaries::run(call).await,
        "Roles" => roles::run(call).await,
        "Temporary credentials" => sts::run(call).await,
        _ => Err(not_built(call)),
    }
}

/// A described action without a handler, which the tests exclude.
fn not_built(call: &Call<'_>) -> CamError {
    CamError::internal(format!("`{}` has no handler", call.action.name))
}

/// One look at the caller's account.
struct Look {
    view: Arc<AccountView>,
    shared: Arc<Shared>,
    revision: String,
}

impl Look {
    fn state(&self) -> &AccountState {
        &self.view.state
    }

    fn presets(&self) -> &Presets {
        &self.shared.presets
    }

    fn done(self, fields: Fields) -> Done {
        Done { fields, revision: self.revision }
    }
}

async fn look(call: &Call<'_>) -> Result<Look, CamError> {
    let applied = call.node.applied_revision();
    let view = call.node.existing_view(call.caller.owner_uin).await.map_err(status::cam)?;
    let revision = call.node.token(view.as_of.max(applied));
    Ok(Look { view, shared: call.node.shared(), revision })
}

/// What the commands of a call made.
struct Made<'a> {
    /// The account after them.
    state: &'a AccountState,
    /// One per command.
    results: &'a [CommandResult],
    /// The uin that was allotted, if one was asked for.
    allotted_uin: Option<u64>,
}

/// A change: its commands from the account's state, and its answer from what they made.
struct Change<C, A> {
    allot_uin: bool,
    commands: C,
    answer: A,
}

/// Writes with an answer without fields.
async fn write(
    call: &Call<'_>,
    commands: impl Fn(&AccountState) -> Result<Vec<Command>, NodeError> + Send + Sync,
) -> Result<Done, CamError> {
    let commands = |state: &AccountState, _: Option<u64>| commands(state);
    change(call, Change { allot_uin: false, commands, answer: |_: &Made<'_>| Ok(Fields::new()) })
        .await
}

/// Carries out the commands of a call in one commit. They are made anew for each try.
async fn change<C, A>(call: &Call<'_>, change: Change<C, A>) -> Result<Done, CamError>
where
    C: Fn(&AccountState, Option<u64>) -> Result<Vec<Command>, NodeError> + Send + Sync,
    A: Fn(&Made<'_>) -> Result<Fields, NodeError> + Send + Sync,
{
    let Change { allot_uin, commands, answer } = change;
    // What the commands refuse is refused again, and told, when they are carried out.
    let reads = |state: &AccountState| -> Vec<GlobalKey> {
        let commands = commands(state, None).unwrap_or_default();
        commands.iter().flat_map(|it| it.global_reads(state)).collect()
    };
    let run = |input: &JobInput<'_>| {
        let commands = commands(input.state, input.allotted_uin)?;
        let (executed, state) = execute_commands(input, &commands)?;
        let allotted_uin = input.allotted_uin;
        let made = Made { state: &state, results: &executed.results, allotted_uin };
        let answer = Value::Object(answer(&made)?).to_string().into_bytes();
        let operations = commands.iter().map(Command::name).collect();
        Ok(Prepared { changes: executed.changes, operations, answer })
    };
    let job = WriteJob { reads: &reads, allot_uin, run: &run };
    let options = WriteOptions { origin: origin(call), ..WriteOptions::default() };
    let written = call.node.write(call.caller.owner_uin, &options, &job).await;
    let Written { answer, revision, is_repeat: _ } = written.map_err(status::cam)?;
    let fields = serde_json::from_slice(&answer)
        .map_err(|error| CamError::internal(format!("an answer cannot be read back: {error}")))?;
    Ok(Done { fields, revision: call.node.token(revision) })
}

/// Who calls, for the change log.
fn origin(call: &Call<'_>) -> Origin {
    let Caller { owner_uin, principal, ref secret_id, ref proven } = call.caller;
    let session = proven.session().map(|session| session.name().to_owned());
    let (secret_id, session) = (secret_id.to_string(), session.unwrap_or_default());
    Origin {
        actor: Actor::Caller { uin: principal, owner_uin, secret_id, session },
        protocol: Protocol::CamApi,
        call: call.action.name.clone(),
        source: call.received.peer.to_string(),
        request_id: call.request_id.to_owned(),
        service_caller: String::new(),
    }
}

fn not_found(noun: Noun, name: impl ToString) -> NodeError {
    DirectoryError::NotFound { noun, name: name.to_string() }.into()
}

fn no_such(noun: Noun, name: impl ToString) -> CamError {
    status::cam(not_found(noun, name))
}

/// The fields of an answer, from a JSON object.
fn fields(value: Value) -> Fields {
    if let Value::Object(fields) = value { fields } else { Fields::new() }
}

/// One page of a list, by `Page` and `Rp`, and how many there are in all.
fn page(params: &Params, items: Vec<Value>) -> (u64, Vec<Value>) {
    let rows = params.number("Rp").unwrap_or(ROWS_DEFAULT);
    let page = params.number("Page").unwrap_or(1);
    let before = page.saturating_sub(1).saturating_mul(rows);
    let total = u64::try_from(items.len()).unwrap_or(u64::MAX);
    let to_usize = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    (total, items.into_iter().skip(to_usize(before)).take(to_usize(rows)).collect())
}
