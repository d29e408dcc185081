//! Damage to the files of sled: the store is refused, or shows exactly what was there.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use camgate::store::SledStore;
use tempfile::TempDir;

use super::compare;
use super::fixture::{answers, fill, start};

/// Damages the files in a directory.
type Damage = fn(&Path);

fn log(dir: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let path = dir.join("db");
    let mut bytes = fs::read(&path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// A place in the written part, so many eighths from its beginning.
fn place(bytes: &[u8], eighth: usize) -> usize {
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0);
    let from = end * eighth / 8;
    from + bytes[from..].iter().position(|byte| *byte != 0).unwrap_or(0)
}

fn flip(dir: &Path, eighth: usize) {
    log(dir, |bytes| {
        let at = place(bytes, eighth);
        bytes[at] ^= 0x55;
    });
}

fn cut(dir: &Path, eighth: usize) {
    log(dir, |bytes| {
        let at = place(bytes, eighth);
        bytes.truncate(at);
    });
}

const KINDS: &[(&str, Damage)] = &[
    ("a flip at the beginning", |dir| flip(dir, 0)),
    ("a flip at 1/8", |dir| flip(dir, 1)),
    ("a flip at 3/8", |dir| flip(dir, 3)),
    ("a flip at 5/8", |dir| flip(dir, 5)),
    ("a flip at 7/8", |dir| flip(dir, 7)),
    ("cut to nothing", |dir| log(dir, Vec::clear)),
    ("cut at 2/8", |dir| cut(dir, 2)),
    ("cut at 4/8", |dir| cut(dir, 4)),
    ("cut at 6/8", |dir| cut(dir, 6)),
    ("a page of zeros", |dir| {
        log(dir, |bytes| {
            let at = place(bytes, 4);
            let end = bytes.len().min(at + 4096);
            bytes[at..end].fill(0);
        })
    }),
    ("two pages exchanged", |dir| {
        log(dir, |bytes| {
            let (one, two) = (place(bytes, 2), place(bytes, 5));
            let page: Vec<u8> = bytes[one..one + 512].to_vec();
            bytes.copy_within(two..two + 512, one);
            bytes[two..two + 512].copy_from_slice(&page);
        })
    }),
    ("the beginning once more at the end", |dir| {
        log(dir, |bytes| {
            let beginning = bytes[..bytes.len().min(4096)].to_vec();
            bytes.extend(beginning);
        })
    }),
    ("the log is gone", |dir| fs::remove_file(dir.join("db")).unwrap()),
    ("a flip at 2/8", |dir| flip(dir, 2)),
    ("cut at 7/8", |dir| cut(dir, 7)),
    ("the configuration is nonsense", |dir| fs::write(dir.join("conf"), "x").unwrap()),
    ("the acknowledged revision is gone", |dir| {
        fs::remove_file(dir.join("acknowledged")).unwrap();
    }),
    ("the acknowledged revision is nonsense", |dir| {
        fs::write(dir.join("acknowledged"), [0xff; 21]).unwrap();
    }),
    ("the acknowledged revision is greater", |dir| {
        fs::write(dir.join("acknowledged"), format!("{:020}\n", 9_999)).unwrap();
    }),
];

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("blobs")).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() {
            fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_damage_to_a_file_widens_an_answer() {
    let dir = TempDir::new().unwrap();
    fill(Arc::new(SledStore::open(dir.path()).await.unwrap())).await;
    let before = TempDir::new().unwrap();
    copy(dir.path(), before.path());
    let store = Arc::new(SledStore::open(before.path()).await.unwrap());
    let intact = answers(&start(store, None).await.unwrap()).await;
    let mut refused = 0;
    for (name, damage) in KINDS {
        let damaged = TempDir::new().unwrap();
        copy(dir.path(), damaged.path());
        damage(damaged.path());
        let place = damaged.path().display().to_string();
        match SledStore::open(damaged.path()).await {
            Err(error) => {
                refused += 1;
                assert!(error.to_string().contains(&place), "{name}: {error}");
            }
            Ok(store) => match start(Arc::new(store), None).await {
                Err(error) => assert!(error.to_string().contains(&place), "{name}: {error}"),
                Ok(node) => {
                    let compared = compare(&intact, answers(&node).await);
                    assert_eq!(compared.widened, [], "{name}");
                    // What is shown at all is what was there.
                    assert_eq!(compared.errors, [""; 0], "{name}");
                    assert_eq!(compared.same, intact.len(), "{name}");
                    node.end();
                }
            },
        }
    }
    assert!(refused >= KINDS.len() / 2, "{refused} of {} are refused", KINDS.len());
}
