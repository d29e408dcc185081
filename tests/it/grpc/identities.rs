//! Roles, console profiles and passwords over the RPCs; and that no secret ever comes back.

use std::sync::Arc;

use camgate::authn::vault::master_key::MasterKey;
use camgate::directory::SecretId;
use camgate::node::NodeSettings;
use camgate::service::proto as pb;
use camgate::store::{MemoryStore, Store};
use pb::watch_response::Event;
use prost::Message as _;
use tokio_stream::StreamExt;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::{ALLOW_ALL, ROOT, TestServer, on_every_store};

pub(super) const TRUST: &str = r#"{"version":"2.0","statement":[{"effect":"allow",
    "action":"name/sts:AssumeRole","principal":{"qcs":"qcs::cam::uin/12345678:root"}}]}"#;
const PASSWORD: &str = "Correct-Horse-1";

async fn create_role(server: &mut TestServer, name: &str, team: &str) -> pb::Role {
    let request = pb::CreateRoleRequest {
        owner_uin: ROOT,
        name: name.to_owned(),
        description: "部署".to_owned(),
        trust_policy: TRUST.to_owned(),
        session_duration_s: 3_600,
        tags: [("team".to_owned(), team.to_owned())].into(),
        ..Default::default()
    };
    server.admin.create_role(request).await.unwrap().into_inner().role.unwrap()
}

async fn get_role(server: &mut TestServer, role_id: u64) -> pb::Role {
    let request = pb::GetRoleRequest { owner_uin: ROOT, role_id, ..Default::default() };
    server.admin.get_role(request).await.unwrap().into_inner().role.unwrap()
}

#[tokio::test]
async fn a_role_lives_and_holds_policies() {
    on_every_store(|mut server| async move {
        server.create_account().await;
        let role = create_role(&mut server, "deployer", "im").await;
        let role_id = role.role_id;
        assert_eq!((role_id.to_string().len(), role.trust_policy.as_str()), (19, TRUST));
        let policy_id = server.create_policy("p", ALLOW_ALL).await;
        let attach =
            pb::AttachPolicyRequest { owner_uin: ROOT, policy_id, role_id, ..Default::default() };
        server.admin.attach_policy(attach).await.unwrap();
        let bound =
            pb::PutBoundaryRequest { owner_uin: ROOT, policy_id, role_id, ..Default::default() };
        server.admin.put_boundary(bound).await.unwrap();
        let update = pb::UpdateRoleRequest {
            owner_uin: ROOT,
            role_id,
            session_duration_s: Some(0),
            console_login: Some(true),
            ..Default::default()
        };
        server.admin.update_role(update).await.unwrap();
        let tags = [("env".to_owned(), "prod".to_owned())].into();
        let tag = pb::TagRoleRequest { owner_uin: ROOT, role_id, tags, options: None };
        server.admin.tag_role(tag).await.unwrap();
        let keys = vec!["team".to_owned()];
        let untag = pb::UntagRoleRequest { owner_uin: ROOT, role_id, keys, options: None };
        server.admin.untag_role(untag).await.unwrap();

        let found = get_role(&mut server, role_id).await;
        assert_eq!((found.session_duration_s, found.console_login), (0, true));
        assert_eq!(found.tags, [("env".to_owned(), "prod".to_owned())].into());
        assert_eq!(found.policies[0].policy_name, "p");
        assert_eq!(found.boundary.unwrap().policy_id, policy_id);
        let of = pb::ListPolicyEntitiesRequest { owner_uin: ROOT, policy_id, consistency: None };
        let of = server.admin.list_policy_entities(of).await.unwrap().into_inner();
        assert_eq!((of.roles.len(), of.bounded_roles.len()), (1, 1));
        let get = pb::GetPolicyRequest { owner_uin: ROOT, policy_id, ..Default::default() };
        let policy = server.admin.get_policy(get).await.unwrap().into_inner().policy.unwrap();
        assert_eq!((policy.attachments, policy.boundaries), (1, 1));

        let delete =
            |force| pb::DeleteRoleRequest { owner_uin: ROOT, role_id, force, ..Default::default() };
        let status = server.admin.delete_role(delete(false)).await.unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition);
        server.admin.delete_role(delete(true)).await.unwrap();
        let status = server.admin.delete_role(delete(true)).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        let reason = status.get_error_details().error_info().unwrap().reason.clone();
        assert_eq!(reason, "InvalidParameter.RoleNotExist");
        server
    })
    .await;
}

#[tokio::test]
async fn roles_are_listed_in_pages_and_by_tags() {
    let mut server = TestServer::memory().await;
    server.create_account().await;
    for (name, team) in [("a", "im"), ("b", "im"), ("c", "other")] {
        create_role(&mut server, name, team).await;
    }
    let mut list = pb::ListRolesRequest { owner_uin: ROOT, ..Default::default() };
    list.tags.insert("team".to_owned(), "im".to_owned());
    list.page = Some(pb::PageRequest { page_size: 1, page_token: String::new() });
    let first = server.admin.list_roles(list.clone()).await.unwrap().into_inner();
    assert_eq!((first.roles[0].name.as_str(), first.roles[0].trust_policy.as_str()), ("a", ""));
    let page = pb::PageRequest { page_size: 1, page_token: first.next_page_token.clone() };
    list.page = Some(page.clone());
    let second = server.admin.list_roles(list.clone()).await.unwrap().into_inner();
    assert_eq!((second.roles[0].name.as_str(), second.next_page_token.as_str()), ("b", ""));
    // A token belongs to its list.
    list.tags.clear();
    let status = server.admin.list_roles(list).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    server.stop().await;
}

#[tokio::test]
async fn one_target_must_be_named() {
    let mut server = TestServer::memory().await;
    server.create_account().await;
    let role_id = create_role(&mut server, "deployer", "im").await.role_id;
    let alice = server.create_user("alice").await;
    for (uin, group_id, role_id) in [(0, 0, 0), (alice, 0, role_id), (0, 1, role_id)] {
        let (owner_uin, policy_id, options) = (ROOT, 1_002, None);
        let request =
            pb::AttachPolicyRequest { owner_uin, policy_id, uin, group_id, role_id, options };
        let status = server.admin.attach_policy(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
    }
    for (uin, role_id) in [(0, 0), (alice, role_id)] {
        let request =
            pb::DeleteBoundaryRequest { owner_uin: ROOT, uin, role_id, ..Default::default() };
        let status = server.admin.delete_boundary(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
    }
    server.stop().await;
}

fn carol(request_id: &str) -> pb::CreateSubAccountRequest {
    pb::CreateSubAccountRequest {
        owner_uin: ROOT,
        name: "carol".to_owned(),
        console_login: true,
        need_reset_password: true,
        phone_num: "13900000000".to_owned(),
        country_code: "86".to_owned(),
        email: "carol@example.com".to_owned(),
        options: Some(pb::WriteOptions { request_id: request_id.to_owned(), ..Default::default() }),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_generated_password_is_shown_once() {
    let mut server = TestServer::memory().await;
    server.create_account().await;
    let request = pb::CreateSubAccountRequest { generate_password: true, ..carol("r1") };
    let mut trial = request.clone();
    trial.options = Some(pb::WriteOptions { validate_only: true, ..Default::default() });
    let answer = server.admin.create_sub_account(trial).await.unwrap().into_inner();
    assert_eq!(answer.password, None, "nothing was set");
    let answer = server.admin.create_sub_account(request.clone()).await.unwrap().into_inner();
    let password = answer.password.clone().unwrap();
    assert_eq!(password.text.chars().count(), 32);
    assert!(!format!("{answer:?}").contains(&password.text), "a password is printed");
    let user = answer.sub_account.unwrap();
    assert!(user.console_login && user.need_reset_password && user.has_password);
    assert_eq!((user.uid, user.email.as_str()), (1, "carol@example.com"));
    let again = server.admin.create_sub_account(request).await.unwrap().into_inner();
    assert_eq!((again.password, again.sub_account.unwrap().uin), (None, user.uin));

    let update = pb::UpdateSubAccountRequest {
        owner_uin: ROOT,
        uin: user.uin,
        generate_password: true,
        need_reset_password: Some(false),
        ..Default::default()
    };
    let answer = server.admin.update_sub_account(update).await.unwrap().into_inner();
    assert_ne!(answer.password.unwrap(), password);
    assert!(!answer.sub_account.unwrap().need_reset_password);
    server.stop().await;
}

#[tokio::test]
async fn a_given_password_keeps_the_rule_and_is_stored_as_a_slow_hash_only() {
    let store = Arc::new(MemoryStore::new());
    let settings = NodeSettings::default();
    let mut server = TestServer::start(Arc::clone(&store) as _, None, settings).await;
    server.create_account().await;
    let secret = |text: &str| Some(pb::Secret { text: text.to_owned() });
    for text in ["", "short-A", "no-digits-Here", "no-upper-case-1"] {
        let request = pb::CreateSubAccountRequest { password: secret(text), ..carol("") };
        let status = server.admin.create_sub_account(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        let reason = status.get_error_details().error_info().unwrap().reason.clone();
        assert_eq!(reason, "InvalidParameter.PasswordViolatedRules");
        assert!(text.is_empty() || !status.message().contains(text));
    }
    let mut both = pb::CreateSubAccountRequest { password: secret(PASSWORD), ..carol("") };
    both.generate_password = true;
    let status = server.admin.create_sub_account(both).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);

    // The digest of a request is a fast hash, so it must not depend on the password.
    let request = pb::CreateSubAccountRequest { password: secret(PASSWORD), ..carol("r1") };
    let answer = server.admin.create_sub_account(request.clone()).await.unwrap().into_inner();
    assert_eq!(answer.password, None, "the caller knows it");
    let other = pb::CreateSubAccountRequest { password: secret("Another-Horse-2"), ..request };
    assert_eq!(server.admin.create_sub_account(other).await.unwrap().into_inner(), answer);
    let (entries, _) = store.read_prefix(b"").await.unwrap();
    let holds = |text: &str| {
        entries.iter().any(|entry| entry.value.windows(text.len()).any(|it| it == text.as_bytes()))
    };
    assert!(holds("$argon2id$") && !holds(PASSWORD) && !holds("Another-Horse-2"));
    server.stop().await;
}

#[tokio::test]
async fn watchers_see_roles_and_profiles_and_no_secret() {
    let mut server = sealing(Arc::new(MemoryStore::new())).await;
    server.create_account().await;
    let watch = pb::WatchRequest { owner_uin: ROOT, after: String::new() };
    let mut events = server.watch.watch(watch.clone()).await.unwrap().into_inner();
    let secret = Some(pb::Secret { text: PASSWORD.to_owned() });
    let request = pb::CreateSubAccountRequest { password: secret, ..carol("") };
    server.admin.create_sub_account(request).await.unwrap();
    let made = server.admin.create_access_key(new_key(ROOT, "")).await.unwrap().into_inner();
    let (secret_id, secret) = (made.access_key.unwrap().secret_id, made.secret_key.unwrap().text);
    let role = create_role(&mut server, "deployer", "im").await;
    let delete =
        pb::DeleteRoleRequest { owner_uin: ROOT, role_id: role.role_id, ..Default::default() };
    server.admin.delete_role(delete).await.unwrap();
    let (mut told, mut puts, mut removed) = (Vec::new(), Vec::new(), Vec::new());
    while removed.is_empty() {
        let event = events.next().await.unwrap().unwrap();
        told.extend(event.encode_to_vec());
        if let Some(Event::Delta(delta)) = event.event {
            puts.extend(delta.put.into_iter().filter_map(|it| it.object));
            removed.extend(delta.removed.into_iter().filter_map(|it| it.key));
        }
    }
    use pb::account_object::Object;
    assert!(puts.contains(&Object::Role(role.clone())));
    let has_profile = |it: &Object| matches!(it, Object::SubAccount(it) if it.has_password);
    assert!(puts.iter().any(has_profile));
    assert_eq!(removed, [pb::object_key::Key::RoleId(role.role_id)]);
    let mut fresh = server.watch.watch(watch).await.unwrap().into_inner();
    told.extend(fresh.next().await.unwrap().unwrap().encode_to_vec());
    for text in ["$argon2id$", PASSWORD, secret_id.as_str(), secret.as_str()] {
        assert!(!told.windows(text.len()).any(|it| it == text.as_bytes()), "{text}");
    }
    server.stop().await;
}

/// A server that can hold secrets.
async fn sealing(store: Arc<MemoryStore>) -> TestServer {
    let master_key = Some(MasterKey::generate().unwrap());
    let settings = NodeSettings { master_key, ..NodeSettings::default() };
    TestServer::start(store, None, settings).await
}

pub(super) fn new_key(uin: u64, request_id: &str) -> pb::CreateAccessKeyRequest {
    pb::CreateAccessKeyRequest {
        owner_uin: ROOT,
        uin,
        description: "ci".to_owned(),
        options: Some(pb::WriteOptions { request_id: request_id.to_owned(), ..Default::default() }),
    }
}

#[tokio::test]
async fn a_key_is_shown_once_and_stored_sealed() {
    let store = Arc::new(MemoryStore::new());
    let mut server = sealing(Arc::clone(&store)).await;
    server.create_account().await;
    let alice = server.create_user("alice").await;
    let request = new_key(alice, "r1");
    let made = server.admin.create_access_key(request.clone()).await.unwrap().into_inner();
    let (key, secret) = (made.access_key.clone().unwrap(), made.secret_key.clone().unwrap());
    assert_eq!(
        (key.uin, key.status(), key.description.as_str()),
        (alice, pb::KeyStatus::Active, "ci")
    );
    assert!(!format!("{made:?}").contains(&secret.text), "a secret is printed");
    let id = SecretId::parse(&key.secret_id).unwrap();
    let signing = server.node.signing_key(id).await.unwrap().unwrap();
    assert_eq!((signing.holder, signing.secret.expose()), (alice, secret.text.as_str()));
    // The same request again makes no second key, and does not tell the secret again.
    let again = server.admin.create_access_key(request).await.unwrap().into_inner();
    assert_eq!((again.access_key, again.secret_key), (Some(key), None));
    let mut trial = new_key(alice, "");
    trial.options = Some(pb::WriteOptions { validate_only: true, ..Default::default() });
    let trial = server.admin.create_access_key(trial).await.unwrap().into_inner();
    assert_eq!(trial.secret_key, None);
    let (entries, _) = store.read_prefix(b"").await.unwrap();
    let holds = |entry: &camgate::store::Entry, text: &str| {
        entry.value.windows(text.len()).any(|it| it == text.as_bytes())
    };
    assert!(!entries.iter().any(|entry| holds(entry, &secret.text)), "a secret is stored");
    server.stop().await;
}

#[tokio::test]
async fn keys_are_switched_listed_and_deleted() {
    let mut server = sealing(Arc::new(MemoryStore::new())).await;
    server.create_account().await;
    let alice = server.create_user("alice").await;
    let mut ids = Vec::new();
    for uin in [ROOT, alice, alice] {
        let made = server.admin.create_access_key(new_key(uin, "")).await.unwrap().into_inner();
        ids.push(made.access_key.unwrap().secret_id);
    }
    let status = server.admin.create_access_key(new_key(alice, "")).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    let reason = status.get_error_details().error_info().unwrap().reason.clone();
    assert_eq!(reason, "OperationDenied.AccessKeyOverLimit");

    let mut list = pb::ListAccessKeysRequest { owner_uin: ROOT, ..Default::default() };
    list.page = Some(pb::PageRequest { page_size: 2, page_token: String::new() });
    let first = server.admin.list_access_keys(list.clone()).await.unwrap().into_inner();
    list.page = Some(pb::PageRequest { page_size: 2, page_token: first.next_page_token.clone() });
    let second = server.admin.list_access_keys(list).await.unwrap().into_inner();
    let keys = first.access_keys.iter().chain(&second.access_keys);
    let mut listed: Vec<_> = keys.map(|it| it.secret_id.clone()).collect();
    assert!(listed.is_sorted() && second.next_page_token.is_empty());
    let mut sorted = ids.clone();
    sorted.sort();
    listed.sort();
    assert_eq!(listed, sorted);
    let of_alice = pb::ListAccessKeysRequest { owner_uin: ROOT, uin: alice, ..Default::default() };
    let of_alice = server.admin.list_access_keys(of_alice).await.unwrap().into_inner();
    assert_eq!(of_alice.access_keys.len(), 2);

    let disable = pb::UpdateAccessKeyRequest {
        owner_uin: ROOT,
        secret_id: ids[1].clone(),
        status: pb::KeyStatus::Inactive.into(),
        ..Default::default()
    };
    let disabled = server.admin.update_access_key(disable).await.unwrap().into_inner();
    assert_eq!(disabled.access_key.unwrap().status(), pb::KeyStatus::Inactive);
    let id = SecretId::parse(&ids[1]).unwrap();
    assert!(server.node.signing_key(id).await.unwrap().is_none());
    let delete = |secret_id: &str| pb::DeleteAccessKeyRequest {
        owner_uin: ROOT,
        secret_id: secret_id.to_owned(),
        options: None,
    };
    server.admin.delete_access_key(delete(&ids[1])).await.unwrap();
    let status = server.admin.delete_access_key(delete(&ids[1])).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let status = server.admin.delete_access_key(delete("nonsense")).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);

    // Whoever holds keys is deleted only with them.
    let gone = |delete_keys| pb::DeleteSubAccountRequest {
        owner_uin: ROOT,
        uin: alice,
        delete_keys,
        ..Default::default()
    };
    let status = server.admin.delete_sub_account(gone(false)).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    server.admin.delete_sub_account(gone(true)).await.unwrap();
    let id = SecretId::parse(&ids[2]).unwrap();
    assert!(server.node.signing_key(id).await.unwrap().is_none());
    server.stop().await;
}

#[tokio::test]
async fn a_server_without_a_master_key_makes_no_keys() {
    let mut server = TestServer::memory().await;
    server.create_account().await;
    let status = server.admin.create_access_key(new_key(ROOT, "")).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    server.stop().await;
}
