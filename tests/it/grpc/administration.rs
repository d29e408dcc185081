//! Writes: idempotency, preconditions, trials, lists and folders.

use camgate::node::NodeSettings;
use camgate::service::proto as pb;
use camgate::store::MemoryStore;
use tonic::Code;

use super::{APPS, ROOT, TestServer, app, on_every_store, question};

fn create_user(name: &str, options: pb::WriteOptions) -> pb::CreateSubAccountRequest {
    pb::CreateSubAccountRequest {
        owner_uin: ROOT,
        name: name.to_owned(),
        options: Some(options),
        ..Default::default()
    }
}

fn request_id(id: &str) -> pb::WriteOptions {
    pb::WriteOptions { request_id: id.to_owned(), ..Default::default() }
}

#[tokio::test]
async fn a_repeated_request_id_gives_the_first_answer() {
    on_every_store(|mut server| async move {
        server.create_account().await;
        let first = create_user("alice", request_id("r-1"));
        let answer = server.admin.create_sub_account(first.clone()).await.unwrap().into_inner();
        let again = server.admin.create_sub_account(first).await.unwrap().into_inner();
        assert_eq!(answer, again);
        assert!(answer.result.unwrap().changed);
        let other = create_user("bob", request_id("r-1"));
        let status = server.admin.create_sub_account(other).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains("`r-1` was used for a different request"));
        let long = create_user("bob", request_id(&"r".repeat(129)));
        let status = server.admin.create_sub_account(long).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        let request = pb::ListSubAccountsRequest { owner_uin: ROOT, ..Default::default() };
        let list = server.admin.list_sub_accounts(request).await.unwrap().into_inner();
        assert_eq!(list.sub_accounts.len(), 1);
        server
    })
    .await;
}

#[tokio::test]
async fn the_oldest_request_ids_are_forgotten() {
    let settings = NodeSettings { request_ids_per_account_max: 3, ..Default::default() };
    let mut server =
        TestServer::start(std::sync::Arc::new(MemoryStore::new()), None, settings).await;
    server.create_account().await;
    for number in 0..5 {
        let request = create_user(&format!("u{number}"), request_id(&format!("r-{number}")));
        server.admin.create_sub_account(request).await.unwrap();
    }
    for number in 2..5 {
        let request = create_user(&format!("u{number}"), request_id(&format!("r-{number}")));
        server.admin.create_sub_account(request).await.unwrap();
    }
    // Forgotten: it is a new request, which now meets its own name.
    let forgotten = create_user("u1", request_id("r-1"));
    let status = server.admin.create_sub_account(forgotten).await.unwrap_err();
    assert_eq!(status.code(), Code::AlreadyExists);
    server.stop().await;
}

#[tokio::test]
async fn if_revision_refuses_a_changed_account() {
    let mut server = TestServer::memory().await;
    server.create_account().await;
    let get = pb::GetAccountRequest { owner_uin: ROOT, ..Default::default() };
    let seen = server.admin.get_account(get).await.unwrap().into_inner().revision;
    let options = || pb::WriteOptions { if_revision: seen.clone(), ..Default::default() };
    server.admin.create_sub_account(create_user("alice", options())).await.unwrap();
    let status = server.admin.create_sub_account(create_user("bob", options())).await.unwrap_err();
    assert_eq!(status.code(), Code::Aborted);
    server.stop().await;
}

#[tokio::test]
async fn a_trial_checks_everything_and_changes_nothing() {
    let mut server = TestServer::memory().await;
    server.create_account().await;
    let trial = || pb::WriteOptions { validate_only: true, ..Default::default() };
    let answer = server.admin.create_sub_account(create_user("alice", trial())).await.unwrap();
    let answer = answer.into_inner();
    assert!(!answer.result.unwrap().changed);
    let uin = answer.sub_account.unwrap().uin;
    let get = pb::GetSubAccountRequest { owner_uin: ROOT, uin, ..Default::default() };
    assert_eq!(server.admin.get_sub_account(get).await.unwrap_err().code(), Code::NotFound);
    let bad = pb::CreatePolicyRequest {
        owner_uin: ROOT,
        name: "bad".to_owned(),
        document: "{".to_owned(),
        options: Some(trial()),
        ..Default::default()
    };
    let status = server.admin.create_policy(bad).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    server.stop().await;
}

#[tokio::test]
async fn uins_are_allotted_once() {
    let server = TestServer::memory().await;
    let mut tasks = Vec::new();
    for owner_uin in [ROOT, ROOT + 1] {
        let request = pb::CreateAccountRequest { owner_uin, app_id: owner_uin, options: None };
        server.admin.clone().create_account(request).await.unwrap();
        for number in 0..20 {
            let mut admin = server.admin.clone();
            let mut request = create_user(&format!("用户{number}"), Default::default());
            request.owner_uin = owner_uin;
            tasks.push(tokio::spawn(async move {
                let answer = admin.create_sub_account(request).await.unwrap().into_inner();
                answer.sub_account.unwrap().uin
            }));
        }
    }
    let mut uins = Vec::new();
    for task in tasks {
        uins.push(task.await.unwrap());
    }
    uins.sort_unstable();
    uins.dedup();
    assert_eq!(uins.len(), 40);
    server.stop().await;
}

#[tokio::test]
async fn lists_are_paged_and_objects_read_back() {
    let mut server = TestServer::memory().await;
    server.create_account().await;
    let mut uins = Vec::new();
    for number in 0..7 {
        uins.push(server.create_user(&format!("u{number}")).await);
    }
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let page = Some(pb::PageRequest { page_size: 3, page_token });
        let request = pb::ListSubAccountsRequest { owner_uin: ROOT, page, ..Default::default() };
        let answer = server.admin.list_sub_accounts(request).await.unwrap().into_inner();
        found.extend(answer.sub_accounts.iter().map(|it| it.uin));
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(found, uins);
    let accounts = pb::ListAccountsRequest::default();
    let accounts = server.admin.list_accounts(accounts).await.unwrap().into_inner().accounts;
    assert_eq!(accounts.iter().map(|it| it.owner_uin).collect::<Vec<_>>(), [ROOT]);
    let policy = server.create_policy("读者", super::POLICY).await;
    let get = pb::GetPolicyRequest { owner_uin: ROOT, name: "读者".into(), ..Default::default() };
    let read = server.admin.get_policy(get).await.unwrap().into_inner().policy.unwrap();
    // rule L-12
    assert_eq!((read.policy_id, read.document.as_str()), (policy, super::POLICY));
    let list = pb::ListPoliciesRequest {
        owner_uin: ROOT,
        kind: pb::PolicyKind::Preset.into(),
        ..Default::default()
    };
    let presets = server.admin.list_policies(list).await.unwrap().into_inner().policies;
    assert!(presets.iter().any(|it| it.name == "AdministratorAccess"));
    assert!(presets.iter().all(|it| it.document.is_empty() && it.policy_id < 1_000_000));
    server.stop().await;
}

#[tokio::test]
async fn versions_groups_boundaries_and_attachments_change_decisions() {
    let mut server = TestServer::memory().await;
    server.create_account().await;
    let alice = server.create_user("alice").await;
    let policy = server.create_policy("ops", super::POLICY).await;
    let group =
        pb::CreateGroupRequest { owner_uin: ROOT, name: "运维".to_owned(), ..Default::default() };
    let group = server.admin.create_group(group).await.unwrap().into_inner().group.unwrap();
    let group_id = group.group_id;
    let attach = pb::AttachPolicyRequest {
        owner_uin: ROOT,
        policy_id: policy,
        group_id,
        ..Default::default()
    };
    server.admin.attach_policy(attach).await.unwrap();
    let asked = app(APPS[1]);
    assert_eq!(server.outcome(alice, "im:SendMsg", &asked).await, pb::Outcome::Deny);
    let join =
        pb::AddGroupMemberRequest { owner_uin: ROOT, group_id, uin: alice, ..Default::default() };
    server.admin.add_group_member(join).await.unwrap();
    assert_eq!(server.outcome(alice, "im:SendMsg", &asked).await, pb::Outcome::Allow);
    // rule D-09
    let boundary = r#"{"version":"2.0","statement":[{"effect":"allow","action":"im:Describe*","resource":"*"}]}"#;
    let boundary = server.create_policy("border", boundary).await;
    let put = pb::PutBoundaryRequest {
        owner_uin: ROOT,
        uin: alice,
        policy_id: boundary,
        ..Default::default()
    };
    server.admin.put_boundary(put).await.unwrap();
    let decision = server.check(question(alice, "im:SendMsg", &asked)).await;
    assert_eq!(decision.layer(), pb::Layer::Boundary);
    let delete = pb::DeleteBoundaryRequest { owner_uin: ROOT, uin: alice, ..Default::default() };
    server.admin.delete_boundary(delete).await.unwrap();
    // rule D-03: the default version counts.
    let version = pb::CreatePolicyVersionRequest {
        owner_uin: ROOT,
        policy_id: policy,
        document:
            r#"{"version":"2.0","statement":[{"effect":"deny","action":"*","resource":"*"}]}"#
                .to_owned(),
        ..Default::default()
    };
    let made = server.admin.create_policy_version(version).await.unwrap().into_inner();
    assert_eq!(made.version.unwrap().version, 2);
    assert_eq!(server.outcome(alice, "im:SendMsg", &asked).await, pb::Outcome::Allow);
    let default = pb::SetDefaultPolicyVersionRequest {
        owner_uin: ROOT,
        policy_id: policy,
        version: 2,
        ..Default::default()
    };
    server.admin.set_default_policy_version(default).await.unwrap();
    let decision = server.check(question(alice, "im:SendMsg", &asked)).await;
    assert_eq!(decision.reason(), pb::Reason::ExplicitDeny);
    assert_eq!(decision.determining[0].policy_version, 2);
    let delete = pb::DeletePolicyRequest {
        owner_uin: ROOT,
        policy_id: policy,
        force: true,
        ..Default::default()
    };
    server.admin.delete_policy(delete).await.unwrap();
    let decision = server.check(question(alice, "im:SendMsg", &asked)).await;
    assert_eq!(decision.reason(), pb::Reason::ImplicitDeny);
    server.stop().await;
}

#[tokio::test]
async fn a_folder_goes_out_and_comes_back_without_change() {
    let mut server = TestServer::memory().await;
    server.create_account().await;
    let alice = server.create_user("alice").await;
    let policy = server.create_policy("ops", super::POLICY).await;
    server.attach(policy, alice).await;
    let export = pb::ExportAccountRequest { owner_uin: ROOT, consistency: None };
    let files = server.admin.export_account(export).await.unwrap().into_inner().files;
    assert!(files.iter().any(|file| file.path == "account.json"));
    let apply = |files, validate_only| pb::ApplyAccountRequest {
        owner_uin: ROOT,
        files,
        options: Some(pb::WriteOptions { validate_only, ..Default::default() }),
        ..Default::default()
    };
    let same = server.admin.apply_account(apply(files.clone(), false)).await.unwrap().into_inner();
    assert_eq!((same.steps.len(), same.result.unwrap().changed), (0, false));
    // Without the policy: a plan first, then the deed.
    let mut changed = files;
    for file in &mut changed {
        if file.path == "policies/ops.json" {
            file.content =
                br#"{"version":"2.0","statement":[{"effect":"deny","action":"*","resource":"*"}]}"#
                    .to_vec();
        }
    }
    let plan = server.admin.apply_account(apply(changed.clone(), true)).await.unwrap();
    let plan = plan.into_inner();
    assert!(!plan.steps.is_empty() && !plan.result.unwrap().changed);
    assert_eq!(server.outcome(alice, "im:SendMsg", &app(APPS[1])).await, pb::Outcome::Allow);
    let deed = server.admin.apply_account(apply(changed, false)).await.unwrap().into_inner();
    assert!(deed.result.unwrap().changed);
    let decision = server.check(question(alice, "im:SendMsg", &app(APPS[1]))).await;
    assert_eq!(decision.reason(), pb::Reason::ExplicitDeny);
    let bad = vec![pb::FolderFile { path: "account.json".into(), content: b"{".to_vec() }];
    let status = server.admin.apply_account(apply(bad, false)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    server.stop().await;
}
