//! The change log of a node's account, read to the end and found whole.

use camgate::audit::{ChangeEntry, Origin};
use camgate::directory::UnixMillis;
use camgate::node::{Clock as _, Node, SystemClock, Trace};

/// All entries with their revisions. Each is proved, numbers and revisions rise, and the last is
/// what the account says; so no edit of the log can hide here.
pub(crate) async fn whole_log(node: &Node, owner_uin: u64) -> Vec<(ChangeEntry, u64)> {
    let mut log: Vec<(ChangeEntry, u64)> = Vec::new();
    loop {
        let first = log.len() as u64 + 1;
        let page = node.change_log(owner_uin, first, 7, None).await.unwrap();
        if page.changes.is_empty() {
            assert_eq!(page.last_sequence, log.len() as u64);
            return log;
        }
        for change in page.changes {
            assert_eq!(change.problem, None, "{}", change.sequence);
            assert_eq!(change.sequence, log.len() as u64 + 1);
            let revision = change.revision.unwrap().0;
            assert!(log.last().is_none_or(|last| last.1 < revision));
            log.push((change.entry.unwrap(), revision));
        }
    }
}

/// Who changes callers in tests: the program itself, now.
pub(crate) fn trace() -> Trace {
    Trace { origin: Origin::default(), at: UnixMillis(SystemClock.now().as_millisecond()) }
}
