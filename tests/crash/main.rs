//! The crash test: kills a writing process again and again, and looks for lost or torn commits.
//!
//! Each round starts this program again as `writer DIR SEED`, kills it (SIGKILL) after a random
//! number of acknowledged commits, or while it opens the store, and verifies the directory. A
//! directory lives through five rounds, so recovery is tested on top of recovery. A killed process
//! says nothing about a power cut: what the system had in its cache is still there. Further rounds
//! do the same to a node that changes an account, whose change log must hold what was acknowledged.
//!
//! `CAMGATE_CRASH_ROUNDS` (20) and `CAMGATE_CRASH_SEED` (random) choose the run; a failure prints
//! the seed. No test harness: the process must be one that can be started again.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test program that prints its result and fails where it stands"
)]

mod account;
mod verify;
mod writer;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use camgate::store::ChangeRetention;
use tempfile::TempDir;

use crate::verify::{Acknowledged, Verdict};

const WRITER: &str = "writer";
const ACCOUNT_WRITER: &str = "account-writer";
/// One more round with an account for so many with a store alone.
const ROUNDS_PER_ACCOUNT_ROUND: u64 = 3;
const ROUNDS_DEFAULT: u64 = 20;
const ROUNDS_PER_DIRECTORY: u64 = 5;
/// Most acknowledgements before the kill.
const KILL_AFTER_MAX: u64 = 300;

/// How a directory's writers and its verifier keep changes: every second one compacts all the time.
fn retention(directory: u64) -> ChangeRetention {
    if directory.is_multiple_of(2) {
        ChangeRetention::default()
    } else {
        ChangeRetention { sets_max: 50, bytes_max: 1_000_000 }
    }
}

/// A small repeatable generator (splitmix64): the same seed gives the same run plan.
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// When the writer dies.
#[derive(Clone, Copy, Debug)]
enum Kill {
    AfterAcknowledgements(u64),
    /// Counted from its start: while it opens and recovers, if the machine is not much faster.
    AfterStart(Duration),
}

impl Kill {
    fn choose(random: &mut Random) -> Self {
        match random.below(8) {
            0 => Self::AfterStart(Duration::from_micros(random.below(20_000))),
            1 => Self::AfterAcknowledgements(1 + random.below(5)),
            _ => Self::AfterAcknowledgements(1 + random.below(KILL_AFTER_MAX)),
        }
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, dir, seed, directory] = &args[..]
        && [WRITER, ACCOUNT_WRITER].contains(&mode.as_str())
    {
        let run = if mode == ACCOUNT_WRITER { account::run } else { writer::run };
        run(Path::new(dir), seed.parse().unwrap(), directory.parse().unwrap());
        return ExitCode::SUCCESS;
    }
    // `cargo test NAME` hands its filter to every test program.
    let filter = args.iter().find(|arg| !arg.starts_with('-'));
    if args.iter().any(|arg| arg == "--list") || filter.is_some_and(|it| !"crash".contains(&**it)) {
        return ExitCode::SUCCESS;
    }
    let rounds = number_from_env("CAMGATE_CRASH_ROUNDS").unwrap_or(ROUNDS_DEFAULT);
    let seed = number_from_env("CAMGATE_CRASH_SEED").unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        now.as_secs().wrapping_mul(1_000_003) ^ u64::from(now.subsec_nanos())
    });
    let outcome = run_rounds(rounds, seed)
        .and_then(|()| run_account_rounds(1 + rounds.div_ceil(ROUNDS_PER_ACCOUNT_ROUND), seed));
    if let Err(reason) = outcome {
        println!("crash: {reason}; repeat with CAMGATE_CRASH_SEED={seed}");
        println!("0 passed, 1 failed");
        return ExitCode::FAILURE;
    }
    println!("{rounds} passed, 0 failed");
    ExitCode::SUCCESS
}

#[expect(clippy::disallowed_methods, reason = "a test program has no settings file")]
fn number_from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number in the environment"))
}

fn run_rounds(rounds: u64, seed: u64) -> Result<(), String> {
    let mut random = Random(seed);
    let (mut acknowledged, mut survived) = (0, 0);
    let mut dir = TempDir::new().unwrap();
    let mut known = Verdict::default();
    for round in 0..rounds {
        if round > 0 && round.is_multiple_of(ROUNDS_PER_DIRECTORY) {
            dir = TempDir::new().unwrap();
            known = Verdict::default();
        }
        let directory = round / ROUNDS_PER_DIRECTORY;
        let kill = Kill::choose(&mut random);
        let lines: Vec<Acknowledged> =
            run_writer(WRITER, dir.path(), random.next(), directory, kill)
                .iter()
                .map(|line| Acknowledged::parse(line).expect("a line of the writer"))
                .collect();
        match verify::check(dir.path(), retention(directory), &known, &lines) {
            Ok(verdict) => {
                acknowledged += lines.len() as u64;
                survived += verdict.head - known.head - lines.len() as u64;
                known = verdict;
            }
            Err(reason) => return Err(format!("round {round} failed: {reason}; {kill:?}")),
        }
    }
    println!(
        "crash: {rounds} rounds, {acknowledged} acknowledged commits, \
         {survived} unacknowledged survived, 0 lost"
    );
    Ok(())
}

/// The rounds with an account, all on one directory.
fn run_account_rounds(rounds: u64, seed: u64) -> Result<(), String> {
    let mut random = Random(!seed);
    let dir = TempDir::new().unwrap();
    let mut known = account::Log::default();
    let mut acknowledged = 0;
    for round in 0..rounds {
        let kill = Kill::choose(&mut random);
        let lines = run_writer(ACCOUNT_WRITER, dir.path(), random.next(), 0, kill);
        acknowledged += lines.len();
        known = account::check(dir.path(), 0, &known, &lines)
            .map_err(|reason| format!("account round {round} failed: {reason}; {kill:?}"))?;
    }
    println!(
        "crash: {rounds} rounds with an account, {acknowledged} acknowledged changes, {} entries \
         in its log",
        known.revisions.len()
    );
    Ok(())
}

/// Runs a writer until its kill, and gives the lines by which it acknowledged.
fn run_writer(mode: &str, dir: &Path, seed: u64, directory: u64, kill: Kill) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg(mode)
        .arg(dir)
        .args([seed.to_string(), directory.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut found = Vec::new();
    if let Kill::AfterStart(wait) = kill {
        // No condition to wait for: a random moment is the point.
        std::thread::sleep(wait);
        end(&mut child);
    }
    loop {
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        // The last line may be cut; then it acknowledges nothing.
        let Some(line) = line.strip_suffix('\n') else { break };
        found.push(line.to_owned());
        if let Kill::AfterAcknowledgements(count) = kill
            && found.len() as u64 == count
        {
            end(&mut child);
        }
    }
    end(&mut child);
    found
}

/// Kills our own child and waits for its end; fails if it had ended by itself.
fn end(child: &mut Child) {
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(status.code().is_none(), "the writer ended by itself: {status}");
}
