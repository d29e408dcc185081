//! An account as the watch tells it, and the state that it makes.
//!
//! The way back from messages to the directory's values. What cannot be read is kept as unreadable,
//! so that it denies (rule D-05); what was deleted stays known as deleted, so that what refers to
//! it means nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::directory::{
    Account, AccountState, App, Attachment, Attachments, Group, GroupId, OperatorPreset, Policy,
    PolicyBody, PolicyId, PolicyVersion, Presets, Role, RoleId, ShortProfile, Slot, SubAccount,
    SubAccountKind, Tombstone, UnixMillis, VersionNumber,
};
use crate::lang;
use crate::lang::variable::Owner;
use crate::service::proto;
use crate::service::proto::account_object::Object;
use crate::service::proto::object_key::Key;

/// Which object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Which {
    Account,
    SubAccount(u64),
    Group(u64),
    Policy(u64),
    App(u64),
    Role(u64),
}

/// All that the watch has told.
#[derive(Debug, Clone, Default)]
pub(super) struct Objects {
    there: BTreeMap<Which, proto::AccountObject>,
    gone: BTreeSet<Which>,
    presets: proto::WatchPresets,
}

impl Objects {
    pub(super) fn new(
        objects: Vec<proto::AccountObject>,
        removed: &[proto::ObjectKey],
        presets: proto::WatchPresets,
    ) -> Self {
        let mut all = Self { presets, ..Self::default() };
        all.apply(objects, removed);
        all
    }

    /// Puts and removes, as one commit did.
    pub(super) fn apply(&mut self, put: Vec<proto::AccountObject>, removed: &[proto::ObjectKey]) {
        for object in put {
            let Some(which) = which(&object) else { continue };
            self.gone.remove(&which);
            self.there.insert(which, object);
        }
        for key in removed {
            let which = match key.key {
                Some(Key::SubAccountUin(uin)) => Which::SubAccount(uin),
                Some(Key::GroupId(id)) => Which::Group(id),
                Some(Key::PolicyId(id)) => Which::Policy(id),
                Some(Key::Sdkappid(id)) => Which::App(id),
                Some(Key::RoleId(id)) => Which::Role(id),
                None => continue,
            };
            self.there.remove(&which);
            self.gone.insert(which);
        }
    }

    pub(super) fn set_presets(&mut self, presets: proto::WatchPresets) {
        self.presets = presets;
    }

    /// What is to be kept: the objects, the keys of those that are gone, and the presets.
    pub(super) fn parts(
        &self,
    ) -> (Vec<proto::AccountObject>, Vec<proto::ObjectKey>, proto::WatchPresets) {
        let key = |which: &Which| {
            let key = match which {
                Which::Account => None,
                Which::SubAccount(uin) => Some(Key::SubAccountUin(*uin)),
                Which::Group(id) => Some(Key::GroupId(*id)),
                Which::Policy(id) => Some(Key::PolicyId(*id)),
                Which::App(id) => Some(Key::Sdkappid(*id)),
                Which::Role(id) => Some(Key::RoleId(*id)),
            };
            proto::ObjectKey { key }
        };
        let gone = self.gone.iter().map(key).collect();
        (self.there.values().cloned().collect(), gone, self.presets.clone())
    }

    /// The digest of what the server decides with beside the account.
    pub(super) fn shipped_digest(&self) -> &str {
        &self.presets.shipped_digest
    }

    /// The presets of the server.
    pub(super) fn presets(&self) -> Presets {
        let own = self.presets.operator_presets.iter().map(|it| OperatorPreset {
            id: PolicyId(it.policy_id),
            name: it.name.clone(),
            version: VersionNumber(it.default_version),
            body: body(it),
            is_withdrawn: false,
        });
        Presets::new(&own.collect::<Vec<_>>())
    }

    /// The account's state; one without a head does not exist.
    pub(super) fn state(&self) -> AccountState {
        let mut state = AccountState::default();
        for which in &self.gone {
            match which {
                Which::Group(id) => {
                    state.groups.insert(GroupId(*id), Slot::Deleted(tombstone()));
                }
                Which::Policy(id) => {
                    state.policies.insert(PolicyId(*id), Slot::Deleted(tombstone()));
                }
                Which::Account | Which::SubAccount(_) | Which::App(_) | Which::Role(_) => {}
            }
        }
        for object in self.there.values() {
            match &object.object {
                Some(Object::Account(it)) => {
                    let owner = Owner { uin: it.owner_uin, app_id: it.app_id };
                    state.account = Some(Arc::new(Account::new(owner, UnixMillis(0))));
                }
                Some(Object::SubAccount(it)) => {
                    state.sub_accounts.insert(it.uin, Arc::new(sub_account(it)));
                }
                Some(Object::Group(it)) => {
                    state.groups.insert(GroupId(it.group_id), Slot::Live(Arc::new(group(it))));
                }
                Some(Object::Policy(it)) => policy(it, &mut state),
                Some(Object::App(it)) => {
                    state.apps.insert(it.sdkappid, Arc::new(app(it)));
                }
                Some(Object::Role(it)) => {
                    state.roles.insert(RoleId(it.role_id), Arc::new(role(it)));
                }
                None => {}
            }
        }
        state
    }
}

fn which(object: &proto::AccountObject) -> Option<Which> {
    Some(match object.object.as_ref()? {
        Object::Account(_) => Which::Account,
        Object::SubAccount(it) => Which::SubAccount(it.uin),
        Object::Group(it) => Which::Group(it.group_id),
        Object::Policy(it) => Which::Policy(it.policy_id),
        Object::App(it) => Which::App(it.sdkappid),
        Object::Role(it) => Which::Role(it.role_id),
    })
}

fn tombstone() -> Arc<Tombstone> {
    Arc::new(Tombstone { name: String::new(), deleted_at: UnixMillis(0) })
}

fn attachments(list: &[proto::PolicyRef]) -> Attachments {
    let one = |it: &proto::PolicyRef| Attachment {
        policy: PolicyId(it.policy_id),
        attached_at: UnixMillis(0),
    };
    list.iter().map(one).collect()
}

fn boundary(it: Option<&proto::PolicyRef>) -> Option<PolicyId> {
    it.map(|it| PolicyId(it.policy_id))
}

fn sub_account(it: &proto::SubAccount) -> SubAccount {
    let kind = match it.kind() {
        proto::SubAccountKind::SubUser => SubAccountKind::SubUser,
        proto::SubAccountKind::WecomSubUser => SubAccountKind::WecomSubUser,
        proto::SubAccountKind::Collaborator => SubAccountKind::Collaborator,
        // A kind of a later version can do nothing here.
        proto::SubAccountKind::MessageRecipient | proto::SubAccountKind::Unspecified => {
            SubAccountKind::MessageRecipient
        }
    };
    SubAccount {
        uin: it.uin,
        uid: it.uid,
        name: it.name.as_str().into(),
        kind,
        remark: "".into(),
        created_at: UnixMillis(0),
        attachments: attachments(&it.policies),
        groups: it.groups.iter().map(|group| GroupId(group.group_id)).collect(),
        boundary: boundary(it.boundary.as_ref()),
        profile: ShortProfile::default(),
    }
}

fn group(it: &proto::Group) -> Group {
    Group {
        id: GroupId(it.group_id),
        name: it.name.clone(),
        remark: String::new(),
        created_at: UnixMillis(0),
        attachments: attachments(&it.policies),
    }
}

fn role(it: &proto::Role) -> Role {
    Role {
        id: RoleId(it.role_id),
        name: it.name.clone(),
        description: String::new(),
        trust: PolicyBody::load_trust(it.trust_policy.as_bytes()),
        session_duration_s: it.session_duration_s,
        console_login: it.console_login,
        tags: BTreeMap::new(),
        created_at: UnixMillis(0),
        updated_at: UnixMillis(0),
        attachments: attachments(&it.policies),
        boundary: boundary(it.boundary.as_ref()),
    }
}

fn app(it: &proto::App) -> App {
    App {
        sdkappid: it.sdkappid,
        name: it.name.clone(),
        tags: it.tags.clone(),
        created_at: UnixMillis(0),
    }
}

fn policy(it: &proto::Policy, state: &mut AccountState) {
    let (id, number) = (PolicyId(it.policy_id), VersionNumber(it.default_version));
    let policy = Policy {
        id,
        name: it.name.clone(),
        description: String::new(),
        created_at: UnixMillis(0),
        updated_at: UnixMillis(0),
        default_version: number,
        next_version: number,
        tags: BTreeMap::new(),
    };
    let version = PolicyVersion { policy: id, number, created_at: UnixMillis(0), body: body(it) };
    state.policies.insert(id, Slot::Live(Arc::new(policy)));
    state.versions.insert((id, number), Arc::new(version));
}

/// The document, if it means here what it means to the server: its digest says so. The server gives
/// none for one that it cannot read.
fn body(it: &proto::Policy) -> PolicyBody {
    let body = PolicyBody::load(it.document.as_bytes());
    let is_same = body.valid().is_some_and(|policy| lang::digest(policy) == it.digest);
    if is_same {
        return body;
    }
    PolicyBody::Unreadable { bytes: Arc::from(it.document.as_bytes()), findings: Arc::from([]) }
}
