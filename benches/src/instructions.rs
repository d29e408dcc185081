//! Part 6: how many instructions a decision takes, counted by callgrind, so that a regression shows
//! on a machine whose clock says nothing.
//!
//! The counts are recorded in `benches/instructions.json`; more than [`SLACK`] over a recorded count
//! ends the run with an error. Counts depend on compiler and processor a little, so they are
//! recorded anew, with `--record`, in the commit that changes them for a reason.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::PathBuf;
use std::process::Command;

use crate::decide::{now, ours};
use crate::measure::Spread;
use crate::table::{Budget, Table};
use crate::workload::{Question, Rng, Workload};

/// How much more a count may be than what was recorded.
const SLACK: f64 = 1.05;
const QUESTIONS: usize = 5_000;

/// What is counted.
const CASES: [Case; 6] = [
    Case { name: "1 policy", sub_accounts: 100, attached: 1, has_conditions: false },
    Case { name: "50 policies", sub_accounts: 100, attached: 50, has_conditions: false },
    Case { name: "200 policies", sub_accounts: 100, attached: 200, has_conditions: false },
    Case {
        name: "200 policies, 10,000 users",
        sub_accounts: 10_000,
        attached: 200,
        has_conditions: false,
    },
    Case { name: "10,000 policies", sub_accounts: 20, attached: 10_000, has_conditions: false },
    Case {
        name: "50 policies, conditional",
        sub_accounts: 100,
        attached: 50,
        has_conditions: true,
    },
];

struct Case {
    name: &'static str,
    sub_accounts: usize,
    attached: usize,
    has_conditions: bool,
}

/// Asks the questions of a case; runs under callgrind, which counts what [`ours`] does.
pub fn ask(case: usize) {
    let Case { sub_accounts, attached, has_conditions, name: _ } = CASES[case];
    let workload =
        Workload::new(sub_accounts, attached, 20, 1_000.max(attached * 2), has_conditions);
    // Every set is folded before anything is counted.
    let owner = crate::workload::OWNER;
    for set in 0..workload.sets.len() {
        let root = Question {
            uin: crate::workload::uin(set).to_string(),
            action: workload.actions[0].clone(),
            resource: format!("qcs::im::uin/{owner}:sdkappid/1"),
            set,
            action_at: 0,
            app: 1,
        };
        black_box(warm(&workload, &root));
    }
    let mut rng = Rng::new(3);
    for _ in 0..QUESTIONS {
        let asked = workload.question(&mut rng, usize::MAX);
        black_box(ours(&workload.snapshot, &workload.context, now(), &asked));
    }
}

/// As [`ours`], under a name that is not counted.
#[inline(never)]
fn warm(workload: &Workload, asked: &Question) -> bool {
    use camgate::engine::{NoTrace, Outcome, decide};
    let request = crate::decide::request(workload, asked);
    decide(&workload.snapshot, &request, &mut NoTrace).outcome == Outcome::Allow
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("instructions.json")
}

/// Counts, and compares with what was recorded or records it.
///
/// # Errors
/// What grew, and by how much; or why nothing could be counted.
pub fn run(table: &mut Table, is_record: bool) -> Result<(), String> {
    let recorded: BTreeMap<String, u64> = match std::fs::read_to_string(file()) {
        Ok(text) => serde_json::from_str(&text).map_err(|fault| fault.to_string())?,
        Err(_) => BTreeMap::new(),
    };
    let mut counts = BTreeMap::new();
    let mut grown = Vec::new();
    for (at, case) in CASES.iter().enumerate() {
        let count = count(at)?;
        counts.insert(case.name.to_owned(), count);
        let before = recorded.get(case.name).copied();
        let ratio = before.map_or(f64::NAN, |before| count as f64 / before as f64);
        let what = format!("{}: {count} instructions", case.name);
        let spread = Spread::new(vec![ratio]);
        let budget = if before.is_some() { Budget::AtMost(SLACK) } else { Budget::None };
        table.add("decide", what, "instructions / recorded", spread, budget);
        if !is_record && !(ratio <= SLACK) {
            grown.push(format!("{}: {count} instructions, recorded {before:?}", case.name));
        }
    }
    if is_record {
        let text = serde_json::to_string_pretty(&counts).map_err(|fault| fault.to_string())?;
        std::fs::write(file(), text + "\n").map_err(|fault| fault.to_string())?;
    }
    if grown.is_empty() {
        return Ok(());
    }
    Err(format!(
        "decisions take more instructions than recorded in benches/instructions.json: {}; if that \
         has a reason, record it: camgate-bench instructions --record",
        grown.join("; ")
    ))
}

/// Instructions of one question.
fn count(case: usize) -> Result<u64, String> {
    let program = std::env::current_exe().map_err(|fault| fault.to_string())?;
    let out = std::env::temp_dir().join(format!("camgate-bench-{}.callgrind", std::process::id()));
    let run = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg("--toggle-collect=*decide*ours*")
        .arg(program)
        .args(["ask", &case.to_string()])
        .output()
        .map_err(|fault| {
            format!("valgrind cannot be run: {fault}; install the package valgrind")
        })?;
    let said = String::from_utf8_lossy(&run.stderr);
    let _ = std::fs::remove_file(&out);
    let collected = said
        .lines()
        .find_map(|line| line.split_once("Collected : "))
        .and_then(|(_, number)| number.trim().parse::<u64>().ok())
        .filter(|number| *number > 0);
    collected
        .map(|collected| collected / QUESTIONS as u64)
        .ok_or_else(|| format!("valgrind counted nothing: {said}"))
}
