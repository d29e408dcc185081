//! Making credentials: both sides, durations, chains, and what temporary keys may not do.

use camgate::authn::vault::keyring::KeyringError;
use camgate::directory::{CreateAccount, UpdateRole};
use camgate::lang::variable::Owner;
use camgate::node::{NodeError, Rotated, rotate_master_key};

use super::*;

const ACTION: &str = "im:SetConfInfo";

fn code(result: Result<Credentials, StsError>) -> &'static str {
    result.unwrap_err().code().unwrap()
}

#[tokio::test]
async fn assuming_a_role_needs_both_sides() {
    // rule D-24; spec examples 44, 45, 46
    let mut world = World::new().await;
    let caller = world.alice().await;
    let error = world.assume(&caller, world.role).await.unwrap_err();
    let StsError::Refused(refusal) = error else { panic!("{error}") };
    assert_eq!(refusal.answer.decision.reason.to_string(), "implicit_deny:identity");
    world.grant_usual(ALLOW_ALL).await;
    let made = world.assume(&caller, world.role).await.unwrap();
    assert_eq!((made.owner_uin, made.principal), (ROOT, world.role.0));
    assert!(made.token.len() <= 4_096);
    let bobs = world.role("bobs", &trust(&format!("qcs::cam::uin/{ROOT}:uin/7"))).await;
    let error = world.assume(&caller, bobs).await.unwrap_err();
    assert!(matches!(error, StsError::NotTrusted), "{error}");
    let missing = world.assume(&caller, RoleId(RoleId::MIN.0 + 99)).await;
    assert_eq!(code(missing), "ResourceNotFound.RoleNotFound");
    world.server.stop().await;
}

#[tokio::test]
async fn a_right_on_either_name_of_the_role_suffices_and_a_deny_on_either_counts() {
    let mut world = World::new().await;
    let on = |effect: &str, last: &str| {
        policy(effect, "sts:AssumeRole")
            .replace(r#""*"}"#, &format!(r#""qcs::cam::uin/{ROOT}:{last}"}}"#))
    };
    let target = Target::User(world.alice);
    world.grant(target.clone(), "by-name", &on("allow", "roleName/ops")).await;
    let caller = world.alice().await;
    assert!(world.assume(&caller, world.role).await.is_ok());
    let by_name = RoleName { owner_uin: ROOT, which: WhichRole::Name("ops".into()) };
    let request = AssumeRole { role: by_name, ..assume(ROOT, world.role) };
    assert!(world.node().assume_role(&caller, request).await.is_ok());
    let by_id = on("deny", &format!("role/{}", world.role));
    world.grant(target, "not-by-id", &by_id).await;
    let error = world.assume(&caller, world.role).await.unwrap_err();
    assert!(matches!(error, StsError::Refused(_)), "{error}");
    world.server.stop().await;
}

#[tokio::test]
async fn a_role_of_another_account_is_assumed_when_it_trusts_the_caller() {
    // rule D-24
    let world = World::new().await;
    let owner = Owner { uin: OTHER, app_id: 1_250_000_002 };
    world.apply(OTHER, Command::CreateAccount(CreateAccount { owner })).await;
    let stranger = world.caller(&new_key(world.node(), OTHER, OTHER).await).await.unwrap();
    // A role that does not trust him looks like one that is not there.
    let refused = world.assume(&stranger, world.role).await;
    let missing = world.assume(&stranger, RoleId(RoleId::MIN.0 + 99)).await;
    let (refused, missing) = (refused.unwrap_err(), missing.unwrap_err());
    assert_eq!(refused.to_string(), missing.to_string());
    assert_eq!(refused.code(), Some("AuthFailure.UnauthorizedOperation"));
    let guests = world.role("guests", &trust(&format!("qcs::cam::uin/{OTHER}:root"))).await;
    let made = world.assume(&stranger, guests).await.unwrap();
    assert_eq!((made.owner_uin, made.principal), (ROOT, guests.0));
    world.server.stop().await;
}

#[tokio::test]
async fn an_external_id_is_what_the_trust_policy_says() {
    let mut world = World::new().await;
    world.grant_usual(ALLOW_ALL).await;
    let trust = format!(
        r#"{{"version":"2.0","statement":[{{"effect":"allow","action":"name/sts:AssumeRole",
          "principal":{{"qcs":["qcs::cam::uin/{ROOT}:root"]}},
          "condition":{{"string_equal":{{"sts:external_id":"partner"}}}}}}]}}"#
    );
    let role = world.role("partners", &trust).await;
    let caller = world.alice().await;
    for (id, is_trusted) in [(None, false), (Some("other"), false), (Some("partner"), true)] {
        let external_id = id.map(str::to_owned);
        let request = AssumeRole { external_id, ..assume(ROOT, role) };
        assert_eq!(world.node().assume_role(&caller, request).await.is_ok(), is_trusted);
    }
    world.server.stop().await;
}

#[tokio::test]
async fn durations_are_the_roles_and_the_keys() {
    let mut world = World::new().await;
    world.grant_usual(ALLOW_ALL).await;
    let caller = world.alice().await;
    let ask = |duration_s| AssumeRole { duration_s, ..assume(ROOT, world.role) };
    let made = world.node().assume_role(&caller, ask(None)).await.unwrap();
    assert_eq!(made.expires_at_ms, START_MS + 7_200_000);
    let made = world.node().assume_role(&caller, ask(Some(43_200))).await.unwrap();
    assert_eq!(made.expires_at_ms, START_MS + 43_200_000);
    let long = world.node().assume_role(&caller, ask(Some(43_201))).await;
    assert_eq!(code(long), "InvalidParameter.OverTimeError");
    let update = UpdateRole {
        role: world.role.into(),
        description: None,
        trust_policy: None,
        session_duration_s: Some(600),
        console_login: None,
    };
    world.apply(ROOT, Command::UpdateRole(update)).await;
    let made = world.node().assume_role(&caller, ask(None)).await.unwrap();
    assert_eq!(made.expires_at_ms, START_MS + 600_000);
    world.server.stop().await;
}

#[tokio::test]
async fn roles_are_chained_and_never_outlive_each_other() {
    let mut world = World::new().await;
    world.grant_usual(&policy("allow", "sts:*")).await;
    let second = world.role("second", &trust(&format!("qcs::cam::uin/{ROOT}:roleName/ops"))).await;
    world.grant(Target::Role(second.into()), "of-second", ALLOW_ALL).await;
    // Alice herself is not named by the second role.
    assert!(world.assume(&world.alice().await, second).await.is_err());
    let first = world.session().await;
    world.pass_ms(3_600_000);
    let caller = world.caller(&temporary(&first)).await.unwrap();
    let chained = world.assume(&caller, second).await.unwrap();
    assert_eq!(chained.expires_at_ms, first.expires_at_ms);
    assert_eq!(world.reason(&chained.token, ACTION).await, "allow");
    // rule D-27: it ends with the role it came through.
    let delete = camgate::directory::DeleteRole { role: world.role.into(), force: true };
    world.apply(ROOT, Command::DeleteRole(delete)).await;
    assert_eq!(world.reason(&chained.token, ACTION).await, "unknown_principal");
    world.server.stop().await;
}

#[tokio::test]
async fn a_chain_has_an_end() {
    let mut world = World::new().await;
    world.grant_usual(ALLOW_ALL).await;
    let mut credentials = world.session().await;
    for _ in 0..4 {
        let caller = world.caller(&temporary(&credentials)).await.unwrap();
        credentials = world.assume(&caller, world.role).await.unwrap();
    }
    let caller = world.caller(&temporary(&credentials)).await.unwrap();
    let error = world.assume(&caller, world.role).await.unwrap_err();
    assert!(matches!(error, StsError::TooManySteps), "{error}");
    world.server.stop().await;
}

#[tokio::test]
async fn the_policy_of_a_session_binds_what_the_session_assumes() {
    let mut world = World::new().await;
    world.grant_usual(ALLOW_ALL).await;
    let caller = world.alice().await;
    let policy = Some(policy("allow", "im:*"));
    let request = AssumeRole { policy, ..assume(ROOT, world.role) };
    let capped = world.node().assume_role(&caller, request).await.unwrap();
    let caller = world.caller(&temporary(&capped)).await.unwrap();
    let error = world.assume(&caller, world.role).await.unwrap_err();
    let StsError::Refused(refusal) = error else { panic!("{error}") };
    assert_eq!(refusal.answer.decision.reason.to_string(), "implicit_deny:session");
    world.server.stop().await;
}

#[tokio::test]
async fn temporary_keys_make_no_tokens_of_users() {
    let mut world = World::new().await;
    world.grant_usual(ALLOW_ALL).await;
    let caller = world.caller(&temporary(&world.session().await)).await.unwrap();
    let made = world.node().federation_token(&caller, federation(ALLOW_ALL)).await;
    assert_eq!(code(made), "FailedOperation.TempKeyNotAllowed");
    world.server.stop().await;
}

#[tokio::test]
async fn session_policies_are_checked_and_bounded() {
    let mut world = World::new().await;
    world.grant(Target::User(world.alice), "sts", &policy("allow", "sts:*")).await;
    let caller = world.alice().await;
    let parts = ["x", "y"].map(|c| format!(r#""qcs::im:::{}""#, c.repeat(1_600)));
    let resources = format!(r#"[{}]}}"#, parts.join(","));
    let long = policy("allow", "im:*").replace(r#""*"}"#, &resources);
    for (document, expected) in [
        ("nonsense", "InvalidParameter.StrategyFormatError"),
        (&long, "InvalidParameter.ExtendStrategyOverSize"),
    ] {
        let made = world.node().federation_token(&caller, federation(document)).await;
        assert_eq!(code(made), expected);
    }
    let mut unnamed = federation(ALLOW_ALL);
    unnamed.name = "x".to_owned();
    let made = world.node().federation_token(&caller, unnamed).await;
    assert_eq!(code(made), "InvalidParameter.ParamError");
    world.server.stop().await;
}

#[tokio::test]
async fn a_rotated_master_key_opens_everything_and_the_old_one_nothing() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let (old, new) = (MasterKey::generate().unwrap(), MasterKey::generate().unwrap());
    let mut world = World::over(Arc::clone(&store), &old).await;
    world.grant_usual(ALLOW_ALL).await;
    let (credentials, key) = (world.session().await, world.key.clone());
    world.server.stop().await;
    assert_eq!(rotate_master_key(&*store, &old, &new).await.unwrap(), Rotated::Done);
    assert_eq!(rotate_master_key(&*store, &old, &new).await.unwrap(), Rotated::Already);
    let start = async |master: Option<&MasterKey>| {
        let master_key = master.cloned();
        let settings = NodeSettings { master_key, ..NodeSettings::default() };
        let catalog = Arc::new(camgate::catalog::Catalog::builtin().clone());
        let clock = Arc::new(TestClock(AtomicI64::new(START_MS)));
        Node::start(Arc::clone(&store), catalog, clock, None, settings).await
    };
    let refused = start(Some(&old)).await.unwrap_err();
    assert!(matches!(refused, NodeError::Keyring(KeyringError::OtherMasterKey { .. })));
    assert!(matches!(start(None).await.unwrap_err(), NodeError::MasterKeyWanted));
    let node = start(Some(&new)).await.unwrap();
    assert!(node.open_session(&credentials.token).is_ok());
    assert!(sign_in(&node, &key, START_MS / 1_000).await.is_ok());
    assert!(sign_in(&node, &temporary(&credentials), START_MS / 1_000).await.is_ok());
    node.end();
}

#[tokio::test]
async fn without_a_master_key_there_are_no_secrets() {
    let mut server = TestServer::memory().await;
    server.create_account().await;
    let refused = server.node.new_key(ROOT).map(|_: NewKey| ()).unwrap_err();
    assert!(matches!(refused, NodeError::NoMasterKey));
    let status = server.authz.check(question("x", ACTION)).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::FailedPrecondition);
    server.stop().await;
}
