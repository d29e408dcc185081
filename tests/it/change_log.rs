//! The change log: one entry for each change, in its commit; and no edit of a log goes unnoticed.

use std::collections::BTreeMap;
use std::sync::Arc;

use camgate::audit::{
    Actor, ChangeEntry, Content, Link, Origin, Protocol, RecordBytes, digest, record_changes,
    verify,
};
use camgate::catalog::Catalog;
use camgate::directory::{
    AccessKey, AccountState, ChangeHead, Command, CreateAccount, KeyStatus, PasswordHash, Record,
    RecordKey, SealedSecret, SecretId, UnixMillis, execute,
};
use camgate::node::{
    JobInput, Node, NodeError, NodeSettings, Prepared, RequestId, SystemClock, WriteJob,
    WriteOptions, Written,
};
use camgate::store::record::{self, Stored, encode_change_entry};
use camgate::store::{Commit, MemoryStore, Store, key};
use proptest::prelude::*;
use proptest::sample::Index;
use tokio::runtime::Runtime;

use crate::directory::random::commands;
use crate::directory::{ALICE, Fixture, OWNER};
use crate::support::change_log::whole_log;

fn origin() -> Origin {
    let actor = Actor::Caller {
        uin: 100_000_001,
        owner_uin: OWNER.uin,
        secret_id: "AKID00000000000000".to_owned(),
        session: "值班".to_owned(),
    };
    let (source, request_id) = ("192.0.2.7".to_owned(), "请求-1".to_owned());
    let call = "AddUser".to_owned();
    let service_caller = "网关".to_owned();
    Origin { actor, protocol: Protocol::CamApi, call, source, request_id, service_caller }
}

/// A log as it is stored: the bytes of each entry, in order, and the head.
fn log(contents: &[Vec<u8>]) -> (Vec<Vec<u8>>, ChangeHead) {
    let mut head = ChangeHead::default();
    let mut log = Vec::new();
    for (at, content) in (0..).zip(contents) {
        let empty = ChangeEntry::after(&head, OWNER.uin, UnixMillis(at), origin());
        let bytes = RecordBytes {
            key: b"a/key".to_vec(),
            before: (at % 2 == 1).then(|| b"before".to_vec()),
            after: Some(content.clone()),
        };
        let (records, omitted) = record_changes(vec![bytes]);
        let operations = vec!["UpdateGroup".to_owned()];
        let entry = ChangeEntry { operations, records, omitted, ..empty };
        let bytes = encode_change_entry(&entry);
        head = ChangeHead { sequence: entry.sequence, digest: digest(&bytes) };
        log.push(bytes);
    }
    (log, head)
}

/// Whether a stored log is whole: every entry can be read under its number, and the chain holds.
fn is_whole(log: &[Vec<u8>], head: &ChangeHead) -> bool {
    let mut links = Vec::new();
    for (number, bytes) in (1..).zip(log) {
        match record::decode(&key::change_entry_key(OWNER.uin, number), bytes) {
            Ok(Stored::ChangeEntry(entry)) => links.push(Link::new(&entry, bytes)),
            _ => return false,
        }
    }
    verify(OWNER.uin, &ChangeHead::default(), &links, head).is_ok()
}

/// The links alone, for edits that keep every entry readable.
fn links(log: &[Vec<u8>]) -> Vec<Link> {
    let read = |bytes: &Vec<u8>| {
        (1..=log.len() as u64 + 1).find_map(|number| {
            match record::decode(&key::change_entry_key(OWNER.uin, number), bytes) {
                Ok(Stored::ChangeEntry(entry)) => Some(Link::new(&entry, bytes)),
                _ => None,
            }
        })
    };
    log.iter().map(|bytes| read(bytes).unwrap()).collect()
}

#[derive(Debug, Clone)]
enum Edit {
    /// One byte is another.
    Alter(Index, Index, u8),
    Remove(Index),
    Swap(Index, Index),
    Repeat(Index),
    /// Only a beginning is left.
    Truncate(Index),
    /// An entry of another content, chained as the real one was.
    Replace(Index, Vec<u8>),
    /// The head is older or newer than the log.
    MoveHead(Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    let index = any::<Index>;
    prop_oneof![
        4 => (index(), index(), 1_u8..).prop_map(|(entry, byte, by)| Edit::Alter(entry, byte, by)),
        1 => index().prop_map(Edit::Remove),
        1 => (index(), index()).prop_map(|(a, b)| Edit::Swap(a, b)),
        1 => index().prop_map(Edit::Repeat),
        1 => index().prop_map(Edit::Truncate),
        1 => (index(), prop::collection::vec(any::<u8>(), 0..9))
            .prop_map(|(entry, content)| Edit::Replace(entry, content)),
        1 => index().prop_map(Edit::MoveHead),
    ]
}

fn apply(edit: &Edit, contents: &[Vec<u8>], log: &mut Vec<Vec<u8>>, head: &mut ChangeHead) {
    let len = log.len();
    match edit {
        Edit::Alter(entry, byte, by) => {
            let bytes = &mut log[entry.index(len)];
            let at = byte.index(bytes.len());
            bytes[at] = bytes[at].wrapping_add(*by);
        }
        Edit::Remove(entry) => {
            log.remove(entry.index(len));
        }
        Edit::Swap(a, b) => log.swap(a.index(len), b.index(len)),
        Edit::Repeat(entry) => log.insert(entry.index(len), log[entry.index(len)].clone()),
        Edit::Truncate(left) => log.truncate(left.index(len)),
        Edit::Replace(entry, content) => {
            let at = entry.index(len);
            let mut others = contents[..=at].to_vec();
            others[at].clone_from(content);
            log[at] = last_entry(&others);
        }
        Edit::MoveHead(to) => *head = log_head(&contents[..to.index(len)]),
    }
}

fn last_entry(contents: &[Vec<u8>]) -> Vec<u8> {
    log(contents).0.pop().unwrap()
}

fn log_head(contents: &[Vec<u8>]) -> ChangeHead {
    log(contents).1
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_edit_of_a_log_is_found(
        contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 1..12),
        edit in edit(),
    ) {
        let (original, head) = log(&contents);
        prop_assert!(is_whole(&original, &head));
        let (mut edited, mut new_head) = (original.clone(), head);
        apply(&edit, &contents, &mut edited, &mut new_head);
        let is_same = edited == original && new_head == head;
        prop_assert_eq!(is_whole(&edited, &new_head), is_same);
        // The chain finds it alone, without the numbers in the keys, while entries can be read.
        if !matches!(edit, Edit::Alter(..)) {
            let links = links(&edited);
            let found = verify(OWNER.uin, &ChangeHead::default(), &links, &new_head);
            prop_assert_eq!(found.is_ok(), is_same);
            prop_assert!(verify(1, &ChangeHead::default(), &links, &new_head).is_err()
                || links.is_empty());
        }
    }
}

async fn start(store: &Arc<MemoryStore>) -> Arc<Node> {
    let catalog = Arc::new(Catalog::builtin().clone());
    let store: Arc<dyn Store> = Arc::clone(store) as _;
    Node::start(store, catalog, Arc::new(SystemClock), None, NodeSettings::default()).await.unwrap()
}

async fn run(
    node: &Node,
    command: &Command,
    options: &WriteOptions,
) -> Result<(Written, usize), NodeError> {
    let changes = std::sync::atomic::AtomicUsize::new(0);
    let job = |input: &JobInput<'_>| {
        let executed = execute(input.state, command, &input.env)?;
        changes.store(executed.changes.len(), std::sync::atomic::Ordering::SeqCst);
        let operations = vec![command.name()];
        Ok(Prepared { changes: executed.changes, operations, answer: Vec::new() })
    };
    let reads = |state: &_| command.global_reads(state);
    let job = WriteJob { reads: &reads, allot_uin: false, run: &job };
    let written = node.write(OWNER.uin, options, &job).await?;
    Ok((written, changes.into_inner()))
}

/// What the log says that the records are: every `after` on top of the ones before it.
fn replay(log: &[(ChangeEntry, u64)]) -> BTreeMap<Vec<u8>, Content> {
    let mut records = BTreeMap::new();
    for (entry, _) in log {
        for change in &entry.records {
            assert_eq!(records.get(&change.key), change.before.as_ref(), "{:?}", change.key);
            match &change.after {
                Some(after) => records.insert(change.key.clone(), after.clone()),
                None => records.remove(&change.key),
            };
        }
    }
    records
}

fn own(node_state: &AccountState) -> BTreeMap<Vec<u8>, Content> {
    let own = node_state.records().map(|record| {
        let key = key::record_key(OWNER.uin, record.key());
        (key, Content::Whole(record::encode_for_log(&record)))
    });
    own.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Also: trials, refusals and commands that change nothing write none; and the entries tell
    /// the whole story, from nothing to the records as they are.
    #[test]
    fn every_change_has_exactly_one_entry(commands in commands()) {
        Runtime::new().unwrap().block_on(async {
            let node = start(&Arc::new(MemoryStore::new())).await;
            let create = Command::CreateAccount(CreateAccount { owner: OWNER });
            run(&node, &create, &WriteOptions::default()).await.unwrap();
            let mut expected = vec![("CreateAccount".to_owned(), Origin::default())];
            for (number, command) in commands.iter().enumerate() {
                let options = WriteOptions {
                    validate_only: number % 7 == 6,
                    request: (number % 3 == 0)
                        .then(|| RequestId::new(&number.to_string(), "m", &[])),
                    origin: if number % 2 == 0 { origin() } else { Origin::default() },
                    ..WriteOptions::default()
                };
                let Ok((_, changes)) = run(&node, command, &options).await else { continue };
                if changes > 0 && !options.validate_only {
                    expected.push((command.name().to_owned(), options.origin));
                }
            }
            let log = whole_log(&node, OWNER.uin).await;
            let said: Vec<_> = log
                .iter()
                .map(|(entry, _)| (entry.operations.join("+"), entry.origin.clone()))
                .collect();
            prop_assert_eq!(said, expected);
            let state = Arc::clone(&node.existing_view(OWNER.uin).await.unwrap().state);
            let mut replayed = replay(&log);
            replayed.retain(|key, _| key.starts_with(b"a/"));
            prop_assert_eq!(replayed, own(&state));
            node.end();
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn faults_of_a_stored_log_are_told_and_never_written_over() {
    let store = Arc::new(MemoryStore::new());
    let node = start(&store).await;
    let options = WriteOptions::default();
    let create = Command::CreateAccount(CreateAccount { owner: OWNER });
    run(&node, &create, &options).await.unwrap();
    for name in ["a", "b", "c", "d"] {
        let (name, remark) = (name.to_owned(), String::new());
        let group = Command::CreateGroup(camgate::directory::CreateGroup { name, remark });
        run(&node, &group, &options).await.unwrap();
    }
    assert_eq!(whole_log(&node, OWNER.uin).await.len(), 5);
    let key = |sequence| key::change_entry_key(OWNER.uin, sequence);
    let (third, _) = store.read(&key(3)).await.unwrap();
    let mut other = third.unwrap().value;
    let name = b"CreateGroup";
    let at = other.windows(name.len()).position(|it| it == name).unwrap();
    other[at..at + 6].copy_from_slice(b"Delete");
    // Altered, damaged, and more than the head says.
    let commit = Commit::new().put(key(3), other).put(key(5), b"\xff".to_vec());
    let revision = store.commit(commit.put(key(6), Vec::new())).await.unwrap();
    let page = node.change_log(OWNER.uin, 1, 100, Some(revision)).await.unwrap();
    let problems: Vec<_> = page.changes.iter().map(|it| it.problem.clone()).collect();
    assert_eq!((problems[0].clone(), problems[1].clone()), (None, None));
    assert!(problems[2].as_ref().unwrap().contains("3"), "{problems:?}");
    assert!(problems[3].as_ref().unwrap().contains("entry 5 is faulty"), "{problems:?}");
    assert!(problems[4].as_ref().unwrap().contains("cannot be read"), "{problems:?}");
    assert_eq!((problems.len(), page.last_sequence), (5, 5));
    let (name, remark) = ("e".to_owned(), String::new());
    let group = Command::CreateGroup(camgate::directory::CreateGroup { name, remark });
    let refused = run(&node, &group, &options).await.unwrap_err();
    assert!(refused.to_string().contains("ends before it"), "{refused:?}");
    let revision = store.commit(Commit::new().delete(key(6)).delete(key(4))).await.unwrap();
    let page = node.change_log(OWNER.uin, 4, 1, Some(revision)).await.unwrap();
    assert_eq!(page.changes[0].problem.as_deref(), Some("it is missing"));
    assert_eq!((page.changes.len(), page.last_sequence), (1, 5));
    node.end();
}

#[test]
fn secrets_are_hidden_and_still_seen_to_change() {
    let key = |sealed: &[u8]| {
        let key = AccessKey {
            secret_id: SecretId::parse("AKID0123456789ab").unwrap(),
            holder: OWNER.uin,
            status: KeyStatus::Active,
            description: String::new(),
            created_at: UnixMillis(1),
            sealed_secret: SealedSecret(sealed.into()),
        };
        record::encode_for_log(&Record::AccessKey(Arc::new(key)))
    };
    let user = |hash: &str| {
        let fixture = Fixture::new();
        let Some(Record::SubAccount(mut user)) = fixture.state.record(RecordKey::SubAccount(ALICE))
        else {
            panic!("alice is missing")
        };
        Arc::make_mut(&mut user).profile.password_hash = Some(PasswordHash(hash.to_owned()));
        record::encode_for_log(&Record::SubAccount(user))
    };
    let is_in = |part: &[u8], whole: &[u8]| whole.windows(part.len()).any(|it| it == part);
    assert!(!is_in(b"sealed-1", &key(b"sealed-1")));
    assert_ne!(key(b"sealed-1"), key(b"sealed-2"));
    assert!(!is_in(b"$argon2id$1", &user("$argon2id$1")));
    assert_ne!(user("$argon2id$1"), user("$argon2id$2"));
}
