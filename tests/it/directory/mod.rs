//! The directory: each command at its limits, presets, folders, stored records, random sequences.

mod access_keys;
mod accounts;
mod apps;
mod attachments;
mod folders;
mod policies;
mod presets;
pub(crate) mod random;
mod records;
mod roles;

use std::collections::BTreeMap;
use std::sync::Arc;

use camgate::catalog::Catalog;
use camgate::directory::{
    AccountState, AttachPolicy, Change, Command, CommandResult, CreateAccount, CreateGroup,
    CreatePolicy, CreateRole, CreateSubAccount, DirectoryError, Env, Executed, GlobalKey, Globals,
    GroupId, PolicyId, PolicyRef, Presets, Profile, Quotas, Record, RecordKey, RoleId, SecretId,
    SubAccountKind, Target, UnixMillis, execute,
};
use camgate::lang::variable::Owner;

pub(crate) const OWNER: Owner = Owner { uin: 12_345_678, app_id: 1_250_000_001 };
pub(crate) const ALICE: u64 = 100_000_001;
pub(crate) const BOB: u64 = 100_000_002;
pub(crate) const ALLOW: &str =
    r#"{"version":"2.0","statement":[{"effect":"allow","action":"name/im:*","resource":"*"}]}"#;
pub(crate) const DENY: &str =
    r#"{"version":"2.0","statement":[{"effect":"deny","action":"name/im:*","resource":"*"}]}"#;

pub(crate) const TRUST: &str = r#"{"version":"2.0","statement":[{"effect":"allow",
    "action":"name/sts:AssumeRole","principal":{"qcs":"qcs::cam::uin/12345678:root"}}]}"#;

/// One of a few SecretIds.
pub(crate) fn secret_id(number: u8) -> SecretId {
    SecretId::parse(&format!("AKID{number:032}")).unwrap()
}

/// One account and the global records, as the node would keep them.
#[derive(Clone)]
pub(crate) struct Fixture {
    pub(crate) state: AccountState,
    pub(crate) globals: Globals,
    pub(crate) quotas: Quotas,
    pub(crate) presets: Presets,
    pub(crate) now: i64,
}

impl Fixture {
    /// No account yet.
    pub(crate) fn vacant() -> Self {
        Self {
            state: AccountState::default(),
            globals: Globals::assume_absent(),
            quotas: Quotas::default(),
            presets: Presets::built_in(),
            now: 1_700_000_000_000,
        }
    }

    /// The account of [`OWNER`] with the sub-users alice and bob.
    pub(crate) fn new() -> Self {
        let mut fixture = Self::vacant();
        fixture.done(Command::CreateAccount(CreateAccount { owner: OWNER }));
        fixture.user(ALICE, "alice");
        fixture.user(BOB, "bob");
        fixture
    }

    pub(crate) fn env(&self) -> Env<'_> {
        Env {
            now: UnixMillis(self.now),
            quotas: &self.quotas,
            presets: &self.presets,
            vocabulary: Catalog::builtin(),
            globals: &self.globals,
        }
    }

    /// Executes a command and makes its changes true.
    pub(crate) fn run(&mut self, command: &Command) -> Result<Executed, DirectoryError> {
        self.now += 1;
        let executed = execute(&self.state, command, &self.env())?;
        self.apply(&executed.changes);
        Ok(executed)
    }

    pub(crate) fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            self.state.apply(change);
            match change {
                Change::Put(Record::UinEntry(it)) => {
                    self.globals.set_uin(it.uin, Some(Arc::clone(it)));
                }
                Change::Put(Record::AppEntry(it)) => self.globals.set_app(it.sdkappid, Some(*it)),
                Change::Delete(RecordKey::Global(GlobalKey::App(id))) => {
                    self.globals.set_app(*id, None);
                }
                Change::Put(Record::SecretEntry(it)) => {
                    self.globals.set_secret(it.secret_id, Some(*it));
                }
                Change::Delete(RecordKey::Global(GlobalKey::Secret(id))) => {
                    self.globals.set_secret(*id, None);
                }
                Change::Put(_) | Change::Delete(_) => {}
            }
        }
    }

    pub(crate) fn done(&mut self, command: Command) -> CommandResult {
        self.run(&command).unwrap_or_else(|error| panic!("{command:?}: {error}")).result()
    }

    pub(crate) fn refused(&mut self, command: Command) -> DirectoryError {
        let before = self.state.clone();
        let error = self.run(&command).unwrap_err();
        assert_eq!(self.state, before);
        error
    }

    /// Executes a command that must be fine and change nothing.
    pub(crate) fn idle(&mut self, command: Command) {
        assert_eq!(self.run(&command).unwrap().changes, []);
    }

    pub(crate) fn user(&mut self, uin: u64, name: &str) {
        self.add(uin, name, SubAccountKind::SubUser);
    }

    pub(crate) fn add(&mut self, uin: u64, name: &str, kind: SubAccountKind) {
        self.done(create_user(uin, name, kind));
    }

    pub(crate) fn group(&mut self, name: &str) -> GroupId {
        let command = CreateGroup { name: name.into(), remark: String::new() };
        let CommandResult::Group(id) = self.done(Command::CreateGroup(command)) else {
            panic!("no Group was made")
        };
        id
    }

    pub(crate) fn policy(&mut self, name: &str, document: &str) -> PolicyId {
        let CommandResult::Policy(id) = self.done(create_policy(name, document)) else {
            panic!("no Policy was made")
        };
        id
    }

    pub(crate) fn role(&mut self, name: &str) -> RoleId {
        let CommandResult::Role(id) = self.done(create_role(name)) else {
            panic!("no Role was made")
        };
        id
    }

    pub(crate) fn attach(&mut self, policy: impl Into<PolicyRef>, target: Target) {
        self.done(attach(policy, target));
    }
}

pub(crate) fn create_user(uin: u64, name: &str, kind: SubAccountKind) -> Command {
    let (name, remark) = (name.into(), String::new());
    let profile = Profile::default();
    Command::CreateSubAccount(CreateSubAccount { uin, name, kind, remark, profile })
}

pub(crate) fn create_policy(name: &str, document: &str) -> Command {
    let (name, description, document) = (name.into(), String::new(), document.into());
    let tags = BTreeMap::new();
    Command::CreatePolicy(CreatePolicy { name, description, document, tags })
}

pub(crate) fn create_role(name: &str) -> Command {
    let (name, trust_policy) = (name.to_owned(), TRUST.as_bytes().to_vec());
    Command::CreateRole(CreateRole { name, trust_policy, ..Default::default() })
}

pub(crate) fn attach(policy: impl Into<PolicyRef>, target: Target) -> Command {
    Command::AttachPolicy(AttachPolicy { policy: policy.into(), target })
}
