//! Apps: registering, changing, forgetting; and the global index of their ids.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::not_found;
use crate::directory::app::{App, AppEntry};
use crate::directory::change::{Record, RecordKey};
use crate::directory::command::{CommandResult, CreateApp, DeleteApp, UpdateApp};
use crate::directory::error::{DirectoryError, Noun};
use crate::directory::execute::Draft;
use crate::directory::global::GlobalKey;
use crate::directory::name;
use crate::directory::quota::Quota;

use super::account::check_id;

pub(super) fn create(
    draft: &mut Draft<'_>,
    command: &CreateApp,
) -> Result<CommandResult, DirectoryError> {
    let CreateApp { sdkappid, name, tags } = command;
    let quotas = draft.env.quotas;
    let owner_uin = draft.account()?.owner.uin;
    check_id(Noun::App, *sdkappid)?;
    name::check_app_name(name, quotas)?;
    name::check_tags(tags, Quota::TagsPerApp, quotas.tags_per_app_max, quotas)?;
    if draft.state.apps.contains_key(sdkappid) {
        return Err(DirectoryError::IdInUse { noun: Noun::App, id: *sdkappid });
    }
    if draft.app_entry(*sdkappid)?.is_some() {
        return Err(DirectoryError::TakenElsewhere { noun: Noun::App, id: *sdkappid });
    }
    let there_would_be = draft.state.apps.len().saturating_add(1);
    Quota::AppsPerAccount.check(quotas.apps_per_account_max, there_would_be)?;
    draft.put(Record::AppEntry(AppEntry { sdkappid: *sdkappid, owner_uin }));
    let (name, tags, created_at) = (name.clone(), tags.clone(), draft.env.now);
    let app = App { sdkappid: *sdkappid, name, tags, created_at };
    draft.put(Record::App(Arc::new(app)));
    Ok(CommandResult::Done)
}

pub(super) fn update(
    draft: &mut Draft<'_>,
    command: &UpdateApp,
) -> Result<CommandResult, DirectoryError> {
    let UpdateApp { sdkappid, name, tags } = command;
    if name.is_none() && tags.is_none() {
        return Err(DirectoryError::NothingToChange { noun: Noun::App });
    }
    let mut app = find_app(draft, *sdkappid)?;
    let changed = Arc::make_mut(&mut app);
    if let Some(name) = name {
        name::check_app_name(name, draft.env.quotas)?;
        changed.name.clone_from(name);
    }
    if let Some(tags) = tags {
        let quotas = draft.env.quotas;
        name::check_tags(tags, Quota::TagsPerApp, quotas.tags_per_app_max, quotas)?;
        changed.tags = BTreeMap::clone(tags);
    }
    draft.put(Record::App(app));
    Ok(CommandResult::Done)
}

pub(super) fn delete(
    draft: &mut Draft<'_>,
    command: &DeleteApp,
) -> Result<CommandResult, DirectoryError> {
    let owner_uin = draft.account()?.owner.uin;
    let app = find_app(draft, command.sdkappid)?;
    let entry = draft.app_entry(app.sdkappid)?;
    if entry.is_some_and(|entry| entry.owner_uin == owner_uin) {
        draft.delete(RecordKey::Global(GlobalKey::App(app.sdkappid)));
    }
    draft.delete(RecordKey::App(app.sdkappid));
    Ok(CommandResult::Done)
}

fn find_app(draft: &Draft<'_>, sdkappid: u64) -> Result<Arc<App>, DirectoryError> {
    draft.state.apps.get(&sdkappid).cloned().ok_or_else(|| not_found(Noun::App, sdkappid))
}
