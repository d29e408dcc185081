//! Versions of a custom policy: adding, choosing the default (which is also how one rolls back),
//! deleting.

use std::sync::Arc;

use super::policy::check_document;
use super::{find_custom_policy, not_found};
use crate::directory::change::{Record, RecordKey};
use crate::directory::command::{
    CommandResult, CreatePolicyVersion, DeletePolicyVersion, SetDefaultPolicyVersion,
};
use crate::directory::error::{DirectoryError, Noun};
use crate::directory::execute::Draft;
use crate::directory::id::VersionNumber;
use crate::directory::policy::PolicyVersion;
use crate::directory::quota::Quota;
use crate::directory::state::Slot;
use crate::lang::document::DocumentKind;

pub(super) fn create(
    draft: &mut Draft<'_>,
    command: &CreatePolicyVersion,
) -> Result<CommandResult, DirectoryError> {
    let CreatePolicyVersion { policy, document, set_default } = command;
    let mut policy = find_custom_policy(draft, policy)?;
    let body = check_document(draft, document, DocumentKind::Identity)?;
    let there_would_be = draft.state.versions_of(policy.id).count().saturating_add(1);
    let limit = draft.env.quotas.versions_per_policy_max;
    Quota::VersionsPerPolicy.check(limit, there_would_be)?;
    let number = policy.next_version;
    let Some(next) = number.0.checked_add(1) else {
        return Err(DirectoryError::IdsExhausted { noun: Noun::PolicyVersion });
    };
    let now = draft.env.now;
    let changed = Arc::make_mut(&mut policy);
    changed.next_version = VersionNumber(next);
    changed.updated_at = now;
    if *set_default {
        changed.default_version = number;
    }
    let id = changed.id;
    let version = PolicyVersion { policy: id, number, created_at: now, body };
    draft.put(Record::Version(Arc::new(version)));
    draft.put(Record::Policy(id, Slot::Live(policy)));
    Ok(CommandResult::PolicyVersion(id, number))
}

pub(super) fn set_default(
    draft: &mut Draft<'_>,
    command: &SetDefaultPolicyVersion,
) -> Result<CommandResult, DirectoryError> {
    let mut policy = find_custom_policy(draft, &command.policy)?;
    if draft.state.version(policy.id, command.version).is_none() {
        return Err(not_found(Noun::PolicyVersion, command.version));
    }
    if policy.default_version != command.version {
        let changed = Arc::make_mut(&mut policy);
        changed.default_version = command.version;
        changed.updated_at = draft.env.now;
        draft.put(Record::Policy(policy.id, Slot::Live(policy)));
    }
    Ok(CommandResult::Done)
}

pub(super) fn delete(
    draft: &mut Draft<'_>,
    command: &DeletePolicyVersion,
) -> Result<CommandResult, DirectoryError> {
    let mut policy = find_custom_policy(draft, &command.policy)?;
    let version = command.version;
    if policy.default_version == version {
        return Err(DirectoryError::VersionIsDefault { policy: policy.id, version });
    }
    if draft.state.version(policy.id, version).is_none() {
        return Err(not_found(Noun::PolicyVersion, version));
    }
    draft.delete(RecordKey::Version(policy.id, version));
    Arc::make_mut(&mut policy).updated_at = draft.env.now;
    draft.put(Record::Policy(policy.id, Slot::Live(policy)));
    Ok(CommandResult::Done)
}
