//! The checker can fail: bad snippets, each with the fault it must give.

use super::checks::RustFile;
use super::floors::FLOORS;
use super::{judge, machine_paths, owner_faults};

/// The faults of a snippet as `check: what`, without the missing contract line.
fn faults(path: &str, text: &str) -> Vec<String> {
    let text = format!("//! A file.\n{text}");
    let found = RustFile::new(path, &text).faults(FLOORS);
    found.into_iter().map(|fault| format!("{}: {}", fault.check, fault.what)).collect()
}

#[test]
fn tidy_finds_imports_that_point_up() {
    for (path, text, expected) in [
        ("src/lang/x.rs", "use crate::engine::decide;", "floors: lang -> engine"),
        ("src/lang/x.rs", "use crate::{lang::a, catalog::b};", "floors: lang -> catalog"),
        ("src/lang/mod.rs", "use super::engine;", "floors: lang -> engine"),
        ("src/engine/x.rs", "fn f(a: crate::store::Store) {}", "floors: engine -> store"),
        ("src/directory/x.rs", "use crate::store::Store;", "floors: directory -> store"),
        ("src/store/mod.rs", "use super::node::Node;", "floors: store -> node"),
        ("src/directory/mod.rs", "use super::store::State;", "floors: directory -> store"),
        ("src/config.rs", "use crate::cli::Args;", "floors: config -> cli"),
        ("src/extra/mod.rs", "", "floors: `extra` is not in the table"),
        ("src/lang/x.rs", "use super::super::engine;", "super::super: "),
        ("src/lang/x.rs", "use super::{super::engine};", "super::super: "),
    ] {
        assert_eq!(faults(path, text), [expected], "{path} {text}");
    }
}

#[test]
fn tidy_passes_what_is_allowed() {
    for (path, text) in [
        ("src/engine/x.rs", "use crate::lang::a; use super::b; use crate::{catalog, engine::c};"),
        ("src/engine/x.rs", "// use crate::store;\nconst A: &str = \"crate::store tokio\";"),
        ("src/engine/x.rs", "#[cfg(test)]\nmod tests { use crate::cli::X; use std::fs; }"),
        ("src/engine/tests.rs", "use std::fs;"),
        ("src/main.rs", "use camgate::cli; fn main() {}"),
        ("src/lang/x.rs", "pub(crate) fn f() {}"),
        ("src/service/status.rs", "fn f() { Status::new(a) }"),
        ("src/config.rs", "fn f() { std::env::var(a) }"),
    ] {
        assert_eq!(faults(path, text), Vec::<String>::new(), "{path} {text}");
    }
}

#[test]
fn tidy_finds_impure_floors() {
    for (text, expected) in [
        ("async fn f() {}", "pure floors: async"),
        ("use std::fs::File;", "pure floors: std::fs"),
        ("fn f() { Timestamp::now() }", "pure floors: Timestamp::now"),
        ("fn f() { SystemTime::now() }", "pure floors: SystemTime::now"),
        ("use tracing::info;", "pure floors: tracing"),
    ] {
        assert_eq!(faults("src/engine/x.rs", text), [expected], "{text}");
    }
}

#[test]
fn tidy_finds_bad_shapes() {
    let long_function = format!("fn f() {{\n{}}}", "    a();\n".repeat(69));
    assert_eq!(faults("src/lang/x.rs", &long_function), ["function length: f"]);
    let long_file = "// a\n".repeat(800);
    assert_eq!(faults("src/lang/x.rs", &long_file), ["file length: 801 lines"]);
    let wide = format!("// {}", "中".repeat(98));
    assert_eq!(faults("src/lang/x.rs", &wide), ["line length: 101 columns"]);
    let data = format!("let a = \"{}\";", "a".repeat(98));
    assert_eq!(faults("src/lang/x.rs", &data), ["line length: 109 columns"]);
    assert_eq!(faults("tests/it/x.rs", &data), Vec::<String>::new());
    assert_eq!(faults("tests/it/x.rs", &wide), ["line length: 101 columns"]);
    assert_eq!(RustFile::new("src/lang/x.rs", "use a;").faults(FLOORS).len(), 1);
    assert_eq!(RustFile::new("src/lang/x.rs", "//! A\nmod tests;").loose_tests().len(), 1);
}

#[test]
fn tidy_finds_statuses_settings_and_bad_tests() {
    for (path, text, expected) in [
        ("src/service/x.rs", "fn f() { tonic::Status::new(a) }", "one status table: Status::new"),
        ("src/node/x.rs", "fn f() { Status::internal(a) }", "one status table: Status::internal"),
        ("src/cli/x.rs", "fn f() { std::env::var(a) }", "one reader of settings: env::var"),
        ("tests/it/x.rs", "#[test]\n#[ignore]\nfn f() {}", "ignored test: "),
        ("tests/it/x.rs", "#[ignore = \"slow\"]\nfn f() {}", "ignored test: "),
        ("tests/it/x.rs", "fn f() { std::thread::sleep(a) }", "sleep in a test: "),
        (
            "src/node/x.rs",
            "#[cfg(test)]\nmod tests { fn f() { tokio::time::sleep(a) } }",
            "sleep in a test: ",
        ),
    ] {
        assert_eq!(faults(path, text), [expected], "{path} {text}");
    }
}

#[test]
fn tidy_finds_crates_outside_their_owner() {
    let file = |path: &str, text: &str| RustFile::new(path, text);
    let owner = [("sled", Some("src/store/sled.rs"))];
    let good = [
        file("src/store/sled.rs", "use sled::Db;"),
        file("src/store/mod.rs", "mod sled; pub use self::sled::Engine;"),
    ];
    assert!(owner_faults(&good, &owner, "sled = \"0.34\"").is_empty());
    assert_eq!(owner_faults(&good, &owner, "").len(), 1);
    let folder = [("sled", Some("src/store/sled/"))];
    let inside = [file("src/store/sled/open.rs", "fn f(db: ::sled::Db) {}")];
    assert!(owner_faults(&inside, &folder, "sled").is_empty());
    assert_eq!(owner_faults(&inside, &[("sled", None)], "sled").len(), 1);
    let stray = [file("src/store/sled.rs", ""), file("src/node/mod.rs", "use sled as db;")];
    assert_eq!(owner_faults(&stray, &owner, "sled").len(), 1);
    assert_eq!(owner_faults(&good, &[("sled", None)], "sled").len(), 1);
    assert_eq!(owner_faults(&[], &owner, "sled").len(), 1);
}

#[test]
fn tidy_finds_machine_paths_and_stale_exceptions() {
    let bad = format!("see /{}/x\nsee src/{0}/x\n", "work");
    assert_eq!(machine_paths("a.md", &bad).len(), 1);
    assert_eq!(judge(&[], &[("floors", "src/lang/x.rs", "lang -> engine")]).len(), 1);
    let found = RustFile::new("src/lang/x.rs", "//! A\nuse crate::engine;").faults(FLOORS);
    assert_eq!(judge(&found, &[]).len(), 1);
    assert!(judge(&found, &[("floors", "src/lang/x.rs", "lang -> engine")]).is_empty());
}
