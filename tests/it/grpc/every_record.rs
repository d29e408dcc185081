//! Every record that a node writes can be decoded by `store::record`, so that a tool which decodes
//! a whole store never stumbles.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use camgate::authn::vault::master_key::MasterKey;
use camgate::directory::{Record, Slot};
use camgate::node::{NodeSettings, PolicyFiles, Verified};
use camgate::service::proto as pb;
use camgate::store::record::{self, Stored};
use camgate::store::{MemoryStore, Store};

use super::identities::new_key;
use super::{ALLOW_ALL, APPS, ROOT, TestServer};

fn options(id: &str) -> Option<pb::WriteOptions> {
    Some(pb::WriteOptions { request_id: format!("{id}/请求"), ..Default::default() })
}

/// Calls a write with the account, a request id, and the given fields.
macro_rules! write {
    ($server:expr, $method:ident,
     $request:ident { $($field:ident $(: $value:expr)?),* $(,)? }) => {{
        let request = pb::$request {
            owner_uin: ROOT,
            $($field $(: $value)?,)*
            ..Default::default()
        };
        let request = pb::$request { options: options(stringify!($method)), ..request };
        let answer = $server.admin.$method(request.clone()).await.unwrap().into_inner();
        // Each is sent twice: the second answer is read from the record.
        let again = $server.admin.$method(request).await.unwrap().into_inner();
        assert_eq!(answer, again, "{}", stringify!($method));
        answer
    }};
}

async fn operator_presets_come_and_go(server: &TestServer, dir: &Path, files: &PolicyFiles) {
    for name in ["kept", "withdrawn"] {
        std::fs::write(dir.join(format!("{name}.json")), ALLOW_ALL).unwrap();
    }
    server.node.check_policy_files(files).await;
    std::fs::remove_file(dir.join("withdrawn.json")).unwrap();
    server.node.check_policy_files(files).await;
}

async fn people_and_groups(server: &mut TestServer) -> (u64, u64) {
    write!(server, create_account, CreateAccountRequest { app_id: super::APP_ID });
    let alice =
        write!(server, create_sub_account, CreateSubAccountRequest { name: "爱丽丝".into() });
    let uin = alice.sub_account.unwrap().uin;
    write!(server, update_sub_account, UpdateSubAccountRequest { uin, remark: Some("r".into()) });
    let group_id = write!(server, create_group, CreateGroupRequest { name: "g".into() })
        .group
        .unwrap()
        .group_id;
    write!(server, update_group, UpdateGroupRequest { group_id, remark: Some("r".into()) });
    write!(server, add_group_member, AddGroupMemberRequest { group_id, uin });
    (uin, group_id)
}

async fn policies(server: &mut TestServer, uin: u64, group_id: u64) -> u64 {
    let made = write!(
        server,
        create_policy,
        CreatePolicyRequest {
            name: "p".into(),
            description: "说明".into(),
            document: super::POLICY.into(),
        }
    );
    let policy_id = made.policy.unwrap().policy_id;
    write!(
        server,
        update_policy,
        UpdatePolicyRequest { policy_id, document: Some(ALLOW_ALL.into()) }
    );
    write!(
        server,
        create_policy_version,
        CreatePolicyVersionRequest { policy_id, document: super::DENY_ALL.into() }
    );
    write!(
        server,
        set_default_policy_version,
        SetDefaultPolicyVersionRequest { policy_id, version: 1 }
    );
    write!(server, delete_policy_version, DeletePolicyVersionRequest { policy_id, version: 2 });
    write!(server, attach_policy, AttachPolicyRequest { policy_id, uin });
    write!(server, detach_policy, DetachPolicyRequest { policy_id, uin });
    server.attach(policy_id, uin).await;
    let to_group =
        pb::AttachPolicyRequest { owner_uin: ROOT, policy_id, group_id, ..Default::default() };
    server.admin.attach_policy(to_group).await.unwrap();
    write!(server, put_boundary, PutBoundaryRequest { uin, policy_id });
    write!(server, delete_boundary, DeleteBoundaryRequest { uin });
    policy_id
}

async fn roles(server: &mut TestServer, policy_id: u64) {
    let made = write!(
        server,
        create_role,
        CreateRoleRequest { name: "r".into(), trust_policy: super::identities::TRUST.into() }
    );
    let role_id = made.role.unwrap().role_id;
    write!(server, update_role, UpdateRoleRequest { role_id, description: Some("说明".into()) });
    let tags = [("env".to_owned(), "生产".to_owned())].into();
    write!(server, tag_role, TagRoleRequest { role_id, tags });
    write!(server, untag_role, UntagRoleRequest { role_id, keys: vec!["team".into()] });
    let to_role =
        pb::AttachPolicyRequest { owner_uin: ROOT, policy_id, role_id, ..Default::default() };
    server.admin.attach_policy(to_role).await.unwrap();
    let doomed = pb::CreateRoleRequest {
        owner_uin: ROOT,
        name: "doomed".to_owned(),
        trust_policy: super::identities::TRUST.to_owned(),
        ..Default::default()
    };
    let role = server.admin.create_role(doomed).await.unwrap().into_inner().role;
    write!(server, delete_role, DeleteRoleRequest { role_id: role.unwrap().role_id });
}

async fn access_keys(server: &mut TestServer, uin: u64) {
    // The secret is in the first answer only.
    let made = server.admin.create_access_key(new_key(uin, "CreateAccessKey")).await.unwrap();
    let secret_id = made.into_inner().access_key.unwrap().secret_id;
    let status = pb::KeyStatus::Inactive.into();
    write!(server, update_access_key, UpdateAccessKeyRequest { secret_id, status });
    let made = server.admin.create_access_key(new_key(uin, "")).await.unwrap();
    let secret_id = made.into_inner().access_key.unwrap().secret_id;
    write!(server, delete_access_key, DeleteAccessKeyRequest { secret_id });
}

async fn apps_and_folder(server: &mut TestServer) {
    let tags = [("env".to_owned(), "生产".to_owned())].into();
    let made =
        write!(server, create_app, CreateAppRequest { sdkappid: APPS[0], name: "a".into(), tags });
    let update =
        write!(server, update_app, UpdateAppRequest { sdkappid: APPS[0], name: Some("b".into()) });
    let created_at = made.app.unwrap().created_at.unwrap();
    assert!(created_at.seconds > 1_700_000_000, "{created_at:?}");
    assert_eq!(update.app.unwrap().created_at, Some(created_at));
    let export = pb::ExportAccountRequest { owner_uin: ROOT, ..Default::default() };
    let files = server.admin.export_account(export).await.unwrap().into_inner().files;
    write!(server, apply_account, ApplyAccountRequest { files, prune: true });
}

async fn deletions(server: &mut TestServer) {
    let doomed = server.create_policy("doomed", ALLOW_ALL).await;
    write!(server, delete_policy, DeletePolicyRequest { policy_id: doomed });
    let group =
        pb::CreateGroupRequest { owner_uin: ROOT, name: "doomed".to_owned(), ..Default::default() };
    let answer = server.admin.create_group(group).await.unwrap().into_inner();
    let group_id = answer.group.unwrap().group_id;
    write!(server, delete_group, DeleteGroupRequest { group_id });
    let uin = server.create_user("doomed").await;
    write!(server, delete_sub_account, DeleteSubAccountRequest { uin });
    let app = pb::CreateAppRequest {
        owner_uin: ROOT,
        sdkappid: APPS[1],
        name: "doomed".to_owned(),
        ..Default::default()
    };
    server.admin.create_app(app).await.unwrap();
    write!(server, delete_app, DeleteAppRequest { sdkappid: APPS[1] });
}

fn kind(stored: &Stored) -> &'static str {
    match stored {
        Stored::Global(Record::UinEntry(_)) => "uin entry",
        Stored::Global(Record::AppEntry(_)) => "app entry",
        Stored::Account { record: Record::Account(_), .. } => "account",
        Stored::Account { record: Record::SubAccount(_), .. } => "sub-account",
        Stored::Account { record: Record::Group(_, Slot::Live(_)), .. } => "group",
        Stored::Account { record: Record::Group(_, Slot::Deleted(_)), .. } => "deleted group",
        Stored::Account { record: Record::Policy(_, Slot::Live(_)), .. } => "policy",
        Stored::Account { record: Record::Policy(_, Slot::Deleted(_)), .. } => "deleted policy",
        Stored::Account { record: Record::Version(_), .. } => "version",
        Stored::Account { record: Record::App(_), .. } => "app",
        Stored::Account { record: Record::Role(_), .. } => "role",
        Stored::Account { record: Record::AccessKey(_), .. } => "access key",
        Stored::Global(Record::SecretEntry(_)) => "secret entry",
        Stored::OperatorPreset(preset) if preset.is_withdrawn => "withdrawn preset",
        Stored::OperatorPreset(_) => "preset",
        Stored::OperatorDigest(_) => "digest",
        Stored::OperatorHead(_) => "operator head",
        Stored::IndexCensus(_) => "index census",
        Stored::NextUin(_) => "next uin",
        Stored::StoreId(_) => "store id",
        Stored::Keyring(_) => "keyring",
        Stored::Import(_) => "import",
        Stored::Caller(_) => "caller",
        Stored::KeyUse(_) => "key use",
        Stored::DoneRequest(_) => "done request",
        Stored::ChangeEntry(_) => "change entry",
        Stored::Account { .. } | Stored::Global(_) => panic!("{stored:?} is at a wrong place"),
    }
}

#[tokio::test]
async fn every_record_of_a_busy_store_can_be_decoded() {
    let dir = tempfile::tempdir().unwrap();
    let files = PolicyFiles { patterns: vec![format!("{}/*.json", dir.path().display())] };
    let store = Arc::new(MemoryStore::new());
    let master_key = Some(MasterKey::generate().unwrap());
    let settings = NodeSettings { master_key, ..NodeSettings::default() };
    let mut server =
        TestServer::start(Arc::clone(&store) as _, Some(files.clone()), settings).await;
    operator_presets_come_and_go(&server, dir.path(), &files).await;
    let (uin, group_id) = people_and_groups(&mut server).await;
    let policy_id = policies(&mut server, uin, group_id).await;
    roles(&mut server, policy_id).await;
    access_keys(&mut server, uin).await;
    apps_and_folder(&mut server).await;
    deletions(&mut server).await;
    write!(server, remove_group_member, RemoveGroupMemberRequest { group_id, uin });

    let (entries, _) = store.read_prefix(b"").await.unwrap();
    let mut kinds = BTreeSet::new();
    let mut writes = BTreeSet::new();
    for entry in entries {
        let stored = record::decode(&entry.key, &entry.value).unwrap();
        kinds.insert(kind(&stored));
        if matches!(stored, Stored::DoneRequest(_)) {
            writes.insert(String::from_utf8(entry.key).unwrap());
        }
    }
    assert_eq!(kinds.len(), 23, "{kinds:?}");
    // The 30 commands and the folder, each under its own request id.
    assert_eq!(writes.len(), 31, "{writes:?}");
    // And all of it is whole: every log, every census, every index.
    let mut verification = server.node.verify_store(None).await.unwrap();
    let (mut findings, mut verified) = (Vec::new(), Verified::default());
    while let Some((found, so_far)) = verification.next().await.unwrap() {
        findings.extend(found);
        verified = so_far;
    }
    assert_eq!(findings, []);
    assert!(verified.entries > 30 && verified.records > 60, "{verified:?}");
    assert_eq!((verified.accounts, verified.uncounted), (1, 0));
    server.stop().await;
}
