//! What happened, and whether it may have: a checker in the manner of Jepsen.
//!
//! Every user's grant has one writer, so its states are a line of commits. The store's own change
//! stream says at which revision each became true; with that, every answer can be judged: it must
//! say what was true at the revision it names, and that revision must not be older than the token
//! it was asked with.

use std::collections::BTreeMap;

use camgate::directory::Record;
use camgate::store::record::{Stored, decode};
use camgate::store::{ChangeSet, Mutation, Revision, key};

/// What a client saw.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// A write that was acknowledged: from `revision` on the user has this.
    Written { uin: u64, has: bool, revision: Revision },
    /// An answer: at `revision` the user was allowed or not, asked with the token of `token`.
    Checked { uin: u64, is_allowed: bool, revision: Revision, token: Revision },
    /// An answer to both halves of what is always changed together.
    Swapped { left: bool, right: bool },
}

/// Whether a user has its policy, by the revision from which on that is so.
#[derive(Debug, Default)]
pub(crate) struct Truth(BTreeMap<u64, BTreeMap<Revision, bool>>);

impl Truth {
    /// Takes in a commit of the store.
    pub(crate) fn take(&mut self, change: &ChangeSet) {
        for mutation in &change.mutations {
            let Mutation::Put { key, value } = mutation else { continue };
            if key::owner_of(key).is_none() {
                continue;
            }
            if let Ok(Stored::Account { record: Record::SubAccount(user), .. }) = decode(key, value)
            {
                let has = !user.attachments.is_empty();
                self.0.entry(user.uin).or_default().insert(change.revision, has);
            }
        }
    }

    fn at(&self, uin: u64, revision: Revision) -> bool {
        let states = self.0.get(&uin).map(|states| states.range(..=revision));
        states.and_then(|mut states| states.next_back()).is_some_and(|(_, has)| *has)
    }

    /// How many commits it knows.
    pub(crate) fn len(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    /// What may not have happened, in words.
    pub(crate) fn violations(&self, events: &[Event]) -> Vec<String> {
        events.iter().filter_map(|event| self.violation(event)).collect()
    }

    fn violation(&self, event: &Event) -> Option<String> {
        match event {
            Event::Written { uin, has, revision } => (self.at(*uin, *revision) != *has)
                .then(|| format!("an acknowledged write is not there: {event:?}")),
            Event::Checked { revision, token, .. } if revision < token => {
                Some(format!("an answer is older than its token: {event:?}"))
            }
            Event::Checked { uin, is_allowed, revision, .. } => (self.at(*uin, *revision)
                != *is_allowed)
                .then(|| format!("an answer is not what was true: {event:?}")),
            Event::Swapped { left, right } => {
                (left == right).then(|| format!("half of a commit was seen: {event:?}"))
            }
        }
    }
}

#[test]
fn the_checker_knows_right_from_wrong() {
    let mut truth = Truth::default();
    truth.0.insert(1, BTreeMap::from([(Revision(5), true), (Revision(8), false)]));
    let checked = |is_allowed, revision, token| Event::Checked {
        uin: 1,
        is_allowed,
        revision: Revision(revision),
        token: Revision(token),
    };
    let written = |has, revision| Event::Written { uin: 1, has, revision: Revision(revision) };
    let swapped = |left, right| Event::Swapped { left, right };
    let good = [
        checked(false, 4, 0),
        checked(true, 5, 5),
        checked(true, 7, 5),
        checked(false, 8, 8),
        written(true, 5),
        written(false, 8),
        swapped(true, false),
        swapped(false, true),
    ];
    assert_eq!(truth.violations(&good), Vec::<String>::new());
    let bad = [
        checked(true, 4, 0),
        checked(false, 6, 0),
        checked(true, 7, 8),
        checked(true, 9, 8),
        written(false, 6),
        swapped(true, true),
        swapped(false, false),
    ];
    assert_eq!(truth.violations(&bad).len(), bad.len());
}
