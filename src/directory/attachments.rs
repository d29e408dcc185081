//! The policies attached to one user, group or role, as a shared list.
//!
//! Thousands of sub-accounts of an account hold the same list, which then stands in memory once:
//! who reads an account shares equal lists ([`Attachments::shared_by`]). It says nothing about what
//! may be attached.

use std::collections::HashSet;
use std::ops::Deref;
use std::sync::Arc;

use super::sub_account::Attachment;

/// Policies in the order of attaching; no policy twice.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attachments(Arc<[Attachment]>);

impl Attachments {
    /// Adds one at the end.
    pub fn push(&mut self, attachment: Attachment) {
        self.0 = self.0.iter().copied().chain([attachment]).collect();
    }

    /// Keeps those that are wanted.
    pub fn retain(&mut self, is_wanted: impl Fn(&Attachment) -> bool) {
        self.0 = self.0.iter().filter(|it| is_wanted(it)).copied().collect();
    }

    /// Makes it the list among `known` that equals it, or adds it there.
    pub fn shared_by(&mut self, known: &mut HashSet<Self>) {
        match known.get(self) {
            Some(same) => *self = same.clone(),
            None => drop(known.insert(self.clone())),
        }
    }
}

impl Default for Attachments {
    fn default() -> Self {
        Self(Arc::from([]))
    }
}

impl Deref for Attachments {
    type Target = [Attachment];

    fn deref(&self) -> &[Attachment] {
        &self.0
    }
}

impl From<Vec<Attachment>> for Attachments {
    fn from(attachments: Vec<Attachment>) -> Self {
        Self(attachments.into())
    }
}

impl FromIterator<Attachment> for Attachments {
    fn from_iter<T: IntoIterator<Item = Attachment>>(attachments: T) -> Self {
        Self(attachments.into_iter().collect())
    }
}

impl<'a> IntoIterator for &'a Attachments {
    type Item = &'a Attachment;
    type IntoIter = std::slice::Iter<'a, Attachment>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{PolicyId, UnixMillis};

    #[test]
    fn equal_lists_stand_in_memory_once() {
        let attachment =
            |policy| Attachment { policy: PolicyId(policy), attached_at: UnixMillis(5) };
        let mut known = HashSet::new();
        let mut lists: Vec<Attachments> =
            [[1, 2], [1, 2], [2, 1]].map(|ids| ids.into_iter().map(attachment).collect()).into();
        lists.iter_mut().for_each(|list| list.shared_by(&mut known));
        assert_eq!(known.len(), 2);
        let [first, second, third] = &lists[..] else { panic!("three lists") };
        assert!(Arc::ptr_eq(&first.0, &second.0) && !Arc::ptr_eq(&first.0, &third.0));
        let mut more = first.clone();
        more.push(attachment(3));
        more.retain(|it| it.policy != PolicyId(1));
        assert_eq!(more.iter().map(|it| it.policy.0).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(first.len(), 2);
    }
}
