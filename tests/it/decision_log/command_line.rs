//! `camgate audit` over a decision log that a real server wrote.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::command::{Ran, Served, command, offline};

const APP: &str = "qcs::im::uin/12345678:sdkappid/1400000001";
const POLICY: &str = r#"{"version": "2.0", "statement": [
    {"effect": "allow", "action": "im:Describe*", "resource": "*"},
    {"effect": "allow", "action": "im:ListApps", "resource": "*"}]}"#;
/// As `POLICY`, with a deny.
const CANDIDATE: &str = r#"{"version": "2.0", "statement": [
    {"effect": "allow", "action": "im:Describe*", "resource": "*"},
    {"effect": "deny", "action": "im:DescribeConfInfo", "resource": "*"}]}"#;

/// A server with a log, an account with alice and her policy `团队`.
fn start(folder: &Path) -> Served {
    fs::write(folder.join("camgate.toml"), "[decision_log]\nfile = \"decisions.jsonl\"\n").unwrap();
    fs::write(folder.join("team.json"), POLICY).unwrap();
    let server = Served::start(folder, &["--dev", "--config", "camgate.toml", "--store", "memory"]);
    for args in [
        &["user", "create", "alice"][..],
        &["policy", "create", "团队", "team.json"],
        &["policy", "attach", "团队", "--user", "alice"],
    ] {
        let ran = server.run(folder, args);
        assert_eq!(ran.status, 0, "{ran:?}");
    }
    server
}

fn check(server: &Served, folder: &Path, who: &str, action: &str) -> Ran {
    server.run(folder, &["check", "--principal", who, "--action", action, "--resource", APP])
}

fn ask(server: &Served, folder: &Path) {
    assert_eq!(check(server, folder, "alice", "im:DescribeConfInfo").status, 0);
    assert_eq!(check(server, folder, "alice", "im:DestroyGroup").status, 1);
    assert_eq!(check(server, folder, "root", "im:DestroyGroup").status, 0);
}

fn json(server: &Served, folder: &Path, args: &[&str]) -> (i32, Value) {
    let ran = server.run(folder, &[&["--output", "json", "audit"], args].concat());
    (ran.status, ran.json())
}

#[test]
fn a_log_is_verified_searched_and_replayed() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let server = start(folder);
    ask(&server, folder);
    let audit = |args: &[&str]| json(&server, folder, args);

    let (status, verified) = audit(&["verify", "decisions.jsonl"]);
    assert_eq!(
        (status, &verified["is_whole"], &verified["decisions"]),
        (0, &true.into(), &3.into())
    );
    for (args, found) in [
        (&[][..], 3),
        (&["--outcome", "deny"], 1),
        (&["--action", "im:Describe*"], 1),
        (&["--principal", "12345678"], 1),
        (&["--resource", "1400000001", "--outcome", "ALLOW"], 2),
        (&["--resource", "1400000002"], 0),
        (&["--owner", "1"], 0),
        (&["--until", "2026-01-01T00:00:00Z"], 0),
        (&["--since", "2026-01-01T00:00:00Z", "--limit", "2"], 2),
    ] {
        let (status, answer) = audit(&[&["query", "decisions.jsonl"], args].concat());
        assert_eq!(status, 0);
        assert_eq!(answer["decisions"].as_array().unwrap().len(), found, "{args:?}: {answer}");
    }
    let id = audit(&["query", "decisions.jsonl"]).1["decisions"][1]["id"].clone();
    let one = audit(&["query", "decisions.jsonl", "--id", id.as_str().unwrap()]).1;
    assert_eq!(one["decisions"][0]["action"], "im:DestroyGroup");

    let (status, same) = audit(&["replay", "decisions.jsonl"]);
    assert_eq!((status, &same["same"], &same["flips"]), (0, &3.into(), &0.into()), "{same}");

    // A candidate with a deny flips one decision, which is shown with the statement that does it.
    fs::create_dir(folder.join("candidate")).unwrap();
    fs::write(folder.join("candidate/团队.json"), CANDIDATE).unwrap();
    let (status, flipped) = audit(&["replay", "decisions.jsonl", "--policies", "candidate"]);
    assert_eq!((status, &flipped["same"], &flipped["flips"]), (1, &2.into(), &1.into()));
    let shown = &flipped["shown"][0];
    assert_eq!(shown["record"]["outcome"], "ALLOW");
    assert_eq!(shown["now"]["outcome"], "DENY");
    assert_eq!(shown["now"]["reason"], "explicit_deny:identity");
    assert_eq!(shown["now"]["by"][0], "团队#1");
    let only = ["replay", "decisions.jsonl", "--policies", "candidate", "--outcome", "deny"];
    assert_eq!(audit(&only).0, 0);
    fs::write(folder.join("candidate/团队.json"), "{}").unwrap();
    let wrong =
        server.run(folder, &["audit", "replay", "decisions.jsonl", "--policies", "candidate"]);
    assert_eq!(wrong.status, 2, "{wrong:?}");
    assert!(wrong.err.contains("candidate for policy `团队`"), "{wrong:?}");

    // Over a backup it is decided as it was then.
    assert_eq!(server.run(folder, &["export", "then.archive"]).status, 0);
    assert_eq!(server.run(folder, &["policy", "detach", "团队", "--user", "alice"]).status, 0);
    let (status, now) = audit(&["replay", "decisions.jsonl"]);
    assert_eq!((status, &now["flips"]), (1, &1.into()), "{now}");
    let (status, then) = audit(&["replay", "decisions.jsonl", "--backup", "then.archive"]);
    assert_eq!((status, &then["flips"]), (0, &0.into()), "{then}");
}

#[test]
fn what_cannot_be_told_is_not_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let config = "[decision_log]\nfile = \"decisions.jsonl\"\nmask = [\"resource\"]\n";
    fs::write(folder.join("camgate.toml"), config).unwrap();
    let server = Served::start(folder, &["--dev", "--config", "camgate.toml", "--store", "memory"]);
    assert_eq!(check(&server, folder, "root", "im:DestroyGroup").status, 0);
    let masked = server.run(folder, &["audit", "replay", "decisions.jsonl"]);
    assert_eq!(masked.status, 3, "{masked:?}");
    assert!(masked.out.contains("1: the record's resource is masked"), "{masked:?}");
    let none = offline(folder, &["audit", "verify", "nowhere.jsonl"]);
    assert_eq!(none.status, 3, "{none:?}");
    assert!(none.err.contains("there is no decision log `nowhere.jsonl`"), "{none:?}");
}

#[test]
fn a_server_does_not_start_without_its_log() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let start = |config: &str| {
        fs::write(folder.join("camgate.toml"), config).unwrap();
        let at = ["--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--store", "memory"];
        offline(folder, &[&["serve", "--config", "camgate.toml"][..], &at].concat())
    };
    fs::write(folder.join("notes.txt"), "not a log\n").unwrap();
    for (config, status, told) in [
        ("[decision_log]\nfile = \"notes.txt\"\n", 3, "ends with something else"),
        ("[decision_log]\nfile = \"no/where.jsonl\"\n", 3, "no/where.jsonl"),
        ("[decision_log]\nmask = [\"context\"]\n", 2, "has no `file`"),
        ("[decision_log]\nfile = \"x\"\nmask = [\"secret\"]\n", 2, "has `secret`, expected"),
        ("[decision_log]\nfile = \"x\"\nleave_out = [{}]\n", 2, "would leave out everything"),
        ("[decision_log]\nfile = \"x\"\nwait_ms_max = 1\n", 2, "expected 10 to 60000"),
        ("[decision_log]\nfile = \"x\"\nleave_out = [{reason = \"why\"}]\n", 2, "`root`"),
        ("[referee]\nshare = 2.0\n", 2, "expected 0 to 1"),
    ] {
        let ran = start(config);
        assert_eq!(ran.status, status, "{config}: {ran:?}");
        assert!(ran.err.contains(told), "{config}: {ran:?}");
    }
    assert_eq!(fs::read_to_string(folder.join("notes.txt")).unwrap(), "not a log\n");
}

#[test]
fn a_changed_log_is_told_with_file_line_and_record() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let server = start(folder);
    ask(&server, folder);
    drop(server);
    let file = folder.join("decisions.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("\"outcome\":\"DENY\"", "\"outcome\":\"ALLOW\"", 1)).unwrap();
    let found = offline(folder, &["audit", "verify", "decisions.jsonl"]);
    assert_eq!(found.status, 1, "{found:?}");
    assert!(found.out.contains("record 3 was altered"), "{found:?}");
    let searched = offline(folder, &["audit", "query", "decisions.jsonl"]);
    assert_eq!(searched.status, 1, "{searched:?}");
    assert!(searched.out.contains("lines of the log have faults"), "{searched:?}");
}

#[test]
fn new_decisions_are_shown_as_they_come() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let server = start(folder);
    ask(&server, folder);
    let tail = offline(folder, &["audit", "tail", "decisions.jsonl", "-n", "2"]);
    let lines: Vec<&str> = tail.out.lines().collect();
    assert_eq!(lines.len(), 2, "{tail:?}");
    assert!(lines[0].contains(" DENY ") && lines[0].contains("im:DestroyGroup"), "{tail:?}");
    let args = ["audit", "tail", "decisions.jsonl", "-n", "1", "--follow", "--count", "3"];
    let mut follow = command(folder, &args).stdout(Stdio::piped()).spawn().unwrap();
    let mut shown = BufReader::new(follow.stdout.take().unwrap()).lines();
    // The first one is there already; so the others come while it follows.
    assert!(shown.next().unwrap().unwrap().contains("12345678 im:DestroyGroup"));
    assert_eq!(check(&server, folder, "alice", "im:DescribeConfInfo").status, 0);
    assert!(shown.next().unwrap().unwrap().contains(" ALLOW "));
    assert_eq!(check(&server, folder, "alice", "im:GetAppDetail").status, 1);
    assert!(shown.next().unwrap().unwrap().contains("im:GetAppDetail"));
    assert!(follow.wait().unwrap().success());
}
