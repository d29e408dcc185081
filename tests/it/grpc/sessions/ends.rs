//! A session ends with its time, and at once with what it goes back to (rule D-27).

use camgate::directory::{
    DeleteAccessKey, DeleteRole, DeleteSubAccount, KeyStatus, UpdateAccessKey,
};

use super::*;

const ACTION: &str = "im:SetConfInfo";

async fn ready() -> (World, String) {
    let mut world = World::new().await;
    world.grant_usual(ALLOW_ALL).await;
    let token = world.session().await.token;
    assert_eq!(world.reason(&token, ACTION).await, "allow");
    (world, token)
}

/// The answer at the very revision of the change.
async fn reason_at(world: &mut World, token: &str, revision: Revision) -> pb::Reason {
    let at_least = world.node().token(revision);
    let mut question = question(token, ACTION);
    question.consistency = Some(pb::Consistency { at_least });
    world.server.check(question).await.reason()
}

fn key_id(world: &World) -> SecretId {
    SecretId::parse(&world.key.id).unwrap()
}

#[tokio::test]
async fn a_session_ends_with_its_time() {
    let (mut world, token) = ready().await;
    world.pass_ms(7_200_000 - 1);
    assert_eq!(world.reason(&token, ACTION).await, "allow");
    world.pass_ms(1);
    assert_eq!(world.reason(&token, ACTION).await, "unknown_principal");
    world.server.stop().await;
}

#[tokio::test]
async fn a_session_ends_with_its_role() {
    let (mut world, token) = ready().await;
    let delete = DeleteRole { role: world.role.into(), force: true };
    let revision = world.apply(ROOT, Command::DeleteRole(delete)).await;
    assert_eq!(reason_at(&mut world, &token, revision).await, pb::Reason::UnknownPrincipal);
    world.server.stop().await;
}

#[tokio::test]
async fn a_session_ends_with_the_user_that_made_it() {
    let (mut world, token) = ready().await;
    let delete = DeleteSubAccount { uin: world.alice, force: true, delete_keys: true };
    let revision = world.apply(ROOT, Command::DeleteSubAccount(delete)).await;
    assert_eq!(reason_at(&mut world, &token, revision).await, pb::Reason::UnknownPrincipal);
    world.server.stop().await;
}

#[tokio::test]
async fn a_session_ends_with_its_key_and_rests_while_it_is_inactive() {
    let (mut world, token) = ready().await;
    let secret_id = key_id(&world);
    for (status, reason) in [
        (KeyStatus::Inactive, pb::Reason::UnknownPrincipal),
        (KeyStatus::Active, pb::Reason::Allow),
    ] {
        let (holder, status) = (None, Some(status));
        let update = UpdateAccessKey { secret_id, holder, status, description: None };
        let revision = world.apply(ROOT, Command::UpdateAccessKey(update)).await;
        assert_eq!(reason_at(&mut world, &token, revision).await, reason);
    }
    let delete = DeleteAccessKey { secret_id, holder: None };
    let revision = world.apply(ROOT, Command::DeleteAccessKey(delete)).await;
    assert_eq!(reason_at(&mut world, &token, revision).await, pb::Reason::UnknownPrincipal);
    world.server.stop().await;
}

#[tokio::test]
async fn a_signature_with_an_ended_session_is_nobodys() {
    let mut world = World::new().await;
    world.grant_usual(ALLOW_ALL).await;
    let credential = temporary(&world.session().await);
    let caller = world.caller(&credential).await.unwrap();
    assert_eq!((caller.owner_uin(), caller.principal()), (ROOT, world.role.0));
    let mut wrong = credential.clone();
    wrong.secret.push('x');
    let error = world.caller(&wrong).await.unwrap_err();
    assert_eq!(error.code(), Some("AuthFailure.SignatureFailure"));
    let mut tokenless = credential.clone();
    tokenless.token = None;
    let error = world.caller(&tokenless).await.unwrap_err();
    assert_eq!(error.code(), Some("AuthFailure.SecretIdNotFound"));
    // The token of one key with the id of another.
    let mut mixed = credential.clone();
    mixed.id = world.key.id.clone();
    assert_eq!(world.caller(&mixed).await.unwrap_err().code(), Some("AuthFailure.TokenFailure"));
    world.pass_ms(7_200_000);
    let error = world.caller(&credential).await.unwrap_err();
    assert_eq!(error.code(), Some("AuthFailure.TokenFailure"));
    world.server.stop().await;
}

#[tokio::test]
async fn keys_that_do_not_count_are_nobodys() {
    let world = World::new().await;
    let unknown = Credential { id: format!("AKID{}", "x".repeat(32)), ..world.key.clone() };
    let code = |error: CallerError| error.code().unwrap();
    assert_eq!(code(world.caller(&unknown).await.unwrap_err()), "AuthFailure.SecretIdNotFound");
    let no_key = Credential { id: "XKID0123456789abcdef".into(), ..world.key.clone() };
    assert_eq!(code(world.caller(&no_key).await.unwrap_err()), "AuthFailure.InvalidSecretId");
    let now = START_MS / 1_000;
    for (timestamp, is_late) in [(now + 300, false), (now + 301, true), (now - 301, true)] {
        let answer = sign_in(world.node(), &world.key, timestamp).await;
        assert_eq!(answer.err().map(code), is_late.then_some("AuthFailure.SignatureExpire"));
    }
    let (secret_id, holder) = (key_id(&world), None);
    let status = Some(KeyStatus::Inactive);
    let update = UpdateAccessKey { secret_id, holder, status, description: None };
    world.apply(ROOT, Command::UpdateAccessKey(update)).await;
    let error = world.caller(&world.key).await.unwrap_err();
    assert_eq!(code(error), "AuthFailure.SecretIdNotFound");
    world.server.stop().await;
}

#[tokio::test]
async fn uses_of_keys_are_written_once_a_minute() {
    let world = World::new().await;
    let id = key_id(&world);
    assert!(world.node().key_uses(&[id]).await.unwrap().is_empty());
    world.alice().await;
    let seen = world.node().key_uses(&[id]).await.unwrap();
    assert_eq!(seen[&id].0, START_MS);
    world.node().write_key_uses().await;
    let head = world.node().applied_revision();
    world.pass_ms(1_000);
    world.alice().await;
    world.node().write_key_uses().await;
    assert_eq!(world.node().key_uses(&[id]).await.unwrap()[&id].0, START_MS);
    world.pass_ms(60_000);
    world.alice().await;
    world.node().write_key_uses().await;
    assert_eq!(world.node().key_uses(&[id]).await.unwrap()[&id].0, START_MS + 61_000);
    assert!(world.node().applied_revision() >= head);
    world.server.stop().await;
}

#[tokio::test]
async fn a_replayed_signature_is_refused_when_it_is_asked_for() {
    let master = MasterKey::generate().unwrap();
    let settings = NodeSettings { refuse_replays: true, ..settings(&master) };
    let clock = Arc::new(TestClock(AtomicI64::new(START_MS)));
    let mut server =
        TestServer::start_at(Arc::new(MemoryStore::new()), None, settings, clock).await;
    server.create_account().await;
    let key = new_key(&server.node, ROOT, ROOT).await;
    let now = START_MS / 1_000;
    assert!(sign_in(&server.node, &key, now).await.unwrap().is_root());
    let error = sign_in(&server.node, &key, now).await.unwrap_err();
    assert_eq!(error.code(), Some("AuthFailure.SignatureFailure"));
    assert!(sign_in(&server.node, &key, now + 1).await.is_ok());
    server.stop().await;
}
