//! From the directory's values to messages: accounts, sub-accounts, groups, policies, apps.

use std::collections::{BTreeMap, BTreeSet};

use super::{identities, narrow};
use crate::directory::{
    Account, AccountState, App, Attachment, Group, Policy, PolicyBody, PolicyId, PolicyVersion,
    Preset, PresetOrigin, Presets, Profile, RecordKey, Slot, SubAccount, SubAccountKind,
    UnixMillis,
};
use crate::lang;
use crate::node::{AccountEvent, Node, NodeError};
use crate::service::proto;
use crate::store::Revision;

pub(super) fn timestamp(time: UnixMillis) -> Option<prost_types::Timestamp> {
    let nanos = i32::try_from(time.0.rem_euclid(1_000).saturating_mul(1_000_000)).ok()?;
    Some(prost_types::Timestamp { seconds: time.0.div_euclid(1_000), nanos })
}

/// An account's head.
pub(in crate::service) fn account(account: &Account) -> proto::Account {
    let Account { owner, created_at, .. } = account;
    proto::Account {
        owner_uin: owner.uin,
        app_id: owner.app_id,
        created_at: timestamp(*created_at),
    }
}

/// An app.
pub(in crate::service) fn app(app: &App) -> proto::App {
    let App { sdkappid, name, tags, created_at } = app;
    proto::App {
        sdkappid: *sdkappid,
        name: name.clone(),
        tags: tags.clone(),
        created_at: timestamp(*created_at),
    }
}

fn policy_name(state: &AccountState, presets: &Presets, id: PolicyId) -> String {
    let custom = state.policy(id).map(|policy| policy.name.clone());
    let preset = || presets.get(id).map(|preset| preset.name.clone());
    custom.or_else(preset).unwrap_or_default()
}

pub(super) fn attachments(
    state: &AccountState,
    presets: &Presets,
    list: &[Attachment],
) -> Vec<proto::PolicyRef> {
    let reference = |it: &Attachment| proto::PolicyRef {
        policy_id: it.policy.0,
        policy_name: policy_name(state, presets, it.policy),
        attached_at: timestamp(it.attached_at),
    };
    // What was deleted means nothing and is not shown. What is missing denies (rule D-05), so a
    // watcher must see it.
    let is_there =
        |it: &&Attachment| !matches!(state.policies.get(&it.policy), Some(Slot::Deleted(_)));
    list.iter().filter(is_there).map(reference).collect()
}

/// A sub-account with what it holds.
pub(in crate::service) fn sub_account(
    state: &AccountState,
    presets: &Presets,
    it: &SubAccount,
) -> proto::SubAccount {
    let SubAccount {
        uin,
        name,
        kind,
        remark,
        created_at,
        attachments: list,
        groups,
        boundary,
        uid,
        profile,
    } = it;
    let Profile {
        console_login,
        need_reset_password,
        password_hash,
        phone_num,
        country_code,
        email,
    } = &**profile;
    let group = |id: &crate::directory::GroupId| {
        let name = match state.groups.get(id) {
            Some(Slot::Deleted(_)) => return None,
            Some(Slot::Live(group)) => group.name.clone(),
            None => String::new(),
        };
        Some(proto::GroupRef { group_id: id.0, group_name: name })
    };
    proto::SubAccount {
        uin: *uin,
        name: name.to_string(),
        kind: kind_word(*kind).into(),
        remark: remark.to_string(),
        created_at: timestamp(*created_at),
        policies: attachments(state, presets, list),
        groups: groups.iter().filter_map(group).collect(),
        boundary: self::boundary(state, presets, *boundary),
        uid: *uid,
        console_login: *console_login,
        need_reset_password: *need_reset_password,
        has_password: password_hash.is_some(),
        phone_num: phone_num.clone(),
        country_code: country_code.clone(),
        email: email.clone(),
    }
}

/// The policy that caps somebody.
pub(super) fn boundary(
    state: &AccountState,
    presets: &Presets,
    boundary: Option<PolicyId>,
) -> Option<proto::PolicyRef> {
    boundary.map(|id| proto::PolicyRef {
        policy_id: id.0,
        policy_name: policy_name(state, presets, id),
        attached_at: None,
    })
}

fn kind_word(kind: SubAccountKind) -> proto::SubAccountKind {
    match kind {
        SubAccountKind::SubUser => proto::SubAccountKind::SubUser,
        SubAccountKind::WecomSubUser => proto::SubAccountKind::WecomSubUser,
        SubAccountKind::Collaborator => proto::SubAccountKind::Collaborator,
        SubAccountKind::MessageRecipient => proto::SubAccountKind::MessageRecipient,
    }
}

/// The kind that a request names; a sub-user when it names none.
pub(in crate::service) fn sub_account_kind(number: i32) -> Result<SubAccountKind, NodeError> {
    match proto::SubAccountKind::try_from(number) {
        Ok(proto::SubAccountKind::Unspecified | proto::SubAccountKind::SubUser) => {
            Ok(SubAccountKind::SubUser)
        }
        Ok(proto::SubAccountKind::WecomSubUser) => Ok(SubAccountKind::WecomSubUser),
        Ok(proto::SubAccountKind::Collaborator) => Ok(SubAccountKind::Collaborator),
        Ok(proto::SubAccountKind::MessageRecipient) => Ok(SubAccountKind::MessageRecipient),
        Err(_) => Err(NodeError::BadField {
            field: "kind".to_owned(),
            problem: format!("has the unknown value {number}: use one of SubAccountKind"),
        }),
    }
}

/// A group with what it carries.
pub(in crate::service) fn group(
    state: &AccountState,
    presets: &Presets,
    it: &Group,
) -> proto::Group {
    let Group { id, name, remark, created_at, attachments: list } = it;
    proto::Group {
        group_id: id.0,
        name: name.clone(),
        remark: remark.clone(),
        created_at: timestamp(*created_at),
        policies: attachments(state, presets, list),
        members: narrow(state.members(*id).count()),
    }
}

pub(super) fn text(body: &PolicyBody) -> String {
    String::from_utf8_lossy(body.bytes()).into_owned()
}

fn digest(body: &PolicyBody) -> String {
    body.valid().map(|policy| lang::digest(policy)).unwrap_or_default()
}

fn uses(state: &AccountState, id: PolicyId) -> (u32, u32) {
    let (users, groups) =
        (state.users_with_policy(id).count(), state.groups_with_policy(id).count());
    let attached = users + groups + state.roles_with_policy(id).count();
    let bounded = state.users_with_boundary(id).count() + state.roles_with_boundary(id).count();
    (narrow(attached), narrow(bounded))
}

/// A custom policy; `with_document` is false in lists.
pub(in crate::service) fn policy(
    state: &AccountState,
    it: &Policy,
    with_document: bool,
) -> proto::Policy {
    let Policy {
        id,
        name,
        description,
        created_at,
        updated_at,
        default_version,
        next_version: _,
        tags,
    } = it;
    let body = state.version(*id, *default_version).map(|version| &version.body);
    let (attached, boundaries) = uses(state, *id);
    proto::Policy {
        policy_id: id.0,
        name: name.clone(),
        kind: proto::PolicyKind::Custom.into(),
        description: description.clone(),
        created_at: timestamp(*created_at),
        updated_at: timestamp(*updated_at),
        default_version: default_version.0,
        document: body.filter(|_| with_document).map(text).unwrap_or_default(),
        digest: body.map(digest).unwrap_or_default(),
        attachments: attached,
        boundaries,
        tags: tags.clone(),
    }
}

/// A preset, as this account sees it.
pub(in crate::service) fn preset(
    state: &AccountState,
    it: &Preset,
    with_document: bool,
) -> proto::Policy {
    let kind = match it.origin {
        PresetOrigin::BuiltIn | PresetOrigin::General => proto::PolicyKind::Preset,
        PresetOrigin::Operator => proto::PolicyKind::OperatorPreset,
    };
    let (attached, boundaries) = uses(state, it.id);
    proto::Policy {
        policy_id: it.id.0,
        name: it.name.clone(),
        kind: kind.into(),
        description: it.description_en.clone(),
        created_at: None,
        updated_at: None,
        default_version: it.version.0,
        document: if with_document { text(&it.body) } else { String::new() },
        digest: digest(&it.body),
        attachments: attached,
        boundaries,
        tags: BTreeMap::new(),
    }
}

/// A version of a policy; `with_document` is false in lists.
pub(in crate::service) fn version(
    it: &PolicyVersion,
    is_default: bool,
    with_document: bool,
) -> proto::PolicyVersion {
    let PolicyVersion { policy: _, number, created_at, body } = it;
    proto::PolicyVersion {
        version: number.0,
        created_at: timestamp(*created_at),
        is_default,
        document: if with_document { text(body) } else { String::new() },
        digest: digest(body),
    }
}

/// An event of a watch.
pub(in crate::service) fn watch_event(node: &Node, event: &AccountEvent) -> proto::WatchResponse {
    use proto::watch_response::Event;
    let presets = &node.shared().presets;
    let event = match event {
        AccountEvent::Snapshot { revision, state } => {
            let keys = state.records().map(|record| record.key()).collect();
            let (objects, _) = changed(state, presets, &keys);
            let presets = Some(watch_presets(node, *revision));
            let revision = node.token(*revision);
            Event::Snapshot(proto::WatchSnapshot { revision, objects, presets })
        }
        AccountEvent::Delta { revision, state, keys } => {
            let (put, removed) = changed(state, presets, keys);
            Event::Delta(proto::WatchDelta { revision: node.token(*revision), put, removed })
        }
        AccountEvent::Presets { revision } => Event::Presets(watch_presets(node, *revision)),
        AccountEvent::Bookmark { revision } => {
            Event::Bookmark(proto::WatchBookmark { revision: node.token(*revision) })
        }
    };
    proto::WatchResponse { event: Some(event) }
}

/// What all accounts share, as this node has it now.
fn watch_presets(node: &Node, revision: Revision) -> proto::WatchPresets {
    let shared = node.shared();
    let own = shared.presets.iter().filter(|it| it.origin == PresetOrigin::Operator);
    let nobody = AccountState::default();
    proto::WatchPresets {
        revision: node.token(revision),
        operator_presets: own.map(|it| preset(&nobody, it, true)).collect(),
        shipped_digest: node.shipped_digest().to_owned(),
    }
}

/// The objects whose records have these keys: as they are, or gone.
fn changed(
    state: &AccountState,
    presets: &Presets,
    keys: &BTreeSet<RecordKey>,
) -> (Vec<proto::AccountObject>, Vec<proto::ObjectKey>) {
    use proto::account_object::Object;
    use proto::object_key::Key;
    let (mut put, mut removed) = (Vec::new(), Vec::new());
    // A version's record is part of its policy's object.
    let keys: BTreeSet<RecordKey> = keys
        .iter()
        .map(|key| match key {
            RecordKey::Version(policy, _) => RecordKey::Policy(*policy),
            RecordKey::Account
            | RecordKey::SubAccount(_)
            | RecordKey::Group(_)
            | RecordKey::Policy(_)
            | RecordKey::App(_)
            | RecordKey::Role(_)
            | RecordKey::AccessKey(_)
            | RecordKey::Global(_) => *key,
        })
        .collect();
    for key in keys {
        let (object, gone) = match key {
            RecordKey::Account => {
                (state.account.as_ref().map(|it| Object::Account(account(it))), None)
            }
            RecordKey::SubAccount(uin) => {
                let it = state.sub_account(uin).map(|it| sub_account(state, presets, it));
                (it.map(Object::SubAccount), Some(Key::SubAccountUin(uin)))
            }
            RecordKey::Group(id) => {
                let it = state.group(id).map(|it| group(state, presets, it));
                (it.map(Object::Group), Some(Key::GroupId(id.0)))
            }
            RecordKey::Policy(id) => {
                let it = state.policy(id).map(|it| policy(state, it, true));
                (it.map(Object::Policy), Some(Key::PolicyId(id.0)))
            }
            RecordKey::App(sdkappid) => {
                let it = state.apps.get(&sdkappid).map(|it| app(it));
                (it.map(Object::App), Some(Key::Sdkappid(sdkappid)))
            }
            RecordKey::Role(id) => {
                let it = state.role(id).map(|it| identities::role(state, presets, it, true));
                (it.map(Object::Role), Some(Key::RoleId(id.0)))
            }
            // Keys are not told to watchers.
            RecordKey::AccessKey(_) | RecordKey::Version(..) | RecordKey::Global(_) => (None, None),
        };
        match (object, gone) {
            (Some(object), _) => put.push(proto::AccountObject { object: Some(object) }),
            (None, Some(key)) => removed.push(proto::ObjectKey { key: Some(key) }),
            (None, None) => {}
        }
    }
    (put, removed)
}
