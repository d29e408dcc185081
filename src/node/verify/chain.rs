//! One change log, walked from its first entry to its last: what is missing, altered or moved.
//!
//! An entry is proved by the next one, which names its digest; the last by the head. Where an entry
//! contradicts the one before it, the one that something else proves is believed. Nothing that is
//! only not proved is called altered.

use super::Finding;
use crate::audit::Link;
use crate::directory::ChangeHead;
use crate::node::records;

/// An entry as it was found under its key.
pub(super) enum Seen {
    /// It can be read, and is the one that its key says.
    Entry(Link),
    /// It cannot, or is not.
    Faulty(String),
}

/// A walk along one log.
pub(super) struct Chain {
    owner_uin: u64,
    head: ChangeHead,
    /// The last number seen.
    last: u64,
    /// The digest of the last entry, when it could be read.
    digest: Option<[u8; 32]>,
    /// Before this number something is wrong, if this entry is right.
    doubted_by: Option<u64>,
    findings: Vec<Finding>,
}

impl Chain {
    pub(super) fn new(owner_uin: u64, head: ChangeHead) -> Self {
        let digest = Some(ChangeHead::default().digest);
        Self { owner_uin, head, last: 0, digest, doubted_by: None, findings: Vec::new() }
    }

    pub(super) fn owner_uin(&self) -> u64 {
        self.owner_uin
    }

    fn find(&mut self, sequence: u64, problem: String) {
        let key = records::text(&records::change_entry_key(self.owner_uin, sequence));
        self.findings.push(Finding { owner_uin: self.owner_uin, key, sequence, problem });
    }

    /// The next entry, in the order of their numbers.
    pub(super) fn see(&mut self, sequence: u64, seen: Seen) {
        if sequence > self.head.sequence {
            self.end();
            let end = self.head.sequence;
            return self
                .find(sequence, format!("it stands after entry {end}, the last by the head"));
        }
        self.miss(self.last.saturating_add(1), sequence);
        match seen {
            Seen::Faulty(problem) => {
                self.doubted_by = None;
                self.digest = None;
                self.find(sequence, problem);
            }
            Seen::Entry(link) => {
                let is_sound = self.settle(link.previous, sequence);
                self.digest = is_sound.then_some(link.digest);
            }
        }
        self.last = sequence;
    }

    /// Numbers from `first` up to, and without, `end` are not there.
    fn miss(&mut self, first: u64, end: u64) {
        let Some(last) = end.checked_sub(1).filter(|last| *last >= first) else { return };
        self.doubted_by = None;
        self.digest = None;
        let problem = match last == first {
            true => "it is missing".to_owned(),
            false => format!("entries {first} to {last} are missing"),
        };
        self.find(first, problem);
    }

    /// What the next entry, or the head, says about the one before: the digest that it had. False
    /// when the one that says so is known to be at fault itself.
    fn settle(&mut self, previous: [u8; 32], by: u64) -> bool {
        let before = by.saturating_sub(1);
        let doubted = self.doubted_by.take();
        // The one before is known to be faulty or gone: nothing can be said of it.
        let Some(digest) = self.digest else { return true };
        match (digest == previous, doubted) {
            (true, None) => {}
            // The one that doubted is proved, so what it doubted was altered.
            (true, Some(doubted)) => self.altered(doubted.saturating_sub(1), ""),
            (false, None) if before == 0 => {
                self.find(by, "it was altered: it names an entry before the first".to_owned());
                return false;
            }
            (false, None) => self.doubted_by = Some(by),
            // It contradicts both its neighbours: itself is at fault. Of the one before it nobody
            // else speaks.
            (false, Some(_)) => self.altered(before, ", and so may the one before it"),
        }
        true
    }

    fn altered(&mut self, sequence: u64, more: &str) {
        let problem = format!("it was altered{more}: what follows it names another digest");
        self.find(sequence, problem);
    }

    /// The head has its say.
    fn end(&mut self) {
        if self.last >= self.head.sequence && self.digest.is_none() && self.doubted_by.is_none() {
            return;
        }
        let end = self.head.sequence;
        if self.last < end {
            let first = self.last.saturating_add(1);
            self.miss(first, end.saturating_add(1));
        } else {
            self.settle(self.head.digest, end.saturating_add(1));
            // The head is believed.
            if self.doubted_by.take().is_some() {
                self.altered(end, "");
            }
        }
        self.last = end;
        self.digest = None;
    }

    /// Everything that was found, when the walk is over.
    pub(super) fn finish(mut self) -> Vec<Finding> {
        self.end();
        self.findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{ChangeEntry, Origin, digest};
    use crate::directory::UnixMillis;
    use crate::store::record::encode_change_entry;

    const OWNER: u64 = 12_345_678;

    fn entries(count: u64) -> (Vec<ChangeEntry>, ChangeHead) {
        let (mut head, mut entries) = (ChangeHead::default(), Vec::new());
        for _ in 0..count {
            let at = UnixMillis(0);
            let entry = ChangeEntry::after(&head, OWNER, at, Origin::default());
            let bytes = encode_change_entry(&entry);
            head = ChangeHead { sequence: entry.sequence, digest: digest(&bytes) };
            entries.push(entry);
        }
        (entries, head)
    }

    fn walk(entries: &[ChangeEntry], head: ChangeHead) -> Vec<(u64, String)> {
        let mut chain = Chain::new(OWNER, head);
        for entry in entries {
            let link = Link::new(entry, &encode_change_entry(entry));
            chain.see(entry.sequence, Seen::Entry(link));
        }
        chain.finish().into_iter().map(|it| (it.sequence, it.problem)).collect()
    }

    fn numbers(found: &[(u64, String)]) -> Vec<u64> {
        found.iter().map(|(sequence, _)| *sequence).collect()
    }

    #[test]
    fn each_fault_is_named_and_nothing_else() {
        let (whole, head) = entries(6);
        assert_eq!(walk(&whole, head), []);
        assert_eq!(walk(&[], ChangeHead::default()), []);
        for at in 0..6 {
            let sequence = at as u64 + 1;
            let (mut content, mut link, mut gone) = (whole.clone(), whole.clone(), whole.clone());
            content[at].operations.push("Other".to_owned());
            assert_eq!(numbers(&walk(&content, head)), [sequence], "content");
            link[at].previous[3] ^= 1;
            assert_eq!(numbers(&walk(&link, head)), [sequence], "link");
            gone.remove(at);
            let found = walk(&gone, head);
            assert_eq!(found, [(sequence, "it is missing".to_owned())]);
            let cut = walk(&whole[..at], head);
            assert_eq!(numbers(&cut), [sequence], "cut off");
            let (_, older) = entries(sequence - 1);
            let more = walk(&whole, older);
            assert_eq!(numbers(&more), (sequence..=6).collect::<Vec<_>>(), "{more:?}");
        }
        let mut two = whole.clone();
        two[1].operations.push("Other".to_owned());
        two[4].previous[0] ^= 1;
        assert_eq!(numbers(&walk(&two, head)), [2, 5]);
    }
}
