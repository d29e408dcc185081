//! The same for an account of a node: the writer changes it from several tasks, and every change
//! that was acknowledged must have its entry in the account's change log, whose chain must hold;
//! and `audit verify` must find nothing, in the logs and beside them.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use camgate::catalog::Catalog;
use camgate::directory::{
    AccountState, Command, CreateAccount, CreateSubAccount, SubAccountKind, UpdateSubAccount,
    execute,
};
use camgate::lang::variable::Owner;
use camgate::node::{JobInput, Node, NodeSettings, Prepared, SystemClock, WriteJob, WriteOptions};
use camgate::store::SledStore;

use crate::{Random, retention};

const OWNER: Owner = Owner { uin: 12_345_678, app_id: 1_250_000_001 };
const TASKS: u64 = 4;
const FIRST_USER: u64 = 100_000_001;
/// Entries read at once.
const PAGE: usize = 100;

/// What a verified account's log holds: the revision of each entry, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    pub(crate) revisions: Vec<u64>,
}

async fn start(dir: &Path, directory: u64) -> Result<Arc<Node>, String> {
    let store = SledStore::open_with(dir, retention(directory)).await;
    let store = Arc::new(store.map_err(|error| error.to_string())?);
    let catalog = Arc::new(Catalog::builtin().clone());
    let settings = NodeSettings::default();
    let node = Node::start(store, catalog, Arc::new(SystemClock), None, settings).await;
    node.map_err(|error| error.to_string())
}

async fn execute_on(node: &Node, command: Command) -> u64 {
    let run = |input: &JobInput<'_>| {
        let executed = execute(input.state, &command, &input.env)?;
        let operations = vec![command.name()];
        Ok(Prepared { changes: executed.changes, operations, answer: Vec::new() })
    };
    let reads = |state: &AccountState| command.global_reads(state);
    let job = WriteJob { reads: &reads, allot_uin: false, run: &run };
    node.write(OWNER.uin, &WriteOptions::default(), &job).await.unwrap().revision.0
}

/// Writes until it is killed; prints the revision of every change that was acknowledged.
pub(crate) fn run(dir: &Path, seed: u64, directory: u64) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let node = start(dir, directory).await.unwrap();
        if node.view(OWNER.uin).await.unwrap().is_none() {
            let create = Command::CreateAccount(CreateAccount { owner: OWNER });
            print_acknowledged(execute_on(&node, create).await);
        }
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..TASKS {
            let random = Random(seed ^ task.wrapping_mul(0x1234_5678_9abc_def1));
            tasks.spawn(write_for_ever(Arc::clone(&node), FIRST_USER + task, random));
        }
        tasks.join_all().await;
    });
}

async fn write_for_ever(node: Arc<Node>, uin: u64, mut random: Random) {
    let view = node.existing_view(OWNER.uin).await.unwrap();
    if view.state.sub_account(uin).is_none() {
        let (name, kind) = (format!("user-{uin}"), SubAccountKind::SubUser);
        let (remark, profile) = (String::new(), camgate::directory::Profile::default());
        let create = CreateSubAccount { uin, name, kind, remark, profile };
        print_acknowledged(execute_on(&node, Command::CreateSubAccount(create)).await);
    }
    loop {
        let remark = Some(format!("备注 {}", random.next()));
        let profile = camgate::directory::ProfileUpdate::default();
        let update = UpdateSubAccount { uin, name: None, remark, profile };
        print_acknowledged(execute_on(&node, Command::UpdateSubAccount(update)).await);
    }
}

fn print_acknowledged(revision: u64) {
    let mut output = std::io::stdout().lock();
    output.write_all(format!("{revision}\n").as_bytes()).unwrap();
    output.flush().unwrap();
}

/// Opens the directory and checks its log against what was `known` before the round and what was
/// acknowledged in it.
pub(crate) fn check(
    dir: &Path,
    directory: u64,
    known: &Log,
    acknowledged: &[String],
) -> Result<Log, String> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let node = start(dir, directory).await?;
        let log = read_log(&node).await?;
        verify(&node).await?;
        node.end();
        if log.revisions.get(..known.revisions.len()) != Some(&known.revisions[..]) {
            return Err("entries that were there are gone or are others".to_owned());
        }
        for line in acknowledged {
            let revision: u64 = line.parse().map_err(|_| format!("the writer said `{line}`"))?;
            if log.revisions.binary_search(&revision).is_err() {
                return Err(format!("the change at {revision} has no entry in the log"));
            }
        }
        Ok(log)
    })
}

/// What `camgate audit verify` would say.
async fn verify(node: &Node) -> Result<(), String> {
    let verification = node.verify_store(None).await;
    let mut verification = verification.map_err(|error| error.to_string())?;
    while let Some((found, _)) = verification.next().await.map_err(|error| error.to_string())? {
        if let Some(first) = found.first() {
            return Err(format!("`audit verify` finds {first:?}"));
        }
    }
    Ok(())
}

async fn read_log(node: &Node) -> Result<Log, String> {
    let mut log = Log::default();
    let view = node.view(OWNER.uin).await.map_err(|error| error.to_string())?;
    // Killed before the account was there.
    let Some(view) = view else { return Ok(log) };
    loop {
        let first = log.revisions.len() as u64 + 1;
        let page = node.change_log(OWNER.uin, first, PAGE, None).await;
        let page = page.map_err(|error| error.to_string())?;
        if page.changes.is_empty() {
            break;
        }
        for change in page.changes {
            if let Some(problem) = change.problem {
                return Err(format!("entry {}: {problem}", change.sequence));
            }
            log.revisions.push(change.revision.ok_or("an entry without a revision")?.0);
        }
    }
    if !log.revisions.is_sorted() || log.revisions.last() != Some(&view.last_change.0) {
        return Err("the last entry is not of the account's last change".to_owned());
    }
    Ok(log)
}
