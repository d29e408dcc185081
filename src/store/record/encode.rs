//! Domain values to stored bytes. Every value is taken apart field by field, so that a new field
//! does not compile until it is stored.

use std::collections::BTreeMap;

use prost::Message as _;

use super::{DoneRequest, FORMAT, KeyUse, OperatorDigest, OperatorHead};
use crate::audit::digest;
use crate::directory::{
    AccessKey, Account, App, AppEntry, Attachment, Census, ChangeHead, Group, GroupId, KeyStatus,
    OperatorPreset, Policy, PolicyId, PolicyVersion, Profile, Record, Role, SecretEntry, Slot,
    SubAccount, SubAccountKind, Tombstone, UinEntry,
};
use crate::lang::hex::hex;
use crate::store::proto;

/// The bytes of a record.
#[must_use]
pub fn encode(record: &Record) -> Vec<u8> {
    match record {
        Record::Account(it) => sealed(account(it)),
        Record::SubAccount(it) => sub_account(it).encode_to_vec(),
        Record::Group(_, Slot::Live(it)) => group(it).encode_to_vec(),
        Record::Group(id, Slot::Deleted(it)) => deleted_group(*id, it).encode_to_vec(),
        Record::Policy(_, Slot::Live(it)) => policy(it).encode_to_vec(),
        Record::Policy(id, Slot::Deleted(it)) => deleted_policy(*id, it).encode_to_vec(),
        Record::Version(it) => version(it).encode_to_vec(),
        Record::App(it) => app(it).encode_to_vec(),
        Record::Role(it) => role(it).encode_to_vec(),
        Record::AccessKey(it) => access_key(it).encode_to_vec(),
        Record::UinEntry(it) => uin_entry(it).encode_to_vec(),
        Record::AppEntry(it) => app_entry(it).encode_to_vec(),
        Record::SecretEntry(it) => secret_entry(it).encode_to_vec(),
    }
}

/// The bytes of a record for the change log: without what the log itself moves, and with secrets
/// replaced by digests. Every kind of record is named, so that a new one is thought about.
#[must_use]
pub fn encode_for_log(record: &Record) -> Vec<u8> {
    match record {
        Record::Account(it) => {
            let change_head = ChangeHead::default();
            sealed(account(&Account { change_head, census: None, ..(**it).clone() }))
        }
        Record::SubAccount(it) => {
            let mut message = sub_account(it);
            message.password_hash = message.password_hash.map(|hash| hide(hash.as_bytes()));
            message.encode_to_vec()
        }
        Record::AccessKey(it) => {
            let mut message = access_key(it);
            message.sealed_secret = hide(&message.sealed_secret).into_bytes();
            message.encode_to_vec()
        }
        Record::Group(..)
        | Record::Policy(..)
        | Record::Version(_)
        | Record::App(_)
        | Record::Role(_)
        | Record::UinEntry(_)
        | Record::AppEntry(_)
        | Record::SecretEntry(_) => encode(record),
    }
}

/// What stands in the change log for a secret: it shows a change, and nothing else.
fn hide(secret: &[u8]) -> String {
    format!("sha256:{}", hex(&digest(secret)))
}

/// The bytes of the record of one of the operator's presets.
#[must_use]
pub fn encode_operator_preset(preset: &OperatorPreset) -> Vec<u8> {
    let OperatorPreset { id, name, version, body, is_withdrawn } = preset;
    let message = proto::OperatorPreset {
        format: FORMAT,
        id: id.0,
        name: name.clone(),
        version: version.0,
        document: body.bytes().to_vec(),
        is_withdrawn: *is_withdrawn,
    };
    message.encode_to_vec()
}

/// The bytes of the record of the digest of the operator's files.
#[must_use]
pub fn encode_operator_digest(found: &OperatorDigest) -> Vec<u8> {
    let OperatorDigest { digest, census } = found;
    let census = census.as_ref().map(census_message);
    proto::OperatorDigest { format: FORMAT, digest: digest.clone(), census }.encode_to_vec()
}

/// The bytes of the census of a shelf of a global index.
#[must_use]
pub fn encode_index_census(census: &Census) -> Vec<u8> {
    let census = Some(census_message(census));
    proto::IndexCensus { format: FORMAT, census }.encode_to_vec()
}

/// The bytes of the head of what the operator has.
#[must_use]
pub fn encode_operator_head(head: &OperatorHead) -> Vec<u8> {
    let OperatorHead { change_head: ChangeHead { sequence, digest }, census } = head;
    let message = proto::OperatorHead {
        format: FORMAT,
        change_sequence: *sequence,
        change_digest: if *sequence == 0 { Vec::new() } else { digest.to_vec() },
        census: Some(census_message(census)),
    };
    message.encode_to_vec()
}

/// The bytes of the counter that uins are allotted from.
#[must_use]
pub fn encode_next_uin(next: u64) -> Vec<u8> {
    proto::Counter { format: FORMAT, next }.encode_to_vec()
}

/// The bytes of the record of the store's id.
#[must_use]
pub fn encode_store_id(id: &str) -> Vec<u8> {
    proto::StoreId { format: FORMAT, id: id.to_owned() }.encode_to_vec()
}

/// The record of an import of the archive with this digest.
#[must_use]
pub fn encode_import(digest: &[u8]) -> Vec<u8> {
    proto::Import { format: FORMAT, digest: digest.to_vec() }.encode_to_vec()
}

/// The bytes of the record of the wrapped data key.
#[must_use]
pub fn encode_keyring(content: &[u8]) -> Vec<u8> {
    proto::Keyring { format: FORMAT, content: content.to_vec() }.encode_to_vec()
}

/// The bytes of the record of an access key's last use.
#[must_use]
pub fn encode_key_use(key_use: &KeyUse) -> Vec<u8> {
    let KeyUse { secret_id, last_used_at } = key_use;
    let message = proto::KeyUse {
        format: FORMAT,
        secret_id: secret_id.to_string(),
        last_used_at_ms: last_used_at.0,
    };
    message.encode_to_vec()
}

/// The bytes of the record of a request that was done.
#[must_use]
pub fn encode_done_request(request: &DoneRequest) -> Vec<u8> {
    let DoneRequest { request_digest, done_at, answer } = request;
    let message = proto::DoneRequest {
        format: FORMAT,
        request_digest: request_digest.to_vec(),
        done_at_ms: done_at.0,
        answer: answer.clone(),
    };
    message.encode_to_vec()
}

fn account(account: &Account) -> proto::AccountHead {
    let Account {
        owner,
        created_at,
        next_policy_id,
        next_group_id,
        next_role_id,
        next_uid,
        change_head,
        census,
    } = account;
    let ChangeHead { sequence, digest } = change_head;
    proto::AccountHead {
        format: FORMAT,
        owner_uin: owner.uin,
        app_id: owner.app_id,
        created_at_ms: created_at.0,
        next_policy_id: next_policy_id.0,
        next_group_id: next_group_id.0,
        next_role_id: next_role_id.0,
        next_uid: *next_uid,
        change_sequence: *sequence,
        change_digest: if *sequence == 0 { Vec::new() } else { digest.to_vec() },
        census: census.as_ref().map(census_message),
        seal: Vec::new(),
    }
}

fn census_message(census: &Census) -> proto::Census {
    let Census { records, sum } = census;
    proto::Census { records: *records, sum: sum.to_vec() }
}

/// The bytes of a head, with their own digest: nothing else can prove what stands in it.
fn sealed(mut head: proto::AccountHead) -> Vec<u8> {
    head.seal = head_seal(&head).to_vec();
    head.encode_to_vec()
}

/// The digest of a head without its seal.
pub(super) fn head_seal(head: &proto::AccountHead) -> [u8; 32] {
    let bare = proto::AccountHead { seal: Vec::new(), ..head.clone() };
    digest(&bare.encode_to_vec())
}

fn sub_account(sub_account: &SubAccount) -> proto::SubAccount {
    let SubAccount {
        uin,
        uid,
        name,
        kind,
        remark,
        created_at,
        attachments,
        groups,
        boundary,
        profile,
    } = sub_account;
    let Profile {
        console_login,
        need_reset_password,
        password_hash,
        phone_num,
        country_code,
        email,
    } = &**profile;
    proto::SubAccount {
        format: FORMAT,
        uin: *uin,
        name: name.to_string(),
        kind: kind_word(*kind).into(),
        remark: remark.to_string(),
        created_at_ms: created_at.0,
        attachments: attachment_list(attachments),
        group_ids: groups.iter().map(|id| id.0).collect(),
        boundary_policy_id: boundary.map(|id| id.0),
        uid: *uid,
        console_login: *console_login,
        need_reset_password: *need_reset_password,
        password_hash: password_hash.as_ref().map(|hash| hash.0.clone()),
        phone_num: phone_num.clone(),
        country_code: country_code.clone(),
        email: email.clone(),
    }
}

fn kind_word(kind: SubAccountKind) -> proto::SubAccountKind {
    match kind {
        SubAccountKind::SubUser => proto::SubAccountKind::SubUser,
        SubAccountKind::WecomSubUser => proto::SubAccountKind::WecomSubUser,
        SubAccountKind::Collaborator => proto::SubAccountKind::Collaborator,
        SubAccountKind::MessageRecipient => proto::SubAccountKind::MessageRecipient,
    }
}

fn attachment_list(attachments: &[Attachment]) -> Vec<proto::Attachment> {
    let convert = |it: &Attachment| {
        let Attachment { policy, attached_at } = it;
        proto::Attachment { policy_id: policy.0, attached_at_ms: attached_at.0 }
    };
    attachments.iter().map(convert).collect()
}

fn group(group: &Group) -> proto::Group {
    let Group { id, name, remark, created_at, attachments } = group;
    proto::Group {
        format: FORMAT,
        id: id.0,
        name: name.clone(),
        remark: remark.clone(),
        created_at_ms: created_at.0,
        attachments: attachment_list(attachments),
        deleted_at_ms: None,
    }
}

fn deleted_group(id: GroupId, tombstone: &Tombstone) -> proto::Group {
    let Tombstone { name, deleted_at } = tombstone;
    proto::Group {
        format: FORMAT,
        id: id.0,
        name: name.clone(),
        deleted_at_ms: Some(deleted_at.0),
        ..proto::Group::default()
    }
}

fn policy(policy: &Policy) -> proto::Policy {
    let Policy {
        id,
        name,
        description,
        created_at,
        updated_at,
        default_version,
        next_version,
        tags,
    } = policy;
    proto::Policy {
        format: FORMAT,
        id: id.0,
        name: name.clone(),
        description: description.clone(),
        created_at_ms: created_at.0,
        updated_at_ms: updated_at.0,
        default_version: default_version.0,
        next_version: next_version.0,
        deleted_at_ms: None,
        tags: tag_list(tags),
    }
}

fn deleted_policy(id: PolicyId, tombstone: &Tombstone) -> proto::Policy {
    let Tombstone { name, deleted_at } = tombstone;
    proto::Policy {
        format: FORMAT,
        id: id.0,
        name: name.clone(),
        deleted_at_ms: Some(deleted_at.0),
        ..proto::Policy::default()
    }
}

fn version(version: &PolicyVersion) -> proto::PolicyVersion {
    let PolicyVersion { policy, number, created_at, body } = version;
    proto::PolicyVersion {
        format: FORMAT,
        policy_id: policy.0,
        number: number.0,
        created_at_ms: created_at.0,
        document: body.bytes().to_vec(),
    }
}

fn app(app: &App) -> proto::App {
    let App { sdkappid, name, tags, created_at } = app;
    proto::App {
        format: FORMAT,
        sdkappid: *sdkappid,
        name: name.clone(),
        tags: tag_list(tags),
        created_at_ms: created_at.0,
    }
}

fn tag_list(tags: &BTreeMap<String, String>) -> Vec<proto::Tag> {
    let tag =
        |(key, value): (&String, &String)| proto::Tag { key: key.clone(), value: value.clone() };
    tags.iter().map(tag).collect()
}

fn role(role: &Role) -> proto::Role {
    let Role {
        id,
        name,
        description,
        trust,
        session_duration_s,
        console_login,
        tags,
        created_at,
        updated_at,
        attachments,
        boundary,
    } = role;
    proto::Role {
        format: FORMAT,
        id: id.0,
        name: name.clone(),
        description: description.clone(),
        trust_policy: trust.bytes().to_vec(),
        session_duration_s: *session_duration_s,
        console_login: *console_login,
        tags: tag_list(tags),
        created_at_ms: created_at.0,
        updated_at_ms: updated_at.0,
        attachments: attachment_list(attachments),
        boundary_policy_id: boundary.map(|id| id.0),
    }
}

fn access_key(key: &AccessKey) -> proto::AccessKey {
    let AccessKey { secret_id, holder, status, description, created_at, sealed_secret } = key;
    let status = match status {
        KeyStatus::Active => proto::KeyStatus::Active,
        KeyStatus::Inactive => proto::KeyStatus::Inactive,
    };
    proto::AccessKey {
        format: FORMAT,
        secret_id: secret_id.to_string(),
        holder_uin: *holder,
        status: status.into(),
        description: description.clone(),
        created_at_ms: created_at.0,
        sealed_secret: sealed_secret.0.to_vec(),
    }
}

fn uin_entry(entry: &UinEntry) -> proto::UinEntry {
    let UinEntry { uin, is_root, home_uin, owner_uins } = entry;
    proto::UinEntry {
        format: FORMAT,
        uin: *uin,
        is_root: *is_root,
        home_uin: *home_uin,
        owner_uins: owner_uins.clone(),
    }
}

fn app_entry(entry: &AppEntry) -> proto::AppEntry {
    let AppEntry { sdkappid, owner_uin } = entry;
    proto::AppEntry { format: FORMAT, sdkappid: *sdkappid, owner_uin: *owner_uin }
}

fn secret_entry(entry: &SecretEntry) -> proto::SecretEntry {
    let SecretEntry { secret_id, owner_uin } = entry;
    proto::SecretEntry { format: FORMAT, secret_id: secret_id.to_string(), owner_uin: *owner_uin }
}
