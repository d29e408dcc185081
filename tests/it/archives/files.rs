//! `export` and `import` on the command line: files, refusals, and a backup of a server at work.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::command::{Ran, Served, offline};

fn digest(ran: &Ran) -> String {
    assert_eq!(ran.status, 0, "{ran:?}");
    ran.json()["digest"].as_str().unwrap().to_owned()
}

#[test]
fn a_store_goes_through_a_file_and_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let server = Served::start(folder, &["--dev"]);
    for name in ["alice", "张三"] {
        assert_eq!(server.run(folder, &["user", "create", name]).status, 0);
    }
    let json = ["--output", "json"];
    let online = server.run(folder, &[&["export", "online"], &json[..]].concat());
    let from = online.json()["from"].clone();
    assert_eq!(from["engine"], "sled", "{online:?}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(folder.join("online")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "secrets, sealed as they are, are the owner's");
    }
    // The store is the server's: nobody else opens it meanwhile.
    let store = ["--store", "sled:camgate-data"];
    let taken = offline(folder, &[&["export", "taken"], &store[..]].concat());
    assert_eq!(taken.status, 3, "{taken:?}");
    assert!(taken.err.contains("without `--store`"), "{taken:?}");
    assert!(!folder.join("taken.partial").exists(), "nothing is left behind");
    assert_eq!(server.terminate(), Some(0));
    let of_store = offline(folder, &[&["export", "offline"], &store[..], &json[..]].concat());
    assert_eq!(digest(&of_store), digest(&online));
    let into = ["--store", "sled:copy"];
    let imported = offline(folder, &[&["import", "online"], &into[..], &json[..]].concat());
    assert_eq!(digest(&imported), digest(&online));
    assert_eq!(imported.json()["from"], from);
    assert!(imported.json()["master_key_id"].is_string(), "{imported:?}");
    let again = offline(folder, &[&["export", "again"], &into[..], &json[..]].concat());
    assert_eq!(digest(&again), digest(&online));
    // The copy is a store of its own: served, it has the accounts, the users and another id.
    let key = ["--master-key-file", "camgate-data/master.key"];
    let server = Served::start(folder, &[&into[..], &key[..]].concat());
    let users = server.run(folder, &["user", "list", "--account", "12345678"]);
    assert!(users.out.contains("张三") && users.out.contains("alice"), "{users:?}");
    let of_copy = server.run(folder, &[&["export", "copy.archive"], &json[..]].concat());
    assert_ne!(of_copy.json()["from"]["store_id"], from["store_id"]);
    assert_eq!(digest(&of_copy), digest(&online), "and nothing in it has changed");
}

#[test]
fn what_cannot_be_done_is_said_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let server = Served::start(folder, &["--dev"]);
    assert_eq!(server.run(folder, &["export", "whole"]).status, 0);
    let mut damaged = fs::read(folder.join("whole")).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(folder.join("damaged"), damaged).unwrap();
    fs::write(folder.join("short"), &fs::read(folder.join("whole")).unwrap()[..middle]).unwrap();
    fs::write(folder.join("other.json"), "{\"version\": \"2.0\"}").unwrap();
    fs::create_dir(folder.join("dir")).unwrap();
    for (args, status, part) in [
        (&["export", "whole"][..], 2, "exists already"),
        (&["export", "dir"], 2, "camgate pull"),
        (&["export", "none/at/all"], 3, "cannot write `none/at/all"),
        (&["export", "f", "--store", "memory"], 2, "keeps nothing"),
        (&["export", "f", "--store", "sled:nowhere"], 2, "no store in `nowhere`"),
        (&["import", "whole"], 2, "--store"),
        (&["import", "whole", "--store", "memory"], 2, "keeps nothing"),
        (&["import", "nothing", "--check"], 3, "cannot read `nothing`"),
        (&["import", "damaged", "--store", "sled:new"], 3, "damaged"),
        (&["import", "short", "--store", "sled:new"], 3, "not complete"),
        (&["import", "other.json", "--store", "sled:new"], 3, "no archive of camgate"),
        (&["import", "whole", "--store", "sled:camgate-data"], 3, "in use"),
    ] {
        let ran = server.run(folder, args);
        assert_eq!(ran.status, status, "{args:?}: {ran:?}");
        assert!(ran.err.contains(part), "{args:?}: {ran:?}");
    }
    assert!(!folder.join("new").exists(), "an archive is read to its end before a store is made");
    let checked = server.run(folder, &["import", "whole", "--check"]);
    assert!(checked.status == 0 && checked.out.contains("the archive is whole"), "{checked:?}");
    let first = offline(folder, &["import", "whole", "--store", "sled:new"]);
    assert_eq!(first.status, 0, "{first:?}");
    let second = offline(folder, &["import", "whole", "--store", "sled:new"]);
    assert_eq!(second.status, 2, "{second:?}");
    assert!(second.err.contains("not empty"), "{second:?}");
}

#[test]
fn a_backup_of_a_server_at_work_is_of_one_moment() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let server = Served::start(folder, &["--dev"]);
    let is_done = AtomicBool::new(false);
    let mut digests = Vec::new();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut made = 0;
            while !is_done.load(Ordering::Relaxed) {
                let name = format!("user-{made}");
                assert_eq!(server.run(folder, &["user", "create", &name]).status, 0);
                made += 1;
            }
            made
        });
        for round in 0..5 {
            let file = format!("backup-{round}");
            let ran = server.run(folder, &["export", &file, "--output", "json"]);
            digests.push((file, digest(&ran)));
        }
        is_done.store(true, Ordering::Relaxed);
        assert!(writer.join().unwrap() > 0, "nothing was written meanwhile");
    });
    // Each backup is a store that a server takes, with an account whose log has no gap.
    for (file, digest_of_file) in digests {
        let store = format!("sled:{file}-store");
        let json = ["--output", "json"];
        let ran = offline(folder, &[&["import", &file, "--store", &store], &json[..]].concat());
        assert_eq!(digest(&ran), digest_of_file);
        let key = ["--master-key-file", "camgate-data/master.key"];
        let copy = Served::start(folder, &[&["--store", &store], &key[..]].concat());
        let plan = copy.run(folder, &["pull", &format!("{file}-account")]);
        assert_eq!(plan.status, 0, "{plan:?}");
    }
}
