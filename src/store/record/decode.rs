//! Stored bytes to domain values. Formats first, then fields against the key, then meaning.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use prost::Message;
use thin_vec::ThinVec;

use super::encode::head_seal;
use super::{
    DoneRequest, FORMAT, FORMAT_MIN, FORMAT_SEALED, KeyUse, OperatorDigest, OperatorHead,
    RecordProblem, Stored, caller, change_entry,
};
use crate::directory::{
    AccessKey, Account, App, AppEntry, Attachment, Attachments, Census, ChangeHead, GlobalKey,
    Group, GroupId, KeyStatus, OperatorPreset, PasswordHash, Policy, PolicyBody, PolicyId,
    PolicyVersion, Profile, Record, RecordKey, Role, RoleId, SealedSecret, SecretEntry, SecretId,
    Slot, SubAccount, SubAccountKind, Tombstone, UinEntry, UnixMillis, VersionNumber,
};
use crate::lang::variable::Owner;
use crate::store::key::StoredKey;
use crate::store::proto;

pub(super) type Decoded<T> = Result<T, RecordProblem>;

pub(super) fn decode(key: StoredKey, value: &[u8]) -> Decoded<Stored> {
    Ok(match key {
        StoredKey::Account { owner_uin, record } => {
            Stored::Account { owner_uin, record: account_record(owner_uin, record, value)? }
        }
        StoredKey::Global(key) => Stored::Global(global(key, value)?),
        StoredKey::OperatorPreset(name) => Stored::OperatorPreset(operator_preset(&name, value)?),
        StoredKey::OperatorDigest => {
            let proto::OperatorDigest { format, digest, census } = message(value)?;
            check_format(format)?;
            let census = census.map(census_of).transpose()?;
            if census.is_some() != (format >= FORMAT_SEALED) {
                return Err(RecordProblem::BadField("census"));
            }
            Stored::OperatorDigest(OperatorDigest { digest, census })
        }
        StoredKey::NextUin => {
            let proto::Counter { format, next } = message(value)?;
            check_format(format)?;
            Stored::NextUin(next)
        }
        StoredKey::StoreId => {
            let proto::StoreId { format, id } = message(value)?;
            check_format(format)?;
            Stored::StoreId(id)
        }
        StoredKey::Keyring => {
            let proto::Keyring { format, content } = message(value)?;
            check_format(format)?;
            Stored::Keyring(content)
        }
        StoredKey::IndexCensus(_) => {
            let proto::IndexCensus { format, census } = message(value)?;
            check_format(format)?;
            let census = census.ok_or(RecordProblem::BadField("census"))?;
            Stored::IndexCensus(census_of(census)?)
        }
        StoredKey::OperatorHead => Stored::OperatorHead(operator_head(value)?),
        StoredKey::Caller(name) => Stored::Caller(Box::new(caller::decode(&name, value)?)),
        StoredKey::Import => {
            let proto::Import { format, digest } = message(value)?;
            check_format(format)?;
            Stored::Import(digest)
        }
        StoredKey::KeyUse(secret_id) => Stored::KeyUse(key_use(secret_id, value)?),
        StoredKey::DoneRequest { .. } => Stored::DoneRequest(done_request(value)?),
        StoredKey::ChangeEntry { owner_uin, sequence } => {
            Stored::ChangeEntry(Box::new(change_entry::decode(owner_uin, sequence, value)?))
        }
    })
}

fn account_record(owner_uin: u64, key: RecordKey, value: &[u8]) -> Decoded<Record> {
    Ok(match key {
        RecordKey::Account => Record::Account(Arc::new(account(owner_uin, value)?)),
        RecordKey::SubAccount(uin) => Record::SubAccount(Arc::new(sub_account(uin, value)?)),
        RecordKey::Group(id) => Record::Group(id, group(id, value)?),
        RecordKey::Policy(id) => Record::Policy(id, policy(id, value)?),
        RecordKey::Version(id, number) => Record::Version(Arc::new(version(id, number, value)?)),
        RecordKey::App(sdkappid) => Record::App(Arc::new(app(sdkappid, value)?)),
        RecordKey::Role(id) => Record::Role(Arc::new(role(id, value)?)),
        RecordKey::AccessKey(id) => Record::AccessKey(Arc::new(access_key(id, value)?)),
        RecordKey::Global(key) => global(key, value)?,
    })
}

fn global(key: GlobalKey, value: &[u8]) -> Decoded<Record> {
    match key {
        GlobalKey::Uin(expected) => {
            let proto::UinEntry { format, uin, is_root, home_uin, owner_uins } = message(value)?;
            check_format(format)?;
            check_key("uin", expected, uin)?;
            Ok(Record::UinEntry(Arc::new(UinEntry { uin, is_root, home_uin, owner_uins })))
        }
        GlobalKey::App(expected) => {
            let proto::AppEntry { format, sdkappid, owner_uin } = message(value)?;
            check_format(format)?;
            check_key("sdkappid", expected, sdkappid)?;
            Ok(Record::AppEntry(AppEntry { sdkappid, owner_uin }))
        }
        GlobalKey::Secret(expected) => {
            let proto::SecretEntry { format, secret_id, owner_uin } = message(value)?;
            check_format(format)?;
            check_key("secret_id", expected.as_str(), secret_id.as_str())?;
            Ok(Record::SecretEntry(SecretEntry { secret_id: expected, owner_uin }))
        }
    }
}

fn account(expected: u64, value: &[u8]) -> Decoded<Account> {
    let head: proto::AccountHead = message(value)?;
    let expected_seal = head_seal(&head);
    let proto::AccountHead {
        format,
        owner_uin,
        app_id,
        created_at_ms,
        next_policy_id,
        next_group_id,
        next_role_id,
        next_uid,
        change_sequence,
        change_digest,
        census,
        seal,
    } = head;
    check_format(format)?;
    check_seal(format, &seal, expected_seal)?;
    check_key("owner_uin", expected, owner_uin)?;
    if next_policy_id < PolicyId::CUSTOM_MIN.0 {
        return Err(RecordProblem::BadField("next_policy_id"));
    }
    if next_group_id == 0 {
        return Err(RecordProblem::BadField("next_group_id"));
    }
    // Format 1 knew neither roles nor uids.
    let (next_role_id, next_uid) = match format {
        FORMAT_MIN => (RoleId::MIN, Account::UID_MIN),
        _ => (RoleId(next_role_id), next_uid),
    };
    if next_role_id < RoleId::MIN {
        return Err(RecordProblem::BadField("next_role_id"));
    }
    if next_uid < Account::UID_MIN {
        return Err(RecordProblem::BadField("next_uid"));
    }
    Ok(Account {
        owner: Owner { uin: owner_uin, app_id },
        created_at: UnixMillis(created_at_ms),
        next_policy_id: PolicyId(next_policy_id),
        next_group_id: GroupId(next_group_id),
        next_role_id,
        next_uid,
        change_head: change_head(change_sequence, &change_digest)?,
        census: census.map(census_of).transpose()?,
    })
}

/// Heads have a seal since format 3, and it must be right.
fn check_seal(format: u32, seal: &[u8], expected: [u8; 32]) -> Decoded<()> {
    let is_right = if format < FORMAT_SEALED { seal.is_empty() } else { seal == expected };
    if is_right { Ok(()) } else { Err(RecordProblem::Altered) }
}

fn census_of(census: proto::Census) -> Decoded<Census> {
    let proto::Census { records, sum } = census;
    let sum = sum.try_into().map_err(|_| RecordProblem::BadField("census"))?;
    Ok(Census { records, sum })
}

pub(super) fn operator_head(value: &[u8]) -> Decoded<OperatorHead> {
    let proto::OperatorHead { format, change_sequence, change_digest, census } = message(value)?;
    check_format(format)?;
    let census = census_of(census.ok_or(RecordProblem::BadField("census"))?)?;
    Ok(OperatorHead { change_head: change_head(change_sequence, &change_digest)?, census })
}

fn change_head(sequence: u64, digest: &[u8]) -> Decoded<ChangeHead> {
    if sequence == 0 && digest.is_empty() {
        return Ok(ChangeHead::default());
    }
    let digest = digest.try_into().map_err(|_| RecordProblem::BadField("change_digest"))?;
    if sequence == 0 {
        return Err(RecordProblem::BadField("change_sequence"));
    }
    Ok(ChangeHead { sequence, digest })
}

fn sub_account(expected: u64, value: &[u8]) -> Decoded<SubAccount> {
    let proto::SubAccount {
        format,
        uin,
        name,
        kind,
        remark,
        created_at_ms,
        attachments,
        group_ids,
        boundary_policy_id,
        uid,
        console_login,
        need_reset_password,
        password_hash,
        phone_num,
        country_code,
        email,
    } = message(value)?;
    check_format(format)?;
    check_key("uin", expected, uin)?;
    let groups: ThinVec<GroupId> = group_ids.into_iter().map(GroupId).collect();
    if groups.iter().collect::<BTreeSet<_>>().len() != groups.len() {
        return Err(RecordProblem::BadField("group_ids"));
    }
    Ok(SubAccount {
        uin,
        uid,
        name: name.into(),
        kind: kind_of(kind)?,
        remark: remark.into(),
        created_at: UnixMillis(created_at_ms),
        attachments: attachment_list(attachments)?,
        groups,
        boundary: boundary_policy_id.map(PolicyId),
        profile: Profile {
            console_login,
            need_reset_password,
            password_hash: password_hash.map(PasswordHash),
            phone_num,
            country_code,
            email,
        }
        .into(),
    })
}

fn kind_of(number: i32) -> Decoded<SubAccountKind> {
    match proto::SubAccountKind::try_from(number) {
        Ok(proto::SubAccountKind::SubUser) => Ok(SubAccountKind::SubUser),
        Ok(proto::SubAccountKind::WecomSubUser) => Ok(SubAccountKind::WecomSubUser),
        Ok(proto::SubAccountKind::Collaborator) => Ok(SubAccountKind::Collaborator),
        Ok(proto::SubAccountKind::MessageRecipient) => Ok(SubAccountKind::MessageRecipient),
        Ok(proto::SubAccountKind::Unspecified) | Err(_) => Err(RecordProblem::BadField("kind")),
    }
}

fn attachment_list(list: Vec<proto::Attachment>) -> Decoded<Attachments> {
    let mut seen = BTreeSet::new();
    let mut attachments = Vec::with_capacity(list.len());
    for proto::Attachment { policy_id, attached_at_ms } in list {
        if !seen.insert(policy_id) {
            return Err(RecordProblem::BadField("attachments"));
        }
        let (policy, attached_at) = (PolicyId(policy_id), UnixMillis(attached_at_ms));
        attachments.push(Attachment { policy, attached_at });
    }
    Ok(attachments.into())
}

fn group(expected: GroupId, value: &[u8]) -> Decoded<Slot<Group>> {
    let proto::Group { format, id, name, remark, created_at_ms, attachments, deleted_at_ms } =
        message(value)?;
    check_format(format)?;
    check_key("id", expected.0, id)?;
    if let Some(deleted_at_ms) = deleted_at_ms {
        return Ok(tombstone(name, deleted_at_ms));
    }
    Ok(Slot::Live(Arc::new(Group {
        id: expected,
        name,
        remark,
        created_at: UnixMillis(created_at_ms),
        attachments: attachment_list(attachments)?,
    })))
}

fn policy(expected: PolicyId, value: &[u8]) -> Decoded<Slot<Policy>> {
    let proto::Policy {
        format,
        id,
        name,
        description,
        created_at_ms,
        updated_at_ms,
        default_version,
        next_version,
        deleted_at_ms,
        tags,
    } = message(value)?;
    check_format(format)?;
    check_key("id", expected.0, id)?;
    if let Some(deleted_at_ms) = deleted_at_ms {
        return Ok(tombstone(name, deleted_at_ms));
    }
    if default_version == 0 || next_version <= default_version {
        return Err(RecordProblem::BadField("default_version"));
    }
    Ok(Slot::Live(Arc::new(Policy {
        id: expected,
        name,
        description,
        created_at: UnixMillis(created_at_ms),
        updated_at: UnixMillis(updated_at_ms),
        default_version: VersionNumber(default_version),
        next_version: VersionNumber(next_version),
        tags: tag_map(tags)?,
    })))
}

fn tombstone<T>(name: String, deleted_at_ms: i64) -> Slot<T> {
    Slot::Deleted(Arc::new(Tombstone { name, deleted_at: UnixMillis(deleted_at_ms) }))
}

fn version(policy: PolicyId, expected: VersionNumber, value: &[u8]) -> Decoded<PolicyVersion> {
    let proto::PolicyVersion { format, policy_id, number, created_at_ms, document } =
        message(value)?;
    check_format(format)?;
    check_key("policy_id", policy.0, policy_id)?;
    check_key("number", expected.0, number)?;
    Ok(PolicyVersion {
        policy,
        number: expected,
        created_at: UnixMillis(created_at_ms),
        body: PolicyBody::load(&document),
    })
}

fn app(expected: u64, value: &[u8]) -> Decoded<App> {
    let proto::App { format, sdkappid, name, tags, created_at_ms } = message(value)?;
    check_format(format)?;
    check_key("sdkappid", expected, sdkappid)?;
    Ok(App { sdkappid, name, tags: tag_map(tags)?, created_at: UnixMillis(created_at_ms) })
}

fn tag_map(tags: Vec<proto::Tag>) -> Decoded<BTreeMap<String, String>> {
    let mut by_key = BTreeMap::new();
    for proto::Tag { key, value } in tags {
        if by_key.insert(key, value).is_some() {
            return Err(RecordProblem::BadField("tags"));
        }
    }
    Ok(by_key)
}

fn role(expected: RoleId, value: &[u8]) -> Decoded<Role> {
    let proto::Role {
        format,
        id,
        name,
        description,
        trust_policy,
        session_duration_s,
        console_login,
        tags,
        created_at_ms,
        updated_at_ms,
        attachments,
        boundary_policy_id,
    } = message(value)?;
    check_format(format)?;
    check_key("id", expected.0, id)?;
    if expected < RoleId::MIN {
        return Err(RecordProblem::BadField("id"));
    }
    Ok(Role {
        id: expected,
        name,
        description,
        trust: PolicyBody::load_trust(&trust_policy),
        session_duration_s,
        console_login,
        tags: tag_map(tags)?,
        created_at: UnixMillis(created_at_ms),
        updated_at: UnixMillis(updated_at_ms),
        attachments: attachment_list(attachments)?,
        boundary: boundary_policy_id.map(PolicyId),
    })
}

fn access_key(expected: SecretId, value: &[u8]) -> Decoded<AccessKey> {
    let proto::AccessKey {
        format,
        secret_id,
        holder_uin,
        status,
        description,
        created_at_ms,
        sealed_secret,
    } = message(value)?;
    check_format(format)?;
    check_key("secret_id", expected.as_str(), secret_id.as_str())?;
    let status = match proto::KeyStatus::try_from(status) {
        Ok(proto::KeyStatus::Active) => KeyStatus::Active,
        Ok(proto::KeyStatus::Inactive) => KeyStatus::Inactive,
        Ok(proto::KeyStatus::Unspecified) | Err(_) => {
            return Err(RecordProblem::BadField("status"));
        }
    };
    Ok(AccessKey {
        secret_id: expected,
        holder: holder_uin,
        status,
        description,
        created_at: UnixMillis(created_at_ms),
        sealed_secret: SealedSecret(sealed_secret.into()),
    })
}

fn key_use(expected: SecretId, value: &[u8]) -> Decoded<KeyUse> {
    let proto::KeyUse { format, secret_id, last_used_at_ms } = message(value)?;
    check_format(format)?;
    check_key("secret_id", expected.as_str(), secret_id.as_str())?;
    Ok(KeyUse { secret_id: expected, last_used_at: UnixMillis(last_used_at_ms) })
}

fn operator_preset(expected: &str, value: &[u8]) -> Decoded<OperatorPreset> {
    let proto::OperatorPreset { format, id, name, version, document, is_withdrawn } =
        message(value)?;
    check_format(format)?;
    check_key("name", expected, name.as_str())?;
    let id = PolicyId(id);
    if id < PolicyId::OPERATOR_MIN || id.is_custom() {
        return Err(RecordProblem::BadField("id"));
    }
    let (version, body) = (VersionNumber(version), PolicyBody::load(&document));
    Ok(OperatorPreset { id, name, version, body, is_withdrawn })
}

fn done_request(value: &[u8]) -> Decoded<DoneRequest> {
    let proto::DoneRequest { format, request_digest, done_at_ms, answer } = message(value)?;
    check_format(format)?;
    let request_digest =
        request_digest.try_into().map_err(|_| RecordProblem::BadField("request_digest"))?;
    Ok(DoneRequest { request_digest, done_at: UnixMillis(done_at_ms), answer })
}

pub(super) fn message<M: Message + Default>(value: &[u8]) -> Decoded<M> {
    M::decode(value).map_err(|error| RecordProblem::NotAMessage(error.to_string()))
}

pub(super) fn check_format(found: u32) -> Decoded<()> {
    match found {
        FORMAT_MIN..=FORMAT => Ok(()),
        _ => Err(RecordProblem::UnknownFormat(found)),
    }
}

pub(super) fn check_key<T: PartialEq>(field: &'static str, expected: T, found: T) -> Decoded<()> {
    if expected == found { Ok(()) } else { Err(RecordProblem::OtherThanKey(field)) }
}
