//! The API's messages as stable JSON for programs, and small texts for people.
//!
//! Every field of a message has its proto name; enums are their value's name in lower case without
//! the prefix, outcomes in capitals; instants are RFC 3339. It must never leave a field out.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use crate::service::proto;

/// An instant in RFC 3339, empty when it is not set.
#[must_use]
pub fn instant(timestamp: Option<&prost_types::Timestamp>) -> String {
    timestamp
        .and_then(|t| Timestamp::new(t.seconds, t.nanos).ok())
        .map(|t| t.to_string())
        .unwrap_or_default()
}

/// An enum's value, `PREFIX_NAME`, as `name`.
#[must_use]
pub fn word(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).trim_start_matches('_').to_ascii_lowercase()
}

/// `ALLOW` or `DENY`.
#[must_use]
pub fn outcome(value: i32) -> &'static str {
    match proto::Outcome::try_from(value) {
        Ok(proto::Outcome::Allow) => "ALLOW",
        Ok(proto::Outcome::Deny) => "DENY",
        Ok(proto::Outcome::Unspecified) | Err(_) => "UNSPECIFIED",
    }
}

/// The layer's name, empty when there is none.
#[must_use]
pub fn layer(value: i32) -> String {
    match proto::Layer::try_from(value) {
        Ok(proto::Layer::Unspecified) | Err(_) => String::new(),
        Ok(layer) => word(layer.as_str_name(), "LAYER"),
    }
}

/// The reason's name.
#[must_use]
pub fn reason(value: i32) -> String {
    proto::Reason::try_from(value)
        .map_or_else(|_| String::new(), |r| word(r.as_str_name(), "REASON"))
}

/// `allow` or `deny`.
#[must_use]
pub fn effect(value: i32) -> String {
    proto::Effect::try_from(value)
        .map_or_else(|_| String::new(), |e| word(e.as_str_name(), "EFFECT"))
}

/// The kind of a sub-account.
#[must_use]
pub fn user_kind(value: i32) -> String {
    proto::SubAccountKind::try_from(value)
        .map_or_else(|_| String::new(), |kind| word(kind.as_str_name(), "SUB_ACCOUNT_KIND"))
}

/// The status of an access key.
#[must_use]
pub fn key_status(value: i32) -> String {
    proto::KeyStatus::try_from(value)
        .map_or_else(|_| String::new(), |status| word(status.as_str_name(), "KEY_STATUS"))
}

/// The kind of a policy.
#[must_use]
pub fn policy_kind(value: i32) -> String {
    proto::PolicyKind::try_from(value)
        .map_or_else(|_| String::new(), |kind| word(kind.as_str_name(), "POLICY_KIND"))
}

/// An account.
#[must_use]
pub fn account(account: &proto::Account) -> Value {
    json!({
        "owner_uin": account.owner_uin,
        "app_id": account.app_id,
        "created_at": instant(account.created_at.as_ref()),
    })
}

/// An app.
#[must_use]
pub fn app(app: &proto::App) -> Value {
    let tags: std::collections::BTreeMap<_, _> = app.tags.iter().collect();
    json!({
        "sdkappid": app.sdkappid,
        "name": app.name,
        "tags": tags,
        "created_at": instant(app.created_at.as_ref()),
    })
}

fn policy_ref(policy: &proto::PolicyRef) -> Value {
    json!({
        "policy_id": policy.policy_id,
        "policy_name": policy.policy_name,
        "attached_at": instant(policy.attached_at.as_ref()),
    })
}

/// A sub-account.
#[must_use]
pub fn user(user: &proto::SubAccount) -> Value {
    let groups: Vec<_> = user
        .groups
        .iter()
        .map(|group| json!({ "group_id": group.group_id, "group_name": group.group_name }))
        .collect();
    json!({
        "uin": user.uin,
        "name": user.name,
        "kind": user_kind(user.kind),
        "remark": user.remark,
        "created_at": instant(user.created_at.as_ref()),
        "policies": user.policies.iter().map(policy_ref).collect::<Vec<_>>(),
        "groups": groups,
        "boundary": user.boundary.as_ref().map(policy_ref),
        "uid": user.uid,
        "console_login": user.console_login,
        "need_reset_password": user.need_reset_password,
        "has_password": user.has_password,
        "phone_num": user.phone_num,
        "country_code": user.country_code,
        "email": user.email,
    })
}

/// A group.
#[must_use]
pub fn group(group: &proto::Group) -> Value {
    json!({
        "group_id": group.group_id,
        "name": group.name,
        "remark": group.remark,
        "created_at": instant(group.created_at.as_ref()),
        "policies": group.policies.iter().map(policy_ref).collect::<Vec<_>>(),
        "members": group.members,
    })
}

/// A role.
#[must_use]
pub fn role(role: &proto::Role) -> Value {
    json!({
        "role_id": role.role_id,
        "name": role.name,
        "description": role.description,
        "trust_policy": role.trust_policy,
        "session_duration_s": role.session_duration_s,
        "console_login": role.console_login,
        "tags": role.tags,
        "created_at": instant(role.created_at.as_ref()),
        "updated_at": instant(role.updated_at.as_ref()),
        "policies": role.policies.iter().map(policy_ref).collect::<Vec<_>>(),
        "boundary": role.boundary.as_ref().map(policy_ref),
    })
}

/// The public half of an access key.
#[must_use]
pub fn access_key(key: &proto::AccessKey) -> Value {
    json!({
        "secret_id": key.secret_id,
        "uin": key.uin,
        "status": key_status(key.status),
        "description": key.description,
        "created_at": instant(key.created_at.as_ref()),
    })
}

/// A policy.
#[must_use]
pub fn policy(policy: &proto::Policy) -> Value {
    json!({
        "policy_id": policy.policy_id,
        "name": policy.name,
        "kind": policy_kind(policy.kind),
        "description": policy.description,
        "created_at": instant(policy.created_at.as_ref()),
        "updated_at": instant(policy.updated_at.as_ref()),
        "default_version": policy.default_version,
        "document": policy.document,
        "digest": policy.digest,
        "attachments": policy.attachments,
        "boundaries": policy.boundaries,
        "tags": policy.tags,
    })
}

/// A version of a policy.
#[must_use]
pub fn version(version: &proto::PolicyVersion) -> Value {
    json!({
        "version": version.version,
        "created_at": instant(version.created_at.as_ref()),
        "is_default": version.is_default,
        "document": version.document,
        "digest": version.digest,
    })
}

/// A finding; the same fields as an offline one.
#[must_use]
pub fn finding(finding: &proto::Finding) -> Value {
    json!({
        "severity": finding.severity, "code": finding.code, "path": finding.path,
        "line": finding.line, "column": finding.column, "message": finding.message,
        "found": finding.found, "expected": finding.expected, "help": finding.help,
        "start": finding.start, "end": finding.end,
    })
}

/// A finding on one line.
#[must_use]
pub fn finding_text(finding: &proto::Finding) -> String {
    let proto::Finding { severity, code, line, column, message, help, .. } = finding;
    let help = if help.is_empty() { String::new() } else { format!("; {help}") };
    format!("  {severity} {code} at line {line} column {column}: {message}{help}")
}

/// The names of attached policies, parted by commas.
#[must_use]
pub fn names(policies: &[proto::PolicyRef]) -> String {
    policies.iter().map(|policy| policy.policy_name.as_str()).collect::<Vec<_>>().join(", ")
}

/// The answer of a write: what was done, its findings, and the revision that holds it.
#[must_use]
pub fn written(
    done: &str,
    mut fields: Map<String, Value>,
    result: Option<proto::WriteResult>,
) -> Answer {
    let result = result.unwrap_or_default();
    let mut lines = vec![done.to_owned()];
    if !result.changed {
        lines = vec![format!("nothing changed: {done}")];
    }
    lines.extend(result.findings.iter().map(finding_text));
    if !result.revision.is_empty() {
        lines.push(format!("revision {}", result.revision));
    }
    let findings: Vec<_> = result.findings.iter().map(finding).collect();
    fields.insert("revision".into(), result.revision.into());
    fields.insert("changed".into(), result.changed.into());
    fields.insert("findings".into(), findings.into());
    Answer::new(Value::Object(fields), lines.join("\n"))
}

/// One field, as `written` takes it.
#[must_use]
pub fn field(name: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), value)])
}
