//! From an account's state to files.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{ACCOUNT_FILE, FolderFault, policy_file};
use crate::directory::id::PolicyId;
use crate::directory::preset::Presets;
use crate::directory::state::AccountState;
use crate::directory::sub_account::Attachment;

#[derive(Serialize)]
struct AccountText<'a> {
    owner_uin: u64,
    app_id: u64,
    apps: Vec<AppText<'a>>,
    sub_accounts: Vec<SubAccountText<'a>>,
    groups: Vec<GroupText<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    policies: Vec<PolicyText<'a>>,
}

#[derive(Serialize)]
struct AppText<'a> {
    sdkappid: u64,
    name: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
struct SubAccountText<'a> {
    uin: u64,
    name: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    remark: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    groups: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    policies: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    boundary: Option<&'a str>,
}

#[derive(Serialize)]
struct GroupText<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    remark: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    policies: Vec<&'a str>,
}

/// A policy that has a description.
#[derive(Serialize)]
struct PolicyText<'a> {
    name: &'a str,
    description: &'a str,
}

pub(super) fn export(
    state: &AccountState,
    presets: &Presets,
) -> Result<BTreeMap<String, Vec<u8>>, Vec<FolderFault>> {
    let Some(owner) = state.owner() else {
        return Err(vec![FolderFault::new(ACCOUNT_FILE, "", "the account does not exist")]);
    };
    let mut names = Names { state, presets, faults: Vec::new() };
    let apps = state.apps.values();
    let apps = apps.map(|it| AppText { sdkappid: it.sdkappid, name: &it.name, tags: &it.tags });
    let groups: Vec<_> = state
        .live_groups()
        .map(|it| GroupText {
            name: &it.name,
            remark: &it.remark,
            policies: names.attached(&it.attachments),
        })
        .collect();
    let sub_accounts: Vec<_> = state
        .sub_accounts
        .values()
        .map(|it| SubAccountText {
            uin: it.uin,
            name: &it.name,
            kind: it.kind.as_str(),
            remark: &it.remark,
            groups: it
                .groups
                .iter()
                .filter_map(|id| state.group(*id))
                .map(|group| group.name.as_str())
                .collect(),
            policies: names.attached(&it.attachments),
            boundary: it.boundary.and_then(|id| names.boundary(id)),
        })
        .collect();
    if !names.faults.is_empty() {
        return Err(names.faults);
    }
    let (owner_uin, app_id) = (owner.uin, owner.app_id);
    let described = state.live_policies().filter(|it| !it.description.is_empty());
    let policies =
        described.map(|it| PolicyText { name: &it.name, description: &it.description }).collect();
    let apps = apps.collect();
    let text = AccountText { owner_uin, app_id, apps, sub_accounts, groups, policies };
    let mut bytes = serde_json::to_vec_pretty(&text)
        .map_err(|error| vec![FolderFault::new(ACCOUNT_FILE, "", error.to_string())])?;
    bytes.push(b'\n');
    let mut files = BTreeMap::from([(ACCOUNT_FILE.to_owned(), bytes)]);
    for policy in state.live_policies() {
        match state.default_version(policy.id) {
            Some(version) => {
                files.insert(policy_file(&policy.name), version.body.bytes().to_vec());
            }
            None => {
                let message = "the record of its default version is missing";
                return Err(vec![FolderFault::new(&policy_file(&policy.name), "", message)]);
            }
        }
    }
    Ok(files)
}

/// Names of attached policies; what refers to a tombstone means nothing and is left out.
struct Names<'a> {
    state: &'a AccountState,
    presets: &'a Presets,
    faults: Vec<FolderFault>,
}

impl<'a> Names<'a> {
    fn attached(&mut self, attachments: &[Attachment]) -> Vec<&'a str> {
        attachments.iter().filter_map(|it| self.name(it.policy)).collect()
    }

    /// A boundary must not be left out: that would widen access (rule D-09).
    fn boundary(&mut self, id: PolicyId) -> Option<&'a str> {
        let name = self.name(id);
        if name.is_none() {
            let message = format!("policy {id} is a boundary, but it was deleted: set another");
            self.faults.push(FolderFault::new(ACCOUNT_FILE, "", message));
        }
        name
    }

    fn name(&mut self, id: PolicyId) -> Option<&'a str> {
        if let Some(slot) = self.state.policies.get(&id) {
            return slot.live().map(|policy| policy.name.as_str());
        }
        if let Some(preset) = self.presets.get(id) {
            return Some(&preset.name);
        }
        let message = format!("policy {id} is attached, but there is no such policy");
        self.faults.push(FolderFault::new(ACCOUNT_FILE, "", message));
        None
    }
}
