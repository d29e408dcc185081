//! The repository keeps its own rules: floors, purity, owners, shapes. Design section 2.
//!
//! Lists of exceptions may only shrink: an exception that excuses nothing fails the test.

mod checks;
mod floors;
mod self_test;

use checks::{Fault, RustFile};
use floors::{FLOORS, markdown};

use crate::support::repo::{files, files_with, read};

/// What is excused: check, file, what. May only shrink.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    // It kills the writer at a random moment; there is no condition to wait for.
    ("sleep in a test", "tests/crash/main.rs", ""),
];

/// Third-party crates that could be replaced, and the one file or folder that knows each. A crate
/// without an owner may not be used yet.
const OWNERS: &[(&str, Option<&str>)] = &[
    ("argon2", Some("src/authn/password.rs")),
    ("chacha20poly1305", Some("src/authn/vault/sealed.rs")),
    ("clap_complete", Some("src/cli/manual.rs")),
    ("clap_mangen", Some("src/cli/manual.rs")),
    ("dashmap", Some("src/node/cells.rs")),
    ("etcd_client", Some("src/store/etcd/")),
    ("flate2", Some("src/audit/decision_log/files.rs")),
    ("glob", Some("src/store/policy_files.rs")),
    ("hkdf", Some("src/authn/vault/keys.rs")),
    ("moka", Some("src/node/bounded.rs")),
    ("opentelemetry", Some("src/service/traces/otlp.rs")),
    ("opentelemetry_otlp", Some("src/service/traces/otlp.rs")),
    ("opentelemetry_proto", Some("src/service/forward.rs")),
    ("opentelemetry_sdk", Some("src/service/traces/otlp.rs")),
    ("prometheus_client", Some("src/service/metrics/")),
    ("rand", Some("src/authn/random.rs")),
    ("rustix", Some("src/store/sled/space.rs")),
    ("sled", Some("src/store/sled/")),
    ("tokio_rustls", Some("src/service/transport/")),
    ("toml_edit", Some("src/config/sources.rs")),
    ("x509_cert", Some("src/service/transport/expiry.rs")),
];

fn rust_files() -> Vec<RustFile> {
    let paths = ["src", "tests"].iter().flat_map(|folder| files_with(folder, "rs"));
    paths.map(|path| RustFile::new(&path, &read(&path))).collect()
}

/// The faults that no exception covers, and the exceptions that cover none, one a line.
fn judge(faults: &[Fault], exceptions: &[(&str, &str, &str)]) -> Vec<String> {
    let covers = |exception: &(&str, &str, &str), fault: &Fault| {
        *exception == (fault.check, fault.file.as_str(), fault.what.as_str())
    };
    let open = faults.iter().filter(|fault| !exceptions.iter().any(|e| covers(e, fault)));
    let mut lines: Vec<String> = open
        .map(|Fault { check, file, what, line }| format!("{file}:{line}: {check}: {what}"))
        .collect();
    let stale = exceptions.iter().filter(|e| !faults.iter().any(|fault| covers(e, fault)));
    lines.extend(stale.map(|e| format!("stale exception, remove it: {e:?}")));
    lines
}

fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn tidy_rust_files_keep_the_rules() {
    let files = rust_files();
    let mut faults: Vec<Fault> = files.iter().flat_map(|file| file.faults(FLOORS)).collect();
    faults.extend(files.iter().flat_map(RustFile::loose_tests));
    faults.sort();
    assert_none(&judge(&faults, EXCEPTIONS));
}

#[test]
fn tidy_floors_table_is_sound() {
    let mut faults = Vec::new();
    for (at, row) in FLOORS.iter().enumerate() {
        // A neighbour must stand on the same floor, and imports among neighbours make no cycle.
        for beside in row.beside {
            match FLOORS.iter().find(|other| other.module == *beside) {
                Some(other) if other.floor != row.floor => {
                    faults.push(format!("`{}` and `{beside}` are on two floors", row.module));
                }
                Some(other) if other.beside.contains(&row.module) => {
                    faults.push(format!("`{}` and `{beside}` import each other", row.module));
                }
                Some(_) => {}
                None => faults.push(format!("`{beside}` beside `{}` is unknown", row.module)),
            }
        }
        if FLOORS.iter().skip(at + 1).any(|other| other.floor < row.floor) {
            faults.push(format!("`{}` stands above a lower floor", row.module));
        }
        let stands = !files(&format!("src/{}", row.module)).is_empty()
            || !files(&format!("src/{}.rs", row.module)).is_empty();
        if !stands {
            faults.push(format!("`{}` is in the table but not in src", row.module));
        }
    }
    assert_none(&faults);
}

#[test]
fn tidy_architecture_prints_the_floors() {
    let text = read("ARCHITECTURE.md");
    let (_, rest) = text.split_once("<!-- floors:begin -->\n").unwrap();
    let (printed, _) = rest.split_once("<!-- floors:end -->").unwrap();
    let table = markdown(FLOORS);
    assert_eq!(printed, table, "ARCHITECTURE.md must hold this table:\n{table}");
}

#[test]
fn tidy_crates_have_one_owner() {
    assert_none(&owner_faults(&rust_files(), OWNERS, read("Cargo.toml").as_str()));
}

/// A crate used outside its owner's file, or an owner that does not use its crate.
fn owner_faults(
    files: &[RustFile],
    owners: &[(&str, Option<&str>)],
    manifest: &str,
) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, owner) in owners {
        let users: Vec<&str> =
            files.iter().filter(|file| file.uses_crate(name)).map(RustFile::path).collect();
        let strays = users.iter().any(|user| owner.is_none_or(|owner| !user.starts_with(owner)));
        if strays || owner.is_some() == users.is_empty() {
            faults.push(format!("`{name}` is owned by {owner:?} but used by {users:?}"));
        }
        let package = name.replace('_', "-");
        let is_it = |line: &str| line.starts_with(&package) || line.starts_with(name);
        if owner.is_some() && !manifest.lines().any(is_it) {
            faults.push(format!("`{name}` is not in Cargo.toml"));
        }
    }
    faults
}

#[test]
fn tidy_names_no_machine_paths() {
    let folders = [".ci", "docs", "fuzz", "packaging", "policies", "proto", "src", "tests"];
    let mut paths: Vec<String> = folders.iter().flat_map(|folder| files(folder)).collect();
    for path in ["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "README.md"] {
        paths.extend(files(path));
    }
    // Build products, should fuzzing have left some.
    paths.retain(|path| !path.starts_with("fuzz/target/") && !path.starts_with("fuzz/corpus/"));
    let mut faults = Vec::new();
    for path in paths {
        let bytes = std::fs::read(crate::support::repo::root().join(&path)).unwrap();
        faults.extend(machine_paths(&path, &String::from_utf8_lossy(&bytes)));
    }
    assert_none(&faults);
}

/// The lines that name a folder of the machine that the author happened to use.
fn machine_paths(path: &str, text: &str) -> Vec<String> {
    // Put together, so that this file does not hold them.
    let folders = ["work", "root", "tmp", "home"].map(|folder| format!("/{folder}/"));
    let is_start = |before: &str| {
        before
            .chars()
            .next_back()
            .is_none_or(|c| !(c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | '>')))
    };
    let names = |line: &str| {
        folders.iter().any(|folder| {
            line.match_indices(folder).any(|(at, _)| line.get(..at).is_some_and(is_start))
        })
    };
    let numbered = text.lines().enumerate().filter(|(_, line)| names(line));
    numbered.map(|(index, line)| format!("{path}:{}: {}", index + 1, line.trim())).collect()
}
