//! A random state machine: each engine against a plain map, a list of changes and a counter.

use std::collections::BTreeMap;
use std::sync::Arc;

use camgate::store::{
    ChangeRetention, ChangeSet, Commit, Entry, MemoryStore, Mutation, Precondition, Revision, Scan,
    SledStore, Store, StoreError,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tempfile::TempDir;

use super::next_change;

const KEEP: ChangeRetention = ChangeRetention { sets_max: 6, bytes_max: u64::MAX };
/// Prefixes of each other, Chinese text, bytes that are not text.
const KEYS: [&[u8]; 7] =
    [b"a", b"a/", b"a/1", "a/策略".as_bytes(), b"b", &[0xff], &[0xff, 0x00, 0xff]];
/// On both sides of the size where sled's values are cut.
const VALUE_LENS: [usize; 5] = [0, 1, 6144, 6145, 13_000];

#[derive(Clone, Debug)]
enum Step {
    Commit {
        preconditions: Vec<(usize, Wanted)>,
        mutations: Vec<(usize, Option<(usize, u8)>)>,
    },
    Read(usize),
    ReadPrefix(usize, usize),
    /// Watches from this many revisions before the head.
    Watch(u64),
    /// Begins a scan, which is read some steps later.
    Scan,
    /// Reads all scans that were begun.
    ReadScans,
    /// Closes and opens, where there is something to open.
    Reopen,
}

#[derive(Clone, Copy, Debug)]
enum Wanted {
    Absent,
    Exists,
    /// At the true revision plus this, so that some hold and some do not.
    AtOffset(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let key = || 0..KEYS.len();
    let wanted = prop_oneof![
        Just(Wanted::Absent),
        Just(Wanted::Exists),
        (0..2_u64).prop_map(Wanted::AtOffset)
    ];
    let preconditions = vec((key(), wanted), 0..2);
    let value = prop::option::weighted(0.7, (0..VALUE_LENS.len(), any::<u8>()));
    let mutations = vec((key(), value), 1..4);
    prop_oneof![
        6 => (preconditions, mutations)
            .prop_map(|(preconditions, mutations)| Step::Commit { preconditions, mutations }),
        1 => key().prop_map(Step::Read),
        2 => (key(), 0..3_usize).prop_map(|(key, len)| Step::ReadPrefix(key, len)),
        2 => (0..10_u64).prop_map(Step::Watch),
        2 => Just(Step::Scan),
        1 => Just(Step::ReadScans),
        1 => Just(Step::Reopen),
    ]
}

/// What the contract says, without any cleverness.
#[derive(Default)]
struct Model {
    entries: BTreeMap<Vec<u8>, (Vec<u8>, Revision)>,
    changes: Vec<ChangeSet>,
}

impl Model {
    fn head(&self) -> Revision {
        Revision(self.changes.len() as u64)
    }

    fn entries_under(&self, prefix: &[u8]) -> Vec<Entry> {
        let found = self.entries.iter().filter(|(key, _)| key.starts_with(prefix));
        found
            .map(|(key, (value, revision))| Entry {
                key: key.clone(),
                value: value.clone(),
                revision: *revision,
            })
            .collect()
    }

    fn commit(&mut self, commit: &Commit) -> Result<Revision, StoreError> {
        for (index, mutation) in commit.mutations.iter().enumerate() {
            if commit.mutations[..index].iter().any(|it| it.key() == mutation.key()) {
                return Err(StoreError::DuplicateKey { key: mutation.key().to_vec() });
            }
        }
        let found = |key: &[u8]| self.entries.get(key).map(|it| it.1);
        for precondition in &commit.preconditions {
            let holds = match precondition {
                Precondition::Absent { key } => found(key).is_none(),
                Precondition::Exists { key } => found(key).is_some(),
                Precondition::AtRevision { key, revision } => found(key) == Some(*revision),
            };
            if !holds {
                return Err(StoreError::Conflict { key: precondition.key().to_vec() });
            }
        }
        for mutation in &commit.mutations {
            if matches!(mutation, Mutation::Delete { .. }) && found(mutation.key()).is_none() {
                return Err(StoreError::Conflict { key: mutation.key().to_vec() });
            }
        }
        let revision = Revision(self.head().0 + 1);
        for mutation in commit.mutations.clone() {
            match mutation {
                Mutation::Put { key, value } => self.entries.insert(key, (value, revision)),
                Mutation::Delete { key } => self.entries.remove(&key),
            };
        }
        self.changes.push(ChangeSet { revision, mutations: commit.mutations.clone() });
        Ok(revision)
    }

    fn to_commit(
        &self,
        preconditions: &[(usize, Wanted)],
        mutations: &[(usize, Option<(usize, u8)>)],
    ) -> Commit {
        let mut commit = Commit::new();
        for (key, wanted) in preconditions {
            let key = KEYS[*key];
            commit = match wanted {
                Wanted::Absent => commit.require_absent(key),
                Wanted::Exists => commit.require_exists(key),
                Wanted::AtOffset(offset) => {
                    let at = self.entries.get(key).map_or(0, |it| it.1.0);
                    commit.require_at(key, Revision(at + offset))
                }
            };
        }
        for (key, value) in mutations {
            commit = match value {
                Some((len, byte)) => commit.put(KEYS[*key], vec![*byte; VALUE_LENS[*len]]),
                None => commit.delete(KEYS[*key]),
            };
        }
        commit
    }
}

/// An engine that may be reopened: a directory, or nothing.
struct Subject {
    store: Option<Arc<dyn Store>>,
    dir: Option<TempDir>,
}

impl Subject {
    async fn memory() -> Self {
        Self { store: Some(Arc::new(MemoryStore::with_retention(KEEP))), dir: None }
    }

    async fn sled() -> Self {
        let mut it = Self { store: None, dir: Some(TempDir::new().unwrap()) };
        it.reopen().await;
        it
    }

    async fn reopen(&mut self) {
        if let Some(dir) = &self.dir {
            self.store = None;
            let store = SledStore::open_with(dir.path(), KEEP).await.unwrap();
            self.store = Some(Arc::new(store));
        }
    }

    fn store(&self) -> &dyn Store {
        &**self.store.as_ref().unwrap()
    }
}

async fn check_watch(store: &dyn Store, model: &Model, back: u64) {
    let head = model.head();
    // Further back than the beginning stands for ahead of the head.
    let after = head.0.checked_sub(back).map_or(Revision(head.0 + back), Revision);
    let oldest = Revision(head.0.saturating_sub(KEEP.sets_max));
    let watched = store.watch(after).await;
    if after > head {
        assert_eq!(watched.unwrap_err(), StoreError::Ahead { after, head });
    } else if after < oldest {
        assert_eq!(watched.unwrap_err(), StoreError::Compacted { after, oldest });
    } else {
        let mut watch = watched.unwrap();
        for expected in &model.changes[usize::try_from(after.0).unwrap()..] {
            assert!(*next_change(&mut watch).await == *expected, "revision {}", expected.revision);
        }
    }
}

/// Each scan must give what was there when it began.
async fn read_scans(scans: &mut Vec<(Scan, Vec<Entry>)>) {
    for (mut scan, expected) in scans.drain(..) {
        let mut found = Vec::new();
        while let Some(page) = scan.next().await {
            found.extend(page.unwrap());
        }
        assert!(found == expected, "a scan at {}", scan.revision());
    }
}

async fn run(mut subject: Subject, steps: Vec<Step>) {
    let mut model = Model::default();
    let mut scans = Vec::new();
    for step in steps {
        match step {
            Step::Commit { preconditions, mutations } => {
                let commit = model.to_commit(&preconditions, &mutations);
                let found = subject.store().commit(commit.clone()).await;
                assert_eq!(found, model.commit(&commit));
            }
            Step::Read(key) => {
                let (found, at) = subject.store().read(KEYS[key]).await.unwrap();
                let expected = model.entries_under(KEYS[key]);
                assert!(found.as_ref() == expected.iter().find(|it| it.key == KEYS[key]));
                assert_eq!(at, model.head());
            }
            Step::ReadPrefix(key, len) => {
                let prefix = &KEYS[key][..len.min(KEYS[key].len())];
                let found = subject.store().read_prefix(prefix).await.unwrap();
                assert!(found == (model.entries_under(prefix), model.head()), "{prefix:?}");
            }
            Step::Watch(back) => check_watch(subject.store(), &model, back).await,
            Step::Scan => {
                let scan = subject.store().scan().await.unwrap();
                assert_eq!(scan.revision(), model.head());
                scans.push((scan, model.entries_under(b"")));
            }
            Step::ReadScans => read_scans(&mut scans).await,
            Step::Reopen => {
                read_scans(&mut scans).await;
                subject.reopen().await;
            }
        }
    }
    read_scans(&mut scans).await;
    let found = subject.store().read_prefix(b"").await.unwrap();
    assert!(found == (model.entries_under(b""), model.head()));
}

fn check<F: Future<Output = Subject>>(make: impl Fn() -> F, cases: u32) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    // The failing steps are printed; no file of seeds is kept beside the source.
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&vec(step(), 1..50), |steps| {
        runtime.block_on(async { run(make().await, steps).await });
        Ok(())
    });
    result.unwrap();
}

#[test]
fn memory_does_what_the_model_does() {
    check(Subject::memory, 300);
}

#[test]
fn sled_does_what_the_model_does() {
    check(Subject::sled, 24);
}
