//! Proves that the tests can fail: puts one deliberate fault at a time into a copy of the sources
//! and runs a suite there, which must notice (`make mutants`): that of floors 0 and 1, or the
//! integration tests that the fault names.
//!
//! The faults are data, `tests/mutants/faults.json`: a file, a text that occurs in it exactly once,
//! and what stands there instead. A fault that no longer applies, or no longer compiles, fails the
//! run like one that nobody notices, so the list stays true.

#![expect(clippy::print_stdout, reason = "the report of a tool that people run")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use std::{env, fs};

use serde::Deserialize;

/// What is needed to build and test.
const COPIED: [&str; 11] = [
    "Cargo.toml",
    "Cargo.lock",
    "clippy.toml",
    "rust-toolchain.toml",
    "docs",
    "examples",
    "packaging",
    "policies",
    "proto",
    "src",
    "tests",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    /// What the fault does, in words.
    name: String,
    /// The file, from the root of the repository.
    file: PathBuf,
    /// The text, which must occur exactly once.
    find: String,
    /// What stands there instead.
    replace: String,
    /// The integration tests that must notice, by the start of their names; none: floors 0 and 1.
    tests: Option<String>,
}

#[derive(PartialEq)]
enum Verdict {
    Caught,
    Survived,
    NotBuilt,
}

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let faults: Vec<Fault> =
        serde_json::from_slice(&fs::read(root.join("tests/mutants/faults.json"))?)?;
    let wanted = env::args().nth(1).unwrap_or_default();
    let scratch = root.join("target/mutants");
    let copy = scratch.join("source");
    println!("building the suite without a fault first");
    copy_sources(root, &copy)?;
    let faults: Vec<Fault> =
        faults.into_iter().filter(|fault| fault.name.contains(&wanted)).collect();
    let mut suites: Vec<Option<&str>> = faults.iter().map(|it| it.tests.as_deref()).collect();
    suites.sort_unstable();
    suites.dedup();
    for tests in suites {
        if suite(&copy, &scratch, tests)? != Verdict::Survived {
            return Err("the suite fails without any fault; mend that first".into());
        }
    }
    let (mut caught, mut failed) = (0, 0);
    for fault in &faults {
        let started = Instant::now();
        let path = copy.join(&fault.file);
        let original = fs::read_to_string(&path)?;
        let places = original.matches(&fault.find).count();
        if places != 1 {
            println!("STALE     {}: the text occurs {places} times", fault.name);
            failed += 1;
            continue;
        }
        fs::write(&path, original.replacen(&fault.find, &fault.replace, 1))?;
        let verdict = suite(&copy, &scratch, fault.tests.as_deref());
        fs::write(&path, &original)?;
        let word = match verdict? {
            Verdict::Caught => {
                caught += 1;
                "caught   "
            }
            Verdict::Survived => {
                failed += 1;
                "SURVIVED "
            }
            Verdict::NotBuilt => {
                failed += 1;
                "NOT BUILT"
            }
        };
        let place = fault.file.display();
        println!("{word} {} ({place}, {:.0} s)", fault.name, started.elapsed().as_secs_f64());
    }
    println!("mutants: {caught} passed, {failed} failed");
    if failed == 0 && caught > 0 { Ok(()) } else { Err("not every fault was caught".into()) }
}

/// Builds, then runs, a suite. Survived means: everything passed.
fn suite(copy: &Path, scratch: &Path, tests: Option<&str>) -> Result<Verdict, Box<dyn Error>> {
    let what: &[&str] = match tests {
        None => &["--no-default-features", "--lib", "--test", "prop"],
        Some(_) => &["--test", "it"],
    };
    let run = |extra: &[&str]| -> Result<bool, Box<dyn Error>> {
        let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .current_dir(copy)
            .env("CARGO_TARGET_DIR", scratch.join("target"))
            .args(["test", "--quiet"])
            .args(what)
            .args(extra)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        Ok(status.success())
    };
    if !run(&["--no-run"])? {
        return Ok(Verdict::NotBuilt);
    }
    Ok(if run(tests.as_slice())? { Verdict::Survived } else { Verdict::Caught })
}

fn copy_sources(root: &Path, copy: &Path) -> Result<(), Box<dyn Error>> {
    if copy.exists() {
        fs::remove_dir_all(copy)?;
    }
    for name in COPIED {
        copy_tree(&root.join(name), &copy.join(name))?;
    }
    Ok(())
}

fn copy_tree(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    if from.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy_tree(&entry.path(), &to.join(entry.file_name()))?;
        }
    } else {
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(from, to)?;
    }
    Ok(())
}
