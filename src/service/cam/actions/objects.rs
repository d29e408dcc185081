//! Domain values as the API writes them: structures that several actions share.
//!
//! Times are UTC. What this server does not know is left out, or null where the API has null.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::directory::{
    AccountState, Attachment, Group, Policy, PolicyBody, PolicyId, Preset, PresetOrigin, Presets,
    SubAccount, SubAccountKind, UnixMillis, VersionNumber,
};

/// How a policy came about: by its text.
const CREATE_MODE: u64 = 2;

/// `2019-08-09 10:31:47`.
pub(super) fn time(at: UnixMillis) -> String {
    format_time(at, "%Y-%m-%d %H:%M:%S")
}

/// `2019-08-09`.
pub(super) fn date(at: UnixMillis) -> String {
    format_time(at, "%Y-%m-%d")
}

/// Seconds since 1970.
pub(super) fn unix_seconds(at: UnixMillis) -> u64 {
    u64::try_from(at.0 / 1_000).unwrap_or_default()
}

/// `2019-08-09T10:31:47Z`, which versions of policies have.
pub(super) fn iso_time(at: UnixMillis) -> String {
    format_time(at, "%Y-%m-%dT%H:%M:%SZ")
}

fn format_time(at: UnixMillis, format: &str) -> String {
    let time = Timestamp::from_millisecond(at.0).unwrap_or(Timestamp::UNIX_EPOCH);
    time.strftime(format).to_string()
}

/// A number as the API counts things.
pub(super) fn count(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}

/// A policy of either sort.
pub(super) enum AnyPolicy<'a> {
    Custom(&'a Policy),
    Preset(&'a Preset),
}

/// The policy with this id, custom or preset.
pub(super) fn any_policy<'a>(
    state: &'a AccountState,
    presets: &'a Presets,
    id: PolicyId,
) -> Option<AnyPolicy<'a>> {
    let custom = state.policy(id).map(|it| AnyPolicy::Custom(it));
    custom.or_else(|| presets.get(id).map(|it| AnyPolicy::Preset(it)))
}

impl<'a> AnyPolicy<'a> {
    pub(super) fn id(&self) -> PolicyId {
        match self {
            Self::Custom(it) => it.id,
            Self::Preset(it) => it.id,
        }
    }

    pub(super) fn name(&self) -> &'a str {
        match self {
            Self::Custom(it) => &it.name,
            Self::Preset(it) => &it.name,
        }
    }

    pub(super) fn description(&self) -> &'a str {
        match self {
            Self::Custom(it) => &it.description,
            Self::Preset(it) => &it.description_zh,
        }
    }

    /// 1 for custom policies, 2 for presets.
    pub(super) fn kind(&self) -> u64 {
        match self {
            Self::Custom(_) => 1,
            Self::Preset(_) => 2,
        }
    }

    /// `User` for custom policies, `QCS` for presets.
    pub(super) fn kind_word(&self) -> &'static str {
        match self {
            Self::Custom(_) => "User",
            Self::Preset(_) => "QCS",
        }
    }

    pub(super) fn create_mode(&self) -> u64 {
        CREATE_MODE
    }

    /// Created and last changed; a preset's times are not known.
    pub(super) fn times(&self) -> Option<(UnixMillis, UnixMillis)> {
        match self {
            Self::Custom(it) => Some((it.created_at, it.updated_at)),
            Self::Preset(_) => None,
        }
    }

    /// The document that counts.
    pub(super) fn body(&self, state: &'a AccountState) -> Option<&'a PolicyBody> {
        match self {
            Self::Custom(it) => state.default_version(it.id).map(|it| &it.body),
            Self::Preset(it) => Some(&it.body),
        }
    }

    pub(super) fn default_version(&self) -> VersionNumber {
        match self {
            Self::Custom(it) => it.default_version,
            Self::Preset(it) => it.version,
        }
    }

    pub(super) fn tags(&self) -> Value {
        match self {
            Self::Custom(it) => tags(&it.tags),
            Self::Preset(_) => json!([]),
        }
    }

    /// Whether lists show it: not a general policy, which nobody can attach, and not one of the
    /// operator's that was withdrawn.
    pub(super) fn is_listed(&self) -> bool {
        match self {
            Self::Custom(_) => true,
            Self::Preset(it) => {
                it.origin != PresetOrigin::General
                    && !(it.is_withdrawn && it.origin == PresetOrigin::Operator)
            }
        }
    }
}

/// A document as text.
pub(super) fn document(body: &PolicyBody) -> String {
    String::from_utf8_lossy(body.bytes()).into_owned()
}

pub(super) fn tags(tags: &BTreeMap<String, String>) -> Value {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// `StrategyInfo`.
pub(super) fn strategy(state: &AccountState, policy: &AnyPolicy<'_>) -> Value {
    let id = policy.id();
    let users = state.users_with_policy(id).count();
    let others = state.groups_with_policy(id).count() + state.roles_with_policy(id).count();
    let bounded = state.users_with_boundary(id).count() + state.roles_with_boundary(id).count();
    let mut value = json!({
        "PolicyId": id.0,
        "PolicyName": policy.name(),
        "Type": policy.kind(),
        "Description": policy.description(),
        "CreateMode": policy.create_mode(),
        "Attachments": count(users),
        "ServiceType": null,
        "IsAttached": null,
        "Deactived": 0,
        "DeactivedDetail": [],
        "IsServiceLinkedPolicy": 0,
        "AttachEntityCount": count(users + others),
        "AttachEntityBoundaryCount": count(bounded),
        "Tags": policy.tags(),
    });
    add_times(&mut value, policy);
    value
}

/// Adds `AddTime` and `UpdateTime`, where they are known.
pub(super) fn add_times(value: &mut Value, policy: &AnyPolicy<'_>) {
    if let (Some((created, updated)), Some(members)) = (policy.times(), value.as_object_mut()) {
        members.insert("AddTime".to_owned(), Value::from(time(created)));
        members.insert("UpdateTime".to_owned(), Value::from(time(updated)));
    }
}

/// `AttachPolicyInfo`: a policy as it is attached to a user or a group.
pub(super) fn attached(policy: &AnyPolicy<'_>, attachment: &Attachment) -> Value {
    json!({
        "PolicyId": policy.id().0,
        "PolicyName": policy.name(),
        "AddTime": time(attachment.attached_at),
        "CreateMode": policy.create_mode(),
        "PolicyType": policy.kind_word(),
        "Remark": policy.description(),
        "OperateOwnerUin": null,
        "OperateUin": null,
        "OperateUinType": null,
        "Deactived": 0,
        "DeactivedDetail": [],
    })
}

/// `GroupInfo`.
pub(super) fn group(group: &Group) -> Value {
    json!({
        "GroupId": group.id.0,
        "GroupName": group.name,
        "CreateTime": time(group.created_at),
        "Remark": group.remark,
    })
}

/// `GroupMemberInfo`.
pub(super) fn member(user: &SubAccount) -> Value {
    json!({
        "Uid": user.uid,
        "Uin": user.uin,
        "Name": user.name,
        "PhoneNum": user.profile.phone_num,
        "CountryCode": user.profile.country_code,
        "PhoneFlag": 0,
        "Email": user.profile.email,
        "EmailFlag": 0,
        "UserType": if user.kind == SubAccountKind::MessageRecipient { 3 } else { 1 },
        "CreateTime": time(user.created_at),
        "IsReceiverOwner": 0,
        "Remark": user.remark,
    })
}

/// The fields that `SubAccountInfo` and its like have in common.
pub(super) fn user(user: &SubAccount) -> Value {
    json!({
        "Uin": user.uin,
        "Name": user.name,
        "Uid": user.uid,
        "Remark": user.remark,
        "ConsoleLogin": u64::from(user.profile.console_login),
        "PhoneNum": user.profile.phone_num,
        "CountryCode": user.profile.country_code,
        "Email": user.profile.email,
    })
}

/// The same with `CreateTime`.
pub(super) fn listed_user(account: &SubAccount) -> Value {
    let mut value = user(account);
    if let Some(members) = value.as_object_mut() {
        members.insert("CreateTime".to_owned(), Value::from(time(account.created_at)));
    }
    value
}
