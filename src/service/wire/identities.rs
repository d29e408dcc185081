//! From the directory's values to messages: roles and access keys, never a secret.

use super::objects::{attachments, boundary, text, timestamp};
use crate::directory::{AccessKey, AccountState, KeyStatus, Presets, Role, SecretId};
use crate::node::{NodeError, shorten};
use crate::service::proto;

/// A role with what it holds; `with_document` is false in lists.
pub(in crate::service) fn role(
    state: &AccountState,
    presets: &Presets,
    it: &Role,
    with_document: bool,
) -> proto::Role {
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
        attachments: list,
        boundary: bound,
    } = it;
    proto::Role {
        role_id: id.0,
        name: name.clone(),
        description: description.clone(),
        trust_policy: if with_document { text(trust) } else { String::new() },
        session_duration_s: *session_duration_s,
        console_login: *console_login,
        tags: tags.clone(),
        created_at: timestamp(*created_at),
        updated_at: timestamp(*updated_at),
        policies: attachments(state, presets, list),
        boundary: boundary(state, presets, *bound),
    }
}

/// The public half of an access key.
pub(in crate::service) fn access_key(it: &AccessKey) -> proto::AccessKey {
    let AccessKey { secret_id, holder, status, description, created_at, sealed_secret: _ } = it;
    let status = match status {
        KeyStatus::Active => proto::KeyStatus::Active,
        KeyStatus::Inactive => proto::KeyStatus::Inactive,
    };
    proto::AccessKey {
        secret_id: secret_id.to_string(),
        uin: *holder,
        status: status.into(),
        description: description.clone(),
        created_at: timestamp(*created_at),
    }
}

/// The status that a request names; none when it names none.
pub(in crate::service) fn key_status(number: i32) -> Result<Option<KeyStatus>, NodeError> {
    match proto::KeyStatus::try_from(number) {
        Ok(proto::KeyStatus::Unspecified) => Ok(None),
        Ok(proto::KeyStatus::Active) => Ok(Some(KeyStatus::Active)),
        Ok(proto::KeyStatus::Inactive) => Ok(Some(KeyStatus::Inactive)),
        Err(_) => Err(NodeError::BadField {
            field: "status".to_owned(),
            problem: format!("has the unknown value {number}: use one of KeyStatus"),
        }),
    }
}

/// The SecretId that a request names.
pub(in crate::service) fn secret_id(text: &str) -> Result<SecretId, NodeError> {
    SecretId::parse(text).ok_or_else(|| NodeError::BadField {
        field: "secret_id".to_owned(),
        problem: format!(
            "is `{}`: expected `AKID` and {} to {} letters and digits",
            shorten(text),
            SecretId::CHARS_MIN - 4,
            SecretId::CHARS_MAX - 4,
        ),
    })
}
