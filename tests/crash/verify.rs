//! What must be true of a directory whose writer was killed.

use std::collections::BTreeMap;
use std::path::Path;

use camgate::store::{
    ChangeRetention, ChangeSet, Mutation, Revision, SledStore, Store, StoreError,
};

use crate::writer::{PARTS, SLOTS, TASKS, key, value};

/// A slot: a task's number and the slot's own.
type Slot = (u64, u64);

/// A commit that the writer printed after the store had acknowledged it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    revision: u64,
    slot: Slot,
    /// None for a delete.
    stamp: Option<u64>,
}

impl Acknowledged {
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let mut number = || words.next()?.parse().ok();
        let (revision, task, slot) = (number()?, number()?, number()?);
        let stamp = match words.next()? {
            "-" => None,
            stamp => Some(stamp.parse().ok()?),
        };
        Some(Self { revision, slot: (task, slot), stamp })
    }
}

/// What a verified directory holds: it must hold it after the next crash too.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) head: u64,
    /// By slot: the revision and the stamp.
    slots: BTreeMap<Slot, (u64, u64)>,
}

/// Opens the directory and checks it against what was `known` before the round and what was
/// acknowledged in it.
pub(crate) fn check(
    dir: &Path,
    retention: ChangeRetention,
    known: &Verdict,
    acknowledged: &[Acknowledged],
) -> Result<Verdict, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    runtime.block_on(async {
        let store =
            SledStore::open_with(dir, retention).await.map_err(|error| error.to_string())?;
        let found = read_slots(&store).await?;
        let changes = read_changes(&store, found.head).await?;
        check_acknowledged(&found, known, &changes, acknowledged)?;
        check_changes(&found, &changes, acknowledged)?;
        Ok(found)
    })
}

/// No torn commit: the three keys of a slot have one revision and one stamp, or are all absent.
async fn read_slots(store: &SledStore) -> Result<Verdict, String> {
    let (entries, head) = store.read_prefix(b"").await.map_err(|error| error.to_string())?;
    let mut by_key: BTreeMap<_, _> =
        entries.into_iter().map(|it| (it.key, (it.value, it.revision.0))).collect();
    let mut slots = BTreeMap::new();
    for slot in (0..TASKS).flat_map(|task| (0..SLOTS).map(move |slot| (task, slot))) {
        let mut parts = Vec::new();
        for part in 0..PARTS {
            parts.push(by_key.remove(key(slot.0, slot.1, part).as_bytes()));
        }
        if parts.iter().any(|part| *part != parts[0]) {
            return Err(format!("slot {slot:?} is torn"));
        }
        let Some((bytes, revision)) = parts.remove(0) else { continue };
        let stamp = bytes.first_chunk().copied().map(u64::from_be_bytes);
        let stamp = stamp.ok_or_else(|| format!("slot {slot:?} has a short value"))?;
        if bytes != value(stamp) {
            return Err(format!("slot {slot:?} has a value that no commit put"));
        }
        slots.insert(slot, (revision, stamp));
    }
    if let Some(key) = by_key.keys().next() {
        return Err(format!("a key that no commit put: {key:?}"));
    }
    Ok(Verdict { head: head.0, slots })
}

/// All change sets that are kept, without a gap up to `head`.
async fn read_changes(store: &SledStore, head: u64) -> Result<Vec<ChangeSet>, String> {
    let mut watch = match store.watch(Revision::EMPTY).await {
        Err(StoreError::Compacted { oldest, .. }) => store.watch(oldest).await,
        other => other,
    }
    .map_err(|error| error.to_string())?;
    let mut changes: Vec<ChangeSet> = Vec::new();
    while head > 0 && changes.last().is_none_or(|last| last.revision.0 < head) {
        let change = watch.next().await.ok_or("the change stream ended")?;
        let change = change.map_err(|error| error.to_string())?;
        let expected = changes.last().map_or(change.revision.0, |last| last.revision.0 + 1);
        if change.revision.0 != expected {
            return Err(format!("the changes jump to {}, not {expected}", change.revision));
        }
        changes.push((*change).clone());
    }
    Ok(changes)
}

/// No acknowledged commit is lost: each slot is as its newest acknowledged commit left it, or as a
/// commit after that did.
fn check_acknowledged(
    found: &Verdict,
    known: &Verdict,
    changes: &[ChangeSet],
    acknowledged: &[Acknowledged],
) -> Result<(), String> {
    let newest = acknowledged.iter().map(|it| it.revision).chain([known.head]).max();
    if found.head < newest.unwrap_or(0) {
        return Err(format!("the head is {}, acknowledged was {newest:?}", found.head));
    }
    // Newest per slot; what was verified before this round counts as acknowledged.
    let mut expected: BTreeMap<Slot, (u64, Option<u64>)> =
        known.slots.iter().map(|(slot, it)| (*slot, (it.0, Some(it.1)))).collect();
    for it in acknowledged {
        let newest = expected.entry(it.slot).or_insert((it.revision, it.stamp));
        if it.revision > newest.0 {
            *newest = (it.revision, it.stamp);
        }
    }
    for (slot, (revision, stamp)) in expected {
        match (found.slots.get(&slot), stamp) {
            (Some((found_at, _)), _) if *found_at > revision => {}
            (Some((found_at, found_stamp)), Some(stamp))
                if *found_at == revision && *found_stamp == stamp => {}
            (None, None) => {}
            (None, Some(_))
                if may_be_deleted_after(
                    revision.max(known.head),
                    slot,
                    found.head,
                    changes,
                    acknowledged,
                ) => {}
            (other, _) => {
                return Err(format!(
                    "lost: slot {slot:?} was {stamp:?} at {revision}, is {other:?}"
                ));
            }
        }
    }
    Ok(())
}

/// Whether a commit after `revision` that was not acknowledged deleted the slot, as its change set
/// says; or may have, where that change set is compacted.
fn may_be_deleted_after(
    revision: u64,
    slot: Slot,
    head: u64,
    changes: &[ChangeSet],
    acknowledged: &[Acknowledged],
) -> bool {
    let deletes = |change: &ChangeSet| {
        as_commit(change).is_some_and(|commit| commit.slot == slot && commit.stamp.is_none())
    };
    (revision + 1..=head)
        .filter(|number| acknowledged.iter().all(|it| it.revision != *number))
        .any(|number| changes.iter().find(|it| it.revision.0 == number).is_none_or(deletes))
}

/// Each kept change set is one whole commit, is what was acknowledged under its revision, and the
/// newest of each slot is what the entries show.
fn check_changes(
    found: &Verdict,
    changes: &[ChangeSet],
    acknowledged: &[Acknowledged],
) -> Result<(), String> {
    let by_revision: BTreeMap<_, _> = acknowledged.iter().map(|it| (it.revision, it)).collect();
    if by_revision.len() != acknowledged.len() {
        return Err("a revision was acknowledged twice".to_owned());
    }
    let mut newest = BTreeMap::new();
    for change in changes {
        let commit = as_commit(change)
            .ok_or_else(|| format!("change set {} is not one whole commit", change.revision))?;
        if by_revision.get(&commit.revision).is_some_and(|it| **it != commit) {
            return Err(format!("change set {} is not what was acknowledged", change.revision));
        }
        newest.insert(commit.slot, commit);
    }
    for (slot, commit) in newest {
        let expected = commit.stamp.map(|stamp| (commit.revision, stamp));
        if found.slots.get(&slot).copied() != expected {
            return Err(format!("slot {slot:?} differs from its newest change"));
        }
    }
    Ok(())
}

/// The commit that a change set is, if it is a commit of the writer.
fn as_commit(change: &ChangeSet) -> Option<Acknowledged> {
    let first = std::str::from_utf8(change.mutations.first()?.key()).ok()?;
    let mut words = first.split('/').skip(1).map(|word| word.parse::<u64>().ok());
    let slot = (words.next()??, words.next()??);
    let stamp = match change.mutations.first()? {
        Mutation::Put { value, .. } => Some(u64::from_be_bytes(*value.first_chunk()?)),
        Mutation::Delete { .. } => None,
    };
    let expected: Vec<_> = (0..PARTS)
        .map(|part| key(slot.0, slot.1, part).into_bytes())
        .map(|key| match stamp {
            Some(stamp) => Mutation::Put { key, value: value(stamp) },
            None => Mutation::Delete { key },
        })
        .collect();
    let commit = Acknowledged { revision: change.revision.0, slot, stamp };
    (change.mutations == expected).then_some(commit)
}
