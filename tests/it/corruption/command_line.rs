//! `camgate audit`: a server's logs followed and searched, a store's verified, damage named.

use std::fs;
use std::path::Path;

use camgate::store::{Commit, SledStore, Store as _};
use tokio::runtime::Runtime;

use crate::command::{Served, offline};

const STORE: [&str; 2] = ["--store", "sled:store"];

/// Changes the store behind the program's back.
fn change(folder: &Path, change: impl AsyncFnOnce(&SledStore)) {
    Runtime::new().unwrap().block_on(async {
        let store = SledStore::open(folder.join("store")).await.unwrap();
        change(&store).await;
    });
}

#[test]
fn logs_are_followed_searched_and_verified() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let server = Served::start(folder, &["--dev", "--store", "sled:store"]);
    let run = |args: &[&str]| server.run(folder, args);
    for name in ["alice", "bob"] {
        assert_eq!(run(&["user", "create", name]).status, 0);
    }
    let caller = ["caller", "create", "gateway", "--check", "all"];
    assert_eq!(run(&caller).status, 0);
    assert_eq!(run(&["caller", "update", "gateway", "--operate"]).status, 0);
    let json = ["--output", "json"];
    let query = |args: &[&str]| {
        let found = run(&[&["audit", "query"], args, &json].concat());
        assert_eq!(found.status, 0, "{found:?}");
        found.json()["changes"].as_array().unwrap().clone()
    };
    assert_eq!(query(&["--operation", "CreateSubAccount"]).len(), 2);
    assert_eq!(query(&["--operation", "CreateSubAccount", "--limit", "1"]).len(), 1);
    assert_eq!(query(&["--principal", "nobody"]), Vec::<serde_json::Value>::new());
    assert_eq!(query(&["--record", "/s/", "--until", "2020-01-01T00:00:00Z"]).len(), 0);
    // Granting a service caller a right leaves a trace.
    let granted = query(&["--operator", "--operation", "UpdateCaller"]);
    assert_eq!(granted.len(), 1);
    assert_eq!(granted[0]["records"][0]["key"], "l/gateway");
    assert_ne!(granted[0]["records"][0]["before"], granted[0]["records"][0]["after"]);
    // What is there, then what comes.
    let tail = run(&["audit", "tail", "--operator", "--lines", "1"]);
    assert!(tail.out.contains("UpdateCaller") && tail.out.contains("l/gateway"), "{tail:?}");
    let follow = ["audit", "tail", "--follow", "--lines", "1", "--count", "2"];
    std::thread::scope(|threads| {
        let followed = threads.spawn(|| run(&[&follow[..], &json].concat()));
        let mut number = 0;
        while !followed.is_finished() {
            number += 1;
            assert_eq!(run(&["group", "create", &format!("g{number}")]).status, 0);
        }
        let followed = followed.join().unwrap();
        assert_eq!((followed.status, followed.out.lines().count()), (0, 2), "{followed:?}");
    });
    let whole = run(&["audit", "verify"]);
    assert_eq!(whole.status, 0, "{whole:?}");
    assert!(whole.out.starts_with("all is whole: 1 accounts"), "{whole:?}");
    assert_eq!(run(&["audit", "verify", "--owner", "12345678"]).status, 0);
    assert_eq!(run(&["audit", "verify", "--owner", "1"]).status, 2);
    // The server has it open: nobody else can tell.
    assert_eq!(offline(folder, &[&["audit", "verify"][..], &STORE].concat()).status, 3);
}

#[test]
fn what_is_wrong_with_a_store_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let server = Served::start(folder, &["--dev", "--store", "sled:store"]);
    assert_eq!(server.run(folder, &["user", "create", "alice"]).status, 0);
    drop(server);
    let verify = || {
        let found = offline(folder, &["audit", "verify", "--store", "sled:store"]);
        (found.status, found.out)
    };
    assert_eq!(verify().0, 0);
    let owner = "00000000000012345678";
    let app = format!("a/{owner}/x/00000000001400000000");
    change(folder, async |store: &SledStore| {
        store.commit(Commit::new().delete(app.as_bytes())).await.unwrap();
    });
    let (status, out) = verify();
    assert_eq!(status, 1, "{out}");
    assert!(out.contains(&app) && out.contains("it is missing"), "{out}");
    let entry = |number: u64| format!("c/{owner}/{number:020}");
    let mut third = Vec::new();
    change(folder, async |store: &SledStore| {
        third = store.read(entry(3).as_bytes()).await.unwrap().0.unwrap().value;
        let commit = Commit::new().delete(entry(2)).put(entry(3), &third[..third.len() - 1]);
        store.commit(commit).await.unwrap();
    });
    let (status, out) = verify();
    assert_eq!(status, 1, "{out}");
    let problem_of = |key: &str| {
        let line = out.lines().find(|line| line.contains(key)).unwrap_or_default();
        line.split(key).nth(1).unwrap_or_default().trim().to_owned()
    };
    assert_eq!(problem_of(&entry(2)), "it is missing", "{out}");
    assert!(problem_of(&entry(3)).starts_with("it cannot be read"), "{out}");
    assert!(out.contains("faults in 1 accounts"), "{out}");
    assert_eq!(offline(folder, &["audit", "verify", "--store", "sled:nowhere"]).status, 2);
    fs::remove_file(folder.join("store/acknowledged")).unwrap();
    assert_eq!(verify().0, 3);
}
