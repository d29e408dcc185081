//! The disk test: a node on a sled store whose small disk fills up, turns read-only, and gets well;
//! and the same of its decision log.
//!
//! It starts itself again with mounts of its own (`unshare --mount`), so nothing is left behind
//! however it ends; who is not root becomes root of a user namespace for it. Where neither is
//! possible it fails and says so. No test harness: the process must be one that can be started
//! again.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test program that prints its result and fails where it stands"
)]

mod log;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command as Process, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use camgate::catalog::Catalog;
use camgate::directory::{
    AccountState, Command, CreateAccount, CreateSubAccount, Profile, ProfileUpdate, SubAccountKind,
    UpdateSubAccount, execute,
};
use camgate::engine::{Outcome, Resource};
use camgate::lang::action::ActionName;
use camgate::lang::condition::Context;
use camgate::lang::variable::Owner;
use camgate::node::{
    Asker, Asking, CheckQuery, Node, NodeError, NodeSettings, Prepared, SystemClock, Verification,
    Verified, WriteJob, WriteOptions,
};
use camgate::store::{ChangeRetention, SledStore, Store, StoreError};

const OWNER: Owner = Owner { uin: 12_345_678, app_id: 1_250_000_001 };
const ALICE: u64 = 100_000_001;
/// How the program is told that it has mounts of its own.
const INSIDE: &str = "inside";
const DISK_MIB: u64 = 64;
/// Longest wait for a node to get well.
const WAIT_MAX: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, dir] = &args[..]
        && mode == INSIDE
    {
        run(Path::new(dir));
        return ExitCode::SUCCESS;
    }
    // `cargo test NAME` hands its filter to every test program.
    let filter = args.iter().find(|arg| !arg.starts_with('-'));
    if args.iter().any(|arg| arg == "--list") || filter.is_some_and(|it| !"disk".contains(&**it)) {
        return ExitCode::SUCCESS;
    }
    let dir = tempfile::TempDir::new().unwrap();
    for how in [&["--mount"][..], &["--mount", "--user", "--map-root-user"]] {
        let can = Process::new("unshare").args(how).arg("true").output();
        if !can.is_ok_and(|it| it.status.success()) {
            continue;
        }
        let mut inside = Process::new("unshare");
        let itself = std::env::current_exe().unwrap();
        let ended = inside.args(how).arg(itself).arg(INSIDE).arg(dir.path()).status().unwrap();
        let (passed, failed) = if ended.success() { (1, 0) } else { (0, 1) };
        println!("test result: {passed} passed; {failed} failed; 0 ignored");
        return if ended.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    println!(
        "disk: this system lets nobody mount a small disk for a test: `unshare --mount` fails, and \
         so does `unshare --mount --user --map-root-user`; run it as root, or allow user namespaces"
    );
    ExitCode::FAILURE
}

fn system(command: &str, args: &[&str]) {
    let done = Process::new(command).args(args).output().unwrap();
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{command} {args:?}: {told}");
}

fn mount(dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    let size = format!("size={DISK_MIB}m");
    system("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", dir.to_str().unwrap()]);
}

fn run(dir: &Path) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for (name, reserve) in [("refused-early", None), ("refused-by-the-system", Some(0))] {
        let disk = dir.join(name);
        mount(&disk);
        runtime.block_on(fills_up(&disk, reserve));
        println!("disk: {name}: nothing acknowledged was lost, decisions went on");
    }
    let disk = dir.join("read-only");
    mount(&disk);
    runtime.block_on(read_only(&disk));
    println!("disk: read-only: refused, and taken again");
    let disk = dir.join("log-never-drop");
    mount(&disk);
    runtime.block_on(log::fails_closed(&disk));
    println!("disk: log-never-drop: no answer without its record, and answers again");
    let disk = dir.join("log-best-effort");
    mount(&disk);
    runtime.block_on(log::decides_on(&disk));
    println!("disk: log-best-effort: decided on, and counted what is not in the log");
}

async fn open(dir: &Path, reserve: Option<u64>) -> Result<Arc<SledStore>, StoreError> {
    let store = match reserve {
        None => SledStore::open(dir).await,
        Some(bytes) => SledStore::open_reserving(dir, ChangeRetention::default(), bytes).await,
    };
    store.map(Arc::new)
}

async fn start(store: Arc<dyn Store>) -> Arc<Node> {
    let catalog = Arc::new(Catalog::builtin().clone());
    let settings = NodeSettings { watch_retry_ms: 50, ..NodeSettings::default() };
    Node::start(store, catalog, Arc::new(SystemClock), None, settings).await.unwrap()
}

async fn apply(node: &Node, command: Command) -> Result<(), NodeError> {
    let run = |input: &camgate::node::JobInput<'_>| {
        let executed = execute(input.state, &command, &input.env)?;
        let operations = vec![command.name()];
        Ok(Prepared { changes: executed.changes, operations, answer: Vec::new() })
    };
    let reads = |state: &AccountState| command.global_reads(state);
    let job = WriteJob { reads: &reads, allot_uin: false, run: &run };
    node.write(OWNER.uin, &WriteOptions::default(), &job).await.map(|_| ())
}

/// A long remark that says which write it is, so that a disk fills and what is lost shows.
async fn remark(node: &Node, number: usize) -> Result<(), NodeError> {
    let remark = Some(format!("{number:06} {}", "满".repeat(80)));
    let profile = ProfileUpdate::default();
    let update = UpdateSubAccount { uin: ALICE, name: None, remark, profile };
    apply(node, Command::UpdateSubAccount(update)).await
}

/// Whether alice may do something; no, however the disk is.
fn question() -> CheckQuery {
    CheckQuery {
        asker: Asker::Uin { uin: ALICE, owner_uin: Some(OWNER.uin) },
        action: ActionName::parse("im:SendMsg").unwrap(),
        resource: Resource::Star,
        context: Context::new(),
        accepts_filter: false,
    }
}

async fn is_denied(node: &Node) -> Result<bool, NodeError> {
    let mut batch = node.begin(Asking::direct(), None).await?;
    Ok(node.check(&mut batch, question()).await?.decision.outcome == Outcome::Deny)
}

async fn create(node: &Node) {
    apply(node, Command::CreateAccount(CreateAccount { owner: OWNER })).await.unwrap();
    let (name, kind) = ("alice".to_owned(), SubAccountKind::SubUser);
    let (remark, profile) = (String::new(), Profile::default());
    let alice = CreateSubAccount { uin: ALICE, name, kind, remark, profile };
    apply(node, Command::CreateSubAccount(alice)).await.unwrap();
}

/// Takes everything that is left of the disk, but for so many bytes.
fn take_room(dir: &Path, left: u64) {
    let mut file = File::create(dir.join("filler")).unwrap();
    let chunk = vec![7; 64 * 1024];
    while file.write_all(&chunk).is_ok() {}
    let taken = file.metadata().unwrap().len();
    file.set_len(taken.saturating_sub(left)).unwrap();
}

/// Writes until one is refused; the number of the last that was acknowledged.
async fn write_until_refused(node: &Node, first: usize) -> (usize, NodeError) {
    for number in first..first + 50_000 {
        if let Err(error) = remark(node, number).await {
            return (number - 1, error);
        }
    }
    panic!("the disk never filled");
}

/// Everything that was acknowledged is there, and nothing in the store is wrong.
async fn check_all(store: &Arc<dyn Store>, node: &Node, last: usize, writes: usize) {
    let view = node.existing_view(OWNER.uin).await.unwrap();
    let alice = view.state.sub_account(ALICE).unwrap();
    let number: usize = alice.remark.split(' ').next().unwrap().parse().unwrap();
    assert!(number >= last, "write {last} is lost: {number}");
    let mut verification = Verification::begin(store, None).await.unwrap();
    let mut verified = Verified::default();
    while let Some((found, so_far)) = verification.next().await.unwrap() {
        assert_eq!(found, []);
        verified = so_far;
    }
    // Of the account, of alice, and of each write; one that was refused may be there too.
    let entries = usize::try_from(verified.entries).unwrap();
    assert!((2 + writes..=4 + writes).contains(&entries), "{verified:?}, {writes} writes");
}

/// Waits until the node takes a write again.
async fn gets_well(node: &Node, number: usize) {
    let well = async {
        let mut readiness = node.readiness();
        readiness.wait_for(|now| now.is_ready()).await.unwrap();
        remark(node, number).await.unwrap();
        readiness.wait_for(|now| now.reports.is_empty()).await.unwrap();
    };
    assert!(tokio::time::timeout(WAIT_MAX, well).await.is_ok(), "the node does not get well");
}

async fn fills_up(dir: &Path, reserve: Option<u64>) {
    let path = dir.join("store");
    let store: Arc<dyn Store> = open(&path, reserve).await.unwrap();
    let node = start(Arc::clone(&store)).await;
    create(&node).await;
    for number in 1..=10 {
        remark(&node, number).await.unwrap();
    }
    take_room(dir, if reserve.is_none() { 16 * 1024 * 1024 } else { 1024 * 1024 });
    let (last, error) = write_until_refused(&node, 11).await;
    let error = error.to_string();
    let readiness = node.readiness().borrow().clone();
    match reserve {
        None => {
            assert!(error.contains("bytes free") && error.contains("make room"), "{error}");
            assert!(readiness.is_ready(), "{readiness:?}");
            assert!(readiness.reports.iter().any(|it| it.contains("no room")), "{readiness:?}");
        }
        // The system refused a write that nobody knows the end of: the store has stopped.
        Some(_) => assert!(error.contains("stopped"), "{error}"),
    }
    // Nothing is taken, and decisions go on.
    assert!(remark(&node, 700_000).await.is_err());
    assert!(is_denied(&node).await.unwrap());
    fs::remove_file(dir.join("filler")).unwrap();
    gets_well(&node, 800_000).await;
    check_all(&store, &node, 800_000, last + 1).await;
    node.end();
    drop((node, store));
    // And after a restart.
    let store: Arc<dyn Store> = open(&path, reserve).await.unwrap();
    let node = start(Arc::clone(&store)).await;
    check_all(&store, &node, 800_000, last + 1).await;
    remark(&node, 900_000).await.unwrap();
    node.end();
}

async fn read_only(dir: &Path) {
    let path = dir.join("store");
    let store: Arc<dyn Store> = open(&path, None).await.unwrap();
    let node = start(Arc::clone(&store)).await;
    create(&node).await;
    let place = dir.to_str().unwrap();
    // Over the same files, which are open for writing below: so the system lets it be mounted.
    system("mount", &["--bind", place, place]);
    system("mount", &["-o", "remount,bind,ro", place]);
    let error = remark(&node, 1).await.unwrap_err().to_string();
    assert!(error.contains("is read-only"), "{error}");
    assert!(is_denied(&node).await.unwrap());
    system("umount", &[place]);
    gets_well(&node, 2).await;
    check_all(&store, &node, 2, 1).await;
    node.end();
    drop((node, store));
    // A store on a disk that cannot be written is not opened, and says why.
    system("mount", &["--bind", place, place]);
    system("mount", &["-o", "remount,bind,ro", place]);
    let error = open(&path, None).await.unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    assert!(error.to_string().contains(place), "{error}");
}
