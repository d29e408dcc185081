//! The directory on values: what every other way of administration must end in.
//!
//! Also makes wishes into commands about what is there: names and numbers from small pools become
//! ids of things that exist, where there are any, because that is how gRPC and the API name them.

use camgate::directory::{
    AccountState, AddToGroup, BoundaryTarget, Command, CreateAccessKey, CreateAccount,
    CreateSubAccount, DeletePolicy, GroupId, GroupRef, PasswordHash, PolicyId, PolicyRef,
    RemoveFromGroup, RoleId, RoleRef, SealedSecret, SecretId, SubAccountKind, Target, execute,
};

use super::Outcome;
use super::generate::Wish;
use super::server::quotas;
use crate::directory::random::NAMES;
use crate::directory::{ALICE, Fixture, OWNER, secret_id};

/// Kinds of commands that are compared: all, but the creation of the account, which comes first.
pub(super) const KINDS: usize = 29;
/// The first uin that a server allots.
const FIRST_ALLOTTED: u64 = 100_000_000_001;

/// What is carried out whole or not at all: one command, or those of one call of the API.
pub(super) type Step = Vec<Command>;

/// Whether the server chose this uin.
pub(super) fn is_allotted(uin: u64) -> bool {
    uin >= FIRST_ALLOTTED
}

/// The thing that a place in a pool means: each means one of those there are, but the last, which
/// means none.
fn pick<T>(things: impl Iterator<Item = T>, place: Option<usize>) -> Option<T> {
    let mut things: Vec<T> = things.collect();
    let place = place.filter(|place| place + 1 < NAMES.len() && !things.is_empty())?;
    Some(things.swap_remove(place % things.len()))
}

fn place(name: &str) -> Option<usize> {
    NAMES.iter().position(|it| *it == name)
}

/// The account, and what its change log says.
pub(super) struct Model {
    fixture: Fixture,
    next_uin: u64,
    next_key: u8,
    of_commands: Vec<String>,
    of_calls: Vec<String>,
}

impl Model {
    /// No account yet.
    pub(super) fn new() -> Self {
        let fixture = Fixture { quotas: quotas(), ..Fixture::vacant() };
        let (of_commands, of_calls) = (Vec::new(), Vec::new());
        Self { fixture, next_uin: FIRST_ALLOTTED, next_key: 10, of_commands, of_calls }
    }

    /// What the servers have after their own set-up: the account, and a key of its root.
    pub(super) fn set_up(&mut self) {
        let key = self.new_key(OWNER.uin, String::new());
        for command in [Command::CreateAccount(CreateAccount { owner: OWNER }), key] {
            self.run(&vec![command]).unwrap();
        }
    }

    pub(super) fn now(&self) -> i64 {
        self.fixture.now
    }

    pub(super) fn state(&self) -> &AccountState {
        &self.fixture.state
    }

    /// The operations of each entry when every command is a commit.
    pub(super) fn log_of_commands(&self) -> &Vec<String> {
        &self.of_commands
    }

    /// The operations of each entry when every step is a commit.
    pub(super) fn log_of_calls(&self) -> &Vec<String> {
        &self.of_calls
    }

    /// Runs a step, whole or not at all; the clock goes on either way.
    pub(super) fn run(&mut self, step: &Step) -> Outcome {
        self.fixture.now += 1;
        let before = self.fixture.clone();
        let mut changing = Vec::new();
        for command in step {
            match execute(&self.fixture.state, command, &self.fixture.env()) {
                Ok(executed) if executed.changes.is_empty() => {}
                Ok(executed) => {
                    self.fixture.apply(&executed.changes);
                    changing.push(command.name().to_owned());
                }
                Err(error) => {
                    self.fixture = before;
                    return Err(error.code().to_owned());
                }
            }
        }
        if !changing.is_empty() {
            let mut names: Vec<&str> = step.iter().map(Command::name).collect();
            names.dedup();
            self.of_calls.push(names.join("+"));
        }
        self.of_commands.extend(changing);
        let is_new = |uin: u64| self.state().sub_account(uin).is_some();
        self.next_uin =
            (self.next_uin..).find(|uin| !is_new(*uin) && !self.was_there(*uin)).unwrap();
        Ok(())
    }

    /// Whether a uin was a sub-account's; it is never allotted again.
    fn was_there(&self, uin: u64) -> bool {
        self.fixture.globals.uin(uin).unwrap().is_some()
    }

    /// The commands that a wish comes to now.
    pub(super) fn step(&mut self, wish: &Wish) -> Step {
        let user = |uin| self.user(uin);
        let group = |group: &GroupRef| self.group(group);
        match wish {
            Wish::One(command) => {
                let mut command = command.clone();
                self.localise(&mut command);
                vec![command]
            }
            Wish::UserWithKey(user) => {
                let user = self.new_user(user.clone());
                let key = self.new_key(user.uin, String::new());
                vec![Command::CreateSubAccount(user), key]
            }
            Wish::DeletePolicies(policies) => {
                // A call is a set of ids; they are deleted in their order.
                let ids: std::collections::BTreeSet<PolicyId> =
                    policies.iter().map(|it| self.policy(it)).collect();
                let delete = |id: PolicyId| DeletePolicy { policy: id.into(), force: false };
                ids.into_iter().map(|id| Command::DeletePolicy(delete(id))).collect()
            }
            Wish::Join(members) => members
                .iter()
                .map(|(it, uin)| AddToGroup { group: group(it), uin: user(*uin) })
                .map(Command::AddToGroup)
                .collect(),
            Wish::Leave(members) => members
                .iter()
                .map(|(it, uin)| RemoveFromGroup { group: group(it), uin: user(*uin) })
                .map(Command::RemoveFromGroup)
                .collect(),
        }
    }

    /// A user as the API creates them: the uin is allotted; a console login comes with a password,
    /// and no password without one.
    fn new_user(&self, user: CreateSubAccount) -> CreateSubAccount {
        let mut profile = user.profile;
        profile.password_hash = profile.console_login.then(|| PasswordHash("$".to_owned()));
        CreateSubAccount { uin: self.next_uin, profile, ..user }
    }

    fn new_key(&mut self, holder: u64, description: String) -> Command {
        self.next_key += 1;
        let secret_id = secret_id(self.next_key);
        let sealed_secret = SealedSecret(b"sealed".as_slice().into());
        Command::CreateAccessKey(CreateAccessKey { holder, secret_id, sealed_secret, description })
    }

    /// The user that a number of the pool means.
    fn user(&self, uin: u64) -> u64 {
        let place = uin.checked_sub(ALICE).and_then(|place| usize::try_from(place).ok());
        pick(self.state().sub_accounts.keys(), place).copied().unwrap_or(uin)
    }

    fn group(&self, group: &GroupRef) -> GroupRef {
        match group {
            GroupRef::Id(id) => (*id).into(),
            GroupRef::Name(name) => {
                let found = pick(self.state().live_groups(), place(name));
                found.map_or(GroupId(999), |it| it.id).into()
            }
        }
    }

    fn policy(&self, policy: &PolicyRef) -> PolicyId {
        match policy {
            PolicyRef::Id(id) => *id,
            PolicyRef::Name(name) => {
                let found = pick(self.state().live_policies(), place(name));
                found.map_or(PolicyId(1_999_999), |it| it.id)
            }
        }
    }

    fn role(&self, role: &RoleRef) -> RoleRef {
        match role {
            RoleRef::Id(id) => (*id).into(),
            RoleRef::Name(name) => {
                let found = pick(self.state().roles.values(), place(name));
                found.map_or(RoleId(RoleId::MIN.0 + 999), |it| it.id).into()
            }
        }
    }

    /// The key that an id of the pool means; never the one of the root that signs.
    fn key(&self, id: SecretId) -> SecretId {
        let place = (0..5).position(|number| secret_id(number) == id);
        pick(self.state().access_keys.keys().skip(1), place).copied().unwrap_or(id)
    }

    fn localise_target(&self, target: &mut Target) {
        *target = match target {
            Target::User(uin) => Target::User(self.user(*uin)),
            Target::Group(group) => Target::Group(self.group(group)),
            Target::Role(role) => Target::Role(self.role(role)),
        };
    }

    fn localise_bounded(&self, target: &mut BoundaryTarget) {
        *target = match target {
            BoundaryTarget::User(uin) => BoundaryTarget::User(self.user(*uin)),
            BoundaryTarget::Role(role) => BoundaryTarget::Role(self.role(role)),
        };
    }

    fn localise(&mut self, command: &mut Command) {
        match command {
            Command::CreateSubAccount(it) if it.uin == 0 || it.uin.is_multiple_of(2) => {
                it.kind = SubAccountKind::SubUser;
                *it = self.new_user(it.clone());
            }
            Command::CreateAccessKey(it) => {
                let holder = if it.holder == OWNER.uin { it.holder } else { self.user(it.holder) };
                *command = self.new_key(holder, it.description.clone());
            }
            Command::UpdateAccessKey(it) => {
                (it.secret_id, it.holder) = (self.key(it.secret_id), None)
            }
            Command::DeleteAccessKey(it) => {
                (it.secret_id, it.holder) = (self.key(it.secret_id), None)
            }
            Command::UpdateSubAccount(it) => {
                it.uin = self.user(it.uin);
                // Of two faults either may be told: the API looks for the name before all else.
                if self.state().sub_account(it.uin).is_none() {
                    it.remark = Some(String::new());
                }
            }
            Command::DeleteSubAccount(it) => it.uin = self.user(it.uin),
            Command::UpdateGroup(it) => it.group = self.group(&it.group),
            Command::DeleteGroup(it) => it.group = self.group(&it.group),
            Command::AddToGroup(it) => {
                (it.group, it.uin) = (self.group(&it.group), self.user(it.uin));
            }
            Command::RemoveFromGroup(it) => {
                (it.group, it.uin) = (self.group(&it.group), self.user(it.uin));
            }
            Command::UpdatePolicy(it) => it.policy = self.policy(&it.policy).into(),
            Command::CreatePolicyVersion(it) => it.policy = self.policy(&it.policy).into(),
            Command::SetDefaultPolicyVersion(it) => it.policy = self.policy(&it.policy).into(),
            Command::DeletePolicyVersion(it) => it.policy = self.policy(&it.policy).into(),
            Command::DeletePolicy(it) => it.policy = self.policy(&it.policy).into(),
            Command::AttachPolicy(it) => {
                it.policy = self.policy(&it.policy).into();
                self.localise_target(&mut it.target);
            }
            Command::DetachPolicy(it) => {
                it.policy = self.policy(&it.policy).into();
                self.localise_target(&mut it.target);
            }
            Command::PutBoundary(it) => {
                it.policy = self.policy(&it.policy).into();
                self.localise_bounded(&mut it.target);
            }
            Command::DeleteBoundary(it) => self.localise_bounded(&mut it.target),
            Command::UpdateRole(it) => it.role = self.role(&it.role),
            Command::DeleteRole(it) => it.role = self.role(&it.role),
            Command::TagRole(it) => it.role = self.role(&it.role),
            Command::UntagRole(it) => it.role = self.role(&it.role),
            Command::CreateAccount(_)
            | Command::CreateSubAccount(_)
            | Command::CreateGroup(_)
            | Command::CreatePolicy(_)
            | Command::CreateApp(_)
            | Command::UpdateApp(_)
            | Command::DeleteApp(_)
            | Command::CreateRole(_) => {}
        }
    }
}
