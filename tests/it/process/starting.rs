//! Each way in which a start fails: a message that names the thing, and its exit status.
//!
//! 2: the settings, or a file that they name, are wrong. 3: something else is in the way.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use camgate::store::{Commit, SledStore, Store as _};

use crate::command::{Ran, Served, command, offline, ran};

/// Addresses that nobody else has.
const FREE: [&str; 4] = ["--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"];

/// A start that must fail.
fn start(folder: &Path, args: &[&str]) -> Ran {
    end_of(command(folder, &[&["serve"], args].concat()))
}

/// How a server ends that must not become ready.
fn end_of(mut program: Command) -> Ran {
    let mut child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut err = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if line == "ready" {
            child.kill().unwrap();
            panic!("it started: {program:?}: {err}");
        }
        err.push_str(&line);
        err.push('\n');
    }
    Ran { err, ..ran(child.wait_with_output().unwrap()) }
}

/// With such a status, a message on the standard error only, and all parts in it.
fn fails(what: &str, refused: &Ran, status: i32, parts: &[&str]) {
    assert_eq!(refused.status, status, "{what}: {refused:?}");
    assert!(refused.out.is_empty(), "{what}: {refused:?}");
    let line = refused.err.lines().last().unwrap_or_default();
    assert!(line.starts_with("error: "), "{what}: {refused:?}");
    for part in parts {
        assert!(line.contains(part), "{what}: no `{part}`: {refused:?}");
    }
}

#[test]
fn a_taken_port_is_named_with_its_setting() {
    let directory = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for key in ["grpc", "http"] {
        let flag = format!("--{key}");
        let mut args = FREE.to_vec();
        args.extend(["--store", "memory"]);
        let at = args.iter().position(|arg| *arg == flag).unwrap();
        args[at + 1] = &address;
        let refused = start(directory.path(), &args);
        let advice = format!("another program listens there: end it, or set another `{key}`");
        fails(key, &refused, 3, &[&format!("cannot listen on `{address}`"), &advice]);
    }
    // No address of this machine: set aside for documents.
    let elsewhere = ["--grpc", "192.0.2.1:7401", "--insecure", "--http", "127.0.0.1:0"];
    let refused = start(directory.path(), &[&elsewhere[..], &["--store", "memory"]].concat());
    fails("elsewhere", &refused, 3, &["`192.0.2.1:7401`", "this machine has no such address"]);
}

#[test]
fn a_data_folder_that_cannot_be_used_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let running = Served::start(folder, &["--store", "sled:taken"]);
    let refused = start(folder, &[&FREE[..], &["--store", "sled:taken"]].concat());
    fails("taken", &refused, 3, &["another process has `taken` open: stop that process"]);
    drop(running);
    fs::write(folder.join("file"), "").unwrap();
    for store in ["file", "file/data"] {
        let refused = start(folder, &[&FREE[..], &["--store", &format!("sled:{store}")]].concat());
        fails(
            store,
            &refused,
            3,
            &[&format!("`{store}` cannot be written"), "make it a directory"],
        );
    }
    fs::create_dir(folder.join("other")).unwrap();
    fs::write(folder.join("other/conf"), "no store of anybody").unwrap();
    let refused = start(folder, &[&FREE[..], &["--store", "sled:other"]].concat());
    fails("other", &refused, 3, &["`other`"]);
}

#[test]
fn wrong_settings_are_named_with_their_place() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    for (toml, parts) in [
        (
            "grpc = \"127.0.0.1:0\"\nhttp = ",
            &["`camgate.toml` line 2, column 8: no valid TOML"][..],
        ),
        ("dev = true\ndev = true", &["`camgate.toml` line 2", "duplicate key"]),
        ("\n\npolices = []", &["`camgate.toml` line 3: ", "`polices`; did you mean `policies`?"]),
        ("[log]\nlevel = \"x\"", &["`camgate.toml` line 2: ", "`log.level`, expected one of"]),
        (
            "dev = \"yes\"",
            &["`camgate.toml` line 1: `dev` is the text \"yes\", expected `true` or"],
        ),
        (
            "# 设置\nhttp = 7400",
            &["`camgate.toml` line 2: `http` is the number `7400`, expected a text"],
        ),
        ("grpc = \"here\"", &["`camgate.toml` line 1: `grpc` is `here`, expected an address"]),
        ("[log]\nfilter = \"camgate=loud\"", &["`camgate.toml` line 2: `log.filter` is"]),
        ("[gate]\ndeadline_ms = 0", &["`camgate.toml` line 2: `gate.deadline_ms` is 0"]),
        ("[tracing]\nsample_ratio = 2", &["`camgate.toml` line 2: `tracing.sample_ratio` is `2`"]),
        ("[tracing]\notlp_endpoint = \"x:4317\"", &["line 2: `tracing.otlp_endpoint` is `x:4317`"]),
        (
            "[decision_log]\nfile = \"d\"\notlp_endpoint = \"x:4317\"",
            &["line 3: `decision_log.otlp_endpoint` is `x:4317`"],
        ),
        (
            "[decision_log]\notlp_endpoint = \"http://127.0.0.1:4317\"",
            &["`[decision_log]` says what is logged, and has no `file`"],
        ),
        (
            "[tracing]\notlp_endpoint = \"https://x\"",
            &["`tracing.otlp_endpoint` is `https://x`, and `tracing.ca_file` is not set"],
        ),
        ("[quotas]\napp_max = 1", &["`camgate.toml` line 2: unknown setting `quotas.app_max`"]),
        ("[tls]\nkey_file = \"k\"", &["`camgate.toml` line 2: set both `tls.certificate_file`"]),
    ] {
        fs::write(folder.join("camgate.toml"), toml).unwrap();
        fails(toml, &start(folder, &["--config", "camgate.toml"]), 2, parts);
    }
    fs::write(folder.join("bytes.toml"), [0xff]).unwrap();
    for (file, part) in [("none.toml", "No such file"), ("bytes.toml", "UTF-8")] {
        let refused = start(folder, &["--config", file]);
        fails(file, &refused, 2, &[&format!("cannot read the configuration `{file}`"), part]);
    }
    for (name, value, parts) in [
        ("CAMGATE_GRPC", "here", &["CAMGATE_GRPC: `grpc` is `here`, expected an address"][..]),
        ("CAMGATE_GRCP", "127.0.0.1:0", &["CAMGATE_GRCP: unknown setting `grcp`", "`grpc`?"]),
        ("CAMGATE_DEV", "yes", &["CAMGATE_DEV: `dev` is the text \"yes\", expected `true` or"]),
        ("CAMGATE_LOG__FORMAT", "xml", &["CAMGATE_LOG__FORMAT: ", "`xml`", "`text`, `json`"]),
        ("CAMGATE_MASTER_KEY", "x", &["CAMGATE_MASTER_KEY cannot be used"]),
    ] {
        let mut program = command(folder, &["serve", "--store", "memory"]);
        program.env(name, value);
        fails(name, &end_of(program), 2, parts);
    }
    let refused = start(folder, &["--memory-budget", "much", "--store", "memory"]);
    fails("flag", &refused, 2, &["--memory-budget: `memory_budget` is `much`, expected"]);
}

#[test]
fn files_that_the_settings_name_and_cannot_be_used_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    fs::write(folder.join("broken.json"), "{").unwrap();
    fs::write(folder.join("key"), "no key").unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(folder.join("key"), fs::Permissions::from_mode(0o600)).unwrap();
    }
    for (args, parts) in [
        (["--catalog", "none.json"], &["cannot read `none.json`: No such file"][..]),
        (["--catalog", "broken.json"], &["cannot use the catalog `broken.json`: "]),
        (["--policies", "none.json"], &["`policies` names `none.json`, and there is no such file"]),
        (["--policies", "a/***"], &["`policies`: `a/***` is no path pattern"]),
        (["--master-key-file", "none"], &["`none`", "No such file"]),
        (["--master-key-file", "key"], &["`key`", "`camgate master-key new FILE` makes one"]),
    ] {
        let refused = start(folder, &[&FREE[..], &["--store", "memory"], &args[..]].concat());
        fails(args[1], &refused, 2, parts);
    }
}

/// Presets are followed as their files change, so a broken one is said and holds up nobody.
#[test]
fn a_broken_policy_file_is_named_when_it_starts() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    fs::write(folder.join("Broken.json"), "{").unwrap();
    let served = Served::start(folder, &["--store", "memory", "--policies", "*.json"]);
    let is_said = |line: &String| line.starts_with("mind: operator preset Broken: ");
    assert!(served.said.iter().any(is_said), "{:?}", served.said);
}

#[test]
fn an_unreadable_record_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let args = ["--policies", "*.json"];
    let document = r#"{"version":"2.0","statement":[{"effect":"allow","action":"im:DescribeConfInfo",
        "resource":"*"}]}"#;
    fs::write(folder.join("Own.json"), document).unwrap();
    assert_eq!(Served::start(folder, &[&["--dev"], &args[..]].concat()).terminate(), Some(0));
    for key in ["n/keyring", "n/store-id", "o!", "o/Own"] {
        let good = replace(folder, key, b"\xffrotten");
        let refused = start(folder, &[&["--dev"], &FREE[..], &args[..]].concat());
        fails(key, &refused, 3, &[&format!("`{key}`")]);
        replace(folder, key, &good);
    }
    // Of one account: the node serves the others; who asks about this one gets no answer, and the
    // log names the record.
    let key = "a/00000000000012345678/h";
    replace(folder, key, b"\xffrotten");
    let master_key = ["--master-key-file", "camgate-data/master.key"];
    let served = Served::start(folder, &[&master_key[..], &args[..]].concat());
    let question = ["--principal", "root", "--action", "im:DescribeConfInfo", "--resource", "*"];
    let asked = served.run(folder, &[&["check", "--account", "12345678"], &question[..]].concat());
    assert!(asked.status == 3 && asked.err.contains("DATA_LOSS"), "{asked:?}");
    served.signal();
    let (status, said) = served.wait();
    assert!(said.iter().any(|line| line.contains(&format!("`{key}`"))), "{said:?}");
    assert_eq!(status, Some(0));
}

/// Puts other bytes under a key of the store, as a disk might; gives those that were there.
fn replace(folder: &Path, key: &str, value: &[u8]) -> Vec<u8> {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let store = SledStore::open(folder.join("camgate-data")).await.unwrap();
        let (entries, _) = store.read_prefix(b"").await.unwrap();
        let keys: Vec<_> =
            entries.iter().map(|it| String::from_utf8_lossy(&it.key).into_owned()).collect();
        let at = keys.iter().position(|it| it == key).unwrap_or_else(|| panic!("{key}: {keys:?}"));
        store.commit(Commit::new().put(key, value)).await.unwrap();
        entries[at].value.to_vec()
    })
}

#[test]
fn the_wrong_master_key_is_named_and_so_is_the_right_one() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let new_key = |file: &str| {
        let made = offline(folder, &["--output", "json", "master-key", "new", file]);
        made.json()["master_key_id"].as_str().unwrap().to_owned()
    };
    let (right, wrong) = (new_key("right"), new_key("wrong"));
    let with = |file: &'static str| ["--master-key-file", file];
    let served = Served::start(folder, &[&["--dev"], &with("right")[..]].concat());
    assert_eq!(served.terminate(), Some(0));
    let refused = start(folder, &[&FREE[..], &with("wrong")].concat());
    fails("wrong", &refused, 2, &[&format!("`{right}`"), &format!("`{wrong}`"), "right file"]);
    fails("none", &start(folder, &FREE), 2, &["sealed under a master key", "`--master-key-file`"]);
    let mut both = command(folder, &[&["serve"], &FREE[..], &with("right")].concat());
    both.env("CAMGATE_MASTER_KEY", fs::read_to_string(folder.join("right")).unwrap().trim());
    fails("both", &end_of(both), 2, &["by file and by CAMGATE_MASTER_KEY"]);
    assert_eq!(Served::start(folder, &with("right")).terminate(), Some(0));
}

#[cfg(feature = "etcd")]
#[test]
fn a_cluster_that_does_not_answer_is_named() {
    let directory = tempfile::tempdir().unwrap();
    // Bound and never accepted from, so nobody else gets it meanwhile.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let member = format!("http://{}", silent.local_addr().unwrap());
    let refused =
        start(directory.path(), &[&FREE[..], &["--store", &format!("etcd:{member}")]].concat());
    fails("etcd", &refused, 3, &["the store is unavailable", &member]);
}
