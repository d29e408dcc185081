//! From files to a folder: strict, and all faults at once.

use std::collections::{BTreeMap, BTreeSet};

use super::json::{Json, Members, Reader};
use super::{
    ACCOUNT_FILE, FOLDER_BYTES_MAX, FOLDER_FILES_MAX, Folder, FolderApp, FolderFault, FolderGroup,
    FolderSubAccount, policy_file,
};
use crate::directory::sub_account::SubAccountKind;
use crate::lang::variable::Owner;

pub(super) fn parse(files: &BTreeMap<String, Vec<u8>>) -> Result<Folder, Vec<FolderFault>> {
    let mut faults = Vec::new();
    check_size(files, &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    let (mut policies, mut cases) = (BTreeMap::new(), BTreeMap::new());
    for (path, bytes) in files {
        match place(path) {
            Place::Account | Place::Other => {}
            Place::Policy(name) => {
                policies.insert(name.to_owned(), bytes.clone());
            }
            Place::Cases(name) => {
                cases.insert(name.to_owned(), bytes.clone());
            }
            Place::Misplaced => {
                let message = "a JSON file may stand as `account.json`, `policies/NAME.json` or \
                               `cases/NAME.json` only: move or remove it";
                faults.push(FolderFault::new(path, "", message));
            }
        }
    }
    let folder = account(files, &policies, &mut faults);
    let folder = folder.map(|it| Folder { policies, cases, ..it });
    match folder {
        Some(folder) if faults.is_empty() => Ok(folder),
        Some(_) | None => Err(faults),
    }
}

/// Where a file stands.
enum Place<'a> {
    Account,
    Policy(&'a str),
    Cases(&'a str),
    /// A JSON file where none belongs.
    Misplaced,
    /// Not JSON: none of ours.
    Other,
}

fn place(path: &str) -> Place<'_> {
    let Some(stem) = path.strip_suffix(".json") else { return Place::Other };
    let (folder, name) = stem.split_once('/').unwrap_or(("", stem));
    match (folder, name) {
        ("", "account") => Place::Account,
        ("policies", name) if is_name(name) => Place::Policy(name),
        ("cases", name) if is_name(name) => Place::Cases(name),
        _ => Place::Misplaced,
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('/')
}

fn check_size(files: &BTreeMap<String, Vec<u8>>, faults: &mut Vec<FolderFault>) {
    if files.len() > FOLDER_FILES_MAX {
        let actual = files.len();
        let message = format!("the folder has {actual} files, the limit is {FOLDER_FILES_MAX}");
        faults.push(FolderFault::new("", "", message));
    }
    let bytes = files.values().fold(0_usize, |sum, file| sum.saturating_add(file.len()));
    if bytes > FOLDER_BYTES_MAX {
        let message = format!("the folder has {bytes} bytes, the limit is {FOLDER_BYTES_MAX}");
        faults.push(FolderFault::new("", "", message));
    }
}

/// Reads `account.json`: a folder without policies and cases.
fn account(
    files: &BTreeMap<String, Vec<u8>>,
    documents: &BTreeMap<String, Vec<u8>>,
    faults: &mut Vec<FolderFault>,
) -> Option<Folder> {
    let Some(bytes) = files.get(ACCOUNT_FILE) else {
        faults.push(FolderFault::new(
            ACCOUNT_FILE,
            "",
            "this file is missing: it names the account",
        ));
        return None;
    };
    let json: Json = match serde_json::from_slice(bytes) {
        Ok(json) => json,
        Err(error) => {
            let message = format!("this is not JSON: {error}");
            faults.push(FolderFault::new(ACCOUNT_FILE, "", message));
            return None;
        }
    };
    let reader = &mut Reader { file: ACCOUNT_FILE, faults };
    let keys = ["owner_uin", "app_id", "apps", "sub_accounts", "groups", "policies"];
    let members = reader.object("", &json, &keys);
    let owner_uin = members.require_number(reader, "owner_uin");
    let app_id = members.require_number(reader, "app_id");
    let apps = apps(&members, reader);
    let groups = groups(&members, reader);
    let sub_accounts = sub_accounts(&members, &groups, reader);
    let descriptions = descriptions(&members, documents, reader);
    let owner = Owner { uin: owner_uin?, app_id: app_id? };
    let (policies, cases) = (BTreeMap::new(), BTreeMap::new());
    Some(Folder { owner, apps, sub_accounts, groups, policies, descriptions, cases })
}

/// What `account.json` says about the policies besides their documents.
fn descriptions(
    members: &Members<'_>,
    documents: &BTreeMap<String, Vec<u8>>,
    reader: &mut Reader<'_>,
) -> BTreeMap<String, String> {
    let mut descriptions = BTreeMap::new();
    for (path, item) in members.list(reader, "policies") {
        let policy = reader.object(&path, item, &["name", "description"]);
        let name = policy.require_string(reader, "name");
        let description = policy.require_string(reader, "description");
        let Some(name) = name else { continue };
        if !documents.contains_key(&name) {
            let file = policy_file(&name);
            let message = format!("there is no file `{file}`: add it, or remove this entry");
            reader.fault(&format!("{path}.name"), message);
        }
        if descriptions.insert(name.clone(), description.unwrap_or_default()).is_some() {
            reader.fault(&path, format!("the policy `{name}` occurs twice: remove one"));
        }
    }
    descriptions
}

fn apps(members: &Members<'_>, reader: &mut Reader<'_>) -> BTreeMap<u64, FolderApp> {
    let mut apps = BTreeMap::new();
    for (path, item) in members.list(reader, "apps") {
        let app = reader.object(&path, item, &["sdkappid", "name", "tags"]);
        let sdkappid = app.require_number(reader, "sdkappid");
        let name = app.require_string(reader, "name");
        let tags = tags(&app, reader);
        let (Some(sdkappid), Some(name)) = (sdkappid, name) else { continue };
        if apps.insert(sdkappid, FolderApp { name, tags }).is_some() {
            reader.fault(&path, format!("the app {sdkappid} occurs twice: remove one"));
        }
    }
    apps
}

fn tags(app: &Members<'_>, reader: &mut Reader<'_>) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    let Some((path, json)) = app.get("tags") else { return tags };
    let Json::Object(members) = json else {
        reader.object(&path, json, &[]);
        return tags;
    };
    for (key, value) in members {
        let path = format!("{path}.{key}");
        let Some(value) = reader.string(&path, value) else { continue };
        if tags.insert(key.clone(), value).is_some() {
            reader.fault(&path, "this tag occurs twice: remove one");
        }
    }
    tags
}

fn groups(members: &Members<'_>, reader: &mut Reader<'_>) -> BTreeMap<String, FolderGroup> {
    let mut groups = BTreeMap::new();
    for (path, item) in members.list(reader, "groups") {
        let group = reader.object(&path, item, &["name", "remark", "policies"]);
        let name = group.require_string(reader, "name");
        let remark = group.string_or_empty(reader, "remark");
        let policies = group.names(reader, "policies");
        let Some(name) = name else { continue };
        if groups.insert(name.clone(), FolderGroup { remark, policies }).is_some() {
            reader.fault(&path, format!("the group `{name}` occurs twice: remove one"));
        }
    }
    groups
}

fn sub_accounts(
    members: &Members<'_>,
    groups: &BTreeMap<String, FolderGroup>,
    reader: &mut Reader<'_>,
) -> BTreeMap<u64, FolderSubAccount> {
    let mut sub_accounts = BTreeMap::new();
    let mut names = BTreeSet::new();
    for (path, item) in members.list(reader, "sub_accounts") {
        let keys = ["uin", "name", "kind", "remark", "groups", "policies", "boundary"];
        let user = reader.object(&path, item, &keys);
        let uin = user.require_number(reader, "uin");
        let name = user.require_string(reader, "name");
        let kind = kind(&user, reader);
        let remark = user.string_or_empty(reader, "remark");
        let group_names = user.names(reader, "groups");
        for group in group_names.iter().filter(|group| !groups.contains_key(*group)) {
            reader.fault(&format!("{path}.groups"), format!("there is no group `{group}`"));
        }
        let policies = user.names(reader, "policies");
        let boundary = user.get("boundary").and_then(|(path, json)| reader.string(&path, json));
        let (Some(uin), Some(name), Some(kind)) = (uin, name, kind) else { continue };
        let has_any = !group_names.is_empty() || !policies.is_empty() || boundary.is_some();
        if has_any && !kind.is_principal() {
            let message = "a message recipient cannot have groups, policies or a boundary";
            reader.fault(user.path(), message);
        }
        if !names.insert(name.clone()) {
            reader.fault(&path, format!("the name `{name}` occurs twice: change one"));
        }
        let user = FolderSubAccount { name, kind, remark, groups: group_names, policies, boundary };
        if sub_accounts.insert(uin, user).is_some() {
            reader.fault(&path, format!("the uin {uin} occurs twice: remove one"));
        }
    }
    sub_accounts
}

/// The kind of a sub-account; an absent key means an ordinary sub-user.
fn kind(user: &Members<'_>, reader: &mut Reader<'_>) -> Option<SubAccountKind> {
    let Some((path, json)) = user.get("kind") else { return Some(SubAccountKind::SubUser) };
    let word = reader.string(&path, json)?;
    let kind = SubAccountKind::from_word(&word);
    if kind.is_none() {
        let words = SubAccountKind::ALL.map(SubAccountKind::as_str).join("`, `");
        reader.fault(&path, format!("`{word}` is no kind; expected one of `{words}`"));
    }
    kind
}
