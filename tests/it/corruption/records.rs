//! Damage to records, through the store's contract: each kind is tried on each record it fits.

use std::collections::BTreeMap;
use std::sync::Arc;

use camgate::catalog::Catalog;
use camgate::directory::service_caller::{Proof, TokenDigest};
use camgate::node::{
    AccessError, Node, NodeSettings, SystemClock, Verification, create_token, delete_caller,
    list_callers,
};
use camgate::store::{Commit, MemoryStore, Store, key, record};

use super::compare;
use super::fixture::{Contents, answers, contents, fill, narrow, put_all, start};
use crate::support::change_log::trace;

/// Damages a record, and gives the key that an error must name, or several, parted by `|`; none
/// when it does not fit.
type Damage = fn(&mut Contents, &[u8]) -> Option<String>;

fn text(key: &[u8]) -> String {
    String::from_utf8(key.to_vec()).unwrap()
}

fn alter(all: &mut Contents, key: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Option<String> {
    let value = all.get_mut(key).unwrap();
    let before = value.clone();
    change(value);
    (*value != before).then(|| text(key))
}

fn flip(value: &mut [u8], at: usize, bits: u8) {
    if let Some(byte) = value.get_mut(at) {
        *byte ^= bits;
    }
}

/// The next record after this one of which the key begins as told.
fn neighbour(all: &Contents, key: &[u8], prefix: &str) -> Option<Vec<u8>> {
    let found = all.keys().find(|it| it.as_slice() > key && it.starts_with(prefix.as_bytes()));
    found.cloned()
}

/// `a/<owner>/s/` of `a/<owner>/s/<uin>`: what keys of records of the same kind begin with.
fn kind(key: &[u8]) -> String {
    let text = text(key);
    text.rsplit_once('/').map_or(text.clone(), |(kind, _)| format!("{kind}/"))
}

fn swap(all: &mut Contents, key: &[u8], other: Option<Vec<u8>>) -> Option<String> {
    let other = other?;
    let (one, two) = (all[key].clone(), all[&other].clone());
    if one == two {
        return None;
    }
    all.insert(key.to_vec(), two);
    let both = format!("{}|{}", text(key), text(&other));
    all.insert(other, one);
    Some(both)
}

fn in_other_account(key: &[u8]) -> Option<String> {
    let text = text(key);
    let (owner, other) = ("00000000000012345678", "00000000000087654321");
    (text.starts_with("a/") && text.contains(owner)).then(|| text.replace(owner, other))
}

const KINDS: &[(&str, Damage)] = &[
    ("deleted", |all, key| all.remove(key).map(|_| text(key))),
    ("emptied", |all, key| alter(all, key, Vec::clear)),
    ("zeroed", |all, key| alter(all, key, |it| it.fill(0))),
    ("filled with ones", |all, key| alter(all, key, |it| it.fill(0xff))),
    ("cut by a byte", |all, key| alter(all, key, |it| it.truncate(it.len() - 1))),
    ("cut in half", |all, key| alter(all, key, |it| it.truncate(it.len() / 2))),
    ("without its first byte", |all, key| alter(all, key, |it| drop(it.drain(..1)))),
    ("longer by a zero", |all, key| alter(all, key, |it| it.push(0))),
    ("twice itself", |all, key| alter(all, key, |it| it.extend_from_within(..))),
    ("of a future format", |all, key| alter(all, key, |it| it[1] = 9)),
    ("of no format", |all, key| alter(all, key, |it| it[1] = 0)),
    ("of the first format", |all, key| alter(all, key, |it| it[1] = 1)),
    ("first byte flipped", |all, key| alter(all, key, |it| flip(it, 0, 0x10))),
    ("last byte flipped", |all, key| {
        alter(all, key, |it| {
            let last = it.len() - 1;
            flip(it, last, 1);
        })
    }),
    ("a byte in the middle flipped", |all, key| {
        alter(all, key, |it| {
            let middle = it.len() / 2;
            flip(it, middle, 0x20);
        })
    }),
    ("a quarter on flipped", |all, key| {
        alter(all, key, |it| {
            let quarter = it.len() / 4;
            flip(it, quarter, 4);
        })
    }),
    ("a wrong length", |all, key| alter(all, key, |it| flip(it, 3, 0x7f))),
    ("an unknown field more", |all, key| alter(all, key, |it| it.extend([0xf8, 0x7f, 1]))),
    ("no utf-8", |all, key| {
        alter(all, key, |it| {
            let letter = it.iter().rposition(u8::is_ascii_lowercase);
            it[letter.unwrap_or(0)] = 0xff;
        })
    }),
    ("deny made allow", |all, key| alter(all, key, |it| replace(it, b"\"deny\"", b"\"allow\""))),
    ("an action made another", |all, key| alter(all, key, |it| replace(it, b"Delete", b"Deleta"))),
    ("a tag made another", |all, key| alter(all, key, |it| replace(it, b"prod", b"test"))),
    ("exchanged with the next of its kind", |all, key| {
        let other = neighbour(all, key, &kind(key));
        swap(all, key, other)
    }),
    ("exchanged with one of another kind", |all, key| {
        let other = all.keys().find(|it| kind(it) != kind(key)).cloned();
        swap(all, key, other)
    }),
    ("exchanged between accounts", |all, key| {
        let other = in_other_account(key).map(String::into_bytes);
        let other = other.filter(|it| all.contains_key(it));
        swap(all, key, other)
    }),
    ("doubled under the next key", |all, key| {
        let mut next = key.to_vec();
        let last = next.last_mut().unwrap();
        *last = last.wrapping_add(1);
        let value = all[key].clone();
        all.insert(next.clone(), value)
            .is_none()
            .then(|| String::from_utf8_lossy(&next).into_owned())
    }),
    ("copied into another account", |all, key| {
        let other = in_other_account(key)?.into_bytes();
        let value = all[key].clone();
        (!key.ends_with(b"/h") && all.insert(other.clone(), value).is_none()).then(|| text(&other))
    }),
    ("moved to a key of nobody", |all, key| {
        let value = all.remove(key)?;
        all.insert([key, b"x"].concat(), value);
        Some(text(key))
    }),
    ("of another record with its own key", |all, key| {
        let other = neighbour(all, key, &kind(key))?;
        let (mut value, own) = (all[&other].clone(), all[key].clone());
        // The id field is the second, behind the format, and of one length within a kind.
        let end = 2 + 1 + own.get(3..)?.iter().position(|byte| byte & 0x80 == 0)? + 1;
        if value.get(..3)? != own.get(..3)? || own[2] != 0x10 {
            return None;
        }
        value.get_mut(..end)?.copy_from_slice(&own[..end]);
        alter(all, key, |it| *it = value)
    }),
    ("gone with all of its kind", |all, key| {
        let kind = kind(key);
        (!kind.starts_with("c/") && kind.len() > 3).then(|| {
            all.retain(|it, _| !it.starts_with(kind.as_bytes()));
            text(key)
        })
    }),
];

fn replace(value: &mut Vec<u8>, from: &[u8], to: &[u8]) {
    if let Some(at) = value.windows(from.len()).position(|it| it == from) {
        value.splice(at..at + from.len(), to.iter().copied());
    }
}

/// Whether damage to this record could change a decision: nobody who decides reads the others.
fn decides(key: &[u8]) -> bool {
    !(key.starts_with(b"c/") || key.starts_with(b"n/") || key.starts_with(b"l"))
}

#[tokio::test]
async fn no_damage_to_a_record_widens_an_answer() {
    assert!(KINDS.len() >= 30, "{} kinds", KINDS.len());
    let store = Arc::new(MemoryStore::new());
    fill(store.clone()).await;
    let whole = contents(&*store).await;
    let intact = answers(&start(store.clone(), None).await.unwrap()).await;
    let allowed = intact.iter().filter(|(_, it)| *it == Ok(true)).count();
    let denied = intact.iter().filter(|(_, it)| *it == Ok(false)).count();
    assert!(allowed > 20 && denied > 60, "{allowed} allowed, {denied} denied");
    let (keys, mut tried) = (samples(&whole), 0);
    for (name, damage) in KINDS {
        let mut fits = 0;
        for key in &keys {
            let mut damaged = whole.clone();
            let Some(named) = damage(&mut damaged, key) else { continue };
            let what = format!("{name}: {}", text(key));
            fits += 1;
            let store = Arc::new(MemoryStore::new());
            put_all(&*store, &damaged).await;
            match start(store.clone(), None).await {
                // What is read at the start is refused there, by name.
                Err(error) => assert!(is_about(&error.to_string(), &named), "{what}: {error}"),
                Ok(node) => {
                    let compared = compare(&intact, answers(&node).await);
                    assert_eq!(compared.widened, [], "{what}");
                    for error in &compared.errors {
                        assert!(is_about(error, &named), "{what}: {error}");
                    }
                    node.end();
                }
            }
            let is_found = is_found(store, &named).await;
            assert!(
                is_found || is_harmless(&whole, &damaged, key),
                "{what}: `audit verify` does not find it"
            );
        }
        assert!(fits > 0, "{name} fits no record");
        tried += fits;
    }
    assert!(tried > 300, "{tried} damaged stores");
}

/// What means the same as before, such as another version of the format where both read alike; and
/// what is compared with the operator's files anyway.
fn is_harmless(whole: &Contents, damaged: &Contents, key: &[u8]) -> bool {
    let read = |all: &Contents| all.get(key).map(|value| record::decode(key, value));
    let others = |all: &Contents| -> Contents {
        all.iter().filter(|(it, _)| *it != key).map(|(k, v)| (k.clone(), v.clone())).collect()
    };
    key == b"o!" || (read(whole) == read(damaged) && others(whole) == others(damaged))
}

/// Each record as it was before the account's newest changes, and the account as a whole.
#[tokio::test]
async fn an_older_record_never_widens_an_answer() {
    let store = Arc::new(MemoryStore::new());
    fill(store.clone()).await;
    let older = contents(&*store).await;
    narrow(store.clone()).await;
    let newer = contents(&*store).await;
    let intact = answers(&start(store, None).await.unwrap()).await;
    let changed = newer.iter().filter(|(key, value)| older.get(*key) != Some(*value));
    let changed: Vec<&Vec<u8>> = changed.map(|(key, _)| key).filter(|key| decides(key)).collect();
    assert!(changed.len() > 3, "{changed:?}");
    let account = |key: &[u8]| key.starts_with(b"a/00000000000012345678/");
    let mut cases: Vec<(String, Contents)> = Vec::new();
    for key in changed {
        let mut damaged = newer.clone();
        match older.get(key) {
            Some(value) => damaged.insert(key.clone(), value.clone()),
            None => damaged.remove(key),
        };
        cases.push((text(key), damaged));
    }
    let mut whole = newer.clone();
    whole.retain(|key, _| !account(key));
    whole.extend(older.iter().filter(|(key, _)| account(key)).map(|(k, v)| (k.clone(), v.clone())));
    // The log goes on after what the older account knows.
    let next = newer.keys().find(|key| key.starts_with(b"c/") && !older.contains_key(*key));
    cases.push((text(next.unwrap()), whole));
    for (named, damaged) in cases {
        let store = Arc::new(MemoryStore::new());
        put_all(&*store, &damaged).await;
        let node = start(store.clone(), None).await.unwrap();
        let compared = compare(&intact, answers(&node).await);
        assert_eq!(compared.widened, [], "{named}");
        assert!(!compared.errors.is_empty(), "{named}");
        for error in &compared.errors {
            assert!(is_about(error, &named), "{named}: {error}");
        }
        assert!(is_found(store, &named).await, "{named}");
    }
}

/// A record that changes under a running node, without the head.
#[tokio::test]
async fn what_is_changed_outside_of_a_commit_of_ours_ends_the_answers() {
    let store = Arc::new(MemoryStore::new());
    fill(store.clone()).await;
    let node = start(store.clone(), None).await.unwrap();
    let intact = answers(&node).await;
    let whole = contents(&*store).await;
    let group = whole.keys().find(|key| text(key).contains("/g/")).unwrap();
    let revision = store.commit(Commit::new().delete(group.clone())).await.unwrap();
    node.wait_at_least(Some(revision)).await.unwrap();
    let compared = compare(&intact, answers(&node).await);
    assert_eq!(compared.widened, []);
    let [error] = &compared.errors[..] else { panic!("{:?}", compared.errors) };
    assert!(error.contains(&text(group)) && error.contains("it is missing"), "{error}");
    // Put back as it was, it is right again.
    let put = Commit::new().put(group.clone(), whole[group].clone());
    let revision = store.commit(put).await.unwrap();
    node.wait_at_least(Some(revision)).await.unwrap();
    let compared = compare(&intact, answers(&node).await);
    assert_eq!((compared.widened.len(), compared.errors.len()), (0, 0));
}

/// A caller that gained a right outside of a commit of ours has none, and nobody else has.
#[tokio::test]
async fn a_caller_that_was_altered_is_nobody() {
    let store = Arc::new(MemoryStore::new());
    fill(store.clone()).await;
    let shared: Arc<dyn Store> = store.clone();
    let (token, _) = create_token(&*shared, &trace(), "gateway", "", None).await.unwrap();
    let proof = || Proof { token: Some(TokenDigest::of(token.expose())), ..Proof::default() };
    let catalog = Arc::new(Catalog::builtin().clone());
    let settings = NodeSettings { callers_required: true, ..NodeSettings::default() };
    let clock = Arc::new(SystemClock);
    let node = Node::start(store.clone(), catalog, clock, None, settings).await.unwrap();
    assert!(node.access(proof()).check_known().is_ok());
    let mut gateway = list_callers(&*shared).await.unwrap().remove(1);
    assert_eq!(gateway.name, "gateway");
    gateway.rights.operate = true;
    let key = key::caller_key("gateway");
    let put = Commit::new().put(key.clone(), record::encode_caller(&gateway));
    let revision = store.commit(put).await.unwrap();
    node.wait_at_least(Some(revision)).await.unwrap();
    assert_eq!(node.access(proof()).check_known(), Err(AccessError::Unknown));
    let reports = node.readiness().borrow().reports.clone();
    assert!(reports.iter().any(|it| it.contains("l!")), "{reports:?}");
    assert!(is_found(store.clone(), &text(&key)).await);
    // Who changes callers next counts them anew, and the log says so.
    delete_caller(&*shared, &trace(), "billing").await.unwrap();
    let log = node.change_log(0, 1, 100, None).await.unwrap();
    let last = log.changes.last().unwrap().entry.clone().unwrap();
    assert_eq!(last.operations, ["DeleteCaller", "RecountCallers"]);
}

/// The first and the last record of each kind that decides, of one account and of none.
fn samples(whole: &Contents) -> Vec<Vec<u8>> {
    let mut kinds: BTreeMap<String, (Vec<u8>, Vec<u8>)> = BTreeMap::new();
    for key in whole.keys().filter(|key| decides(key) && in_other_account(key).is_some()) {
        let kind = text(key).chars().take(24).collect();
        kinds.entry(kind).or_insert_with(|| (key.clone(), key.clone())).1 = key.clone();
    }
    // Of documents all: not every damage fits each.
    let is_document = |key: &[u8]| text(key).contains("/v/") && in_other_account(key).is_some();
    let others =
        whole.keys().filter(|key| decides(key) && (!key.starts_with(b"a/") || is_document(key)));
    let mut keys: Vec<Vec<u8>> = kinds.into_values().flat_map(|(a, b)| [a, b]).collect();
    keys.extend(others.cloned());
    keys.sort();
    keys.dedup();
    keys
}

/// Whether an error names a record: by its key, its account's head, or the shelf that counts it.
fn is_about(error: &str, keys: &str) -> bool {
    keys.split('|').any(|key| is_about_one(error, key))
}

fn is_about_one(error: &str, key: &str) -> bool {
    let account = key.get(..22).filter(|it| it.starts_with("a/"));
    let shelf = key.get(..20).filter(|it| it.starts_with("u/") || it.starts_with("x/"));
    let presets = key.starts_with('o').then_some("o");
    let places = [Some(key), account, shelf, presets];
    places.into_iter().flatten().any(|place| error.contains(place))
}

async fn is_found(store: Arc<dyn Store>, key: &str) -> bool {
    let mut verification = Verification::begin(&store, None).await.unwrap();
    let mut findings = Vec::new();
    while let Some((found, _)) = verification.next().await.unwrap() {
        findings.extend(found);
    }
    findings.iter().any(|it| is_about(&it.key, key) || is_about(&it.problem, key))
}
