//! Whole accounts in a store, put there as records, without asking a node for each.

use std::sync::Arc;

use camgate::directory::{
    Account, Attachment, Change, Policy, PolicyBody, PolicyId, PolicyVersion, Profile, Record,
    Slot, SubAccount, SubAccountKind, UinEntry, UnixMillis, VersionNumber,
};
use camgate::lang;
use camgate::lang::variable::Owner;
use camgate::store::{Commit, Store, record};

use crate::workload::{Rng, Rule, document, draw_rules, names_of_actions};

/// What is in an account.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub sub_accounts: usize,
    pub policies: usize,
    /// Policies that each sub-account has.
    pub attached: usize,
    /// Different sets of them.
    pub sets: usize,
}

/// Mutations of one commit.
const CHUNK: usize = 500;

/// The uin of a root account.
pub fn owner(account: usize) -> u64 {
    200_000_000 + account as u64
}

/// The uin of a sub-account.
pub fn uin(account: usize, at: usize) -> u64 {
    100_000_000_001 + account as u64 * 10_000 + at as u64
}

pub fn policy_id(at: usize) -> PolicyId {
    PolicyId(PolicyId::CUSTOM_MIN.0 + at as u64)
}

/// What a policy says; the same in every account.
pub fn rules(policies: usize) -> Vec<Rule> {
    draw_rules(&mut Rng::new(7), policies)
}

/// The version of a policy that says `rule`.
pub fn version(at: usize, number: u32, rule: &Rule, owner_uin: u64) -> PolicyVersion {
    let json = document(rule, &names_of_actions(), false, owner_uin);
    let valid = lang::load(json.as_bytes()).expect("a valid policy");
    PolicyVersion {
        policy: policy_id(at),
        number: VersionNumber(number),
        created_at: UnixMillis(1_700_000_000_000),
        body: PolicyBody::Readable(Arc::new(valid)),
    }
}

pub fn policy(at: usize, default_version: u32) -> Policy {
    Policy {
        id: policy_id(at),
        name: format!("policy-{at}"),
        description: String::new(),
        created_at: UnixMillis(1_700_000_000_000),
        updated_at: UnixMillis(1_700_000_000_000),
        default_version: VersionNumber(default_version),
        next_version: VersionNumber(default_version + 1),
        tags: Default::default(),
    }
}

/// The sets of policies that sub-accounts have.
pub fn sets(shape: Shape) -> Vec<Vec<usize>> {
    let mut rng = Rng::new(9);
    let mut set = || {
        let mut set: Vec<usize> = (0..shape.attached).map(|_| rng.below(shape.policies)).collect();
        set.sort_unstable();
        set.dedup();
        set
    };
    (0..shape.sets).map(|_| set()).collect()
}

pub fn sub_account(account: usize, at: usize, set: &[usize]) -> SubAccount {
    let attach = |policy: &usize| Attachment {
        policy: policy_id(*policy),
        attached_at: UnixMillis(1_700_000_000_000),
    };
    SubAccount {
        uin: uin(account, at),
        uid: 1 + at as u64,
        name: format!("user-{at}").into(),
        kind: SubAccountKind::SubUser,
        remark: "".into(),
        created_at: UnixMillis(1_700_000_000_000 + at as i64),
        attachments: set.iter().map(attach).collect(),
        groups: Default::default(),
        boundary: None,
        profile: Profile::default().into(),
    }
}

/// Puts an account into the store.
pub async fn fill(store: &dyn Store, account: usize, shape: Shape) {
    let owner_uin = owner(account);
    let created_at = UnixMillis(1_700_000_000_000);
    let head = Account {
        next_policy_id: policy_id(shape.policies),
        next_uid: shape.sub_accounts as u64 + 1,
        ..Account::new(Owner { uin: owner_uin, app_id: 1_250_000_000 + account as u64 }, created_at)
    };
    let root = UinEntry { is_root: true, ..UinEntry::unseen(owner_uin) };
    let mut records = vec![Record::Account(Arc::new(head)), Record::UinEntry(Arc::new(root))];
    for (at, rule) in rules(shape.policies).iter().enumerate() {
        let made = policy(at, 1);
        records.push(Record::Policy(made.id, Slot::Live(Arc::new(made))));
        records.push(Record::Version(Arc::new(version(at, 1, rule, owner_uin))));
    }
    let sets = sets(shape);
    for at in 0..shape.sub_accounts {
        let made = sub_account(account, at, &sets[at % sets.len()]);
        let entry = UinEntry {
            uin: made.uin,
            is_root: false,
            home_uin: Some(owner_uin),
            owner_uins: vec![owner_uin],
        };
        records.push(Record::SubAccount(Arc::new(made)));
        records.push(Record::UinEntry(Arc::new(entry)));
    }
    for chunk in records.chunks(CHUNK) {
        let mut commit = Commit::new();
        for it in chunk {
            commit.mutations.push(record::mutation(owner_uin, &Change::Put(it.clone())));
        }
        store.commit(commit).await.expect("a commit");
    }
}
